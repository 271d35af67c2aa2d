//! Proposals made, and what the chain's origin account decides about them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use schema::chain::{Height, Spelled};
use schema::event::{Outcome, ProposalFinalized, Proposed, Voted};
use schema::store::LoggedUnit;

use super::tally::outcome;
use super::{ACTIVE, CANCELLED, EXECUTED, PASSED, PENDING, Proposal, ProposalKey, Proposals, REJECTED};
use crate::projections::Moment;
use crate::projections::findings::{Findings, Place};
use crate::projections::powers::Powers;

/// What is to be done about a proposal.
#[derive(Debug)]
pub(super) enum Deed {
    Propose(Box<Proposed>),
    /// With the code of the finding that the voter may not vote, when that has been found.
    Vote(Box<Voted>, Option<&'static str>),
    Finalize(Box<ProposalFinalized>),
    Execute(i64),
    Cancel(i64),
}

/// Whether a decision comes from the account that decides for the chain; if not, that is a finding.
pub(super) fn is_by_origin(
    moment: &Moment<'_>,
    proposal: &Spelled<Height>,
    sender: &str,
    findings: &mut Findings,
) -> bool {
    let subject = Some(proposal.get().to_string());
    if moment.sender_refuted {
        findings.report(moment, "sender-refuted", subject, "the transaction's signature does not hold");
        return false;
    }
    if !moment.is_from_origin(sender) {
        findings.report(moment, "not-origin", subject, "only the origin account decides about proposals");
        return false;
    }
    true
}

impl Proposals {
    pub(super) fn propose(
        &mut self,
        unit: &LoggedUnit,
        place: &Place,
        body: &Proposed,
        powers: &Powers,
        findings: &mut Findings,
    ) {
        let key = ProposalKey { source_id: place.source_id.0, proposal_id: body.proposal_id.get().to_db() };
        if self.proposals.get(&key).is_some() {
            let subject = Some(body.proposer.get().to_string());
            let detail = format!("there is a proposal {} already; the first one stands", key.proposal_id);
            findings.report_at(place, "proposed-twice", subject, detail);
            return;
        }
        self.proposals.set(key.clone(), made(place, body));
        self.advance(&key, unit, powers);
    }

    pub(super) fn finalize(&mut self, place: &Place, body: &ProposalFinalized, findings: &mut Findings) {
        let proposal_id = body.proposal_id.get().to_db();
        let subject = Some(proposal_id.to_string());
        let Some((key, mut row)) = self.named(place, proposal_id, findings) else { return };
        if !row.is_undecided() {
            let detail = format!("the proposal is {} already", row.status);
            findings.report_at(place, "decided-already", subject, detail);
            return;
        }
        if [PENDING, ACTIVE].contains(&row.status.as_str()) {
            let detail = format!("voting has not ended: the proposal is {}", row.status);
            findings.remark_at(place, "finalized-early", subject.clone(), detail);
        }
        let stated = match body.outcome {
            Outcome::Passed => PASSED,
            Outcome::Rejected => REJECTED,
        };
        let computed = outcome(&row);
        if computed != stated {
            let detail = format!("finalized as {stated}, but by the votes it is {computed}");
            findings.remark_at(place, "outcome-differs", subject.clone(), detail);
        }
        let claimed = [&body.votes_for, &body.votes_against, &body.votes_abstain]
            .map(|claimed| claimed.as_ref().map(|amount| i128::from(amount.get().get())));
        let counted = [row.votes_for, row.votes_against, row.votes_abstain];
        if claimed.iter().zip(counted).any(|(claimed, counted)| claimed.is_some_and(|claimed| claimed != counted)) {
            let [votes_for, against, abstain] = counted;
            let detail = format!("by the votes it is {votes_for} for, {against} against, {abstain} abstaining");
            findings.remark_at(place, "tally-differs", subject, detail);
        }
        [row.claimed_for, row.claimed_against, row.claimed_abstain] = claimed;
        row.computed_outcome = Some(computed.to_owned());
        row.final_outcome = Some(stated.to_owned());
        row.finalized_at = Some(place.occurred_at);
        self.enter(place, key, row, stated);
    }

    pub(super) fn execute(&mut self, place: &Place, proposal_id: i64, findings: &mut Findings) {
        let Some((key, mut row)) = self.named(place, proposal_id, findings) else { return };
        if row.status != PASSED {
            let detail = format!("the proposal is {}", row.status);
            findings.report_at(place, "not-passed", Some(proposal_id.to_string()), detail);
            return;
        }
        row.executed_at = Some(place.occurred_at);
        self.enter(place, key, row, EXECUTED);
    }

    pub(super) fn cancel(&mut self, place: &Place, proposal_id: i64, findings: &mut Findings) {
        let Some((key, mut row)) = self.named(place, proposal_id, findings) else { return };
        if !row.is_undecided() {
            let detail = format!("the proposal is {}", row.status);
            findings.report_at(place, "not-open", Some(proposal_id.to_string()), detail);
            return;
        }
        row.cancelled_at = Some(place.occurred_at);
        self.enter(place, key, row, CANCELLED);
    }

    /// The proposal that a decision names; when there is none, that is a finding.
    fn named(&self, place: &Place, proposal_id: i64, findings: &mut Findings) -> Option<(ProposalKey, Proposal)> {
        let key = ProposalKey { source_id: place.source_id.0, proposal_id };
        if let Some(row) = self.proposals.get(&key) {
            return Some((key, row.clone()));
        }
        let detail = format!("there is no proposal {proposal_id} on the chain");
        findings.report_at(place, "unknown-proposal", Some(proposal_id.to_string()), detail);
        None
    }

    fn enter(&mut self, place: &Place, key: ProposalKey, mut row: Proposal, status: &str) {
        row.status = status.to_owned();
        row.updated_at = place.occurred_at;
        self.proposals.set(key, row);
    }
}

/// A proposal as it is made: nothing has opened, and nobody has voted.
fn made(place: &Place, body: &Proposed) -> Proposal {
    Proposal {
        proposer_identity: body.proposer.get().as_bytes().to_vec(),
        proposal_type: Arc::from(body.proposal_type.as_str()),
        title: Arc::from(body.title.as_str()),
        quorum: body.quorum.as_ref().map_or(0, |quorum| i128::from(quorum.get().get())),
        voting_starts_at: window(body).0,
        voting_ends_at: window(body).1,
        status: PENDING.to_owned(),
        computed_outcome: None,
        final_outcome: None,
        votes_for: 0,
        votes_against: 0,
        votes_abstain: 0,
        voters: 0,
        claimed_for: None,
        claimed_against: None,
        claimed_abstain: None,
        opened_position: None,
        opened_height: None,
        created_at: place.occurred_at,
        updated_at: place.occurred_at,
        finalized_at: None,
        executed_at: None,
        cancelled_at: None,
        claim_position: place.position.0,
    }
}

/// The first and the last moment at which votes count, as the database holds them.
fn window(body: &Proposed) -> (DateTime<Utc>, DateTime<Utc>) {
    (body.voting_starts_at.get().micros(), body.voting_ends_at.get().micros())
}
