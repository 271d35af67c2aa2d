//! The `/_network` routes, which steer a network from outside its process and which no fault touches.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use super::super::NetworkError;
use super::super::chain::Head;
use super::super::fault::Fault;
use super::{SharedNode, advance, json_text};

/// One call may take no more steps than this.
const ADVANCE_MAX_STEPS: u64 = 100_000;

/// The routes.
pub fn routes() -> Router<SharedNode> {
    Router::new()
        .route("/_network/fault", get(get_fault).post(post_fault).delete(delete_fault))
        .route("/_network/advance", post(post_advance))
        .route("/_network/fork", post(post_fork))
        .route("/_network/stats", get(stats))
}

async fn get_fault(State(node): State<SharedNode>) -> Response {
    json_text(StatusCode::OK, serde_json::to_string(&node.gate.get()).expect("a fault is JSON"))
}

/// Arms the fault in the body; `null` takes it back.
async fn post_fault(State(node): State<SharedNode>, body: Bytes) -> Response {
    match serde_json::from_slice::<Option<Fault>>(&body) {
        Ok(fault) => {
            node.gate.set(fault);
            get_fault(State(node)).await
        }
        Err(error) => refused(&error.to_string()),
    }
}

async fn delete_fault(State(node): State<SharedNode>) -> Response {
    node.gate.set(None);
    get_fault(State(node)).await
}

fn refused(why: &str) -> Response {
    json_text(StatusCode::BAD_REQUEST, serde_json::json!({ "error": why }).to_string())
}

async fn post_advance(State(node): State<SharedNode>, Query(query): Query<BTreeMap<String, u64>>) -> Response {
    let steps = query.get("n").copied().unwrap_or(1);
    if steps > ADVANCE_MAX_STEPS {
        return refused("n is at most 100000");
    }
    let done = node.step(move |chain| advance(chain, steps)).await;
    stepped(done)
}

async fn post_fork(State(node): State<SharedNode>, Query(query): Query<BTreeMap<String, u64>>) -> Response {
    let depth = query.get("depth").copied().unwrap_or(1);
    stepped(node.step(move |chain| chain.fork(depth)).await.map(|done| done.head))
}

fn stepped(done: Result<Head, NetworkError>) -> Response {
    match done {
        Ok(head) => json_text(StatusCode::OK, head_json(&head).to_string()),
        Err(error @ NetworkError::Config(_)) => refused(&error.to_string()),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

fn head_json(head: &Head) -> serde_json::Value {
    serde_json::json!({
        "height": head.height, "hash": head.hash, "timestamp": head.timestamp, "branch": head.branch,
    })
}

async fn stats(State(node): State<SharedNode>) -> Response {
    let text = node.read(|chain| {
        let ledger = chain.ledger();
        serde_json::json!({
            "head": head_json(&chain.head()), "steps": chain.steps(), "tally": chain.tally(),
            "supply": ledger.supply().to_string(), "undisclosed": ledger.undisclosed.to_string(),
            "accounts_seen": ledger.balances.len(),
            "requests": node.requests.load(Ordering::Relaxed),
            "faults_shown": node.faults_shown.load(Ordering::Relaxed),
            "fault": node.gate.get(),
        })
        .to_string()
    });
    json_text(StatusCode::OK, text)
}
