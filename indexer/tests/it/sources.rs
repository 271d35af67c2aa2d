//! Nodes on loopback with the habits and faults that real ones have.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indexer::source::aitbc::{self, AitbcSource};
use indexer::source::chert::{ChertSource, Options};
use indexer::source::scripted::{CHAIN_ID, Script};
use indexer::source::{BlockUnit, Source, SourceError};
use schema::chain::{AddressRule, Height};
use schema::event::{Event, Verdict};
use serde_json::{Value, json};

use crate::loopback::{Reply, Request, serve};

mod contact;
mod reports;

/// How a node differs from another.
#[derive(Debug, Clone, Copy, Default)]
struct Habits {
    /// JSON-RPC is at `/` and not at `/jsonrpc`.
    is_at_root: bool,
    /// Pages begin below `from_height`.
    is_exclusive: bool,
    /// There is no `get_blocks`.
    has_no_pages: bool,
    /// Blocks in a page, whatever is asked for.
    page_max: usize,
}

/// The blocks of a script as a node would serve them; only what is needed to tell them apart.
fn served(chain: &[BlockUnit]) -> Vec<Value> {
    let block = |unit: &BlockUnit| {
        let Event::BlockApplied(block) = &unit.unit.entries[0].event else { panic!("another event") };
        json!({
            "block_number": unit.height.to_db(), "block_hash": block.hash, "previous_block_hash": block.parent_hash,
            "timestamp": block.time.text(), "validator_address": block.validator, "transactions": []})
    };
    chain.iter().map(block).collect()
}

/// Height of the newest block.
const TIP: u32 = 40;

fn chain(tip: u32) -> Vec<Value> {
    let blocks: Vec<String> = (1..=tip).map(|height| format!("{height}:")).collect();
    served(&Script::parse(&blocks.join("|")).expect("a script").standing())
}

fn result(habits: Habits, chain: &[Value], method: &str, params: &Value) -> Result<Value, (i32, &'static str)> {
    let at = |height: &Value| height.as_u64().and_then(|height| chain.get(usize::try_from(height).ok()?)).cloned();
    match method {
        "eth_blockNumber" => Ok(json!({"block_number": format!("0x{:x}", chain.len() - 1)})),
        "eth_getBlockByNumber" => match at(&params["block_number"]) {
            Some(block) => Ok(json!({"block": block})),
            None => Err((-32000, "block not found")),
        },
        "get_blocks" if !habits.has_no_pages => {
            let from = params["from_height"].as_u64().unwrap_or(u64::MAX);
            let limit = usize::try_from(params["limit"].as_u64().unwrap_or(20)).expect("small");
            let is_below = |height: u64| if habits.is_exclusive { height < from } else { height <= from };
            let blocks = chain.iter().rev().filter(|block| is_below(block["block_number"].as_u64().expect("a number")));
            Ok(json!({"blocks": blocks.take(limit.min(habits.page_max)).collect::<Vec<_>>()}))
        }
        "get_balance" => Ok(json!({"address": params["address"], "balance": "18446744073709551615", "nonce": 3})),
        _ => Err((-32601, "no such method")),
    }
}

fn node(habits: Habits) -> impl Fn(Request) -> Reply + Send + Sync + 'static {
    node_of(habits, chain(TIP))
}

fn node_of(habits: Habits, chain: Vec<Value>) -> impl Fn(Request) -> Reply + Send + Sync + 'static {
    move |request| {
        let path = if habits.is_at_root { "/" } else { "/jsonrpc" };
        if request.target == "/health" {
            let health = json!({"chain_id": CHAIN_ID, "hash_rule": "chert-synthetic-1", "consensus_status": {"current_height": 40}});
            return Reply::ok(health.to_string());
        }
        if request.target != path {
            return Reply::status(404);
        }
        let question: Value = serde_json::from_str(&request.body).expect("JSON");
        let method = question["method"].as_str().expect("a method");
        let answer = match result(habits, &chain, method, &question["params"]) {
            Ok(result) => json!({"jsonrpc": "2.0", "id": question["id"], "result": result}),
            Err((code, message)) => {
                json!({"jsonrpc": "2.0", "id": question["id"], "error": {"code": code, "message": message}})
            }
        };
        Reply::ok(answer.to_string())
    }
}

