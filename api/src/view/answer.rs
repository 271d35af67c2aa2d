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
use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

use super::{At, HashPrefix, Keep, Query, Stamp, Stamped, prefix};
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
    /// Whether nothing was found.
    pub missing: bool,
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
    /// Whether nothing was found.
    pub missing: bool,
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
            // Connection trouble, too many connections, and a server that starts or stops.
            Some(code) if ["08", "53", "57"].iter().any(|class| code.starts_with(class)) => {
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
    question: String,
    at: Option<i64>,
    changed: (i64, HashPrefix),
}

struct UpperBound;

impl Expiry<Key, Arc<Kept>> for UpperBound {
    fn expire_after_create(&self, _: &Key, kept: &Arc<Kept>, _: Instant) -> Option<Duration> {
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

/// Everything that answers questions: a pool of read-only connections, and the cache before it.
#[derive(Debug, Clone)]
pub struct View {
    pool: PgPool,
    cache: Cache<Key, Arc<Kept>>,
    ttls: Ttls,
}

impl View {
    /// A view over a pool, with a cache of so many bytes.
    pub fn new(pool: PgPool, budget_bytes: u64, ttls: Ttls) -> Self {
        let cache = Cache::builder()
            .max_capacity(budget_bytes)
            .weigher(|key: &Key, kept: &Arc<Kept>| {
                let bytes = key.question.len() + kept.json.len() + ENTRY_OVERHEAD_BYTES;
                u32::try_from(bytes).unwrap_or(u32::MAX)
            })
            .expire_after(UpperBound)
            .build();
        Self { pool, cache, ttls }
    }

    /// The bytes in the cache now.
    pub fn cached_bytes(&self) -> u64 {
        self.cache.weighted_size()
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
            return self.miss(query, at, encode).await.map(|kept| answered(kept, None, at));
        }
        let changed = match at {
            At::Now => fresh.changed(Q::VIEWS),
            // What was true at a position stays so: only another history of the log could change it.
            At::Position(_) => Changed { position: fresh.history, ..Changed::default() },
        };
        let question = format!("{}?{}", std::any::type_name::<Q>(), query.key());
        let key = Key { question, at: at.bound(), changed: (changed.position, changed.hash) };
        if let Some(kept) = self.cache.get(&key).await {
            metrics::cache_hit();
            return Ok(answered(kept, Some((fresh, Q::VIEWS)), at));
        }
        let kept = self
            .cache
            .try_get_with(key.clone(), self.miss(query, at, encode))
            .await
            .map_err(|error| Unanswered::clone(&error))?;
        let newer = (kept.stamp.changed_position, kept.stamp.changed_hash);
        if at == At::Now && newer != key.changed {
            // The views moved on while we asked: the answer belongs to the change that it has seen.
            self.cache.insert(Key { changed: newer, ..key }, Arc::clone(&kept)).await;
        }
        Ok(answered(kept, Some((fresh, Q::VIEWS)), at))
    }

    async fn miss<Q: Query>(
        &self,
        query: &Q,
        at: At,
        encode: fn(&Q::Answer) -> serde_json::Result<Encoded>,
    ) -> Result<Arc<Kept>, Unanswered> {
        metrics::cache_miss();
        let stamped = self.run(query, at).await?;
        let encoded = encode(&stamped.value).map_err(|error| Unanswered::Broken(error.to_string()))?;
        let ttl = if Q::KEEP == Keep::HotList { self.ttls.hot_list } else { self.ttls.other };
        Ok(Arc::new(Kept {
            digest: prefix(&Sha256::digest(&encoded.json)),
            json: Bytes::from(encoded.json),
            next: encoded.next,
            count: encoded.count,
            missing: encoded.missing,
            stamp: stamped.at,
            ttl,
        }))
    }

    async fn run<Q: Query>(&self, query: &Q, at: At) -> Result<Stamped<Q::Answer>, Unanswered> {
        let started = Instant::now();
        let mut connection = self.pool.acquire().await?;
        let mut result = query.run(&mut connection, at).await;
        if let Err(error) = &result
            && is_stale(error)
        {
            drop(connection);
            connection = self.live_connection().await?;
            result = query.run(&mut connection, at).await;
        }
        metrics::statement(started.elapsed(), result.is_ok());
        Ok(result?)
    }

    /// A connection that answers: the first to fail after a restart of the server is not the only one that is stale.
    pub async fn live_connection(&self) -> Result<PoolConnection<Postgres>, Unanswered> {
        use sqlx::Connection as _;
        for _ in 0..=self.pool.options().get_max_connections() {
            let mut connection = self.pool.acquire().await?;
            match connection.ping().await {
                Ok(()) => return Ok(connection),
                Err(_) => drop(connection.detach()),
            }
        }
        Err(Unanswered::Away("every connection of the pool is stale".to_owned()))
    }

    /// A connection for the few statements that are about positions and not about a view.
    pub async fn connection(&self) -> Result<PoolConnection<Postgres>, Unanswered> {
        Ok(self.pool.acquire().await?)
    }

    /// Closes the pool.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Whether a connection was dead before it was used, so that another one may do.
fn is_stale(error: &sqlx::Error) -> bool {
    const ADMIN_SHUTDOWN: &str = "57P01";
    match error.as_database_error().and_then(|error| error.code()) {
        Some(code) => code == ADMIN_SHUTDOWN,
        None => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_)),
    }
}

fn answered(kept: Arc<Kept>, fresh: Option<(&Freshness, &[&str])>, at: At) -> Answered {
    let read = (kept.stamp.position, kept.stamp.chain_hash);
    let (position, chain_hash) = match fresh {
        Some((fresh, views)) if at == At::Now => {
            let changed = fresh.changed(views);
            let same = changed.position == kept.stamp.changed_position && changed.hash == kept.stamp.changed_hash;
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
