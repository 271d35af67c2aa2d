//! The search box.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schema::fold_text::search_form;

use crate::error::Problem;
use crate::page::List;
use crate::rest::{Ask, reply_list};
use crate::server::AppState;
use crate::views::search::{Found, Search};

/// Longest text that is searched for, in bytes: a name of 64 characters, or 64 bytes of hex.
const MAX_BYTES: usize = 256;

/// Search
///
/// Whatever the text may be the name of, on every chain: a height, a block hash, a transaction id, an address (exactly, and
/// in another case when only one such is known), an identity's id, and the beginning of an identity's name.
#[utoipa::path(
    get,
    path = "/v1/explorer/search",
    tag = "explorer",
    params(("q" = String, Query, description = "What to look for; 1 to 256 bytes.", example = "zoe")),
    responses((status = 200, description = "What was found, at most ten of each sort.", body = List<Found>))
)]
pub async fn search(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    ask.named_chain(&state)?;
    let text = ask.required("q")?.trim();
    if text.is_empty() || text.len() > MAX_BYTES {
        return Err(Problem::bad("q", format!("must be 1 to {MAX_BYTES} bytes")));
    }
    let address = |source: &crate::freshness::Source| {
        let address = super::address("q", text, source.kind.address_rule()).ok()?;
        Some((source.source_id, address))
    };
    let query = Search {
        height: text.parse().ok().map(schema::chain::Height::to_db),
        block_hash: text.parse().ok(),
        tx_id: super::tx_id("q", text).ok(),
        identity_id: text.parse().ok(),
        addresses: state.sources().iter().filter_map(|source| address(source)).collect(),
        name: search_form(text),
    };
    reply_list(&state, query, &ask).await
}
