//! What identities do: votes, participation, power, delegations.

use http::StatusCode;
use serde_json::{Value, json};

use super::{ADA, BEN, EVE, pick, start};
use crate::network::{Network, ZOE, ZOLTAN};

const ROUTES: [&str; 4] = ["votes", "stats", "power", "delegations"];

fn number(value: &Value) -> i64 {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{value} is not a decimal number"))
}

fn sum(items: &Value, field: &str) -> i64 {
    items.as_array().expect("a list").iter().map(|item| number(&item[field])).sum()
}

#[tokio::test]
async fn unknown_identities_and_bad_ids_are_told_apart() {
    let network = start().await;
    let unknown = "0".repeat(64);
    for route in ROUTES {
        let path = format!("/v1/governance/{route}");
        for bad in ["zz", "0x", &ZOE[1..], &format!("{ZOE}00"), "%00"] {
            network.refused(&format!("{path}/{bad}"), "identity_id").await;
        }
        let missing = network.ask(&format!("{path}/{unknown}")).await;
        assert_eq!(
            (missing.status, &missing.body["searched_through"]["position"]),
            (StatusCode::NOT_FOUND, &json!(101))
        );
        assert_eq!(network.ask(&format!("{path}/{ADA}?at_position=31")).await.status, StatusCode::NOT_FOUND, "{route}");
        assert_eq!(network.ask(&format!("{path}/0x{}", ADA.to_uppercase())).await.status, StatusCode::OK, "{route}");
        network.refused(&format!("{path}/{ZOE}?chain=none"), "chain").await;
    }
    network.refused(&format!("/v1/governance/delegations/{ZOE}?direction=in"), "direction").await;
}

#[tokio::test]
async fn a_history_has_every_vote_with_what_it_was_about() {
    let network = start().await;
    let path = format!("/v1/governance/votes/{ZOE}");
    let votes = network.items(&path).await;
    assert_eq!(pick(&votes, "position"), [72, 66, 62].map(Value::from));
    assert_eq!(pick(&votes, "proposal_title"), ["Proposal 1", "Proposal 8", "Proposal 1"]);
    assert_eq!(pick(&votes, "proposal_status"), ["ended", "ended", "ended"]);
    assert_eq!(pick(&votes, "superseded"), [false, false, true]);
    assert_eq!(pick(&votes, "counts"), [true, true, false]);
    assert_eq!(network.all(&path, 1, "/position").await, votes);
    let before = network.items(&format!("{path}?at_position=70")).await;
    assert_eq!(pick(&before, "position"), [66, 62].map(Value::from));
    assert_eq!(pick(&before, "proposal_status"), ["active", "active"]);
    assert_eq!(pick(&before, "counts"), [true, true]);
    let ada = async |at: i64| network.items(&format!("/v1/governance/votes/{ADA}?at_position={at}")).await;
    assert_eq!(pick(&ada(95).await, "position"), [94, 67, 64].map(Value::from));
    assert_eq!(pick(&ada(96).await, "position"), [67, 64].map(Value::from), "a fork takes votes back");
    let why = network.items(&format!("/v1/governance/votes/{BEN}")).await;
    assert_eq!((&why[0]["why"], &why[0]["counts"]), (&json!("no-voting-power"), &json!(false)));
    assert_eq!(network.items(&format!("{path}?chain=hub")).await.len(), 0);
}

async fn participation(network: &Network, id: &str, query: &str) -> (i64, i64, i64, i64, Value) {
    let stats = network.get(&format!("/v1/governance/stats/{id}{query}")).await;
    let count = |field: &str| stats[field].as_i64().unwrap_or_else(|| panic!("{field} of {stats}"));
    (
        count("proposals_created"),
        count("votes_cast"),
        count("proposals_voted"),
        count("proposals_eligible"),
        stats["participation_rate"].clone(),
    )
}

