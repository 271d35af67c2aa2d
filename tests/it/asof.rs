//! What a route answered at a position it answers there for ever: recorded over HTTP while a forking chain is indexed, and
//! asked again after later blocks, retractions and a rebuild.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use config::postgres::Role;
use indexer::projector::rebuild::rebuild;
use loadtest::network::{NetworkConfig, ServeOptions, serve};
use schema::source::SourceKind;
use serde_json::Value;
use sqlx::{Connection, PgConnection};

use crate::stack::{Stack, source};

/// Members of answers that say who may see something, which is always as of now.
const VISIBILITY: [&str; 1] = ["stats_visibility"];

/// An answer, and what it was an answer to.
#[derive(Debug, Clone, PartialEq)]
struct Answer {
    status: u16,
    body: Value,
}

async fn ask(stack: &Stack, route: &str) -> (i64, Answer) {
    let url = format!("{}{route}", stack.api);
    let answer = reqwest::get(&url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    let position = answer.headers().get("x-position").and_then(|text| text.to_str().ok()?.parse().ok());
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("a body");
    let body = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error} in {text}"));
    // A refusal is a sentence about the request; which one it is is all that matters.
    let body = if status == 200 { body } else { Value::Null };
    (position.unwrap_or_default(), Answer { status, body: without_visibility(body) })
}

fn without_visibility(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().filter(|(name, _)| {
                // A cursor carries the position that was asked for, and that is what differs here.
                !VISIBILITY.contains(&name.as_str()) && name != "next_cursor"
            });
            kept.map(|(name, member)| (name, without_visibility(member))).collect()
        }
        Value::Array(items) => items.into_iter().map(without_visibility).collect(),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

/// Whether an answer about the past may differ from what was shown then: somebody has hidden their statistics since, or
/// shows them again. Nothing else may be the reason.
fn is_of_visibility(route: &str, then: &Answer, now: &Answer) -> bool {
    if then.status != 200 || now.status != 200 {
        return [(200, 403), (403, 200)].contains(&(then.status, now.status));
    }
    let outside = |answer: &Answer| {
        let mut body = answer.body.clone();
        body["items"].take();
        body
    };
    let items = |answer: &Answer| answer.body["items"].as_array().cloned().unwrap_or_default();
    let key = |item: &Value| (item["rank"].as_i64(), item["position"].as_i64(), item["kind"].to_string());
    let before: BTreeMap<_, _> = items(then).into_iter().map(|item| (key(&item), item)).collect();
    let agree = |item: &Value| before.get(&key(item)).map(|earlier| without_owner(earlier, item) == *item);
    let shown = items(now);
    if route.contains("/pouw/leaderboard") {
        // Places stay; whoever hides leaves a gap, and whoever shows up again fills it.
        outside(then) == outside(now) && shown.iter().all(|item| agree(item) != Some(false))
    } else if route.contains("/feed") {
        // What is left out makes room for what is older.
        shown.iter().all(|item| agree(item) != Some(false))
    } else {
        false
    }
}

/// An item of a board of addresses, which no longer says whose an address is when its owner hides.
fn without_owner(earlier: &Value, item: &Value) -> Value {
    let mut earlier = earlier.clone();
    if item["miner_address"].is_string() && item["identity_id"].is_null() {
        for name in ["identity_id", "display_name"] {
            earlier[name].take();
        }
    }
    earlier
}

fn routes(people: &[String], addresses: &[String]) -> Vec<String> {
    let mut routes: Vec<String> = [
        "/v1/explorer/blocks?limit=5",
        "/v1/explorer/transactions?limit=5",
        "/v1/explorer/stats",
        "/v1/pouw/leaderboard?limit=20",
        "/v1/pouw/leaderboard?limit=20&timeframe=day",
        "/v1/pouw/leaderboard?limit=20&timeframe=week&type=boinc",
        "/v1/pouw/leaderboard?limit=20&timeframe=month&type=nuw",
        "/v1/pouw/leaderboard?limit=20&by=address",
        "/v1/pouw/leaderboard?limit=20&by=address&timeframe=day&type=compute",
        "/v1/pouw/oracles",
        "/v1/pouw/oracle/oracle-1/performance?explain=true",
        "/v1/governance/proposals",
        "/v1/governance/proposals?status=passed,rejected",
        "/v1/governance/proposals/1",
        "/v1/governance/proposals/1/votes",
        "/v1/governance/proposals/1/votes?counted=false",
        "/v1/governance/proposals/1/changes",
        "/v1/governance/proposals/1?explain=true",
        "/v1/explorer/search?q=1",
        "/v1/findings?limit=20",
        "/v1/events?limit=3",
    ]
    .iter()
    .map(|route| (*route).to_owned())
    .collect();
    for id in people {
        for route in ["", "/wallets", "/stats", "/followers", "/following", "/feed", "/changes"] {
            routes.push(format!("/v1/identity/{id}{route}"));
        }
        for noun in [
            "pouw/stats",
            "pouw/history",
            "pouw/rank",
            "governance/votes",
            "governance/stats",
            "governance/power",
            "governance/delegations",
        ] {
            routes.push(format!("/v1/{noun}/{id}"));
        }
        for noun in ["identity", "governance/power", "governance/stats", "pouw/stats"] {
            routes.push(format!("/v1/{noun}/{id}?explain=true"));
        }
        routes.push(format!("/v1/pouw/leaderboard?around={id}&limit=5"));
    }
    for address in addresses {
        for route in ["", "/balance", "/history", "/balance?explain=true"] {
            routes.push(format!("/v1/explorer/address/{address}{route}"));
        }
        routes.push(format!("/v1/identity/by-wallet/{address}"));
    }
    routes
}

