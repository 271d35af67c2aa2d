//! Identities: one or many, their wallets and changes, and the ways to find them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schema::chain::IdentityId;
use schema::fold_text::search_form;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Problem;
use crate::page::List;
use crate::rest::ask::{Explained, Paging};
use crate::rest::{Ask, InPath, Missing, reply_found, reply_list, reply_list_found};
use crate::server::AppState;
use crate::views::changes::{Change, ChangeKey, ChangeList};
use crate::views::identities::{Identities, Identity, OneIdentity};
use crate::views::search::{FoundName, NameSearch};
use crate::views::wallets::{ByWallet, Wallet, WalletList, WalletOwner};

/// Identities that one request may ask for.
const MAX_IDS: usize = 100;
/// Longest name that is searched for, in characters: no name is longer.
const MAX_NAME_CHARS: usize = 64;

/// The routes under `/v1/identity`.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new()
        .routes(routes!(many))
        .routes(routes!(search))
        .routes(routes!(by_wallet))
        .routes(routes!(one))
        .routes(routes!(wallets))
        .routes(routes!(changes))
}

/// The id of an identity, in any spelling.
pub(super) fn identity_id(parameter: &str, text: &str) -> Result<IdentityId, Problem> {
    text.parse().map_err(|_| Problem::bad(parameter, "is not the id of an identity: 64 hex digits, with or without 0x"))
}

/// Many identities
///
/// One item for each id asked, in the order asked, repetitions included; null where an id is not registered.
#[utoipa::path(
    get,
    path = "/v1/identity",
    tag = "identity",
    params(("ids" = String, Query, description = "1 to 100 ids, separated by commas.")),
    responses((status = 200, description = "The identities.", body = List<Option<Identity>>))
)]
pub async fn many(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    ask.named_chain(&state)?;
    let asked: Vec<&str> = ask.required("ids")?.split(',').collect();
    if asked.len() > MAX_IDS {
        return Err(Problem::bad("ids", format!("names {} identities; {MAX_IDS} is the most", asked.len())));
    }
    let ids = asked.into_iter().map(|text| identity_id("ids", text)).collect::<Result<_, _>>()?;
    reply_list(&state, Identities { ids }, &ask).await
}

/// Identities by name
///
/// Names that begin with the text, in their order, then names that resemble it, the most similar first. Case and accents
/// make no difference.
#[utoipa::path(
    get,
    path = "/v1/identity/search",
    tag = "identity",
    params(("name" = String, Query, description = "1 to 64 characters.", example = "zoe"), Paging),
    responses((status = 200, description = "One page of names.", body = List<FoundName>))
)]
pub async fn search(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    ask.named_chain(&state)?;
    let text = ask.required("name")?;
    if text.chars().count() > MAX_NAME_CHARS {
        return Err(Problem::bad("name", format!("must be 1 to {MAX_NAME_CHARS} characters")));
    }
    let name = search_form(text);
    if name.is_empty() {
        return Err(Problem::bad("name", "holds no character that can be searched for"));
    }
    reply_list(&state, NameSearch { name, after: ask.after_as()?, limit: ask.limit }, &ask).await
}

/// Owner of a wallet
///
/// The identity that an address of a chain belongs to, with the claim that counts; 404 when it belongs to none.
#[utoipa::path(
    get,
    path = "/v1/identity/by-wallet/{address}",
    tag = "identity",
    params(("address" = String, Path, description = "Address in any spelling of its chain."), Explained),
    responses((status = 200, description = "The owner.", body = WalletOwner))
)]
pub async fn by_wallet(
    State(state): State<Arc<AppState>>,
    ask: Ask,
    InPath(text): InPath,
) -> Result<Response, Problem> {
    let chain = ask.chain(&state)?;
    let address = super::explorer::address("address", &text, chain.kind.address_rule())?;
    let query = ByWallet { source_id: chain.source_id, address, explain: ask.explain };
    reply_found(&state, query, &ask, Missing::Noun("owner of the address")).await
}

/// One identity
///
/// The public profile of an identity: the earliest standing claim to its id, over all sources.
#[utoipa::path(
    get,
    path = "/v1/identity/{identity_id}",
    tag = "identity",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), Explained),
    responses((status = 200, description = "The identity.", body = Identity))
)]
pub async fn one(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let query = OneIdentity { identity_id: identity_id("identity_id", &text)?, explain: ask.explain };
    reply_found(&state, query, &ask, Missing::Noun("identity")).await
}

/// Wallets of an identity
///
/// Every standing claim of an identity to an address, oldest first, with the verdict on its proof and whether it counts.
#[utoipa::path(
    get,
    path = "/v1/identity/{identity_id}/wallets",
    tag = "identity",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), Paging),
    responses((status = 200, description = "One page of claims.", body = List<Wallet>))
)]
pub async fn wallets(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let identity_id = identity_id("identity_id", &text)?;
    let query = WalletList { identity_id, after: ask.after_as()?, limit: ask.limit };
    reply_list_found(&state, query, &ask, Missing::Noun("identity")).await
}

/// Changes of an identity
///
/// Every version of an identity and of its wallet links, newest first: from which position on, by which block, and what it
/// changed. What a reorganisation took back is a change too, with `reason` `retracted`.
#[utoipa::path(
    get,
    path = "/v1/identity/{identity_id}/changes",
    tag = "identity",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), Paging),
    responses((status = 200, description = "One page of changes.", body = List<Change>))
)]
pub async fn changes(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let identity_id = identity_id("identity_id", &text)?;
    let before = ask.after_as()?.unwrap_or(ChangeKey::NEWEST);
    reply_list_found(&state, ChangeList { identity_id, before, limit: ask.limit }, &ask, Missing::Noun("identity"))
        .await
}
