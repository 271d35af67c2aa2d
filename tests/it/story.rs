//! One life from end to end, over the node's protocol, the log, the views and HTTP.

use schema::source::SourceKind;
use serde_json::{Value, json};

use crate::node::CHAIN_ID;
use crate::stack::{Stack, source};
use crate::village::{HEIGHT, Village};

fn column(items: &Value, name: &str) -> Vec<Value> {
    items["items"].as_array().expect("items").iter().map(|item| item[name].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_created_on_chain_linked_earns_work_votes_and_its_stats_rank_and_feed_are_queried() {
    let village = Village::found().await;
    village.live(0);
    let stack = Stack::start(vec![source("chert", SourceKind::Chert, CHAIN_ID, village.node.url())]).await;
    let ada = village.ada.id.clone();
    for height in 1..=HEIGHT {
        village.live(height);
        stack.until_height(height).await;
        match height {
            2 => {
                let profile = stack.get(&format!("/v1/identity/{ada}")).await;
                assert_eq!((&profile["display_name"], &profile["wallet_count"]), (&json!("Ada Quartz"), &json!(0)));
                let stats = stack.get(&format!("/v1/pouw/stats/{ada}")).await;
                assert_eq!((&stats["accepted"], &stats["rank"]), (&json!(0), &Value::Null));
            }
            3 => {
                let wallets = stack.get(&format!("/v1/identity/{ada}/wallets")).await;
                assert_eq!(column(&wallets, "counts"), [json!(true), json!(true)]);
            }
            6 => {
                let stats = stack.get(&format!("/v1/pouw/stats/{ada}")).await;
                assert_eq!((&stats["accepted"], &stats["rejected"]), (&json!(2), &json!(1)), "{stats}");
                assert_eq!(stats["total_boinc_credits"], "12.500000001");
                assert_eq!((&stats["rank"], &stats["ranked"]), (&json!(1), &json!(1)));
            }
            _ => {}
        }
    }

    let stats = stack.get(&format!("/v1/identity/{ada}/stats?explain=true")).await;
    assert_eq!((&stats["pouw"]["accepted"], &stats["pouw"]["total_nuw_completed"]), (&json!(4), &json!(1)), "{stats}");
    assert_eq!((&stats["pouw"]["rank"], &stats["pouw"]["rank_percentile"]), (&json!(1), &json!(0.0)));
    assert_eq!(stats["governance"]["current_voting_power"], "520", "400 staked and 120 from Ben");
    assert_eq!((&stats["governance"]["votes_cast"], &stats["governance"]["proposals_voted"]), (&json!(2), &json!(1)));
    assert_eq!((&stats["social"]["followers"], &stats["social"]["following"]), (&json!(2), &json!(1)));

    // The proposal: power is what it was when voting opened, after Ada had staked another 100 in that very block.
    let proposal = stack.get("/v1/governance/proposals/1?explain=true").await;
    assert_eq!((&proposal["status"], &proposal["final_outcome"]), (&json!("passed"), &json!("passed")));
    assert_eq!((&proposal["votes_for"], &proposal["votes_against"]), (&json!("520"), &json!("50")));
    assert_eq!(proposal["votes_abstain"], "80");
    let votes = stack.get("/v1/governance/proposals/1/votes").await;
    assert_eq!(column(&votes, "superseded"), [json!(false), json!(false), json!(false), json!(true), json!(false)]);
    let power = stack.get(&format!("/v1/governance/power/{ada}?at_height=8")).await;
    assert_eq!(power["power"], "520");
    let second = stack.get("/v1/governance/proposals/2").await;
    assert_eq!(second["status"], "active");

    // Where she stood, stands, and what she did.
    let board = stack.get("/v1/pouw/leaderboard?type=boinc&by=address").await;
    let scores = column(&board, "score");
    assert_eq!(scores, [json!("8383.75"), json!("7171.25"), json!("12.500000001")]);
    let board = stack.get("/v1/pouw/leaderboard?type=boinc&timeframe=day").await;
    assert_eq!(column(&board, "identity_id"), [json!(ada)], "the others do not show their statistics");
    let earlier = stack.get("/v1/pouw/leaderboard?at_height=5").await;
    assert_eq!(column(&earlier, "identity_id"), Vec::<Value>::new());
    let feed = stack.get(&format!("/v1/identity/{ada}/feed?limit=100")).await;
    let kinds = column(&feed, "kind");
    for kind in [
        "identity.registered",
        "identity.wallet_linked",
        "work.submitted",
        "governance.voted",
        "governance.proposed",
        "social.followed",
    ] {
        assert!(kinds.contains(&json!(kind)), "{kind} is missing in {kinds:?}");
    }
    let submission = stack.get("/v1/pouw/submission/wu-ada-2?explain=true").await;
    assert_eq!(
        (&submission["status"], &submission["rejected"]["reason"]),
        (&json!("rejected"), &json!("result mismatch"))
    );
    assert!(submission["provenance"]["events"].as_array().is_some_and(|events| events.len() >= 2), "{submission}");

    // Everything that was wrong is said.
    let findings = stack.get("/v1/findings?limit=100").await;
    let codes = column(&findings, "code");
    for code in [
        "registered-twice",
        "delegated-too-much",
        "not-followed",
        "refuted-oracle-signature",
        "repeated-submission",
        "unregistered-oracle",
        "claimed-too-much-power",
        "unknown-proposal",
        "vote-outside-window",
        "tally-differs",
    ] {
        assert!(codes.contains(&json!(code)), "{code} is missing in {codes:?}");
    }
    stack.stop().await;
}
