//! Rows that do not agree with each other are not published: the view stays at its last good position.

use indexer::projector::Projector;
use indexer::source::scripted::{Script, ScriptedSource};
use sqlx::Executor;

use super::{ALICE, BOB, CAROL, START, ask, expand, id};
use crate::support::{World, connect};

/// Folds all but the last block, tampers with the rows, and folds the last one; returns the views that are set aside.
async fn set_aside(rest: &str, tamper: &'static str) -> Vec<String> {
    let script = Script::parse(&expand(&format!("{START} | {rest}"))).expect("a script");
    let source = ScriptedSource::new(script.clone());
    let mut world = World::new().await;
    world.add_source("chain", source.clone()).await;
    source.play_to(script.steps().len() - 1);
    world.follow("chain").await;
    let good = world.project().await;
    connect(&world.database).await.execute(tamper).await.expect("tampered with");
    source.play_all();
    world.follow("chain").await;
    world.project().await;
    let stopped = format!("select distinct position = {good} from view_state where state = 'set_aside'");
    assert!(ask(&world, &format!("select x::text from ({stopped}) s (x)")).await.iter().all(|good| good == "true"));
    ask(&world, "select view from view_state where state = 'set_aside' order by view").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tally_that_is_not_the_sum_of_its_votes_sets_proposals_aside() {
    let votes = "4: ALICE_FOR | 5: BOB_AGAINST";
    assert_eq!(set_aside(votes, "update ballots set vote_power = vote_power + 1").await, ["proposals"]);
    assert_eq!(set_aside(votes, "update proposals set voters = voters + 1").await, ["proposals"]);
    assert_eq!(set_aside(votes, "update votes set vote_power = vote_power").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn power_that_is_not_what_stakes_and_delegations_come_to_sets_powers_aside() {
    let delegated = "4: TO_BOB_8 | 5: STAKE_64, FROM_BOB_4";
    let both = ["powers", "proposals"];
    assert_eq!(set_aside(delegated, "update powers set own_stake = own_stake + 1").await, both);
    assert_eq!(set_aside(delegated, "update powers set delegated_in = delegated_in + 1").await, both);
    assert_eq!(set_aside(delegated, "update delegations set counted = counted + 1").await, both);
    assert_eq!(set_aside(delegated, "update powers set own_stake = own_stake").await, Vec::<String>::new());
}

/// Folds up to block 4, tampers with the rows, and folds five more blocks in one batch, in the third of which alice stakes
/// and in the fourth of which she follows bob. Returns the views set aside with the height of the block that they failed
/// at, as the engine says it, and each such view with the height that it stays at.
async fn failing_in_one_batch(tamper: &'static str) -> (Vec<String>, Vec<String>) {
    let follow = |who: &str, from, to| {
        let (from, to) = (id(from), id(to));
        format!(r#"{who} !social.follow {{"follower":"{from}","following":"{to}"}}"#)
    };
    let (carol, alice) = (follow("carol", CAROL, BOB), follow("alice", ALICE, BOB));
    let told = format!("{START} | 4: TO_BOB_8, {carol} | 5: | 6: | 7: STAKE_64 | 8: {alice} | 9: ");
    let script = Script::parse(&expand(&told)).expect("a script");
    let source = ScriptedSource::new(script.clone());
    let mut world = World::new().await;
    world.add_source("chain", source.clone()).await;
    source.play_to(script.steps().len() - 5);
    world.follow("chain").await;
    world.project().await;
    connect(&world.database).await.execute(tamper).await.expect("tampered with");
    source.play_all();
    world.follow("chain").await;
    // What was tampered with must be read again.
    world.projector = Projector::open(connect(&world.database).await, 1_000).await.expect("opens");
    let progress = world.projector.step().await.expect("goes on without the views");
    assert!(progress.events > 5, "one batch");
    let after = world.projector.step().await.expect("has caught up");
    assert_eq!((after.events, after.position, after.set_aside), (0, progress.position, Vec::new()));
    let height = |position: i64| format!("select height::text from log.log_units where end_position = {position}");
    assert_eq!(ask(&world, &height(progress.position.0)).await, ["9"]);
    let mut failed = Vec::new();
    for broken in progress.set_aside {
        failed.push(format!("{} {}", broken.view, ask(&world, &height(broken.position.0)).await.concat()));
    }
    let stays = "select view || ' ' || height from view_state join log.log_units u on u.end_position = position \
                 where state = 'set_aside' order by view";
    let stays = ask(&world, stays).await;
    let live = "select distinct height::text from view_state join log.log_units u on u.end_position = position \
                where state = 'live'";
    assert_eq!(ask(&world, live).await, ["9"], "the others go on to the end");
    (failed, stays)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_view_that_is_refused_within_a_batch_is_set_aside_at_that_block() {
    let (failed, stays) = failing_in_one_batch("update powers set own_stake = own_stake + 1").await;
    assert_eq!(failed, ["powers 7"]);
    assert_eq!(stays, ["powers 6", "proposals 6"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_view_that_breaks_and_one_that_is_refused_before_are_both_set_aside() {
    let tamper = "update powers set own_stake = own_stake + 1; update social_counts set followers = -5";
    let (failed, stays) = failing_in_one_batch(tamper).await;
    assert_eq!(failed, ["powers 7", "social 8"]);
    assert_eq!(stays, ["powers 6", "proposals 6", "social 7"]);
}
