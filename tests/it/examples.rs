//! The examples in the API's description are real answers: of this server, about the village.
//!
//! `api/examples.json` is compared with what the routes answer now, and written anew with `CHERT_WRITE_EXAMPLES=1`.

use std::collections::BTreeMap;
use std::path::Path;

use schema::source::SourceKind;
use serde_json::{Value, json};

use crate::node::CHAIN_ID;
use crate::stack::{Stack, source};
use crate::village::{HEIGHT, ORACLE, Village};

/// Routes that answer with something else than JSON about the chain.
const WITHOUT: [&str; 4] = ["/metrics", "/docs", "/openapi.json", "/health"];
/// Members that say when this server did something; in the examples they all say the same.
const MOMENTS: [&str; 8] = [
    "recorded_at",
    "tip_seen_at",
    "progress_at",
    "ahead_since",
    "last_error_at",
    "moved_at",
    "now",
    "created_in_database_at",
];
const MOMENT: &str = "2026-03-01T12:00:07.000000Z";
const RUNNING_HASH: &str = "96e4e01b4793396f";
/// A cursor carries the running hash.
const CURSOR: &str = "eyJwIjoxMTgsImgiOiI5NmU0ZTAxYjQ3OTMzOTZmIiwiayI6IjIiLCJxIjoiYzM0ZjQzZDBjMDQ1NjViMyJ9";

/// What to ask of each route, so that its answer shows what it can say.
fn requests(village: &Village) -> BTreeMap<&'static str, String> {
    let Village { ada, ben, .. } = village;
    let address = &ada.address;
    let tx = "00000000-0000-4000-8000-000009000000";
    [
        ("/v1/status", String::new()),
        ("/v1/chains", String::new()),
        ("/v1/coverage", String::new()),
        ("/health/ready", String::new()),
        ("/v1/events", format!("/v1/events?subject=identity:{}&kind=governance.voted&limit=1", ada.id)),
        ("/v1/events/{position}", "/v1/events/20".to_owned()),
        ("/v1/findings", "/v1/findings?code=tally-differs,claimed-too-much-power".to_owned()),
        ("/v1/explorer/blocks", "/v1/explorer/blocks?limit=1".to_owned()),
        ("/v1/explorer/block/{height_or_hash}", "/v1/explorer/block/9".to_owned()),
        ("/v1/explorer/block/{height_or_hash}/transactions", "/v1/explorer/block/10/transactions?limit=1".to_owned()),
        ("/v1/explorer/transactions", "/v1/explorer/transactions?limit=1&type=transfer".to_owned()),
        ("/v1/explorer/tx/{tx_id}", format!("/v1/explorer/tx/{tx}")),
        ("/v1/explorer/address/{address}", format!("/v1/explorer/address/{address}")),
        ("/v1/explorer/address/{address}/balance", format!("/v1/explorer/address/{address}/balance?explain=true")),
        ("/v1/explorer/address/{address}/history", format!("/v1/explorer/address/{address}/history?limit=1")),
        ("/v1/explorer/balances", format!("/v1/explorer/balances?addresses={address},{}", ben.address)),
        ("/v1/explorer/search", format!("/v1/explorer/search?q={address}")),
        ("/v1/explorer/stats", String::new()),
        ("/v1/identity", format!("/v1/identity?ids={}", ben.id)),
        ("/v1/identity/search", "/v1/identity/search?name=cleo".to_owned()),
        ("/v1/identity/by-wallet/{address}", format!("/v1/identity/by-wallet/{address}")),
        ("/v1/identity/{identity_id}", format!("/v1/identity/{}", ada.id)),
        ("/v1/identity/{identity_id}/wallets", format!("/v1/identity/{}/wallets?limit=1", ada.id)),
        ("/v1/identity/{identity_id}/changes", format!("/v1/identity/{}/changes?limit=1", ada.id)),
        ("/v1/identity/{identity_id}/stats", format!("/v1/identity/{}/stats", ada.id)),
        ("/v1/identity/{identity_id}/followers", format!("/v1/identity/{}/followers", ada.id)),
        ("/v1/identity/{identity_id}/following", format!("/v1/identity/{}/following", ada.id)),
        ("/v1/identity/{identity_id}/feed", format!("/v1/identity/{}/feed?limit=3", ada.id)),
        ("/v1/pouw/stats/{identity_id}", format!("/v1/pouw/stats/{}", ada.id)),
        ("/v1/pouw/leaderboard", "/v1/pouw/leaderboard?type=boinc&timeframe=week&by=address&limit=2".to_owned()),
        ("/v1/pouw/history/{identity_id}", format!("/v1/pouw/history/{}?limit=2", ada.id)),
        ("/v1/pouw/submission/{submission_id}", "/v1/pouw/submission/wu-ada-2?explain=true".to_owned()),
        ("/v1/pouw/oracles", String::new()),
        ("/v1/pouw/oracle/{oracle_id}/performance", format!("/v1/pouw/oracle/{ORACLE}/performance")),
        ("/v1/pouw/rank/{identity_id}", format!("/v1/pouw/rank/{}?type=boinc", ada.id)),
        ("/v1/governance/proposals", "/v1/governance/proposals?limit=1".to_owned()),
        ("/v1/governance/proposals/{proposal_id}", "/v1/governance/proposals/1".to_owned()),
        ("/v1/governance/proposals/{proposal_id}/votes", "/v1/governance/proposals/1/votes?limit=2".to_owned()),
        ("/v1/governance/proposals/{proposal_id}/changes", "/v1/governance/proposals/1/changes?limit=2".to_owned()),
        ("/v1/governance/votes/{identity_id}", format!("/v1/governance/votes/{}", ben.id)),
        ("/v1/governance/stats/{identity_id}", format!("/v1/governance/stats/{}", ada.id)),
        ("/v1/governance/power/{identity_id}", format!("/v1/governance/power/{}", ada.id)),
        ("/v1/governance/delegations/{identity_id}", format!("/v1/governance/delegations/{}", ada.id)),
    ]
    .into_iter()
    .map(|(path, request)| (path, if request.is_empty() { path.to_owned() } else { request }))
    .collect()
}

