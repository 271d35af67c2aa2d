//! `/v1/status`: where everything stands, right now.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Problem;
use crate::rest::ask::{Ask, PreferenceApplied};
use crate::rest::reply;
use crate::server::AppState;
use crate::views::status::Status;

/// The routes of this noun.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new().routes(routes!(get_status))
}

/// Where the log, the sources and the views stand
///
/// Always about this moment, so it takes no `at_height` and is never cached.
#[utoipa::path(
    get,
    path = "/v1/status",
    tags = ["trust", crate::openapi::LIVE],
    responses((status = 200, description = "Where everything stands.", body = Status))
)]
async fn get_status(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    ask.named_chain(&state)?;
    let fresh = reply::wait(&state, &ask).await?;
    let mut headers = reply::fresh_headers(&state, &ask, &fresh)?;
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let status = Status::of(&fresh, state.quiet_seconds());
    Ok((headers, PreferenceApplied(&ask.ignored), Json(status)).into_response())
}
