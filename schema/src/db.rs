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
    /// Longest a transaction may wait for its client.
    pub idle_timeout: Duration,
}

impl Session {
    /// The session of the appender: everything that could hold the one row of `log_head` is bounded, so that a takeover
    /// never waits for longer than the lease.
    pub fn appender() -> Self {
        Self {
            application: "chert-appender",
            view_schema: LIVE_SCHEMA,
            statement_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(4),
        }
    }

    /// The session of the projector and of operators' commands.
    pub fn indexer() -> Self {
        Self {
            application: "chert-indexer",
            view_schema: LIVE_SCHEMA,
            statement_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(60),
        }
    }

    /// The options of a connection to a URL.
    pub fn options(&self, url: &str) -> sqlx::Result<PgConnectOptions> {
        let milliseconds = self.statement_timeout.as_millis();
        Ok(PgConnectOptions::from_str(url)?.application_name(self.application).options([
            ("search_path", format!("{},log,public", self.view_schema)),
            ("statement_timeout", milliseconds.to_string()),
            ("lock_timeout", "5000".to_owned()),
            // Our statements are short; compiling one takes longer than running it.
            ("jit", "off".to_owned()),
            ("idle_in_transaction_session_timeout", self.idle_timeout.as_millis().to_string()),
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
    for role in [indexer_role, reader_role] {
        ensure_role(&mut db, role).await?;
    }
    sqlx::query!(r#"select log.grant_roles($1, $2)"#, indexer_role, reader_role).fetch_one(&mut db).await?;
    db.close().await?;
    Ok(())
}

/// Creates a role that is missing, where this connection may; it cannot log in before an operator gives it a password.
async fn ensure_role(db: &mut PgConnection, role: &str) -> Result<(), MigrateError> {
    let row = sqlx::query!(
        r#"
        select
            exists (select 1 from pg_roles where rolname = $1) as "exists!",
            coalesce((select rolcreaterole or rolsuper from pg_roles where rolname = current_user), false) as "may_create!"
        "#,
        role
    )
    .fetch_one(&mut *db)
    .await?;
    match (row.exists, row.may_create) {
        (true, _) => Ok(()),
        (false, true) => {
            sqlx::query!(r#"select log.create_role($1)"#, role).fetch_one(db).await?;
            Ok(())
        }
        (false, false) => Err(MigrateError::RoleMissing { role: role.to_owned() }),
    }
}

/// Why the schema could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// The database refused or is away.
    #[error("the database did not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// A role does not exist and this connection may not create it.
    #[error(
        "role {role} does not exist and may not be created by this user: run `create role {role} login password '…'; grant {role} to` this user, as a superuser"
    )]
    RoleMissing {
        /// The role.
        role: String,
    },
    /// A migration failed, or the database has one that this program does not know.
    #[error("the schema could not be migrated: {0}")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}
