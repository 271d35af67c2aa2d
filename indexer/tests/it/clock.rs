//! Blocks dated ahead of this machine's clock: refused, counted, shown, and taken when their time has come.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use indexer::ingest::{FollowError, Round};
use indexer::source::scripted::{Script, ScriptedSource};

use crate::support::{World, assert_same};

/// Time of a script's block 0 in unix seconds; every block is ten seconds later than the one before.
const GENESIS_SECONDS: i64 = 1_767_225_600;
/// How far ahead a block may be in these tests.
const LIMIT: Duration = Duration::from_secs(60);

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(GENESIS_SECONDS + seconds, 0).expect("a time")
}

fn script(text: &str) -> Script {
    Script::parse(text).expect("a script")
}

/// Follows a script to its end under a clock.
async fn world(clock: fn() -> DateTime<Utc>, text: &str) -> (World, ScriptedSource) {
    let mut world = World::new().await;
    world.max_clock_skew = Some(LIMIT);
    world.clock = clock;
    let source = world.add("chain", text).await;
    source.play_all();
    (world, source)
}

/// The refusal that the next round ends in, as its sentence.
async fn refusal(world: &mut World) -> String {
    let error = world.follower("chain").round().await.expect_err("a block from the future");
    assert!(matches!(error, FollowError::AheadOfClock { .. }), "{error:?}");
    assert_eq!(error.class(), "ahead_of_clock");
    error.to_string()
}

async fn moneys(world: &mut World) -> BTreeMap<String, i64> {
    world.project().await;
    let mut balances = world.balances("chain").await;
    balances.retain(|_, balance| *balance != 0);
    balances
}

fn expected(balances: &[(&str, i64)]) -> BTreeMap<String, i64> {
    balances.iter().map(|(name, balance)| ((*name).to_owned(), *balance)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_from_the_future_waits_for_its_time_and_those_below_it_do_not() {
    static NOW: AtomicI64 = AtomicI64::new(20);
    let chain = "1: mint alice 64 | 2: @100000, alice -> bob 2 | 3: alice -> bob 4";
    let (mut world, _) = world(|| at(NOW.load(Ordering::SeqCst)), chain).await;
    let why = refusal(&mut world).await;
    for part in ["block 2 ", "2026-01-02T03:47:00Z", "2026-01-01T00:00:20Z", "60 s", "max_clock_skew_secs"] {
        assert!(why.contains(part), "{part} is missing: {why}");
    }
    assert_eq!(moneys(&mut world).await, expected(&[("alice", 64)]));
    let before = world.project().await;
    // One second too early is refused like a day, and nothing is appended by trying again.
    NOW.store(100_020 - 61, Ordering::SeqCst);
    assert!(refusal(&mut world).await.contains("2026-01-02T03:45:59Z"));
    assert_eq!(world.project().await, before);
    // The limit itself is allowed; block 3 is ten seconds later than that.
    NOW.store(100_020 - 60, Ordering::SeqCst);
    assert!(refusal(&mut world).await.contains("block 3 "));
    assert_eq!(moneys(&mut world).await, expected(&[("alice", 62), ("bob", 2)]));
    NOW.store(100_020, Ordering::SeqCst);
    world.follow("chain").await;
    assert_eq!(moneys(&mut world).await, expected(&[("alice", 58), ("bob", 6)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backfill_stores_nothing_of_a_chain_that_begins_in_the_future() {
    let chain = "0: @100000, allocate alice 64 | 1: alice -> bob 2";
    let (mut world, source) = world(|| at(0), chain).await;
    let why = refusal(&mut world).await;
    assert!(why.contains("block 0 "), "{why}");
    assert_eq!(moneys(&mut world).await, expected(&[]));
    source.replace(script("0: allocate alice 64 | 1: alice -> bob 2"));
    world.follow("chain").await;
    assert_eq!(moneys(&mut world).await, expected(&[("alice", 62), ("bob", 2)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_into_the_future_is_refused_until_the_node_is_on_another_branch() {
    let (mut world, source) = world(|| at(100), "1: mint alice 64 | 2: alice -> bob 2 | 3: ").await;
    world.follow("chain").await;
    assert_eq!(moneys(&mut world).await, expected(&[("alice", 62), ("bob", 2)]));
    source
        .replace(script("1: mint alice 64 | 2': alice -> carol 4 | 3: @9000, alice -> carol 8 | 4: alice -> dave 16"));
    let mut refused = None;
    for _ in 0..10 {
        match world.follower("chain").round().await {
            Ok(Round::Moved) => {}
            Ok(round) => panic!("{round:?} before the block from the future"),
            Err(error) => {
                refused = Some(error.to_string());
                break;
            }
        }
    }
    assert!(refused.is_some_and(|why| why.contains("block 3 ")));
    assert_eq!(moneys(&mut world).await, expected(&[("alice", 60), ("carol", 4)]));
    let standing = "1: mint alice 64 | 2'': alice -> carol 32 | 3: alice -> dave 1";
    source.replace(script(standing));
    world.follow("chain").await;
    world.project().await;
    let mut plain = World::new().await;
    plain.play("chain", standing).await;
    plain.project().await;
    assert_same(&world.rows().await, &plain.rows().await, "after a fork into the future");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_blocks_are_taken_and_without_a_limit_every_block_is() {
    let before = "1: mint alice 64 | 2: @-500, alice -> bob 2 | 3: ";
    let (mut past, _) = world(|| at(1_000_000_000), before).await;
    past.follow("chain").await;
    assert_eq!(moneys(&mut past).await, expected(&[("alice", 62), ("bob", 2)]));
    let mut world = World::new().await;
    world.add("chain", "1: mint alice 64 | 2: @200000000000, alice -> bob 2").await.play_all();
    world.follow("chain").await;
    assert_eq!(moneys(&mut world).await, expected(&[("alice", 62), ("bob", 2)]));
}
