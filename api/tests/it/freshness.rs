//! How fresh answers say they are, and what happens when they are not fresh enough.

use api::page::Cursor;
use sqlx::{Connection, PgConnection};

use crate::database::{fresh_database, run};
use crate::fixture::{Server, block_hash};
use crate::social::{ANN, village};

#[tokio::test]
async fn an_answer_says_where_it_is_true() {
    let server = Server::with_history().await;
    let reply = server.expect("/v1/events?limit=1", 200).await;
    assert_eq!(reply.header("x-position"), "19");
    assert_eq!(reply.header("x-indexed-height"), "6");
    assert_eq!(reply.header("x-indexed-block"), block_hash(1, 6));
    assert_eq!(reply.header("x-finalized-height"), "2");
    assert!(reply.header("x-lag-seconds").parse::<i64>().expect("seconds") > 0, "the node is two blocks ahead");
}

#[tokio::test]
async fn a_height_means_the_end_of_the_block_that_stands_there() {
    let server = Server::with_history().await;
    for (question, position, height, branch) in [
        ("at_height=4", "15", "4", 1),
        ("at_height=3", "8", "3", 0),
        ("at_position=12", "12", "5", 0),
        ("at_position=11", "10", "4", 0),
        ("at_height=6&chain=main", "19", "6", 1),
    ] {
        let reply = server.expect(&format!("/v1/events?limit=1&{question}"), 200).await;
        assert_eq!(reply.header("x-position"), position, "{question}");
        assert_eq!(reply.header("x-indexed-height"), height, "{question}");
        assert_eq!(
            reply.header("x-indexed-block"),
            block_hash(branch, height.parse().expect("a height")),
            "{question}"
        );
    }
    let supply = &server.expect("/v1/chains?at_height=0", 200).await.json()["items"][0];
    assert_eq!(supply["supply"]["allocated"], "340282366920938463463374607431768211455");
    assert_eq!(supply["genesis_hash"], block_hash(0, 0));
}

#[tokio::test]
async fn not_indexed_yet_is_never_not_found() {
    let server = Server::with_history().await;
    let waiting = server.expect("/v1/events?at_height=7", 503).await.json();
    assert_eq!(waiting["type"], "/problems/not-indexed-yet");
    assert_eq!((&waiting["indexed_height"], &waiting["tip_height"]), (&6.into(), &8.into()));
    let beyond = server.expect("/v1/events?at_height=9", 404).await.json();
    assert_eq!(beyond["type"], "/problems/beyond-tip");
    assert_eq!(beyond["tip_height"], 8);
    server.expect("/v1/events?at_position=21", 503).await;
    server.expect("/v1/events?at_position=22", 404).await;
}

#[tokio::test]
async fn pruned_answers_are_gone() {
    let server = Server::with_history().await;
    let mut db = PgConnection::connect(&server.url).await.expect("the database answers");
    run(&mut db, "update views.watermark set horizon = 10".to_owned()).await;
    let gone = server.until("/v1/events?limit=1&at_height=2", |reply| reply.status == 410).await;
    assert_eq!(gone.json()["horizon"], 10);
    server.expect("/v1/events?limit=1&at_height=4", 200).await;
}

#[tokio::test]
async fn who_wants_a_newer_answer_waits_for_it_or_is_told_where_we_are() {
    let server = Server::with_history().await;
    server.expect("/v1/events?limit=1&min_height=6&min_position=19", 200).await;
    let early = server.expect("/v1/events?limit=1&min_height=7", 412).await.json();
    assert_eq!((&early["position"], &early["indexed_height"]), (&19.into(), &6.into()));
    assert_eq!(early["type"], "/problems/not-reached");
    server.expect("/v1/status?min_position=20", 412).await;
    let url = server.url.clone();
    let moving = async {
        let mut db = PgConnection::connect(&url).await.expect("the database answers");
        let sql = "update views.watermark w set position = u.end_position, chain_hash = u.chain_hash \
                   from log.log_units u where u.end_position = 21";
        run(&mut db, sql.to_owned()).await;
    };
    let (reply, ()) = tokio::join!(server.expect("/v1/events?limit=1&min_position=20", 200), moving);
    assert_eq!(reply.header("x-position"), "21");
}

