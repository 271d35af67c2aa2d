//! Leaderboards and places over time, over the hand-written network with `pouw.sql` on top.

use http::StatusCode;
use serde_json::{Value, json};

use crate::network::{Network, ZOE, ZOLTAN};

/// The five of the worked example, in the order of their places at position 60.
pub const FIVE: [&str; 5] = ["01", "02", "03", "04", "05"];
/// Whose statistics are private, with a higher score than anybody.
pub const FAY: &str = "06";
/// Whose only wallet is unlinked at position 60.
pub const GUS: &str = "07";

/// The id of a person by its mark in `pouw.sql`.
pub fn id(mark: &str) -> String {
    mark.repeat(32)
}

/// The network with useful work in it, as of position 60.
pub async fn start() -> Network {
    let network = Network::start().await;
    network.run(include_str!("pouw.sql")).await;
    network.advance(60).await;
    network
}

/// Dan turns private at position 70, and is ranked no more.
pub async fn hide_dan(network: &Network) {
    let dan = id("04");
    network
        .run(&format!(
            "set search_path = views, log;
            insert into identities_versions (identity_id, source_id, controller, key_alg, public_key, display_name, stats_visibility,
                created_at, updated_at, claim_position, from_position, present)
            select identity_id, source_id, controller, key_alg, public_key, display_name, 'private', created_at, updated_at,
                claim_position, 70, true
            from identities where identity_id = '\\x{dan}';
            insert into identity_work_versions (identity_id, work_type, ranked, accepted, rejected, score, score_day, score_week,
                score_month, first_at, last_at, from_position, present)
            select identity_id, work_type, false, accepted, rejected, score, score_day, score_week, score_month, first_at, last_at, 70,
                true
            from identity_work where identity_id = '\\x{dan}';
            select log.publish('identities', 60), log.publish('identity_work', 60);"
        ))
        .await;
    network.advance(70).await;
}

fn column(board: &Value, field: &str) -> Vec<Value> {
    board["items"].as_array().expect("items").iter().map(|item| item[field].clone()).collect()
}

fn marks(board: &Value) -> Vec<String> {
    let mark = |id: Value| id.as_str().map_or("-".to_owned(), |id| id[..2].to_owned());
    column(board, "identity_id").into_iter().map(mark).collect()
}

#[tokio::test]
async fn five_ranked_stand_as_in_the_worked_example() {
    let network = start().await;
    let board = network.get("/v1/pouw/leaderboard").await;
    assert_eq!(marks(&board), FIVE);
    assert_eq!(column(&board, "rank"), [1, 2, 3, 4, 5]);
    assert_eq!(column(&board, "percentile"), [80.0, 60.0, 40.0, 20.0, 0.0]);
    assert_eq!(column(&board, "score"), ["9", "7", "7", "3", "1"]);
    assert_eq!(column(&board, "display_name"), ["Ann", "Ben", "Cat", "Dan", "Eve"]);
    let ann = &board["items"][0];
    assert_eq!((&ann["accepted"], &ann["last_contribution"]), (&json!(9), &json!("2026-01-20T09:55:00.000000Z")));
    let boinc = json!({"accepted": 1, "score": "10.5", "unit": "cobblestones"});
    let nuw = json!({"accepted": 8, "score": "8", "unit": "submissions"});
    assert_eq!(ann["parts"], json!({"boinc": boinc, "nuw": nuw}));
    assert_eq!((&ann["miner_address"], &ann["chain"]), (&Value::Null, &Value::Null));
    assert_eq!((&board["type"], &board["timeframe"], &board["by"]), (&json!("all"), &json!("all"), &json!("identity")));
    assert_eq!((&board["unit"], &board["ranked"]), (&json!("submissions"), &json!(5)));
    assert_eq!((&board["window_starts_at"], &board["complete"]), (&Value::Null, &json!(true)));
    assert_eq!(board["clock"], "2026-01-20T10:00:00.000000Z");
    assert_eq!((&board["next_cursor"], board.get("around_rank")), (&Value::Null, None));

    let boinc = network.get("/v1/pouw/leaderboard?type=boinc").await;
    assert_eq!((marks(&boinc), column(&boinc, "score")), (vec!["01".to_owned()], vec![json!("10.5")]));
    assert_eq!((&boinc["unit"], &boinc["items"][0]["parts"]), (&json!("cobblestones"), &Value::Null));
    assert_eq!(marks(&network.get("/v1/pouw/leaderboard?type=ceremony").await), Vec::<String>::new());
}

