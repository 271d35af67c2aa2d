//! The node over real HTTP.

use std::net::SocketAddr;
use std::time::Duration;

use loadtest::network::{
    BlockDefect, Fault, FaultKind, HASH_RULE, NetworkConfig, NetworkError, NetworkHandle, ServeOptions,
    TransactionDefect, serve,
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use crate::support::small;

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn client() -> Client {
    // The second and later tests find it installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

async fn still(config: NetworkConfig) -> NetworkHandle {
    let options = ServeOptions { pace_ms: Some(0), ..ServeOptions::default() };
    serve(config, LOOPBACK, options).await.expect("a network")
}

async fn call(network: &NetworkHandle, method: &str, params: Value) -> Value {
    let request = json!({ "jsonrpc": "2.0", "id": 7, "method": method, "params": params });
    let response = client().post(format!("{}/jsonrpc", network.url())).json(&request).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
    let body: Value = response.json().await.expect("JSON");
    assert_eq!((&body["jsonrpc"], &body["id"]), (&json!("2.0"), &json!(7)));
    body
}

async fn arm(network: &NetworkHandle, fault: Value) {
    let response =
        client().post(format!("{}/_network/fault", network.url())).json(&fault).send().await.expect("an answer");
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn every_way_to_leave_out_parameters_is_accepted() {
    let network = still(small()).await;
    for body in [
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":{}}"#,
    ] {
        for path in ["", "/", "/jsonrpc"] {
            let response =
                client().post(format!("{}{path}", network.url())).body(body).send().await.expect("an answer");
            let value: Value = response.json().await.expect("JSON");
            assert_eq!(value["result"]["block_number"], network.head().height, "{body} to {path}");
        }
    }
}

#[tokio::test]
async fn pages_of_blocks_lead_down_to_block_zero() {
    // A `Value` cannot hold half a surrogate pair.
    let network = still(NetworkConfig { oddity_per_mille: 0, ..small() }).await;
    let mut params = json!({ "limit": 7, "include_txs": false });
    let mut heights = vec![];
    loop {
        let page = call(&network, "get_blocks", params.clone()).await["result"].take();
        for block in page["blocks"].as_array().expect("a list") {
            assert!(block.get("transactions").is_none());
            heights.push(block["block_number"].as_u64().expect("a height"));
        }
        let Some(cursor) = page.get("next_cursor") else { break };
        params["from_height"] = cursor.clone();
    }
    let expected: Vec<u64> = (0..=network.head().height).rev().collect();
    assert_eq!(heights, expected);
    let page = call(&network, "get_blocks", json!({ "limit": 100_000 })).await;
    assert!(page["result"]["blocks"].as_array().expect("a list").len() <= 500);
}

#[tokio::test]
async fn blocks_transactions_and_balances_are_answered() {
    let network = still(small()).await;
    let head = network.head();
    let by_number = call(&network, "eth_getBlockByNumber", json!({ "block_number": 3, "include_txs": true })).await;
    let block = &by_number["result"];
    let hash = format!("0x{}", block["block_hash"].as_str().expect("a hash"));
    let by_hash = call(&network, "get_block_by_hash", json!({ "block_hash": hash, "include_txs": true })).await;
    assert_eq!(block, &by_hash["result"]);

    let missing = call(&network, "eth_getBlockByNumber", json!({ "block_number": head.height + 1 })).await;
    assert!(missing["error"]["code"].is_i64() && missing.get("result").is_none());
    assert_eq!(call(&network, "no_such_method", Value::Null).await["error"]["code"], -32_601);
    assert_eq!(call(&network, "get_blocks", json!({ "limit": "x" })).await["error"]["code"], -32_602);

    let genesis = call(&network, "eth_getBlockByNumber", json!([0, true])).await;
    let tx = &genesis["result"]["transactions"][0];
    let found = call(&network, "get_transaction", json!({ "tx_id": tx["tx_id"] })).await;
    assert_eq!(found["result"]["block_hash"], genesis["result"]["block_hash"]);
    assert_eq!(found["result"]["status"], "finalized");
    let unknown = call(&network, "get_transaction", json!({ "tx_id": uuid::Uuid::nil() })).await;
    assert_eq!(unknown["result"]["status"], "not_found");

    let ledger = network.ledger();
    let (address, balance) = ledger.balances.iter().next_back().expect("balances");
    let answer = call(&network, "get_balance", json!({ "address": address })).await;
    assert_eq!(answer["result"]["balance"], balance.to_string());
    let history = call(&network, "get_transaction_history", json!({ "limit": 5 })).await;
    assert_eq!(history["result"]["transactions"].as_array().map(Vec::len), Some(5));
}

#[tokio::test]
async fn health_announces_the_chain_and_browsers_may_ask() {
    let network = still(small()).await;
    let response = client().get(format!("{}/health", network.url())).send().await.expect("an answer");
    assert_eq!(response.headers()["access-control-allow-origin"], "*");
    let health: Value = response.json().await.expect("JSON");
    assert_eq!(health["chain_id"], "chert-synthetic-1");
    assert_eq!(health["hash_rule"], HASH_RULE);
    assert_eq!(health["consensus_status"]["current_height"], network.head().height);
    let url = format!("{}/jsonrpc", network.url());
    let preflight = client().request(reqwest::Method::OPTIONS, url).send().await.expect("an answer");
    assert_eq!(preflight.status(), StatusCode::NO_CONTENT);
    assert!(preflight.headers().contains_key("access-control-allow-headers"));
    let alerts: Value =
        client().get(format!("{}/alerts", network.url())).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(alerts["active_alerts"], json!([]));
}

#[tokio::test]
async fn the_network_is_steered_from_outside() {
    let network = still(NetworkConfig { fork_every_blocks: 0, ..small() }).await;
    let before = network.head();
    let post = async |path: &str| client().post(format!("{}{path}", network.url())).send().await.expect("an answer");
    post("/_network/advance?n=3").await;
    assert_eq!(network.head().height, before.height + 3);
    let forked: Value = post("/_network/fork?depth=4").await.json().await.expect("JSON");
    assert_eq!(forked["height"], before.height + 4);
    let at_before = network.with_chain(|chain| chain.block(before.height).expect("no file").expect("a block"));
    assert_ne!(at_before.hash(), before.hash);
    assert_eq!(post("/_network/fork?depth=0").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(post("/_network/advance?n=-1").await.status(), StatusCode::BAD_REQUEST);
    let stats = client().get(format!("{}/_network/stats", network.url())).send().await.expect("an answer");
    let stats: Value = stats.json().await.expect("JSON");
    assert_eq!(stats["tally"]["blocks"], network.head().height + 1);
    network.advance(2).await.expect("steps");
    assert_eq!(network.head().height, before.height + 6);
    network.stop().await.expect("a clean end");
}

#[tokio::test]
async fn transport_faults_show_and_clear_themselves() {
    let network = still(small()).await;
    let ask = async || client().get(format!("{}/health", network.url())).send().await.expect("an answer");

    arm(&network, json!({ "kind": "http_error", "status": 503, "requests": 2 })).await;
    assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask().await.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask().await.status(), StatusCode::OK);

    arm(&network, json!({ "kind": "rate_limit", "retry_after_s": 9, "requests": 1 })).await;
    let limited = ask().await;
    assert_eq!(
        (limited.status(), &limited.headers()["retry-after"]),
        (StatusCode::TOO_MANY_REQUESTS, &"9".parse().expect("a header"))
    );

    arm(&network, json!({ "kind": "truncated", "requests": 1 })).await;
    let half = ask().await.text().await.expect("a complete answer");
    assert!(serde_json::from_str::<Value>(&half).is_err() && half.starts_with('{'));

    arm(&network, json!({ "kind": "truncated", "abort": true, "requests": 1 })).await;
    assert!(ask().await.text().await.is_err(), "the connection breaks");

    network.set_fault(Some(Fault { kind: FaultKind::Slow { delay_ms: 300 }, requests: None }));
    let hurried = client().get(format!("{}/health", network.url())).timeout(Duration::from_millis(50)).send().await;
    assert!(hurried.is_err_and(|error| error.is_timeout()));
    network.set_fault(None);
    assert_eq!(ask().await.status(), StatusCode::OK);
    assert_eq!(network.fault(), None);
}

#[tokio::test]
async fn a_lower_head_hides_the_newest_blocks() {
    let network = still(small()).await;
    let head = network.head().height;
    arm(&network, json!({ "kind": "lower_head", "by": 5 })).await;
    assert_eq!(call(&network, "eth_blockNumber", Value::Null).await["result"]["block_number"], head - 5);
    let page = call(&network, "get_blocks", json!({ "limit": 1 })).await;
    assert_eq!(page["result"]["blocks"][0]["block_number"], head - 5);
    let above = call(&network, "eth_getBlockByNumber", json!({ "block_number": head })).await;
    assert!(above.get("error").is_some());
    network.set_fault(None);
    assert_eq!(call(&network, "eth_blockNumber", Value::Null).await["result"]["block_number"], head);
}

/// A block of the network with transactions in it.
fn full_block(network: &NetworkHandle) -> u64 {
    let full = |height: &u64| {
        network.with_chain(|chain| !chain.block(*height).expect("no file").expect("a block").transactions().is_empty())
    };
    (2..network.head().height).find(full).expect("a full block")
}

#[tokio::test]
async fn content_faults_spoil_one_block_and_nothing_else() {
    let network = still(small()).await;
    let height = full_block(&network);
    let at = Some(height);
    let ask = async |height: u64| {
        call(&network, "eth_getBlockByNumber", json!({ "block_number": height })).await["result"].take()
    };
    let (sound, other) = (ask(height).await, ask(height - 1).await);
    let kinds = [
        FaultKind::WrongParent { height: at },
        FaultKind::MalformedBlock { height: at, defect: BlockDefect::MissingField },
        FaultKind::MalformedBlock { height: at, defect: BlockDefect::StringHeight },
        FaultKind::MalformedBlock { height: at, defect: BlockDefect::NullHash },
        FaultKind::WrongTransaction { height: at, defect: TransactionDefect::NoSender },
        FaultKind::WrongTransaction { height: at, defect: TransactionDefect::AmountTooLarge },
    ];
    for kind in kinds {
        network.set_fault(Some(Fault { kind: kind.clone(), requests: Some(1) }));
        assert_eq!(ask(height - 1).await, other, "{kind:?} is about another block");
        assert_ne!(ask(height).await, sound, "{kind:?} shows");
        assert_eq!(ask(height).await, sound, "{kind:?} clears itself");
    }
}

#[tokio::test]
async fn only_this_machine_is_served_unless_allowed() {
    let everywhere = "0.0.0.0:0".parse().expect("an address");
    let refused = serve(small(), everywhere, ServeOptions::default()).await;
    assert!(matches!(refused, Err(NetworkError::NotLoopback { .. })));
}

#[tokio::test]
async fn a_pace_makes_the_chain_grow_by_itself() {
    let options = ServeOptions { pace_ms: Some(5), ..ServeOptions::default() };
    let network = serve(small(), LOOPBACK, options).await.expect("a network");
    let start = network.head().height;
    let grown = async {
        while network.head().height < start + 3 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), grown).await.expect("three blocks within half a minute");
}
