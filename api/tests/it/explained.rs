//! The events behind answers: whose word explains what, and what else such an answer depends on, over the hand-written
//! network and `social.sql`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::network::{Network, ZOE};
use crate::social::{ANN, village};

/// The positions of the events behind an answer, which must be all that there are.
async fn explained(network: &Network, path: &str) -> Vec<i64> {
    let join = if path.contains('?') { '&' } else { '?' };
    let answer = network.get(&format!("{path}{join}explain=true")).await;
    let provenance = &answer["provenance"];
    let events = provenance["events"].as_array().unwrap_or_else(|| panic!("{path}: {answer}"));
    assert_eq!((&provenance["count"], &provenance["count_exact"]), (&json!(events.len()), &json!(true)), "{path}");
    events.iter().map(|event| event["position"].as_i64().expect("a position")).collect()
}

/// The village, in which whoever registered Ann's id at the hub too updates it, links a wallet, votes and delegates there
/// (62-65); from 66 on that registration is recognised.
async fn with_a_namesake() -> Network {
    let network = village().await;
    network
        .run(&format!(
            "set search_path = views, log, public;
            insert into log.log_units (end_position, first_position, source_id, height, block_hash, occurred_at, chain_hash)
            values (65, 62, 2, 2, '\\x22', '2026-01-18T21:30:00Z', sha256('65'));
            insert into log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, occurred_at,
                recorded_at, digest)
            select n, 2, 2, '\\x22', 'tx-' || n, 0, n - 62, kind, '{{}}', '2026-01-18T21:30:00Z', clock_timestamp(), '\\x00'
            from (values (62, 9), (63, 11), (64, 18), (65, 22)) e (n, kind);
            insert into log.event_subjects (subject_id, position, role)
            values (20, 62, 5), (20, 63, 5), (7, 63, 6), (20, 64, 13), (20, 65, 14), (6, 65, 15);
            insert into votes (source_id, position, proposal_id, voter_identity, vote_choice, claimed_power, vote_power, counts, cast_at)
            values (2, 64, 1, '\\x{ANN}', 'for', 9, 5, true, '2026-01-18T21:30:00Z');
            insert into contested_identities_versions (event_position, from_position, present) values (61, 66, false);
            select log.publish('contested_identities', 61)"
        ))
        .await;
    network.advance(65).await;
    network.advance(66).await;
    network
}

#[tokio::test]
async fn what_a_namesake_elsewhere_did_explains_no_identity() {
    let network = with_a_namesake().await;
    let of = async |at: i64| explained(&network, &format!("/v1/identity/{ANN}?at_position={at}")).await;
    let hers = [55, 52, 39, 38, 37, 35, 33];
    assert_eq!(of(60).await, hers, "follows, link, registration");
    assert_eq!(of(61).await, hers, "the registration");
    assert_eq!(of(65).await, hers, "the update and the link");
    // Recognised, what it says counts; but her profile is what the other chain says.
    assert_eq!(of(66).await, [&[63], &hers[..]].concat());
}

#[tokio::test]
async fn an_answer_about_one_chain_is_explained_by_that_chain() {
    let network = with_a_namesake().await;
    let of =
        async |route: &str, query: &str| explained(&network, &format!("/v1/governance/{route}/{ANN}?{query}")).await;
    for at in [65, 66] {
        assert_eq!(of("stats", &format!("chain=chert&at_position={at}")).await, [46, 44, 35]);
        assert_eq!(of("power", &format!("chain=chert&at_position={at}")).await, [46, 35]);
    }
    assert_eq!(of("stats", "chain=hub&at_position=65").await, [0; 0], "another's votes");
    assert_eq!(of("power", "chain=hub&at_position=65").await, [0; 0], "another's links and delegations");
    assert_eq!(of("stats", "chain=hub&at_position=66").await, [65, 64, 63]);
    assert_eq!(of("power", "chain=hub&at_position=66").await, [65, 63]);
    let stats = async |at: i64| {
        let path = format!("/v1/governance/stats/{ANN}?chain=hub&explain=true&at_position={at}");
        let stats = network.get(&path).await;
        (stats["votes_cast"].clone(), stats["provenance"]["link"].clone())
    };
    let link = json!(format!("/v1/events?subject=identity:{ANN}&source=hub"));
    assert_eq!(stats(65).await, (json!(0), link.clone()));
    assert_eq!(stats(66).await, (json!(1), link.clone()));
    let listed = network.items(link.as_str().expect("a link")).await;
    assert!(!listed.is_empty() && listed.iter().all(|event| event["source"] == "hub"), "{listed:?}");
}

#[tokio::test]
async fn what_explains_an_answer_may_be_what_stands_still() {
    let network = village().await;
    network
        .run(
            "insert into views.view_state (view, version, position, changed_position, changed_hash, state)
            values ('findings', 1, 57, 57, sha256('57'), 'set_aside')
            on conflict (view) do update set position = 57, changed_position = 57, changed_hash = sha256('57'), state = 'set_aside'",
        )
        .await;
    let paths = [
        format!("/v1/identity/{ANN}"),
        format!("/v1/identity/{ANN}/stats"),
        format!("/v1/governance/stats/{ANN}"),
        format!("/v1/governance/power/{ANN}"),
        "/v1/governance/proposals/7".to_owned(),
        "/v1/identity/by-wallet/ann".to_owned(),
        "/v1/explorer/address/alice".to_owned(),
        "/v1/explorer/address/alice/balance".to_owned(),
        "/v1/explorer/block/3".to_owned(),
        "/v1/explorer/tx/00000000-0000-4000-8000-000000000004".to_owned(),
    ];
    for path in paths {
        let read_at = |answer: &crate::network::Answer, position: &str| {
            assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
            answer.headers["x-position"] == position
        };
        let path_explained = format!("{path}?explain=true");
        network.until(&path_explained, |answer| read_at(answer, "57")).await;
        let plain = network.ask(&path).await;
        assert!(read_at(&plain, "61"), "{path} has nothing to do with findings");
    }
}

