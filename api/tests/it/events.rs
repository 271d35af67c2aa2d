//! The log over HTTP: recomputable by a stranger, filtered, paged, and as of the past.

use std::collections::BTreeMap;

use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::fixture::{Server, block_hash};
use crate::network::{Network, ZOE};

fn positions(list: &Value) -> Vec<i64> {
    let items = list["items"].as_array().expect("items");
    items.iter().map(|item| item["position"].as_i64().expect("a position")).collect()
}

/// The digest as `docs/log-format.md` describes it, from nothing but the JSON of the answer.
fn digest_of(item: &str) -> String {
    let fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(item).expect("an object");
    let text = |name: &str| match serde_json::from_str(fields[name].get()).expect("JSON") {
        Value::Null => None,
        Value::String(text) => Some(text),
        other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => Some(other.to_string()),
    };
    let mut hasher = Sha256::new();
    hasher.update([0]);
    let mut field = |bytes: Option<&[u8]>| match bytes {
        Some(bytes) => {
            hasher.update(u32::try_from(bytes.len()).expect("short").to_be_bytes());
            hasher.update(bytes);
        }
        None => hasher.update([255; 4]),
    };
    for name in ["position", "source_id", "height", "block_hash", "tx_id", "tx_index", "event_index", "kind"] {
        field(text(name).as_deref().map(str::as_bytes));
    }
    field(Some(fields["body"].get().as_bytes()));
    for name in ["verdict", "occurred_at"] {
        field(text(name).as_deref().map(str::as_bytes));
    }
    hex::encode(hasher.finalize())
}

#[tokio::test]
async fn a_stranger_can_recompute_digests_and_the_running_hash() {
    let server = Server::with_history().await;
    let reply = server.expect("/v1/events?limit=100", 200).await;
    let list: BTreeMap<String, Box<RawValue>> = serde_json::from_str(&reply.text).expect("a list");
    let items: Vec<Box<RawValue>> = serde_json::from_str(list["items"].get()).expect("items");
    assert_eq!(items.len(), 19);
    let mut running = [0_u8; 32].to_vec();
    let mut unit = Sha256::new_with_prefix(&running);
    for item in items {
        let parsed: Value = serde_json::from_str(item.get()).expect("JSON");
        assert_eq!(parsed["digest"], digest_of(item.get()), "{item}");
        unit.update(hex::decode(parsed["digest"].as_str().expect("hex")).expect("hex"));
        if parsed["position"] == parsed["unit"]["end_position"] {
            running = unit.finalize().to_vec();
            assert_eq!(parsed["unit"]["chain_hash"], hex::encode(&running));
            unit = Sha256::new_with_prefix(&running);
        }
    }
    assert_eq!(reply.header("x-chain-hash"), hex::encode(&running[..8]));
}

#[tokio::test]
async fn events_are_filtered_by_kind_subject_and_source() {
    let server = Server::with_history().await;
    let list = server.expect("/v1/events?kind=chain.retracted", 200).await.json();
    assert_eq!(positions(&list), [13]);
    let list =
        server.expect("/v1/events?kind=chain.block_applied,chain.retracted&after=10&source=main", 200).await.json();
    assert_eq!(positions(&list), [11, 13, 14, 16, 18]);
    let list = server.expect("/v1/events?subject=address:alice", 200).await.json();
    assert_eq!(positions(&list), [2, 4, 14]);
    let list =
        server.expect("/v1/events?subject=address:alice&kind=chain.transaction_applied&at_position=12", 200).await;
    assert_eq!(positions(&list.json()), [2, 4]);
    let list = server.expect("/v1/events?subject=address:nobody", 200).await.json();
    assert_eq!(positions(&list), Vec::<i64>::new());
    assert_eq!(list["next_cursor"], Value::Null);
}