#[tokio::test]
async fn windows_have_boards_of_their_own() {
    let network = start().await;
    let of = async |timeframe: &str| network.get(&format!("/v1/pouw/leaderboard?timeframe={timeframe}")).await;
    let day = of("day").await;
    assert_eq!(
        (marks(&day), column(&day, "score")),
        (
            vec!["01".to_owned(), "02".to_owned(), "04".to_owned(), "03".to_owned()],
            vec![json!("9"), json!("7"), json!("3"), json!("1")]
        )
    );
    assert_eq!(day["items"][0]["parts"]["boinc"], json!({"accepted": 1, "score": "10.5", "unit": "cobblestones"}));
    assert_eq!(day["window_starts_at"], "2026-01-19T10:00:00.000000Z");
    assert_eq!(of("week").await["window_starts_at"], "2026-01-13T00:00:00.000000Z");
    assert_eq!(of("month").await["window_starts_at"], "2025-12-21T00:00:00.000000Z");
    assert_eq!(marks(&of("month").await), FIVE);
    let earlier = network.get("/v1/pouw/leaderboard?timeframe=day&at_position=50").await;
    assert_eq!(earlier["window_starts_at"], "2026-01-19T09:00:00.000000Z");
    assert_eq!(marks(&earlier), ["02", "03", "07", "04", "01", "05"]);
}

#[tokio::test]
async fn a_board_of_the_past_is_what_it_was() {
    let network = start().await;
    // Gus has lost his rows since, Ann and Eve have others, and Ben and Dan have the same.
    let past = network.get("/v1/pouw/leaderboard?at_position=50").await;
    assert_eq!(marks(&past), ["02", "03", GUS, "04", "01", "05"]);
    assert_eq!(column(&past, "score"), ["7", "6", "5", "3", "2", "2"]);
    assert_eq!(past["items"][4]["percentile"], 16.6667);
    assert_eq!(past["clock"], "2026-01-20T09:50:00.000000Z");
    let before = network.get("/v1/pouw/leaderboard?at_position=31").await;
    assert_eq!((column(&before, "rank"), &before["ranked"], &before["clock"]), (vec![], &json!(0), &Value::Null));
    // Inside a unit the unit before it counts.
    assert_eq!(network.get("/v1/pouw/leaderboard?at_position=59").await, past);
}

#[tokio::test]
async fn whoever_turns_private_leaves_a_gap_in_the_boards_of_before() {
    let network = start().await;
    let before = network.get("/v1/pouw/leaderboard?at_position=60").await;
    assert_eq!(marks(&before), FIVE);
    let first = network.get("/v1/pouw/leaderboard?limit=2").await;
    hide_dan(&network).await;

    let gap = network.get("/v1/pouw/leaderboard?at_position=60").await;
    assert_eq!((column(&gap, "rank"), &gap["ranked"]), (vec![json!(1), json!(2), json!(3), json!(5)], &json!(5)));
    assert_eq!(column(&gap, "percentile"), [80.0, 60.0, 40.0, 0.0]);
    let now = network.get("/v1/pouw/leaderboard").await;
    assert_eq!(
        (marks(&now), column(&now, "rank")),
        (
            vec!["01".to_owned(), "02".to_owned(), "03".to_owned(), "05".to_owned()],
            vec![json!(1), json!(2), json!(3), json!(4)]
        )
    );

    // Later pages are of the first one's position, and a page is so many places.
    let cursor = first["next_cursor"].as_str().expect("more places");
    let second = network.get(&format!("/v1/pouw/leaderboard?limit=2&cursor={cursor}")).await;
    assert_eq!((column(&second, "rank"), &second["ranked"]), (vec![json!(3)], &json!(5)));
    let cursor = second["next_cursor"].as_str().expect("more places");
    let third = network.get(&format!("/v1/pouw/leaderboard?limit=2&cursor={cursor}")).await;
    assert_eq!((column(&third, "rank"), &third["next_cursor"]), (vec![json!(5)], &Value::Null));
    let hidden = network.ask(&format!("/v1/pouw/leaderboard?around={}&at_position=60", id("04"))).await;
    assert_eq!((hidden.status, &hidden.body["type"]), (StatusCode::FORBIDDEN, &json!("/problems/stats-not-public")));
}

#[tokio::test]
async fn pages_follow_each_other_and_can_be_skipped() {
    let network = start().await;
    for limit in 1..=6 {
        let places = network.all("/v1/pouw/leaderboard", limit, "/rank").await;
        let ids: Vec<_> =
            places.iter().map(|place| place["identity_id"].as_str().expect("an id")[..2].to_owned()).collect();
        assert_eq!(ids, FIVE, "{limit}");
    }
    let skipped = network.get("/v1/pouw/leaderboard?offset=1&limit=2").await;
    assert_eq!(column(&skipped, "rank"), [2, 3]);
    assert_eq!(column(&network.get("/v1/pouw/leaderboard?offset=10000").await, "rank"), Vec::<Value>::new());
}

