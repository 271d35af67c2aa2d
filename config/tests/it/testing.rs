//! Databases for tests: copies of a template that is filled once.

use std::sync::atomic::{AtomicU32, Ordering};

use config::{
    Role,
    postgres::testing::{DatabaseUrls, TestServer, test_database},
};

use crate::server::{ask, tell};

static FILLED: AtomicU32 = AtomicU32::new(0);

async fn fill(urls: DatabaseUrls) -> sqlx::Result<()> {
    FILLED.fetch_add(1, Ordering::Relaxed);
    tell(&urls.owner, "create table notes (note text); grant select on notes to chert_reader").await
}

#[tokio::test]
async fn three_tests_get_three_databases_from_one_template() {
    // A key of its own for each run, because the server may be one that an earlier run has filled.
    let key = format!("notes {}", std::process::id());
    let (a, b, c) = tokio::join!(test_database(&key, fill), test_database(&key, fill), test_database(&key, fill));
    assert_eq!(FILLED.load(Ordering::Relaxed), 1);
    for database in [&a, &b, &c] {
        let note = format!("insert into notes values ('{}')", database.name());
        tell(database.url(Role::Owner), &note).await.expect("written");
    }
    for database in [&a, &b, &c] {
        let note = ask(database.url(Role::Reader), "select string_agg(note, ' ') from notes").await;
        assert_eq!(note.expect("answers"), database.name());
    }
    let (name, url) = (a.name().to_owned(), b.urls().superuser.clone());
    drop(a);
    let left = ask(&url, &format!("select count(*)::text from pg_database where datname = '{name}'")).await;
    assert_eq!(left.expect("answers"), "0");
}

#[tokio::test]
async fn a_failing_migration_is_told_and_tried_again() {
    let key = format!("failing {}", std::process::id());
    let server = TestServer::shared().await.expect("a server");
    let failed = server.database(&key, async |_| Err("no such thing")).await;
    assert!(failed.expect_err("failed").to_string().contains("no such thing"));
    server.database(&key, async |_| Ok::<(), String>(())).await.expect("works the second time");
}
