//! The indexer is killed again and again, and nothing is lost or repeated.

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use config::postgres::Role;
use loadtest::network::{NetworkConfig, ServeOptions, serve};
use rand::{RngExt, SeedableRng};
use schema::source::SourceKind;

use crate::stack::{Stack, assert_same, database, rows, source};

/// How often the process is killed.
const KILLS: u32 = 200;
/// Longest life of a process, as a multiple of what one needs here to begin to append; the shortest ones die while
/// connecting.
const MAX_LIFE: u32 = 3;
/// Longest that the first process may need for that.
const FIRST_APPEND: Duration = Duration::from_secs(60);

/// How often the right to append was taken so far.
async fn takeovers(db: &mut sqlx::PgConnection) -> i64 {
    sqlx::query_scalar!(r#"select epoch from log.log_head"#).fetch_one(db).await.expect("a head")
}

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

    let index = || {
        Command::new(env!("CARGO_BIN_EXE_chert"))
            .args(["index", "--instance", "killed", "--config"])
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("chert starts")
    };
    let mut db = schema::db::Session::indexer().connect(killed.url(Role::Indexer)).await.expect("connects");
    // How long a process needs depends on the machine and on what else runs there.
    let started = Instant::now();
    let mut child = index();
    while takeovers(&mut db).await == 0 && started.elapsed() < FIRST_APPEND {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let longest = started.elapsed() * MAX_LIFE;
    child.kill().expect("killed");
    child.wait().expect("gone");

    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(9);
    for _ in 0..KILLS {
        let mut child = index();
        network.advance(1).await.expect("grows");
        tokio::time::sleep(longest.mul_f64(rng.random_range(0.0..1.0))).await;
        child.kill().expect("killed");
        child.wait().expect("gone");
    }

    // Enough of the processes lived long enough to take the right to append; otherwise this test would show nothing.
    let taken = takeovers(&mut db).await;
    assert!(taken > i64::from(KILLS / 4), "only {taken} processes came to append");

    let head = network.head();
    let undisturbed = Stack::start(vec![source("chert", SourceKind::Chert, &chain_id, network.url())]).await;
    undisturbed.until("the head", |_, source| source["head_hash"].as_str() == Some(head.hash.as_str())).await;
    undisturbed.until_height(head.height).await;

    let mut child = index();
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
