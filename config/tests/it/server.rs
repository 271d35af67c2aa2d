//! A server of its own: roles, databases, restart.

use config::{Binaries, Options, PrivateServer, Role, Storage};
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

/// One text from one statement.
pub async fn ask(url: &str, sql: &str) -> sqlx::Result<String> {
    let mut connection = PgConnection::connect(url).await?;
    let row = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await?;
    connection.close().await?;
    row.try_get(0)
}

/// Statements without an answer.
pub async fn tell(url: &str, sql: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await?;
    connection.close().await
}

async fn start(storage: Storage) -> PrivateServer {
    let binaries = Binaries::from_env().expect("CHERT_PG is good");
    PrivateServer::start(Options { storage, binaries }).await.expect("starts")
}

#[tokio::test]
async fn three_roles_share_a_database_that_is_closed_to_others() {
    let server = start(Storage::Ephemeral).await;
    let major: u32 = server.version().split('.').next().and_then(|major| major.parse().ok()).expect("a version");
    assert!(major >= 15);
    server.ensure_database("mine").await.expect("made");
    server.ensure_database("mine").await.expect("made twice");
    for role in Role::ALL {
        let who = ask(&server.url(role, "mine"), "select current_user::text").await.expect("answers");
        assert_eq!(who, role.name());
    }
    let owner = server.url(Role::Owner, "mine");
    tell(&owner, "create schema views authorization chert_indexer").await.expect("the owner acts for the indexer");
    let refused = tell(&server.url(Role::Reader, "mine"), "create table t ()").await;
    assert!(refused.is_err(), "the reader only reads");
    let superuser = server.superuser_url("postgres");
    tell(&superuser, "create role stranger login password 'stranger'").await.expect("made");
    let stranger = owner.replace("chert_owner", "stranger");
    let (before, after) = stranger.split_once("stranger:").expect("a user");
    let (_, host) = after.split_once('@').expect("a host");
    let refused = PgConnection::connect(&format!("{before}stranger:stranger@{host}")).await;
    assert!(refused.expect_err("no way in").to_string().contains("permission denied"));
    let open = PgConnection::connect(&format!("postgres://postgres@{host}")).await;
    assert!(open.is_err(), "a superuser needs the password");
    assert!(server.ensure_database("a\"; drop").await.is_err());
}

#[tokio::test]
async fn data_and_passwords_survive_a_restart() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = folder.path().join("postgres");
    let server = start(Storage::Persistent(home.clone())).await;
    server.ensure_database("mine").await.expect("made");
    let url = server.url(Role::Owner, "mine");
    tell(&url, "create table kept as select 'still here' as what").await.expect("written");
    let joined = start(Storage::Persistent(home.clone())).await;
    assert_eq!((joined.port(), joined.home()), (server.port(), server.home()));
    let found = server.home().join("data/postmaster.pid");
    drop((server, joined));
    // The next start waits for the old server to go, or finds it still there; waiting here makes sure of the former.
    while found.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let server = start(Storage::Persistent(home)).await;
    let what = ask(&server.url(Role::Owner, "mine"), "select what from kept").await.expect("answers");
    assert_eq!(what, "still here");
    let fallback = server.home().to_owned();
    drop(server);
    while fallback.join("supervisor.pid").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    if !fallback.starts_with(folder.path()) {
        std::fs::remove_dir_all(fallback).expect("removable");
    }
}

#[tokio::test]
async fn a_folder_with_other_files_is_left_alone() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("diary.txt"), "").expect("writable");
    let storage = Storage::Persistent(folder.path().to_owned());
    let refused = PrivateServer::start(Options { storage, binaries: Binaries::Auto }).await;
    let text = refused.expect_err("refused").to_string();
    assert!(text.contains("holds other files") || text.contains("belongs to user"), "{text}");
}
