//! Proposals of a chain: many, one, the votes on it, and how it came to be what it is.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::{identity_id, proposal_id};
use crate::error::Problem;
use crate::page::{Count, List};
use crate::rest::ask::{Counted, Explained, Offset, Paging};
use crate::rest::{Ask, InPath, Missing, reply_found, reply_list, reply_list_found};
use crate::server::AppState;
use crate::views::governance::{
    OneProposal, Proposal, ProposalBatch, ProposalChange, ProposalChanges, ProposalDetail, ProposalList, ProposalVotes,
    Vote,
};

/// Proposals that one request may ask for by number.
const MAX_IDS: usize = 100;
/// Where a proposal can stand.
const STATUSES: [&str; 7] = ["pending", "active", "ended", "passed", "rejected", "executed", "cancelled"];
/// What it can have come to when voting has ended.
const OUTCOMES: [&str; 2] = ["passed", "rejected"];
/// What cannot be asked for together with `ids`: the answer to that has one item for each number.
const NOT_WITH_IDS: [&str; 8] = ["status", "final", "proposer", "type", "limit", "cursor", "offset", "count"];

const PROPOSAL: Missing = Missing::Noun("proposal");

/// Proposals
///
/// The proposals of `chain`, the newest first; one proposal also has its description and what it would call. With `ids`
/// instead of filters, one item for each number asked, in the order asked, repetitions included, and null where there is
/// no such proposal; without `ids` no item is null.
#[utoipa::path(
    get,
    path = "/v1/governance/proposals",
    tag = "governance",
    params(
        (
            "status" = Option<String>, Query, example = "active,passed",
            description = "One or more of `pending`, `active`, `ended`, `passed`, `rejected`, `executed` and `cancelled`, \
                separated by commas. `passed` and `rejected` include what has `ended` so by the tally."
        ),
        (
            "final" = Option<bool>, Query,
            description = "`true` leaves out of `passed` and `rejected` what the chain has not finalized."
        ),
        ("proposer" = Option<String>, Query, description = "Only proposals of this identity: 64 hex digits."),
        ("type" = Option<String>, Query, description = "Only proposals of this kind, in the words of the chain."),
        (
            "ids" = Option<String>, Query, example = "7,12",
            description = "1 to 100 numbers of proposals, separated by commas; not together with anything else here."
        ),
        Paging,
        Offset,
        Counted
    ),
    responses((status = 200, description = "One page of proposals.", body = List<Option<Proposal>>))
)]
pub async fn list(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    let source_id = ask.chain(&state)?.source_id;
    if let Some(ids) = ask.text("ids") {
        return reply_list(&state, ProposalBatch { source_id, ids: batch(&ask, ids)? }, &ask).await;
    }
    let statuses = ask.text("status").map(statuses).transpose()?;
    let is_final = ask.one_of("final", &[("true", true), ("false", false)])?.unwrap_or_default();
    let is_wanted = |outcome: &&&str| statuses.iter().flatten().any(|status| status == *outcome);
    let query = ProposalList {
        source_id,
        ended_as: OUTCOMES.iter().filter(is_wanted).filter(|_| !is_final).map(ToString::to_string).collect(),
        statuses: statuses.clone(),
        proposer: ask.text("proposer").map(|text| identity_id("proposer", text)).transpose()?,
        proposal_type: ask.text("type").map(str::to_owned),
        before: ask.after_as()?,
        limit: ask.limit,
        offset: if ask.cursor.is_some() { 0 } else { ask.offset },
        count: ask.count.map(Count::at_most),
    };
    reply_list(&state, query, &ask).await
}

/// The numbers of a batch.
fn batch(ask: &Ask, ids: &str) -> Result<Vec<i64>, Problem> {
    if let Some(other) = NOT_WITH_IDS.into_iter().find(|name| ask.text(name).is_some()) {
        return Err(Problem::bad(other, "cannot be given together with `ids`"));
    }
    let ids: Vec<&str> = ids.split(',').collect();
    if ids.len() > MAX_IDS {
        return Err(Problem::bad("ids", format!("names {} proposals; {MAX_IDS} is the most", ids.len())));
    }
    ids.into_iter().map(|text| proposal_id("ids", text)).collect()
}

