//! Forks undo openings, votes, decisions, delegations and stakes, and leave nothing behind.

use indexer::projector::Projector;
use proptest::prelude::*;

use super::{
    ALICE, BOB, CAROL, START, ask, decide, delegate, expand, link, played, propose, stake, unlink, unstake, vote_on,
};
use crate::histories::straight;
use crate::laws::{history_after, obey, obeys_every_law};
use crate::support::{World, assert_same, connect};

/// Random histories.
const CASES: u32 = 12;

/// Forks that undo an opening, votes, decisions, delegations and stakes.
const FORKS: &[(&str, &str)] = &[
    ("an opening undone", "4: ALICE_FOR | 5: BOB_AGAINST | ~3 | 4': STAKE_64 | 5: ALICE_FOR"),
    (
        "an opening later, with other power",
        "4: STAKE_64, ALICE_FOR | ~2 | 3': | 4: PROPOSE, ALICE_FOR | 5: STAKE_64 | 6: ALICE_FOR",
    ),
    ("a proposal undone", "4: ALICE_FOR | ~2 | 3': ALICE_FOR"),
    ("votes undone", "4: ALICE_FOR | 5: BOB_AGAINST, ALICE_AGAINST | ~4 | 5': CAROL_ABSTAINS"),
    ("a vote that does not count undone", "4: | 5: @100 | 6: ALICE_FOR | ~5 | 6': BOB_AGAINST"),
    ("a superseding vote undone", "4: ALICE_FOR | 5: ALICE_AGAINST | ~4 | 5': | 6: ALICE_ABSTAINS"),
    ("an end undone", "4: ALICE_FOR | 5: @100 | ~4 | 5': BOB_AGAINST | 6: @100"),
    (
        "a finalization undone",
        "4: ALICE_FOR | 5: @100, FINALIZE | 6: EXECUTE | ~4 | 5': BOB_AGAINST | 6: @100 | 7: REFUSE",
    ),
    ("an execution undone", "4: ALICE_FOR | 5: @100, FINALIZE | 6: EXECUTE | ~5 | 6': CANCEL"),
    ("a cancellation undone", "4: CANCEL | 5: ALICE_FOR | ~3 | 4': ALICE_FOR | 5: @100"),
    (
        "votes after a fork behind the opening",
        "4: | 5: STAKE_64 | ~4 | 5': ALICE_FOR | 6: STAKE_64 | 7: ALICE_ABSTAINS",
    ),
    ("a delegation undone", "4: TO_BOB_8 | 5: TO_CAROL_16 | ~4 | 5': TO_BOB_64"),
    ("a delegation taken back undone", "4: TO_BOB_8 | 5: FROM_BOB_8 | ~4 | 5': UNSTAKE_16 | 6: FROM_BOB_4"),
    (
        "stake and delegations undone",
        "4: TO_BOB_8, TO_CAROL_16 | 5: UNSTAKE_16 | 6: STAKE_64, TO_BOB_64 | ~4 | 5': UNLINK_ALICE | 6: LINK_ALICE",
    ),
    (
        "a staked wallet's move undone",
        "4: TO_BOB_8 | 5: UNLINK_ALICE, BOB_TAKES_ALICE | 6: UNSTAKE_16 | ~4 | 5': STAKE_64 | 6: UNLINK_ALICE",
    ),
    ("everything undone", "4: TO_BOB_8, ALICE_FOR | ~0 | 1': EVERYBODY | 2: WALLETS, STAKES | 3: PROPOSE, UNSTAKE_16"),
];

