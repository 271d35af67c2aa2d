//! Payloads about proposals, votes and delegated power: `governance.*`.

use schema::chain::{Height, Spelled};
use schema::event::{
    Delegated, Event, Namespace, Outcome, ProposalCancelled, ProposalExecuted, ProposalFinalized, Proposed, Role,
    Subject, Undelegated, VoteChoice, Voted,
};

use super::{Fields, Said, WORD_MAX, hex_text, identity_subject, named};
use crate::decode::{Misfit, json, limits};

/// Characters of a title.
const TITLE_MAX: usize = 256;
/// Characters of a vote's reason.
const VOTE_REASON_MAX: usize = 1_024;
/// Characters of a description.
const DESCRIPTION_MAX: usize = 10_000;
/// Calls that a proposal makes.
const CALLS_MAX: usize = 1_024;

pub(super) fn propose(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let targets = list(fields, "targets", |raw| {
        let target = json::text("targets", raw)?;
        fields.subject(Role::Account, &target)?;
        Ok(target)
    })?;
    let values = list(fields, "values", |raw| json::number("values", raw))?;
    let calldatas = list(fields, "calldatas", |raw| hex_text("calldatas", json::text("calldatas", raw)?))?;
    if targets.len() != values.len() || targets.len() != calldatas.len() {
        return Err(Misfit::new("`targets`, `values` and `calldatas` are not of equal lengths"));
    }
    let body = Proposed {
        calldatas,
        description: fields.optional_text("description", DESCRIPTION_MAX)?,
        proposal_id: fields.payload.number("proposal_id")?,
        proposal_type: limits::line("proposal_type", fields.payload.text("proposal_type")?, WORD_MAX)?,
        proposer: fields.identity("proposer")?,
        quorum: fields.payload.optional_number("quorum")?,
        sender: fields.sender(),
        targets,
        title: fields.text("title", TITLE_MAX)?,
        values,
        voting_ends_at: fields.payload.number("voting_ends_at")?,
        voting_starts_at: fields.payload.number("voting_starts_at")?,
    };
    if body.voting_ends_at.get() <= body.voting_starts_at.get() {
        return Err(Misfit::new("voting ends before it starts"));
    }
    let subjects = vec![proposal(&body.proposal_id), identity_subject(Role::Proposer, &body.proposer)];
    Ok(Said::plain(Event::Proposed(body), subjects))
}

fn list<'a, T>(
    fields: &Fields<'a>,
    name: &str,
    read: impl Fn(&'a serde_json::value::RawValue) -> Result<T, Misfit>,
) -> Result<Vec<T>, Misfit> {
    let elements = fields.payload.optional_array(name)?.unwrap_or_default();
    limits::count(name, elements.len(), CALLS_MAX, "elements")?;
    elements.into_iter().map(read).collect()
}

pub(super) fn vote(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = Voted {
        choice: match fields.payload.text("choice")?.as_str() {
            "for" => VoteChoice::For,
            "against" => VoteChoice::Against,
            "abstain" => VoteChoice::Abstain,
            _ => return Err(Misfit::new("`choice` is none of for, against and abstain")),
        },
        power: fields.amount("power")?,
        proposal_id: fields.payload.number("proposal_id")?,
        reason: fields.optional_text("reason", VOTE_REASON_MAX)?,
        sender: fields.sender(),
        voter: fields.identity("voter")?,
    };
    let subjects = vec![proposal(&body.proposal_id), identity_subject(Role::Voter, &body.voter)];
    Ok(Said::plain(Event::Voted(body), subjects))
}

pub(super) fn finalize(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = ProposalFinalized {
        outcome: match fields.payload.text("outcome")?.as_str() {
            "passed" => Outcome::Passed,
            "rejected" => Outcome::Rejected,
            _ => return Err(Misfit::new("`outcome` is neither passed nor rejected")),
        },
        proposal_id: fields.payload.number("proposal_id")?,
        sender: fields.sender(),
        votes_abstain: fields.payload.optional_number("votes_abstain")?,
        votes_against: fields.payload.optional_number("votes_against")?,
        votes_for: fields.payload.optional_number("votes_for")?,
    };
    let subjects = vec![proposal(&body.proposal_id)];
    Ok(Said::plain(Event::ProposalFinalized(body), subjects))
}

pub(super) fn execute(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = ProposalExecuted { proposal_id: fields.payload.number("proposal_id")?, sender: fields.sender() };
    let subjects = vec![proposal(&body.proposal_id)];
    Ok(Said::plain(Event::ProposalExecuted(body), subjects))
}

pub(super) fn cancel(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = ProposalCancelled { proposal_id: fields.payload.number("proposal_id")?, sender: fields.sender() };
    let subjects = vec![proposal(&body.proposal_id)];
    Ok(Said::plain(Event::ProposalCancelled(body), subjects))
}

pub(super) fn delegate(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = Delegated {
        amount: fields.amount("amount")?,
        delegatee: fields.identity("delegatee")?,
        delegator: fields.identity("delegator")?,
        sender: fields.sender(),
    };
    let subjects =
        vec![identity_subject(Role::Delegator, &body.delegator), identity_subject(Role::Delegatee, &body.delegatee)];
    Ok(Said::plain(Event::Delegated(body), subjects))
}

pub(super) fn undelegate(fields: &Fields<'_>) -> Result<Said, Misfit> {
    let body = Undelegated {
        amount: fields.amount("amount")?,
        delegatee: fields.identity("delegatee")?,
        delegator: fields.identity("delegator")?,
        sender: fields.sender(),
    };
    let subjects =
        vec![identity_subject(Role::Delegator, &body.delegator), identity_subject(Role::Delegatee, &body.delegatee)];
    Ok(Said::plain(Event::Undelegated(body), subjects))
}

/// The value and not its spelling names a proposal: `"007"` and `7` are one.
fn proposal(id: &Spelled<Height>) -> (Role, Subject) {
    named(Role::Proposal, Namespace::Proposal, &id.get().to_string())
}
