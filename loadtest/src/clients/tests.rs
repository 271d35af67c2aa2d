use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;

/// Long enough for some answers on a busy machine; no test depends on how many.
const SHORT: Duration = Duration::from_millis(60);

async fn served(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

async fn tally(router: Router, paths: &[&str], duration: Duration, connections: usize) -> closed_loop::Tally {
    let target = Target::parse(&served(router).await).await.expect("loopback");
    let questions = Questions::Cycle(paths.iter().map(|path| (*path).to_owned()).collect());
    measure(&target, questions, duration, connections).await
}

#[tokio::test]
async fn every_answer_is_counted_once_with_its_bytes_and_its_time() {
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let router = Router::new().route(
        "/x",
        get(move || {
            counter.fetch_add(1, Ordering::Relaxed);
            std::future::ready("0123456789")
        }),
    );
    let tally = tally(router, &["/x"], SHORT, 3).await;
    assert!(tally.answers > 0);
    assert_eq!(tally.answers, asked.load(Ordering::Relaxed));
    assert_eq!((tally.errors, tally.not_2xx, &tally.trouble, tally.exhausted), (0, 0, &None, false));
    assert_eq!(tally.latency.len(), tally.answers);
    assert_eq!(tally.wire_bytes % tally.answers, 0, "equal answers have equal sizes");
    assert!(tally.wire_bytes / tally.answers > 10, "headers are counted");
    let row = Row::new("x", &tally);
    assert!(row.p50 <= row.p95 && row.p95 <= row.p99 && row.p50 > Duration::ZERO, "{row:?}");
    assert!(tally.elapsed > Duration::ZERO && row.per_second > 0, "{row:?}");
}

#[tokio::test]
async fn percentiles_tell_slow_answers_from_fast_ones() {
    const PAUSE: Duration = Duration::from_millis(50);
    let turn = Arc::new(AtomicU64::new(0));
    let router = Router::new().route(
        "/x",
        get(move || {
            let is_slow = turn.fetch_add(1, Ordering::Relaxed) % 10 == 9;
            async move {
                if is_slow {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }),
    );
    let row = Row::new("x", &tally(router, &["/x"], Duration::from_millis(800), 1).await);
    assert!(row.answers >= 20, "{row:?}");
    assert!(row.p95 >= PAUSE - Duration::from_millis(1), "a tenth of the answers is slow: {row:?}");
    assert!(row.p50 < row.p95, "{row:?}");
}

#[tokio::test]
async fn refusals_and_failures_are_counted_and_are_in_no_rate() {
    let router = Router::new().route("/fine", get(async || "fine"));
    let tally = tally(router, &["/fine", "/nowhere"], SHORT, 2).await;
    assert!(tally.not_2xx > 0 && tally.answers > 0);
    assert!(tally.not_2xx.abs_diff(tally.answers) <= 2, "{} and {}", tally.not_2xx, tally.answers);
    assert_eq!((tally.errors, tally.latency.len()), (0, tally.answers));
    assert_eq!((tally.trouble.as_deref(), tally.worst()), (None, Some("/nowhere answered 404")));
    assert_eq!(tally.statuses, [(200, tally.answers), (404, tally.not_2xx)].into());
    assert_eq!(tally.refusal_latency.len(), tally.not_2xx);
}

#[tokio::test]
async fn a_server_that_is_gone_is_counted_and_ends_the_measurement() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let target = Target::local(listener.local_addr().expect("it is bound"));
    drop(listener);
    let tally = measure(&target, Questions::Cycle(vec!["/".to_owned()]), Duration::from_secs(600), 2).await;
    assert_eq!(tally.errors, 100, "fifty failures in a row for each connection");
    assert_eq!(Row::new("x", &tally).per_second, 0);
    assert!(tally.worst().is_some());
}

#[tokio::test]
async fn questions_that_are_asked_once_end_the_measurement() {
    let url = served(Router::new().route("/{number}", get(async || "fine"))).await;
    let target = Target::parse(&url).await.expect("loopback");
    let questions = Questions::Numbers { front: "/", count: 40, skip: 7 };
    let tally = measure(&target, questions, Duration::from_secs(600), 4).await;
    assert_eq!((tally.answers, tally.exhausted), (39, true), "the first has been tried before");
}

#[tokio::test]
async fn the_bare_handler_answers_the_same_bytes_and_headers() {
    let url = served(api()).await;
    let mut original = Reader::new(Target::parse(&url).await.expect("loopback"));
    let (answer, whole) = original.whole(BLOCK_LIST).await.expect("an answer");
    let bare = Bare::start(&[(BLOCK_LIST, &whole)]).expect("a free port");
    let mut copy = Reader::new(Target::local(bare.address()));
    let (copied_answer, copied) = copy.whole(BLOCK_LIST).await.expect("an answer");
    assert_eq!(copied_answer, answer);
    assert_eq!(copied.body, whole.body);
    let sorted = |whole: &Whole| {
        let mut fields: Vec<_> =
            http::fields(&whole.head).map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        fields.retain(|(name, _)| name != b"date");
        fields.sort();
        fields
    };
    assert_eq!(sorted(&copied), sorted(&whole));
}

/// An API with two pages of blocks, a page of transactions, no search by name and no events.
fn api() -> Router {
    async fn blocks(State(()): State<()>, Query(query): Query<Vec<(String, String)>>) -> impl IntoResponse {
        let is_second = query.iter().any(|(name, value)| name == "cursor" && value == "a+b/c");
        let (heights, next) = if is_second { (1..=10, None) } else { (11..=20, Some("a+b/c")) };
        let items: Vec<_> = heights.rev().map(|height| json!({ "height": height, "position": height * 4 })).collect();
        let headers = [("x-position", "80"), ("etag", "\"abc\""), ("vary", "accept-encoding")];
        (headers, Json(json!({ "items": items, "next_cursor": next })))
    }
    async fn transactions() -> Json<serde_json::Value> {
        let item = |n: u64| {
            let (tx_id, sender) = (format!("t{n}"), format!("s{n}"));
            json!({ "tx_id": tx_id, "position": n * 4 + 1, "sender": sender, "recipient": "r,r" })
        };
        let items: Vec<_> = (1..20).rev().map(item).collect();
        Json(json!({ "items": items, "next_cursor": null }))
    }
    async fn block(Path(height): Path<u64>) -> impl IntoResponse {
        if height <= 20 { Ok(Json(json!({ "height": height }))) } else { Err(StatusCode::NOT_FOUND) }
    }
    Router::new()
        .route("/v1/explorer/blocks", get(blocks))
        .route("/v1/explorer/transactions", get(transactions))
        .route("/v1/explorer/block/{height}", get(block))
        .route("/v1/explorer/balances", get(async || "{}"))
        .route("/v1/explorer/address/{address}/balance", get(async || "{}"))
        .route("/v1/explorer/tx/{id}", get(async || "{}"))
        .route("/v1/status", get(async || Json(json!({ "position": 83 }))))
}

#[tokio::test]
async fn keys_are_collected_over_pages_and_missing_routes_are_noted() {
    let mut reader = Reader::new(Target::parse(&served(api()).await).await.expect("loopback"));
    let keys = Keys::collect(&mut reader).await.expect("keys");
    assert_eq!(keys.blocks.iter().map(|block| block.height).collect::<Vec<_>>(), (1..=20).rev().collect::<Vec<_>>());
    assert_eq!((keys.transactions.len(), keys.addresses.len(), keys.position), (19, 20, 83));
    assert!(keys.identities.is_empty());
    let missing = ["/v1/identity/search", "/v1/pouw/leaderboard", "/v1/events"];
    assert_eq!(keys.notes.len(), missing.len(), "one note for lists that are alike: {:?}", keys.notes);
    assert!(keys.notes.iter().zip(missing).all(|(note, path)| note.starts_with(path)), "{:?}", keys.notes);
}

#[tokio::test]
async fn a_whole_run_measures_what_there_is_and_says_what_there_is_not() {
    let url = served(api()).await;
    let report = read(&url, SHORT, 2).await.expect("a report");
    let names: Vec<_> = report.rows.iter().map(|row| row.name.as_str()).collect();
    let expected = [
        "A: bare handler, 20 blocks",
        "20 blocks, cached",
        "B: bare handler, one block",
        "one block, cached",
        "two balances, now",
        "balance by address, as of",
        "transaction by id, as of",
        "mixed reads",
        "A once more: the machine's drift",
    ];
    assert_eq!(names, expected);
    for row in &report.rows {
        assert!(row.answers > 0 && row.errors == 0 && row.not_2xx == 0, "{row:?}");
        let is_yardstick = row.name.contains(": bare");
        assert_eq!(row.ratio.is_none(), is_yardstick, "{row:?}");
        assert_eq!(row.from_cache_permille, None, "this API says nothing about its cache");
    }
    assert_eq!(report.rows[0].answer_bytes, report.rows[1].answer_bytes);
    assert!(report.notes.iter().any(|note| note.contains("event by position")), "{:?}", report.notes);
    let table = report.to_string();
    for part in ["requests/s", "p99", " µs", " A ", "Note: ", "2 connections", "0.06 s each"] {
        assert!(table.contains(part), "{part} in\n{table}");
    }
}

#[tokio::test]
async fn an_api_that_goes_away_leaves_a_report() {
    let target = Target::parse(&served(api()).await).await.expect("loopback");
    let mut reader = Reader::new(target.clone());
    let (_, list) = reader.whole(BLOCK_LIST).await.expect("an answer");
    let keys = Keys { blocks: Vec::new(), ..Keys::collect(&mut reader).await.expect("keys") };
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let gone = Target::local(listener.local_addr().expect("it is bound"));
    drop(listener);
    let report = Report { url: String::new(), duration: SHORT, connections: 1, rows: Vec::new(), notes: Vec::new() };
    let mut run = Run { target: gone.clone(), reader: Reader::new(gone), report };
    run.all(&keys, &list).await.expect("a report");
    let counted: Vec<_> = run.report.rows.iter().map(|row| (row.answers > 0, row.errors > 0)).collect();
    assert_eq!(counted, [(true, false), (false, true), (true, false)], "bare, the API, bare");
    assert!(run.report.notes.iter().any(|note| note.contains("mixed set")), "{:?}", run.report.notes);
}

#[tokio::test]
async fn arguments_out_of_bounds_and_servers_that_are_no_api_are_refused() {
    let refused = async |url: &str, duration, connections| read(url, duration, connections).await.expect_err(url);
    let here = served(Router::new()).await;
    assert!(matches!(refused("http://192.0.2.1:80", SHORT, 1).await, ClientsError::NotLoopback { .. }));
    assert!(matches!(refused(&here, SHORT, 0).await, ClientsError::Connections { given: 0 }));
    assert!(matches!(refused(&here, SHORT, 1_025).await, ClientsError::Connections { given: 1_025 }));
    assert!(matches!(refused(&here, Duration::ZERO, 1).await, ClientsError::Duration));
    assert!(matches!(refused(&here, Duration::from_secs(3_601), 1).await, ClientsError::Duration));
    assert!(matches!(refused(&here, SHORT, 1).await, ClientsError::Refused { status: 404, .. }));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let closed = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    assert!(matches!(refused(&closed, SHORT, 1).await, ClientsError::NoAnswer { .. }));
}