#[tokio::test]
async fn participation_shows_both_numbers() {
    let network = start().await;
    let of = async |id: &str, query: &str| participation(&network, id, query).await;
    assert_eq!(of(ZOE, "").await, (8, 3, 2, 7, json!(0.2857)));
    assert_eq!(of(ADA, "").await, (1, 2, 2, 7, json!(0.2857)));
    assert_eq!(of(ZOLTAN, "").await, (0, 2, 1, 7, json!(0.1429)), "a late vote does not count");
    assert_eq!(of(BEN, "").await, (0, 1, 0, 7, json!(0.0)));
    assert_eq!(of(EVE, "").await, (0, 0, 0, 1, json!(0.0)), "only what had not ended when she came");
    assert_eq!(of(ADA, "?at_position=95").await, (1, 3, 3, 7, json!(0.4286)));
    assert_eq!(of(BEN, "?at_position=95").await, (1, 1, 0, 7, json!(0.0)));
    assert_eq!(of(ZOE, "?at_position=50").await, (7, 0, 0, 0, Value::Null), "nothing had opened");
    assert_eq!(of(ZOE, "?chain=hub").await, (0, 0, 0, 0, Value::Null), "she is not registered there");
    assert_eq!(of(ZOLTAN, "?chain=hub").await, (1, 0, 0, 0, Value::Null));

    let zoe = network.get(&format!("/v1/governance/stats/{ZOE}?explain=true")).await;
    let parts = ["current_voting_power", "delegation_received", "delegation_given"];
    assert_eq!(parts.map(|part| zoe[part].as_str()), [Some("0"), Some("0"), Some("10")]);
    assert_eq!((&zoe["updated_at"], &zoe["complete"]), (&json!("2026-01-18T21:13:00.000000Z"), &json!(true)));
    let causes = zoe["provenance"]["events"].as_array().expect("events");
    let behind = [99, 87, 72, 66, 62, 49, 48, 47, 46, 45, 44, 42, 38, 37, 14];
    assert_eq!(pick(causes, "position"), behind.map(Value::from), "stakes and the link are behind the power");
    assert_eq!(pick(&causes[13..], "kind"), ["staking.staked", "identity.wallet_linked"]);
    let eve = network.get(&format!("/v1/governance/stats/{EVE}")).await;
    assert_eq!((&eve["updated_at"], &eve["provenance"]), (&json!("2026-01-18T21:12:00.000000Z"), &Value::Null));
    let past = network.get(&format!("/v1/governance/stats/{ZOLTAN}?at_height=9")).await;
    assert_eq!((&past["current_voting_power"], &past["delegation_received"]), (&json!("20"), &json!("20")));
}

#[tokio::test]
async fn power_is_the_sum_of_its_parts_at_every_height() {
    let network = start().await;
    for id in [ZOE, ZOLTAN, ADA, BEN, EVE] {
        for height in 12..=13 {
            let power = network.get(&format!("/v1/governance/power/{id}?at_height={height}")).await;
            let [own, received, given] =
                ["own_stake", "delegated_in", "delegated_out"].map(|part| number(&power[part]));
            assert_eq!(number(&power["power"]), own + received - given, "{power}");
            assert_eq!(own, sum(&power["wallets"], "staked"), "{power}");
            assert_eq!(received, sum(&power["delegators"], "counted"), "{power}");
            assert_eq!(given, sum(&power["delegatees"], "counted"), "{power}");
        }
    }
    let zoe = network.get(&format!("/v1/governance/power/{ZOE}?at_height=9&explain=true")).await;
    let parts = ["power", "own_stake", "delegated_in", "delegated_out"];
    assert_eq!(parts.map(|part| number(&zoe[part])), [30, 50, 0, 20], "what her votes weigh");
    assert_eq!(zoe["wallets"], json!([{"wallet_address": "bob", "staked": "50"}]));
    assert_eq!(
        zoe["delegatees"],
        json!([{"identity_id": ZOLTAN, "display_name": "Zoltan 100%", "amount": "20", "counted": "20"}])
    );
    assert_eq!(
        (&zoe["delegators"], &zoe["delegator_count"], &zoe["delegatee_count"]),
        (&json!([]), &json!(0), &json!(1))
    );
    let causes = zoe["provenance"]["events"].as_array().expect("events");
    assert_eq!(pick(causes, "position"), [38, 37, 14].map(Value::from), "delegation, stake, link");
    assert_eq!(pick(causes, "kind"), ["governance.delegated", "staking.staked", "identity.wallet_linked"]);

    let now = network.get(&format!("/v1/governance/power/{ZOE}")).await;
    assert_eq!(parts.map(|part| number(&now[part])), [0, 10, 0, 10], "less stake covers less of what was given");
    assert_eq!((&now["delegatees"][0]["amount"], &now["delegatees"][0]["counted"]), (&json!("20"), &json!("10")));
    let zoltan = network.get(&format!("/v1/governance/power/{ZOLTAN}")).await;
    assert_eq!((number(&zoltan["power"]), &zoltan["wallets"]), (10, &json!([])), "an unproved link has no stake");
    let ada = network.get(&format!("/v1/governance/power/{ADA}")).await;
    assert_eq!(pick(ada["wallets"].as_array().expect("wallets"), "wallet_address"), ["carol", "dave"]);
    let ben = network.get(&format!("/v1/governance/power/{BEN}")).await;
    assert_eq!((number(&ben["power"]), &ben["wallets"], &ben["complete"]), (0, &json!([]), &json!(true)));
    let hub = network.get(&format!("/v1/governance/power/{ZOE}?chain=hub")).await;
    assert_eq!((number(&hub["power"]), &hub["wallets"], &hub["delegatees"]), (0, &json!([]), &json!([])));
}

