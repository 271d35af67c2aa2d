//! Blocks, transactions, addresses, balances and search over the hand-written network.

use http::StatusCode;
use serde_json::{Value, json};

use crate::network::{Network, RETRACTED_TX, ZOE};

fn pick(items: &[Value], field: &str) -> Vec<Value> {
    items.iter().map(|item| item[field].clone()).collect()
}

#[tokio::test]
async fn blocks_are_the_standing_ones_newest_first() {
    let network = Network::start().await;
    let blocks = network.items("/v1/explorer/blocks?count=exact").await;
    assert_eq!(pick(&blocks, "height"), [6, 5, 4, 3, 2, 1, 0].map(Value::from));
    assert_eq!(blocks[4]["hash"], "c2".repeat(32));
    assert_eq!(blocks[4]["parent_hash"], "11".repeat(32));
    assert_eq!(blocks[4]["status"], "standing");
    assert_eq!(pick(&blocks, "finalized"), [false, false, false, false, true, true, true].map(Value::from));
    assert_eq!(blocks[6]["parent_hash"], Value::Null);
    assert_eq!(blocks[0]["checks"], json!({"hash": {"verdict": "verified"}, "link": {"verdict": "verified"}}));
    assert_eq!(network.get("/v1/explorer/blocks?count=exact").await["count"], 7);
    assert_eq!(network.get("/v1/explorer/blocks?chain=hub&count=estimated").await["count"], 1);
    assert_eq!(pick(&network.items("/v1/explorer/blocks?limit=2&offset=1").await, "height"), [5, 4].map(Value::from));
    assert_eq!(network.items("/v1/explorer/blocks?offset=10000").await.len(), 0);

    let before_the_fork = network.items("/v1/explorer/blocks?at_position=6").await;
    assert_eq!(pick(&before_the_fork, "hash")[0], "b2".repeat(32));
    assert_eq!(pick(&network.items("/v1/explorer/blocks?at_position=7").await, "height"), [1, 0].map(Value::from));
}

