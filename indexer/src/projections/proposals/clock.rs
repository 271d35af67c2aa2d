//! What block time alone does to proposals: voting opens and ends.
//!
//! Who falls due when is kept in order, so that a block costs what it changes and not how many proposals are open.

use chrono::{DateTime, TimeDelta, Utc};
use schema::chain::Height;
use schema::store::LoggedUnit;

use super::tally::outcome;
use super::{ACTIVE, BallotKey, ENDED, PENDING, Proposal, ProposalKey, Proposals};
use crate::projections::powers::Powers;

/// The earliest block time that changes the status of a proposal, if any does.
pub(super) fn due_at(
    status: &str,
    voting_starts_at: DateTime<Utc>,
    voting_ends_at: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    match status {
        PENDING => Some(voting_starts_at),
        // The last moment of the window is part of it; times are whole microseconds.
        ACTIVE => voting_ends_at.checked_add_signed(TimeDelta::microseconds(1)),
        _ => None,
    }
}

fn due(key: &ProposalKey, row: &Proposal) -> Option<(DateTime<Utc>, i64)> {
    Some((due_at(&row.status, row.voting_starts_at, row.voting_ends_at)?, key.proposal_id))
}

impl Proposals {
    /// Opens and ends voting on every proposal that a block's time has reached.
    pub(super) fn pass_time(&mut self, unit: &LoggedUnit, powers: &Powers) {
        let source_id = unit.source_id.0;
        let Some(scheduled) = self.schedule.get(&source_id) else { return };
        let reached: Vec<i64> =
            scheduled.range(..=(unit.occurred_at, i64::MAX)).map(|(_, proposal_id)| *proposal_id).collect();
        for proposal_id in reached {
            self.advance(&ProposalKey { source_id, proposal_id }, unit, powers);
        }
    }

    /// Brings the status of a proposal up to a block's time.
    pub(super) fn advance(&mut self, key: &ProposalKey, unit: &LoggedUnit, powers: &Powers) {
        let Some(before) = self.proposals.get(key) else { return };
        let mut row = before.clone();
        let now = unit.occurred_at;
        if row.status == PENDING && now >= row.voting_starts_at {
            row.status = ACTIVE.to_owned();
            row.opened_position = Some(unit.end_position.0);
            row.opened_height = unit.height.map(Height::to_db);
            self.weigh_voters(key, unit, powers);
        }
        if row.status == ACTIVE && now > row.voting_ends_at {
            row.status = ENDED.to_owned();
            row.computed_outcome = Some(outcome(&row).to_owned());
        }
        if Some(&row) != self.proposals.get(key) {
            row.updated_at = now;
            self.proposals.set(key.clone(), row);
        }
    }

    /// Keeps the power, at the end of this block, of all who vote on a proposal in the batch.
    fn weigh_voters(&mut self, key: &ProposalKey, unit: &LoggedUnit, powers: &Powers) {
        let voter = |voter_identity: Vec<u8>| BallotKey {
            source_id: key.source_id,
            proposal_id: key.proposal_id,
            voter_identity,
        };
        let after_all = vec![0xff; 33];
        for (ballot, weight) in self.weights.range_mut(voter(Vec::new())..=voter(after_all)) {
            *weight = powers.power(unit.source_id, &ballot.voter_identity);
        }
    }

    /// Brings the schedule up to what the unit has changed.
    pub(super) fn reschedule(&mut self) {
        for (key, before, now) in self.proposals.changes() {
            let scheduled = self.schedule.entry(key.source_id).or_default();
            if let Some(entry) = before.and_then(|row| due(key, row)) {
                scheduled.remove(&entry);
            }
            scheduled.extend(now.and_then(|row| due(key, row)));
        }
    }
}