#[tokio::test]
async fn around_puts_somebody_in_the_middle() {
    let network = start().await;
    let around = async |who: &str, more: &str| network.get(&format!("/v1/pouw/leaderboard?around={who}{more}")).await;
    let cat = around(&id("03"), "&limit=3").await;
    assert_eq!((column(&cat, "rank"), &cat["around_rank"]), (vec![json!(2), json!(3), json!(4)], &json!(3)));
    let next = cat["next_cursor"].as_str().expect("one more");
    let rest = around(&id("03"), &format!("&limit=3&cursor={next}")).await;
    assert_eq!((column(&rest, "rank"), &rest["around_rank"]), (vec![json!(5)], &json!(3)));
    // At either end the page is full all the same.
    assert_eq!(column(&around(&id("01"), "&limit=3").await, "rank"), [1, 2, 3]);
    assert_eq!(column(&around(&id("05"), "&limit=3").await, "rank"), [3, 4, 5]);
    assert_eq!(column(&around(&id("05"), "").await, "rank"), [1, 2, 3, 4, 5]);
    let then = around(&id(GUS), "&limit=1&at_position=50").await;
    assert_eq!((marks(&then), &then["around_rank"]), (vec![GUS.to_owned()], &json!(3)));

    for unranked in [id(GUS), ZOE.to_owned()] {
        let nowhere = around(&unranked, "").await;
        assert_eq!((column(&nowhere, "rank"), nowhere.get("around_rank")), (vec![], Some(&Value::Null)));
        assert_eq!((&nowhere["ranked"], &nowhere["next_cursor"]), (&json!(5), &Value::Null));
    }
    for (who, status) in [(id(FAY), 403), (ZOLTAN.to_owned(), 403), ("0".repeat(64), 404)] {
        assert_eq!(network.ask(&format!("/v1/pouw/leaderboard?around={who}")).await.status.as_u16(), status, "{who}");
    }
    network.refused("/v1/pouw/leaderboard?around=nobody", "around").await;
    network.refused(&format!("/v1/pouw/leaderboard?around={}&offset=1", id("01")), "offset").await;
}

#[tokio::test]
async fn addresses_are_ranked_and_name_only_who_is_public() {
    let network = start().await;
    let board = network.get("/v1/pouw/leaderboard?by=address").await;
    assert_eq!(column(&board, "miner_address"), ["wf", "wa", "Lone", "Lone", "wg", "wa2"]);
    assert_eq!(column(&board, "chain"), ["chert", "chert", "chert", "hub", "chert", "chert"]);
    assert_eq!(column(&board, "score"), ["20", "8", "5", "5", "5", "1"]);
    assert_eq!(marks(&board), ["-", "01", "-", "-", "-", "01"]);
    assert_eq!(column(&board, "display_name")[..2], [Value::Null, json!("Ann")]);
    assert_eq!((&board["by"], &board["ranked"]), (&json!("address"), &json!(6)));
    let past = network.get("/v1/pouw/leaderboard?by=address&at_position=50").await;
    assert_eq!(column(&past, "miner_address"), ["wf", "wb", "Lone", "Lone", "wg", "wa"]);
    assert_eq!(marks(&past), ["-", "02", "-", "-", "07", "01"]);
    assert_eq!(network.all("/v1/pouw/leaderboard?by=address", 2, "/rank").await.len(), 6);

    let around =
        async |more: &str| network.get(&format!("/v1/pouw/leaderboard?by=address&limit=1&around={more}")).await;
    assert_eq!(
        (&around("lone").await["items"][0]["rank"], &around("wa2").await["around_rank"]),
        (&json!(3), &json!(6))
    );
    let other = network.get("/v1/pouw/leaderboard?by=address&limit=1&around=Lone&at_position=50").await;
    assert_eq!(other["items"][0]["chain"], "chert");
    for nobody in ["nobody", "wb"] {
        let nowhere = around(nobody).await;
        assert_eq!((column(&nowhere, "rank"), nowhere.get("around_rank")), (vec![], Some(&Value::Null)), "{nobody}");
    }
    network.refused("/v1/pouw/leaderboard?by=address&around=0x12", "around").await;
}

#[tokio::test]
async fn words_that_nobody_knows_are_refused_with_those_there_are() {
    let network = start().await;
    let id = id("01");
    for (route, parameter, word) in [
        ("/v1/pouw/leaderboard?type=nuw_dag".to_owned(), "type", "`boinc`"),
        ("/v1/pouw/leaderboard?timeframe=year".to_owned(), "timeframe", "`month`"),
        ("/v1/pouw/leaderboard?by=name".to_owned(), "by", "`address`"),
        (format!("/v1/pouw/history/{id}?type=mining"), "type", "`ceremony`"),
        (format!("/v1/pouw/rank/{id}?timeframe="), "timeframe", "`week`"),
    ] {
        let answer = network.ask(&route).await;
        assert_eq!((answer.status, &answer.body["parameter"]), (StatusCode::BAD_REQUEST, &json!(parameter)), "{route}");
        assert!(answer.body["detail"].as_str().expect("a sentence").contains(word), "{route}: {}", answer.body);
    }
    for bad in ["zz", "0x", "%00"] {
        for route in ["stats", "history", "rank"] {
            network.refused(&format!("/v1/pouw/{route}/{bad}"), "identity_id").await;
        }
    }
}

