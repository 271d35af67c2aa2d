//! Transactions of a chain, and one transaction.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::error::Problem;
use crate::page::List;
use crate::rest::ask::{Counted, Explained, Paging};
use crate::rest::{Ask, InPath, Missing, reply_found, reply_list};
use crate::server::AppState;
use crate::views::transactions::{OneTransaction, Transaction, TransactionDetails, TransactionList};

/// Longest type of a transaction that is looked for, in bytes.
const MAX_TYPE_BYTES: usize = 64;

/// Newest transactions
///
/// The standing transactions of a chain, newest first; of one type if asked.
#[utoipa::path(
    get,
    path = "/v1/explorer/transactions",
    tag = "explorer",
    params(
        ("type" = Option<String>, Query, description = "Only this type, as `transfer`; not together with `count`."),
        Paging,
        Counted
    ),
    responses((status = 200, description = "One page of transactions.", body = List<Transaction>))
)]
pub async fn list(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    let tx_type = ask.text("type").map(str::to_owned);
    if let Some(tx_type) = &tx_type {
        if tx_type.is_empty() || tx_type.len() > MAX_TYPE_BYTES {
            return Err(Problem::bad("type", format!("must be 1 to {MAX_TYPE_BYTES} bytes")));
        }
        if ask.count.is_some() {
            return Err(Problem::bad(
                "count",
                "cannot be given together with `type`: counts are kept for whole chains",
            ));
        }
    }
    let query = TransactionList {
        source_id: ask.chain(&state)?.source_id,
        tx_type,
        before: ask.after_as()?,
        limit: ask.limit,
        count: ask.count.is_some(),
    };
    reply_list(&state, query, &ask).await
}

/// One transaction
///
/// The newest standing transaction with an id, on any chain; if none stands, the newest that once stood, with `status`
/// `retracted`. An unknown id is 404 with `searched_through`: how far the search went.
#[utoipa::path(
    get,
    path = "/v1/explorer/tx/{tx_id}",
    tag = "explorer",
    params(
        (
            "tx_id" = String,
            Path,
            description = "UUID with or without dashes, 0x and 32 hex digits, or 64 hex digits with or without 0x.",
            example = "67e55044-10b1-426f-9247-bb680e5fe0c8"
        ),
        Explained
    ),
    responses((status = 200, description = "The transaction.", body = TransactionDetails))
)]
pub async fn one(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let tx_id = super::tx_id("tx_id", &text)?.as_str().to_owned();
    reply_found(&state, OneTransaction { tx_id, explain: ask.explain }, &ask, Missing::Noun("transaction")).await
}
