//! Feeds of activity, over the village of `social.sql`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::network::{Network, ZOE, ZOLTAN};
use crate::social::{ANN, BEA, pick, positions, village};

async fn feed_of(network: &Network, identity: &str, query: &str) -> Vec<i64> {
    positions(&network.items(&format!("/v1/identity/{identity}/feed?{query}")).await)
}

#[tokio::test]
async fn a_feed_shows_what_stands_and_counts() {
    let network = village().await;
    assert_eq!(feed_of(&network, ANN, "").await, [55, 46, 44, 42, 39, 38, 37, 35, 33]);
    assert_eq!(feed_of(&network, ANN, "at_position=57").await[..3], [56, 55, 46], "not yet rejected");
    assert_eq!(feed_of(&network, ANN, "at_position=49").await[..3], [49, 46, 44], "not yet retracted");
    assert_eq!(feed_of(&network, ANN, "at_position=50").await[..2], [46, 44]);
    assert_eq!(feed_of(&network, ZOE, "").await, [55, 52, 46, 45, 38, 37, 14, 12]);
    assert_eq!(feed_of(&network, BEA, "").await, [34], "what changed nothing is not in a feed");
    assert_eq!(feed_of(&network, BEA, "at_position=49").await, [49, 34]);
}

#[tokio::test]
async fn a_claim_to_another_s_wallet_is_in_a_feed_once_it_counts() {
    let network = village().await;
    assert_eq!(feed_of(&network, ZOLTAN, "at_position=31&kind=identity.wallet_linked").await, [0; 0]);
    let explain = format!("/v1/identity/{ZOLTAN}?explain=true");
    let before = network.get(&explain).await;
    assert_eq!(positions(before["provenance"]["events"].as_array().expect("events")), [39, 36, 26]);
    network
        .run(
            "insert into views.contested_wallets_versions (event_position, from_position, present) values (28, 62, false)",
        )
        .await;
    network.advance(62).await;
    assert_eq!(feed_of(&network, ZOLTAN, "kind=identity.wallet_linked").await, [36, 28]);
    let after = network.get(&explain).await;
    assert_eq!(positions(after["provenance"]["events"].as_array().expect("events")), [39, 36, 28, 26]);
}

#[tokio::test]
async fn whoever_acts_in_another_s_name_is_in_no_feed() {
    let network = village().await;
    assert_eq!(feed_of(&network, ANN, "kind=social.followed").await, [55, 39, 38, 37]);
    network
        .run(&format!(
            "set search_path = views, log, public;
            insert into views.contested_identities_versions (event_source_id, event_position, identity_id, winner_source_id, detail,
                from_position, present)
            values (1, 12, '\\x{ZOE}', 2, 'somebody else registered it', 62, true);
            select log.publish('contested_identities', 61)"
        ))
        .await;
    network.advance(62).await;
    assert_eq!(
        feed_of(&network, ANN, "kind=social.followed").await,
        [39],
        "neither what she did nor what was done to her"
    );
    assert_eq!(feed_of(&network, ZOE, "").await, [0; 0]);
    assert_eq!(feed_of(&network, ZOE, "at_position=61").await.len(), 8, "it was recognised then");
}

#[tokio::test]
async fn who_follows_again_whom_they_follow_is_in_no_feed_again() {
    let network = village().await;
    network
        .run(
            "insert into log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, occurred_at,
                recorded_at, digest)
            select n, 1, 12, '\\x1c', 'tx', 0, n, 13, '{}', '2026-01-18T22:00:00Z', clock_timestamp(), '\\x00'
            from unnest(array[63, 64]) n;
            insert into log.event_subjects (subject_id, position, role) values (6, 63, 7), (20, 63, 8), (21, 64, 7), (20, 64, 8);
            insert into views.follow_claims_versions (source_id, follower_id, following_id, created_at, claim_position, from_position,
                present)
            values (1, decode(repeat('d4', 32), 'hex'), decode(repeat('c3', 32), 'hex'), '2026-01-18T22:00:00Z', 64, 64, true)",
        )
        .await;
    network.advance(64).await;
    assert_eq!(feed_of(&network, ZOE, "kind=social.followed").await, [55, 38, 37], "63 changed nothing");
    assert_eq!(feed_of(&network, ANN, "kind=social.followed").await, [64, 55, 39, 38, 37]);
}

