//! What every projection must hold to, over random histories: same log, same rows; any batching, same rows; a fork replaced
//! is the straight chain; rebuilt is the same; and an answer as of a position never changes.

use std::collections::BTreeMap;

use config::postgres::Role;
use indexer::checksum::view_rows;
use indexer::projector::{Projector, rebuild::rebuild};
use indexer::source::scripted::Script;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use schema::db::{REBUILD_SCHEMA, Session};
use schema::event::Position;

use crate::support::{World, assert_same, connect};

const NAMES: [&str; 4] = ["alice", "bob", "carol", "dave"];
const CASES: u32 = 24;

/// One thing that somebody does.
fn action() -> impl Strategy<Value = String> {
    let who = prop::sample::select(&NAMES[..]);
    let id = |n: usize| n.to_string().repeat(64);
    prop_oneof![
        4 => (who.clone(), who.clone(), 0..9_u64, 0..2_u64).prop_map(|(a, b, amount, fee)| format!("{a} -> {b} {amount} fee {fee}")),
        2 => (who.clone(), 1..64_u64).prop_map(|(a, amount)| format!("mint {a} {amount}")),
        1 => (who.clone(), 1..3_u64).prop_map(|(a, amount)| format!("burn {a} {amount}")),
        2 => (who.clone(), 1..4_usize).prop_map(move |(a, n)| format!(r#"{a} !identity.register {{"identity_id":"{}","key":{{"alg":"ed25519","public_key":"00"}},"display_name":"{a}"}}"#, id(n))),
        1 => (who.clone(), 1..4_usize).prop_map(move |(a, n)| format!(r#"{a} !identity.update {{"identity_id":"{}","bio":"by {a}"}}"#, id(n))),
        3 => (who.clone(), 1..4_usize, 1..3_usize).prop_map(move |(a, n, w)| format!(r#"{a} !identity.link_wallet {{"identity_id":"{}","wallet_address":"wallet{w}","link_type":"main","proof":{{"alg":"ml-dsa-44","public_key":"00","signature":"00"}}}}"#, id(n))),
        2 => (who.clone(), 1..4_usize, 1..3_usize).prop_map(move |(a, n, w)| format!(r#"{a} !identity.unlink_wallet {{"identity_id":"{}","wallet_address":"wallet{w}"}}"#, id(n))),
        1 => (who.clone(), 1..9_u64).prop_map(|(a, amount)| format!(r#"{a} !staking.stake {{"account":"{a}","validator":"VAL","amount":{amount}}}"#)),
        1 => (who, 1..9_u64).prop_map(|(a, amount)| format!(r#"{a} !staking.unstake {{"account":"{a}","validator":"VAL","amount":{amount}}}"#)),
    ]
}

/// A random history: blocks of actions, and forks back to some height. Without allocations in block 0 the chain is open, so
/// that overspending is a finding and the history goes on.
fn history() -> impl Strategy<Value = String> {
    let step = prop_oneof![
        3 => prop::collection::vec(action(), 0..4).prop_map(|actions| (None, actions)),
        1 => (0..6_u64).prop_map(|back| (Some(back), Vec::new())),
    ];
    prop::collection::vec(step, 2..14).prop_map(|steps| {
        let (mut height, mut blocks, mut script) = (0_u64, 0_usize, Vec::new());
        for (back, actions) in steps {
            match back {
                None => {
                    height += 1;
                    blocks += 1;
                    script.push(format!("{height}{}: {}", "'".repeat(blocks), actions.join(", ")));
                }
                Some(back) if height > 0 => {
                    height = height.saturating_sub(back + 1);
                    script.push(format!("~{height}"));
                }
                Some(_) => {}
            }
        }
        // A lower head alone is not a fork: only another block at a known height is.
        script.push(format!("{}{}: ", height + 1, "'".repeat(blocks + 1)));
        script.join(" | ")
    })
}

fn straight(script: &str) -> String {
    let mut standing: Vec<(u64, &str)> = Vec::new();
    for step in script.split(" | ").filter(|step| !step.is_empty()) {
        match step.strip_prefix('~') {
            Some(to) => {
                let to: u64 = to.parse().expect("a height");
                standing.retain(|(height, _)| *height <= to);
            }
            None => {
                let label = step.split(':').next().expect("a label").trim_end_matches('\'');
                standing.push((label.parse().expect("a height"), step));
            }
        }
    }
    standing.into_iter().map(|(_, step)| step).collect::<Vec<_>>().join(" | ")
}

async fn obeys_every_law(script: String) {
    let mut world = World::new().await;
    // Folded unit by unit, noting what each position shows.
    let mut shown: BTreeMap<Position, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    world.projector = Projector::open(connect(&world.database).await, 1).await.expect("opens");
    let parsed = Script::parse(&script).expect("a script");
    let source = indexer::source::scripted::ScriptedSource::new(parsed.clone());
    world.add_source("chain", source.clone()).await;
    for steps in 1..=parsed.steps().len() {
        source.play_to(steps);
        world.follow("chain").await;
        while world.projector.step().await.expect("folds").events > 0 {
            shown.insert(world.projector.position(), world.current().await);
        }
    }
    let rows = world.rows().await;

    let mut plain = World::new().await;
    plain.play("chain", &straight(&script)).await;
    plain.project().await;
    assert_same(&rows, &plain.rows().await, "a fork replaced is the straight chain");

    // The same log in one batch, in a second schema.
    let url = world.database.url(Role::Indexer).to_owned();
    rebuild(&url, 100_000, false).await.expect("rebuilds");
    let session = Session { view_schema: REBUILD_SCHEMA, ..Session::indexer() };
    let rebuilt = view_rows(&mut session.connect(&url).await.expect("connects")).await.expect("rows");
    assert_same(&rebuilt, &rows, "rebuilt in one batch is folded unit by unit");

    // As of every position: what was shown there then.
    for (position, then) in &shown {
        assert_eq!(&world.as_of(*position).await, then, "as of {position}");
    }
    rebuild(&url, 7, true).await.expect("rebuilds and swaps");
    world.projector = Projector::open(connect(&world.database).await, 1000).await.expect("opens after the swap");
    assert_same(&world.rows().await, &rows, "swapped in");
    for (position, then) in &shown {
        assert_eq!(&world.as_of(*position).await, then, "as of {position}, after a rebuild");
    }

    // Asked again, the source has nothing new, and nothing changes.
    let before = world.project().await;
    world.add_source("chain", source).await;
    world.follow("chain").await;
    assert_eq!(world.project().await, before, "redelivery changes nothing");
}

#[test]
fn every_projection_obeys_the_laws() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&history(), |script| {
        runtime.block_on(obeys_every_law(script));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
