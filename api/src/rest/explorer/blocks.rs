//! Blocks of a chain, one block, and its transactions.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::error::Problem;
use crate::page::List;
use crate::rest::ask::{Counted, Explained, Offset, Paging};
use crate::rest::{Ask, InPath, reply_found, reply_list, reply_list_found};
use crate::server::AppState;
use crate::views::blocks::{Block, BlockList, OneBlock};
use crate::views::transactions::{BlockTransactions, Transaction};

/// Newest blocks
///
/// The standing blocks of a chain, newest first.
#[utoipa::path(
    get,
    path = "/v1/explorer/blocks",
    tag = "explorer",
    params(Paging, Offset, Counted),
    responses((status = 200, description = "One page of blocks.", body = List<Block>))
)]
pub async fn list(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    let query = BlockList {
        source_id: ask.chain(&state)?.source_id,
        before: ask.after_as()?,
        limit: ask.limit,
        offset: if ask.cursor.is_some() { 0 } else { ask.offset },
        count: ask.count.is_some(),
    };
    reply_list(&state, query, &ask).await
}

/// One block
///
/// The newest standing block with a height (of `chain`) or a hash (of any chain); if none stands, the newest that once
/// stood, with `status` `retracted`. A height that the node has and we have not is 503, one above the node's tip 404.
#[utoipa::path(
    get,
    path = "/v1/explorer/block/{height_or_hash}",
    tag = "explorer",
    params(
        ("height_or_hash" = String, Path, description = "Height, or hash as hex with or without 0x.", example = "1204"),
        Explained
    ),
    responses((status = 200, description = "The block.", body = Block))
)]
pub async fn one(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let (id, missing) = super::block_id(&text, &*ask.chain(&state)?)?;
    reply_found(&state, OneBlock { id, explain: ask.explain }, &ask, missing).await
}

/// Transactions of a block
///
/// The transactions of one block in their order; those of a retracted block have `status` `retracted`.
#[utoipa::path(
    get,
    path = "/v1/explorer/block/{height_or_hash}/transactions",
    tag = "explorer",
    params(
        ("height_or_hash" = String, Path, description = "Height, or hash as hex with or without 0x.", example = "1204"),
        Paging,
        Counted
    ),
    responses((status = 200, description = "One page of transactions.", body = List<Transaction>))
)]
pub async fn transactions(
    State(state): State<Arc<AppState>>,
    ask: Ask,
    InPath(text): InPath,
) -> Result<Response, Problem> {
    let (id, missing) = super::block_id(&text, &*ask.chain(&state)?)?;
    let query = BlockTransactions { id, after: ask.after_as()?, limit: ask.limit, count: ask.count.is_some() };
    reply_list_found(&state, query, &ask, missing).await
}
