//! Nobody sees statistics that are not public: by no route, no filter, no look into the past, and not from a cache.

use schema::source::SourceKind;
use serde_json::Value;

use crate::node::{CHAIN_ID, Person};
use crate::stack::{Stack, source};
use crate::village::{HEIGHT, ORACLE, Village};

/// What only the statistics of ben and cleo, or a sum with them, would say: scores that nobody else has.
const SECRETS: [&str; 3] = ["7171.25", "8383.75", "919191"];

async fn village() -> (Village, Stack) {
    let village = Village::settled().await;
    let stack = Stack::start(vec![source("chert", SourceKind::Chert, CHAIN_ID, village.node.url())]).await;
    stack.until_height(HEIGHT).await;
    (village, stack)
}

async fn answer(stack: &Stack, route: &str) -> (u16, String) {
    let url = format!("{}{route}", stack.api);
    let answer = reqwest::get(&url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

/// Every route that the API declares, for one person, with the parameters that change who is shown.
async fn routes(stack: &Stack, person: &Person, rig: &Person) -> Vec<String> {
    let openapi = stack.get("/openapi.json").await;
    let mut routes = Vec::new();
    for (path, operations) in openapi["paths"].as_object().expect("paths") {
        if operations["get"].is_null() || path == "/docs" || path == "/openapi.json" {
            continue;
        }
        let filled = path
            .replace("{identity_id}", &person.id)
            .replace("{address}", &rig.address)
            .replace("{oracle_id}", ORACLE)
            .replace("{proposal_id}", "1")
            .replace("{position}", "20")
            .replace("{height_or_hash}", "6")
            .replace("{tx_id}", "00000000-0000-4000-8000-000006000004")
            .replace("{submission_id}", "wu-cleo-1");
        assert!(!filled.contains('{'), "the test does not know what to put into {path}");
        let query = match path.as_str() {
            "/v1/identity" => format!("ids={}", person.id),
            "/v1/identity/search" => "name=c".to_owned(),
            "/v1/explorer/search" => format!("q={}", person.id),
            "/v1/explorer/balances" => format!("addresses={}", rig.address),
            _ => "_=1".to_owned(),
        };
        let declared = operations["get"]["parameters"].as_array().cloned().unwrap_or_default();
        let takes = |name: &str| declared.iter().any(|parameter| parameter["name"] == name);
        routes.push(format!("{filled}?{query}"));
        let more = [
            ("at_height", "at_height=6"),
            ("explain", "explain=true"),
            ("timeframe", "timeframe=day"),
            ("type", "type=boinc"),
            ("count", "count=exact"),
            ("of", "of=all"),
            ("by", "by=address&type=boinc"),
            ("around", "by=address&around=RIG"),
        ];
        for (name, given) in more {
            // `type` also means the kind of a proposal or of a transaction.
            if takes(name) && (name != "type" || path.contains("pouw")) {
                routes.push(format!("{filled}?{query}&{}", given.replace("RIG", &rig.address)));
            }
        }
    }
    routes
}

/// Whether a route is about chain facts that are public whoever they are about.
fn is_chain_fact(route: &str) -> bool {
    let facts = ["/v1/explorer/", "/v1/events", "/v1/pouw/submission/", "/v1/pouw/oracle", "/metrics"];
    facts.iter().any(|fact| route.starts_with(fact))
}

/// No answer about a person whose statistics are hidden may name them, in any form.
async fn assert_hidden(stack: &Stack, person: &Person, rig: &Person) {
    for route in routes(stack, person, rig).await {
        let (status, text) = answer(stack, &route).await;
        assert!(status < 500, "{route}: {status} {text}");
        let about_stats = ["/stats", "/history", "/rank"].iter().any(|part| route.contains(part));
        if about_stats && route.contains(&person.id) && !route.contains("governance") {
            assert_eq!(status, 403, "{route}: {text}");
        }
        if !is_chain_fact(&route) && !route.contains("by=address") {
            for secret in SECRETS {
                assert!(!text.contains(secret), "{route} says {secret}: {text}");
            }
        }
        if route.starts_with("/v1/pouw/") && status == 200 {
            assert!(!text.contains(&person.id), "{route} names the person: {text}");
        }
    }
    // Whose a wallet is, is public; that this work is by this person is not said, not even by naming the link.
    let links = stack.get(&format!("/v1/identity/{}/wallets?limit=100", person.id)).await;
    let links: Vec<&Value> = links["items"].as_array().expect("items").iter().map(|link| &link["position"]).collect();
    for id in ["wu-ben-1", "wu-cleo-1", "wu-cleo-2"] {
        let submission = stack.get(&format!("/v1/pouw/submission/{id}?explain=true")).await;
        let causes = submission["provenance"]["events"].as_array().expect("events");
        assert!(causes.iter().all(|cause| !links.contains(&&cause["position"])), "{submission}");
    }
    let hidden = [
        format!("/v1/pouw/leaderboard?around={}", person.id),
        format!("/v1/pouw/leaderboard?around={}&at_height=6", person.id),
        format!("/v1/pouw/rank/{}?type=boinc", person.id),
        format!("/v1/pouw/history/{}?type=boinc", person.id),
    ];
    for route in hidden {
        let (status, text) = answer(stack, &route).await;
        assert_eq!(status, 403, "{route}: {text}");
        let problem: Value = serde_json::from_str(&text).expect("a problem");
        assert_eq!(problem["type"], "/problems/stats-not-public", "{route}");
    }
    let by_address = stack.get("/v1/pouw/leaderboard?by=address&limit=100").await;
    for item in by_address["items"].as_array().expect("items") {
        assert_ne!(item["identity_id"].as_str(), Some(person.id.as_str()), "{item}");
    }
    let feed = stack.get(&format!("/v1/identity/{}/feed?limit=100", person.id)).await;
    let items = feed["items"].as_array().expect("items");
    assert!(items.iter().all(|item| item["kind"] != "work.submitted"), "{feed}");
    assert!(!items.is_empty(), "what is public stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_public_is_nowhere_to_be_found() {
    let (village, stack) = village().await;
    assert_hidden(&stack, &village.ben, &village.rigs[1]).await;
    assert_hidden(&stack, &village.cleo, &village.rigs[2]).await;
    // What is public is there, so that silence above means something.
    let (_, text) = answer(&stack, "/v1/pouw/leaderboard?by=address&type=boinc").await;
    assert!(SECRETS[..2].iter().all(|secret| text.contains(secret)), "{text}");
    let (status, _) = answer(&stack, &format!("/v1/pouw/stats/{}", village.ada.id)).await;
    assert_eq!(status, 200);
    // Votes, power and follows are public facts about everybody.
    let (status, _) = answer(&stack, &format!("/v1/governance/stats/{}", village.cleo.id)).await;
    assert_eq!(status, 200);
    stack.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_turns_private_is_hidden_at_once_also_in_the_past_and_in_what_was_cached() {
    let (village, stack) = village().await;
    let Village { cleo, rigs, node, .. } = &village;
    node.mine(Village::time(13), vec![cleo.show_to("public")]);
    stack.until_height(13).await;
    // Now everybody sees her, also as of a time when she was private, and every answer is in the cache.
    let mut seen = 0;
    for _ in 0..2 {
        for route in routes(&stack, cleo, &rigs[2]).await {
            let (status, text) = answer(&stack, &route).await;
            assert!(status < 500 && status != 403, "{route}: {status} {text}");
            seen += usize::from(!is_chain_fact(&route) && SECRETS.iter().any(|secret| text.contains(secret)));
        }
    }
    assert!(seen > 10, "only {seen} answers show anything that could be hidden");
    let past = stack.get(&format!("/v1/pouw/stats/{}?at_height=6", cleo.id)).await;
    assert_eq!(past["total_boinc_credits"], "8383.75");
    // The boards of then did not rank her; those of now do.
    let then = stack.get("/v1/pouw/leaderboard?type=boinc&at_height=6").await;
    assert_eq!(then["items"].as_array().map(Vec::len), Some(1), "{then}");
    let now = stack.get("/v1/pouw/leaderboard?type=boinc").await;
    assert_eq!(now["items"].as_array().map(Vec::len), Some(2), "{now}");

    node.mine(Village::time(14), vec![cleo.show_to("private")]);
    stack.until_height(14).await;
    assert_hidden(&stack, cleo, &rigs[2]).await;
    // The board of the block in which she was public had two; it keeps their places and shows one.
    let then = stack.get("/v1/pouw/leaderboard?type=boinc&at_height=13").await;
    let places: Vec<&Value> = then["items"].as_array().expect("items").iter().map(|item| &item["rank"]).collect();
    assert_eq!(places, [2], "{then}");
    stack.stop().await;
}
