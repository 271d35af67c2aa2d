//! `/metrics`: for Prometheus.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::rest::ask::Ask;
use crate::server::AppState;

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The routes of this noun.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new().routes(routes!(get_metrics))
}

/// Requests, latencies, errors, cache, lag, in Prometheus' text format
///
/// Latencies are summaries with p50, p95 and p99 in seconds, by route template.
#[utoipa::path(
    get,
    path = "/metrics",
    tags = ["service"],
    responses((status = 200, description = "The metrics.", body = String, content_type = "text/plain"))
)]
async fn get_metrics(State(state): State<Arc<AppState>>, _ask: Ask) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(TEXT_FORMAT)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, state.metrics()).into_response()
}
