//! Which blocks were there? One row per `chain.block_applied`, only ever appended: a row stands unless a retraction
//! covers its position.

use schema::bulk::ColumnType::{Bytes, Int2, Int4, Int8, Numeric, Text, Time};
use schema::bulk::{RowBatch, Target};
use schema::event::{Event, Position, Verdict};
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::findings::Findings;
use super::{Broken, Moment, Projection, Retraction, World};

const ROWS: Target = Target {
    table: "blocks",
    columns: "source_id, position, end_position, height, hash, parent_hash, block_time, validator_address, tx_count, gas_used, gas_limit, state_root, verdict",
    types: &[Int4, Int8, Int8, Int8, Bytes, Bytes, Time, Text, Int8, Numeric, Numeric, Text, Int2],
};

/// See the module.
#[derive(Debug)]
pub struct Blocks {
    rows: RowBatch,
    last: Option<Position>,
}

impl Default for Blocks {
    fn default() -> Self {
        Self { rows: RowBatch::new(&ROWS), last: None }
    }
}

impl Projection for Blocks {
    const NAME: &'static str = "blocks";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &[];
    type Reads<'a> = ();

    async fn load(&mut self, _: &mut PgConnection, _: &[LoggedUnit], _: &World) -> Result<(), StoreError> {
        Ok(())
    }

    fn fold(&mut self, moment: &Moment<'_>, (): (), _: &mut Findings) {
        let block = match &moment.event.event {
            Event::BlockApplied(block) => block,
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
            | Event::WorkSubmitted(_)
            | Event::WorkRejected(_)
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => return,
        };
        let (Some(height), Some(hash)) = (moment.event.height, &moment.event.block_hash) else { return };
        let parent: Option<schema::chain::BlockHash> = block.parent_hash.parse().ok();
        let tx_count = i64::try_from(block.tx_count.get().get()).unwrap_or(i64::MAX);
        self.rows
            .row()
            .int4(moment.event.source_id.0)
            .int8(moment.event.position.0)
            .int8(moment.unit.end_position.0)
            .int8(height.to_db())
            .bytes(hash.as_bytes())
            .bytes_opt(parent.as_ref().map(schema::chain::BlockHash::as_bytes))
            .time(moment.event.occurred_at)
            .text(&block.validator)
            .int8(tx_count)
            .numeric_opt(block.gas_used.as_ref().map(|gas| i128::from(gas.get().get())))
            .numeric_opt(block.gas_limit.as_ref().map(|gas| i128::from(gas.get().get())))
            .text_opt(block.state_root.as_deref())
            .int2_opt(moment.event.verdict.map(Verdict::code));
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
