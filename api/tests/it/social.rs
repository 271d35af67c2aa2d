//! Followers, following, feeds, and what explains an identity, over the hand-written network and `social.sql`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::network::{Network, ZOE};

/// Ann's id.
pub const ANN: &str = "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3";
/// Bea's id.
pub const BEA: &str = "d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4";

/// The network after what `social.sql` adds to it.
pub async fn village() -> Network {
    let network = Network::start().await;
    network.run(include_str!("social.sql")).await;
    network.seen(61).await;
    network
}

pub fn pick(items: &[Value], field: &str) -> Vec<Value> {
    items.iter().map(|item| item[field].clone()).collect()
}

pub fn positions(items: &[Value]) -> Vec<i64> {
    items.iter().map(|item| item["position"].as_i64().expect("a position")).collect()
}

#[tokio::test]
async fn followers_are_as_of_the_position() {
    let network = village().await;
    let path = format!("/v1/identity/{ANN}/followers");
    let now = network.get(&format!("{path}?count=exact")).await;
    let items = now["items"].as_array().expect("items");
    assert_eq!(pick(items, "display_name"), [json!("Zoë"), json!("Zoltan 100%")]);
    assert_eq!(pick(items, "mutual"), [json!(true), json!(false)]);
    assert_eq!((positions(items), &now["count"]), (vec![55, 39], &json!(2)));
    assert_eq!(
        items[0],
        json!({
            "identity_id": ZOE, "display_name": "Zoë", "avatar_hash": "cafe", "since": "2026-01-18T21:00:55.000000Z",
            "mutual": true, "chain": "chert", "position": 55,
        })
    );
    let names = async |at: i64| {
        let page = network.get(&format!("{path}?at_position={at}&count=exact")).await;
        let items = page["items"].as_array().expect("items");
        assert_eq!(page["count"], json!(items.len()), "at {at}");
        pick(items, "display_name")
    };
    assert_eq!(names(40).await, [json!("Zoltan 100%"), json!("Zoë")]);
    assert_eq!(names(49).await, [json!("Bea"), json!("Zoë")]);
    assert_eq!(names(50).await, [json!("Zoltan 100%"), json!("Zoë")], "the fork took both changes back");
    assert_eq!(names(53).await, [json!("Zoltan 100%")]);
}

#[tokio::test]
async fn following_is_the_other_end_and_mutual_from_both() {
    let network = village().await;
    let zoe = network.items(&format!("/v1/identity/{ZOE}/following")).await;
    assert_eq!((pick(&zoe, "identity_id"), pick(&zoe, "mutual")), (vec![json!(ANN)], vec![json!(true)]));
    let without = network.get(&format!("/v1/identity/{ZOE}/following?at_position=53&count=exact")).await;
    assert_eq!((&without["items"], &without["count"]), (&json!([]), &json!(0)));
    let ann = network.items(&format!("/v1/identity/{ANN}/following?at_position=53")).await;
    assert_eq!((pick(&ann, "identity_id"), pick(&ann, "mutual")), (vec![json!(ZOE)], vec![json!(false)]));
    assert_eq!(network.items(&format!("/v1/identity/{BEA}/following")).await.len(), 0);
    assert_eq!(network.items(&format!("/v1/identity/{BEA}/following?at_position=49")).await.len(), 1);
    assert!(network.get(&format!("/v1/identity/{BEA}/following")).await.get("count").is_none());
}

#[tokio::test]
async fn a_profile_says_how_many_follow() {
    let network = village().await;
    let counts = async |identity: &str, at: i64| {
        let profile = network.get(&format!("/v1/identity/{identity}?at_position={at}")).await;
        (profile["follower_count"].clone(), profile["following_count"].clone())
    };
    assert_eq!(counts(ANN, 61).await, (json!(2), json!(1)));
    assert_eq!(counts(ANN, 53).await, (json!(1), json!(1)));
    assert_eq!(counts(ZOE, 53).await, (json!(1), json!(0)));
    assert_eq!(counts(BEA, 49).await, (json!(0), json!(1)));
    assert_eq!(counts(BEA, 40).await, (json!(0), json!(0)), "nobody ever counted for her");
    let owner = network.get("/v1/identity/by-wallet/ann").await;
    assert_eq!(owner["identity"]["follower_count"], 2);
}