fn at(route: &str, position: i64) -> String {
    format!("{route}{}at_position={position}", if route.contains('?') { '&' } else { '?' })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_at_a_position_is_answered_there_for_ever() {
    let config = NetworkConfig {
        history_blocks: 80,
        accounts: 60,
        identities: 20,
        txs_per_block: 12,
        fork_every_blocks: 4,
        // Days pass, so that windows slide and proposals end.
        history_block_time_ms: 1_800_000,
        block_time_ms: 1_800_000,
        ..NetworkConfig::default()
    };
    let options = ServeOptions { pace_ms: Some(0), ..ServeOptions::default() };
    let network =
        serve(config.clone(), SocketAddr::from(([127, 0, 0, 1], 0)), options).await.expect("the network starts");
    let stack = Stack::start(vec![source("chert", SourceKind::Chert, &config.chain_id, network.url())]).await;
    stack.until_height(80).await;
    let board = stack.get("/v1/pouw/leaderboard?by=address&limit=3").await;
    let addresses: Vec<String> = board["items"]
        .as_array()
        .expect("items")
        .iter()
        .filter_map(|item| Some(item["miner_address"].as_str()?.to_owned()))
        .collect();
    let mut people: Vec<String> = Vec::new();
    for first in ["a", "b", "c", "d", "e", "f", "h", "k"] {
        let found = stack.get(&format!("/v1/identity/search?name={first}&limit=2")).await;
        let items = found["items"].as_array().expect("items");
        people.extend(items.iter().filter_map(|item| Some(item["identity_id"].as_str()?.to_owned())));
    }
    people.dedup();
    people.truncate(4);
    assert!(people.len() >= 4 && addresses.len() == 3, "{people:?} {board}");
    let mut routes = routes(&people, &addresses);
    let records = stack.get("/v1/events?kind=work.submitted&limit=3").await;
    for record in records["items"].as_array().expect("items") {
        let id = record["body"]["submission_id"].as_str().expect("an id");
        routes.push(format!("/v1/pouw/submission/{id}?explain=true"));
    }

    let mut recorded: BTreeMap<(String, i64), Answer> = BTreeMap::new();
    for _ in 0..8 {
        network.advance(2).await.expect("grows");
        let head = network.head();
        stack
            .until("the network's head", |status, source| {
                source["head_hash"].as_str() == Some(head.hash.as_str()) && status["position"] == status["log_position"]
            })
            .await;
        for route in &routes {
            let (position, answer) = ask(&stack, route).await;
            assert!([200, 403, 404].contains(&answer.status), "{route}: {answer:?}");
            if position > 0 {
                recorded.insert((route.clone(), position), answer);
            }
        }
    }
    let coverage = stack.get("/v1/coverage").await;
    assert!(coverage["items"][0]["retractions_total"].as_u64() > Some(1), "the chain forked: {coverage}");
    compare(&stack, &recorded, "later").await;
    let database = stack.stop().await;
    // What a role may do with a database is not copied from the template that tests start from.
    let mut owner = PgConnection::connect(database.url(Role::Owner)).await.expect("the owner connects");
    sqlx::query!(r#"select log.grant_roles($1, $2)"#, Role::Indexer.name(), Role::Reader.name())
        .fetch_one(&mut owner)
        .await
        .expect("granted");
    rebuild(database.url(Role::Indexer), 1_000, true).await.expect("rebuilds");
    let stack = Stack::over(database, Vec::new()).await;
    stack.until("the API to know the database", |_, _| true).await;
    compare(&stack, &recorded, "after a rebuild").await;
    stack.stop().await;
    network.stop().await.expect("the network ends");
}

async fn compare(stack: &Stack, recorded: &BTreeMap<(String, i64), Answer>, when: &str) {
    let (mut same, mut hidden) = (0, 0);
    for ((route, position), then) in recorded {
        let (_, now) = ask(stack, &at(route, *position)).await;
        if now == *then {
            same += 1;
        } else if is_of_visibility(route, then, &now) {
            hidden += 1;
        } else {
            panic!("{route} as of {position}, {when}:\n then {then:?}\n now  {now:?}");
        }
    }
    assert!(same > 20 * hidden, "{when}: {same} answers are the same, and {hidden} are hidden since");
}
