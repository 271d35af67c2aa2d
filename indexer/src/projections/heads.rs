//! How far does each chain go, what is final, and how much of it was checked?

use std::collections::BTreeSet;

use schema::event::{Check, Event, Part, Position, Verdict};
use schema::store::{LoggedUnit, StoreError};
use schema::versioned::{Rows, restore};
use schema::versioned_table;
use sqlx::PgConnection;

use super::findings::Findings;
use super::{Broken, Moment, Projection, Retraction, World};

versioned_table! {
    /// The newest standing block of each chain, and counts over its standing blocks.
    HeadsTable = "heads" {
        key HeadKey { source_id: int4(i32) }
        value Head {
            height: int8(i64),
            block_hash: bytes(Vec<u8>),
            block_time: time(chrono::DateTime<chrono::Utc>),
            first_height: int8(i64),
            genesis_hash: bytes_opt(Option<Vec<u8>>),
            tx_total: int8(i64),
            links_verified: int8(i64),
            hashes_verified: int8(i64),
            signatures_verified: int8(i64),
            checks_refuted: int8(i64),
            unrecognized: int8(i64),
            complete: bool(bool),
        }
    }
}

versioned_table! {
    /// The highest finalized height of each chain.
    FinalityTable = "finality" {
        key FinalityKey { source_id: int4(i32) }
        value Finality { finalized_height: int8(i64), rule: text(String) }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Heads {
    heads: Rows<HeadsTable>,
    finality: Rows<FinalityTable>,
}

impl Heads {
    fn apply_block(&mut self, moment: &Moment<'_>, block: &schema::event::BlockApplied) {
        let (Some(height), Some(hash)) = (moment.event.height, &moment.event.block_hash) else { return };
        let key = HeadKey { source_id: moment.event.source_id.0 };
        let verified =
            |name: &str| i64::from(block.checks.get(name).map(|check| check.verdict) == Some(Verdict::Verified));
        let refuted = |check: &Check| check.verdict == Verdict::Refuted;
        let before = self.heads.get(&key).cloned();
        let first = before.as_ref().map_or(height.to_db(), |head| head.first_height);
        let count = |of: fn(&Head) -> i64| before.as_ref().map_or(0, of);
        let genesis = (height == schema::chain::Height::GENESIS).then(|| hash.as_bytes().to_vec());
        let head = Head {
            height: height.to_db(),
            block_hash: hash.as_bytes().to_vec(),
            block_time: moment.event.occurred_at,
            first_height: first,
            genesis_hash: genesis.or_else(|| before.as_ref().and_then(|head| head.genesis_hash.clone())),
            tx_total: count(|head| head.tx_total),
            links_verified: count(|head| head.links_verified) + verified("link"),
            hashes_verified: count(|head| head.hashes_verified) + verified("hash"),
            signatures_verified: count(|head| head.signatures_verified) + verified("signature"),
            checks_refuted: count(|head| head.checks_refuted) + i64::from(block.checks.values().any(refuted)),
            unrecognized: count(|head| head.unrecognized),
            complete: before.as_ref().is_none_or(|head| head.complete) && first == 0,
        };
        self.heads.set(key, head);
    }

    fn edit(&mut self, moment: &Moment<'_>, change: impl FnOnce(&mut Head)) {
        let key = HeadKey { source_id: moment.event.source_id.0 };
        if let Some(mut head) = self.heads.get(&key).cloned() {
            change(&mut head);
            self.heads.set(key, head);
        }
    }
}

impl Projection for Heads {
    const NAME: &'static str = "heads";
    const VERSION: i32 = 1;
    const DEPENDS_ON: &'static [&'static str] = &[];
    type Reads<'a> = ();

    async fn load(&mut self, db: &mut PgConnection, batch: &[LoggedUnit], _: &World) -> Result<(), StoreError> {
        let sources: BTreeSet<i32> = batch.iter().map(|unit| unit.source_id.0).collect();
        let asked = self.heads.missing(sources.iter().map(|&source_id| HeadKey { source_id }).collect());
        if !asked.is_empty() {
            let ids: Vec<i32> = asked.iter().map(|key| key.source_id).collect();
            let rows = sqlx::query!(
                r#"
                select
                    source_id, height, block_hash, block_time, first_height, genesis_hash, tx_total,
                    links_verified, hashes_verified, signatures_verified, checks_refuted, unrecognized, complete
                from heads
                where source_id = any($1)
                "#,
                &ids
            )
            .fetch_all(&mut *db)
            .await?;
            let found = rows.into_iter().map(|row| {
                let head = Head {
                    height: row.height,
                    block_hash: row.block_hash,
                    block_time: row.block_time,
                    first_height: row.first_height,
                    genesis_hash: row.genesis_hash,
                    tx_total: row.tx_total,
                    links_verified: row.links_verified,
                    hashes_verified: row.hashes_verified,
                    signatures_verified: row.signatures_verified,
                    checks_refuted: row.checks_refuted,
                    unrecognized: row.unrecognized,
                    complete: row.complete,
                };
                (HeadKey { source_id: row.source_id }, head)
            });
            self.heads.loaded(asked, found);
        }
        let asked = self.finality.missing(sources.iter().map(|&source_id| FinalityKey { source_id }).collect());
        if !asked.is_empty() {
            let ids: Vec<i32> = asked.iter().map(|key| key.source_id).collect();
            let rows = sqlx::query!(
                r#"select source_id, finalized_height, rule from finality where source_id = any($1)"#,
                &ids
            )
            .fetch_all(&mut *db)
            .await?;
            let found = rows.into_iter().map(|row| {
                let finality = Finality { finalized_height: row.finalized_height, rule: row.rule };
                (FinalityKey { source_id: row.source_id }, finality)
            });
            self.finality.loaded(asked, found);
        }
        Ok(())
    }

    fn fold(&mut self, moment: &Moment<'_>, (): (), _: &mut Findings) {
        match &moment.event.event {
            Event::BlockApplied(block) => self.apply_block(moment, block),
            Event::TransactionApplied(_) => self.edit(moment, |head| head.tx_total += 1),
            Event::Unrecognized(what) => self.edit(moment, |head| {
                head.unrecognized += 1;
                head.complete &= what.part != Part::Transaction;
            }),
            Event::Finalized(finalized) => {
                let key = FinalityKey { source_id: moment.event.source_id.0 };
                let through = finalized.through_height.get().to_db();
                if self.finality.get(&key).is_none_or(|known| known.finalized_height < through) {
                    self.finality.set(key, Finality { finalized_height: through, rule: finalized.rule.clone() });
                }
            }
            Event::Retracted(_)
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
            | Event::SourceSkipped(_) => {}
        }
    }

    fn close(&mut self, unit: &LoggedUnit, _: &World, _: Self::Reads<'_>, _: &mut Findings) -> Result<(), Broken> {
        self.heads.close(unit.end_position);
        self.finality.close(unit.end_position);
        Ok(())
    }

    async fn write(&mut self, db: &mut PgConnection, before: Position) -> Result<Option<Position>, StoreError> {
        let last = self.heads.last_change().max(self.finality.last_change());
        self.heads.write(db, before).await?;
        self.finality.write(db, before).await?;
        Ok(last)
    }

    async fn retract(&mut self, db: &mut PgConnection, retraction: Retraction, _: &World) -> Result<bool, StoreError> {
        self.forget();
        restore(db, "heads", retraction.source_id, retraction.first, retraction.at).await?;
        Ok(true)
    }

    fn forget(&mut self) {
        self.heads.forget();
        self.finality.forget();
    }
}
