//! What is proposed, where does it stand, and who voted how?
//!
//! Everything is judged when a block ends, in the order of its events: first what its time alone changes, then proposals,
//! votes and decisions. Powers have closed the block already, so a proposal whose voting opens in it takes everyone's power
//! at its end (MEANING §6). Only blocks of the proposal's own chain have a time that matters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schema::bulk::RowBatch;
use schema::event::{Event, Position};
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::{Rows, restore};
use schema::versioned_table;
use sqlx::PgConnection;

use super::findings::{Findings, Place};
use super::identities::Identities;
use super::powers::Powers;
use super::{Broken, Moment, Projection, Retraction, World};

mod clock;
mod decide;
mod load;
mod tally;
mod vote;

use decide::Deed;

versioned_table! {
    /// Proposals of each chain with their status and tallies. What they say beyond a title stays in the log, since a vote
    /// makes a new version of the row.
    ProposalsTable = "proposals" {
        key ProposalKey { source_id: int4(i32), proposal_id: int8(i64) }
        value Proposal {
            proposer_identity: bytes(Vec<u8>),
            proposal_type: text(Arc<str>),
            title: text(Arc<str>),
            quorum: numeric(i128),
            voting_starts_at: time(DateTime<Utc>),
            voting_ends_at: time(DateTime<Utc>),
            status: text(String),
            computed_outcome: text_opt(Option<String>),
            final_outcome: text_opt(Option<String>),
            votes_for: numeric(i128),
            votes_against: numeric(i128),
            votes_abstain: numeric(i128),
            voters: int8(i64),
            claimed_for: numeric_opt(Option<i128>),
            claimed_against: numeric_opt(Option<i128>),
            claimed_abstain: numeric_opt(Option<i128>),
            opened_position: int8_opt(Option<i64>),
            opened_height: int8_opt(Option<i64>),
            created_at: time(DateTime<Utc>),
            updated_at: time(DateTime<Utc>),
            finalized_at: time_opt(Option<DateTime<Utc>>),
            executed_at: time_opt(Option<DateTime<Utc>>),
            cancelled_at: time_opt(Option<DateTime<Utc>>),
            claim_position: int8(i64),
        }
    }
}

versioned_table! {
    /// The one vote of each identity on each proposal that counts.
    BallotsTable = "ballots" {
        key BallotKey { source_id: int4(i32), proposal_id: int8(i64), voter_identity: bytes(Vec<u8>) }
        value Ballot { vote_choice: text(String), vote_power: numeric(i128), vote_position: int8(i64) }
    }
}

const PENDING: &str = "pending";
const ACTIVE: &str = "active";
const ENDED: &str = "ended";
const PASSED: &str = "passed";
const REJECTED: &str = "rejected";
const EXECUTED: &str = "executed";
const CANCELLED: &str = "cancelled";

impl Proposal {
    /// Whether the chain may still decide about it.
    fn is_undecided(&self) -> bool {
        [PENDING, ACTIVE, ENDED].contains(&self.status.as_str())
    }
}

/// What the fold reads of others.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a> {
    /// Who may act for whom.
    pub identities: &'a Identities,
    /// Voting power.
    pub powers: &'a Powers,
}

/// A governance event, kept until its block ends.
#[derive(Debug)]
struct Deferred {
    place: Place,
    deed: Deed,
}

/// See the module.
#[derive(Debug)]
pub struct Proposals {
    proposals: Rows<ProposalsTable>,
    ballots: Rows<BallotsTable>,
    votes: RowBatch,
    last_vote: Option<Position>,
    /// By source, the open proposals in the order in which block time changes their status; kept from batch to batch.
    schedule: BTreeMap<i32, BTreeSet<(DateTime<Utc>, i64)>>,
    /// Power of the batch's voters on the proposals that have opened, each as it was at the opening.
    weights: BTreeMap<BallotKey, i128>,
    deferred: Vec<Deferred>,
    changed: BTreeSet<ProposalKey>,
    /// End of the unit that was closed last.
    end: Position,
}

impl Default for Proposals {
    fn default() -> Self {
        Self {
            proposals: Rows::default(),
            ballots: Rows::default(),
            votes: RowBatch::new(&vote::ROWS),
            last_vote: None,
            schedule: BTreeMap::new(),
            weights: BTreeMap::new(),
            deferred: Vec::new(),
            changed: BTreeSet::new(),
            end: Position::START,
        }
    }
}