#[tokio::test]
async fn pages_of_followers_are_pinned_while_they_change() {
    let network = village().await;
    network
        .run(
            "insert into views.social_connections_versions (follower_id, following_id, source_id, created_at, claim_position,
                from_position, present)
            select sha256(n::text::bytea), decode(repeat('c3', 32), 'hex'), 1, '2026-01-18T22:00:00Z', 100 + n, 400, true
            from generate_series(1, 120) n;
            set search_path = views, log, public;
            select log.publish('social_connections', 61)",
        )
        .await;
    network.advance(400).await;
    let path = format!("/v1/identity/{ANN}/followers");
    let all = network.all(&path, 7, "/identity_id").await;
    assert_eq!((all.len(), all[0]["position"].clone()), (122, json!(220)));
    assert_eq!(all[0]["display_name"], Value::Null, "a follower need not have a name");
    let first = network.get(&format!("{path}?limit=60")).await;
    network
        .run(
            "insert into views.social_connections_versions (follower_id, following_id, from_position, present)
            select follower_id, following_id, 401, false from views.social_connections
            where following_id = decode(repeat('c3', 32), 'hex') and claim_position % 2 = 0;
            insert into views.social_connections_versions (follower_id, following_id, source_id, created_at, claim_position,
                from_position, present)
            values (sha256('late'), decode(repeat('c3', 32), 'hex'), 1, '2026-01-18T22:00:00Z', 401, 401, true);
            set search_path = views, log, public;
            select log.publish('social_connections', 400)",
        )
        .await;
    network.advance(401).await;
    let cursor = first["next_cursor"].as_str().expect("another page");
    let mut both = first["items"].as_array().expect("items").clone();
    both.extend(network.items(&format!("{path}?limit=100&cursor={cursor}")).await);
    assert_eq!(both, all);
    assert_eq!(network.all(&format!("{path}?at_position=400"), 7, "/identity_id").await, all);
    assert_eq!(network.all(&path, 100, "/identity_id").await.len(), 63, "61 odd ones, the late one, and Zoltan's");
}

#[tokio::test]
async fn what_explains_an_identity_is_what_counted() {
    let network = village().await;
    let ann = network.get(&format!("/v1/identity/{ANN}?explain=true")).await;
    let counted = [55, 52, 39, 38, 37, 35, 33];
    assert_eq!(
        positions(ann["provenance"]["events"].as_array().expect("events")),
        counted,
        "follows, link, registration"
    );
    assert_eq!(ann["provenance"]["count"], counted.len(), "the stranger's update is a finding that counts nothing");
    network
        .run(
            "insert into views.findings_versions (source_id, event_position, code, from_position, present)
            values (1, 57, 'not-controller', 62, false)",
        )
        .await;
    network.advance(62).await;
    let explained = async |at: i64| {
        let ann = network.get(&format!("/v1/identity/{ANN}?explain=true&at_position={at}")).await;
        positions(ann["provenance"]["events"].as_array().expect("events"))
    };
    assert_eq!(explained(61).await, counted, "as of then it was a finding");
    assert_eq!(explained(62).await, [&[57], &counted[..]].concat());
}

#[tokio::test]
async fn unknown_identities_and_bad_ids() {
    let network = village().await;
    let unknown = "0".repeat(64);
    for route in ["followers", "following", "feed"] {
        let answer = network.ask(&format!("/v1/identity/{unknown}/{route}")).await;
        assert_eq!((answer.status, &answer.body["type"]), (StatusCode::NOT_FOUND, &json!("/problems/not-found")));
        let unborn = network.ask(&format!("/v1/identity/{ANN}/{route}?at_position=31")).await;
        assert_eq!((unborn.status, &unborn.body["searched_through"]["position"]), (StatusCode::NOT_FOUND, &json!(31)));
        for bad in ["zz", &ANN[1..], "%00", "%F0%9F%92%A9"] {
            network.refused(&format!("/v1/identity/{bad}/{route}"), "identity_id").await;
        }
        network.get(&format!("/v1/identity/0x{}/{route}", ANN.to_uppercase())).await;
        network.refused(&format!("/v1/identity/{ANN}/{route}?limit=101"), "limit").await;
    }
    // A cursor is the client's to change; its key must not make the database fail.
    for key in ["-9223372036854775808", "9223372036854775807"] {
        let cursor = forged(&network, &format!("/v1/identity/{ANN}/followers"), key).await;
        let answer = network.ask(&format!("/v1/identity/{ANN}/followers?limit=1&cursor={cursor}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{key}: {}", answer.body);
        let cursor = forged(&network, &format!("/v1/identity/{ANN}/feed"), key).await;
        let answer = network.ask(&format!("/v1/identity/{ANN}/feed?limit=1&cursor={cursor}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{key}: {}", answer.body);
    }
}

/// The cursor of a list's first page with another key in it.
async fn forged(network: &Network, path: &str, key: &str) -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let page = network.get(&format!("{path}?limit=1")).await;
    let cursor = page["next_cursor"].as_str().expect("another page");
    let mut cursor: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(cursor).expect("base64")).expect("JSON");
    cursor["k"] = key.into();
    URL_SAFE_NO_PAD.encode(cursor.to_string())
}
