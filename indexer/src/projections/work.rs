//! What useful work counts, whose is it, and what does it come to in each window?
//!
//! Level one judges every submission and rejection and keeps the totals of each miner. Level two adds up those of an
//! identity's wallets. Windows slide with the clock: the block time of the source with the smallest number.

use std::collections::BTreeSet;

use schema::event::{Event, Position, SourceId, WorkRejected, WorkSubmitted};
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::findings::Findings;
use super::sample::some_of;
use super::{Broken, Moment, Projection, Retraction, World};

mod boards;
mod check;
mod edges;
mod judge;
mod load;
mod needs;
mod people;
mod proofs;
mod retract;
mod score;
mod submissions;
mod totals;

pub use boards::BoardsEvery;
use boards::Kept;
pub use judge::{Judged, Outcome};
use people::People;
use proofs::Proofs;
pub(super) use score::hour_of;
use submissions::{Accepted, Miner, Submissions};
use totals::Totals;

/// What the fold reads of others.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a> {
    /// Whose key signs for which oracle.
    pub oracles: &'a super::oracles::Oracles,
    /// Whose wallet is whose.
    pub wallets: &'a super::wallets::Wallets,
    /// Whose statistics are public.
    pub identities: &'a super::identities::Identities,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Work {
    proofs: Proofs,
    submissions: Submissions,
    totals: Totals,
    people: People,
    judged: Option<(Position, Judged)>,
    boards: Vec<Kept>,
    changed: BTreeSet<Vec<u8>>,
    end: Position,
}

impl Work {
    /// The judgement on the event that was folded last, if it was a submission or rejection at this position.
    pub fn judged(&self, position: Position) -> Option<&Judged> {
        self.judged.as_ref().filter(|(at, _)| *at == position).map(|(_, judged)| judged)
    }

    fn submit(&mut self, moment: &Moment<'_>, work: &WorkSubmitted, reads: Reads<'_>, findings: &mut Findings) {
        let source = moment.event.source_id;
        let Ok(address) = moment.world.address(source, &work.miner_address) else { return };
        let Some(address_id) = moment.world.address_id(source, &address) else { return };
        let miner = Miner { address_id, address: &address };
        let key = (source.0, work.submission_id.clone());
        let oracle = work.oracle_id.as_deref().and_then(|id| reads.oracles.get(source, id));
        let signature = oracle.and_then(|oracle| self.proofs.check(moment, work, &oracle.key()));
        let is_repeated = self.submissions.accepted(&key).is_some();
        let judged = judge::submission(moment, work, oracle, signature.as_ref(), is_repeated);
        let is_own_word = oracle.is_none_or(|oracle| judge::is_by(moment, &work.sender, oracle));
        let score = if judged.outcome == Outcome::Accepted { score::of(work, is_own_word) } else { 0 };
        self.submissions.submitted(moment, work, miner, &judged, score);
        if judged.outcome == Outcome::Accepted {
            let accepted = Accepted {
                position: moment.event.position.0,
                address_id,
                miner_address: address.as_str().to_owned(),
                work_type: work.work_type.clone(),
                oracle_id: work.oracle_id.clone(),
                score,
                occurred_at: moment.event.occurred_at,
                is_rejected: false,
            };
            self.totals.add(source.0, &accepted);
            self.submissions.accept(key, accepted);
        }
        let subject = work.oracle_id.clone().or_else(|| Some(address.as_str().to_owned()));
        self.conclude(moment, judged, subject, findings);
    }

    fn reject(&mut self, moment: &Moment<'_>, rejected: &WorkRejected, reads: Reads<'_>, findings: &mut Findings) {
        let source = moment.event.source_id;
        let Ok(address) = moment.world.address(source, &rejected.miner_address) else { return };
        let Some(address_id) = moment.world.address_id(source, &address) else { return };
        let miner = Miner { address_id, address: &address };
        let key = (source.0, rejected.submission_id.clone());
        let oracle = reads.oracles.get(source, &rejected.oracle_id);
        let judged = judge::rejection(moment, rejected, oracle, self.submissions.accepted(&key));
        self.submissions.rejected(moment, rejected, miner, &judged);
        if judged.takes_out.is_some()
            && let Some(accepted) = self.submissions.take_out(&key)
        {
            self.totals.take_out(source.0, &accepted);
        }
        self.conclude(moment, judged, Some(rejected.oracle_id.clone()), findings);
    }

