//! What a killed user leaves behind: nothing that runs for long, and nothing that is lost.

use std::{io::BufRead, io::BufReader, path::Path, path::PathBuf, process::Stdio, time::Duration};

use config::{Binaries, Options, PrivateServer, Role, Storage, postgres::testing::test_database};

use crate::{environment::rerun, server::ask, server::tell};

const HOME: &str = "CONFIG_TEST_HOME";

/// Not a test of its own: a user of a server, to be killed from outside.
#[tokio::test]
async fn user_of_a_server() {
    let Some(home) = std::env::var_os(HOME) else { return };
    let storage = Storage::Persistent(PathBuf::from(home));
    let server = PrivateServer::start(Options { storage, binaries: Binaries::Auto }).await.expect("starts");
    server.ensure_database("mine").await.expect("made");
    tell(&server.url(Role::Owner, "mine"), "create table if not exists kept as select 'safe' as what")
        .await
        .expect("written");
    let told = format!("port={} home={}\n", server.port(), server.home().display());
    std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes()).expect("told");
    std::future::pending::<()>().await;
}

/// Starts such a user and returns it with the port and the home of its server.
fn user(home: &Path) -> (std::process::Child, u16, PathBuf) {
    let mut command = rerun("lifetime::user_of_a_server", &[]);
    let mut child = command.env(HOME, home).stdout(Stdio::piped()).spawn().expect("runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let told = lines.find_map(|line| line.expect("text").split_once("port=").map(|(_, told)| told.to_owned()));
    let told = told.expect("a server");
    let (port, home) = told.split_once(" home=").expect("both");
    (child, port.parse().expect("a port"), PathBuf::from(home))
}

async fn until_gone(file: &Path) {
    while file.exists() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_server_outlives_one_killed_user_and_ends_after_the_last() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let asked = folder.path().join("postgres");
    let (mut first, port, home) = user(&asked);
    let (mut second, same_port, _) = user(&asked);
    assert_eq!(port, same_port);
    first.kill().expect("killed");
    first.wait().expect("gone");
    let storage = Storage::Persistent(asked.clone());
    let server = PrivateServer::start(Options { storage, binaries: Binaries::Auto }).await.expect("joins");
    assert_eq!(server.port(), port);
    drop(server);
    second.kill().expect("killed");
    second.wait().expect("gone");
    until_gone(&home.join("supervisor.pid")).await;
    assert!(!home.join("data/postmaster.pid").exists(), "a fast shutdown removes it");
    let log = std::fs::read_to_string(home.join("server.log")).expect("a log");
    assert!(log.contains("database system is shut down"), "{log}");
    clear(&home, folder.path());
}

#[tokio::test]
async fn an_orphaned_server_is_stopped_and_its_data_kept() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let asked = folder.path().join("postgres");
    let (mut child, _, home) = user(&asked);
    let supervisor = std::fs::read_to_string(home.join("supervisor.pid")).expect("a supervisor");
    let killed = std::process::Command::new("kill").args(["-KILL", supervisor.trim()]).status().expect("runs");
    assert!(killed.success());
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert!(home.join("data/postmaster.pid").exists(), "the server is an orphan now");
    let storage = Storage::Persistent(asked);
    let server = PrivateServer::start(Options { storage, binaries: Binaries::Auto }).await.expect("starts again");
    let what = ask(&server.url(Role::Owner, "mine"), "select what from kept").await.expect("answers");
    assert_eq!(what, "safe");
    drop(server);
    until_gone(&home.join("supervisor.pid")).await;
    clear(&home, folder.path());
}

/// Not a test of its own: a user of a test database, to be killed from outside.
#[tokio::test]
async fn user_of_a_test_database() {
    if std::env::var_os(HOME).is_none() {
        return;
    }
    let database = test_database("empty", async |_| Ok::<(), String>(())).await;
    let told = format!("url={}\n", database.url(Role::Reader));
    std::io::Write::write_all(&mut std::io::stdout(), told.as_bytes()).expect("told");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_container_ends_with_its_killed_user() {
    if std::env::var("TEST_PG").as_deref() != Ok("container") {
        return;
    }
    let mut command = rerun("lifetime::user_of_a_test_database", &[(HOME, "/nonexistent")]);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("runs");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let url = lines.find_map(|line| line.expect("text").split_once("url=").map(|(_, url)| url.to_owned()));
    let url = url.expect("a database");
    assert_eq!(ask(&url, "select current_user::text").await.expect("answers"), Role::Reader.name());
    child.kill().expect("killed");
    child.wait().expect("gone");
    while ask(&url, "select ''").await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// As root the home may be elsewhere, where no temporary folder removes it.
fn clear(home: &Path, folder: &Path) {
    if !home.starts_with(folder) {
        std::fs::remove_dir_all(home).expect("removable");
    }
}
