//! Rebuilding all views from the log beside the live ones, and putting the new ones in their place without downtime.

use std::time::{Duration, Instant};

use schema::db::{LIVE_SCHEMA, REBUILD_SCHEMA, Session};
use schema::event::Position;
use sqlx::{Connection, PgConnection};

use super::{Projector, ProjectorError};

/// Swaps tried before giving up: each fails only while a batch holds the watermark, or when the live views moved on.
const MAX_SWAPS: u32 = 200;
/// Longest a swap waits for the watermark before it lets readers through again.
const LOCK_TIMEOUT: &str = "500ms";

/// Key of the advisory lock that keeps rebuilds and verifications apart ("chertreb").
const REBUILD_LOCK: i64 = 0x6368_6572_7472_6562;

/// What a rebuild did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rebuilt {
    /// Position that the new views took over at.
    pub position: Position,
    /// Events folded.
    pub events: u64,
    /// Time from the first event to the last.
    pub folding: Duration,
}

/// Fills new views from the log and swaps them in. `swap` false only fills them, for a comparison.
pub async fn rebuild(url: &str, batch_events: i64, swap: bool) -> Result<Rebuilt, ProjectorError> {
    let mut live = Session::indexer().connect(url).await?;
    let alone =
        sqlx::query!(r#"select pg_try_advisory_lock($1) as "alone!""#, REBUILD_LOCK).fetch_one(&mut live).await?;
    if !alone.alone {
        return Err(ProjectorError::RebuildRunning);
    }
    let rebuilt = fill(&mut live, url, batch_events, swap).await;
    // The server notices the end of a connection later than we return, and the next rebuild may begin at once.
    let unlock = format!("select pg_advisory_unlock({REBUILD_LOCK})");
    let unlocked = sqlx::raw_sql(sqlx::AssertSqlSafe(unlock)).execute(&mut live).await;
    let rebuilt = rebuilt?;
    unlocked?;
    Ok(rebuilt)
}

async fn fill(live: &mut PgConnection, url: &str, batch_events: i64, swap: bool) -> Result<Rebuilt, ProjectorError> {
    prepare(live).await?;
    let session = Session { view_schema: REBUILD_SCHEMA, application: "chert-rebuild", ..Session::indexer() };
    let mut projector =
        Projector::open(session.connect(url).await?, batch_events).await?.reading_ahead(session.connect(url).await?);
    let started = Instant::now();
    let mut events = 0_u64;
    for attempt in 1..=MAX_SWAPS {
        loop {
            let progress = projector.step().await?;
            events += u64::try_from(progress.events).unwrap_or(u64::MAX);
            if progress.events == 0 && progress.set_aside.is_empty() {
                break;
            }
        }
        let folding = started.elapsed();
        if !swap {
            return Ok(Rebuilt { position: projector.position(), events, folding });
        }
        if attempt == 1 {
            sqlx::query!(r#"select log.grant_like($1, $2)"#, LIVE_SCHEMA, REBUILD_SCHEMA)
                .fetch_one(projector.db())
                .await?;
            analyze(projector.db()).await?;
        }
        if try_swap(live, projector.position()).await? {
            return Ok(Rebuilt { position: projector.position(), events, folding });
        }
    }
    Err(ProjectorError::Fenced(projector.position()))
}

async fn prepare(db: &mut PgConnection) -> Result<(), ProjectorError> {
    // A former rebuild may have died at any point, also between the swap and this.
    sqlx::raw_sql("drop schema if exists views_next cascade; drop schema if exists views_old cascade")
        .execute(&mut *db)
        .await?;
    sqlx::query!(r#"select log.clone_views($1, $2)"#, LIVE_SCHEMA, REBUILD_SCHEMA).fetch_one(&mut *db).await?;
    sqlx::raw_sql(
        "insert into views_next.watermark (position, chain_hash, moved_at) values (0, decode(repeat('00', 32), 'hex'), clock_timestamp())",
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn analyze(db: &mut PgConnection) -> Result<(), ProjectorError> {
    for view in
        sqlx::query!(r#"select tablename::text as "name!" from pg_tables where schemaname = $1"#, REBUILD_SCHEMA)
            .fetch_all(&mut *db)
            .await?
    {
        let statement = format!("analyze {REBUILD_SCHEMA}.\"{}\"", view.name);
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *db).await?;
    }
    Ok(())
}

/// Tries the swap once; false when the live views are elsewhere or busy, so that the rebuild must catch up and try again.
async fn try_swap(db: &mut PgConnection, position: Position) -> Result<bool, ProjectorError> {
    let live = sqlx::query!(r#"select position from views.watermark"#).fetch_one(&mut *db).await?.position;
    if live != position.0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("set local lock_timeout = '{LOCK_TIMEOUT}'"))).execute(&mut *tx).await?;
    let swapped = sqlx::query!(r#"select log.swap_views()"#).fetch_one(&mut *tx).await;
    match swapped {
        Ok(_) => {
            tx.commit().await?;
            if let Err(error) = sqlx::raw_sql("drop schema if exists views_old cascade").execute(db).await {
                tracing::warn!(%error, "the former views could not be dropped yet; the next rebuild drops them");
            }
            Ok(true)
        }
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("55P03" | "40001" | "40P01")) => {
            tx.rollback().await?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Drops the views that a rebuild without a swap has filled.
pub async fn discard(url: &str) -> Result<(), ProjectorError> {
    let mut db = Session::indexer().connect(url).await?;
    sqlx::raw_sql("drop schema if exists views_next cascade").execute(&mut db).await?;
    Ok(())
}