#[tokio::test]
async fn the_feed_of_those_followed_is_theirs() {
    let network = village().await;
    let of_ann = feed_of(&network, ANN, "").await;
    assert_eq!(feed_of(&network, ZOE, "of=following").await, of_ann);
    assert_eq!(feed_of(&network, ZOE, "of=following&at_position=53").await, [0; 0], "she followed nobody then");
    assert_eq!(feed_of(&network, ZOE, "of=following&at_position=50").await, [46, 44, 42, 39, 38, 37, 35, 33]);
    let all = network.items(&format!("/v1/identity/{ZOE}/feed?of=all")).await;
    assert_eq!(positions(&all), [55, 52, 46, 45, 44, 42, 39, 38, 37, 35, 33, 14, 12]);
    let of = |position: i64| all.iter().find(|item| item["position"] == position).expect("an item");
    assert_eq!((&of(55)["identity_id"], &of(55)["role"]), (&json!(ZOE), &json!("follower")), "the first role wins");
    assert_eq!((&of(38)["identity_id"], &of(38)["role"]), (&json!(ANN), &json!("follower")));
    let zoltan = feed_of(&network, ZOLTAN, "of=all").await;
    assert_eq!(zoltan, [55, 46, 44, 42, 39, 38, 37, 36, 35, 33, 26], "his claim at 28 is to another's wallet");
}

#[tokio::test]
async fn items_say_who_and_what() {
    let network = village().await;
    let items = network.items(&format!("/v1/identity/{ZOE}/feed?of=all")).await;
    let of = |position: i64| items.iter().find(|item| item["position"] == position).expect("an item").clone();
    assert_eq!(
        of(45),
        json!({
            "position": 45, "kind": "governance.voted", "chain": "chert", "height": 8, "tx_id": "tx-45",
            "occurred_at": "2026-01-18T21:08:00.000000Z", "identity_id": ZOE, "display_name": "Zoë", "role": "voter",
            "proposal_id": "7", "title": "Streets & \"lamps\"", "vote_choice": "against",
        })
    );
    let delegated = of(46);
    assert_eq!((&delegated["role"], &delegated["amount"]), (&json!("delegator"), &json!("32")));
    assert_eq!(
        (&delegated["other_identity_id"], &delegated["other_display_name"]),
        (&json!(ANN), &json!("Ann")),
        "{delegated}"
    );
    assert_eq!((&of(44)["proposal_id"], &of(44)["role"]), (&json!("7"), &json!("proposer")));
    assert_eq!((&of(35)["wallet_address"], &of(35)["other_identity_id"]), (&json!("ann"), &Value::Null));
    let work = of(42);
    assert_eq!((&work["submission_id"], &work["work_type"]), (&json!("sub-42"), &json!("boinc")));
    assert_eq!((&work["score"], &work["wallet_address"]), (&json!("1.500000042"), &json!("ann")));
    assert_eq!((&work["role"], &work["identity_id"]), (&json!("miner"), &json!(ANN)));
    assert!(items.iter().all(|item| item["chain"] == "chert"), "on hub somebody else registered Ann");
    let queen = network.items(&format!("/v1/identity/{ZOE}/feed?at_position=20")).await;
    assert_eq!(pick(&queen, "display_name"), [json!("Queen"), json!("Queen"), json!("Queen")]);
}

#[tokio::test]
async fn a_feed_of_some_kinds_and_its_pages() {
    let network = village().await;
    assert_eq!(feed_of(&network, ANN, "kind=social.followed").await, [55, 39, 38, 37]);
    assert_eq!(feed_of(&network, ANN, "kind=social.unfollowed").await, [0; 0], "that is Zoe's to show");
    assert_eq!(feed_of(&network, ZOE, "kind=social.unfollowed,%20governance.voted").await, [52, 45]);
    assert_eq!(feed_of(&network, ANN, "kind=work.submitted").await, [42]);
    assert_eq!(feed_of(&network, ZOE, "of=all&kind=identity.registered,work.submitted").await, [42, 33, 12]);
    let whole = network.items(&format!("/v1/identity/{ZOE}/feed?of=all")).await;
    for limit in [1, 2, 5, 13] {
        let paged = network.all(&format!("/v1/identity/{ZOE}/feed?of=all"), limit, "/position").await;
        assert_eq!(paged, whole, "by {limit}");
    }
    let feed = format!("/v1/identity/{ANN}/feed");
    for bad in ["chain.block_applied", "social.liked", "", ",", "social.followed,", "%F0%9F%92%A9", "%27%3B--", "13"] {
        network.refused(&format!("{feed}?kind={bad}"), "kind").await;
    }
    for bad in ["", "Own", "friends", "own,following", "%E2%80%AEnwo"] {
        network.refused(&format!("{feed}?of={bad}"), "of").await;
    }
    network.refused(&format!("{feed}?cursor=e30"), "cursor").await;
    network.refused(&format!("{feed}?count=exact"), "count").await;
}