#[tokio::test]
async fn unchanged_answers_are_not_sent_again() {
    let server = Server::with_history().await;
    let first = server.expect("/v1/chains", 200).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with("\"19-"), "{tag}");
    assert_eq!(first.header("cache-control"), "no-cache");
    let again = server.get_with("/v1/chains", &[("if-none-match", &tag)]).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    assert_eq!(again.header("etag"), tag);
    assert_eq!(again.header("x-position"), "19");
    assert_eq!(server.get_with("/v1/chains", &[("if-match", &tag)]).await.status, 200);
    let other = server.get_with("/v1/chains", &[("if-match", "\"x\"")]).await;
    assert_eq!((other.status.as_u16(), other.json()["type"].as_str()), (412, Some("/problems/changed")));
    let rewritten = tag.replacen(&tag[4..20], "0000000000000000", 1);
    let other = server.get_with("/v1/chains", &[("if-match", &rewritten)]).await;
    assert_eq!(other.json()["type"], "/problems/log-rewritten");
    assert_eq!(other.json()["last_common_position"], 17);
    let many: Vec<_> = (0..40).map(|n| format!("\"19-000000000000000{:x}-{n:016x}\"", n % 16)).collect();
    let one_fits = format!("{}, {tag}", many.join(", "));
    assert_eq!(server.get_with("/v1/chains", &[("if-match", &one_fits)]).await.status, 200, "any of them will do");
    let old = server.expect("/v1/chains?at_height=1", 200).await;
    assert_eq!(old.header("cache-control"), "public, max-age=31536000, immutable");
    let unfinal = server.expect("/v1/chains?at_height=5", 200).await;
    assert_eq!(unfinal.header("cache-control"), "no-cache");
}

#[tokio::test]
async fn a_cursor_of_another_history_is_told_so() {
    let server = Server::with_history().await;
    let text = server.expect("/v1/events?limit=1", 200).await.json()["next_cursor"].as_str().expect("more").to_owned();
    let cursor = Cursor { chain_hash: [9; 8], ..Cursor::decode(&text).expect("ours") };
    let lost = server.expect(&format!("/v1/events?limit=1&cursor={}", cursor.encode()), 412).await.json();
    assert_eq!((&lost["type"], &lost["last_common_position"]), (&"/problems/log-rewritten".into(), &17.into()));
}

#[tokio::test]
async fn a_view_that_was_set_aside_answers_at_its_last_good_position() {
    let server = Server::with_history().await;
    let mut db = PgConnection::connect(&server.url).await.expect("the database answers");
    let sql = "update views.view_state set state = 'set_aside', position = 15, changed_position = 15, error = 'sums differ', \
               changed_hash = (select chain_hash from log.log_units where end_position = 15) where view = 'balances'";
    run(&mut db, sql.to_owned()).await;
    let reply = server.until("/v1/chains", |reply| reply.header("x-position") == "15").await;
    assert_eq!((reply.header("x-indexed-height"), reply.header("x-indexed-block")), ("4", block_hash(1, 4).as_str()));
    server.expect("/v1/chains?min_position=19", 412).await;
    server.expect("/v1/chains?at_height=6", 503).await;
    assert_eq!(server.expect("/v1/events?limit=1", 200).await.header("x-position"), "19");
    let status = server.expect("/v1/status", 200).await.json();
    let balances = status["views"].as_array().expect("views").iter().find(|view| view["name"] == "balances");
    assert_eq!(balances.expect("it is there")["state"], "set_aside");
    let ready = server.expect("/health/ready", 200).await.json();
    assert_eq!(ready["set_aside"], serde_json::json!(["balances"]));
    let metrics = server.expect("/metrics", 200).await.text;
    assert!(metrics.contains("chert_api_view_set_aside{view=\"balances\"} 1"), "{metrics}");
    // The refusal was of that moment: nobody remembers what it was made of.
    run(&mut db, "update views.view_state set state = 'live', position = 19 where view = 'balances'".to_owned()).await;
    server.until("/v1/chains?at_height=6", |reply| reply.status == 200).await;
}

