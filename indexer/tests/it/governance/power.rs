//! Stake, delegation, and the power that they come to.

use super::{
    ALICE, BOB, CAROL, ask, delegate, findings, id, played, powers, proposals, propose, register, stake, unlink,
    unstake, vote,
};

#[tokio::test(flavor = "multi_thread")]
async fn delegation_is_one_level_and_its_excess_counts_nothing() {
    let bob_passes_on = delegate("delegate", "bob", BOB, CAROL, 24);
    let world = played(&format!("1: EVERYBODY, WALLETS | 2: STAKES | 3: TO_BOB_8 | 4: {bob_passes_on}")).await;
    assert_eq!(powers(&world).await, ["1: 30 + 0 - 8", "2: 20 + 8 - 20", "3: 5 + 20 - 0"]);
    assert_eq!(findings(&world).await, ["delegated-too-much 2, counts"]);

    let world =
        played("1: EVERYBODY, WALLETS | 2: STAKES | 3: TO_BOB_64, TO_CAROL_16 | 4: FROM_BOB_8, FROM_BOB_4").await;
    assert_eq!(powers(&world).await, ["1: 30 + 0 - 18", "2: 20 + 18 - 0", "3: 5 + 0 - 0"]);
    assert_eq!(findings(&world).await, ["delegated-too-much 1, counts", "delegated-too-much 1"]);
    let kept = "select concat(amount, ' ', counted, ' ', created_at < updated_at) from delegations";
    assert_eq!(ask(&world, kept).await, ["18 18 t"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_judged_by_the_stake_at_its_end() {
    // Delegated before the stake of the same block, and before it is unstaked again.
    let world = played("1: EVERYBODY, WALLETS | 2: TO_BOB_8, STAKES").await;
    assert_eq!(powers(&world).await, ["1: 30 + 0 - 8", "2: 20 + 8 - 0", "3: 5 + 0 - 0"]);
    assert_eq!(findings(&world).await, Vec::<String>::new());
    let world = played(&format!("1: EVERYBODY, WALLETS | 2: STAKES, TO_BOB_8, {}", unstake("alice", 26))).await;
    assert_eq!(powers(&world).await, ["1: 4 + 0 - 4", "2: 20 + 4 - 0", "3: 5 + 0 - 0"]);
    assert_eq!(findings(&world).await, ["delegated-too-much 1, counts"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_delegate_to_whom() {
    let said = [
        delegate("delegate", "bob", ALICE, CAROL, 1),
        delegate("delegate", "alice", ALICE, ALICE, 1),
        delegate("delegate", "alice", ALICE, 9, 1),
        delegate("delegate", "dave", 9, ALICE, 1),
        delegate("undelegate", "alice", ALICE, BOB, 1),
    ];
    let world = played(&format!("1: EVERYBODY, WALLETS | 2: STAKES | 3: {}", said.join(", "))).await;
    let wrong =
        ["not-controller 1", "self-delegation 1", "unknown-identity 9", "unknown-identity 9", "undelegated-too-much 1"];
    assert_eq!(findings(&world).await, wrong);
    assert_eq!(powers(&world).await, ["1: 30 + 0 - 0", "2: 20 + 0 - 0", "3: 5 + 0 - 0"]);
    assert_eq!(ask(&world, "select delegator_id::text from delegations").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn stake_covers_the_oldest_delegation_first_and_revives_it() {
    let script = "1: EVERYBODY, WALLETS | 2: STAKES | 3: TO_CAROL_16 | 4: TO_BOB_8";
    let counted = "select concat(left(encode(delegatee_id, 'hex'), 1), ': ', counted, ' of ', amount) from delegations order by claim_position";
    let world = played(&format!("{script} | 5: UNSTAKE_16")).await;
    assert_eq!(powers(&world).await, ["1: 14 + 0 - 14", "2: 20 + 0 - 0", "3: 5 + 14 - 0"]);
    assert_eq!(ask(&world, counted).await, ["3: 14 of 16", "2: 0 of 8"]);
    let world = played(&format!("{script} | 5: UNSTAKE_16 | 6: FROM_BOB_8 | 7: {}", unstake("alice", 14))).await;
    assert_eq!(powers(&world).await, ["1: 0 + 0 - 0", "2: 20 + 0 - 0", "3: 5 + 0 - 0"]);
    assert_eq!(ask(&world, counted).await, ["3: 0 of 16"]);
    let world = played(&format!("{script} | 5: UNSTAKE_16 | 6: STAKE_64 | 7: TO_BOB_8")).await;
    assert_eq!(powers(&world).await, ["1: 78 + 0 - 32", "2: 20 + 16 - 0", "3: 5 + 16 - 0"]);
    assert_eq!(ask(&world, counted).await, ["3: 16 of 16", "2: 16 of 16"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stake_moves_with_its_wallet() {
    let start = "1: EVERYBODY, WALLETS | 2: STAKES | 3: TO_BOB_8";
    let world = played(&format!("{start} | 4: UNLINK_ALICE")).await;
    assert_eq!(powers(&world).await, ["1: 0 + 0 - 0", "2: 20 + 0 - 0", "3: 5 + 0 - 0"]);
    // Unlinked, staked, linked by another and staked again, all in one block.
    let world = played(&format!("{start} | 4: UNLINK_ALICE, UNSTAKE_16, BOB_TAKES_ALICE, STAKE_64")).await;
    assert_eq!(powers(&world).await, ["1: 0 + 0 - 0", "2: 98 + 0 - 0", "3: 5 + 0 - 0"]);
    // And back: the delegation revives.
    let back = unlink("bob", BOB, "alice");
    let world = played(&format!("{start} | 4: UNLINK_ALICE | 5: BOB_TAKES_ALICE | 6: {back}, LINK_ALICE")).await;
    assert_eq!(powers(&world).await, ["1: 30 + 0 - 8", "2: 20 + 8 - 0", "3: 5 + 0 - 0"]);
    // Staked before it is anybody's, and linked with what it holds.
    let world = played(&format!("1: EVERYBODY | 2: STAKES | 3: WALLETS | 4: {}", stake("dave", 2))).await;
    assert_eq!(powers(&world).await, ["1: 30 + 0 - 0", "2: 20 + 0 - 0", "3: 5 + 0 - 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_never_had_power_has_no_row() {
    let world = played("1: EVERYBODY, WALLETS | 2: TO_BOB_8 | 3: UNLINK_ALICE, FROM_BOB_8").await;
    assert_eq!(powers(&world).await, Vec::<String>::new());
    assert_eq!(findings(&world).await, ["delegated-too-much 1", "undelegated-too-much 1"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn power_beyond_64_bits_is_exact() {
    let all = [stake("alice", u64::MAX), stake("bob", u64::MAX), stake("carol", 5)].join(", ");
    let to_carol = [("alice", ALICE), ("bob", BOB)].map(|(who, n)| delegate("delegate", who, n, CAROL, u64::MAX));
    let script = format!(
        "1: EVERYBODY, WALLETS | 2: {all} | 3: {}, {} | 4: {}",
        to_carol.join(", "),
        propose("carol", CAROL, 7, 40, 80),
        vote("carol", CAROL, "for", u64::MAX)
    );
    let world = played(&script).await;
    let (most, both) = (u64::MAX, 2 * u128::from(u64::MAX));
    let each = [format!("1: {most} + 0 - {most}"), format!("2: {most} + 0 - {most}"), format!("3: 5 + {both} - 0")];
    assert_eq!(powers(&world).await, each);
    assert_eq!(proposals(&world).await, [format!("active - -: {}/0/0 by 1", both + 5)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn stake_is_backed_by_money_where_all_of_it_is_known() {
    let everybody = "1: EVERYBODY, WALLETS";
    let start = format!(
        "0: allocate alice 64, allocate bob 10 | {everybody} | 2: {} fee 1, {}, {}, {}",
        // The fee is paid first.
        stake("alice", 64),
        stake("alice", 60),
        stake("alice", 4),
        stake("carol", 1)
    );
    let world = played(&start).await;
    assert_eq!(findings(&world).await, ["staked-too-much alice", "staked-too-much alice", "staked-too-much carol"]);
    assert_eq!(powers(&world).await, ["1: 60 + 0 - 0"]);

    // What is staked may be spent; nothing is staked on top of it until enough was unstaked.
    let spent = format!(
        "{start} | 3: alice -> bob 40, {}, {} | 4: {}, {}, {}",
        stake("alice", 1),
        stake("bob", 50),
        unstake("alice", 60),
        stake("alice", 24),
        stake("alice", 23)
    );
    let world = played(&spent).await;
    assert_eq!(findings(&world).await[3..], ["staked-too-much alice", "staked-too-much alice"]);
    assert_eq!(powers(&world).await, ["1: 23 + 0 - 0", "2: 50 + 0 - 0"]);

    // What nobody understands may have made money, but it makes no power: stake stays backed by what is known.
    let of_carol = "select own_stake::text from powers where encode(identity_id, 'hex') = repeat('3', 64)";
    let closed = "select closed::text from supply";
    let late = r#"origin !genesis.allocate {"address":"carol","amount":1000}"#;
    let minted = r#"carol !reward.mint {"address":"carol","amount":1000}"#;
    for (what, is_closed) in [("origin !no.such_kind {}", "false"), (late, "true"), (minted, "true")] {
        let world = played(&format!("{start} | 3: {what} | 4: {}", stake("carol", 1_000))).await;
        assert_eq!(ask(&world, closed).await, [is_closed], "{what}");
        assert_eq!(ask(&world, of_carol).await, Vec::<String>::new(), "{what}");
        let codes = findings(&world).await;
        assert_eq!(
            codes.iter().any(|code| code.starts_with("supply-not-understood")),
            is_closed == "false",
            "{codes:?}"
        );
    }
    // Where not all money was known from the beginning it is not known what anybody has.
    let world = played(&format!("{everybody} | 2: | 3: | 4: {}", stake("carol", 1_000))).await;
    assert_eq!(ask(&world, of_carol).await, ["1000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_delegates_to_more_than_thirty_two() {
    let numbered = |text: String, n: usize| text.replace(&id(9), &format!("{n:064}"));
    let to = |kind: &str, n: usize| numbered(delegate(kind, "alice", ALICE, 9, 1), n);
    let registered: Vec<String> = (10..43).map(|n| numbered(register("dave", 9), n)).collect();
    let given: Vec<String> = (10..43).map(|n| to("delegate", n)).collect();
    let start =
        format!("1: EVERYBODY, WALLETS | 2: STAKES, STAKE_64, {} | 3: {}", registered.join(", "), given.join(", "));
    let standing = "select concat(count(*), ', ', sum(counted), ', last ', max(right(encode(delegatee_id, 'hex'), 2))) \
                    from delegations";
    let world = played(&start).await;
    assert_eq!(findings(&world).await, ["too-many-delegations 1"]);
    assert_eq!(ask(&world, standing).await, ["32, 32, last 41"]);
    assert!(powers(&world).await.contains(&"1: 94 + 0 - 32".to_owned()));

    // More to the same is no other delegation, and what is taken back makes room.
    let more = [to("delegate", 10), to("delegate", 42), to("undelegate", 11), to("delegate", 42)];
    let world = played(&format!("{start} | 4: {}", more.join(", "))).await;
    assert_eq!(findings(&world).await, ["too-many-delegations 1", "too-many-delegations 1"]);
    assert_eq!(ask(&world, standing).await, ["32, 33, last 42"]);
}
