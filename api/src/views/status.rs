//! Where everything stands (DESIGN §9), made of the polled snapshot: it needs no statement of its own.

use chrono::{DateTime, Utc};
use schema::event::rfc3339_micros;
use serde::Serialize;
use utoipa::ToSchema;

use crate::freshness::{Freshness, Source};

/// Where the log, the sources and the views stand.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// Position that every live view shows.
    pub position: i64,
    /// Newest position of the log.
    pub log_position: i64,
    /// First 8 bytes of the running hash at `position`, hex.
    pub chain_hash: String,
    /// As-of answers below this position have been pruned; 0 when everything is kept.
    pub horizon: i64,
    /// When the views last moved, RFC 3339.
    pub moved_at: String,
    /// Every source, in the order in which they were first followed.
    pub sources: Vec<SourceStatus>,
    /// Every view by name.
    pub views: Vec<ViewStatus>,
}

/// Where a source stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceStatus {
    /// The operator's name for it; `chain=` in requests.
    pub name: String,
    /// Protocol: `chert`, `aitbc` or `scripted`.
    pub kind: &'static str,
    /// `backfilling`, `following`, `stalled`, `halted` or `paused`.
    pub state: String,
    /// Newest height that the node has named.
    pub tip: Option<i64>,
    /// Hash of that block, hex, where the node names it.
    pub tip_hash: Option<String>,
    /// When the node last answered for its tip, RFC 3339.
    pub tip_seen_at: Option<String>,
    /// Height of the newest block that the views show.
    pub head: Option<i64>,
    /// Hash of that block, hex.
    pub head_hash: Option<String>,
    /// Time of that block, RFC 3339.
    pub head_time: Option<String>,
    /// Height of the newest block in the log.
    pub log_height: Option<i64>,
    /// Blocks up to here will not be retracted.
    pub finalized: Option<i64>,
    /// Blocks between `head` and `tip`.
    pub lag_blocks: Option<i64>,
    /// Seconds that the log is behind the node: since when the node has been ahead, else 0 as long as the node has
    /// answered lately, else the age of what it said.
    pub lag_seconds: Option<i64>,
    /// What went wrong last, in a plain sentence; null after recovery.
    pub last_error: Option<String>,
    /// When that was, RFC 3339.
    pub last_error_at: Option<String>,
    /// How many of the node's answers were refused or failed, ever.
    pub error_count: i64,
    /// When the log last advanced, RFC 3339.
    pub progress_at: Option<String>,
    /// Since when the node has been ahead of the log, RFC 3339; null while it is not.
    pub ahead_since: Option<String>,
    /// Whether the running indexer follows it; `/health/ready` and finality do not wait for one that nobody follows.
    pub configured: bool,
    /// Whether `/health/ready` depends on it, while it is configured.
    pub required: bool,
}

/// Where a view stands.
#[derive(Debug, Serialize, ToSchema)]
pub struct ViewStatus {
    /// Name of the projection.
    pub name: String,
    /// Version of the code that wrote its rows.
    pub version: i32,
    /// Position that its rows are true at.
    pub position: i64,
    /// Position at which its rows last changed.
    pub changed_position: i64,
    /// `live` or `set_aside`.
    pub state: &'static str,
    /// Why it was set aside; null while live.
    pub error: Option<String>,
}

impl Status {
    /// The status behind a snapshot.
    pub fn of(fresh: &Freshness, quiet_seconds: i64) -> Self {
        let views = fresh.views.iter().map(|(name, view)| ViewStatus {
            name: name.clone(),
            version: view.version,
            position: view.position,
            changed_position: view.changed.position,
            state: if view.set_aside { "set_aside" } else { "live" },
            error: view.error.clone(),
        });
        Self {
            position: fresh.position,
            log_position: fresh.log_position,
            chain_hash: hex::encode(fresh.chain_hash),
            horizon: fresh.horizon,
            moved_at: rfc3339_micros(fresh.moved_at),
            sources: fresh
                .sources
                .iter()
                .map(|source| SourceStatus::of(source, fresh.read_at, quiet_seconds))
                .collect(),
            views: views.collect(),
        }
    }
}