#[tokio::test]
async fn subjects_are_found_in_any_case_that_leaves_no_doubt() {
    let network = Network::start().await;
    let about = async |address: &str| {
        let list = network.get(&format!("/v1/events?subject=address:{address}&limit=2")).await;
        positions(&list)
    };
    assert_eq!(about("0xfeed000000000000000000000000000000000002").await, [31], "only one such is known");
    assert_eq!(about("0xABCDEF0000000000000000000000000000000001").await, [30]);
    assert_eq!(about("0xAbCdEf0000000000000000000000000000000001").await, Vec::<i64>::new(), "two such are known");
    assert_eq!(about("ait1ea0a973af4ebee8528af4792590752bca91d9d81").await, [16, 17]);
    assert_eq!(about("alice&source=hub").await, Vec::<i64>::new());
    assert_eq!(about("bob&source=chert&kind=chain.transaction_applied").await, [4, 11]);
    let linked = network.get(&format!("/v1/events?subject=identity:{ZOE}&kind=identity.updated&source=chert")).await;
    assert_eq!(positions(&linked), [20]);
    network.refused("/v1/events?subject=address:0x12", "subject").await;
}

#[tokio::test]
async fn a_page_ends_when_its_bodies_are_large() {
    let network = Network::start().await;
    network
        .run(
            "insert into log.events (position, source_id, height, block_hash, tx_id, event_index, kind, body, occurred_at, recorded_at, digest)
            select n, 1, 6, e.block_hash, 'large', 0, 2, convert_to('{\"data\":\"' || repeat('x', 1500000) || '\"}', 'UTF8'),
                e.occurred_at, e.recorded_at, e.digest
            from generate_series(32, 37) n cross join log.events e where e.position = 31;
            insert into log.log_units (end_position, first_position, source_id, occurred_at, chain_hash)
            values (37, 32, 1, '2026-01-18T21:30:00Z', sha256('37'::bytea))",
        )
        .await;
    network.advance(37).await;
    let page = network.get("/v1/events?after=31").await;
    assert_eq!(positions(&page), [32, 33, 34]);
    let cursor = page["next_cursor"].as_str().expect("there are more");
    let rest = network.get(&format!("/v1/events?after=31&cursor={cursor}")).await;
    assert_eq!((positions(&rest), &rest["next_cursor"]), (vec![35, 36, 37], &Value::Null));
}

#[tokio::test]
async fn pages_are_pinned_to_the_position_of_the_first() {
    let server = Server::with_history().await;
    let mut uri = "/v1/events?limit=8".to_owned();
    let mut seen = Vec::new();
    loop {
        let reply = server.expect(&uri, 200).await;
        assert_eq!(reply.header("x-position"), "19");
        let list = reply.json();
        seen.extend(positions(&list));
        match list["next_cursor"].as_str() {
            Some(cursor) => uri = format!("/v1/events?limit=8&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=19).collect::<Vec<_>>());
    let cursor =
        server.expect("/v1/events?limit=1", 200).await.json()["next_cursor"].as_str().expect("more").to_owned();
    let foreign = server.expect(&format!("/v1/events?limit=1&kind=chain.retracted&cursor={cursor}"), 400).await;
    assert_eq!(foreign.json()["parameter"], "cursor");
}

#[tokio::test]
async fn what_stands_depends_on_the_position_asked_about() {
    let server = Server::with_history().await;
    let now = server.expect("/v1/events/9", 200).await.json();
    assert_eq!(now["stands"], false);
    assert_eq!(now["block_hash"], block_hash(0, 4));
    assert_eq!(server.expect("/v1/events/9?at_position=12", 200).await.json()["stands"], true);
    assert_eq!(server.expect("/v1/events/8", 200).await.json()["stands"], true);
    assert_eq!(server.expect("/v1/events/14", 200).await.json()["stands"], true);
    server.expect("/v1/events/14?at_position=12", 404).await;
    let waiting = server.expect("/v1/events/20", 503).await.json();
    assert_eq!((&waiting["type"], &waiting["position"]), (&"/problems/not-indexed-yet".into(), &19.into()));
    assert_eq!(server.expect("/v1/events/22", 404).await.json()["log_position"], 21);
}
