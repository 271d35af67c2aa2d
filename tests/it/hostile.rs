//! Impossible claims on chain, and odd questions over HTTP: kept, counted in nothing, said plainly, and never a stop.

use schema::source::SourceKind;
use serde_json::{Value, json};

use crate::node::{CHAIN_ID, Person, Work, origin};
use crate::stack::{Stack, source};
use crate::village::{HEIGHT, ORACLE, Village};

async fn count(stack: &Stack, route: &str) -> usize {
    stack.get(route).await["items"].as_array().expect("items").len()
}

/// What must not move, whatever nonsense is said.
async fn totals(stack: &Stack, village: &Village) -> Vec<Value> {
    let ids = [&village.ada.id, &village.ben.id, &village.cleo.id];
    let mut proposal = stack.get("/v1/governance/proposals/1").await;
    // How many votes do not count is all that a vote which does not count may change.
    proposal["votes_not_counted"].take();
    let mut totals = vec![
        proposal,
        stack.get("/v1/pouw/leaderboard?by=address").await["items"].clone(),
        stack.get("/v1/chains").await["items"][0]["supply"].clone(),
    ];
    for id in ids {
        totals.push(stack.get(&format!("/v1/governance/power/{id}")).await);
        totals.push(stack.get(&format!("/v1/identity/{id}/followers")).await);
        totals.push(stack.get(&format!("/v1/identity/{id}/wallets")).await);
    }
    totals
}

fn nonsense(village: &Village) -> Vec<Value> {
    let Village { ada, ben, oracle, .. } = village;
    let stranger = Person::named("stranger");
    let proposal = |id: Value, title: &str| {
        json!({
            "proposal_id": id, "proposer": ada.id, "proposal_type": "text", "title": title, "quorum": 1,
            "voting_starts_at": Village::time(20), "voting_ends_at": Village::time(30)
        })
    };
    let submit = |credit: Value, reward: Value| {
        json!({
            "submission_id": "odd", "miner_address": ada.address, "oracle_id": ORACLE, "work_type": "boinc", "difficulty": 1,
            "credit": credit, "reward": reward, "validated_at": Village::time(13)
        })
    };
    let mut acts = vec![
        // Not understood, each for its own reason.
        ada.act("governance.propose", proposal(7.into(), &"T".repeat(10_000))),
        ada.act("governance.propose", proposal(json!("-1"), "Negative")),
        ada.act("governance.propose", proposal(json!("9223372036854775808"), "Beyond 63 bits")),
        oracle.act("pouw.submit", submit(json!("NaN"), 1.into())),
        oracle.act("pouw.submit", submit(json!("-3"), 1.into())),
        oracle.act("pouw.submit", submit(json!("1e9"), 1.into())),
        oracle.act("pouw.submit", submit(json!("1"), json!("18446744073709551616"))),
        ada.act(
            "staking.stake",
            json!({"account": ada.address, "validator": "VAL1", "amount": "18446744073709551616"}),
        ),
        ada.act("governance.delegate", json!({"delegator": ada.id, "delegatee": ben.id, "amount": -5})),
        ada.act("social.follow", json!({"follower": ada.id, "following": ada.id})),
    ];
    let understood = [
        // Understood, and contrary to the rules.
        ada.unlink(&stranger),
        ada.delegate(ben, 18_446_744_073_709_551_615),
        stranger.delegate(ben, 5),
        ben.vote(1, "for", 1),
        ben.vote(9_999, "for", 1),
        stranger.follow(ada),
        ada.follow(&stranger),
        stranger.link(&stranger, "main"),
        stranger.act("oracle.register", json!({
            "oracle_id": "false", "address": stranger.address, "name": "False", "key": {"alg": "ed25519", "public_key": "00"}
        })),
        stranger.act("governance.finalize", json!({"proposal_id": 2, "outcome": "passed"})),
        stranger.accept(ORACLE, &Work { id: "wu-odd", miner: ada, work_type: "boinc", credit: "5", validated_at: 1_000 }),
        stranger.reject(ORACLE, &Work { id: "wu-ada-1", miner: ada, work_type: "boinc", credit: "", validated_at: 1_000 }, "envy"),
        origin("governance.execute", json!({"proposal_id": 2})),
        origin("governance.cancel", json!({"proposal_id": 1})),
        origin("oracle.slash", json!({"oracle_id": "unheard-of", "amount": 1, "reason": "?"})),
    ];
    acts.extend(understood);
    acts
}