#[tokio::test]
async fn what_was_not_followed_is_said_to_be_missing() {
    let network = start().await;
    let complete = async |query: &str| network.get(&format!("/v1/pouw/leaderboard?{query}")).await["complete"].clone();
    let stats = format!("/v1/pouw/stats/{}", id("01"));
    assert_eq!(complete("timeframe=week").await, true);
    // The hub turns out to be followed from height 5 on, mined in the night to the 19th.
    network
        .run(
            "set search_path = views, log;
            insert into heads_versions (source_id, height, block_hash, block_time, first_height, tx_total, links_verified,
                hashes_verified, signatures_verified, checks_refuted, unrecognized, complete, from_position, present)
            values (2, 5, '\\x25', '2026-01-19T00:00:00Z', 5, 0, 0, 0, 0, 0, 0, false, 70, true);
            insert into blocks (source_id, position, end_position, height, hash, block_time, validator_address, tx_count)
            values (2, 70, 70, 5, '\\x25', '2026-01-19T00:00:00Z', 'VAL1', 0);
            select log.publish('heads', 60);",
        )
        .await;
    network.advance(70).await;
    assert_eq!((complete("timeframe=day").await, complete("timeframe=week").await), (json!(true), json!(false)));
    assert_eq!((complete("").await, &network.get(&stats).await["complete"]), (json!(false), &json!(false)));
    assert_eq!(complete("at_position=60").await, true, "what was missing later was not missing then");
    assert_eq!(network.get(&format!("{stats}?at_position=60")).await["complete"], true);

    network.run("update log.source_state set state = 'stalled' where source_id = 2").await;
    let asked = "/v1/pouw/leaderboard?timeframe=day";
    network.until(asked, |answer| answer.body["complete"] == false).await;
    assert_eq!(complete("timeframe=day&by=address").await, false);
    assert_eq!(complete("timeframe=day&at_position=60").await, true);
    assert_eq!(complete("timeframe=day&at_position=70").await, true, "what is asked about a position stays so");
    network.run("update log.source_state set state = 'following' where source_id = 2").await;
    network.until(asked, |answer| answer.body["complete"] == true).await;
}

#[tokio::test]
async fn a_place_is_known_now_and_at_the_beginning_of_every_day() {
    let network = start().await;
    let ann = id("01");
    let rank = network.get(&format!("/v1/pouw/rank/{ann}")).await;
    assert_eq!(rank["current"], json!({"rank": 1, "ranked": 5, "percentile": 80.0, "score": "9", "position": 60}));
    assert_eq!(
        (&rank["identity_id"], &rank["type"], &rank["unit"]),
        (&json!(ann), &json!("all"), &json!("submissions"))
    );
    assert_eq!(
        (column(&rank, "position"), column(&rank, "rank")),
        (vec![json!(60), json!(50)], vec![json!(1), json!(5)])
    );
    assert_eq!(rank["items"][1]["percentile"], 16.6667);
    assert_eq!(
        (&rank["items"][1]["time"], &rank["items"][1]["score"]),
        (&json!("2026-01-20T09:50:00.000000Z"), &json!("2"))
    );
    assert_eq!(network.all(&format!("/v1/pouw/rank/{ann}"), 1, "/position").await.len(), 2);
    // A page is of so many days: on the last one Gus has no place, and on the one before it he has.
    let gus = network.get(&format!("/v1/pouw/rank/{}?limit=1", id(GUS))).await;
    assert!(column(&gus, "rank").is_empty() && gus["next_cursor"].is_string(), "{gus}");
    let days = network.all(&format!("/v1/pouw/rank/{}", id(GUS)), 1, "/position").await;
    assert_eq!((days.len(), &days[0]["position"], &days[0]["rank"]), (1, &json!(50), &json!(3)));
    let past = network.get(&format!("/v1/pouw/rank/{ann}?at_position=50")).await;
    assert_eq!((&past["current"]["rank"], column(&past, "position")), (&json!(5), vec![json!(50)]));
    let day = network.get(&format!("/v1/pouw/rank/{}?timeframe=day", id("05"))).await;
    assert_eq!(day["current"], json!({"rank": null, "ranked": 4, "percentile": null, "score": "0", "position": 60}));
    for (who, status) in [(id(FAY), 403), ("0".repeat(64), 404)] {
        assert_eq!(network.ask(&format!("/v1/pouw/rank/{who}")).await.status.as_u16(), status, "{who}");
    }
}
