//! Proposals: lists and what they leave out, one, its votes, its changes.

use http::StatusCode;
use serde_json::{Value, json};

use super::{ADA, BEN, END, ids, pick, start};
use crate::network::{ZOE, ZOLTAN};

const LIST: &str = "/v1/governance/proposals";

#[tokio::test]
async fn the_newest_proposals_come_first_with_every_status() {
    let network = start().await;
    let items = network.items(LIST).await;
    let found: Vec<_> =
        items.iter().map(|item| (item["proposal_id"].as_str(), item["status"].as_str(), &item["outcome"])).collect();
    let (passed, rejected) = (json!("passed"), json!("rejected"));
    assert_eq!(
        found,
        [
            (Some("10"), Some("pending"), &Value::Null),
            (Some("8"), Some("ended"), &passed),
            (Some("7"), Some("active"), &Value::Null),
            (Some("6"), Some("passed"), &passed),
            (Some("5"), Some("cancelled"), &Value::Null),
            (Some("4"), Some("executed"), &passed),
            (Some("3"), Some("rejected"), &rejected),
            (Some("2"), Some("pending"), &Value::Null),
            (Some("1"), Some("ended"), &rejected),
        ]
    );
    let six = &items[3];
    assert_eq!((&six["computed_outcome"], &six["outcome_differs"]), (&rejected, &json!(true)));
    assert_eq!(
        (&items[5]["executed_at"], &items[4]["cancelled_at"]),
        (&json!("2026-01-18T21:13:00.000000Z"), &json!("2026-01-18T21:12:00.000000Z"))
    );
    assert!(items.iter().all(|item| item.get("description").is_none() && item.get("targets").is_none()));
    assert_eq!(pick(&network.items(&format!("{LIST}?chain=hub")).await, "title"), ["On the hub"]);
}

#[tokio::test]
async fn filters_count_what_has_ended_unless_only_the_chains_word_is_wanted() {
    let network = start().await;
    let of = async |query: &str| ids(&network, &format!("{LIST}?{query}")).await;
    for (status, found) in [
        ("pending", vec![10, 2]),
        ("active", vec![7]),
        ("ended", vec![8, 1]),
        ("executed", vec![4]),
        ("cancelled", vec![5]),
    ] {
        assert_eq!(of(&format!("status={status}")).await, found, "{status}");
        assert_eq!(of(&format!("status={status}&final=true")).await, found, "{status}, final");
    }
    assert_eq!(of("status=passed").await, [8, 6]);
    assert_eq!(of("status=passed&final=true").await, [6]);
    assert_eq!(of("status=rejected").await, [3, 1]);
    assert_eq!(of("status=rejected&final=false").await, [3, 1]);
    assert_eq!(of("status=rejected&final=true").await, [3]);
    assert_eq!(of("status=executed,passed").await, [8, 6, 4]);
    assert_eq!(of("status=passed,executed,rejected,pending,active,ended,cancelled").await.len(), 9);
    assert_eq!(of("type=budget").await, [7, 2]);
    assert_eq!(of("type=other").await, [0; 0]);
    assert_eq!(of(&format!("proposer=0x{}", ADA.to_uppercase())).await, [2]);
    assert_eq!(of(&format!("proposer={ZOE}&type=text&status=ended")).await, [8, 1]);
    assert_eq!(of(&format!("proposer={BEN}")).await, [0; 0], "his proposal was retracted");
    assert_eq!(of(&format!("proposer={BEN}&at_position=95")).await, [9]);
}