#[tokio::test(flavor = "multi_thread")]
async fn impossible_claims_stop_nothing_move_nothing_and_are_findings() {
    let mut village = Village::settled().await;
    let stack = Stack::start(vec![source("chert", SourceKind::Chert, CHAIN_ID, village.node.url())]).await;
    stack.until_height(HEIGHT).await;
    // Delegating more than one owns is the one claim of these of which a part counts: what is covered.
    let covered = village.ada.delegate(&village.ben, 400);
    village.node.mine(Village::time(13), vec![covered]);
    stack.until_height(13).await;
    let before = totals(&stack, &village).await;
    let findings = count(&stack, "/v1/findings?limit=100").await;
    let unrecognized = count(&stack, "/v1/events?kind=source.unrecognized&limit=100").await;

    village.node.mine(Village::time(14), nonsense(&village));
    stack.until_height(14).await;
    assert_eq!(totals(&stack, &village).await, before);
    assert_eq!(count(&stack, "/v1/events?kind=source.unrecognized&limit=100").await, unrecognized + 10);
    assert_eq!(count(&stack, "/v1/findings?limit=100").await, findings + 15);
    let status = stack.get("/v1/status").await;
    for view in status["views"].as_array().expect("views") {
        assert_eq!(view["state"], "live", "{view}");
    }

    // Another branch without the nonsense: its findings no longer stand, and everything else is as it was.
    village.node.fork(13);
    village.node.mine(Village::time(14), Vec::new());
    let height = village.node.mine(Village::time(15), Vec::new());
    assert_eq!(village.node.height(), height);
    stack.until_height(height).await;
    assert_eq!(totals(&stack, &village).await, before);
    assert_eq!(count(&stack, "/v1/findings?limit=100").await, findings);
    assert_eq!(count(&stack, "/v1/findings?limit=100&at_position=1").await, 0);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_questions_get_plain_answers() {
    let village = Village::settled().await;
    let stack = Stack::start(vec![source("chert", SourceKind::Chert, CHAIN_ID, village.node.url())]).await;
    stack.until_height(HEIGHT).await;
    let long = "é".repeat(5_000);
    let texts =
        ["%", "_", "100%", "'", "\"", "';--", "\\", "🧮", "שלום", "\u{202e}abc", "ﷺ", "a%' or 1=1", long.as_str()];
    let client = reqwest::Client::new();
    for text in texts {
        for (route, parameter) in [
            ("/v1/identity/search", "name"),
            ("/v1/explorer/search", "q"),
            ("/v1/findings", "subject"),
            ("/v1/findings", "code"),
            ("/v1/governance/proposals", "type"),
            ("/v1/pouw/leaderboard", "around"),
            ("/v1/pouw/leaderboard", "type"),
        ] {
            let asking = client.get(format!("{}{route}", stack.api)).query(&[(parameter, text)]);
            let answer = asking.send().await.expect("an answer");
            let status = answer.status().as_u16();
            let body = answer.text().await.expect("a body");
            assert!([200, 400, 404, 414].contains(&status), "{route} {parameter}={text:?}: {status} {body}");
        }
        for noun in ["pouw/submission", "pouw/oracle", "identity", "governance/proposals", "explorer/tx"] {
            let mut url = reqwest::Url::parse(&stack.api).expect("a URL");
            let path = format!("/v1/{noun}/");
            url.set_path(&path);
            url.path_segments_mut().expect("a base").pop_if_empty().push(text);
            if noun == "pouw/oracle" {
                url.path_segments_mut().expect("a base").push("performance");
            }
            let status = client.get(url.clone()).send().await.expect("an answer").status().as_u16();
            assert!([200, 400, 404, 414].contains(&status), "{url}: {status}");
        }
    }
    let found = client.get(format!("{}/v1/identity/search", stack.api)).query(&[("name", "dora 100%")]);
    let found: Value = found.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(found["items"].as_array().map(Vec::len), Some(1), "a percent sign is a character like others: {found}");
    stack.stop().await;
}
