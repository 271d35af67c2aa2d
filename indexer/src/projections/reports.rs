//! What do nodes say that addresses hold? The newest report per address; never mixed with what is derived, and never
//! retracted, since it is about the node and not about a block.

use std::collections::BTreeSet;

use schema::event::{Event, Position};
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::Rows;
use schema::versioned_table;
use sqlx::PgConnection;

use super::findings::Findings;
use super::{Broken, Moment, Projection, Retraction, World};

versioned_table! {
    /// The newest report about each address.
    ReportedTable = "reported_balances" {
        key ReportedKey { source_id: int4(i32), address_id: int8(i64) }
        value Reported {
            address: text(String),
            reported_balance: numeric(i128),
            nonce: numeric_opt(Option<i128>),
            height_before: int8(i64),
            height_after: int8(i64),
            reported_at: time(chrono::DateTime<chrono::Utc>),
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Reports {
    rows: Rows<ReportedTable>,
}

impl Projection for Reports {
    const NAME: &'static str = "reports";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &[];
    type Reads<'a> = ();

    async fn load(&mut self, _: &mut PgConnection, batch: &[LoggedUnit], world: &World) -> Result<(), StoreError> {
        // A report replaces the one before whatever that said, so nothing is read back.
        let mut wanted = BTreeSet::new();
        for event in batch.iter().flat_map(|unit| &unit.events) {
            let Event::AccountReported(reported) = &event.event else { continue };
            let Ok(address) = world.address(event.source_id, &reported.address) else { continue };
            if let Some(address_id) = world.address_id(event.source_id, &address) {
                wanted.insert(ReportedKey { source_id: event.source_id.0, address_id });
            }
        }
        let asked = self.rows.missing(wanted);
        self.rows.loaded(asked, []);
        Ok(())
    }

    fn fold(&mut self, moment: &Moment<'_>, (): (), _: &mut Findings) {
        let reported = match &moment.event.event {
            Event::AccountReported(reported) => reported,
            Event::BlockApplied(_)
            | Event::TransactionApplied(_)
            | Event::Retracted(_)
            | Event::Finalized(_)
            | Event::Allocated(_)
            | Event::Minted(_)
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
            | Event::WorkSubmitted(_)
            | Event::WorkRejected(_)
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => return,
        };
        let source = moment.event.source_id;
        let Ok(address) = moment.world.address(source, &reported.address) else { return };
        let Some(address_id) = moment.world.address_id(source, &address) else { return };
        let row = Reported {
            address: address.as_str().to_owned(),
            reported_balance: i128::from(reported.balance.get().get()),
            nonce: reported.nonce.as_ref().map(|nonce| i128::from(nonce.get().get())),
            height_before: reported.height_before.get().to_db(),
            height_after: reported.height_after.get().to_db(),
            reported_at: moment.event.occurred_at,
        };
        self.rows.set(ReportedKey { source_id: source.0, address_id }, row);
    }

    fn close(&mut self, unit: &LoggedUnit, _: &World, _: Self::Reads<'_>, _: &mut Findings) -> Result<(), Broken> {
        self.rows.close(unit.end_position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        let last = self.rows.last_change();
        self.rows.write(db, before).await?;
        Ok(last)
    }

    async fn retract(&mut self, _: &mut PgConnection, _: Retraction, _: &World) -> Result<bool, StoreError> {
        Ok(false)
    }

    fn forget(&mut self) {
        self.rows.forget();
    }
}
