//! The poller, and the few statements about positions that are not a view's.
//!
//! The position decides; a notification only wakes the poller earlier, and a database that cannot notify (a replica)
//! is simply polled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schema::chain::Height;
use schema::event::SourceId;
use schema::source::{SourceFacts, SourceKind};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Changed, Following, Freshness, Head, Source, ViewState};
use crate::view::{HashPrefix, prefix};

/// Which notifications wake the poller.
const CHANNEL: &str = "chert_views";
/// The longest that one look may take before the connection counts as dead.
const LOOK_TIMEOUT: Duration = Duration::from_secs(6);
/// The pause before the next attempt to listen.
const LISTEN_AGAIN: Duration = Duration::from_secs(10);

/// Reads the snapshot again and again on a connection of its own, so that busy requests cannot starve it.
#[derive(Debug)]
pub struct Poller {
    /// How to connect.
    pub connect: PgConnectOptions,
    /// The pause between two looks.
    pub interval: Duration,
    /// Where snapshots go.
    pub publish: watch::Sender<Arc<Freshness>>,
}

impl Poller {
    /// Polls until told to stop; a database that is away is said to be away and tried again.
    pub async fn run(self, shutdown: CancellationToken) {
        let wake = Arc::new(Notify::new());
        let listening = shutdown.clone().run_until_cancelled_owned(listen(self.connect.clone(), Arc::clone(&wake)));
        tokio::spawn(listening);
        shutdown.run_until_cancelled(self.poll(&wake)).await;
    }

    async fn poll(&self, wake: &Notify) {
        let mut connection: Option<PgConnection> = None;
        loop {
            match tokio::time::timeout(LOOK_TIMEOUT, self.look(&mut connection)).await {
                Ok(Ok(fresh)) => self.publish(fresh),
                Ok(Err(error)) => self.away(&mut connection, &error),
                Err(_) => self.away(&mut connection, &sqlx::Error::PoolTimedOut),
            }
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = wake.notified() => {}
            }
        }
    }

    async fn look(&self, kept: &mut Option<PgConnection>) -> sqlx::Result<Freshness> {
        let mut connection = match kept.take() {
            Some(connection) => connection,
            None => self.connect.connect().await?,
        };
        let fresh = snapshot(&mut connection).await?;
        *kept = Some(connection);
        Ok(fresh)
    }

    fn publish(&self, mut fresh: Freshness) {
        let last = Arc::clone(&self.publish.borrow());
        let was_up = last.database_up;
        let goes_back = fresh.position < last.position
            || (fresh.position == last.position && fresh.chain_hash != last.chain_hash);
        fresh.history = last.history + i64::from(!was_up || goes_back);
        if !was_up {
            tracing::info!(position = fresh.position, "the database answers");
        }
        self.publish.send_replace(Arc::new(fresh));
    }

    fn away(&self, connection: &mut Option<PgConnection>, error: &sqlx::Error) {
        *connection = None;
        let last = Arc::clone(&self.publish.borrow());
        if last.database_up {
            tracing::warn!(%error, "the database is away");
        }
        self.publish.send_replace(Arc::new(Freshness { database_up: false, ..(*last).clone() }));
    }
}

async fn listen(connect: PgConnectOptions, wake: Arc<Notify>) {
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(connect);
    loop {
        if let Err(error) = forward(&pool, &wake).await {
            tracing::debug!(%error, "not listening; polling goes on");
        }
        tokio::time::sleep(LISTEN_AGAIN).await;
    }
}

async fn forward(pool: &sqlx::PgPool, wake: &Notify) -> sqlx::Result<()> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(CHANNEL).await?;
    loop {
        listener.recv().await?;
        wake.notify_one();
    }
}

