//! What does each oracle do, how well, how fast, and when?
//!
//! It counts what `work` judged, for the oracle that a record names, registered or not. A registration begins its row, so
//! that the rows are a list of all oracles.

use std::collections::BTreeSet;

use schema::event::{Event, OracleRegistered, Position, RecordedEvent, WorkSubmitted};
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::{Rows, restore};
use schema::versioned_table;
use sqlx::PgConnection;

use super::findings::Findings;
use super::oracles::Oracles;
use super::work::{Judged, Outcome, Work};
use super::{Broken, Moment, Projection, Retraction, World};

mod latency;
mod load;

versioned_table! {
    /// What each oracle has done in all.
    ActivityTable = "oracle_activity" {
        key ActivityKey { source_id: int4(i32), oracle_id: text(String) }
        value Activity {
            accepted: int8(i64),
            rejected: int8(i64),
            overturned: int8(i64),
            refuted: int8(i64),
            unproven: int8(i64),
            repeated: int8(i64),
            latency_count: int8(i64),
            first_at: time_opt(Option<chrono::DateTime<chrono::Utc>>),
            last_at: time_opt(Option<chrono::DateTime<chrono::Utc>>),
        }
    }
}

versioned_table! {
    /// The same by type of work.
    TypesTable = "oracle_types" {
        key TypeKey { source_id: int4(i32), oracle_id: text(String), work_type: text(String) }
        value TypeShare { accepted: int8(i64), rejected: int8(i64), refuted: int8(i64), unproven: int8(i64) }
    }
}

versioned_table! {
    /// The same by hour of block time.
    HoursTable = "oracle_hours" {
        key HourKey { source_id: int4(i32), oracle_id: text(String), hour: int4(i32) }
        value HourActivity { accepted: int8(i64), rejected: int8(i64), refuted: int8(i64), unproven: int8(i64) }
    }
}

versioned_table! {
    /// How long an oracle takes from hand-in to validation, as a histogram.
    LatenciesTable = "oracle_latencies" {
        key LatencyKey { source_id: int4(i32), oracle_id: text(String), bucket: int4(i32) }
        value Latency { accepted: int8(i64) }
    }
}

/// What an oracle has done that has done nothing yet.
const NOTHING: Activity = Activity {
    accepted: 0,
    rejected: 0,
    overturned: 0,
    refuted: 0,
    unproven: 0,
    repeated: 0,
    latency_count: 0,
    first_at: None,
    last_at: None,
};
/// The same for a type of work.
const NOTHING_OF_TYPE: TypeShare = TypeShare { accepted: 0, rejected: 0, refuted: 0, unproven: 0 };
/// The same for an hour.
const IDLE: HourActivity = HourActivity { accepted: 0, rejected: 0, refuted: 0, unproven: 0 };

/// What the fold reads of others.
#[derive(Debug, Clone, Copy)]
pub struct Reads<'a> {
    /// Who is registered.
    pub oracles: &'a Oracles,
    /// What became of each submission and rejection.
    pub work: &'a Work,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Performance {
    activity: Rows<ActivityTable>,
    types: Rows<TypesTable>,
    hours: Rows<HoursTable>,
    latencies: Rows<LatenciesTable>,
}

/// What an event that names an oracle is about.
#[derive(Debug, Clone, Copy)]
struct About<'a> {
    oracle_id: &'a str,
    work_type: &'a str,
}

impl Performance {
    fn edit(&mut self, moment: &Moment<'_>, oracle_id: &str, change: impl FnOnce(&mut Activity)) {
        let key = ActivityKey { source_id: moment.event.source_id.0, oracle_id: oracle_id.to_owned() };
        let mut row = self.activity.get(&key).cloned().unwrap_or(NOTHING);
        change(&mut row);
        self.activity.set(key, row);
    }

    fn begin(&mut self, moment: &Moment<'_>, registered: &OracleRegistered, oracles: &Oracles) {
        let oracle = oracles.get(moment.event.source_id, &registered.oracle_id);
        if oracle.is_some_and(|oracle| oracle.claim_position == moment.event.position.0) {
            self.edit(moment, &registered.oracle_id, |_| {});
        }
    }

