//! Which votes count, and with how much power.

use super::{
    ALICE, BOB, CAROL, START, ask, findings, played, proposals, propose, register, stake, unstake, vote, vote_on, votes,
};

#[tokio::test(flavor = "multi_thread")]
async fn worked_number_three() {
    let world = played(&format!("{START} | 4: ALICE_FOR | 5: BOB_CLAIMS_40, CAROL_ABSTAINS | 6: | 7: | 8: | 9:")).await;
    assert_eq!(proposals(&world).await, ["ended passed -: 30/20/5 by 3"]);
    assert_eq!(votes(&world).await, ["for 30: 30", "against 40: 20", "abstain 5: 5"]);
    assert_eq!(findings(&world).await, ["claimed-too-much-power 2, counts"]);
    let opened = "select concat(opened_height, ' ', opened_position = (select end_position from log.log_units where height = 4)) from proposals";
    assert_eq!(ask(&world, opened).await, ["4 t"]);

    let script =
        format!("{START} | 4: ALICE_FOR | 5: BOB_CLAIMS_40, CAROL_ABSTAINS | 6: ALICE_ABSTAINS | 7: | 8: | 9:");
    let world = played(&script).await;
    assert_eq!(proposals(&world).await, ["ended rejected -: 0/20/35 by 3"]);
    assert_eq!(votes(&world).await, ["for 30: 30", "against 40: 20", "abstain 5: 5", "abstain 30: 30"]);
    let ballots = ask(&world, "select concat(vote_choice, ' ', vote_power) from ballots order by voter_identity").await;
    assert_eq!(ballots, ["abstain 30", "against 20", "abstain 5"], "one ballot for each voter");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tie_rejects_and_abstentions_reach_the_quorum_alone() {
    // 30 against 30: Bob has as much as Alice.
    let tie = format!("{START}, {} | 4: ALICE_FOR, {} | 5: @100", stake("bob", 10), vote("bob", BOB, "against", 30));
    assert_eq!(proposals(&played(&tie).await).await, ["ended rejected -: 30/30/0 by 2"]);
    // 30 for and 20 abstaining are exactly the quorum of 50; 30 for and 5 abstaining are not.
    let enough = format!("{START} | 4: ALICE_FOR, {} | 5: @100", vote("bob", BOB, "abstain", 20));
    assert_eq!(proposals(&played(&enough).await).await, ["ended passed -: 30/0/20 by 2"]);
    let short = format!("{START} | 4: ALICE_FOR, CAROL_ABSTAINS | 5: @100");
    assert_eq!(proposals(&played(&short).await).await, ["ended rejected -: 30/0/5 by 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn votes_count_inside_the_window_alone_its_ends_included() {
    // Block 4 is at the first second of the window, block 8 at the last.
    let script = "1: EVERYBODY, WALLETS | 2: STAKES, PROPOSE | 3: ALICE_AGAINST | 4: ALICE_FOR | 5: | 6: | 7: | 8: BOB_AGAINST | 9: CAROL_ABSTAINS";
    let world = played(script).await;
    assert_eq!(proposals(&world).await, ["ended passed -: 30/20/0 by 2"]);
    let cast = ["against 30: vote-outside-window", "for 30: 30", "against 20: 20", "abstain 5: vote-outside-window"];
    assert_eq!(votes(&world).await, cast);
    assert_eq!(findings(&world).await, ["vote-outside-window 1", "vote-outside-window 3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_needs_a_proposal_power_and_the_voters_own_controller() {
    let others = [
        vote_on(8, "alice", ALICE, "for", 30),
        vote("bob", ALICE, "for", 30),
        vote("alice", 9, "for", 30),
        register("dave", 4),
        vote("dave", 4, "for", 0),
    ];
    let world = played(&format!("{START} | 4: {}", others.join(", "))).await;
    let why =
        ["for 30: unknown-proposal", "for 30: not-controller", "for 30: unknown-identity", "for 0: no-voting-power"];
    assert_eq!(votes(&world).await, why);
    assert_eq!(
        findings(&world).await,
        ["unknown-proposal 1", "not-controller 1", "unknown-identity 9", "no-voting-power 4"]
    );
    assert_eq!(proposals(&world).await, ["active - -: 0/0/0 by 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn power_is_that_at_the_end_of_the_block_that_opened_voting() {
    // Stake of the opening block counts for its own votes and for later ones; stake of a later block does not.
    let script =
        format!("{START} | 4: ALICE_FOR, STAKE_64 | 5: {}, BOB_AGAINST | 6: BOB_CLAIMS_40, ALICE_FOR", stake("bob", 8));
    let world = played(&script).await;
    assert_eq!(votes(&world).await, ["for 30: 94", "against 20: 20", "against 40: 20", "for 30: 94"]);
    assert_eq!(proposals(&world).await, ["active - -: 94/20/0 by 2"]);
    // Whoever leaves after the opening still votes with what was there.
    let script = format!("{START} | 4: | 5: {}, UNLINK_ALICE | 6: ALICE_FOR", unstake("alice", 30));
    assert_eq!(votes(&played(&script).await).await, ["for 30: 30"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn votes_on_two_proposals_have_the_power_of_each_ones_opening() {
    let second = propose("alice", ALICE, 8, 60, 100);
    let script = format!(
        "{START}, {second} | 4: | 5: STAKE_64 | 6: ALICE_FOR, {} | 7: {}",
        vote_on(8, "alice", ALICE, "for", 94),
        vote_on(8, "alice", ALICE, "against", 94)
    );
    let world = played(&script).await;
    assert_eq!(proposals(&world).await, ["active - -: 30/0/0 by 1", "active - -: 0/94/0 by 1"]);
    assert_eq!(findings(&world).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_in_a_block_whose_time_goes_back_into_the_window_counts() {
    let world = played(&format!(
        "{START} | 4: ALICE_FOR | 5: @60 | 6: @-60, BOB_AGAINST | 7: {}",
        vote("carol", CAROL, "for", 5)
    ))
    .await;
    assert_eq!(proposals(&world).await, ["ended passed -: 35/20/0 by 3"], "the outcome follows the votes");
}
