//! How far the views have come, and how far the nodes are: one snapshot, polled from the database and published to
//! every request.
//!
//! Requests wait on it for `min_height`, caches take their keys from it, headers and readiness quote it. It must not
//! know what any view means.

mod places;
mod poll;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schema::source::{SourceFacts, SourceKind};

use crate::view::HashPrefix;

pub use places::{HeadAt, UnitAt, UnitOfHeight};
pub use poll::Poller;

/// Everything about this moment that does not depend on the question.
#[derive(Debug, Clone, Default)]
pub struct Freshness {
    /// Whether the database answered when it was last asked.
    pub database_up: bool,
    /// Position of the watermark.
    pub position: i64,
    /// First bytes of the running hash there.
    pub chain_hash: HashPrefix,
    /// Raised whenever the same position may be told otherwise than before: the watermark went back, rebuilt views took
    /// the place of others, or the database was away and may have failed over. Answers are kept only within one.
    pub history: i64,
    /// Raised by the projector when rebuilt views take the place of others.
    pub generation: i64,
    /// As-of answers below this position have been pruned.
    pub horizon: i64,
    /// Newest position of the log; the watermark follows it.
    pub log_position: i64,
    /// When the watermark last moved.
    pub moved_at: DateTime<Utc>,
    /// The database's clock when this was read.
    pub read_at: DateTime<Utc>,
    /// Every projection by name.
    pub views: Arc<BTreeMap<String, ViewState>>,
    /// Every source of a known kind, in the order in which they were first followed.
    pub sources: Arc<Vec<Arc<Source>>>,
    /// Names of the sources of kinds that this server does not know; it cannot answer for them.
    pub unknown_sources: Vec<String>,
}

/// Where a projection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewState {
    /// Version of the code that wrote its rows.
    pub version: i32,
    /// Position that its rows are true at.
    pub position: i64,
    /// When its rows last changed.
    pub changed: Changed,
    /// Whether it was set aside and stands still.
    pub set_aside: bool,
    /// Why it was set aside.
    pub error: Option<String>,
}

/// The newest change of what a query reads; answers between two changes are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Changed {
    /// Position of the change.
    pub position: i64,
    /// First bytes of the running hash there.
    pub hash: HashPrefix,
}

/// The newest standing block of a chain at some position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub height: i64,
    /// Its hash.
    pub block_hash: Vec<u8>,
    /// The time that it states.
    pub block_time: DateTime<Utc>,
    /// Highest finalized height at that position.
    pub finalized_height: Option<i64>,
}

/// A source: what is fixed about it, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Number in this database.
    pub source_id: i32,
    /// The operator's name for it; `chain=` in requests.
    pub name: String,
    /// Protocol and rules.
    pub kind: SourceKind,
    /// Everything that is fixed about it.
    pub facts: SourceFacts,
    /// Newest standing block at the watermark.
    pub head: Option<Head>,
    /// Position at which its finalized block was complete; answers up to it cannot change.
    pub finalized_position: Option<i64>,
    /// Height that the log has reached, which the views follow.
    pub log_height: Option<i64>,
    /// What the indexer says about following it.
    pub following: Following,
}

/// What the indexer says about following a source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Following {
    /// `backfilling`, `following`, `stalled`, `halted` or `paused`.
    pub state: String,
    /// Newest height that the node has named.
    pub tip_height: Option<i64>,
    /// Hash of that block.
    pub tip_hash: Option<Vec<u8>>,
    /// When the node last answered for its tip.
    pub tip_seen_at: Option<DateTime<Utc>>,
    /// Highest finalized height of the log.
    pub finalized_height: Option<i64>,
    /// What went wrong last; none after recovery.
    pub last_error: Option<String>,
    /// When that was.
    pub last_error_at: Option<DateTime<Utc>>,
    /// How many answers were refused or failed, ever.
    pub error_count: i64,
    /// When the log last advanced.
    pub progress_at: Option<DateTime<Utc>>,
    /// Since when the node has been ahead of the log; none while it is not.
    pub ahead_since: Option<DateTime<Utc>>,
    /// Place in the settings; none when the running indexer does not follow the source.
    pub configured_order: Option<i32>,
    /// Whether readiness depends on this source.
    pub required: bool,
}