fn height(height: u64) -> Height {
    Height::try_from(height).expect("a height")
}

fn heights(blocks: &[BlockUnit]) -> Vec<i64> {
    blocks.iter().map(|block| block.height.to_db()).collect()
}

#[tokio::test]
async fn a_node_is_followed_whatever_its_habits() {
    for habits in [
        Habits { page_max: 100, ..Habits::default() },
        Habits { page_max: 7, is_at_root: true, ..Habits::default() },
        Habits { page_max: 7, is_exclusive: true, ..Habits::default() },
        Habits { has_no_pages: true, ..Habits::default() },
    ] {
        let url = serve(node(habits)).await;
        let source =
            ChertSource::new(&format!("{url}/"), Options { page: 10, ..Options::default() }).expect("a source");
        let introduction = source.introduce().await.unwrap_or_else(|error| panic!("{habits:?}: {error}"));
        assert_eq!(introduction.chain_id.as_deref(), Some(CHAIN_ID));
        assert_eq!(introduction.hash_rule.as_deref(), Some("chert-synthetic-1"));
        assert_eq!(introduction.genesis_hash, source.hash_at(height(0)).await.expect("asked"));
        assert_eq!(source.tip().await.expect("a tip").height, height(40));
        let blocks = source.blocks(height(3)..=height(25)).await.expect("blocks");
        assert_eq!(heights(&blocks), (3..=25).collect::<Vec<_>>(), "{habits:?}");
        assert!(blocks.iter().all(|block| block.unit.entries[0].verdict == Some(Verdict::Verified)));
        let up_to_tip = source.blocks(height(38)..=height(60)).await.expect("blocks");
        assert_eq!(heights(&up_to_tip), [38, 39, 40], "{habits:?}");
        assert!(source.blocks(height(41)..=height(60)).await.expect("asked").is_empty(), "{habits:?}");
        assert_eq!(source.hash_at(height(41)).await.expect("asked"), None);
        let known: Vec<_> = blocks.iter().map(|block| (block.height, block.hash.clone())).collect();
        assert_eq!(source.hashes(height(3)..=height(25)).await.expect("asked"), known, "{habits:?}");
        assert_eq!(source.hashes(height(0)..=height(60)).await.expect("asked").len(), 41, "{habits:?}");
        assert_eq!(source.health().await.expect("asked").current_height, Some(height(40)));

        let address = AddressRule::Exact.canonical("0xAb").expect("an address");
        let unit = source.report(&address).await.expect("asked").expect("reported");
        let Event::AccountReported(report) = &unit.entries[0].event else { panic!("another event") };
        assert_eq!((report.balance.text(), report.height_after.text()), ("18446744073709551615", "40"));
    }
}

#[tokio::test]
async fn a_node_without_pages_answers_the_newest_64_hashes_of_a_longer_range() {
    let url = serve(node_of(Habits { has_no_pages: true, ..Habits::default() }, chain(80))).await;
    let source = ChertSource::new(&url, Options::default()).expect("a source");
    let hashes = source.hashes(height(0)..=height(80)).await.expect("asked");
    assert_eq!(hashes.iter().map(|(height, _)| height.to_db()).collect::<Vec<_>>(), (17..=80).collect::<Vec<_>>());
    assert_eq!(source.hashes(height(10)..=height(73)).await.expect("asked").len(), 64);
}

#[tokio::test]
async fn a_node_of_another_chain_is_refused_in_plain_words() {
    let url = serve(node(Habits { page_max: 9, ..Habits::default() })).await;
    let options = Options { chain_id: Some("other".into()), ..Options::default() };
    let refused = ChertSource::new(&url, options).expect("a source").introduce().await;
    assert!(matches!(refused, Err(SourceError::Unsuitable(why)) if why.contains("scripted") && why.contains("other")));
    let nowhere = serve(|_| Reply::status(404)).await;
    let refused = ChertSource::new(&nowhere, Options::default()).expect("a source").introduce().await;
    assert!(matches!(refused, Err(SourceError::Unsuitable(_))), "{refused:?}");
    assert!(ChertSource::new("ftp://node", Options::default()).is_err());
}

/// A good node until it is given a fault, which its next answer has.
async fn faulty(fault: Arc<Mutex<Option<Reply>>>) -> String {
    let good = node(Habits { page_max: 100, ..Habits::default() });
    serve(move |request| fault.lock().expect("unpoisoned").take().unwrap_or_else(|| good(request))).await
}

