//! Connections to PostgreSQL: where unqualified names are looked for, and how long anything may take.

use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, PgConnection};

/// The migrations; they are the contract between the indexer and the API.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// Schema that the live views are in.
pub const LIVE_SCHEMA: &str = "views";
/// Schema that a rebuild fills beside them.
pub const REBUILD_SCHEMA: &str = "views_next";

/// How a session of ours behaves.
#[derive(Debug, Clone)]
pub struct Session {
    /// Name that `pg_stat_activity` shows.
    pub application: &'static str,
    /// Schema that unqualified view names mean.
    pub view_schema: &'static str,
    /// Longest a statement may take.
    pub statement_timeout: Duration,
}

impl Session {
    /// The session of the appender and the projector: bounded so that a takeover never waits long.
    pub fn indexer() -> Self {
        Self { application: "chert-indexer", view_schema: LIVE_SCHEMA, statement_timeout: Duration::from_secs(60) }
    }

    /// The options of a connection to a URL.
    pub fn options(&self, url: &str) -> sqlx::Result<PgConnectOptions> {
        let milliseconds = self.statement_timeout.as_millis();
        Ok(PgConnectOptions::from_str(url)?.application_name(self.application).options([
            ("search_path", format!("{},log,public", self.view_schema)),
            ("statement_timeout", milliseconds.to_string()),
            ("lock_timeout", "10000".to_owned()),
            ("idle_in_transaction_session_timeout", "10000".to_owned()),
            ("tcp_keepalives_idle", "2".to_owned()),
            ("tcp_keepalives_interval", "1".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
        ]))
    }

    /// One connection.
    pub async fn connect(&self, url: &str) -> sqlx::Result<PgConnection> {
        PgConnection::connect_with(&self.options(url)?).await
    }

    /// A pool of connections; it does not ping before use, which would double the round trips.
    pub fn pool(&self, url: &str, connections: u32) -> sqlx::Result<PgPool> {
        Ok(PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            .test_before_acquire(false)
            .connect_lazy_with(self.options(url)?))
    }
}

/// Applies what is missing of the migrations, then grants the two roles what they need where these roles exist.
/// The connection must be the owner's and have the default search path.
pub async fn migrate(url: &str, indexer_role: &str, reader_role: &str) -> Result<(), MigrateError> {
    let mut db = PgConnection::connect(url).await?;
    MIGRATOR.run(&mut db).await?;
    let roles = sqlx::query!(
        r#"select count(*) as "count!" from pg_roles where rolname in ($1, $2)"#,
        indexer_role,
        reader_role
    )
    .fetch_one(&mut db)
    .await?;
    if roles.count > 0 {
        sqlx::query!(r#"select log.grant_roles($1, $2)"#, indexer_role, reader_role).fetch_one(&mut db).await?;
    }
    db.close().await?;
    Ok(())
}

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database refused or is away.
    #[error("the database did not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// A migration failed, or the database has one that this program does not know.
    #[error("the schema could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}
