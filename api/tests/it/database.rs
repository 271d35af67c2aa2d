//! A migrated database of its own for every test, on the server that `DATABASE_URL` names.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

static NEXT: AtomicU32 = AtomicU32::new(0);

/// The URL of a new, migrated database.
pub async fn fresh_database() -> String {
    let server = std::env::var("DATABASE_URL").expect("DATABASE_URL names a PostgreSQL server as a superuser");
    let (base, _) = server.split_once('?').unwrap_or((&server, ""));
    let (base, _) = base.rsplit_once('/').expect("a URL with a database");
    let name = format!("api_it_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let mut db = PgConnection::connect(&format!("{base}/postgres")).await.expect("the server answers");
    run(&mut db, format!("create database {name}")).await;
    let url = format!("{base}/{name}");
    schema::db::migrate(&url, "nobody_indexes", "nobody_reads").await.expect("the migrations apply");
    url
}

/// Runs SQL text of the test's own making.
pub async fn run(db: &mut PgConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(db).await.unwrap_or_else(|error| panic!("{error} in {sql}"));
}