/// The same answer whenever this server gave it. The running hash covers when the source was first contacted.
fn without_moments(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let fixed = members.into_iter().map(|(name, member)| {
                let member = match name.as_str() {
                    "chain_hash" => RUNNING_HASH.into(),
                    "next_cursor" if member.is_string() => CURSOR.into(),
                    moment if MOMENTS.contains(&moment) && member.is_string() => MOMENT.into(),
                    _ => without_moments(member),
                };
                (name, member)
            });
            fixed.collect()
        }
        Value::Array(items) => items.into_iter().map(without_moments).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_is_what_the_route_answers() {
    let village = Village::settled().await;
    let stack = Stack::start(vec![source("chert", SourceKind::Chert, CHAIN_ID, village.node.url())]).await;
    stack.until_height(HEIGHT).await;
    stack.until("quiet", |_, source| source["state"] == "following").await;
    let openapi = stack.get("/openapi.json").await;
    let requests = requests(&village);
    let mut examples = serde_json::Map::new();
    for (path, operations) in openapi["paths"].as_object().expect("paths") {
        if operations["get"].is_null() || WITHOUT.contains(&path.as_str()) {
            continue;
        }
        let request = requests.get(path.as_str()).unwrap_or_else(|| panic!("no example is asked for of {path}"));
        let answer = without_moments(stack.get(request).await);
        examples.insert(path.clone(), json!({"request": request, "answer": answer}));
    }
    stack.stop().await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("api/examples.json");
    let examples = Value::Object(examples);
    if std::env::var_os("CHERT_WRITE_EXAMPLES").is_some() {
        let text = serde_json::to_string_pretty(&examples).expect("JSON") + "\n";
        std::fs::write(&file, text).expect("api/examples.json can be written");
    }
    let text = std::fs::read_to_string(&file).expect("api/examples.json");
    let written: Value = serde_json::from_str(&text).expect("JSON");
    for (path, example) in examples.as_object().expect("an object") {
        assert_eq!(&written[path], example, "{path}: run this test with CHERT_WRITE_EXAMPLES=1");
    }
    assert_eq!(written.as_object().map(serde_json::Map::len), examples.as_object().map(serde_json::Map::len));
}
