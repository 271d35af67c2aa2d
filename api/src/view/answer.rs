//! Answers: from the cache, or from the database by one statement, one caller asking for all who wait.
//!
//! A cached answer is its encoded bytes. Its key is the question and the newest change of the views that the question
//! reads, so nothing is ever invalidated: an answer stays right until one of its views changes, and is then forgotten.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use moka::Expiry;
use moka::future::Cache;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;

use super::{At, Connections, HashPrefix, Keep, Query, Stamp, Stamped, Statement, prefix};
use crate::freshness::{Changed, Freshness};
use crate::metrics;

/// What an entry costs besides its bytes: key, stamp, and the cache's own books.
const ENTRY_OVERHEAD_BYTES: usize = 256;

/// An answer in the form in which it is sent, and where it was read.
#[derive(Debug, Clone)]
pub struct Kept {
    /// JSON: the object, or the `items` of a list.
    pub json: Bytes,
    /// Sort key that the next page of a list starts after.
    pub next: Option<String>,
    /// How many items there are over all pages, when asked.
    pub count: Option<i64>,
    /// JSON members of a page besides its items, each followed by a comma; empty for most.
    pub members: Bytes,
    /// Whether nothing was found.
    pub missing: bool,
    /// Whether something was found that the caller may not see.
    pub hidden: bool,
    /// First bytes of the SHA-256 of the JSON, hashed once and quoted in every `ETag`.
    pub digest: HashPrefix,
    /// Where it was read.
    pub stamp: Stamp,
    ttl: Duration,
}

/// An encoded value, before it knows its stamp.
#[derive(Debug, Clone, Default)]
pub struct Encoded {
    /// JSON.
    pub json: Vec<u8>,
    /// Sort key that the next page of a list starts after.
    pub next: Option<String>,
    /// How many items there are over all pages, when asked.
    pub count: Option<i64>,
    /// JSON members of a page besides its items, each followed by a comma.
    pub members: Vec<u8>,
    /// Whether nothing was found.
    pub missing: bool,
    /// Whether something was found that the caller may not see.
    pub hidden: bool,
}

/// An answer and the position that it is given for: where it was read, or later when nothing changed in between.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Position that the answer is true at.
    pub position: i64,
    /// First bytes of the running hash there.
    pub chain_hash: HashPrefix,
    /// The answer.
    pub kept: Arc<Kept>,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Unanswered {
    /// The database cannot be reached; worth another try.
    #[error("the database is away: {0}")]
    Away(String),
    /// The statement ran into its timeout.
    #[error("the statement took too long")]
    TooSlow,
    /// The statement or the encoding is broken.
    #[error("{0}")]
    Broken(String),
}

impl From<sqlx::Error> for Unanswered {
    fn from(error: sqlx::Error) -> Self {
        const QUERY_CANCELED: &str = "57014";
        let code = error.as_database_error().and_then(|error| error.code()).map(|code| code.into_owned());
        match code {
            Some(code) if code == QUERY_CANCELED => Self::TooSlow,
            // Connection trouble, conflicts that pass, too many connections, and a server that starts or stops.
            Some(code) if ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)) => {
                Self::Away(error.to_string())
            }
            Some(_) => Self::Broken(error.to_string()),
            None if is_connection_trouble(&error) => Self::Away(error.to_string()),
            None => Self::Broken(error.to_string()),
        }
    }
}

fn is_connection_trouble(error: &sqlx::Error) -> bool {
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
    )
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    kind: &'static str,
    question: String,
    at: Option<i64>,
    /// The newest change that the answer has seen; none where only the position counts.
    changed: Option<Changed>,
    history: i64,
}

struct UpperBound;

impl Expiry<Key, Arc<Kept>> for UpperBound {
    fn expire_after_create(&self, _: &Key, kept: &Arc<Kept>, _: Instant) -> Option<Duration> {
        Some(kept.ttl)
    }

    fn expire_after_update(&self, _: &Key, kept: &Arc<Kept>, _: Instant, _: Option<Duration>) -> Option<Duration> {
        Some(kept.ttl)
    }
}

/// How long answers are kept at most; changes of the views end them sooner.
#[derive(Debug, Clone, Copy)]
pub struct Ttls {
    /// Lists that everybody asks for.
    pub hot_list: Duration,
    /// Everything else.
    pub other: Duration,
}

/// Everything that answers questions: read-only connections, and the cache before them.
#[derive(Debug)]
pub struct View {
    connections: Connections,
    cache: Cache<Key, Arc<Kept>>,
    ttls: Ttls,
}

/// A question with the moment it is asked about.
struct Asked<'a, Q> {
    query: &'a Q,
    at: At,
}

