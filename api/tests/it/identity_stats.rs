//! The statistics of an identity in one answer, over the hand-written network and `social.sql`.

use serde_json::json;

use crate::network::{ZOE, ZOLTAN};
use crate::social::{ANN, village};

#[tokio::test]
async fn the_statistics_of_an_identity_are_all_of_one_moment() {
    let network = village().await;
    for (identity, at) in [(ANN, 61), (ANN, 57), (ANN, 40), (ZOE, 61), (ZOE, 53)] {
        for explain in ["", "&explain=true"] {
            let read = async |path: &str| network.get(&format!("{path}?at_position={at}{explain}")).await;
            let stats = read(&format!("/v1/identity/{identity}/stats")).await;
            assert_eq!(stats["pouw"], read(&format!("/v1/pouw/stats/{identity}")).await, "{identity} at {at}");
            assert_eq!(
                stats["governance"],
                read(&format!("/v1/governance/stats/{identity}")).await,
                "{identity} at {at}"
            );
            assert_eq!((&stats["identity_id"], &stats["stats_visibility"]), (&json!(identity), &json!("public")));
            assert_eq!(stats["pouw"].get("provenance").is_some(), !explain.is_empty());
        }
    }
    let now = network.get(&format!("/v1/identity/{ANN}/stats")).await;
    assert_eq!(now["social"], json!({"followers": 2, "following": 1}));
    assert_eq!((&now["pouw"]["accepted"], &now["pouw"]["rejected"]), (&json!(1), &json!(1)));
    let then = network.get(&format!("/v1/identity/{ANN}/stats?at_position=57")).await;
    assert_eq!((&then["pouw"]["accepted"], &then["pouw"]["rejected"]), (&json!(2), &json!(0)));
    let zoe = network.get(&format!("/v1/identity/{ZOE}/stats?at_position=53")).await;
    assert_eq!(
        (&zoe["social"], &zoe["governance"]["votes_cast"]),
        (&json!({"followers": 1, "following": 0}), &json!(1))
    );
    let hub = network.get(&format!("/v1/identity/{ANN}/stats?chain=hub")).await;
    assert_eq!(hub["governance"]["chain"], "hub");
}

#[tokio::test]
async fn a_source_that_stands_still_makes_only_what_is_of_now_incomplete() {
    let network = village().await;
    let path = format!("/v1/identity/{ANN}/stats");
    let pinned = format!("{path}?at_position=61");
    assert_eq!(network.get(&pinned).await["pouw"]["complete"], true);
    network.run("update log.source_state set state = 'stalled' where source_id = 1").await;
    network.until(&path, |answer| answer.body["pouw"]["complete"] == false).await;
    assert_eq!(network.get(&pinned).await["pouw"]["complete"], true, "what is asked about a position stays so");
}

#[tokio::test]
async fn statistics_are_for_everybody_or_for_nobody() {
    let network = village().await;
    let asked = async |identity: &str, query: &str| {
        let answer = network.ask(&format!("/v1/identity/{identity}/stats{query}")).await;
        (answer.status.as_u16(), answer.body["type"].as_str().unwrap_or_default().to_owned())
    };
    let hidden = (403, "/problems/stats-not-public".to_owned());
    let missing = (404, "/problems/not-found".to_owned());
    assert_eq!(asked(ANN, "").await.0, 200);
    assert_eq!(asked(ZOLTAN, "").await, hidden);
    assert_eq!(asked(ZOLTAN, "?at_position=31&explain=true").await, hidden);
    assert_eq!(asked(&"0".repeat(64), "").await, missing);
    assert_eq!(asked(ANN, "?at_position=31").await, missing);
    network.refused("/v1/identity/xy/stats", "identity_id").await;
    network.refused(&format!("/v1/identity/{ANN}/stats?limit=1"), "limit").await;
    network
        .run("update views.identities set stats_visibility = case display_name when 'Ann' then 'private' else 'public' end")
        .await;
    network.advance(62).await;
    assert_eq!(asked(ANN, "").await, hidden);
    assert_eq!(asked(ANN, "?at_position=57").await, hidden, "also of the past, and although it was asked before");
    assert_eq!(asked(ZOLTAN, "?at_position=31").await.0, 200);
}
