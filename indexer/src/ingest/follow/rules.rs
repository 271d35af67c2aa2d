//! The decisions of a follower that need neither the source nor the log: pure functions.

use std::ops::RangeInclusive;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schema::chain::{BlockHash, Height, Spelled};
use schema::event::{Check, Entry, Event, Role, Subject, Unit};
use schema::source::{FeeRule, SourceFacts};
use schema::store::{Cursor, SourceProgress};

use crate::ingest::{FollowError, MAX_BACKOFF};
use crate::source::{BlockUnit, SourceError, Tip};

/// How long to wait after trouble.
pub(super) fn pause_after(error: &FollowError, backoff: Duration) -> Duration {
    match error {
        FollowError::Source(SourceError::RateLimited { retry_after }) => (*retry_after).min(Duration::from_secs(120)),
        FollowError::Source(SourceError::Unsuitable(_)) | FollowError::Halted(_) => MAX_BACKOFF,
        FollowError::Source(SourceError::Transient(_) | SourceError::Malformed(_))
        | FollowError::AheadOfClock { .. }
        | FollowError::Append(_)
        | FollowError::Store(_) => backoff,
    }
}

/// Whether only an operator can go on: the settings name another chain than the node, or the node has left what was final.
pub(super) fn is_for_operator(error: &FollowError) -> bool {
    matches!(error, FollowError::Halted(_) | FollowError::Source(SourceError::Unsuitable(_)))
}

/// Whether the tip is further away than what is not final anyway.
pub(super) fn is_backfill(progress: &SourceProgress, tip: &Tip, depth: u32) -> bool {
    progress.cursor.as_ref().is_none_or(|cursor| cursor.height.saturating_add(depth) < tip.height)
}

/// The ranges to ask for, in order.
pub(super) fn pages(from: Height, through: Height, size: u32) -> impl Iterator<Item = RangeInclusive<Height>> + Send {
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let first = next.filter(|&first| first <= through)?;
        let last = first.saturating_add(size.saturating_sub(1)).min(through);
        next = last.next();
        Some(first..=last)
    })
}

/// Checks that a block follows the cursor, and stores the outcome with the block.
pub(super) fn linked(
    mut block: BlockUnit,
    cursor: Option<&Cursor>,
    start: Height,
) -> Result<(Cursor, Unit), FollowError> {
    let expected = cursor.map_or(Some(start), |cursor| cursor.height.next());
    if Some(block.height) != expected {
        let why = format!("block {} came where block {} was asked for", block.height, expected.unwrap_or_default());
        return Err(SourceError::Malformed(why).into());
    }
    let check = match (cursor, &block.parent_hash) {
        (Some(cursor), Some(parent)) if *parent == cursor.hash => Check::verified(),
        (Some(cursor), parent) => {
            let parent = parent.as_ref().map_or_else(|| "none".to_owned(), BlockHash::to_string);
            let why =
                format!("block {} names parent {parent}, and block {} is {}", block.height, cursor.height, cursor.hash);
            return Err(SourceError::Malformed(why).into());
        }
        (None, _) if block.height == Height::GENESIS => Check::unverifiable("the first block has no parent"),
        (None, _) => Check::unverifiable("the parent was not indexed"),
    };
    block.set_link(check);
    Ok((Cursor { height: block.height, hash: block.hash }, block.unit))
}

/// Checks that a block's time is no further ahead of the clock than allowed. How old it is does not matter.
pub(super) fn in_time(
    height: Height,
    time: DateTime<Utc>,
    now: DateTime<Utc>,
    limit: Option<Duration>,
) -> Result<(), FollowError> {
    // A time of the past is a negative difference, which no `Duration` is.
    let ahead = time.signed_duration_since(now).to_std().unwrap_or_default();
    match limit {
        Some(limit) if ahead > limit => Err(FollowError::AheadOfClock { height, time, now, limit }),
        Some(_) | None => Ok(()),
    }
}

/// About how many bytes a unit's bodies have, by the texts that can be long.
pub(super) fn weight(unit: &Unit) -> usize {
    let long = |entry: &Entry| {
        if let Event::TransactionApplied(tx) = &entry.event {
            tx.data.as_ref().map_or(0, String::len)
        } else if let Event::Unrecognized(what) = &entry.event {
            what.raw.len()
        } else {
            0
        }
    };
    unit.entries.iter().map(|entry| 600 + long(entry)).sum()
}

/// The finalized height that a head gives, when it is news.
pub(super) fn finalized(head: Height, depth: u32, known: Option<Height>) -> Option<Height> {
    let through = head.to_db().checked_sub(i64::from(depth))?;
    let through = Height::from_db(through).ok()?;
    (known.is_none_or(|known| through > known)).then_some(through)
}

/// The accounts that the chain's rules name; as subjects of the first event they have numbers before they are touched.
pub(super) fn reserved(facts: &SourceFacts) -> Vec<(Role, Subject)> {
    let levy = match facts.kind.fee_rule() {
        FeeRule::PaidTo(levy) => Some(levy),
        FeeRule::Burned => None,
    };
    [levy, facts.kind.furnace(), facts.kind.origin()]
        .into_iter()
        .flatten()
        .filter_map(|text| facts.kind.address_rule().canonical(text).ok())
        .map(|address| (Role::Account, Subject::address(&address)))
        .collect()
}

/// A height as bodies spell it.
pub(super) fn spelled(height: Height) -> Spelled<Height> {
    Spelled::parse(height.to_string()).expect("a height's own text is a height")
}
