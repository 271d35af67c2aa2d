//! Addresses: summary, balance, history, and balances of many.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::error::Problem;
use crate::page::List;
use crate::rest::ask::{Explained, Paging};
use crate::rest::{Ask, InPath, Missing, reply_found, reply_list};
use crate::server::AppState;
use crate::views::addresses::{AddressHistory, AddressSummary, HistoryItem, OneAddress};
use crate::views::balances::{Balance, Balances, OneBalance};

/// Addresses that one request may ask about.
const MAX_ADDRESSES: usize = 100;

/// An address at a glance
///
/// What an address of a chain holds, and which identity it belongs to. A well-formed address that nobody has used is 200
/// with `seen` false. Addresses are matched exactly, and in another case when only one such is known.
#[utoipa::path(
    get,
    path = "/v1/explorer/address/{address}",
    tag = "explorer",
    params(("address" = String, Path, description = "Address in any spelling of its chain."), Explained),
    responses((status = 200, description = "The address.", body = AddressSummary))
)]
pub async fn one(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let chain = ask.chain(&state)?;
    let address = super::address("address", &text, chain.kind.address_rule())?;
    let query = OneAddress { source_id: chain.source_id, address, explain: ask.explain };
    reply_found(&state, query, &ask, Missing::Noun("chain")).await
}

/// Balance of an address
///
/// Base units, derived from standing blocks; beside it what a node reports, on chains whose balances also change outside
/// blocks. A well-formed address that nobody has used is 200 with zero and `seen` false.
#[utoipa::path(
    get,
    path = "/v1/explorer/address/{address}/balance",
    tag = "explorer",
    params(("address" = String, Path, description = "Address in any spelling of its chain."), Explained),
    responses((status = 200, description = "The balance.", body = Balance))
)]
pub async fn balance(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let chain = ask.chain(&state)?;
    let address = super::address("address", &text, chain.kind.address_rule())?;
    let query = OneBalance { source_id: chain.source_id, address, explain: ask.explain };
    reply_found(&state, query, &ask, Missing::Noun("chain")).await
}

/// History of an address
///
/// Everything that happened to an address and still stands, newest first: transfers, allocations, links, reports, stakes.
#[utoipa::path(
    get,
    path = "/v1/explorer/address/{address}/history",
    tag = "explorer",
    params(("address" = String, Path, description = "Address in any spelling of its chain."), Paging),
    responses((status = 200, description = "One page of events.", body = List<HistoryItem>))
)]
pub async fn history(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let chain = ask.chain(&state)?;
    let address = super::address("address", &text, chain.kind.address_rule())?;
    let query = AddressHistory { source_id: chain.source_id, address, before: ask.after_as()?, limit: ask.limit };
    reply_list(&state, query, &ask).await
}

/// Balances of many addresses
///
/// One balance for each address asked, in the order asked, repetitions included.
#[utoipa::path(
    get,
    path = "/v1/explorer/balances",
    tag = "explorer",
    params(("addresses" = String, Query, description = "1 to 100 addresses of one chain, separated by commas.")),
    responses((status = 200, description = "The balances.", body = List<Balance>))
)]
pub async fn balances(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    let chain = ask.chain(&state)?;
    let asked: Vec<&str> = ask.required("addresses")?.split(',').collect();
    if asked.len() > MAX_ADDRESSES {
        return Err(Problem::bad("addresses", format!("names {} addresses; {MAX_ADDRESSES} is the most", asked.len())));
    }
    let rule = chain.kind.address_rule();
    let addresses = asked.into_iter().map(|text| super::address("addresses", text, rule)).collect::<Result<_, _>>()?;
    reply_list(&state, Balances { source_id: chain.source_id, addresses }, &ask).await
}
