//! Forks: which of our blocks the node still has, and where its branch leaves ours.

use std::collections::BTreeMap;

use schema::chain::{BlockHash, Height};
use schema::event::{Position, SourceId};
use schema::source::SourceFacts;
use schema::store::{Cursor, StoreError};
use sqlx::PgConnection;

use super::{FollowError, Log};
use crate::source::{Source, SourceError};

/// Heights compared at once while walking back.
const WINDOW: u32 = 64;

/// What a second look at the node showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Branch {
    /// The node has our blocks as far as it has any: what looked like a fork was a wrong answer.
    Ours,
    /// The node's branch leaves ours after this block.
    Parted(Cursor),
    /// The chain is followed from above genesis, and already the first block that we have is another one there.
    PartedBeforeStart,
    /// The node shares no block with us, not even block 0.
    Foreign,
}

/// Looks twice at the node's branch and compares it with ours, from a height downwards.
pub(super) async fn compare<S: Source>(
    source: &S,
    log: &Log,
    facts: &SourceFacts,
    cursor: &Cursor,
    tip: Height,
) -> Result<Branch, FollowError> {
    let id = facts.source_id;
    let top = cursor.height.min(tip);
    let theirs = source.hash_at(top).await?;
    let again = source.hash_at(top).await?;
    let (Some(theirs), true) = (&theirs, theirs == again) else { return Ok(Branch::Ours) };
    let ours = log.hashes(id, top, top).await?;
    if ours.iter().any(|(_, hash)| hash == theirs) {
        return Ok(Branch::Ours);
    }
    let mut through = top;
    loop {
        let from = through.saturating_sub(WINDOW - 1).max(facts.start_height);
        let theirs: BTreeMap<Height, BlockHash> = source.hashes(from..=through).await?.into_iter().collect();
        let Some(lowest) = theirs.keys().next().copied() else {
            let why = format!("the node names no block from {from} to {through}, which it must have");
            return Err(SourceError::Transient(why).into());
        };
        let ours = log.hashes(id, from, through).await?;
        let shared = ours.iter().rev().find(|(height, hash)| theirs.get(height) == Some(hash));
        if let Some((height, hash)) = shared {
            if *height >= top {
                let why = format!("the node names two different blocks at height {top}");
                return Err(SourceError::Malformed(why).into());
            }
            return Ok(Branch::Parted(Cursor { height: *height, hash: hash.clone() }));
        }
        match lowest.previous() {
            Some(below) if lowest > facts.start_height => through = below,
            Some(_) => return Ok(Branch::PartedBeforeStart),
            None => return Ok(Branch::Foreign),
        }
    }
}

/// The hashes of a source's standing blocks in a range, ascending.
pub(super) async fn standing_hashes(
    db: &mut PgConnection,
    source: SourceId,
    from: Height,
    through: Height,
) -> Result<Vec<(Height, BlockHash)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        select distinct on (u.height)
            u.height as "height!",
            u.block_hash as "block_hash!"
        from log.log_units u
        where u.source_id = $1
            and u.height between $2 and $3
            and log.stands(u.source_id, u.end_position, (select position from log.log_head))
        order by u.height, u.end_position desc
        "#,
        source.0,
        from.to_db(),
        through.to_db()
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|row| Ok((Height::from_db(row.height)?, BlockHash::from_bytes(row.block_hash)?))).collect()
}

/// The first position of the standing block at a height.
pub(super) async fn first_position(
    db: &mut PgConnection,
    source: SourceId,
    height: Height,
) -> Result<Option<Position>, StoreError> {
    let row = sqlx::query!(
        r#"
        select u.first_position
        from log.log_units u
        where u.source_id = $1
            and u.height = $2
            and log.stands(u.source_id, u.end_position, (select position from log.log_head))
        order by u.end_position desc
        limit 1
        "#,
        source.0,
        height.to_db()
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Position(row.first_position)))
}
