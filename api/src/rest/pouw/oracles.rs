//! Who validates work, and how well.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::{named_source, work_id};
use crate::error::Problem;
use crate::page::List;
use crate::rest::ask::{Explained, Paging};
use crate::rest::{Ask, InPath, Missing, reply_found, reply_list};
use crate::server::AppState;
use crate::views::oracles::{OneOracle, Oracle, OracleList, OraclePerformance};

/// Oracles
///
/// Every oracle that is registered or that any record of work names, by source and id; of `chain` only, if that is given.
#[utoipa::path(
    get,
    path = "/v1/pouw/oracles",
    tag = "pouw",
    params(Paging),
    responses((status = 200, description = "One page of oracles.", body = List<Oracle>))
)]
pub async fn list(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    let query = OracleList { source_id: named_source(&state, &ask)?, after: ask.after_as()?, limit: ask.limit };
    reply_list(&state, query, &ask).await
}

/// Performance of an oracle
///
/// How much an oracle accepts, how fast, of which types, and when; recomputed from its records. Without `chain` it is the
/// oracle of the source that was followed first, where several have one with this id.
#[utoipa::path(
    get,
    path = "/v1/pouw/oracle/{oracle_id}/performance",
    tag = "pouw",
    params(("oracle_id" = String, Path, description = "Up to 64 characters.", example = "boinc-1"), Explained),
    responses((status = 200, description = "The performance.", body = OraclePerformance))
)]
pub async fn performance(
    State(state): State<Arc<AppState>>,
    ask: Ask,
    InPath(text): InPath,
) -> Result<Response, Problem> {
    let oracle_id = work_id("oracle_id", text)?;
    let query = OneOracle { oracle_id, source_id: named_source(&state, &ask)?, explain: ask.explain };
    reply_found(&state, query, &ask, Missing::Noun("oracle")).await
}
