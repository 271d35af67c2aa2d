//! Reading the whole log and recomputing every hash in it.

use sqlx::PgConnection;

use crate::canonical;
use crate::chain::{BlockHash, Height};
use crate::event::{Covered, Kind, Position, SourceId, Verdict};
use crate::store::StoreError;
use crate::store::read::hash;

/// Units read at once.
const UNITS: i64 = 500;

/// What a check of the whole log came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogCheck {
    /// Events whose digest was recomputed and agreed.
    pub events: u64,
    /// Units whose running hash was recomputed and agreed.
    pub units: u64,
    /// Newest position.
    pub position: Position,
}

/// Recomputes every digest and running hash from the first position on. The first disagreement is an error.
pub async fn verify_log(db: &mut PgConnection) -> Result<LogCheck, StoreError> {
    let mut check = LogCheck::default();
    let mut running = [0; 32];
    loop {
        let units = sqlx::query!(
            r#"
            select first_position, end_position, chain_hash
            from log.log_units
            where end_position > $1
            order by end_position
            limit $2
            "#,
            check.position.0,
            UNITS
        )
        .fetch_all(&mut *db)
        .await?;
        if units.is_empty() {
            return verify_head(db, check, &running).await;
        }
        for unit in units {
            if unit.first_position != check.position.0 + 1 {
                return Err(StoreError::damaged(unit.first_position, "positions are missing before this unit"));
            }
            let digests = verify_unit(db, unit.first_position, unit.end_position).await?;
            check.events += u64::try_from(digests.len()).unwrap_or_default();
            check.units += 1;
            running = canonical::chain_hash(&running, &digests);
            if running != hash(unit.end_position, &unit.chain_hash)? {
                return Err(StoreError::damaged(unit.end_position, "the running hash of the unit does not agree"));
            }
            check.position = Position(unit.end_position);
        }
    }
}

async fn verify_head(
    db: &mut PgConnection,
    check: LogCheck,
    running: &canonical::Hash,
) -> Result<LogCheck, StoreError> {
    let head = super::read_head(db).await?;
    // The log may have grown behind us; only a head that is behind its own units is wrong.
    if head.position < check.position || head.position == check.position && head.chain_hash != *running {
        return Err(StoreError::damaged(head.position.0, "the head does not agree with the units"));
    }
    Ok(check)
}

async fn verify_unit(db: &mut PgConnection, first: i64, end: i64) -> Result<Vec<canonical::Hash>, StoreError> {
    let rows = sqlx::query!(
        r#"
        select position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, verdict, occurred_at, digest
        from log.events
        where position between $1 and $2
        order by position
        "#,
        first,
        end
    )
    .fetch_all(db)
    .await?;
    let mut digests = Vec::with_capacity(rows.len());
    for row in rows {
        let damaged = |why: &str| StoreError::damaged(row.position, why);
        if row.position != first + i64::try_from(digests.len()).unwrap_or_default() {
            return Err(damaged("an event is missing before this one"));
        }
        let block_hash = row.block_hash.map(BlockHash::from_bytes).transpose()?;
        let index = |value: i32| u32::try_from(value).map_err(|_| damaged("an index is negative"));
        let covered = Covered {
            position: Position(row.position),
            source_id: SourceId(row.source_id),
            height: row.height.map(Height::from_db).transpose()?,
            block_hash: block_hash.as_ref(),
            tx_id: row.tx_id.as_deref(),
            tx_index: row.tx_index.map(index).transpose()?,
            event_index: index(row.event_index)?,
            kind: Kind::from_code(row.kind).ok_or_else(|| damaged("its kind is unknown"))?,
            body: &row.body,
            verdict: row.verdict.and_then(Verdict::from_code),
            occurred_at: row.occurred_at,
        };
        let digest = covered.digest();
        if digest != hash(row.position, &row.digest)? {
            return Err(damaged("its digest does not agree"));
        }
        digests.push(digest);
    }
    let expected = end - first + 1;
    if i64::try_from(digests.len()) != Ok(expected) {
        return Err(StoreError::damaged(end, format!("{} of {expected} events of the unit", digests.len())));
    }
    Ok(digests)
}