#[tokio::test]
async fn a_finding_that_falls_away_ends_the_answer_that_left_its_event_out() {
    let network = village().await;
    network
        .run(
            "insert into views.view_state (view, version, position, changed_position, changed_hash, state)
            select view, 1, 61, 61, sha256('61'), 'live' from unnest(array['identities', 'wallets', 'social', 'findings']) view
            on conflict do nothing",
        )
        .await;
    network.advance(62).await;
    let path = format!("/v1/identity/{ANN}");
    let hers = [55, 52, 39, 38, 37, 35, 33];
    assert_eq!(explained(&network, &path).await, hers, "the stranger's update is a finding that counts nothing");
    network
        .run(
            "insert into views.findings_versions (source_id, event_position, code, from_position, present)
            values (1, 57, 'not-controller', 63, false);
            insert into log.log_units (end_position, first_position, source_id, occurred_at, chain_hash)
            values (63, 63, 1, '2026-01-18T21:30:00Z', sha256('63'));
            update log.log_head set position = 63, chain_hash = sha256('63');
            update views.watermark set position = 63, chain_hash = sha256('63');
            update views.view_state set position = 63;
            update views.view_state set changed_position = 63, changed_hash = sha256('63') where view = 'findings'",
        )
        .await;
    network.seen(63).await;
    assert_eq!(explained(&network, &path).await, [&[57], &hers[..]].concat());
    let then: Value = network.get(&format!("{path}?explain=true&at_position=62")).await;
    assert_eq!(then["provenance"]["count"], 7, "as of then it was a finding");
}

#[tokio::test]
async fn who_follows_again_or_in_another_s_name_explains_no_number_of_followers() {
    let network = village().await;
    let path = format!("/v1/identity/{ANN}");
    assert_eq!(explained(&network, &path).await, [55, 52, 39, 38, 37, 35, 33]);
    network
        .run(&format!(
            "set search_path = views, log, public;
            delete from follow_claims_versions where claim_position = 39;
            insert into contested_identities_versions (event_source_id, event_position, identity_id, winner_source_id, detail,
                from_position, present)
            values (1, 12, '\\x{ZOE}', 2, 'somebody else registered it', 62, true);
            select log.publish('contested_identities', 61)"
        ))
        .await;
    network.advance(62).await;
    let explained = async |at: i64| explained(&network, &format!("{path}?at_position={at}")).await;
    assert_eq!(explained(61).await, [55, 52, 38, 37, 35, 33], "39 repeated what was so already");
    let with =
        network.items(&format!("/v1/events?subject=identity:{ZOE}&kind=social.followed,social.unfollowed")).await;
    let hers = with.iter().filter_map(|event| event["position"].as_i64());
    let left = [55, 52, 38, 37, 35, 33].into_iter().filter(|position| !hers.clone().any(|other| other == *position));
    assert_eq!(explained(62).await, left.collect::<Vec<_>>(), "what is left without the namesake's");
}

#[tokio::test]
async fn of_many_followers_the_newest_explain_and_the_count_says_at_least() {
    let network = village().await;
    network
        .run(&format!(
            "insert into log.subjects (subject_id, namespace, subject)
            select 1000 + n, 2, encode(sha256(n::text::bytea), 'hex') from generate_series(1, 1500) n;
            insert into log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, occurred_at,
                recorded_at, digest)
            select 1000 + n, 1, 12, '\\x1c', 'tx', 0, n, 13, '{{}}', '2026-01-18T22:00:00Z', clock_timestamp(), '\\x00'
            from generate_series(1, 1500) n;
            insert into log.event_subjects (subject_id, position, role)
            select part.subject_id, 1000 + n, part.role
            from generate_series(1, 1500) n
            cross join lateral (values (1000 + n, 7), (20, 8)) part (subject_id, role);
            insert into views.follow_claims_versions (source_id, follower_id, following_id, created_at, claim_position,
                from_position, present)
            select 1, sha256(n::text::bytea), '\\x{ANN}', '2026-01-18T22:00:00Z', 1000 + n, 3000, true
            from generate_series(1, 1500) n"
        ))
        .await;
    network.advance(3_000).await;
    let answer = network.get(&format!("/v1/identity/{ANN}?explain=true")).await;
    let provenance = &answer["provenance"];
    assert_eq!((&provenance["count"], &provenance["count_exact"]), (&json!(1_000), &json!(false)));
    let events = provenance["events"].as_array().expect("events");
    let listed: Vec<_> = events.iter().filter_map(|event| event["position"].as_i64()).collect();
    assert_eq!(listed, (2_451..=2_500).rev().collect::<Vec<_>>());
}