impl Source {
    /// How many blocks a height is behind the node's tip; none while the node has named no tip.
    pub fn lag_blocks(&self, height: Option<i64>) -> Option<i64> {
        let tip = self.following.tip_height?;
        // A chain starts at its first followed height, so nothing indexed means one block more than the difference.
        let height = height.unwrap_or(self.facts.start_height.to_db() - 1);
        Some(tip.saturating_sub(height).max(0))
    }

    /// Whether the running indexer follows it.
    pub fn is_configured(&self) -> bool {
        self.following.configured_order.is_some()
    }

    /// How many seconds the log is behind the node: since when the node has been ahead, else 0 as long as the node has
    /// answered within `quiet_seconds`, else the age of what it said. None while the node has named no tip.
    pub fn lag_seconds(&self, now: DateTime<Utc>, quiet_seconds: i64) -> Option<i64> {
        let silent = (now - self.following.tip_seen_at?).num_seconds();
        Some(match self.following.ahead_since {
            Some(since) => (now - since).num_seconds().max(0),
            None if silent > quiet_seconds => silent,
            None => 0,
        })
    }
}

impl Freshness {
    /// When the given views last changed. One that is not known, the log among them, may have changed at any time and
    /// counts as changed at the watermark.
    pub fn changed(&self, views: &[&str]) -> Changed {
        let newest = Changed { position: self.position, hash: self.chain_hash };
        views
            .iter()
            .map(|name| self.views.get(*name).map_or(newest, |view| view.changed))
            .max_by_key(|changed| changed.position)
            .unwrap_or(newest)
    }

    /// The position that answers from the given views are true at: the watermark, or the last good position of the
    /// one that was set aside first.
    pub fn position_of(&self, views: &[&str]) -> i64 {
        let set_aside = views.iter().filter_map(|name| self.views.get(*name)).filter(|view| view.set_aside);
        set_aside.map(|view| view.position).min().unwrap_or(self.position).min(self.position)
    }

    /// Where no source that is followed can take anything back any more: as-of answers up to it are final.
    pub fn finalized_position(&self) -> i64 {
        let finalized = self.sources.iter().filter(|source| source.head.is_some() && source.is_configured());
        finalized.map(|source| source.finalized_position.unwrap_or(0)).min().unwrap_or(0)
    }

    /// The source that is meant when none is named: the first of the settings, else the first ever followed.
    pub fn default_source(&self) -> Option<&Arc<Source>> {
        let place = |source: &&Arc<Source>| {
            let order = source.following.configured_order;
            (order.is_none(), order, source.source_id)
        };
        self.sources.iter().min_by_key(place)
    }

    /// Names of the views that stand still.
    pub fn set_aside(&self) -> impl Iterator<Item = &str> {
        self.views.iter().filter(|(_, view)| view.set_aside).map(|(name, _)| name.as_str())
    }

    /// The source with a name.
    pub fn source(&self, name: &str) -> Option<&Arc<Source>> {
        self.sources.iter().find(|source| source.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(position: i64, changed: i64, set_aside: bool) -> ViewState {
        let changed = Changed { position: changed, hash: [1; 8] };
        ViewState { version: 1, position, changed, set_aside, error: None }
    }

    #[test]
    fn a_view_that_is_set_aside_holds_its_answers_back_and_no_others() {
        let views = BTreeMap::from([("a".to_owned(), view(9, 7, false)), ("b".to_owned(), view(4, 4, true))]);
        let fresh = Freshness { position: 9, views: Arc::new(views), ..Freshness::default() };
        assert_eq!(fresh.position_of(&["a"]), 9);
        assert_eq!(fresh.position_of(&["a", "b"]), 4);
        assert_eq!(fresh.position_of(&[]), 9);
        assert_eq!(fresh.changed(&["a", "b"]).position, 7);
        assert_eq!(fresh.changed(&[]).position, 9);
        assert_eq!(fresh.changed(&["a", "nobody knows"]).position, 9);
    }
}