impl Projection for Proposals {
    const NAME: &'static str = "proposals";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &["identities", "powers"];
    type Reads<'a> = Reads<'a>;

    async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], _: &World) -> Result<(), StoreError> {
        load::all(self, db, batch).await
    }

    fn fold(&mut self, moment: &Moment<'_>, reads: Self::Reads<'_>, findings: &mut Findings) {
        let deed = match &moment.event.event {
            Event::Proposed(body) => {
                let allowed = reads.identities.allows(moment, body.proposer.get(), &body.sender, findings);
                allowed.then(|| Deed::Propose(Box::new(body.clone())))
            }
            Event::Voted(body) => Some(vote::admit(moment, body, reads.identities, findings)),
            Event::ProposalFinalized(body) => {
                let allowed = decide::is_by_origin(moment, &body.proposal_id, &body.sender, findings);
                allowed.then(|| Deed::Finalize(Box::new(body.clone())))
            }
            Event::ProposalExecuted(body) => {
                let allowed = decide::is_by_origin(moment, &body.proposal_id, &body.sender, findings);
                allowed.then(|| Deed::Execute(body.proposal_id.get().to_db()))
            }
            Event::ProposalCancelled(body) => {
                let allowed = decide::is_by_origin(moment, &body.proposal_id, &body.sender, findings);
                allowed.then(|| Deed::Cancel(body.proposal_id.get().to_db()))
            }
            Event::BlockApplied(_)
            | Event::TransactionApplied(_)
            | Event::Retracted(_)
            | Event::Finalized(_)
            | Event::Allocated(_)
            | Event::Minted(_)
            | Event::AccountReported(_)
            | Event::IdentityRegistered(_)
            | Event::IdentityUpdated(_)
            | Event::KeyRotated(_)
            | Event::WalletLinked(_)
            | Event::WalletUnlinked(_)
            | Event::Followed(_)
            | Event::Unfollowed(_)
            | Event::Staked(_)
            | Event::Unstaked(_)
            | Event::Delegated(_)
            | Event::Undelegated(_)
            | Event::WorkSubmitted(_)
            | Event::WorkRejected(_)
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => None,
        };
        self.deferred.extend(deed.map(|deed| Deferred { place: Place::of(moment), deed }));
    }

    fn close(
        &mut self,
        unit: &LoggedUnit,
        _: &World,
        reads: Self::Reads<'_>,
        findings: &mut Findings,
    ) -> Result<(), Broken> {
        let deferred = std::mem::take(&mut self.deferred);
        if unit.height.is_none() {
            return Ok(());
        }
        self.pass_time(unit, reads.powers);
        for Deferred { place, deed } in deferred {
            match deed {
                Deed::Propose(body) => self.propose(unit, &place, &body, reads.powers, findings),
                Deed::Vote(body, refusal) => self.vote(unit, &place, &body, refusal, findings),
                Deed::Finalize(body) => self.finalize(&place, &body, findings),
                Deed::Execute(proposal_id) => self.execute(&place, proposal_id, findings),
                Deed::Cancel(proposal_id) => self.cancel(&place, proposal_id, findings),
            }
        }
        self.check_tallies(unit)?;
        self.reschedule();
        self.end = unit.end_position;
        self.proposals.close(unit.end_position);
        self.ballots.close(unit.end_position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        let last = self.proposals.last_change().max(self.ballots.last_change()).max(self.last_vote.take());
        self.proposals.write(db, before).await?;
        self.ballots.write(db, before).await?;
        std::mem::replace(&mut self.votes, RowBatch::new(&vote::ROWS)).send(db).await?;
        Ok(last)
    }

    async fn check(&mut self, db: &mut PgConnection) -> Result<Result<(), String>, StoreError> {
        tally::against_ballots(db, std::mem::take(&mut self.changed), self.end).await
    }

    async fn retract(&mut self, db: &mut PgConnection, retraction: Retraction, _: &World) -> Result<bool, StoreError> {
        self.forget();
        let Retraction { source_id, first, at } = retraction;
        let mut restored = restore(db, "proposals", source_id, first, at).await?;
        restored += restore(db, "ballots", source_id, first, at).await?;
        Ok(restored > 0 || vote::any_between(db, retraction).await?)
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