/// Reads the whole snapshot: the watermark with the views, then the sources at that watermark.
async fn snapshot(db: &mut PgConnection) -> sqlx::Result<Freshness> {
    let rows = sqlx::query!(
        r#"
        select
            w.position,
            w.chain_hash,
            w.horizon,
            w.moved_at,
            clock_timestamp() as "read_at!",
            (select h.position from log.log_head h where h.only_row) as "log_position!",
            v.view as "view?",
            v.version as "version?",
            v.position as "view_position?",
            v.changed_position as "changed_position?",
            v.changed_hash as "changed_hash?",
            v.state as "state?",
            v.error
        from watermark w
        left join view_state v on true
        where w.only_row
        order by v.view
        "#
    )
    .fetch_all(&mut *db)
    .await?;
    let first = rows.first().ok_or(sqlx::Error::RowNotFound)?;
    let mut fresh = Freshness {
        database_up: true,
        position: first.position,
        chain_hash: prefix(&first.chain_hash),
        horizon: first.horizon,
        log_position: first.log_position,
        moved_at: first.moved_at,
        read_at: first.read_at,
        ..Freshness::default()
    };
    let mut views = BTreeMap::new();
    for row in rows {
        let (Some(name), Some(version), Some(position)) = (row.view, row.version, row.view_position) else { continue };
        let (Some(changed), Some(hash)) = (row.changed_position, row.changed_hash) else { continue };
        let set_aside = row.state.as_deref() == Some("set_aside");
        let state = ViewState {
            version,
            position: if set_aside { position } else { fresh.position },
            changed: Changed { position: changed, hash: prefix(&hash) },
            set_aside,
            error: row.error,
        };
        views.insert(name, state);
    }
    fresh.views = Arc::new(views);
    fresh.sources = Arc::new(sources(db, fresh.position).await?);
    Ok(fresh)
}

/// A row of the statement in [`sources`], column by column.
struct SourceRow {
    source_id: i32,
    name: String,
    kind: String,
    chain_id: Option<String>,
    trusted: bool,
    off_block_state: bool,
    start_height: i64,
    symbol: String,
    decimals: i32,
    state: Option<String>,
    cursor_height: Option<i64>,
    finalized_height: Option<i64>,
    tip_height: Option<i64>,
    tip_hash: Option<Vec<u8>>,
    tip_seen_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
    last_error_at: Option<DateTime<Utc>>,
    error_count: Option<i64>,
    progress_at: Option<DateTime<Utc>>,
    required: Option<bool>,
    paused: Option<bool>,
    head_height: Option<i64>,
    head_hash: Option<Vec<u8>>,
    head_time: Option<DateTime<Utc>>,
    view_finalized_height: Option<i64>,
    finalized_position: Option<i64>,
}

async fn sources(db: &mut PgConnection, position: i64) -> sqlx::Result<Vec<Arc<Source>>> {
    let rows = sqlx::query_as!(
        SourceRow,
        r#"
        select
            x.source_id, x.name, x.kind, x.chain_id, x.trusted, x.off_block_state, x.start_height, x.symbol, x.decimals,
            t.state as "state?", t.cursor_height, t.finalized_height, t.tip_height, t.tip_hash, t.tip_seen_at,
            t.last_error, t.last_error_at, t.error_count as "error_count?", t.progress_at, t.required as "required?",
            t.paused as "paused?",
            h.height as "head_height?", h.block_hash as "head_hash?", h.block_time as "head_time?",
            f.finalized_height as "view_finalized_height?",
            u.end_position as "finalized_position?"
        from log.sources x
        left join log.source_state t on t.source_id = x.source_id
        left join lateral (
            select v.height, v.block_hash, v.block_time, v.present
            from heads_versions v
            where v.source_id = x.source_id and v.from_position <= $1
            order by v.from_position desc
            limit 1
        ) h on h.present
        left join lateral (
            select v.finalized_height, v.present
            from finality_versions v
            where v.source_id = x.source_id and v.from_position <= $1
            order by v.from_position desc
            limit 1
        ) f on f.present
        left join lateral (
            select u.end_position
            from log.log_units u
            where u.source_id = x.source_id and u.height = f.finalized_height and u.end_position <= $1
            order by u.end_position desc
            limit 1
        ) u on true
        order by x.source_id
        "#,
        position
    )
    .fetch_all(db)
    .await?;
    rows.into_iter().map(|row| row.source().map(Arc::new)).collect()
}