    /// Counts what became of a submission or rejection.
    fn count(&mut self, moment: &Moment<'_>, about: About<'_>, judged: &Judged) {
        let is_submission = matches!(moment.event.event, Event::WorkSubmitted(_));
        let overturns = judged.takes_out.is_some();
        let occurred_at = moment.event.occurred_at;
        self.edit(moment, about.oracle_id, |row| {
            match judged.outcome {
                Outcome::Accepted => row.accepted += 1,
                Outcome::Rejected => row.rejected += 1,
                Outcome::Refuted => row.refuted += 1,
                Outcome::Unproven => row.unproven += 1,
                // To reject again what is rejected repeats no submission.
                Outcome::Repeated => row.repeated += i64::from(is_submission),
            }
            row.overturned += i64::from(overturns);
            if matches!(judged.outcome, Outcome::Accepted | Outcome::Rejected) {
                row.first_at = row.first_at.or(Some(occurred_at));
                row.last_at = Some(occurred_at);
            }
        });
        self.break_down(moment.event, about, judged.outcome);
    }

    /// Counts by type and by hour; what repeats is counted in the activity alone.
    fn break_down(&mut self, event: &RecordedEvent, about: About<'_>, outcome: Outcome) {
        let (type_key, hour_key) = (type_key(event.source_id.0, about), hour_key(event, about.oracle_id));
        let mut of_type = self.types.get(&type_key).cloned().unwrap_or(NOTHING_OF_TYPE);
        let mut of_hour = self.hours.get(&hour_key).cloned().unwrap_or(IDLE);
        let (in_type, in_hour) = match outcome {
            Outcome::Accepted => (&mut of_type.accepted, &mut of_hour.accepted),
            Outcome::Rejected => (&mut of_type.rejected, &mut of_hour.rejected),
            Outcome::Refuted => (&mut of_type.refuted, &mut of_hour.refuted),
            Outcome::Unproven => (&mut of_type.unproven, &mut of_hour.unproven),
            Outcome::Repeated => return,
        };
        *in_type += 1;
        *in_hour += 1;
        self.types.set(type_key, of_type);
        self.hours.set(hour_key, of_hour);
    }

    fn submitted(&mut self, moment: &Moment<'_>, work: &WorkSubmitted, judged: &Judged, findings: &mut Findings) {
        let Some(oracle_id) = &work.oracle_id else { return };
        self.count(moment, About { oracle_id, work_type: &work.work_type }, judged);
        if judged.outcome != Outcome::Accepted {
            return;
        }
        match latency::of(work) {
            None => {}
            Some(Err(latency::Negative)) => {
                let detail = "the oracle says that it validated the work before it was handed in";
                findings.remark(moment, "validated-before-submitted", Some(oracle_id.clone()), detail);
            }
            Some(Ok(seconds)) => {
                let bucket = latency::bucket(seconds);
                let key = LatencyKey { source_id: moment.event.source_id.0, oracle_id: oracle_id.clone(), bucket };
                let accepted = self.latencies.get(&key).map_or(0, |row| row.accepted);
                self.latencies.set(key, Latency { accepted: accepted + 1 });
                self.edit(moment, oracle_id, |row| row.latency_count += 1);
            }
        }
    }
}

fn type_key(source_id: i32, about: About<'_>) -> TypeKey {
    TypeKey { source_id, oracle_id: about.oracle_id.to_owned(), work_type: about.work_type.to_owned() }
}

fn hour_key(event: &RecordedEvent, oracle_id: &str) -> HourKey {
    let hour = super::work::hour_of(event.occurred_at);
    HourKey { source_id: event.source_id.0, oracle_id: oracle_id.to_owned(), hour }
}

/// Keys that a batch names.
#[derive(Debug, Default)]
struct Needs {
    activity: BTreeSet<ActivityKey>,
    types: BTreeSet<TypeKey>,
    hours: BTreeSet<HourKey>,
    latencies: BTreeSet<LatencyKey>,
}