impl SourceStatus {
    fn of(source: &Source, now: DateTime<Utc>, quiet_seconds: i64) -> Self {
        let (head, following) = (source.head.as_ref(), &source.following);
        let height = head.map(|head| head.height);
        Self {
            name: source.name.clone(),
            kind: source.kind.name(),
            state: following.state.clone(),
            tip: following.tip_height,
            tip_hash: following.tip_hash.as_ref().map(hex::encode),
            tip_seen_at: following.tip_seen_at.map(rfc3339_micros),
            head: height,
            head_hash: head.map(|head| hex::encode(&head.block_hash)),
            head_time: head.map(|head| rfc3339_micros(head.block_time)),
            log_height: source.log_height,
            finalized: following.finalized_height,
            lag_blocks: source.lag_blocks(height),
            lag_seconds: source.lag_seconds(now, quiet_seconds),
            last_error: following.last_error.clone(),
            last_error_at: following.last_error_at.map(rfc3339_micros),
            error_count: following.error_count,
            progress_at: following.progress_at.map(rfc3339_micros),
            ahead_since: following.ahead_since.map(rfc3339_micros),
            configured: source.is_configured(),
            required: following.required,
        }
    }
}

/// One reason why the server is not ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Unready {
    /// The source to blame; null when it is not a source.
    pub source: Option<String>,
    /// Why, in a plain sentence.
    pub reason: String,
}

/// Why the server is not ready (MEANING §8); empty when it is.
pub fn unready(fresh: &Freshness, budget_seconds: i64) -> Vec<Unready> {
    if !fresh.database_up {
        return vec![Unready { source: None, reason: "the database cannot be reached".to_owned() }];
    }
    if fresh.sources.is_empty() {
        return vec![Unready { source: None, reason: "no source has been followed yet".to_owned() }];
    }
    let standing_still = (fresh.read_at - fresh.moved_at).num_seconds();
    let mut reasons = Vec::new();
    if fresh.log_position > fresh.position && standing_still > budget_seconds {
        let (log, views) = (fresh.log_position, fresh.position);
        let reason =
            format!("the log is at position {log}, the views at {views} without progress for {standing_still} s");
        reasons.push(Unready { source: None, reason });
    }
    let mut configured = fresh.sources.iter().filter(|source| source.is_configured()).peekable();
    if configured.peek().is_none() {
        reasons.push(Unready { source: None, reason: "no indexer follows any of the sources".to_owned() });
    }
    for source in configured.filter(|source| source.following.required) {
        if let Some(reason) = not_following(source, fresh.read_at, budget_seconds) {
            reasons.push(Unready { source: Some(source.name.clone()), reason });
        }
    }
    reasons
}