#[tokio::test]
async fn delegations_are_seen_from_both_sides() {
    let network = start().await;
    let of = async |id: &str, query: &str| network.items(&format!("/v1/governance/delegations/{id}{query}")).await;
    let given = of(ZOE, "").await;
    assert_eq!(
        given,
        [json!({
            "chain": "chert", "direction": "given", "delegator_identity": ZOE, "delegator_display_name": "Zoë",
            "delegatee_identity": ZOLTAN, "delegatee_display_name": "Zoltan 100%", "amount": "20", "counted": "10",
            "created_at": "2026-01-18T21:07:00.000000Z", "updated_at": "2026-01-18T21:07:00.000000Z", "position": 38,
        })]
    );
    let received = of(ZOLTAN, "?direction=received").await;
    assert_eq!(
        (received.len(), &received[0]["direction"], &received[0]["position"]),
        (1, &json!("received"), &json!(38))
    );
    assert_eq!((of(ZOE, "?direction=received").await.len(), of(ZOE, "?direction=given").await.len()), (0, 1));
    assert_eq!((of(ZOLTAN, "?direction=given").await.len(), of(ZOLTAN, "?direction=both").await.len()), (0, 1));
    assert_eq!(pick(&of(ZOE, "?at_position=89").await, "counted"), ["20"]);
    assert_eq!(pick(&of(ZOLTAN, "?at_position=95").await, "position"), [91, 38].map(Value::from), "newest first");
    assert_eq!(pick(&of(ZOLTAN, "?at_position=96").await, "position"), [38].map(Value::from), "a fork takes it back");
    assert_eq!((of(ADA, "?at_position=95").await.len(), of(ADA, "").await.len()), (1, 0));
    let paged = network.all(&format!("/v1/governance/delegations/{ZOLTAN}?at_position=95"), 1, "/position").await;
    assert_eq!(paged, of(ZOLTAN, "?at_position=95").await);
    assert_eq!(of(ZOLTAN, "?chain=hub").await.len(), 0);
}

#[tokio::test]
async fn fifty_of_the_most_are_shown_and_all_are_counted() {
    let network = start().await;
    network
        .run(
            "set search_path = views, log, public;
            insert into delegations_versions (source_id, delegator_id, delegatee_id, amount, counted, created_at, updated_at,
                claim_position, from_position, present)
            select 1, sha256(n::text::bytea), decode(repeat('d4', 32), 'hex'), n, n, '2026-01-18T21:07:00Z', '2026-01-18T21:07:00Z',
                1000 + n, 102, true
            from generate_series(1, 60) n;
            select log.publish('delegations', 101)",
        )
        .await;
    network.advance(102).await;
    let ben = network.get(&format!("/v1/governance/power/{BEN}")).await;
    let shown: Vec<Value> = (11..=60).rev().map(|counted: i64| json!(counted.to_string())).collect();
    assert_eq!(pick(ben["delegators"].as_array().expect("a list"), "counted"), shown);
    assert_eq!((&ben["delegator_count"], &ben["delegatee_count"]), (&json!(60), &json!(0)));
    let all = network.all(&format!("/v1/governance/delegations/{BEN}"), 7, "/position").await;
    assert_eq!(all.len(), 60);
    let before = network.get(&format!("/v1/governance/power/{BEN}?at_position=101")).await;
    assert_eq!((&before["delegators"], &before["delegator_count"]), (&json!([]), &json!(0)));
}

