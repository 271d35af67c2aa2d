//! What is wrong with what was claimed? One row per contradiction: refuted checks, and rules that an event breaks.
//!
//! Other projections report what they notice while folding; this one judges the verdicts stored with each event.

use schema::event::{Checks, Event, Position, SourceId, Verdict};
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::{Rows, restore};
use schema::versioned_table;
use sqlx::PgConnection;

use super::{Broken, Moment, Projection, Retraction, World};

versioned_table! {
    /// Contradictions, by the event that they are about.
    FindingsTable = "findings" {
        key FindingKey { source_id: int4(i32), event_position: int8(i64), code: text(String) }
        value Finding {
            height: int8_opt(Option<i64>),
            tx_id: text_opt(Option<String>),
            subject: text_opt(Option<String>),
            detail: text(String),
            occurred_at: time(chrono::DateTime<chrono::Utc>),
            counts: bool(bool),
        }
    }
}

/// Where an event stands, kept for what is only judged at the end of its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Source of the event.
    pub source_id: SourceId,
    /// The event.
    pub position: Position,
    /// Height of its block.
    pub height: Option<i64>,
    /// Its transaction.
    pub tx_id: Option<String>,
    /// Block or record time.
    pub occurred_at: chrono::DateTime<chrono::Utc>,
}

impl Place {
    /// Where the event of a moment stands.
    pub fn of(moment: &Moment<'_>) -> Self {
        let event = moment.event;
        Self {
            source_id: event.source_id,
            position: event.position,
            height: event.height.map(schema::chain::Height::to_db),
            tx_id: event.tx_id.as_ref().map(ToString::to_string),
            occurred_at: event.occurred_at,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Findings {
    rows: Rows<FindingsTable>,
}

impl Findings {
    /// Notes that an event breaks a rule and therefore changes nothing. `code` is stable; `detail` is a plain sentence.
    pub fn report(
        &mut self,
        moment: &Moment<'_>,
        code: impl Into<String>,
        subject: Option<String>,
        detail: impl Into<String>,
    ) {
        self.report_at(&Place::of(moment), code, subject, detail);
    }

    /// The same, for an event that was judged at the end of its unit.
    pub fn report_at(
        &mut self,
        place: &Place,
        code: impl Into<String>,
        subject: Option<String>,
        detail: impl Into<String>,
    ) {
        self.set(place, code.into(), subject, detail.into(), false);
    }

    /// Notes that something about an event is wrong, although it counts: what it claims besides is not what we find.
    pub fn remark(
        &mut self,
        moment: &Moment<'_>,
        code: impl Into<String>,
        subject: Option<String>,
        detail: impl Into<String>,
    ) {
        self.remark_at(&Place::of(moment), code, subject, detail);
    }

    /// The same, for an event that was judged at the end of its unit.
    pub fn remark_at(
        &mut self,
        place: &Place,
        code: impl Into<String>,
        subject: Option<String>,
        detail: impl Into<String>,
    ) {
        self.set(place, code.into(), subject, detail.into(), true);
    }

    fn set(&mut self, place: &Place, code: String, subject: Option<String>, detail: String, counts: bool) {
        let key = FindingKey { source_id: place.source_id.0, event_position: place.position.0, code };
        let finding = Finding {
            height: place.height,
            tx_id: place.tx_id.clone(),
            subject,
            detail,
            occurred_at: place.occurred_at,
            counts,
        };
        self.rows.set(key, finding);
    }

    /// Ends a unit, after all projections that report have closed it.
    pub fn close_unit(&mut self, unit: &LoggedUnit) {
        self.rows.close(unit.end_position);
    }

    /// Notes every refuted check that was stored with the event.
    pub fn judge(&mut self, moment: &Moment<'_>) {
        let (checks, subject): (&Checks, Option<String>) = match &moment.event.event {
            Event::BlockApplied(block) => (&block.checks, None),
            Event::TransactionApplied(tx) => {
                let sender = moment.world.address(moment.event.source_id, &tx.sender);
                (&tx.checks, Some(sender.map_or_else(|_| tx.sender.clone(), |address| address.as_str().to_owned())))
            }
            Event::KeyRotated(rotated) => (&rotated.checks, Some(rotated.identity_id.get().to_string())),
            Event::WalletLinked(linked) => (&linked.checks, Some(linked.identity_id.get().to_string())),
            Event::WorkSubmitted(work) => (&work.checks, work.oracle_id.clone()),
            Event::Retracted(_)
            | Event::Finalized(_)
            | Event::Allocated(_)
            | Event::Minted(_)
            | Event::AccountReported(_)
            | Event::IdentityRegistered(_)
            | Event::IdentityUpdated(_)
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
            | Event::WorkRejected(_)
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => return,
        };
        for (name, check) in checks {
            if check.verdict == Verdict::Refuted {
                let detail = check.reason.clone().unwrap_or_else(|| format!("the {name} does not hold"));
                // What a block or transaction does is a matter of the chain that accepted it; other claims stand on their proof.
                let counts = matches!(moment.event.event, Event::BlockApplied(_) | Event::TransactionApplied(_));
                self.set(&Place::of(moment), format!("refuted-{name}"), subject.clone(), detail, counts);
            }
        }
    }
}

impl Projection for Findings {
    const NAME: &'static str = "findings";
    const VERSION: i32 = 2;
    const DEPENDS_ON: &'static [&'static str] = &[];
    type Reads<'a> = ();

    async fn load(&mut self, _: &mut PgConnection, _: &[LoggedUnit], _: &World) -> Result<(), StoreError> {
        // Every key is new: it carries the position of the event that is being folded. So nothing need be remembered either.
        self.rows.forget();
        Ok(())
    }

    fn fold(&mut self, _: &Moment<'_>, (): (), _: &mut Findings) {}

    fn close(&mut self, unit: &LoggedUnit, _: &World, (): (), _: &mut Findings) -> Result<(), Broken> {
        self.close_unit(unit);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        let last = self.rows.last_change();
        self.rows.write(db, before).await?;
        Ok(last)
    }

    async fn retract(&mut self, db: &mut PgConnection, retraction: Retraction, _: &World) -> Result<bool, StoreError> {
        self.rows.forget();
        Ok(restore(db, "findings", retraction.source_id, retraction.first, retraction.at).await? > 0)
    }

    fn forget(&mut self) {
        self.rows.forget();
    }
}
