//! The poller: it reads the snapshot and publishes it.
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
use crate::view::prefix;

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
        let goes_back =
            fresh.position < last.position || (fresh.position == last.position && fresh.chain_hash != last.chain_hash);
        let is_rebuilt = fresh.generation != last.generation;
        fresh.history = last.history + i64::from(!was_up || goes_back || is_rebuilt);
        for name in fresh.unknown_sources.iter().filter(|name| !last.unknown_sources.contains(name)) {
            tracing::warn!(source = %name, "a source is of a kind that this server does not know: it is left out");
        }
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
            w.generation,
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
        generation: first.generation,
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
            error: row.error.map(without_internals),
        };
        views.insert(name, state);
    }
    fresh.views = Arc::new(views);
    let (sources, unknown) = sources(db, fresh.position).await?;
    fresh.sources = Arc::new(sources);
    fresh.unknown_sources = unknown;
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
    ahead_since: Option<DateTime<Utc>>,
    configured_order: Option<i32>,
    required: Option<bool>,
    paused: Option<bool>,
    head_height: Option<i64>,
    head_hash: Option<Vec<u8>>,
    head_time: Option<DateTime<Utc>>,
    view_finalized_height: Option<i64>,
    finalized_position: Option<i64>,
}

/// The sources of known kinds, and the names of the others.
async fn sources(db: &mut PgConnection, position: i64) -> sqlx::Result<(Vec<Arc<Source>>, Vec<String>)> {
    let rows = sqlx::query_as!(
        SourceRow,
        r#"
        select
            x.source_id, x.name, x.kind, x.chain_id, x.trusted, x.off_block_state, x.start_height, x.symbol, x.decimals,
            t.state as "state?", t.cursor_height, t.finalized_height, t.tip_height, t.tip_hash, t.tip_seen_at,
            t.last_error, t.last_error_at, t.error_count as "error_count?", t.progress_at, t.ahead_since,
            t.configured_order, t.required as "required?", t.paused as "paused?",
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
    let (mut sources, mut unknown) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        match SourceKind::from_name(&row.kind) {
            Some(kind) => sources.push(Arc::new(row.source(kind)?)),
            None => unknown.push(row.name),
        }
    }
    Ok((sources, unknown))
}

impl SourceRow {
    fn source(self, kind: SourceKind) -> sqlx::Result<Source> {
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
            last_error: self.last_error.map(without_internals),
            last_error_at: self.last_error_at,
            error_count: self.error_count.unwrap_or_default(),
            progress_at: self.progress_at,
            ahead_since: self.ahead_since,
            configured_order: self.configured_order,
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

/// A sentence that the indexer has written, without what a database said in it: that is for its log, not for everybody.
fn without_internals(mut sentence: String) -> String {
    const DATABASE: &str = "the database did not answer";
    if let Some(at) = sentence.find(DATABASE) {
        sentence.truncate(at + DATABASE.len());
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_database_said_is_not_for_everybody() {
        let shown = without_internals("storing failed: the database did not answer: relation \"x\" is gone".to_owned());
        assert_eq!(shown, "storing failed: the database did not answer");
        assert_eq!(without_internals("HTTP 502".to_owned()), "HTTP 502");
    }
}
