//! A real chain that nobody here wrote: a recorded AITBC node, played back over HTTP with a growing head.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::{Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use schema::source::SourceKind;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::stack::{Stack, source};

/// The recording, or none, said plainly, when `CHERT_RECORDINGS` is not set.
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
fn recording() -> Option<PathBuf> {
    let Some(path) = std::env::var_os("CHERT_RECORDINGS") else {
        eprintln!("skipped: CHERT_RECORDINGS is not set");
        return None;
    };
    Some(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path).join("aitbc"))
}

fn json_file(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("recorded JSON")
}

/// The recorded node; its head is moved by the test.
struct Node {
    folder: PathBuf,
    blocks: Vec<Value>,
    recorded: BTreeMap<String, (u16, String)>,
    head: AtomicU64,
}

impl Node {
    fn block(&self, height: u64) -> &Value {
        self.blocks.iter().find(|block| block["height"].as_u64() == Some(height)).expect("recorded")
    }
}

async fn play(folder: PathBuf) -> (String, Arc<Node>) {
    let blocks = json_file(&folder.join("head/blocks_range_0_head.json"))["blocks"].as_array().expect("blocks").clone();
    let index = json_file(&folder.join("index.json"));
    let entries = index.as_array().cloned().unwrap_or_else(|| index["entries"].as_array().expect("entries").clone());
    let mut recorded = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry["method"] == "GET" && entry["run"] == "head") {
        let status = entry["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
        let file = (status, entry["file"].as_str().expect("a file").to_owned());
        recorded.entry(entry["path"].as_str().expect("a path").to_owned()).or_insert(file);
    }
    let node = Arc::new(Node { folder, blocks, recorded, head: AtomicU64::new(0) });
    let router = Router::new()
        .route("/rpc/head", get(head))
        .route("/rpc/blocks-range", get(range))
        .fallback(as_recorded)
        .with_state(Arc::clone(&node));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (url, node)
}

async fn head(State(node): State<Arc<Node>>) -> axum::Json<Value> {
    let block = node.block(node.head.load(Ordering::SeqCst));
    axum::Json(
        json!({"height": block["height"], "hash": block["hash"], "timestamp": block["timestamp"], "tx_count": block["tx_count"]}),
    )
}

async fn range(State(node): State<Arc<Node>>, Query(query): Query<BTreeMap<String, String>>) -> axum::Json<Value> {
    let number = |name: &str| query.get(name).and_then(|text| text.parse::<u64>().ok());
    let end = number("end").unwrap_or(10).min(node.head.load(Ordering::SeqCst));
    let wanted = number("start").unwrap_or(0)..=end;
    let blocks: Vec<&Value> =
        node.blocks.iter().filter(|block| block["height"].as_u64().is_some_and(|h| wanted.contains(&h))).collect();
    axum::Json(json!({"success": true, "count": blocks.len(), "blocks": blocks}))
}

async fn as_recorded(State(node): State<Arc<Node>>, uri: Uri) -> Response {
    let Some((status, file)) = node.recorded.get(uri.path()) else {
        return (StatusCode::NOT_FOUND, "{\"detail\":\"Not Found\"}").into_response();
    };
    let body = std::fs::read(node.folder.join(file)).expect("recorded");
    (StatusCode::from_u16(*status).expect("a status"), [("content-type", "application/json")], body).into_response()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_recorded_node_is_indexed_verified_and_served() {
    let Some(folder) = recording() else { return };
    let accounts = folder.join("head/accounts");
    let (url, node) = play(folder).await;
    let stack = Stack::start(vec![source("aitbc", SourceKind::Aitbc, "ait-devnet", &url)]).await;
    for height in [0, 1, 22, 23, 24, 30, 36, 48, 63, 64] {
        node.head.store(height, Ordering::SeqCst);
        stack.until_height(height).await;
    }

    let coverage = stack.get("/v1/coverage").await;
    let chain = &coverage["items"][0];
    assert_eq!(chain["ranges"], json!([{"from_height": 0, "to_height": 64}]));
    assert_eq!(chain["links_verified"], 64);
    assert_eq!(chain["signatures_verified"], 64);
    assert_eq!(chain["hashes_verified"], 65, "64 by the block rule and block 0 by its own");
    assert_eq!(chain["transactions"], 41);
    assert_eq!(chain["checks_refuted"], 0);

    // Every recorded transaction is there once.
    let mut served = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = stack.get(&format!("/v1/explorer/transactions?limit=10{cursor}")).await;
        served.extend(
            page["items"].as_array().expect("items").iter().map(|tx| tx["tx_id"].as_str().expect("id").to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let mut expected: Vec<String> = node
        .blocks
        .iter()
        .flat_map(|block| block["transactions"].as_array().expect("transactions"))
        .map(|tx| tx["tx_hash"].as_str().expect("hash").trim_start_matches("0x").to_owned())
        .collect();
    expected.sort();
    served.sort();
    assert_eq!(served, expected);

    // Derived and reported side by side: equal but for the claimants of receipts, whose mint no block states.
    let mut differences = BTreeMap::new();
    for name in ["alice", "bob", "carol", "client", "dave", "genesis", "miner", "miner2"] {
        let recorded = json_file(&accounts.join(format!("{name}_ait1.json")));
        let address = recorded["address"].as_str().expect("an address");
        let reported = recorded["balance"].as_i64().expect("a balance");
        let answer = loop {
            let answer = stack.get(&format!("/v1/explorer/address/{address}/balance")).await;
            if answer["reported_balance"].is_string() {
                break answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        assert_eq!(answer["reported_balance"], reported.to_string(), "{name}");
        let derived: i64 = answer["balance"].as_str().expect("text").parse().expect("a number");
        if derived != reported {
            differences.insert(name, derived - reported);
            assert_eq!(answer["difference"], (derived - reported).to_string(), "{name}");
        }
    }
    assert_eq!(differences, BTreeMap::from([("dave", -7_650_036), ("miner", -361_306), ("miner2", -180_036)]));

    // The four claims are work of type compute, and nothing proves what they claim.
    let work = stack.get("/v1/events?kind=work.submitted&limit=100").await;
    let work = work["items"].as_array().expect("items");
    assert_eq!(work.len(), 4);
    assert!(work.iter().all(|event| event["verdict"] == "unverifiable" && event["body"]["work_type"] == "compute"));
    stack.stop().await;
}