type IsExpected<'a> = &'a dyn Fn(&SourceError) -> bool;

#[tokio::test]
async fn every_fault_is_named_and_the_next_answer_is_good() {
    let fault = Arc::new(Mutex::new(None));
    let url = faulty(fault.clone()).await;
    let options = Options { timeout: Duration::from_secs(5), max_response_bytes: 64 * 1024, ..Options::default() };
    let source = ChertSource::new(&url, options).expect("a source");
    source.introduce().await.expect("introduced");
    let page = json!({"jsonrpc": "2.0", "id": 0, "result": {"blocks": chain(TIP)}}).to_string();
    let transient = |error: &SourceError| matches!(error, SourceError::Transient(_));
    let malformed = |error: &SourceError| matches!(error, SourceError::Malformed(_));
    let patience = |error: &SourceError| *error == SourceError::RateLimited { retry_after: Duration::from_secs(7) };
    let faults: [(&str, Reply, IsExpected<'_>); 8] = [
        ("500", Reply::status(500), &transient),
        ("503", Reply::status(503), &transient),
        ("429", Reply::status(429).with_header("retry-after", "7"), &patience),
        ("cut", Reply::ok(page.clone()).cut_by(10), &malformed),
        ("not JSON", Reply::ok("<html>"), &malformed),
        ("half JSON", Reply::ok(&page[..page.len() - 10]), &malformed),
        ("too large", Reply::ok(" ".repeat(70 * 1024)), &malformed),
        ("another id", Reply::ok("{\"jsonrpc\":\"2.0\",\"id\":987654,\"result\":{\"blocks\":[]}}"), &malformed),
    ];
    for (name, reply, expected) in faults {
        *fault.lock().expect("unpoisoned") = Some(reply);
        let error = source.blocks(height(1)..=height(5)).await.expect_err(name);
        assert!(expected(&error), "{name}: {error:?}");
        assert_eq!(source.blocks(height(1)..=height(5)).await.expect("good again").len(), 5, "{name}");
    }
}

#[tokio::test]
async fn a_slow_or_absent_node_is_transient() {
    let slow = serve(|_| {
        std::thread::sleep(Duration::from_millis(300));
        Reply::ok("{}")
    });
    let options = Options { timeout: Duration::from_millis(50), ..Options::default() };
    let slow = ChertSource::new(&slow.await, options.clone()).expect("a source");
    assert!(matches!(slow.introduce().await, Err(SourceError::Transient(_))));
    // Port 9 of loopback: nobody listens there.
    let absent = ChertSource::new("http://127.0.0.1:9", options).expect("a source");
    assert!(matches!(absent.introduce().await, Err(SourceError::Transient(_))));
}

#[tokio::test]
async fn an_aitbc_node_of_another_dialect_is_refused_and_its_faults_are_named() {
    let march = serve(|request| match request.target.as_str() {
        "/openapi.json" => Reply::ok("{\"paths\":{\"/rpc/head\":{},\"/rpc/blocks-range\":{}}}"),
        _ => Reply::status(404),
    });
    let source = AitbcSource::new(&march.await, aitbc::Options::default()).expect("a source");
    assert!(matches!(source.introduce().await, Err(SourceError::Unsuitable(why)) if why.contains("March 2026")));

    let asked = Arc::new(AtomicUsize::new(0));
    let counted = asked.clone();
    let url = serve(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => Reply::status(429).with_header("retry-after", "60"),
        1 => Reply::status(500),
        2 => Reply::ok("{\"paths\":{}}").cut_by(3),
        _ => Reply::ok("nonsense"),
    });
    let source = AitbcSource::new(&url.await, aitbc::Options::default()).expect("a source");
    let minute = Duration::from_secs(60);
    assert_eq!(source.introduce().await, Err(SourceError::RateLimited { retry_after: minute }));
    assert!(matches!(source.introduce().await, Err(SourceError::Transient(_))));
    assert!(matches!(source.introduce().await, Err(SourceError::Malformed(_))));
    assert!(matches!(source.introduce().await, Err(SourceError::Malformed(_))));
    assert_eq!(asked.load(Ordering::Relaxed), 4);
}
