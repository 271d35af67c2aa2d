//! `/health` and `/health/ready`: for whoever restarts and routes. They need no database to answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::rest::ask::Ask;
use crate::server::AppState;
use crate::views::status::{Status, Unready, unready};

/// The routes of this noun.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new().routes(routes!(get_health)).routes(routes!(get_ready))
}

/// The process lives.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: &'static str,
    /// Version of the server.
    pub version: &'static str,
}

/// Whether answers are fresh enough to be sent here.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// Whether requests should be sent here.
    pub ready: bool,
    /// Why not; empty when ready.
    pub reasons: Vec<Unready>,
    /// Views that stand still until they are repaired; the others answer, so this alone is no reason not to be ready.
    pub set_aside: Vec<String>,
    /// Where everything stood when it was last looked at.
    pub status: Status,
}

/// Whether the process lives
///
/// Says nothing about the database or the sources.
#[utoipa::path(
    get,
    path = "/health",
    tags = ["service"],
    responses((status = 200, description = "The process lives.", body = Health))
)]
async fn get_health(_ask: Ask) -> Response {
    uncached(StatusCode::OK, Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}

/// Whether answers are fresh enough
///
/// Red when the database is away, when nothing is followed, when a required source's node does not answer for its tip, or
/// when it is ahead of us without progress for longer than the budget. A quiet tip is ready, and so is a server with views
/// that stand still: `set_aside` names them.
#[utoipa::path(
    get,
    path = "/health/ready",
    tags = ["service"],
    responses(
        (status = 200, description = "Ready.", body = Readiness),
        (status = 503, description = "Not ready; `reasons` says which source and why.", body = Readiness)
    )
)]
async fn get_ready(State(state): State<Arc<AppState>>, _ask: Ask) -> Response {
    let fresh = state.fresh();
    let budget = state.quiet_seconds();
    let reasons = unready(&fresh, budget);
    let ready = reasons.is_empty();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let set_aside = fresh.set_aside().map(str::to_owned).collect();
    uncached(code, Json(Readiness { ready, reasons, set_aside, status: Status::of(&fresh, budget) }))
}

fn uncached(status: StatusCode, body: impl IntoResponse) -> Response {
    (status, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], body).into_response()
}