#[tokio::test]
async fn a_block_is_found_by_height_and_hash_and_a_retracted_one_says_so() {
    let network = Network::start().await;
    let standing = network.get("/v1/explorer/block/2").await;
    assert_eq!(standing["hash"], "c2".repeat(32));
    assert_eq!((&standing["status"], &standing["position"]), (&json!("standing"), &json!(8)));
    for spelling in ["b2".repeat(32), format!("0x{}", "B2".repeat(32))] {
        let retracted = network.get(&format!("/v1/explorer/block/{spelling}?chain=hub")).await;
        assert_eq!(retracted["status"], "retracted");
        assert_eq!(retracted["finalized"], false);
        assert_eq!(retracted["height"], 2);
    }
    assert_eq!(network.get("/v1/explorer/block/2?at_position=6").await["status"], "standing");
    assert_eq!(network.get("/v1/explorer/block/2?at_position=7").await["status"], "retracted");

    let explained = network.get(&format!("/v1/explorer/block/{}?explain=true", "b2".repeat(32))).await;
    assert_eq!(
        pick(explained["provenance"]["events"].as_array().expect("events"), "kind"),
        [json!("chain.retracted"), json!("chain.block_applied")]
    );

    let early = network.ask("/v1/explorer/block/8").await;
    assert_eq!((early.status, &early.body["tip_height"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(9)));
    let beyond = network.ask("/v1/explorer/block/10").await;
    assert_eq!((beyond.status, &beyond.body["tip_height"]), (StatusCode::NOT_FOUND, &json!(9)));
    let unknown = network.ask(&format!("/v1/explorer/block/{}", "ee".repeat(32))).await;
    assert_eq!((unknown.status, &unknown.body["searched_through"]["position"]), (StatusCode::NOT_FOUND, &json!(31)));
    for bad in ["-1", "0x", "abc", "0xzz", "99999999999999999999", "%20", "2%00", "1.5", "%ff"] {
        network.refused(&format!("/v1/explorer/block/{bad}"), "height_or_hash").await;
        network.refused(&format!("/v1/explorer/block/{bad}/transactions"), "height_or_hash").await;
    }
}

#[tokio::test]
async fn transactions_are_listed_by_chain_block_and_type() {
    let network = Network::start().await;
    let all = network.items("/v1/explorer/transactions").await;
    assert_eq!(pick(&all, "position"), [31, 30, 27, 25, 13, 11, 9, 4].map(Value::from));
    assert_eq!(
        pick(&network.items("/v1/explorer/transactions?type=identity.link_wallet").await, "position"),
        [27, 13].map(Value::from)
    );
    assert_eq!(network.get("/v1/explorer/transactions?count=exact&limit=1").await["count"], 8);
    network.refused("/v1/explorer/transactions?count=exact&type=transfer", "count").await;
    network.refused("/v1/explorer/transactions?type=", "type").await;

    let page = network.get("/v1/explorer/block/6/transactions?limit=1&count=exact").await;
    assert_eq!((&page["count"], &page["items"][0]["tx_index"]), (&json!(2), &json!(0)));
    assert_eq!(network.all("/v1/explorer/block/6/transactions", 1, "/tx_id").await.len(), 2);
    assert_eq!(network.items("/v1/explorer/block/4/transactions").await.len(), 0, "an empty block");
    let retracted = network.items(&format!("/v1/explorer/block/{}/transactions", "b2".repeat(32))).await;
    assert_eq!(pick(&retracted, "status"), [json!("retracted")]);
    assert_eq!(network.ask("/v1/explorer/block/10/transactions").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_transaction_is_found_under_every_spelling() {
    let network = Network::start().await;
    let uuid = "00000000-0000-4000-8000-000000000003";
    for spelling in
        [uuid.to_owned(), uuid.replace('-', ""), format!("0x{}", uuid.replace('-', "")), uuid.to_uppercase()]
    {
        let tx = network.get(&format!("/v1/explorer/tx/{spelling}?chain=hub")).await;
        assert_eq!((&tx["sender"], &tx["recipient"], &tx["amount"]), (&json!("alice"), &json!("dave"), &json!("8")));
        assert_eq!(
            (&tx["status"], &tx["finalized"], &tx["type"]),
            (&json!("confirmed"), &json!(true), &json!("transfer"))
        );
        assert_eq!((&tx["data"], &tx["memo_digest"]), (&json!("{\"v\":1}"), &json!("aa")));
        assert_eq!(tx["checks"]["signature"]["verdict"], "unverifiable");
    }
    let hash = network.get(&format!("/v1/explorer/tx/0xAB{}", "12".repeat(31))).await;
    assert_eq!(hash["tx_id"], format!("ab{}", "12".repeat(31)));
    let retracted = network.get(&format!("/v1/explorer/tx/{RETRACTED_TX}?explain=true")).await;
    assert_eq!(retracted["status"], "retracted");
    assert_eq!(pick(retracted["provenance"]["events"].as_array().expect("events"), "position"), [json!(7), json!(6)]);
    assert_eq!(network.get(&format!("/v1/explorer/tx/{RETRACTED_TX}?at_position=6")).await["status"], "confirmed");
    assert_eq!(
        network.ask(&format!("/v1/explorer/tx/{RETRACTED_TX}?at_position=4")).await.status,
        StatusCode::NOT_FOUND
    );
    let explained = network.get("/v1/explorer/tx/00000000-0000-4000-8000-000000000004?explain=true").await;
    assert_eq!(pick(explained["provenance"]["events"].as_array().expect("events"), "position"), [json!(12), json!(11)]);

    let unknown = network.ask("/v1/explorer/tx/00000000-0000-4000-8000-00000000ffff").await;
    assert_eq!((unknown.status, &unknown.body["searched_through"]["position"]), (StatusCode::NOT_FOUND, &json!(31)));
    for bad in ["0x12", "0xzz", "a%00", &"x".repeat(200)] {
        network.refused(&format!("/v1/explorer/tx/{bad}"), "tx_id").await;
    }
}

#[tokio::test]
async fn a_transaction_that_comes_back_after_a_fork_is_the_standing_one() {
    let network = Network::start().await;
    network
        .run(&format!(
            "insert into views.blocks (source_id, position, end_position, height, hash, block_time, validator_address, tx_count)
            values (1, 32, 33, 7, '\\x17', '2026-01-18T21:07:00Z', 'VAL1', 1);
            insert into views.transactions (source_id, position, tx_id, block_height, block_hash, block_time, tx_index, sender,
                recipient, amount, fee, tx_type, status)
            values (1, 33, '{RETRACTED_TX}', 7, '\\x17', '2026-01-18T21:07:00Z', 0, 'alice', 'carol', 4, 1, 'transfer', 'confirmed')"
        ))
        .await;
    network.advance(33).await;
    let tx = network.get(&format!("/v1/explorer/tx/{RETRACTED_TX}")).await;
    assert_eq!((&tx["status"], &tx["block_height"]), (&json!("confirmed"), &json!(7)));
    assert_eq!(network.get(&format!("/v1/explorer/tx/{RETRACTED_TX}?at_position=31")).await["status"], "retracted");
}

#[tokio::test]
async fn balances_are_those_of_the_worked_example_at_every_position() {
    let network = Network::start().await;
    for (position, expected) in [
        (4, [("alice", "61", true), ("bob", "2", true), ("carol", "0", false), ("dave", "0", false)]),
        (6, [("alice", "56", true), ("bob", "2", true), ("carol", "4", true), ("dave", "0", false)]),
        (7, [("alice", "61", true), ("bob", "2", true), ("carol", "0", false), ("dave", "0", false)]),
        (9, [("alice", "52", true), ("bob", "2", true), ("carol", "0", false), ("dave", "8", true)]),
    ] {
        for (address, balance, seen) in expected {
            let path = format!("/v1/explorer/address/{address}/balance?at_position={position}");
            let answer = network.get(&path).await;
            assert_eq!((&answer["balance"], &answer["seen"]), (&json!(balance), &json!(seen)), "{path}");
            assert_eq!(answer["complete"], true);
        }
    }
    let levy = network.get("/v1/explorer/address/0x0000000000000000000000000000000000000003/balance").await;
    assert_eq!((&levy["balance"], &levy["received"]), (&json!("2"), &json!("2")));
    let alice = network.get("/v1/explorer/address/alice/balance?explain=true").await;
    assert_eq!(pick(alice["provenance"]["events"].as_array().expect("events"), "position"), [9, 4, 2].map(Value::from));
    assert_eq!(alice["provenance"]["count"], 3);
    assert_eq!(alice["provenance"]["link"], "/v1/events?subject=address:alice&source=chert");
    let listed = network.items(alice["provenance"]["link"].as_str().expect("a link")).await;
    assert_eq!(listed.len(), 4, "the link lists what was taken back as well");
    assert!(alice.get("reported_balance").is_none(), "a chain whose balances change in blocks only");
}

#[tokio::test]
async fn a_chain_with_other_state_shows_what_its_node_reports_beside_the_balance() {
    let network = Network::start().await;
    let spelled = "aitbc1EA0a973af4ebee8528af4792590752bca91d9d81";
    let balance = network.get(&format!("/v1/explorer/address/{spelled}/balance?chain=hub")).await;
    assert_eq!(balance["address"], "0xea0a973af4ebee8528af4792590752bca91d9d81");
    assert_eq!((&balance["balance"], &balance["reported_balance"]), (&json!("1024"), &json!("1088")));
    assert_eq!(
        (&balance["difference"], &balance["reported_heights"]),
        (&json!("-64"), &json!({"before": 0, "after": 0}))
    );
    assert_eq!(balance["reported_at"], "2026-01-18T21:30:00.000000Z");
    let history = network.items(&format!("/v1/explorer/address/{spelled}/history?chain=hub")).await;
    assert_eq!(pick(&history, "kind"), [json!("account.reported"), json!("chain.allocated")]);
    assert_eq!(pick(&history, "amount"), [json!("1088"), json!("1024")]);
}

#[tokio::test]
async fn many_balances_keep_the_order_and_the_repetitions() {
    let network = Network::start().await;
    let items = network.items("/v1/explorer/balances?addresses=dave,alice,dave,nobody").await;
    assert_eq!(pick(&items, "address"), [json!("dave"), json!("alice"), json!("dave"), json!("nobody")]);
    assert_eq!(pick(&items, "balance"), [json!("8"), json!("52"), json!("8"), json!("0")]);
    assert_eq!(items[3]["seen"], false);
    let account = format!("0x{}", "1".repeat(40));
    let hundred = vec![account.as_str(); 100].join(",");
    assert_eq!(network.items(&format!("/v1/explorer/balances?addresses={hundred}")).await.len(), 100);
    network.refused(&format!("/v1/explorer/balances?addresses={}", vec!["a"; 101].join(",")), "addresses").await;
    for bad in
        ["/v1/explorer/balances", "/v1/explorer/balances?addresses=", "/v1/explorer/balances?addresses=alice,,bob"]
    {
        network.refused(bad, "addresses").await;
    }
}

#[tokio::test]
async fn addresses_match_in_another_case_only_when_one_is_known() {
    let network = Network::start().await;
    let one = network.get("/v1/explorer/address/0xfeed000000000000000000000000000000000002").await;
    assert_eq!((&one["address"], &one["seen"]), (&json!("0xFEED000000000000000000000000000000000002"), &json!(true)));
    let two = network.get("/v1/explorer/address/0xAbCdEf0000000000000000000000000000000001").await;
    assert_eq!((&two["address"], &two["seen"]), (&json!("0xAbCdEf0000000000000000000000000000000001"), &json!(false)));
    let exact = network.items("/v1/explorer/address/0xabcdef0000000000000000000000000000000001/history").await;
    assert_eq!(pick(&exact, "roles"), [json!(["recipient"])]);
    let earlier = network.get("/v1/explorer/address/0xfeed000000000000000000000000000000000002?at_position=28").await;
    assert_eq!(earlier["seen"], false, "nobody had named it by then");
    for bad in ["0x12", "0xzz", "a%07b", "%00", "%ff", &"x".repeat(129)] {
        for route in ["", "/balance", "/history"] {
            network.refused(&format!("/v1/explorer/address/{bad}{route}"), "address").await;
        }
    }
}

#[tokio::test]
async fn a_summary_names_the_owner() {
    let network = Network::start().await;
    let bob = network.get("/v1/explorer/address/bob").await;
    assert_eq!((&bob["balance"], &bob["tx_count"]), (&json!("2"), &json!(3)));
    assert_eq!((&bob["identity_id"], &bob["display_name"], &bob["claims"]), (&json!(ZOE), &json!("Zoë"), &json!(2)));
    let earlier = network.get("/v1/explorer/address/bob?at_position=9").await;
    assert_eq!((&earlier["identity_id"], &earlier["claims"]), (&Value::Null, &json!(0)));
    assert_eq!(network.get("/v1/explorer/address/nobody").await["seen"], false);
}

#[tokio::test]
async fn history_holds_standing_events_only() {
    let network = Network::start().await;
    let bob = network.items("/v1/explorer/address/bob/history").await;
    assert_eq!(pick(&bob, "position"), [31, 28, 14, 13, 11, 4].map(Value::from), "19 was taken back");
    assert_eq!(bob[3]["roles"], json!(["sender", "recipient"]));
    assert_eq!((&bob[5]["sender"], &bob[5]["amount"], &bob[5]["fee"]), (&json!("alice"), &json!("2"), &json!("1")));
    assert_eq!(network.items("/v1/explorer/address/carol/history?at_position=6").await.len(), 1);
    assert_eq!(network.items("/v1/explorer/address/carol/history?at_position=9").await.len(), 0);
    let at_20 = network.items("/v1/explorer/address/bob/history?at_position=20").await;
    assert_eq!(at_20[0]["position"], 19);
    assert_eq!(network.all("/v1/explorer/address/bob/history", 1, "/position").await, bob);
}

#[tokio::test]
async fn pages_lose_and_repeat_nothing_while_the_chain_grows_and_forks() {
    let network = Network::start().await;
    network
        .run(
            "insert into views.blocks (source_id, position, end_position, height, hash, block_time, validator_address, tx_count)
            select 1, p, p, p - 25, sha256(p::text::bytea), '2026-01-18T21:07:00Z', 'VAL1', 0 from generate_series(32, 231) p",
        )
        .await;
    network.advance(231).await;
    let live = network.all("/v1/explorer/blocks", 7, "/hash").await;
    assert_eq!(live.len(), 207);
    let first = network.get("/v1/explorer/blocks?limit=100").await;
    network
        .run(
            "insert into log.retractions (at_position, source_id, first_position, fork_height) values (232, 1, 100, 74);
            insert into views.blocks (source_id, position, end_position, height, hash, block_time, validator_address, tx_count)
            select 1, p, p, p - 158, sha256(p::text::bytea), '2026-01-18T21:07:00Z', 'VAL1', 0 from generate_series(233, 240) p",
        )
        .await;
    network.advance(240).await;
    let mut pinned = first["items"].as_array().expect("items").clone();
    let mut cursor = first["next_cursor"].as_str().map(str::to_owned);
    while let Some(text) = cursor {
        let page = network.ask(&format!("/v1/explorer/blocks?limit=100&cursor={text}")).await;
        assert_eq!(page.headers["x-position"], "231");
        pinned.extend(page.body["items"].as_array().expect("items").iter().cloned());
        cursor = page.body["next_cursor"].as_str().map(str::to_owned);
    }
    assert_eq!(pinned, live, "later pages show what stood when the first page was read");
    let heights = pick(&network.all("/v1/explorer/blocks", 100, "/hash").await, "height");
    assert_eq!(heights, (0..=82).rev().map(Value::from).collect::<Vec<_>>());
}

#[tokio::test]
async fn search_finds_everything_by_its_name() {
    let network = Network::start().await;
    let found = async |q: &str| network.items(&format!("/v1/explorer/search?q={q}")).await;
    let kinds = |items: &[Value]| pick(items, "type");
    assert_eq!(kinds(&found("2").await), [json!("block")]);
    let genesis = found("0").await;
    assert_eq!(pick(&genesis, "chain"), [json!("chert"), json!("hub")]);
    assert_eq!(pick(&found(&format!("0x{}", "b2".repeat(32))).await, "type"), [json!("block"), json!("identity")]);
    assert_eq!(found(&"b2".repeat(32)).await[0]["status"], "retracted");
    assert_eq!(found(RETRACTED_TX).await[0]["type"], "transaction");
    assert_eq!(found("ALICE").await, [json!({"type": "address", "chain": "chert", "address": "alice"})]);
    assert_eq!(found("ait1ea0a973af4ebee8528af4792590752bca91d9d81").await[0]["chain"], "hub");
    assert_eq!(found(ZOE).await, [json!({"type": "identity", "identity_id": ZOE, "display_name": "Zoë"})]);
    assert_eq!(pick(&found("ZO").await, "display_name"), [json!("Zoë"), json!("Zoltan 100%")]);
    assert_eq!(found("nothing-of-that-name").await.len(), 0);
    network.refused("/v1/explorer/search", "q").await;
    network.refused("/v1/explorer/search?q=", "q").await;
    network.refused("/v1/explorer/search?q=a%00", "q").await;
    network.refused(&format!("/v1/explorer/search?q={}", "x".repeat(257)), "q").await;
}

#[tokio::test]
async fn an_address_is_seen_while_an_event_that_names_it_stands() {
    let network = Network::start().await;
    let seen =
        async |at: i64| network.get(&format!("/v1/explorer/address/carol?at_position={at}")).await["seen"].clone();
    assert_eq!(
        (seen(4).await, seen(6).await, seen(7).await, seen(28).await),
        (json!(false), json!(true), json!(false), json!(true))
    );
    let named = network.get("/v1/explorer/address/0xfeed000000000000000000000000000000000002?explain=true").await;
    assert_eq!(named["seen"], true);
    assert_eq!(named["provenance"]["events"][0]["position"], 31);
}
