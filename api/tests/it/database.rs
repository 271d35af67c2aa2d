//! A migrated database of its own for every test.

use std::sync::{Mutex, PoisonError};

use config::Role;
use config::postgres::testing::{TestDatabase, test_database};
use sqlx::{AssertSqlSafe, PgConnection};

/// Databases that are in use; they go with their server, which ends after this process.
static IN_USE: Mutex<Vec<TestDatabase>> = Mutex::new(Vec::new());

/// The URL of a new, migrated database, as a superuser.
pub async fn fresh_database() -> String {
    let checksums = schema::db::MIGRATOR.iter().flat_map(|migration| migration.checksum.iter().take(2));
    let key: String = checksums.map(|byte| format!("{byte:02x}")).collect();
    let migrate = async |urls: config::postgres::testing::DatabaseUrls| {
        schema::db::migrate(&urls.owner, Role::Indexer.name(), Role::Reader.name()).await
    };
    let database = test_database(&format!("chert{key}"), migrate).await;
    let url = database.urls().superuser.clone();
    IN_USE.lock().unwrap_or_else(PoisonError::into_inner).push(database);
    url
}

/// Runs SQL text of the test's own making.
pub async fn run(db: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(db).await.unwrap_or_else(|error| panic!("{error} in {sql}"));
}
