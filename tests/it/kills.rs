//! The indexer is killed again and again, and nothing is lost or repeated.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use config::postgres::Role;
use loadtest::network::{NetworkConfig, ServeOptions, serve};
use rand::{RngExt, SeedableRng};
use schema::source::SourceKind;

use crate::stack::{Stack, assert_same, database, rows, source};

/// How often the process is killed.
const KILLS: u32 = 200;
/// Longest life of a process, in milliseconds; the shortest ones die while connecting.
const MAX_LIFE_MS: u64 = 250;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_kills_end_in_the_rows_of_an_undisturbed_run() {
    let config = NetworkConfig {
        history_blocks: 100,
        accounts: 90,
        identities: 30,
        fork_every_blocks: 8,
        ..NetworkConfig::default()
    };
    let chain_id = config.chain_id.clone();
    let options = ServeOptions { pace_ms: Some(0), ..ServeOptions::default() };
    let network = serve(config, SocketAddr::from(([127, 0, 0, 1], 0)), options).await.expect("the network starts");
    let killed = database().await;
    let folder = tempfile::tempdir().expect("a folder");
    let settings = folder.path().join("settings.toml");
    let text = format!(
        "[database]\nindexer_url = \"{}\"\n[indexer]\nsync_interval_ms = 5\nbatch_size = 7\nmax_batch_events = 200\n[telemetry]\nlog_filter = \"error\"\n[[source]]\nname = \"chert\"\nkind = \"chert\"\nurl = \"{}\"\nchain_id = \"{chain_id}\"\n",
        killed.url(Role::Indexer),
        network.url()
    );
    std::fs::write(&settings, text).expect("written");

    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
    for _ in 0..KILLS {
        let mut child = Command::new(env!("CARGO_BIN_EXE_chert"))
            .args(["index", "--instance", "killed", "--config"])
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("chert starts");
        network.advance(1).await.expect("grows");
        tokio::time::sleep(Duration::from_millis(rng.random_range(1..MAX_LIFE_MS))).await;
        child.kill().expect("killed");
        child.wait().expect("gone");
    }

    // Most of the processes lived long enough to take the right to append; otherwise this test would show nothing.
    let mut db = schema::db::Session::indexer().connect(killed.url(Role::Indexer)).await.expect("connects");
    let takeovers = sqlx::query_scalar!(r#"select epoch from log.log_head"#).fetch_one(&mut db).await.expect("a head");
    assert!(takeovers > i64::from(KILLS / 2), "only {takeovers} processes came to append");

    let head = network.head();
    let undisturbed = Stack::start(vec![source("chert", SourceKind::Chert, &chain_id, network.url())]).await;
    undisturbed.until("the head", |_, source| source["head_hash"].as_str() == Some(head.hash.as_str())).await;
    undisturbed.until_height(head.height).await;

    let mut child = Command::new(env!("CARGO_BIN_EXE_chert"))
        .args(["index", "--instance", "killed", "--config"])
        .arg(&settings)
        .stdout(Stdio::null())
        .spawn()
        .expect("chert starts");
    let expected = undisturbed.rows().await;
    let heads = |rows: &[indexer::checksum::ViewRows]| {
        rows.iter().find(|rows| rows.view == "heads").map(|rows| rows.lines.clone()).expect("heads")
    };
    let mut waited = 0;
    while heads(&rows(&killed).await) != heads(&expected) && waited < 600 {
        waited += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    child.kill().expect("killed");
    child.wait().expect("gone");
    assert_same(&rows(&killed).await, &expected, "after the kills");
    let check = schema::store::verify_log(&mut db).await.expect("every hash of the log agrees");
    assert!(check.events > 0);
    undisturbed.stop().await;
    network.stop().await.expect("the network ends");
}
