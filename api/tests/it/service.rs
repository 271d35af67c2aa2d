//! Status, coverage, readiness, metrics, documentation, and what surrounds every answer.

use http::Request;
use sqlx::{Connection, PgConnection};

use crate::database::{fresh_database, run};
use crate::fixture::Server;
use crate::network::Network;

#[tokio::test]
async fn status_says_where_everything_stands() {
    let server = Server::with_history().await;
    let reply = server.expect("/v1/status", 200).await;
    let status = reply.json();
    assert_eq!((&status["position"], &status["log_position"]), (&19.into(), &21.into()));
    let source = &status["sources"][0];
    assert_eq!(
        (&source["name"], &source["kind"], &source["state"]),
        (&"main".into(), &"scripted".into(), &"following".into())
    );
    assert_eq!((&source["tip"], &source["head"], &source["finalized"]), (&8.into(), &6.into(), &2.into()));
    assert_eq!(source["lag_blocks"], 2);
    assert_eq!(status["views"].as_array().expect("views").len(), 8);
    assert_eq!(reply.header("x-position"), "19");
    assert_eq!(reply.header("cache-control"), "no-store");
}

#[tokio::test]
async fn coverage_shows_that_nothing_is_missing() {
    let server = Server::with_history().await;
    let coverage = &server.expect("/v1/coverage", 200).await.json()["items"][0];
    assert_eq!(coverage["ranges"], serde_json::json!([{"from_height": 0, "to_height": 6}]));
    assert_eq!((&coverage["gaps"], &coverage["blocks"]), (&serde_json::json!([]), &7.into()));
    assert_eq!((&coverage["links_verified"], &coverage["hashes_verified"]), (&6.into(), &7.into()));
    assert_eq!(
        coverage["retractions"],
        serde_json::json!([{"at_position": 13, "first_position": 9, "fork_height": 3}])
    );
    let before = &server.expect("/v1/coverage?at_position=12", 200).await.json()["items"][0];
    assert_eq!((&before["retractions_total"], &before["ranges"][0]["to_height"]), (&0.into(), &5.into()));
    let mut db = PgConnection::connect(&server.url).await.expect("the database answers");
    run(&mut db, "update views.heads_versions set links_verified = 0".to_owned()).await;
    let counted = &server.expect("/v1/coverage?at_position=17", 200).await.json()["items"][0];
    assert_eq!(
        counted["ranges"],
        serde_json::json!([{"from_height": 0, "to_height": 5}]),
        "counted from the log itself"
    );
}

#[tokio::test]
async fn readiness_turns_red_when_a_node_is_ahead_and_we_stand_still() {
    let server = Server::with_history().await;
    assert_eq!(server.expect("/health/ready", 200).await.json()["ready"], true);
    let mut db = PgConnection::connect(&server.url).await.expect("the database answers");
    run(
        &mut db,
        "update log.source_state set progress_at = clock_timestamp() - interval '2 minutes', \
                    ahead_since = clock_timestamp() - interval '2 minutes'"
            .to_owned(),
    )
    .await;
    let red = server.until("/health/ready", |reply| reply.status == 503).await.json();
    assert_eq!(red["reasons"][0]["source"], "main");
    let (empty, state) = Server::over(&fresh_database().await).await;
    state.watch().wait_for(|fresh| fresh.database_up).await.expect("the poller runs");
    let reason = empty.expect("/health/ready", 503).await.json()["reasons"][0]["reason"].to_string();
    assert!(reason.contains("no source"), "{reason}");
    for uri in ["/v1/events", "/v1/chains", "/v1/coverage", "/v1/status"] {
        assert_eq!(empty.expect(uri, 200).await.header("x-position"), "0", "{uri}");
    }
}