#[tokio::test]
async fn lists_are_as_of_the_position() {
    let network = start().await;
    let at = async |position: i64| ids(&network, &format!("{LIST}?at_position={position}")).await;
    assert_eq!(at(40).await, [0; 0], "before any proposal");
    assert_eq!(at(49).await, [0; 0], "a block takes effect as a whole");
    assert_eq!(at(50).await, [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(at(95).await, [9, 8, 7, 6, 5, 4, 3, 2, 1], "what the fork took away later");
    assert_eq!(at(96).await, [8, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(at(100).await, [10, 8, 7, 6, 5, 4, 3, 2, 1]);
    let status = async |status: &str, position: i64| {
        ids(&network, &format!("{LIST}?status={status}&at_position={position}")).await
    };
    assert_eq!(status("pending", 50).await.len(), 8);
    assert_eq!(status("active", 60).await, [8, 7, 6, 5, 4, 3, 1]);
    assert_eq!((status("executed", 95).await, status("executed", 96).await), (vec![4], vec![]));
    assert_eq!((status("passed", 89).await, status("passed", 90).await), (vec![], vec![8, 6, 4]));
    let counted = network.get(&format!("{LIST}?status=passed&count=exact&limit=1&at_height=12")).await;
    assert_eq!((&counted["count"], counted["items"].as_array().map(Vec::len)), (&json!(3), Some(1)));
}

#[tokio::test]
async fn pages_are_pinned_to_the_position_of_the_first() {
    let network = start().await;
    for query in [String::new(), "?status=passed,rejected,pending".to_owned(), format!("?proposer={ZOE}")] {
        let path = format!("{LIST}{query}");
        assert_eq!(network.all(&path, 2, "/proposal_id").await, network.items(&path).await, "{path}");
    }
    assert_eq!(ids(&network, &format!("{LIST}?offset=7")).await, [2, 1]);
    assert_eq!(ids(&network, &format!("{LIST}?offset=9")).await, [0; 0]);
    let first = network.get(&format!("{LIST}?limit=3&count=exact")).await;
    assert_eq!(first["count"], 9);
    let cursor = first["next_cursor"].as_str().expect("another page");
    let next = format!("{LIST}?limit=9&cursor={cursor}");
    let before = network.items(&next).await;
    network
        .run(
            "insert into views.proposals_versions
            select n.* from views.proposals_versions v, jsonb_populate_record(v, jsonb_build_object(
                'status', 'executed', 'from_position', 102, 'present', v.proposal_id <> 2)) n
            where v.source_id = 1 and (v.proposal_id, v.from_position) in ((2, 50), (3, 90), (6, 90));
            insert into views.proposals_versions
            select n.* from views.proposals_versions v, jsonb_populate_record(v, jsonb_build_object(
                'proposal_id', 11, 'claim_position', 102, 'from_position', 102)) n
            where v.source_id = 1 and v.from_position = 100 and v.proposal_id = 10;
            insert into log.retractions (at_position, source_id, first_position, fork_height) values (102, 1, 50, 7);
            set search_path = views, log, public;
            select log.publish('proposals', 101)",
        )
        .await;
    network.advance(102).await;
    assert_eq!(network.items(&next).await, before, "the second page is as of the first");
    assert_eq!(ids(&network, &format!("{LIST}?status=executed")).await, [6, 4, 3]);
    assert_eq!(ids(&network, LIST).await, [11, 10, 8, 7, 6, 5, 4, 3, 1]);
    assert_eq!(ids(&network, &format!("{LIST}?at_position=101")).await, [10, 8, 7, 6, 5, 4, 3, 2, 1]);
}

#[tokio::test]
async fn many_proposals_keep_the_order_asked() {
    let network = start().await;
    let items = network.items(&format!("{LIST}?ids=8,999,1,8,9,9223372036854775807,001")).await;
    let found: Vec<_> = items.iter().map(|item| item["proposal_id"].as_str()).collect();
    assert_eq!(found, [Some("8"), None, Some("1"), Some("8"), None, None, Some("1")]);
    assert_eq!(items[1], Value::Null);
    assert_eq!(items[0], network.items(LIST).await[1]);
    let past = network.items(&format!("{LIST}?ids=9,10&at_position=95")).await;
    assert_eq!((&past[0]["proposal_id"], &past[1]), (&json!("9"), &Value::Null));
    assert_eq!(network.items(&format!("{LIST}?ids={}", vec!["7"; 100].join(","))).await.len(), 100);
    network.refused(&format!("{LIST}?ids={}", vec!["7"; 101].join(",")), "ids").await;
    for bad in ["", "1,", "-1", "1.0", "0x1", "9223372036854775808", "one"] {
        network.refused(&format!("{LIST}?ids={bad}"), "ids").await;
    }
    for (other, value) in [
        ("status", "ended"),
        ("final", "true"),
        ("type", "text"),
        ("proposer", ZOE),
        ("limit", "5"),
        ("offset", "1"),
        ("count", "exact"),
    ] {
        network.refused(&format!("{LIST}?ids=1&{other}={value}"), other).await;
    }
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_by_name() {
    let network = start().await;
    let words = network.ask(&format!("{LIST}?status=open")).await;
    assert_eq!(words.status, StatusCode::BAD_REQUEST);
    assert!(words.body["detail"].as_str().is_some_and(|detail| detail.contains("`cancelled`")), "{}", words.body);
    for (parameter, bad) in [
        ("status", ""),
        ("status", "passed,"),
        ("status", "Passed"),
        ("final", "yes"),
        ("proposer", "zoe"),
        ("count", "all"),
        ("chain", "none"),
        ("stauts", "ended"),
    ] {
        network.refused(&format!("{LIST}?{parameter}={bad}"), parameter).await;
    }
    for bad in ["9223372036854775808", "-1", "x", "1e1", "%00"] {
        for route in ["", "/votes", "/changes"] {
            network.refused(&format!("{LIST}/{bad}{route}"), "proposal_id").await;
        }
    }
    for (parameter, bad) in [("choice", "yes"), ("counted", "1"), ("voter", "zoe"), ("limit", "0"), ("cursor", "e30")] {
        network.refused(&format!("{LIST}/1/votes?{parameter}={bad}"), parameter).await;
    }
    for missing in ["999", "9", "1?at_position=40", "2?chain=hub"] {
        let (id, query) = missing.split_once('?').unwrap_or((missing, ""));
        for route in ["", "/votes"] {
            let answer = network.ask(&format!("{LIST}/{id}{route}?{query}")).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}{route}");
            assert!(answer.body["searched_through"]["position"].is_i64(), "{}", answer.body);
        }
    }
    assert_eq!(network.ask(&format!("{LIST}/999/changes")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn one_proposal_says_all_of_itself() {
    let network = start().await;
    let one = network.get(&format!("{LIST}/1?explain=true")).await;
    let expected = json!({
        "chain": "chert", "proposal_id": "1", "proposer_identity": ZOE, "proposer_display_name": "Zoë",
        "proposal_type": "text", "title": "Proposal 1", "description": "All of it", "status": "ended",
        "outcome": "rejected", "computed_outcome": "rejected", "final_outcome": null, "outcome_differs": false,
        "quorum": "50", "quorum_reached": true, "votes_for": "0", "votes_against": "20", "votes_abstain": "35",
        "votes_total": "55", "voters": 3, "claimed_for": null, "opened_height": 9, "superseded_votes": 1,
        "votes_not_counted": 1, "targets": ["0xAB", "bob"], "values": ["7", "0"], "calldatas": ["ff", ""],
        "voting_starts_at": "2026-01-18T21:09:00.000000Z", "voting_ends_at": "2026-01-18T21:11:30.000000Z",
        "created_at": "2026-01-18T21:08:00.000000Z", "updated_at": "2026-01-18T21:12:00.000000Z",
        "finalized_at": null, "position": 42,
    });
    for (field, value) in expected.as_object().expect("an object") {
        assert_eq!(&one[field], value, "{field}");
    }
    let causes = one["provenance"]["events"].as_array().expect("events");
    assert_eq!(pick(causes, "position"), [72, 65, 64, 63, 62, 42].map(Value::from));
    assert_eq!(one["provenance"]["link"], "/v1/events?subject=proposal:1&source=chert");

    let before = network.get(&format!("{LIST}/1?at_height=10")).await;
    assert_eq!(
        (&before["votes_for"], &before["votes_abstain"], &before["status"]),
        (&json!("30"), &json!("5"), &json!("active"))
    );
    assert_eq!((&before["superseded_votes"], &before["votes_not_counted"]), (&json!(0), &json!(1)));
    assert_eq!((&before["outcome"], &before["computed_outcome"]), (&Value::Null, &Value::Null));
    assert_eq!((&before["claimed_for"], &before["provenance"]), (&Value::Null, &Value::Null));

    let three = network.get(&format!("{LIST}/3")).await;
    assert_eq!(
        (&three["claimed_for"], &three["claimed_against"], &three["claimed_abstain"]),
        (&json!("4"), &json!("9"), &json!("0"))
    );
    assert_eq!(
        (&three["outcome"], &three["computed_outcome"], &three["outcome_differs"]),
        (&json!("rejected"), &json!("passed"), &json!(true))
    );
    assert_eq!((&three["targets"], &three["description"]), (&json!([]), &Value::Null));
    let unopened = network.get(&format!("{LIST}/2")).await;
    assert_eq!((&unopened["opened_height"], &unopened["quorum_reached"]), (&Value::Null, &json!(false)));
    let gone = network.get(&format!("{LIST}/9?at_position=95")).await;
    assert_eq!((&gone["proposer_display_name"], &gone["status"]), (&json!("Ben"), &json!("pending")));
    let hub = network.get(&format!("{LIST}/1?chain=hub")).await;
    assert_eq!((&hub["title"], &hub["description"]), (&json!("On the hub"), &json!("Hub")));
}

#[tokio::test]
async fn what_a_proposal_says_is_read_from_its_event_however_often_it_changed() {
    let network = start().await;
    for at in [50, 60, 90, 95, 96, END] {
        let four = network.get(&format!("{LIST}/4?at_position={at}")).await;
        assert_eq!((&four["description"], &four["calldatas"]), (&json!("Four"), &json!([])), "{at}");
    }
    for path in [LIST.to_owned(), format!("{LIST}?ids=1,4")] {
        for item in network.items(&path).await {
            assert_eq!((item.get("description"), item.get("targets")), (None, None), "{path}: lists are short");
        }
    }
    for change in network.items(&format!("{LIST}/1/changes")).await {
        assert_eq!((change["changed"].get("description"), change["changed"].get("calls")), (None, None));
    }
}

#[tokio::test]
async fn every_vote_is_shown_with_whether_it_counts() {
    let network = start().await;
    let path = format!("{LIST}/1/votes");
    let votes = network.items(&path).await;
    let found: Vec<_> = votes
        .iter()
        .map(|vote| {
            (vote["position"].as_i64(), vote["counts"] == true, vote["superseded"] == true, vote["why"].as_str())
        })
        .collect();
    assert_eq!(
        found,
        [
            (Some(72), true, false, None),
            (Some(65), false, false, Some("no-voting-power")),
            (Some(64), true, false, None),
            (Some(63), true, false, None),
            (Some(62), false, true, None),
        ]
    );
    assert_eq!(
        votes[3],
        json!({
            "chain": "chert", "proposal_id": "1", "voter_identity": ZOLTAN, "display_name": "Zoltan 100%",
            "vote_choice": "against", "vote_power": "20", "claimed_power": "40", "counts": true, "superseded": false,
            "why": null, "reason": "because 63", "cast_at": "2026-01-18T21:10:00.000000Z", "block_height": 10,
            "tx_id": "tx-63", "position": 63,
        })
    );
    let of = async |query: &str| pick(&network.items(&format!("{path}?{query}")).await, "position");
    assert_eq!(of(&format!("voter={ZOE}")).await, [72, 62].map(Value::from));
    assert_eq!(of(&format!("voter={ZOE}&counted=true")).await, [72].map(Value::from));
    assert_eq!(of("counted=true").await, [72, 64, 63].map(Value::from));
    assert_eq!(of("counted=false").await, [65, 62].map(Value::from));
    assert_eq!(of("choice=abstain").await, [72, 64].map(Value::from));
    assert_eq!(of("choice=for&counted=true").await, Vec::<Value>::new());
    assert_eq!(of(&format!("voter={BEN}&choice=against")).await, Vec::<Value>::new());
    assert_eq!(network.all(&path, 2, "/position").await, votes);
    let before = network.items(&format!("{path}?at_position=70&voter={ZOE}")).await;
    assert_eq!((&before[0]["counts"], &before[0]["superseded"]), (&json!(true), &json!(false)));
    let sum: i64 = votes
        .iter()
        .filter(|vote| vote["counts"] == true)
        .map(|vote| vote["vote_power"].as_str().and_then(|power| power.parse::<i64>().ok()).expect("a power"))
        .sum();
    assert_eq!(network.get(&format!("{LIST}/1")).await["votes_total"], sum.to_string());

    let retracted = async |at: i64| network.items(&format!("{LIST}/7/votes?at_position={at}")).await.len();
    assert_eq!((retracted(95).await, retracted(96).await, retracted(END).await), (1, 0, 0));
    let late = network.items(&format!("{LIST}/6/votes")).await;
    assert_eq!((&late[0]["why"], &late[0]["vote_power"]), (&json!("vote-outside-window"), &json!("0")));
}

#[tokio::test]
async fn a_page_of_votes_ends_early_where_few_of_many_are_as_wanted() {
    let network = start().await;
    network
        .run(
            "set search_path = views, log, public;
            insert into votes (source_id, position, proposal_id, voter_identity, vote_choice, claimed_power, vote_power, counts, cast_at)
            select 1, 1000 + n, 1, sha256(n::text::bytea), 'for', 1, 1, true, '2026-01-18T21:10:00Z' from generate_series(1, 10001) n",
        )
        .await;
    network.advance(20_000).await;
    let path = format!("{LIST}/1/votes?counted=false");
    let first = network.get(&path).await;
    assert_eq!(first["items"], json!([]), "the newest ten thousand count");
    assert!(first["next_cursor"].is_string(), "but there is more");
    let all = network.all(&path, 50, "/position").await;
    assert_eq!(pick(&all, "position"), [65, 62].map(Value::from));
    assert_eq!(network.get(&format!("{path}&voter={ZOE}")).await["next_cursor"], Value::Null);
}

#[tokio::test]
async fn changes_say_what_changed_and_whether_time_did_it() {
    let network = start().await;
    let path = format!("{LIST}/1/changes");
    let changes = network.items(&path).await;
    assert_eq!(pick(&changes, "position"), [90, 80, 70, 60, 50].map(Value::from));
    assert_eq!(pick(&changes, "reason"), ["time", "event", "event", "time", "event"]);
    assert_eq!(pick(&changes, "height"), [12, 11, 10, 9, 8].map(Value::from));
    assert_eq!(
        changes[0]["changed"],
        json!({"status": {"from": "active", "to": "ended"}, "computed_outcome": {"from": null, "to": "rejected"}})
    );
    assert_eq!(
        changes[1]["changed"],
        json!({"votes_for": {"from": "30", "to": "0"}, "votes_abstain": {"from": "5", "to": "35"}})
    );
    assert_eq!(
        changes[3]["changed"],
        json!({"status": {"from": "pending", "to": "active"}, "opened_height": {"from": null, "to": "9"}})
    );
    let created = &changes[4];
    assert_eq!((&created["action"], &created["block"]), (&json!("created"), &json!("18".repeat(32))));
    assert_eq!(created["changed"]["proposer_identity"], json!({"from": null, "to": ZOE}));
    assert_eq!(created["changed"]["voting_ends_at"], json!({"from": null, "to": "2026-01-18T21:11:30.000000Z"}));
    assert_eq!(network.all(&path, 1, "/position").await, changes);

    let four = network.items(&format!("{LIST}/4/changes")).await;
    assert_eq!(pick(&four, "reason"), ["event", "retracted", "event", "event", "time", "event"]);
    assert_eq!(four[1]["changed"]["status"], json!({"from": "executed", "to": "passed"}));
    assert_eq!((&four[1]["height"], &four[1]["block"]), (&Value::Null, &Value::Null));
    let nine = network.items(&format!("{LIST}/9/changes")).await;
    assert_eq!(pick(&nine, "action"), ["removed", "created"]);
    assert_eq!(nine[0]["changed"]["title"], json!({"from": "Proposal 9", "to": null}));
    assert_eq!(network.items(&format!("{LIST}/9/changes?at_position=95")).await.len(), 1);
    assert_eq!(network.ask(&format!("{LIST}/9/changes?at_position=90")).await.status, StatusCode::NOT_FOUND);
}
