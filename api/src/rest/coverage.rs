//! `/v1/coverage`: what was indexed and what was checked.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Problem;
use crate::page::List;
use crate::rest::ask::Ask;
use crate::rest::reply::reply_list;
use crate::server::AppState;
use crate::views::coverage::{Coverage, SourceCoverage};

/// The routes of this noun.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new().routes(routes!(list_coverage))
}

/// What was indexed of each source, and what was checked
///
/// Contiguous ranges of heights, gaps computed from them, counts of verified links, hashes and signatures, and the
/// newest retractions. All in one page.
#[utoipa::path(
    get,
    path = "/v1/coverage",
    tag = "trust",
    responses((status = 200, description = "Coverage of every source.", body = List<SourceCoverage>))
)]
async fn list_coverage(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    reply_list(&state, Coverage, &ask).await
}
