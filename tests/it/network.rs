//! The synthetic network, its forks and its faults, as the indexer sees them over HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use loadtest::network::{
    BlockDefect, Fault, FaultKind, NetworkConfig, NetworkHandle, ServeOptions, TransactionDefect, serve,
};
use schema::source::SourceKind;

use crate::stack::{Stack, assert_same, source};

/// A network that grows only when told to.
async fn network(config: NetworkConfig) -> NetworkHandle {
    let options = ServeOptions { pace_ms: Some(0), ..ServeOptions::default() };
    serve(config, SocketAddr::from(([127, 0, 0, 1], 0)), options).await.expect("the network starts")
}

fn small() -> NetworkConfig {
    NetworkConfig {
        history_blocks: 60,
        accounts: 90,
        identities: 30,
        fork_every_blocks: 10,
        bad_signature_per_mille: 50,
        defect_per_mille: 50,
        oddity_per_mille: 50,
        stealth_per_mille: 20,
        ..NetworkConfig::default()
    }
}

async fn stack(network: &NetworkHandle) -> Stack {
    let chain_id = NetworkConfig::default().chain_id;
    Stack::start(vec![source("chert", SourceKind::Chert, &chain_id, network.url())]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_and_supply_are_the_networks_own_ledger_through_its_forks() {
    let network = network(small()).await;
    let stack = stack(&network).await;
    stack.until_height(60).await;
    for _ in 0..12 {
        network.advance(5).await.expect("grows");
        let head = network.head();
        stack.until("the network's head", |_, source| source["head_hash"].as_str() == Some(head.hash.as_str())).await;
    }
    let ledger = network.ledger();
    let mut derived = BTreeMap::new();
    for rows in stack.rows().await.iter().filter(|rows| rows.view == "balances") {
        for line in &rows.lines {
            let parts: Vec<&str> = line.split('|').collect();
            let balance: u64 = parts[2].parse().expect("no balance of a closed chain is negative");
            if balance > 0 {
                derived.insert(parts[1].to_owned(), balance);
            }
        }
    }
    let expected: BTreeMap<String, u64> =
        ledger.balances.iter().filter(|(_, balance)| **balance > 0).map(|(a, b)| (a.to_string(), *b)).collect();
    assert_eq!(derived, expected);
    let chains = stack.get("/v1/chains").await;
    let supply = &chains["items"][0]["supply"];
    assert_eq!(supply["burned"].as_str(), Some(ledger.burned.to_string().as_str()));
    assert_eq!(supply["undisclosed"].as_str(), Some(ledger.undisclosed.to_string().as_str()));
    assert_eq!(supply["minted"].as_str(), Some(ledger.minted.to_string().as_str()));
    let status = stack.get("/v1/status").await;
    for view in status["views"].as_array().expect("views") {
        assert_eq!(view["state"], "live", "{view}");
    }
    let coverage = stack.get("/v1/coverage").await;
    assert!(coverage["items"][0]["retractions_total"].as_u64() > Some(0), "the chain forked: {coverage}");
    stack.stop().await;
    network.stop().await.expect("the network ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_counted_and_shown_stores_nothing_half_and_passes_without_a_restart() {
    let network = network(small()).await;
    let stack = stack(&network).await;
    stack.until_height(60).await;
    let faults = [
        FaultKind::HttpError { status: 503 },
        FaultKind::Truncated { abort: false },
        FaultKind::Truncated { abort: true },
        FaultKind::RateLimit { retry_after_s: 1 },
        FaultKind::WrongParent { height: None },
        FaultKind::MalformedBlock { height: None, defect: BlockDefect::MissingField },
        FaultKind::MalformedBlock { height: None, defect: BlockDefect::StringHeight },
        FaultKind::MalformedBlock { height: None, defect: BlockDefect::NullHash },
        FaultKind::Slow { delay_ms: 5_000 },
    ];
    for kind in faults {
        let before = stack.get("/v1/status").await["sources"][0]["error_count"].as_u64().expect("a count");
        network.set_fault(Some(Fault { kind: kind.clone(), requests: None }));
        network.advance(2).await.expect("grows");
        let what = format!("{kind:?} to be noticed");
        let seen = stack.until(&what, |_, source| source["error_count"].as_u64() > Some(before)).await;
        assert!(
            seen["sources"][0]["last_error"].is_string() || seen["sources"][0]["state"] == "following",
            "{kind:?}: {seen}"
        );
        network.set_fault(None);
        let head = network.head();
        let what = format!("recovery from {kind:?}");
        stack
            .until(&what, |_, source| {
                source["head_hash"].as_str() == Some(head.hash.as_str()) && source["last_error"].is_null()
            })
            .await;
    }
    // A lower head is no fault and no fork: nothing is retracted, nothing is counted.
    let retractions = |coverage: &serde_json::Value| coverage["items"][0]["retractions_total"].clone();
    let before = retractions(&stack.get("/v1/coverage").await);
    network.set_fault(Some(Fault { kind: FaultKind::LowerHead { by: 5 }, requests: None }));
    stack.until("the lower head to be seen", |_, source| source["tip"].as_u64() < source["head"].as_u64()).await;
    network.set_fault(None);
    let head = network.head().height;
    stack.until("the head again", |_, source| source["tip"].as_u64() == Some(head)).await;
    assert_eq!(retractions(&stack.get("/v1/coverage").await), before);

    // A transaction that is itself malformed is kept as raw bytes and moves nothing; the chain is then incomplete.
    let wrong = FaultKind::WrongTransaction { height: None, defect: TransactionDefect::NoSender };
    assert_eq!(stack.get("/v1/chains").await["items"][0]["complete"], true);
    network.set_fault(Some(Fault { kind: wrong, requests: None }));
    network.advance(3).await.expect("grows");
    let head = network.head().height;
    stack.until("the wrong transaction", |_, source| source["head"].as_u64() >= Some(head)).await;
    network.set_fault(None);
    let mut found = false;
    let mut after = 0;
    loop {
        let page = stack.get(&format!("/v1/events?kind=source.unrecognized&after={after}&limit=100")).await;
        let items = page["items"].as_array().expect("items").clone();
        let Some(last) = items.last() else { break };
        after = last["position"].as_i64().expect("a position");
        found |= items.iter().any(|event| event["body"]["part"] == "transaction");
    }
    assert!(found, "the malformed transaction is an event");
    assert_eq!(stack.get("/v1/chains").await["items"][0]["complete"], false);
    stack.stop().await;
    network.stop().await.expect("the network ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_another_chain_halts_its_source() {
    let network = network(small()).await;
    let stack = Stack::start(vec![source("chert", SourceKind::Chert, "another-chain", network.url())]).await;
    let seen = stack.until("the halt", |_, source| source["state"] == "halted").await;
    let why = seen["sources"][0]["last_error"].as_str().expect("a sentence");
    assert!(why.contains("another-chain") && why.contains(&NetworkConfig::default().chain_id), "{why}");
    assert!(seen["sources"][0]["head"].is_null(), "{seen}");
    stack.stop().await;
    network.stop().await.expect("the network ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn following_along_gives_the_rows_of_a_late_backfill() {
    let network = network(small()).await;
    let early = stack(&network).await;
    for _ in 0..10 {
        network.advance(3).await.expect("grows");
        let head = network.head();
        early.until("the head", |_, source| source["head_hash"].as_str() == Some(head.hash.as_str())).await;
    }
    let head = network.head();
    early.until_height(head.height).await;
    let late = stack(&network).await;
    late.until("the head", |_, source| source["head_hash"].as_str() == Some(head.hash.as_str())).await;
    late.until_height(head.height).await;
    assert_same(&early.rows().await, &late.rows().await, "followed along and backfilled");
    early.stop().await;
    late.stop().await;
    network.stop().await.expect("the network ends");
}
