//! Reading the log in order. Readers stop at the head's position: everything up to it is committed, without holes.

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use sqlx::PgConnection;

use crate::canonical::Hash;
use crate::chain::{BlockHash, Height};
use crate::event::{Event, Kind, Position, RecordedEvent, SourceId, Verdict};
use crate::store::StoreError;

/// Bodies held at once, in bytes; a unit is read whole all the same.
const MAX_BYTES: usize = 48 << 20;

/// How far the log goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoreHead {
    /// Newest position.
    pub position: Position,
    /// Running hash there.
    pub chain_hash: Hash,
}

/// One unit of the log with its events, as the projector folds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedUnit {
    /// First position of the unit.
    pub first_position: Position,
    /// Last position of the unit.
    pub end_position: Position,
    /// Source of the unit.
    pub source_id: SourceId,
    /// Height, when the unit is a block.
    pub height: Option<Height>,
    /// Hash, when the unit is a block.
    pub block_hash: Option<BlockHash>,
    /// Block or record time.
    pub occurred_at: DateTime<Utc>,
    /// Running hash of the log after the unit.
    pub chain_hash: Hash,
    /// The events, in order.
    pub events: Vec<RecordedEvent>,
}

impl LoggedUnit {
    /// The retraction, when the unit is one.
    pub fn retraction(&self) -> Option<&crate::event::Retracted> {
        match self.events.as_slice() {
            [RecordedEvent { event: Event::Retracted(retracted), .. }] => Some(retracted),
            _ => None,
        }
    }
}

/// Where the log ends now.
pub async fn read_head(db: &mut PgConnection) -> Result<StoreHead, StoreError> {
    let row = sqlx::query!(r#"select position, chain_hash from log.log_head"#).fetch_one(db).await?;
    Ok(StoreHead { position: Position(row.position), chain_hash: hash(row.position, &row.chain_hash)? })
}

/// The whole units after a position, in order, until they hold about so many events; at least one if there is one.
pub async fn read_units(db: &mut PgConnection, after: Position, events: i64) -> Result<Vec<LoggedUnit>, StoreError> {
    let units = sqlx::query!(
        r#"
        select end_position, first_position, source_id, height, block_hash, occurred_at, chain_hash
        from log.log_units
        where end_position > $1
            and end_position <= (select position from log.log_head)
            and end_position <= greatest($1 + $2, (select min(end_position) from log.log_units where end_position > $1))
        order by end_position
        limit 20000
        "#,
        after.0,
        events
    )
    .fetch_all(&mut *db)
    .await?;
    let Some(last) = units.last() else { return Ok(Vec::new()) };
    let ends: Vec<i64> = units.iter().map(|unit| unit.end_position).collect();
    let recorded = read_events(db, after, Position(last.end_position), &ends).await?;
    let through = recorded.last().map_or(after, |event| event.position);
    let mut recorded = recorded.into_iter().peekable();
    let mut read = Vec::with_capacity(units.len());
    for unit in units.into_iter().take_while(|unit| unit.end_position <= through.0) {
        let mut events = Vec::new();
        while let Some(event) = recorded.next_if(|event| event.position.0 <= unit.end_position) {
            events.push(event);
        }
        let expected = unit.end_position - unit.first_position + 1;
        if i64::try_from(events.len()) != Ok(expected) {
            return Err(StoreError::damaged(
                unit.end_position,
                format!("{} of {expected} events of a unit", events.len()),
            ));
        }
        read.push(LoggedUnit {
            first_position: Position(unit.first_position),
            end_position: Position(unit.end_position),
            source_id: SourceId(unit.source_id),
            height: unit.height.map(Height::from_db).transpose()?,
            block_hash: unit.block_hash.map(BlockHash::from_bytes).transpose()?,
            occurred_at: unit.occurred_at,
            chain_hash: hash(unit.end_position, &unit.chain_hash)?,
            events,
        });
    }
    Ok(read)
}

/// The events of a range, cut after a unit when their bodies become too large to hold at once.
async fn read_events(
    db: &mut PgConnection,
    after: Position,
    through: Position,
    unit_ends: &[i64],
) -> Result<Vec<RecordedEvent>, StoreError> {
    let mut rows = sqlx::query!(
        r#"
        select position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, verdict, occurred_at
        from log.events
        where position > $1
            and position <= $2
        order by position
        "#,
        after.0,
        through.0
    )
    .fetch(db);
    let mut events = Vec::new();
    let mut bytes = 0;
    while let Some(row) = rows.try_next().await? {
        let damaged = |why: String| StoreError::damaged(row.position, why);
        let kind = Kind::from_code(row.kind).ok_or_else(|| damaged(format!("unknown kind {}", row.kind)))?;
        let event = Event::parse(kind, &row.body).map_err(|error| damaged(format!("{} body: {error}", kind.name())))?;
        let index = |value: i32| u32::try_from(value).map_err(|_| damaged("negative index".to_owned()));
        bytes += row.body.len();
        events.push(RecordedEvent {
            position: Position(row.position),
            source_id: SourceId(row.source_id),
            height: row.height.map(Height::from_db).transpose()?,
            block_hash: row.block_hash.map(BlockHash::from_bytes).transpose()?,
            tx_id: row.tx_id.map(|id| id.parse()).transpose()?,
            tx_index: row.tx_index.map(index).transpose()?,
            event_index: index(row.event_index)?,
            verdict: row.verdict.and_then(Verdict::from_code),
            occurred_at: row.occurred_at,
            event,
        });
        if bytes > MAX_BYTES && unit_ends.binary_search(&row.position).is_ok() {
            break;
        }
    }
    Ok(events)
}

pub(crate) fn hash(position: i64, bytes: &[u8]) -> Result<Hash, StoreError> {
    bytes.try_into().map_err(|_| StoreError::damaged(position, "a hash is not 32 bytes"))
}
