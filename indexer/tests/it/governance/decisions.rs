//! What becomes of proposals: by time, and by what the chain decides.

use std::collections::BTreeMap;

use super::{ALICE, BOB, START, ask, decide, expand, findings, played, proposals, propose, votes};
use crate::support::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_kept_as_it_was_made() {
    let world = played(&format!("{START} | 4: ALICE_FOR")).await;
    let query = "select concat_ws(' ', proposal_id, left(encode(proposer_identity, 'hex'), 1), proposal_type, title, quorum) from proposals";
    assert_eq!(ask(&world, query).await, ["7 1 text Title 50"]);
    let calls = "select concat(body -> 'targets', body -> 'values', body -> 'calldatas') from proposals p
        join (select position, convert_from(body, 'utf8')::json as body from log.events) e on e.position = p.claim_position";
    assert_eq!(ask(&world, calls).await, [r#"["bob"]["8"]["00ff"]"#], "the log keeps what it would call");
    assert_eq!(
        ask(&world, "select concat(reason, ' ', block_height, ' ', tx_id is not null) from votes").await,
        ["because 4 t"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chain_decides_stands_and_differences_are_findings() {
    let vote = format!("{START} | 4: ALICE_FOR, BOB_AGAINST, CAROL_ABSTAINS");
    let world = played(&format!("{vote} | 5: @100, FINALIZE | 6: EXECUTE")).await;
    assert_eq!(proposals(&world).await, ["executed passed passed: 30/20/5 by 3"]);
    assert_eq!(findings(&world).await, Vec::<String>::new());

    let wrong = decide("finalize", r#","outcome":"rejected","votes_for":30,"votes_against":31"#);
    let world = played(&format!("{vote} | 5: @100, {wrong} | 6: EXECUTE, FINALIZE, CANCEL")).await;
    assert_eq!(proposals(&world).await, ["rejected passed rejected: 30/20/5 by 3"]);
    let differs =
        ["outcome-differs 7, counts", "tally-differs 7, counts", "not-passed 7", "decided-already 7", "not-open 7"];
    assert_eq!(findings(&world).await, differs);
    let claimed = "select concat_ws(' ', claimed_for, claimed_against, coalesce(claimed_abstain, -1)) from proposals";
    assert_eq!(ask(&world, claimed).await, ["30 31 -1"]);

    let world = played(&format!("{vote} | 5: FINALIZE | 6: BOB_AGAINST | 7: @100")).await;
    assert_eq!(proposals(&world).await, ["passed passed passed: 30/20/5 by 3"]);
    assert_eq!(findings(&world).await, ["finalized-early 7, counts", "vote-after-close 2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_origin_account_decides() {
    let forged = ["FINALIZE", "EXECUTE", "CANCEL"].map(|word| expand(word).replacen("origin", "alice", 1)).join(", ");
    let unknown = decide("cancel", "").replace(":7", ":8");
    let world = played(&format!(
        "{START} | 4: {forged}, {unknown}, EXECUTE | 5: CANCEL | 6: ALICE_FOR, CANCEL, FINALIZE, EXECUTE"
    ))
    .await;
    assert_eq!(proposals(&world).await, ["cancelled - -: 0/0/0 by 0"]);
    let wrong = [
        "not-origin 7",
        "not-origin 7",
        "not-origin 7",
        "unknown-proposal 8",
        "not-passed 7",
        "vote-after-close 1",
        "not-open 7",
        "decided-already 7",
        "not-passed 7",
    ];
    assert_eq!(findings(&world).await, wrong);
    let world = played(&format!("{START} | 4: @100, CANCEL")).await;
    assert_eq!(proposals(&world).await, ["cancelled rejected -: 0/0/0 by 0"], "an ended one may be cancelled too");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_proposal_with_a_number_stands() {
    let again = propose("bob", BOB, 7, 1, 2);
    let stolen = propose("bob", ALICE, 8, 40, 80);
    let world = played(&format!("{START}, {again}, {stolen} | 4: ")).await;
    assert_eq!(findings(&world).await, ["proposed-twice 2", "not-controller 1"]);
    let who = "select concat(proposal_id, ' ', left(encode(proposer_identity, 'hex'), 1), ' ', status) from proposals";
    assert_eq!(ask(&world, who).await, ["7 1 active"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_block_may_pass_a_whole_window_or_hold_it() {
    // Time jumps over the window: it opened and ended, and nobody voted.
    let world = played(&format!("{START} | 4: @100, ALICE_FOR")).await;
    assert_eq!(proposals(&world).await, ["ended rejected -: 0/0/0 by 0"]);
    assert_eq!(votes(&world).await, ["for 30: vote-outside-window"]);
    assert_eq!(ask(&world, "select opened_height::text from proposals").await, ["4"]);
    // It jumps to the last moment of the window, which is part of it.
    let script =
        format!("1: EVERYBODY, WALLETS | 2: STAKES | 3: {} | 4: ALICE_FOR", propose("alice", ALICE, 7, 35, 40));
    assert_eq!(proposals(&played(&script).await).await, ["active - -: 30/0/0 by 1"]);
    // Proposed, opened, voted on and finalized in one block.
    let script = format!(
        "1: EVERYBODY, WALLETS | 2: ALICE_FOR, {}, ALICE_FOR, STAKES, BOB_AGAINST, FINALIZE",
        propose("alice", ALICE, 7, 0, 80)
    );
    let world = played(&script).await;
    assert_eq!(votes(&world).await, ["for 30: unknown-proposal", "for 30: 30", "against 20: 20"]);
    assert_eq!(proposals(&world).await, ["passed passed passed: 30/20/0 by 2"]);
    // Proposed when its window is over.
    let world = played(&format!("1: EVERYBODY | 2: {}", propose("alice", ALICE, 7, 1, 2))).await;
    assert_eq!(proposals(&world).await, ["ended rejected -: 0/0/0 by 0"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_time_of_another_chain_opens_nothing() {
    let mut world = played(START).await;
    world.play("other", "1: @1000 | 2:").await;
    world.project().await;
    assert_eq!(proposals(&world).await, ["pending - -: 0/0/0 by 0"]);
    world.play("third", &expand("1: EVERYBODY, WALLETS | 2: STAKES, PROPOSE | 3: | 4: ALICE_FOR")).await;
    world.project().await;
    assert_eq!(proposals(&world).await, ["pending - -: 0/0/0 by 0", "active - -: 30/0/0 by 1"]);
    let each = "select concat(s.name, ' ', sum(p.own_stake)) from powers p join log.sources s using (source_id) group by s.name order by 1";
    assert_eq!(ask(&world, each).await, ["chain 55", "third 55"], "power is per chain");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_history_of_two_chains_gives_each_its_own_rows() {
    let script = expand(&format!("{START} | 4: ALICE_FOR, TO_BOB_8 | 5: BOB_AGAINST | ~4 | 5': CAROL_ABSTAINS"));
    let mut world = World::new().await;
    world.play("one", &script).await;
    world.play("two", &script).await;
    world.project().await;
    let mut by_chain: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in ask(&world, "select concat(s.name, ' ', p.status, p.votes_for, p.votes_abstain, p.voters) from proposals p join log.sources s using (source_id) union all select concat(s.name, ' ', left(encode(p.identity_id, 'hex'), 1), p.own_stake + p.delegated_in - p.delegated_out) from powers p join log.sources s using (source_id) order by 1").await {
        let (chain, row) = line.split_once(' ').expect("a chain and its row");
        by_chain.entry(chain.to_owned()).or_default().push(row.to_owned());
    }
    assert_eq!(by_chain.get("one"), by_chain.get("two"));
    assert_eq!(by_chain.get("one"), Some(&["122", "228", "35", "active2252"].map(str::to_owned).to_vec()));
}