/// The statuses that a text names, each once and in the order of [`STATUSES`], so that one question has one answer.
fn statuses(text: &str) -> Result<Vec<String>, Problem> {
    let words: Vec<&str> = text.split(',').collect();
    if words.iter().any(|word| !STATUSES.contains(word)) {
        let known = STATUSES.map(|status| format!("`{status}`")).join(", ");
        return Err(Problem::bad("status", format!("must be one or more of {known}, separated by commas")));
    }
    Ok(STATUSES.into_iter().filter(|status| words.contains(status)).map(str::to_owned).collect())
}

/// One proposal
///
/// A proposal of `chain` with its status by block time, its exact tally, and what the chain says it came to. When the tally
/// and the chain differ, the chain's word is the `outcome`.
#[utoipa::path(
    get,
    path = "/v1/governance/proposals/{proposal_id}",
    tag = "governance",
    params(("proposal_id" = String, Path, description = "Number of the proposal on `chain`.", example = "7"), Explained),
    responses((status = 200, description = "The proposal.", body = ProposalDetail))
)]
pub async fn one(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let query = OneProposal {
        source_id: ask.chain(&state)?.source_id,
        proposal_id: proposal_id("proposal_id", &text)?,
        explain: ask.explain,
    };
    reply_found(&state, query, &ask, PROPOSAL).await
}

/// Votes on a proposal
///
/// Every vote on a proposal of `chain` that still stands, newest first, those superseded and those that do not count too;
/// `voter` answers "did I vote?".
#[utoipa::path(
    get,
    path = "/v1/governance/proposals/{proposal_id}/votes",
    tag = "governance",
    params(
        ("proposal_id" = String, Path, description = "Number of the proposal on `chain`.", example = "7"),
        ("voter" = Option<String>, Query, description = "Only votes of this identity: 64 hex digits."),
        (
            "choice" = Option<String>, Query, pattern = "^(for|against|abstain)$",
            description = "Only votes with this choice: `for`, `against` or `abstain`."
        ),
        (
            "counted" = Option<bool>, Query,
            description = "`true` leaves the votes that are part of the tally, `false` those that are not."
        ),
        Paging
    ),
    responses((status = 200, description = "One page of votes.", body = List<Vote>))
)]
pub async fn votes(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let choices = [("for", "for"), ("against", "against"), ("abstain", "abstain")];
    let query = ProposalVotes {
        source_id: ask.chain(&state)?.source_id,
        proposal_id: proposal_id("proposal_id", &text)?,
        voter: ask.text("voter").map(|text| identity_id("voter", text)).transpose()?,
        choice: ask.one_of("choice", &choices)?,
        counted: ask.one_of("counted", &[("true", true), ("false", false)])?,
        before: ask.after_as()?,
        limit: ask.limit,
    };
    reply_list_found(&state, query, &ask, PROPOSAL).await
}

/// Changes of a proposal
///
/// Every version of a proposal, newest first: from which position on, by which block, and what it changed. What a
/// reorganisation took back is a change too, with `reason` `retracted`; when block time alone opened or ended voting, the
/// `reason` is `time`.
#[utoipa::path(
    get,
    path = "/v1/governance/proposals/{proposal_id}/changes",
    tag = "governance",
    params(("proposal_id" = String, Path, description = "Number of the proposal on `chain`.", example = "7"), Paging),
    responses((status = 200, description = "One page of changes.", body = List<ProposalChange>))
)]
pub async fn changes(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let query = ProposalChanges {
        source_id: ask.chain(&state)?.source_id,
        proposal_id: proposal_id("proposal_id", &text)?,
        before: ask.after_as()?,
        limit: ask.limit,
    };
    reply_list_found(&state, query, &ask, PROPOSAL).await
}
