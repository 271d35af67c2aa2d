//! Identities, their wallets and changes, and the ways to find them, over the hand-written network.

use http::StatusCode;
use serde_json::{Value, json};

use crate::network::{Network, ZOE, ZOLTAN};

fn pick(items: &[Value], field: &str) -> Vec<Value> {
    items.iter().map(|item| item[field].clone()).collect()
}

#[tokio::test]
async fn a_profile_is_as_of_the_position() {
    let network = Network::start().await;
    let zoe = network.get(&format!("/v1/identity/0x{}?explain=true", ZOE.to_uppercase())).await;
    assert_eq!((&zoe["identity_id"], &zoe["display_name"], &zoe["bio"]), (&json!(ZOE), &json!("Zoë"), &json!("first")));
    assert_eq!((&zoe["avatar_hash"], &zoe["controller"]), (&json!("cafe"), &json!("bob")));
    assert_eq!(zoe["key"], json!({"alg": "ed25519", "public_key": "04"}));
    assert_eq!((&zoe["main_wallet"], &zoe["wallet_count"], &zoe["chain"]), (&json!("bob"), &json!(1), &json!("chert")));
    assert_eq!(zoe["created_at"], "2026-01-18T21:03:00.000000Z");
    assert_eq!(pick(zoe["provenance"]["events"].as_array().expect("events"), "position"), [json!(14), json!(12)]);
    assert_eq!(zoe["provenance"]["link"], format!("/v1/events?subject=identity:{ZOE}"));

    let renamed = network.get(&format!("/v1/identity/{ZOE}?at_position=20")).await;
    assert_eq!((&renamed["display_name"], &renamed["bio"]), (&json!("Queen"), &Value::Null));
    assert_eq!(network.get(&format!("/v1/identity/{ZOE}?at_position=21")).await["display_name"], "Zoë");
    let unborn = network.ask(&format!("/v1/identity/{ZOE}?at_position=9")).await;
    assert_eq!((unborn.status, &unborn.body["searched_through"]["position"]), (StatusCode::NOT_FOUND, &json!(9)));
    for bad in ["zz", "0x", &ZOE[1..], &format!("{ZOE}00"), "%00"] {
        for route in ["", "/wallets", "/changes"] {
            network.refused(&format!("/v1/identity/{bad}{route}"), "identity_id").await;
        }
    }
    let unknown = "0".repeat(64);
    for route in ["", "/wallets", "/changes"] {
        assert_eq!(network.ask(&format!("/v1/identity/{unknown}{route}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn many_identities_keep_the_order() {
    let network = Network::start().await;
    let unknown = "0".repeat(64);
    let items = network.items(&format!("/v1/identity?ids={ZOLTAN},{unknown},0x{ZOE},{ZOLTAN}")).await;
    assert_eq!(pick(&items, "display_name"), [json!("Zoltan 100%"), Value::Null, json!("Zoë"), json!("Zoltan 100%")]);
    assert_eq!(items[1], Value::Null);
    assert_eq!(network.items(&format!("/v1/identity?ids={}", vec![ZOE; 100].join(","))).await.len(), 100);
    network.refused(&format!("/v1/identity?ids={}", vec!["0"; 101].join(",")), "ids").await;
    for bad in ["/v1/identity", "/v1/identity?ids=", &format!("/v1/identity?ids={ZOE},")] {
        network.refused(bad, "ids").await;
    }
}

#[tokio::test]
async fn every_claim_is_shown_and_one_counts() {
    let network = Network::start().await;
    let zoe = network.items(&format!("/v1/identity/{ZOE}/wallets")).await;
    assert_eq!(zoe.len(), 1);
    assert_eq!(
        (&zoe[0]["wallet_address"], &zoe[0]["verdict"], &zoe[0]["counts"]),
        (&json!("bob"), &json!("verified"), &json!(true))
    );
    let zoltan = network.items(&format!("/v1/identity/{ZOLTAN}/wallets")).await;
    assert_eq!((&zoltan[0]["verdict"], &zoltan[0]["counts"]), (&json!("unverifiable"), &json!(false)));
    assert_eq!(
        (&zoltan[0]["reason"], &zoltan[0]["owner_identity_id"]),
        (&json!("no verifier for ml-dsa-65"), &json!(ZOE))
    );
    assert_eq!(network.ask(&format!("/v1/identity/{ZOE}/wallets?at_position=9")).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_wallet_leads_to_its_owner() {
    let network = Network::start().await;
    let owner = network.get("/v1/identity/by-wallet/BOB?explain=true").await;
    assert_eq!((&owner["identity_id"], &owner["wallet_address"]), (&json!(ZOE), &json!("bob")));
    assert_eq!((&owner["link"]["link_type"], &owner["identity"]["display_name"]), (&json!("main"), &json!("Zoë")));
    assert_eq!(pick(owner["provenance"]["events"].as_array().expect("events"), "position"), [json!(28), json!(14)]);
    for nobody in [
        "/v1/identity/by-wallet/alice",
        "/v1/identity/by-wallet/bob?at_position=13",
        "/v1/identity/by-wallet/bob?chain=hub",
    ] {
        assert_eq!(network.ask(nobody).await.status, StatusCode::NOT_FOUND, "{nobody}");
    }
    network.refused("/v1/identity/by-wallet/0x12", "address").await;
}

#[tokio::test]
async fn changes_say_what_changed_and_why() {
    let network = Network::start().await;
    let path = format!("/v1/identity/{ZOE}/changes");
    let changes = network.items(&path).await;
    assert_eq!(pick(&changes, "position"), [21, 20, 14, 14].map(Value::from));
    assert_eq!(pick(&changes, "reason"), [json!("retracted"), json!("event"), json!("event"), json!("event")]);
    assert_eq!(pick(&changes, "what"), [json!("identity"), json!("identity"), json!("wallet"), json!("identity")]);
    assert_eq!(pick(&changes, "action"), [json!("updated"), json!("updated"), json!("created"), json!("created")]);
    assert_eq!(changes[0]["changed"]["display_name"], json!({"from": "Queen", "to": "Zoë"}));
    assert_eq!(
        changes[1]["changed"],
        json!({
            "display_name": {"from": "Zoë", "to": "Queen"},
            "bio": {"from": "first", "to": null},
        })
    );
    assert_eq!((&changes[1]["height"], &changes[1]["block"]), (&json!(4), &json!("b4".repeat(32))));
    assert_eq!(changes[2]["wallet_address"], "bob");
    assert_eq!(changes[2]["changed"]["verdict"], json!({"from": null, "to": "verified"}));
    assert_eq!(
        pick(&network.items(&format!("{path}?at_position=20")).await, "position"),
        [20, 14, 14].map(Value::from)
    );

    let mut paged = Vec::new();
    let mut next = Some(format!("{path}?limit=1"));
    while let Some(page) = next {
        let page = network.get(&page).await;
        paged.extend(page["items"].as_array().expect("items").iter().cloned());
        next = page["next_cursor"].as_str().map(|cursor| format!("{path}?limit=1&cursor={cursor}"));
    }
    assert_eq!(paged, changes);
}

#[tokio::test]
async fn names_are_found_by_their_beginning_and_then_by_resemblance() {
    let network = Network::start().await;
    let names =
        async |name: &str| pick(&network.items(&format!("/v1/identity/search?name={name}")).await, "display_name");
    assert_eq!(names("zo").await, [json!("Zoë"), json!("Zoltan 100%")]);
    assert_eq!(names("ZO%C3%8B").await, [json!("Zoë")]);
    assert_eq!(names("zoltan").await, [json!("Zoltan 100%")]);
    assert_eq!(names("zoltam%20100").await, [json!("Zoltan 100%")], "resembles");
    let items = network.items("/v1/identity/search?name=zoltam%20100").await;
    assert_eq!(items[0]["matched"], "similar");
    let as_of = |at: i64| format!("/v1/identity/search?name=queen&at_position={at}");
    assert_eq!(network.items(&as_of(20)).await.len(), 1);
    assert_eq!(network.items(&as_of(21)).await.len(), 0);
    assert_eq!(network.items("/v1/identity/search?name=zo&at_position=20").await.len(), 0);
}

#[tokio::test]
async fn hostile_names_are_harmless() {
    let network = Network::start().await;
    for name in [
        "%25",
        "_",
        "%27",
        "%22%3B--",
        "%F0%9F%91%A9%E2%80%8D%F0%9F%9A%80",
        "%D7%A9%D7%9C%D7%95%D7%9D",
        "%E2%80%AEeve",
        "%5C",
    ] {
        let found = network.items(&format!("/v1/identity/search?name={name}")).await;
        assert_eq!(found.len(), 0, "{name}");
    }
    assert_eq!(network.items("/v1/identity/search?name=zoltan%20100%25").await.len(), 1, "per cent stands for itself");
    for bad in ["", "%20", "%E2%80%8B", "a%00", &"x".repeat(65), &"x".repeat(4_000)] {
        network.refused(&format!("/v1/identity/search?name={bad}"), "name").await;
    }
    let huge = network.ask(&format!("/v1/identity/search?name={}", "x".repeat(10_240))).await;
    assert!([StatusCode::BAD_REQUEST, StatusCode::URI_TOO_LONG].contains(&huge.status), "{}", huge.status);
    network.refused("/v1/identity/search?name=zo&limit=0", "limit").await;
    network.refused("/v1/identity/search?name=zo&limit=1000", "limit").await;
    network.refused("/v1/identity/search?name=zo&cursor=e30", "cursor").await;
    network.refused("/v1/identity/search?name=zo&nam=x", "nam").await;
}

#[tokio::test]
async fn pages_of_names_are_pinned_while_names_change() {
    let network = Network::start().await;
    network
        .run(
            "insert into views.identities_versions (identity_id, source_id, controller, key_alg, public_key, display_name, search_name,
                stats_visibility, created_at, updated_at, claim_position, from_position, present)
            select sha256(n::text::bytea), 1, 'bob', 'ed25519', '04', 'Walter ' || n / 3, 'walter ' || n / 3, 'public',
                '2026-01-18T21:03:00Z', '2026-01-18T21:03:00Z', 32, 32, true from generate_series(1, 120) n;
            set search_path = views, log, public;
            select log.publish('identities', 31)",
        )
        .await;
    network.advance(32).await;
    let live = network.all("/v1/identity/search?name=walter", 7, "/identity_id").await;
    assert_eq!(live.len(), 120);
    let similar = network.all("/v1/identity/search?name=waltr", 11, "/identity_id").await;
    assert_eq!(similar.len(), 120);
    let first = network.get("/v1/identity/search?name=walter&limit=60").await;
    network
        .run(
            "insert into views.identities_versions (identity_id, source_id, controller, key_alg, public_key, display_name, search_name,
                stats_visibility, created_at, updated_at, claim_position, from_position, present)
            select identity_id, source_id, controller, key_alg, public_key, 'Other', 'other', stats_visibility, created_at,
                updated_at, claim_position, 33, true from views.identities where search_name like 'walter%';
            set search_path = views, log, public;
            select log.publish('identities', 32)",
        )
        .await;
    network.advance(33).await;
    let cursor = first["next_cursor"].as_str().expect("another page");
    let second = network.get(&format!("/v1/identity/search?name=walter&limit=60&cursor={cursor}")).await;
    let both: Vec<Value> =
        [&first, &second].iter().flat_map(|page| page["items"].as_array().expect("items").iter().cloned()).collect();
    assert_eq!(both, live);
    assert_eq!(network.items("/v1/identity/search?name=walter").await.len(), 0);
}

#[tokio::test]
async fn who_hides_now_has_hidden_in_the_past() {
    let network = Network::start().await;
    let uri = format!("/v1/identity/{ZOE}?at_position=14");
    let before = network.ask(&uri).await;
    assert_eq!(
        (&before.body["stats_visibility"], &before.headers["cache-control"]),
        (&"public".into(), &"no-cache".parse().expect("text"))
    );
    network.run("update views.identities set stats_visibility = 'private'").await;
    network.advance(32).await;
    let after = network.get(&uri).await;
    assert_eq!((&after["stats_visibility"], &after["display_name"]), (&"private".into(), &"Zoë".into()));
    assert_eq!(
        network.get("/v1/identity/by-wallet/bob?at_position=14").await["identity"]["stats_visibility"],
        "private"
    );
}
