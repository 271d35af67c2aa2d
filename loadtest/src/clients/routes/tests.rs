use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::Query;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;

const OPTIONS: RoutesOptions = RoutesOptions { requests: 40, connections: 3, cached: false, p95_bound: None };

async fn served(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn parameter(name: &str, place: &str, required: bool) -> Value {
    json!({ "name": name, "in": place, "required": required })
}

/// An API with blocks in two pages, an identity that shows nothing, a stream, and whatever else is declared.
fn api(more: Value) -> Router {
    let mut paths = json!({
        "/v1/explorer/blocks": { "get": { "parameters": [
            parameter("limit", "query", false), parameter("cursor", "query", false), parameter("at_height", "query", false),
        ] } },
        "/v1/identity/{identity_id}/stats": { "get": { "parameters": [parameter("identity_id", "path", true)] } },
        "/v1/stream": { "get": { "responses": { "200": { "content": { "text/event-stream": {} } } } } },
        "/v1/jsonrpc": { "post": {} },
    });
    let more = more.as_object().cloned().unwrap_or_default();
    paths.as_object_mut().expect("an object").extend(more);
    let document = json!({ "paths": paths });
    async fn blocks(Query(query): Query<Vec<(String, String)>>) -> impl IntoResponse {
        let asked = |wanted: &str| query.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let next = asked("cursor").is_none().then_some("b+c");
        Json(json!({ "items": [{ "height": 1, "position": 1, "hash": "ab" }], "next_cursor": next }))
    }
    async fn events(Query(query): Query<Vec<(String, String)>>) -> Json<Value> {
        let is_identity = query.iter().any(|(_, value)| value == "identity.registered");
        let registered = |id: u8| json!({ "kind": "identity.registered", "stands": id != 3, "body": { "identity_id": format!("i{id}") } });
        let items: Vec<_> = if is_identity { (1..=3).map(registered).collect() } else { Vec::new() };
        Json(json!({ "items": items, "next_cursor": null }))
    }
    Router::new()
        .route("/openapi.json", get(async move || Json(document)))
        .route("/v1/explorer/blocks", get(blocks))
        .route("/v1/events", get(events))
        .route("/v1/identity/{id}/stats", get(async || StatusCode::FORBIDDEN))
}

fn names(report: &RoutesReport) -> Vec<(&str, &str, usize)> {
    report.rows.iter().map(|row| (row.path.as_str(), row.variant, row.distinct)).collect()
}

#[tokio::test]
async fn every_get_route_is_asked_as_often_as_wanted_for_different_things() {
    let url = served(api(json!({}))).await;
    let report = routes(&url, OPTIONS).await.expect("a report");
    let (blocks, stats) = ("/v1/explorer/blocks", "/v1/identity/{identity_id}/stats");
    let expected = [(blocks, "", 40), (blocks, "at_height", 40), (blocks, "second page", 40), (stats, "", 2)];
    assert_eq!(names(&report), expected, "the third identity does not stand");
    for row in &report.rows {
        let status = if row.path == stats { 403 } else { 200 };
        assert_eq!((&row.statuses, row.failures), (&[(status, 40)].into(), 0), "{row:?}");
        assert!(row.p50 > Duration::ZERO && row.p50 <= row.p95 && row.p95 <= row.p99 && row.p99 <= row.max, "{row:?}");
    }
    assert_eq!(report.complaints(), Vec::<String>::new());
    let table = report.to_string();
    for part in ["(second page)", "403×40", "/v1/stream is a stream", "every answer was a refusal", "Nothing failed."]
    {
        assert!(table.contains(part), "{part} in\n{table}");
    }
}

#[tokio::test]
async fn what_the_cache_answers_is_said_unless_it_was_meant_to() {
    let hits = Arc::new(AtomicU64::new(0));
    let metrics = move || {
        let hits = hits.fetch_add(7, Ordering::Relaxed);
        std::future::ready(format!("chert_api_cache_hits_total {hits}\nchert_api_cache_misses_total 3\n"))
    };
    let url = served(api(json!({})).route("/metrics", get(metrics))).await;
    let note = "/v1/explorer/blocks : most answers came from the cache";
    let report = routes(&url, OPTIONS).await.expect("a report");
    assert_eq!(report.rows[0].from_cache_permille, Some(1_000));
    assert!(report.notes.iter().any(|text| text.starts_with(note)), "{:?}", report.notes);
    let meant = routes(&url, RoutesOptions { cached: true, ..OPTIONS }).await.expect("a report");
    assert!(meant.notes.iter().all(|text| !text.starts_with(note)), "{:?}", meant.notes);
}

#[tokio::test]
async fn one_key_is_repeated_when_answers_shall_be_cached() {
    let url = served(api(json!({}))).await;
    let report = routes(&url, RoutesOptions { cached: true, ..OPTIONS }).await.expect("a report");
    assert!(report.rows.iter().all(|row| row.distinct == 1), "{:?}", names(&report));
    assert!(report.to_string().contains("the same key"));
}

#[tokio::test]
async fn routes_without_keys_failures_and_slow_answers_are_complained_about() {
    let more = json!({
        "/v1/broken": { "get": {} },
        "/v1/by/{colour}": { "get": { "parameters": [parameter("colour", "path", true)] } },
    });
    let turn = Arc::new(AtomicU64::new(0));
    let broken = move || {
        let every_fourth = turn.fetch_add(1, Ordering::Relaxed).is_multiple_of(4);
        std::future::ready(if every_fourth { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK })
    };
    let url = served(api(more).route("/v1/broken", get(broken))).await;
    let bound = Some(Duration::from_nanos(1));
    let report = routes(&url, RoutesOptions { p95_bound: bound, ..OPTIONS }).await.expect("a report");
    let complaints = report.complaints();
    assert_eq!(complaints[0], "/v1/by/{colour}: no key for `colour`");
    assert_eq!(complaints[1], "/v1/broken: 10 of 40 requests failed: /v1/broken answered 503");
    let slow = complaints.iter().filter(|text| text.contains("p95") && text.contains("is above")).count();
    assert_eq!((slow, complaints.len()), (report.rows.len(), report.rows.len() + 2), "{complaints:?}");
    assert!(report.to_string().ends_with("complaints."));
}

#[tokio::test]
async fn what_is_no_api_is_refused() {
    let refused = async |router, options| routes(&served(router).await, options).await.expect_err("refused");
    let named = |document| Router::new().route("/openapi.json", get(async move || Json(document)));
    assert!(matches!(refused(Router::new(), OPTIONS).await, ClientsError::Refused { status: 404, .. }));
    assert!(matches!(refused(named(json!({ "paths": {} })), OPTIONS).await, ClientsError::NoRoutes));
    let without = RoutesOptions { requests: 0, ..OPTIONS };
    assert!(matches!(refused(api(json!({})), without).await, ClientsError::Requests { given: 0, .. }));
    let unconnected = RoutesOptions { connections: 0, ..OPTIONS };
    assert!(matches!(refused(api(json!({})), unconnected).await, ClientsError::Connections { given: 0 }));
}