    fn conclude(&mut self, moment: &Moment<'_>, judged: Judged, subject: Option<String>, findings: &mut Findings) {
        if let Some(code) = judged.code {
            findings.report(moment, code, subject, judged.reason.clone().unwrap_or_default());
        }
        self.judged = Some((moment.event.position, judged));
    }

    /// Moves the clock when a block of its source is the first of an hour.
    fn tick(&mut self, moment: &Moment<'_>) {
        let source = moment.event.source_id;
        if clock_source(moment.world) != Some(source) {
            return;
        }
        let hour = score::hour_of(moment.event.occurred_at);
        let before = self.totals.hour(source.0);
        if before.is_some_and(|before| hour <= before) {
            return;
        }
        self.totals.move_clock(source.0, hour, moment.event.occurred_at);
        if before.is_none_or(|before| score::day_of(before) < score::day_of(hour)) {
            self.boards.extend(Kept::of_day(moment));
        }
    }
}

/// The source whose block time windows end in.
fn clock_source(world: &World) -> Option<SourceId> {
    world.sources.keys().next().copied()
}

impl Projection for Work {
    const NAME: &'static str = "work";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &["oracles", "wallets", "identities"];
    type Reads<'a> = Reads<'a>;

    async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], world: &World) -> Result<(), StoreError> {
        load::batch(self, db, batch, world).await
    }

    fn fold(&mut self, moment: &Moment<'_>, reads: Reads<'_>, findings: &mut Findings) {
        match &moment.event.event {
            Event::BlockApplied(_) => self.tick(moment),
            Event::WorkSubmitted(work) => self.submit(moment, work, reads, findings),
            Event::WorkRejected(rejected) => self.reject(moment, rejected, reads, findings),
            Event::TransactionApplied(_)
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
            | Event::Proposed(_)
            | Event::Voted(_)
            | Event::ProposalFinalized(_)
            | Event::ProposalExecuted(_)
            | Event::ProposalCancelled(_)
            | Event::Delegated(_)
            | Event::Undelegated(_)
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => {}
        }
    }

    fn close(
        &mut self,
        unit: &LoggedUnit,
        world: &World,
        reads: Self::Reads<'_>,
        _: &mut Findings,
    ) -> Result<(), Broken> {
        let position = unit.end_position;
        if !self.boards.last().is_some_and(|kept| kept.is_at(position)) {
            self.boards.extend(Kept::between_days(unit, world.boards_every));
        }
        self.totals.check().map_err(|why| Broken { view: Self::NAME, position, why })?;
        self.people.follow(&self.totals, reads.wallets.owner_changes(), reads.identities.visibility_changes());
        for (key, _, _) in self.people.rows.changes() {
            if !self.changed.contains(&key.identity_id) {
                self.changed.insert(key.identity_id.clone());
            }
        }
        self.end = position;
        self.totals.close(position);
        self.people.rows.close(position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        let last = self.totals.last_change().max(self.people.rows.last_change());
        self.totals.write(db, before).await?;
        let of_addresses = self.totals.addresses.write_versions(db).await?;
        let of_identities = self.people.rows.write_versions(db).await?;
        // Between the two: they need the rows as they stood in the midst of the batch.
        boards::write(db, &std::mem::take(&mut self.boards), before).await?;
        of_addresses.publish(db, before).await?;
        of_identities.publish(db, before).await?;
        Ok(last.max(self.submissions.write(db).await?))
    }

    async fn check(&mut self, db: &mut PgConnection) -> Result<Result<(), String>, StoreError> {
        let some = some_of(std::mem::take(&mut self.changed), check::CHECKED, self.end);
        check::against_hours(db, &some, self.totals.windows()).await
    }

    async fn retract(
        &mut self,
        db: &mut PgConnection,
        retraction: Retraction,
        world: &World,
    ) -> Result<bool, StoreError> {
        self.forget();
        retract::all(self, db, retraction, world).await?;
        // Submissions and ranks of the retracted blocks no longer stand, whatever became of the totals.
        Ok(true)
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
