//! A database of its own for every test, in a few milliseconds: the schema is migrated once into a template, and each
//! test gets a copy. It must not know the schema; the caller brings the migration.
//!
//! The server is the one that `DATABASE_URL` names (as a superuser), or a container with `TEST_PG=container`, or the
//! private one that all test programs of a build folder share. What is asked for and cannot be had is an error; no
//! other server is taken in its place.

mod backend;
mod container;

use std::{
    fmt::Display,
    sync::{Arc, Weak, atomic::AtomicU32, atomic::Ordering, mpsc},
    time::Duration,
};

use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use tokio::sync::Mutex;

use super::{PostgresError, Role, roles};
use backend::Backend;

/// How long the end of a test waits for its database to be dropped; what is not dropped goes with the server.
const DROP_TIMEOUT: Duration = Duration::from_secs(5);

/// The server of this process, as long as a test uses it.
static CURRENT: Mutex<Weak<TestServer>> = Mutex::const_new(Weak::new());
/// Numbers the databases of this process.
static NEXT: AtomicU32 = AtomicU32::new(0);

/// The addresses of one database.
#[derive(Clone, Debug)]
pub struct DatabaseUrls {
    /// As the superuser.
    pub superuser: String,
    /// As the owner.
    pub owner: String,
    /// As the indexer.
    pub indexer: String,
    /// As the reader.
    pub reader: String,
}

impl DatabaseUrls {
    /// As one of the three roles.
    pub fn url(&self, role: Role) -> &str {
        match role {
            Role::Owner => &self.owner,
            Role::Indexer => &self.indexer,
            Role::Reader => &self.reader,
        }
    }
}

/// A server for tests.
#[derive(Debug)]
pub struct TestServer {
    backend: Backend,
}

impl TestServer {
    /// The server that the tests of this process share; it ends after the last of them.
    ///
    /// # Errors
    ///
    /// When the server that the environment asks for cannot be had.
    pub async fn shared() -> Result<Arc<Self>, PostgresError> {
        let mut current = CURRENT.lock().await;
        if let Some(server) = current.upgrade() {
            return Ok(server);
        }
        let server = Arc::new(Self { backend: Backend::from_env().await? });
        *current = Arc::downgrade(&server);
        Ok(server)
    }

    /// The addresses of a database of this server.
    pub fn urls(&self, database: &str) -> DatabaseUrls {
        DatabaseUrls {
            superuser: self.backend.superuser_url(database),
            owner: self.backend.url(Role::Owner, database),
            indexer: self.backend.url(Role::Indexer, database),
            reader: self.backend.url(Role::Reader, database),
        }
    }

    /// A new database, a copy of the template that `migrate` fills once per server. `key` stands for everything that
    /// `migrate` does: a hash of the migrations, for example. `migrate` must close what it opens.
    ///
    /// # Errors
    ///
    /// When the server does not answer, or with the words of `migrate`.
    pub async fn database<E: Display>(
        self: &Arc<Self>,
        key: &str,
        migrate: impl AsyncFnOnce(DatabaseUrls) -> Result<(), E>,
    ) -> Result<TestDatabase, PostgresError> {
        let template = format!("tpl_{}", hex::encode(&Sha256::digest(key)[..8]));
        let mut connection = PgConnection::connect(&self.backend.maintenance_url()).await?;
        if !is_ready(&mut connection, &template).await? {
            self.fill_template(&mut connection, &template, migrate).await?;
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // The token keeps apart the processes of two machines or two runs that have the same number on one server.
        let name = format!("t_{}_{}_{number}", std::process::id(), &roles::random_hex()?[..6]);
        let create = format!("create database {name} owner chert_owner template {template} strategy file_copy");
        roles::execute(&mut connection, create).await?;
        let database = TestDatabase { urls: self.urls(&name), name, server: Arc::clone(self) };
        roles::restrict(&mut connection, &database.name).await?;
        connection.close().await?;
        Ok(database)
    }

    /// Fills the template under another name and renames it, so that it is either whole or not there.
    async fn fill_template<E: Display>(
        &self,
        connection: &mut PgConnection,
        template: &str,
        migrate: impl AsyncFnOnce(DatabaseUrls) -> Result<(), E>,
    ) -> Result<(), PostgresError> {
        let lock = format!("hashtextextended('{template}', 0)");
        roles::execute(connection, format!("select pg_advisory_lock({lock})")).await?;
        if !is_ready(connection, template).await? {
            let draft = format!("{template}_draft");
            roles::execute(connection, format!("drop database if exists {draft} with (force)")).await?;
            roles::execute(connection, format!("create database {draft} owner chert_owner")).await?;
            roles::restrict(connection, &draft).await?;
            migrate(self.urls(&draft))
                .await
                .map_err(|error| PostgresError::Unexpected { what: format!("the test schema: {error}") })?;
            // A pool that was closed a moment ago may still have a connection that is on its way out.
            roles::execute(connection, format!("alter database {draft} allow_connections false")).await?;
            let others =
                format!("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = '{draft}'");
            roles::execute(connection, others).await?;
            roles::execute(connection, format!("alter database {draft} rename to {template}")).await?;
            roles::execute(connection, format!("alter database {template} is_template true")).await?;
        }
        roles::execute(connection, format!("select pg_advisory_unlock({lock})")).await
    }
}

async fn is_ready(connection: &mut PgConnection, template: &str) -> Result<bool, PostgresError> {
    let sql = format!("select from pg_database where datname = '{template}' and datistemplate");
    roles::has_rows(connection, sql).await
}

/// A database of one test; it is dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
    urls: DatabaseUrls,
    server: Arc<TestServer>,
}

impl TestDatabase {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its address as one of the three roles.
    pub fn url(&self, role: Role) -> &str {
        self.urls.url(role)
    }

    /// Its addresses.
    pub fn urls(&self) -> &DatabaseUrls {
        &self.urls
    }

    /// The server that it is on.
    pub fn server(&self) -> &Arc<TestServer> {
        &self.server
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (url, name) = (self.server.backend.maintenance_url(), self.name.clone());
        let (done, is_done) = mpsc::channel();
        // A thread with its own runtime: this may run inside a runtime that cannot wait, or is about to end.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if let Ok(runtime) = runtime {
                let _ = runtime.block_on(drop_database(&url, &name));
            }
            let _ = done.send(());
        });
        let _ = is_done.recv_timeout(DROP_TIMEOUT);
    }
}

async fn drop_database(url: &str, name: &str) -> Result<(), PostgresError> {
    let mut connection = PgConnection::connect(url).await?;
    roles::execute(&mut connection, format!("drop database if exists {name} with (force)")).await?;
    Ok(connection.close().await?)
}

/// A new database on the shared server, as [`TestServer::database`] makes it.
///
/// # Panics
///
/// When there is none, with the reason: a test that needs PostgreSQL fails without it.
pub async fn test_database<E: Display>(
    key: &str,
    migrate: impl AsyncFnOnce(DatabaseUrls) -> Result<(), E>,
) -> TestDatabase {
    let made = match TestServer::shared().await {
        Ok(server) => server.database(key, migrate).await,
        Err(error) => Err(error),
    };
    made.unwrap_or_else(|error| panic!("no test database: {error}"))
}