impl<Q: Query> Statement for Asked<'_, Q> {
    type Rows = Stamped<Q::Answer>;

    async fn run(&self, db: &mut PgConnection) -> sqlx::Result<Self::Rows> {
        self.query.run(db, self.at).await
    }
}

impl View {
    /// A view over connections, with a cache of so many bytes.
    pub fn new(connections: Connections, budget_bytes: u64, ttls: Ttls) -> Self {
        let cache = Cache::builder()
            .max_capacity(budget_bytes)
            .weigher(|key: &Key, kept: &Arc<Kept>| {
                let bytes = key.question.len() + kept.json.len() + kept.members.len() + ENTRY_OVERHEAD_BYTES;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .expire_after(UpperBound)
            .build();
        Self { connections, cache, ttls }
    }

    /// The bytes in the cache now.
    pub fn cached_bytes(&self) -> u64 {
        self.cache.weighted_size()
    }

    /// The connections, for the few statements that are about positions and not about a view.
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Answers a question, from the cache when nothing it reads has changed since.
    pub async fn ask<Q: Query>(
        &self,
        query: &Q,
        at: At,
        fresh: &Freshness,
        encode: fn(&Q::Answer) -> serde_json::Result<Encoded>,
    ) -> Result<Answered, Unanswered> {
        if Q::KEEP == Keep::Never {
            return self.miss(query, at, None, encode).await.map(|kept| answered(kept, None, at));
        }
        let views = query.views();
        // What was true at a position stays so, within one history of the log; only who may see it is always of now.
        let changed = (at == At::Now || Q::KEEP == Keep::Visible).then(|| fresh.changed(views));
        let kind = std::any::type_name::<Q>();
        let key = Key { kind, question: query.key(), at: at.bound(), changed, history: fresh.history };
        if let Some(kept) = self.cache.get(&key).await {
            metrics::cache_hit();
            return Ok(answered(kept, Some((fresh, views)), at));
        }
        let kept = self
            .cache
            .try_get_with(key.clone(), self.miss(query, at, changed, encode))
            .await
            .map_err(|error| Unanswered::clone(&error))?;
        let seen = seen(&kept.stamp);
        if changed.is_some_and(|changed| changed != seen) && !kept.ttl.is_zero() {
            // The views moved on while we asked: the answer belongs to the change that it has seen.
            self.cache.insert(Key { changed: Some(seen), ..key }, Arc::clone(&kept)).await;
        }
        Ok(answered(kept, Some((fresh, views)), at))
    }

    async fn miss<Q: Query>(
        &self,
        query: &Q,
        at: At,
        changed: Option<Changed>,
        encode: fn(&Q::Answer) -> serde_json::Result<Encoded>,
    ) -> Result<Arc<Kept>, Unanswered> {
        metrics::cache_miss();
        let stamped = self.connections.run(&Asked { query, at }).await?;
        let encoded = encode(&stamped.value).map_err(|error| Unanswered::Broken(error.to_string()))?;
        let ttl = match Q::KEEP {
            _ if is_behind(&stamped.at, at, changed) => Duration::ZERO,
            Keep::HotList => self.ttls.hot_list,
            Keep::Checked | Keep::Visible | Keep::Never => self.ttls.other,
        };
        Ok(Arc::new(Kept {
            digest: prefix(&Sha256::new().chain_update(&encoded.members).chain_update(&encoded.json).finalize()),
            members: Bytes::from(encoded.members),
            json: Bytes::from(encoded.json),
            next: encoded.next,
            count: encoded.count,
            missing: encoded.missing,
            hidden: encoded.hidden,
            stamp: stamped.at,
            ttl,
        }))
    }
}

/// Whether an answer is from before what was asked about, as that of a view that was set aside or of a replica that
/// lags: it answers those who wait for it, and nobody later.
fn is_behind(stamp: &Stamp, at: At, changed: Option<Changed>) -> bool {
    let asked = at.bound().is_some_and(|position| stamp.position < position);
    asked || changed.is_some_and(|changed| stamp.changed_position < changed.position)
}

/// The newest change that an answer has seen.
fn seen(stamp: &Stamp) -> Changed {
    Changed { position: stamp.changed_position, hash: stamp.changed_hash }
}

fn answered(kept: Arc<Kept>, fresh: Option<(&Freshness, &[&str])>, at: At) -> Answered {
    let read = (kept.stamp.position, kept.stamp.chain_hash);
    let (position, chain_hash) = match fresh {
        Some((fresh, views)) if at == At::Now => {
            let changed = fresh.changed(views);
            let same = changed == seen(&kept.stamp);
            let standing = fresh.position_of(views) == fresh.position;
            if same && standing && fresh.position > kept.stamp.position {
                (fresh.position, fresh.chain_hash)
            } else {
                read
            }
        }
        Some(_) | None => read,
    };
    Answered { position, chain_hash, kept }
}