#[tokio::test]
async fn a_source_that_nobody_follows_is_neither_the_default_nor_waited_for() {
    let network = Network::start().await;
    assert_eq!(network.items("/v1/explorer/blocks?limit=1").await[0]["chain"], "chert");
    assert_eq!(network.ask("/v1/chains?at_position=20").await.headers["cache-control"], "no-cache", "hub is not final");
    network.run("update log.source_state set configured_order = null where source_id = 2").await;
    network.until("/v1/chains?at_position=4", |answer| answer.headers["cache-control"] != "no-cache").await;
    network.run("update log.source_state set configured_order = 3 - source_id, tip_seen_at = clock_timestamp() - interval '1 day'").await;
    network.until("/v1/explorer/blocks?limit=1", |answer| answer.body["items"][0]["chain"] == "hub").await;
    network.until("/health/ready", |answer| answer.body["reasons"].as_array().is_some_and(|all| all.len() == 2)).await;
    network.run("update log.source_state set configured_order = null, last_error = 'no' where source_id = 1").await;
    let red =
        network.until("/health/ready", |answer| answer.body["reasons"].as_array().is_some_and(|all| all.len() == 1));
    let red = red.await.body;
    assert_eq!(
        (&red["reasons"][0]["source"], &red["status"]["sources"][0]["configured"]),
        (&"hub".into(), &false.into())
    );
    network.run("insert into log.sources values (3, 'far', 'martian', null, false, false, 0, '', 0)").await;
    network.run("update log.source_state set tip_seen_at = clock_timestamp()").await;
    network.until("/health/ready", |answer| answer.status == 200).await;
    assert_eq!(network.get("/v1/status").await["sources"].as_array().expect("sources").len(), 2);
    assert_eq!(network.items("/v1/chains").await.len(), 2, "nothing of the third is in the log");
    assert_eq!(network.items("/v1/chains?at_position=14").await.len(), 1, "the second came later");
    assert_eq!(network.items("/v1/coverage?at_position=14").await.len(), 1, "the second came later");
}

#[tokio::test]
async fn metrics_have_units_and_quantiles_by_route() {
    let server = Server::with_history().await;
    server.expect("/v1/events/3", 200).await;
    server.expect("/v1/events/3", 200).await;
    server.expect("/v1/events/x", 400).await;
    let text = server.expect("/metrics", 200).await.text;
    for line in [
        "# HELP chert_api_request_seconds",
        "chert_api_request_seconds{route=\"/v1/events/{position}\",quantile=\"0.95\"}",
        "chert_api_errors_total{route=\"/v1/events/{position}\",status=\"400\"}",
        "chert_api_lag_blocks{source=\"main\"} 2",
        "chert_api_lag_seconds{source=\"main\"}",
        "chert_api_cache_hit_ratio",
        "chert_api_statement_seconds{quantile=\"0.99\"}",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn other_origins_may_read_everything() {
    let server = Server::with_history().await;
    let preflight = Request::options("/v1/events")
        .header("origin", "https://wallet.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "if-none-match")
        .body("".into());
    let reply = server.send(preflight.expect("a request")).await;
    assert_eq!(reply.header("access-control-max-age"), "86400");
    assert_eq!(reply.header("access-control-allow-origin"), "*");
    for uri in ["/v1/events?limit=1", "/v1/events?limit=0", "/nothing"] {
        let reply = server.get_with(uri, &[("origin", "https://wallet.example"), ("x-request-id", "abc-1")]).await;
        assert_eq!(reply.header("access-control-allow-origin"), "*", "{uri}");
        assert!(reply.header("access-control-expose-headers").contains("x-position"), "{uri}");
        assert_eq!(reply.header("x-request-id"), "abc-1");
    }
    let made = [server.get("/health").await, server.get("/health").await];
    let [first, second] = made.each_ref().map(|reply| reply.header("x-request-id"));
    assert!(first.len() == 32 && second.len() == 32 && first != second, "{first} {second}");
}

#[tokio::test]
async fn the_documentation_is_served_from_here() {
    let server = Server::with_history().await;
    let openapi = server.expect("/openapi.json", 200).await.json();
    assert!(openapi["paths"]["/v1/events"]["get"]["responses"]["200"]["headers"]["x-position"].is_object());
    let page = server.expect("/docs/", 200).await.text;
    assert!(page.contains("swagger-ui") && !page.contains("https://"), "{page}");
    let packed = server.get_with("/openapi.json", &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-encoding"), "gzip");
}