#[tokio::test]
async fn rebuilt_views_void_what_was_remembered_of_the_former() {
    let server = Server::with_history().await;
    let mut db = PgConnection::connect(&server.url).await.expect("the database answers");
    let burned = async |uri: &str| server.expect(uri, 200).await.json()["items"][0]["supply"]["burned"].clone();
    for uri in ["/v1/chains", "/v1/chains?at_height=1"] {
        assert_eq!(burned(uri).await, "1", "{uri}");
    }
    run(&mut db, "update views.supply_versions set burned = 7".to_owned()).await;
    assert_eq!(burned("/v1/chains?at_height=1").await, "1", "remembered");
    run(&mut db, "update views.watermark set generation = generation + 1".to_owned()).await;
    for uri in ["/v1/chains", "/v1/chains?at_height=1"] {
        server.until(uri, |reply| reply.json()["items"][0]["supply"]["burned"] == "7").await;
    }
}

#[tokio::test]
async fn without_a_database_reads_are_refused_and_recover_by_themselves() {
    let (server, _) = Server::over("postgres://nobody@127.0.0.1:9/none").await;
    for uri in ["/v1/events", "/v1/status", "/v1/chains"] {
        let away = server.expect(uri, 503).await;
        assert_eq!(away.json()["type"], "/problems/database-unavailable", "{uri}");
    }
    assert_eq!(server.expect("/health/ready", 503).await.json()["ready"], false);
    server.expect("/health", 200).await;

    let url = fresh_database().await;
    let (server, state) = Server::over(&url).await;
    state.watch().wait_for(|fresh| fresh.database_up).await.expect("the poller runs");
    server.expect("/v1/events", 200).await;
    let mut db = PgConnection::connect(&url).await.expect("the database answers");
    let sql = "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    run(&mut db, sql.to_owned()).await;
    // It recovers without a restart.
    server.until("/v1/events", |reply| reply.status == 200).await;
}

#[tokio::test]
async fn a_cursor_and_a_moment_are_one_question_only_when_they_mean_the_same() {
    let network = village().await;
    let lists = [
        "/v1/events".to_owned(),
        "/v1/findings".to_owned(),
        "/v1/explorer/blocks".to_owned(),
        "/v1/explorer/transactions".to_owned(),
        format!("/v1/identity/{ANN}/followers"),
        format!("/v1/identity/{ANN}/feed"),
        format!("/v1/identity/{ANN}/changes"),
    ];
    let head = network.ask("/v1/explorer/blocks?limit=1").await.body["items"][0]["height"].as_i64().expect("a height");
    for list in lists {
        for moment in [String::new(), format!("&at_height={head}"), "&at_position=60".to_owned()] {
            let first = network.ask(&format!("{list}?limit=1{moment}")).await;
            let position = first.headers["x-position"].to_str().expect("digits").to_owned();
            let Some(cursor) = first.body["next_cursor"].as_str() else {
                assert!(moment.contains("height"), "only that far back is there but one page: {list}{moment}");
                continue;
            };
            let next = format!("{list}?limit=1&cursor={cursor}");
            let plain = network.get(&next).await;
            for same in [moment.as_str(), &format!("&at_position={position}")] {
                let again = network.ask(&format!("{next}{same}")).await;
                assert_eq!(
                    (&again.body, &again.headers["x-position"]),
                    (&plain, &first.headers["x-position"]),
                    "{same}"
                );
            }
            for other in ["at_position=30", "at_height=5", "at_position=0"] {
                network.refused(&format!("{next}&{other}"), "cursor").await;
            }
        }
    }
}