impl Needs {
    fn note(&mut self, event: &RecordedEvent) {
        let source_id = event.source_id.0;
        match &event.event {
            Event::WorkSubmitted(work) => {
                let Some(oracle_id) = &work.oracle_id else { return };
                self.judged(event, About { oracle_id, work_type: &work.work_type });
                if let Some(Ok(seconds)) = latency::of(work) {
                    let bucket = latency::bucket(seconds);
                    self.latencies.insert(LatencyKey { source_id, oracle_id: oracle_id.clone(), bucket });
                }
            }
            Event::WorkRejected(work) => {
                self.judged(event, About { oracle_id: &work.oracle_id, work_type: &work.work_type });
            }
            Event::OracleRegistered(registered) => {
                self.activity.insert(ActivityKey { source_id, oracle_id: registered.oracle_id.clone() });
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
            | Event::Proposed(_)
            | Event::Voted(_)
            | Event::ProposalFinalized(_)
            | Event::ProposalExecuted(_)
            | Event::ProposalCancelled(_)
            | Event::Delegated(_)
            | Event::Undelegated(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => {}
        }
    }

    fn judged(&mut self, event: &RecordedEvent, about: About<'_>) {
        let source_id = event.source_id.0;
        self.activity.insert(ActivityKey { source_id, oracle_id: about.oracle_id.to_owned() });
        self.types.insert(type_key(source_id, about));
        self.hours.insert(hour_key(event, about.oracle_id));
    }
}

impl Projection for Performance {
    const NAME: &'static str = "performance";
    const VERSION: i32 = 2;
    const DEPENDS_ON: &'static [&'static str] = &["oracles", "work"];
    type Reads<'a> = Reads<'a>;

    async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], _: &World) -> Result<(), StoreError> {
        let mut needs = Needs::default();
        for event in batch.iter().flat_map(|unit| &unit.events) {
            needs.note(event);
        }
        load::activity(&mut self.activity, db, needs.activity).await?;
        load::types(&mut self.types, db, needs.types).await?;
        load::hours(&mut self.hours, db, needs.hours).await?;
        load::latencies(&mut self.latencies, db, needs.latencies).await
    }

    fn fold(&mut self, moment: &Moment<'_>, reads: Reads<'_>, findings: &mut Findings) {
        let judged = reads.work.judged(moment.event.position);
        match (&moment.event.event, judged) {
            (Event::OracleRegistered(registered), _) => self.begin(moment, registered, reads.oracles),
            (Event::WorkSubmitted(work), Some(judged)) => self.submitted(moment, work, judged, findings),
            (Event::WorkRejected(work), Some(judged)) => {
                self.count(moment, About { oracle_id: &work.oracle_id, work_type: &work.work_type }, judged);
            }
            (
                Event::WorkSubmitted(_)
                | Event::WorkRejected(_)
                | Event::BlockApplied(_)
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
                | Event::Proposed(_)
                | Event::Voted(_)
                | Event::ProposalFinalized(_)
                | Event::ProposalExecuted(_)
                | Event::ProposalCancelled(_)
                | Event::Delegated(_)
                | Event::Undelegated(_)
                | Event::OracleReported(_)
                | Event::OracleSlashed(_)
                | Event::SourceStarted(_)
                | Event::SourceSkipped(_)
                | Event::Unrecognized(_),
                _,
            ) => {}
        }
    }

    fn close(&mut self, unit: &LoggedUnit, _: &World, _: Reads<'_>, _: &mut Findings) -> Result<(), Broken> {
        self.activity.close(unit.end_position);
        self.types.close(unit.end_position);
        self.hours.close(unit.end_position);
        self.latencies.close(unit.end_position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        // Whatever changes besides, the activity of the same oracle does.
        let last = self.activity.last_change();
        self.activity.write(db, before).await?;
        self.types.write(db, before).await?;
        self.hours.write(db, before).await?;
        self.latencies.write(db, before).await?;
        Ok(last)
    }

    async fn retract(&mut self, db: &mut PgConnection, retraction: Retraction, _: &World) -> Result<bool, StoreError> {
        self.forget();
        let Retraction { source_id, first, at } = retraction;
        let mut restored = 0;
        for view in ["oracle_activity", "oracle_types", "oracle_hours", "oracle_latencies"] {
            restored += restore(db, view, source_id, first, at).await?;
        }
        Ok(restored > 0)
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