#[tokio::test(flavor = "multi_thread")]
async fn forks_end_in_the_rows_of_the_straight_chain() {
    for (name, rest) in FORKS {
        let script = expand(&format!("{START} | {rest}"));
        // Folded block by block, so that nothing stays in memory that is not in the rows.
        let mut forked = World::new().await;
        forked.projector = Projector::open(connect(&forked.database).await, 1).await.expect("opens");
        forked.play("chain", &script).await;
        forked.project().await;
        let mut plain = World::new().await;
        plain.play("chain", &straight(&script)).await;
        plain.project().await;
        assert_same(&forked.rows().await, &plain.rows().await, name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_of_governance_obeys_every_law() {
    let script = "4: ALICE_FOR, TO_BOB_8 | 5: BOB_AGAINST, UNSTAKE_16 | ~3 | 4': STAKE_64, ALICE_FOR | 5: UNLINK_ALICE, BOB_TAKES_ALICE | 6: ALICE_ABSTAINS, BOB_AGAINST | 7: @100, FINALIZE | ~6 | 7': REFUSE";
    obeys_every_law(expand(&format!("{START} | {script}"))).await;
}

/// Random votes, decisions, delegations, stakes and links of everybody, with time going on by leaps.
fn action() -> impl Strategy<Value = String> {
    let who = prop::sample::select(&[("alice", ALICE), ("bob", BOB), ("carol", CAROL)][..]);
    let anybody = prop::sample::select(&[ALICE, BOB, CAROL][..]);
    let amount = prop::sample::select(&[1_u64, 2, 4, 8, 16, 32][..]);
    let choice = prop::sample::select(&["for", "against", "abstain"][..]);
    let proposal = 7..9_u64;
    prop_oneof![
        2 => (who.clone(), amount.clone()).prop_map(|((name, _), amount)| stake(name, amount)),
        2 => (who.clone(), amount.clone()).prop_map(|((name, _), amount)| unstake(name, amount)),
        1 => (who.clone(), anybody.clone()).prop_map(|((name, n), wallet)| link(name, n, ["alice", "bob", "carol"][wallet - 1])),
        1 => (who.clone(), anybody.clone()).prop_map(|((name, n), wallet)| unlink(name, n, ["alice", "bob", "carol"][wallet - 1])),
        3 => (who.clone(), anybody.clone(), amount.clone()).prop_map(|((name, n), to, amount)| delegate("delegate", name, n, to, amount)),
        2 => (who.clone(), anybody, amount.clone()).prop_map(|((name, n), to, amount)| delegate("undelegate", name, n, to, amount)),
        2 => (who.clone(), proposal.clone(), 2..16_u64, 1..16_u64).prop_map(|((name, n), proposal, starts, takes)| propose(name, n, proposal, 5 * starts, 5 * (starts + takes))),
        6 => (who, proposal, choice, amount).prop_map(|((name, n), proposal, choice, power)| vote_on(proposal, name, n, choice, power)),
        1 => prop::sample::select(vec![decide("finalize", r#","outcome":"passed""#), decide("execute", ""), decide("cancel", "")]),
        1 => prop::sample::select(&["@20", "@60", "@-30"][..]).prop_map(str::to_owned),
    ]
}

#[test]
fn random_governance_obeys_every_law() {
    let start = [expand("EVERYBODY, WALLETS"), expand("STAKES, PROPOSE, TO_BOB_8")];
    obey(&history_after(&start, action()), CASES);
}

/// Rows of votes are never touched again, so it is the view's position alone that tells caches of their retraction.
#[tokio::test(flavor = "multi_thread")]
async fn a_retraction_of_a_vote_that_did_not_count_changes_the_view() {
    let world = played(&format!("{START} | 4: @100 | 5: ALICE_FOR | ~4 | 5':")).await;
    let query = "select concat(s.changed_position = r.at_position) from view_state s, log.retractions r where s.view = 'proposals'";
    assert_eq!(ask(&world, query).await, ["t"]);
    let standing = "select position::text from votes v where log.stands(v.source_id, v.position, (select position from watermark))";
    assert_eq!(ask(&world, standing).await, Vec::<String>::new());
    assert_eq!(ask(&world, "select vote_choice from votes").await, ["for"]);
}