#[tokio::test]
async fn what_the_chain_says_may_be_kept_for_ever_once_it_is_final() {
    let network = start().await;
    network
        .run(
            "set search_path = views, log, public;
            insert into finality_versions (source_id, finalized_height, rule, from_position, present)
            values (1, 12, 'depth', 102, true), (2, 1, 'depth', 102, true);
            insert into heads_versions
            select n.* from heads_versions h, jsonb_populate_record(h, '{\"source_id\": 2, \"height\": 1, \"from_position\": 102}') n
            where h.source_id = 1 and h.from_position = 100;
            select log.publish(view, 101) from unnest(array['finality', 'heads']) view",
        )
        .await;
    network.advance(102).await;
    let path = format!("/v1/governance/votes/{ZOE}?at_position=70");
    let kept = network.until(&path, |answer| answer.headers["cache-control"] != "no-cache").await;
    assert_eq!(kept.headers["cache-control"], "public, max-age=31536000, immutable");
    assert_eq!(network.ask(&format!("/v1/governance/votes/{ZOE}")).await.headers["cache-control"], "no-cache");
}

#[tokio::test]
async fn what_a_chain_says_of_somebody_else_by_the_same_id_is_not_theirs() {
    let network = start().await;
    network
        .run(&format!(
            "set search_path = views, log, public;
            insert into contested_identities_versions (event_source_id, event_position, identity_id, winner_source_id, detail,
                from_position, present)
            values (1, 12, decode('{ZOE}', 'hex'), 2, 'Another source had it before.', 102, true), (1, 12, null, null, null, 103, false);
            select log.publish('contested_identities', 101)"
        ))
        .await;
    network.advance(102).await;
    network.advance(103).await;
    let path = |route: &str, at: i64| format!("/v1/governance/{route}/{ZOE}?at_position={at}");
    for (at, is_theirs) in [(101, true), (102, false), (103, true)] {
        let stats = participation(&network, ZOE, &format!("?at_position={at}")).await;
        let expected = if is_theirs { (8, 3, 2, 7, json!(0.2857)) } else { (0, 0, 0, 0, Value::Null) };
        assert_eq!(stats, expected, "{at}");
        assert_eq!(network.items(&path("votes", at)).await.is_empty(), !is_theirs, "{at}");
        assert_eq!(network.items(&path("delegations", at)).await.is_empty(), !is_theirs, "{at}");
        let power = network.get(&path("power", at)).await;
        let parts = ["own_stake", "delegated_out"].map(|part| number(&power[part]));
        assert_eq!(parts, if is_theirs { [10, 10] } else { [0, 0] }, "{at}");
        assert_eq!(power["delegatees"].as_array().map(Vec::is_empty), Some(!is_theirs), "{at}");
        // What others have to do with whoever that is stays, without a name.
        let name = if is_theirs { json!("Zoë") } else { Value::Null };
        let received = network.items(&format!("/v1/governance/delegations/{ZOLTAN}?at_position={at}")).await;
        assert_eq!((&received[0]["delegator_identity"], &received[0]["delegator_display_name"]), (&json!(ZOE), &name));
        let votes = network.items(&format!("/v1/governance/proposals/1/votes?at_position={at}")).await;
        let theirs: Vec<Value> = votes.into_iter().filter(|vote| vote["voter_identity"] == ZOE).collect();
        assert_eq!(pick(&theirs, "display_name"), vec![name; 2], "{at}");
    }
}