#[tokio::test]
async fn work_of_who_hides_it_is_in_no_feed_not_even_of_the_past() {
    let network = village().await;
    let as_of = "of=all&at_position=53&kind=work.submitted";
    assert_eq!(feed_of(&network, ANN, as_of).await, [42]);
    assert_eq!(feed_of(&network, ZOLTAN, "of=own&kind=work.submitted").await, [0; 0], "Zoltan is private");
    let answer = network.ask(&format!("/v1/identity/{ANN}/feed?at_position=12")).await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    let answer = network.ask(&format!("/v1/identity/{ZOE}/feed?at_position=14")).await;
    assert_eq!(answer.headers["cache-control"], "no-cache", "never immutable: it depends on visibility");

    network
        .run(
            "update views.identities set stats_visibility = case display_name when 'Ann' then 'friends_only' else 'public' end
            where display_name in ('Ann', 'Zoltan 100%')",
        )
        .await;
    network.advance(62).await;
    assert_eq!(feed_of(&network, ANN, as_of).await, [0; 0]);
    assert_eq!(feed_of(&network, ANN, "").await, [55, 46, 44, 39, 38, 37, 35, 33], "the rest are public facts");
    assert_eq!(feed_of(&network, ZOE, "of=following&kind=work.submitted").await, [0; 0]);
    assert_eq!(feed_of(&network, ZOLTAN, "of=own&kind=work.submitted").await, [53]);
    assert_eq!(feed_of(&network, ZOLTAN, "of=own&kind=work.submitted&at_position=50").await, [0; 0]);
}

#[tokio::test]
async fn a_feed_ends_early_rather_than_reading_on_for_ever_and_its_cursor_goes_on() {
    let network = village().await;
    // Bea is called names four thousand times; none of it counts, and what she did before must still be found.
    network
        .run(
            "insert into log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, occurred_at,
                recorded_at, digest)
            select 100 + n, 1, 12, '\\x1c', 'tx', 0, n, 9, '{}', '2026-01-18T22:00:00Z', clock_timestamp(), '\\x00'
            from generate_series(1, 4000) n;
            insert into log.event_subjects (subject_id, position, role) select 21, 100 + n, 5 from generate_series(1, 4000) n;
            insert into views.findings_versions (source_id, event_position, code, height, tx_id, subject, detail, occurred_at, counts,
                from_position, present)
            select 1, 100 + n, 'not-controller', 12, 'tx', repeat('d4', 32), 'No.', '2026-01-18T22:00:00Z', false, 5000, true
            from generate_series(1, 4000) n where n <> 2500",
        )
        .await;
    network.advance(5_000).await;
    let path = format!("/v1/identity/{BEA}/feed");
    let first = network.get(&path).await;
    assert_eq!(first["items"], json!([]), "the newest thousand count nothing");
    assert!(first["next_cursor"].is_string(), "but there is more");
    assert_eq!(positions(&network.all(&path, 50, "/position").await), [2600, 34]);
    assert_eq!(positions(&network.all(&format!("{path}?kind=identity.registered"), 50, "/position").await), [34]);
}

#[tokio::test]
async fn a_feed_is_of_the_five_hundred_followed_last() {
    let network = village().await;
    network
        .run(
            "insert into log.subjects (subject_id, namespace, subject)
            select 1000 + n, 2, encode(sha256(n::text::bytea), 'hex') from generate_series(1, 501) n;
            insert into log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, occurred_at,
                recorded_at, digest)
            select 1000 + n, 1, 12, '\\x1c', 'tx', 0, n, 8, '{}', '2026-01-18T22:00:00Z', clock_timestamp(), '\\x00'
            from generate_series(1, 501) n;
            insert into log.event_subjects (subject_id, position, role) select 1000 + n, 1000 + n, 5 from generate_series(1, 501) n;
            insert into views.social_connections_versions (follower_id, following_id, source_id, created_at, claim_position,
                from_position, present)
            select decode(repeat('d4', 32), 'hex'), sha256(n::text::bytea), 1, '2026-01-18T22:00:00Z', 2000 + n, 3000, true
            from generate_series(1, 501) n;
            set search_path = views, log, public;
            select log.publish('social_connections', 61)",
        )
        .await;
    network.advance(3_000).await;
    for query in ["of=following", "of=following&kind=identity.registered", "of=following&at_position=3000"] {
        let feed = network.all(&format!("/v1/identity/{BEA}/feed?{query}"), 100, "/position").await;
        assert_eq!(positions(&feed), (1_002..=1_501).rev().collect::<Vec<_>>(), "{query}");
    }
}
