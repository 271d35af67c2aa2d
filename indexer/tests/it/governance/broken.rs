//! Rows that do not agree with each other are not published: the view stays at its last good position.

use indexer::source::scripted::{Script, ScriptedSource};
use sqlx::Executor;

use super::{START, ask, expand};
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