impl SourceRow {
    fn source(self) -> sqlx::Result<Source> {
        let Some(kind) = SourceKind::from_name(&self.kind) else {
            return Err(sqlx::Error::Decode(
                format!("source {} is of the unknown kind {}", self.name, self.kind).into(),
            ));
        };
        let head = match (self.head_height, self.head_hash, self.head_time) {
            (Some(height), Some(block_hash), Some(block_time)) => {
                Some(Head { height, block_hash, block_time, finalized_height: self.view_finalized_height })
            }
            (_, _, _) => None,
        };
        let state = self.state.unwrap_or_else(|| "backfilling".to_owned());
        let following = Following {
            state: if self.paused == Some(true) { "paused".to_owned() } else { state },
            tip_height: self.tip_height,
            tip_hash: self.tip_hash,
            tip_seen_at: self.tip_seen_at,
            finalized_height: self.finalized_height,
            last_error: self.last_error,
            last_error_at: self.last_error_at,
            error_count: self.error_count.unwrap_or_default(),
            progress_at: self.progress_at,
            required: self.required.unwrap_or(true),
        };
        let facts = SourceFacts {
            source_id: SourceId(self.source_id),
            name: self.name.clone(),
            kind,
            chain_id: self.chain_id,
            trusted: self.trusted,
            off_block_state: self.off_block_state,
            start_height: Height::from_db(self.start_height).map_err(|error| sqlx::Error::Decode(error.into()))?,
            symbol: self.symbol,
            decimals: self.decimals,
        };
        Ok(Source {
            source_id: self.source_id,
            name: self.name,
            kind,
            facts,
            head,
            finalized_position: self.finalized_position,
            log_height: self.cursor_height,
            following,
        })
    }
}

/// The newest standing block of a source as of a position.
pub async fn head_at(db: &mut PgConnection, source_id: i32, position: i64) -> sqlx::Result<Option<Head>> {
    let row = sqlx::query!(
        r#"
        select
            h.height as "height!",
            h.block_hash as "block_hash!",
            h.block_time as "block_time!",
            h.present,
            (
                select f.finalized_height
                from finality_versions f
                where f.source_id = $1 and f.from_position <= $2
                order by f.from_position desc
                limit 1
            ) as finalized_height
        from heads_versions h
        where h.source_id = $1 and h.from_position <= $2
        order by h.from_position desc
        limit 1
        "#,
        source_id,
        position
    )
    .fetch_optional(db)
    .await?;
    Ok(row.filter(|row| row.present).map(|row| Head {
        height: row.height,
        block_hash: row.block_hash,
        block_time: row.block_time,
        finalized_height: row.finalized_height,
    }))
}

/// End and running hash of the newest unit that was complete at a position; 0 and zeros before the first.
pub async fn unit_at(db: &mut PgConnection, position: i64) -> sqlx::Result<(i64, HashPrefix)> {
    let row = sqlx::query!(
        r#"
        select u.end_position, u.chain_hash
        from log.log_units u
        where u.end_position <= $1
        order by u.end_position desc
        limit 1
        "#,
        position
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map_or((0, HashPrefix::default()), |row| (row.end_position, prefix(&row.chain_hash))))
}

/// End of the unit of the block that stands at a height, seen from a position.
pub async fn unit_of_height(
    db: &mut PgConnection,
    source_id: i32,
    height: i64,
    position: i64,
) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"
        select u.end_position
        from log.log_units u
        where u.source_id = $1
            and u.height = $2
            and u.end_position <= $3
            and not exists (
                select 1
                from log.retractions r
                where r.source_id = u.source_id
                    and r.first_position <= u.first_position
                    and r.at_position > u.first_position
                    and r.at_position <= $3
            )
        order by u.end_position desc
        limit 1
        "#,
        source_id,
        height,
        position
    )
    .fetch_optional(db)
    .await
}
