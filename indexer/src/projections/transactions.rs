//! Which transactions were there? One row per `chain.transaction_applied`, only ever appended: a row stands unless a
//! retraction covers its position.

use schema::bulk::ColumnType::{Bytes, Int2, Int4, Int8, Numeric, Text, Time};
use schema::bulk::{RowBatch, Target};
use schema::event::{Event, Position, Verdict};
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::findings::Findings;
use super::{Broken, Moment, Projection, Retraction, World};

const ROWS: Target = Target {
    table: "transactions",
    columns: "source_id, position, tx_id, block_height, block_hash, block_time, tx_index, sender, recipient, amount, fee, nonce, tx_type, status, verdict",
    types: &[Int4, Int8, Text, Int8, Bytes, Time, Int4, Text, Text, Numeric, Numeric, Numeric, Text, Text, Int2],
};

/// See the module.
#[derive(Debug)]
pub struct Transactions {
    rows: RowBatch,
    last: Option<Position>,
}

impl Default for Transactions {
    fn default() -> Self {
        Self { rows: RowBatch::new(&ROWS), last: None }
    }
}

impl Projection for Transactions {
    const NAME: &'static str = "transactions";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &[];
    type Reads<'a> = ();

    async fn load(&mut self, _: &mut PgConnection, _: &[LoggedUnit], _: &World) -> Result<(), StoreError> {
        Ok(())
    }

    fn fold(&mut self, moment: &Moment<'_>, (): (), _: &mut Findings) {
        let event = moment.event;
        let tx = match &event.event {
            Event::TransactionApplied(tx) => tx,
            Event::BlockApplied(_)
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
            | Event::WorkSubmitted(_)
            | Event::WorkRejected(_)
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => return,
        };
        let (Some(height), Some(hash), Some(tx_id)) = (event.height, &event.block_hash, &event.tx_id) else { return };
        let canonical = |spelled: &str| {
            let address = moment.world.address(event.source_id, spelled);
            address.map_or_else(|_| spelled.to_owned(), |address| address.as_str().to_owned())
        };
        let recipient = tx.outputs.first().map(|output| output.recipient.as_str()).or(tx.recipient.as_deref());
        let tx_index = event.tx_index.and_then(|index| i32::try_from(index).ok()).unwrap_or(i32::MAX);
        self.rows
            .row()
            .int4(event.source_id.0)
            .int8(event.position.0)
            .text(tx_id.as_str())
            .int8(height.to_db())
            .bytes(hash.as_bytes())
            .time(event.occurred_at)
            .int4(tx_index)
            .text(&canonical(&tx.sender))
            .text_opt(recipient.map(canonical).as_deref())
            .numeric(i128::from(tx.amount.get().get()))
            .numeric(i128::from(tx.fee.get().get()))
            .numeric_opt(tx.nonce.as_ref().map(|nonce| i128::from(nonce.get().get())))
            .text(&tx.tx_type)
            .text_opt(tx.status.as_deref())
            .int2_opt(event.verdict.map(Verdict::code));
        self.last = Some(moment.unit.end_position);
    }

    fn close(&mut self, _: &LoggedUnit, _: &World, _: Self::Reads<'_>, _: &mut Findings) -> Result<(), Broken> {
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, _: Position) -> Result<Option<Position>, StoreError> {
        let rows = std::mem::take(self);
        rows.rows.send(db).await?;
        Ok(rows.last)
    }

    async fn retract(&mut self, _: &mut PgConnection, _: Retraction, _: &World) -> Result<bool, StoreError> {
        Ok(true)
    }

    fn forget(&mut self) {
        *self = Self::default();
    }
}