fn not_following(source: &Source, now: DateTime<Utc>, budget_seconds: i64) -> Option<String> {
    let following = &source.following;
    let because = following.last_error.as_ref().map_or(String::new(), |error| format!(": {error}"));
    let (Some(tip), Some(seen)) = (following.tip_height, following.tip_seen_at) else {
        return Some(format!("its node has not named a tip yet{because}"));
    };
    let silent = (now - seen).num_seconds();
    if silent > budget_seconds {
        return Some(format!("its node has not answered for its tip for {silent} s{because}"));
    }
    if following.state == "halted" {
        return Some(format!("it is halted until an operator decides{because}"));
    }
    // A quiet tip is no fault: only a node that is ahead of a log that does not move is.
    let still = (now - following.ahead_since.max(following.progress_at)?).num_seconds();
    if following.ahead_since.is_some() && still > budget_seconds {
        let log = source.log_height.map_or("at nothing yet".to_owned(), |height| format!("at height {height}"));
        return Some(format!("its node is at height {tip}, the log {log} without progress for {still} s{because}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use schema::chain::Height;
    use schema::event::SourceId;
    use schema::source::{SourceFacts, SourceKind};

    use super::*;
    use crate::freshness::{Following, Head};

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_000_000 + seconds, 0).expect("in range")
    }

    fn fresh(following: Following, head: Option<i64>) -> Freshness {
        let facts = SourceFacts {
            source_id: SourceId(1),
            name: "main".to_owned(),
            kind: SourceKind::Chert,
            chain_id: None,
            trusted: false,
            off_block_state: false,
            start_height: Height::GENESIS,
            symbol: String::new(),
            decimals: 0,
        };
        let head = head.map(|height| Head { height, block_hash: vec![1], block_time: at(0), finalized_height: None });
        let (name, kind) = (facts.name.clone(), facts.kind);
        let source =
            Source { source_id: 1, name, kind, facts, head, finalized_position: None, log_height: None, following };
        let sources = Arc::new(vec![Arc::new(source)]);
        Freshness { database_up: true, read_at: at(100), moved_at: at(0), sources, ..Freshness::default() }
    }

    fn following(ahead: Option<i64>, seen: i64, progress: i64) -> Following {
        Following {
            tip_height: Some(9),
            tip_seen_at: Some(at(seen)),
            progress_at: Some(at(progress)),
            ahead_since: ahead.map(at),
            configured_order: Some(0),
            required: true,
            ..Following::default()
        }
    }

    fn is_ready(following: Following) -> bool {
        unready(&fresh(following, Some(5)), 60).is_empty()
    }

    #[test]
    fn a_quiet_tip_is_ready_and_a_frozen_indexer_is_not() {
        assert!(is_ready(following(None, 99, 0)), "quiet");
        assert!(is_ready(following(Some(0), 99, 90)), "behind and moving");
        assert!(is_ready(following(Some(90), 99, 0)), "a block after a quiet hour");
        let frozen = unready(&fresh(following(Some(5), 99, 10), Some(5)), 60);
        assert_eq!(frozen.first().and_then(|reason| reason.source.clone()).as_deref(), Some("main"));
        assert!(!is_ready(Following { progress_at: None, ..following(Some(5), 99, 0) }), "never any progress");
        assert!(!is_ready(following(None, 10, 99)), "a silent node");
        assert!(!is_ready(Following { tip_height: None, ..following(None, 99, 0) }), "no tip yet");
        assert!(is_ready(Following { required: false, ..following(Some(5), 10, 10) }), "not required");
    }

    #[test]
    fn what_nobody_follows_is_not_waited_for() {
        let followed = fresh(following(None, 99, 0), Some(5));
        let left = fresh(Following { configured_order: None, ..following(Some(5), 10, 10) }, Some(5));
        assert!(!unready(&left, 60).is_empty(), "nobody follows anything");
        let sources = left.sources.iter().chain(followed.sources.iter()).cloned().collect();
        let both = Freshness { sources: Arc::new(sources), ..followed };
        assert_eq!(unready(&both, 60), vec![]);
        let first = both.default_source().expect("two sources");
        assert!(first.is_configured());
        assert_eq!(left.default_source().map(|source| source.source_id), Some(1), "rather one than none");
    }

    #[test]
    fn lag_is_how_long_the_node_has_been_ahead() {
        let lag = |following| fresh(following, Some(5)).sources[0].lag_seconds(at(100), 60);
        assert_eq!(lag(following(Some(70), 99, 10)), Some(30));
        assert_eq!(lag(following(None, 99, 10)), Some(0));
        assert_eq!(lag(following(None, 20, 10)), Some(80), "nobody knows what the node has had since");
        assert_eq!(lag(Following::default()), None);
    }

    #[test]
    fn there_must_be_a_database_and_a_source() {
        assert!(!unready(&Freshness { database_up: true, ..Freshness::default() }, 60).is_empty(), "no sources");
        assert!(!unready(&Freshness::default(), 60).is_empty(), "no database");
    }
}
