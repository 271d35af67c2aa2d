//! What an identity does in the governance of a chain: its votes, participation, power and delegations.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::identity_id;
use crate::error::Problem;
use crate::page::List;
use crate::rest::ask::{Explained, Paging};
use crate::rest::{Ask, InPath, Missing, reply_found, reply_list_found};
use crate::server::AppState;
use crate::views::governance::{
    Delegation, DelegationDirection, DelegationList, GovernanceStats, OneGovernanceStats, OnePower, Power, VoteHistory,
    VotesOf,
};

const IDENTITY: Missing = Missing::Noun("identity");

/// Votes of an identity
///
/// Every vote that an identity has cast on `chain` and that still stands, newest first, those superseded and those that do
/// not count too. Votes are public chain facts.
#[utoipa::path(
    get,
    path = "/v1/governance/votes/{identity_id}",
    tag = "governance",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), Paging),
    responses((status = 200, description = "One page of votes.", body = List<VoteHistory>))
)]
pub async fn votes(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let query = VotesOf {
        source_id: ask.chain(&state)?.source_id,
        identity_id: identity_id("identity_id", &text)?,
        before: ask.after_as()?,
        limit: ask.limit,
    };
    reply_list_found(&state, query, &ask, IDENTITY).await
}

/// Participation of an identity
///
/// How many proposals it has made, how many votes it has cast, and its participation: the proposals on which its vote
/// counts, out of those that it could have voted on; both numbers and their quotient. All of it on `chain`.
#[utoipa::path(
    get,
    path = "/v1/governance/stats/{identity_id}",
    tag = "governance",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), Explained),
    responses((status = 200, description = "The numbers.", body = GovernanceStats))
)]
pub async fn stats(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let query = OneGovernanceStats {
        source_id: ask.chain(&state)?.source_id,
        identity_id: identity_id("identity_id", &text)?,
        explain: ask.explain,
    };
    reply_found(&state, query, &ask, IDENTITY).await
}

/// Voting power of an identity
///
/// What its vote weighs on `chain`, with every part of it: the stake of each address that belongs to it, and what counts of
/// the delegations to it and from it. As of the `opened_height` of a proposal it is the power of a vote on that proposal.
#[utoipa::path(
    get,
    path = "/v1/governance/power/{identity_id}",
    tag = "governance",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), Explained),
    responses((status = 200, description = "The power and its parts.", body = Power))
)]
pub async fn power(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let query = OnePower {
        source_id: ask.chain(&state)?.source_id,
        identity_id: identity_id("identity_id", &text)?,
        explain: ask.explain,
    };
    reply_found(&state, query, &ask, IDENTITY).await
}

/// Delegations of an identity
///
/// To whom it has given voting power on `chain`, and from whom it has received some, the newest delegation first. What
/// counts of a delegation follows the stake of the giver.
#[utoipa::path(
    get,
    path = "/v1/governance/delegations/{identity_id}",
    tag = "governance",
    params(
        ("identity_id" = String, Path, description = "64 hex digits, with or without 0x."),
        (
            "direction" = Option<String>, Query, pattern = "^(given|received|both)$",
            description = "`given`, `received` or `both`; both when absent."
        ),
        Paging
    ),
    responses((status = 200, description = "One page of delegations.", body = List<Delegation>))
)]
pub async fn delegations(
    State(state): State<Arc<AppState>>,
    ask: Ask,
    InPath(text): InPath,
) -> Result<Response, Problem> {
    let words = [
        ("given", Some(DelegationDirection::Given)),
        ("received", Some(DelegationDirection::Received)),
        ("both", None),
    ];
    let query = DelegationList {
        source_id: ask.chain(&state)?.source_id,
        identity_id: identity_id("identity_id", &text)?,
        direction: ask.one_of("direction", &words)?.flatten(),
        before: ask.after_as()?,
        limit: ask.limit,
    };
    reply_list_found(&state, query, &ask, IDENTITY).await
}
