//! `/v1/chains`: the chains, their rules and their money.

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
use crate::views::chains::{Chain, Chains};

/// The routes of this noun.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new().routes(routes!(list_chains))
}

/// Every chain with its rules and its money
///
/// In the order in which they were first followed, once something of them is in the log. The default of `chain=` is the one
/// that the indexer's settings name first. All in one page.
#[utoipa::path(
    get,
    path = "/v1/chains",
    tag = "trust",
    responses((status = 200, description = "Every chain.", body = List<Chain>))
)]
async fn list_chains(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    reply_list(&state, Chains, &ask).await
}
