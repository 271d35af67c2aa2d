//! Statistics, histories, submissions and oracles, over the hand-written network with `pouw.sql` on top.

use http::StatusCode;
use serde_json::{Value, json};

use crate::network::{ZOE, ZOLTAN};
use crate::pouw::{FAY, GUS, hide_dan, id, start};

fn pick(items: &Value, field: &str) -> Vec<Value> {
    items.as_array().expect("a list").iter().map(|item| item[field].clone()).collect()
}

#[tokio::test]
async fn statistics_add_up_what_all_wallets_did() {
    let network = start().await;
    let route = format!("/v1/pouw/stats/{}", id("01"));
    let stats = network.get(&format!("{route}?explain=true")).await;
    assert_eq!((&stats["accepted"], &stats["rejected"]), (&json!(9), &json!(1)));
    assert_eq!((&stats["total_nuw_completed"], &stats["total_boinc_credits"]), (&json!(8), &json!("10.5")));
    assert_eq!((&stats["stats_visibility"], &stats["wallets_counted"]), (&json!("public"), &json!(2)));
    assert_eq!(pick(&stats["totals"], "type"), ["boinc", "nuw", "bandwidth", "compute", "ceremony"]);
    assert_eq!(pick(&stats["totals"], "score"), ["10.5", "8", "0", "0", "0"]);
    assert_eq!(stats["totals"][1]["last_contribution"], "2026-01-20T09:55:00.000000Z");
    assert_eq!((&stats["totals"][1]["rejected"], &stats["totals"][4]["unit"]), (&json!(1), &json!("contributions")));
    let boinc = json!({"accepted": 1, "score": "10.5", "unit": "cobblestones"});
    let dag = json!({"accepted": 8, "score": "8", "unit": "submissions"});
    assert_eq!(stats["work_breakdown"], json!({"boinc": boinc, "nuw_dag": dag}));
    assert_eq!(stats["active_since"], "2026-01-20T09:45:00.000000Z");
    assert_eq!(stats["last_contribution"], "2026-01-20T09:55:00.000000Z");
    assert_eq!(stats["updated_at"], "2026-01-20T10:00:00.000000Z");
    assert_eq!((&stats["rank"], &stats["ranked"], &stats["rank_percentile"]), (&json!(1), &json!(5), &json!(80.0)));
    assert_eq!((&stats["ranked_at_position"], &stats["complete"]), (&json!(60), &json!(true)));
    // Two links, three submissions that counted when they came, and the rejection of one.
    assert_eq!(pick(&stats["provenance"]["events"], "position"), [58, 55, 49, 48, 43, 42]);
    assert_eq!((&stats["provenance"]["count"], &stats["provenance"]["count_exact"]), (&json!(6), &json!(true)));

    let past = network.get(&format!("{route}?at_position=50")).await;
    assert_eq!((&past["accepted"], &past["rejected"], &past["rank"]), (&json!(2), &json!(0), &json!(5)));
    assert_eq!((&past["ranked"], &past["updated_at"]), (&json!(6), &json!("2026-01-20T09:50:00.000000Z")));
    let unborn = network.get(&format!("{route}?at_position=40")).await;
    assert_eq!((&unborn["accepted"], &unborn["rank"], &unborn["ranked"]), (&json!(0), &Value::Null, &json!(0)));
    assert_eq!((&unborn["updated_at"], &unborn["wallets_counted"]), (&Value::Null, &json!(0)));
    assert_eq!((&unborn["rank_percentile"], &unborn["total_boinc_credits"]), (&Value::Null, &json!("0")));
}

#[tokio::test]
async fn what_was_lost_with_a_wallet_is_no_longer_there() {
    let network = start().await;
    let gus = network.get(&format!("/v1/pouw/stats/{}", id(GUS))).await;
    assert_eq!((&gus["accepted"], &gus["rank"], &gus["wallets_counted"]), (&json!(0), &Value::Null, &json!(0)));
    assert_eq!(gus["updated_at"], "2026-01-20T10:00:00.000000Z");
    let then = network.get(&format!("/v1/pouw/stats/{}?at_position=50", id(GUS))).await;
    assert_eq!((&then["accepted"], &then["rank"], &then["wallets_counted"]), (&json!(5), &json!(3), &json!(1)));
    let nothing = network.get(&format!("/v1/pouw/stats/{ZOE}")).await;
    assert_eq!((&nothing["accepted"], &nothing["rank"], &nothing["ranked"]), (&json!(0), &Value::Null, &json!(5)));
}

#[tokio::test]
async fn hidden_statistics_are_refused_now_and_about_the_past() {
    let network = start().await;
    let dan = id("04");
    for route in ["stats", "history", "rank"] {
        network.get(&format!("/v1/pouw/{route}/{dan}?at_position=60")).await;
        for hidden in [id(FAY), ZOLTAN.to_owned()] {
            let answer = network.ask(&format!("/v1/pouw/{route}/{hidden}")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route}: {}", answer.body);
            assert_eq!(answer.body["type"], "/problems/stats-not-public");
        }
        let unknown = network.ask(&format!("/v1/pouw/{route}/{}", "0".repeat(64))).await;
        assert_eq!(unknown.status, StatusCode::NOT_FOUND, "{route}");
        let unborn = network.ask(&format!("/v1/pouw/{route}/{dan}?at_position=31")).await;
        assert_eq!(unborn.status, StatusCode::NOT_FOUND, "{route}");
    }
    hide_dan(&network).await;
    for route in ["stats", "history", "rank"] {
        for at in ["", "?at_position=60"] {
            let answer = network.ask(&format!("/v1/pouw/{route}/{dan}{at}")).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{route}{at}: {}", answer.body);
        }
    }
}

#[tokio::test]
async fn a_history_merges_all_wallets_and_shows_rejections_with_what_they_took_out() {
    let network = start().await;
    let route = format!("/v1/pouw/history/{}", id("01"));
    let items = network.get(&route).await["items"].clone();
    assert_eq!(pick(&items, "position"), [59, 57, 55, 49, 48]);
    assert_eq!(pick(&items, "status"), ["rejected", "refuted", "accepted", "rejected", "accepted"]);
    assert_eq!(pick(&items, "kind")[..2], ["work.rejected", "work.submitted"]);
    assert_eq!(pick(&items, "miner_address"), ["wa", "wa", "wa2", "wa", "wa"]);
    assert_eq!(pick(&items, "score"), ["0", "0", "1", "0", "10.5"]);
    let rejected = json!({"position": 58, "reason": "result mismatch", "time": "2026-01-20T09:58:00.000000Z"});
    assert_eq!(pick(&items, "rejected"), [Value::Null, Value::Null, Value::Null, rejected, Value::Null]);
    assert_eq!(pick(&items, "reason")[..2], ["never seen", "the signature does not hold"]);
    let first = &items[4];
    assert_eq!(
        (&first["submission_id"], &first["chain"], &first["work_type"]),
        (&json!("s-1"), &json!("chert"), &json!("boinc"))
    );
    assert_eq!(
        (&first["credit"], &first["difficulty"], &first["unit"]),
        (&json!("10.50"), &json!("1.50"), &json!("cobblestones"))
    );
    assert_eq!(
        (&first["reward"], &first["reward_unit"], &first["project"]),
        (&json!("25"), &json!("points"), &json!("einstein"))
    );
    assert_eq!(
        (&first["oracle_id"], &first["oracle_name"], &first["oracle_verdict"]),
        (&json!("o-1"), &json!("Oracle one"), &json!("verified"))
    );
    assert_eq!(
        (&first["block_height"], &first["tx_id"], &first["time"]),
        (&json!(7), &json!("tx-48"), &json!("2026-01-20T09:48:00.000000Z"))
    );
    assert_eq!((&first["submitted_at"], &first["task_id"]), (&json!("2026-01-20T09:46:30.000000Z"), &Value::Null));

    let past = network.get(&format!("{route}?at_position=50")).await["items"].clone();
    assert_eq!(
        (pick(&past, "position"), pick(&past, "status")),
        (vec![json!(49), json!(48)], vec![json!("accepted"); 2])
    );
    assert_eq!(network.all(&route, 2, "/position").await.len(), 5);
    for (family, positions) in
        [("nuw", vec![55, 49]), ("boinc", vec![57, 48]), ("compute", vec![59]), ("bandwidth", vec![])]
    {
        let items = network.get(&format!("{route}?type={family}")).await["items"].clone();
        assert_eq!(pick(&items, "position"), positions, "{family}");
    }
    let gus = network.get(&format!("/v1/pouw/history/{}", id(GUS))).await;
    assert_eq!(gus["items"], json!([]));
}

#[tokio::test]
async fn a_submission_is_the_one_that_counted() {
    let network = start().await;
    let first = network.get("/v1/pouw/submission/s-1").await;
    assert_eq!(
        (&first["position"], &first["status"], &first["identity_id"]),
        (&json!(48), &json!("accepted"), &json!(id("01")))
    );
    assert_eq!(
        (pick(&first["records"], "position"), &first["stats_visibility"]),
        (vec![json!(56), json!(48)], &json!("public"))
    );
    assert_eq!(pick(&first["records"], "status"), ["repeated", "accepted"]);
    assert_eq!(first.get("provenance"), None);

    let second = network.get("/v1/pouw/submission/s-2?explain=true").await;
    assert_eq!((&second["status"], &second["rejected"]["reason"]), (&json!("rejected"), &json!("result mismatch")));
    assert_eq!(pick(&second["records"], "kind"), ["work.rejected", "work.submitted"]);
    let events = &second["provenance"]["events"];
    assert_eq!(pick(events, "position"), [58, 49, 45, 42]);
    assert_eq!(
        pick(events, "kind"),
        ["work.rejected", "work.submitted", "oracle.registered", "identity.wallet_linked"]
    );
    assert_eq!(second["provenance"]["link"], "/v1/events?subject=submission:s-2&source=chert");
    let then = network.get("/v1/pouw/submission/s-2?at_position=50&explain=true").await;
    assert_eq!(
        (&then["status"], pick(&then["provenance"]["events"], "position")),
        (&json!("accepted"), vec![json!(49), json!(45), json!(42)])
    );

    // Whoever repeats the id a hundred times does not push out what counted.
    network
        .run(
            "insert into views.work_submissions (source_id, position, submission_id, is_rejection, outcome, address_id, miner_address,
                oracle_id, work_type, score, occurred_at)
            select 1, 100 + n, 's-1', false, 'repeated', 102, 'wb', 'o-1', 'boinc', 0, '2026-01-20T10:00:00Z'
            from generate_series(1, 100) n",
        )
        .await;
    network.advance(200).await;
    let repeated = network.get("/v1/pouw/submission/s-1").await;
    assert_eq!((&repeated["position"], &repeated["status"]), (&json!(48), &json!("accepted")));
    let records = pick(&repeated["records"], "position");
    assert_eq!((records.len(), &records[0], &records[49]), (50, &json!(200), &json!(48)));

    assert_eq!(network.get("/v1/pouw/submission/s-3").await["status"], "refuted");
    let retracted = network.get("/v1/pouw/submission/s-0?at_position=6").await;
    assert_eq!((&retracted["status"], &retracted["identity_id"]), (&json!("accepted"), &Value::Null));
    for missing in ["s-0", "s-1?at_position=40", "s-1?chain=hub", "nobody", "%C3%A4%2F%27", &"x".repeat(64)] {
        let answer = network.ask(&format!("/v1/pouw/submission/{missing}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}: {}", answer.body);
    }
    network.refused(&format!("/v1/pouw/submission/{}", "x".repeat(65)), "submission_id").await;
    assert_eq!(network.get("/v1/pouw/submission/s-1?chain=chert").await["position"], 48);

    network.run("update views.identities set stats_visibility = 'private' where display_name = 'Ann'").await;
    network.advance(201).await;
    let hidden = network.get("/v1/pouw/submission/s-1?explain=true").await;
    assert_eq!((&hidden["identity_id"], &hidden["stats_visibility"]), (&Value::Null, &json!("private")));
    // The link of the wallet, at 42, would say whose it is.
    assert_eq!(pick(&hidden["provenance"]["events"], "position"), [48, 45]);
}

#[tokio::test]
async fn oracles_are_listed_as_of_the_position() {
    let network = start().await;
    let items = network.get("/v1/pouw/oracles").await["items"].clone();
    assert_eq!(pick(&items, "oracle_id"), ["o-1", "späh:1", "o-1"]);
    assert_eq!(pick(&items, "chain"), ["chert", "chert", "hub"]);
    assert_eq!(pick(&items, "registered"), [true, false, false]);
    assert_eq!(pick(&items, "unproven"), [0, 3, 0]);
    let first = &items[0];
    assert_eq!((&first["name"], &first["oracle_address"]), (&json!("Oracle one"), &json!("carol")));
    assert_eq!((&first["validations"], &first["rejections"], &first["refuted"]), (&json!(8), &json!(3), &json!(1)));
    assert_eq!((&first["repeated"], &first["slashed"], &first["slash_count"]), (&json!(1), &json!("64"), &json!(1)));
    assert_eq!(
        (&first["last_at"], &first["registered_at"]),
        (&json!("2026-01-20T09:59:00.000000Z"), &json!("2026-01-20T09:45:00.000000Z"))
    );
    let past = network.get("/v1/pouw/oracles?at_position=50").await["items"].clone();
    assert_eq!(
        (pick(&past, "oracle_id"), pick(&past, "slashed")),
        (vec![json!("gone"), json!("o-1")], vec![json!("0"); 2])
    );
    assert_eq!(network.items("/v1/pouw/oracles?at_position=40").await, Vec::<Value>::new());
    assert_eq!(pick(&network.get("/v1/pouw/oracles?chain=hub").await["items"], "chain"), ["hub"]);
    assert_eq!(pick(&network.get("/v1/pouw/oracles?chain=chert").await["items"], "chain"), ["chert", "chert"]);
    for limit in 1..=3 {
        assert_eq!(network.all("/v1/pouw/oracles", limit, "/last_at").await.len(), 3, "{limit}");
    }
}

#[tokio::test]
async fn a_page_of_oracles_ends_early_where_few_of_many_were_there() {
    let network = start().await;
    network
        .run(
            "insert into views.oracle_activity_versions (source_id, oracle_id, accepted, rejected, overturned, refuted, unproven, repeated,
                latency_count, from_position, present)
            select 1, 'a-' || n, 0, 0, 0, 0, 1, 0, 0, 70, true from generate_series(1, 10005) n",
        )
        .await;
    network.advance(70).await;
    let path = "/v1/pouw/oracles?at_position=60";
    let first = network.get(path).await;
    assert_eq!((&first["items"], first["next_cursor"].is_string()), (&json!([]), true), "but there is more");
    assert_eq!(network.all(path, 50, "/last_at").await.len(), 3);
    assert_eq!(network.get("/v1/pouw/oracles?limit=2").await["items"][1]["oracle_id"], "a-10");
}

#[tokio::test]
async fn an_oracle_is_measured_by_its_records() {
    let network = start().await;
    let route = "/v1/pouw/oracle/o-1/performance";
    let oracle = network.get(&format!("{route}?explain=true")).await;
    assert_eq!(
        (&oracle["oracle_id"], &oracle["chain"], &oracle["validations"]),
        (&json!("o-1"), &json!("chert"), &json!(8))
    );
    // Seven of the eight stand, and two rejections took out nothing.
    assert_eq!((&oracle["overturned"], &oracle["acceptance_rate"]), (&json!(1), &json!(0.7)));
    assert_eq!(oracle["latency"], json!({"p50": 90, "p90": 4096, "p95": 4096, "p99": 4096}));
    assert_eq!((&oracle["latency_count"], oracle.get("reported")), (&json!(8), None));
    // What others said in its name takes no part of what it decided.
    assert_eq!(pick(&oracle["shares"], "type"), ["nuw_dag", "boinc", "compute", "ceremony"]);
    assert_eq!(pick(&oracle["shares"], "share"), [0.8182, 0.0909, 0.0909, 0.0]);
    assert_eq!(pick(&oracle["shares"], "refuted"), [0, 0, 0, 1]);
    let activity = oracle["activity"].as_array().expect("hours");
    assert_eq!((activity.len(), &activity[0]["hour"]), (25, &json!("2026-01-19T10:00:00.000000Z")));
    assert_eq!(
        activity[24],
        json!({"hour": "2026-01-20T10:00:00.000000Z", "accepted": 6, "rejected": 3, "refuted": 1, "unproven": 0})
    );
    assert_eq!((&activity[23]["accepted"], &activity[22]["accepted"]), (&json!(2), &json!(0)));
    assert_eq!(pick(&oracle["provenance"]["events"], "position"), [58, 49, 48, 45]);
    assert_eq!(oracle["provenance"]["link"], "/v1/events?subject=oracle:o-1&source=chert");

    let past = network.get(&format!("{route}?at_position=50")).await;
    assert_eq!((&past["acceptance_rate"], &past["latency"]["p99"]), (&json!(1.0), &json!(90)));
    assert_eq!(pick(&past["shares"], "share"), [0.5, 0.5]);
    assert_eq!(past["activity"][24]["hour"], "2026-01-20T09:00:00.000000Z");
    let hub = network.get(&format!("{route}?chain=hub&explain=true")).await;
    assert_eq!((&hub["chain"], &hub["registered"], &hub["latency"]), (&json!("hub"), &json!(false), &Value::Null));
    assert_eq!((&hub["shares"], &hub["provenance"]["count"]), (&json!([]), &json!(0)));
    for missing in ["gone", "nobody", "%27%2F%F0%9F%92%A9"] {
        let answer = network.ask(&format!("/v1/pouw/oracle/{missing}/performance")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{missing}: {}", answer.body);
    }
    network.refused(&format!("/v1/pouw/oracle/{}/performance", "x".repeat(65)), "oracle_id").await;
}

#[tokio::test]
async fn an_oracle_that_is_not_registered_is_told_by_what_is_said_in_its_name() {
    let network = start().await;
    let route = "/v1/pouw/oracle/sp%C3%A4h:1/performance";
    let ghost = network.get(route).await;
    assert_eq!((&ghost["registered"], &ghost["unproven"]), (&json!(false), &json!(3)));
    assert_eq!((&ghost["acceptance_rate"], &ghost["latency"]), (&Value::Null, &Value::Null));
    let of = |work_type: &str, unproven: i64, share: f64| json!({"type": work_type, "accepted": 0, "rejected": 0, "refuted": 0, "unproven": unproven, "share": share});
    assert_eq!(ghost["shares"], json!([of("boinc", 2, 0.6667), of("compute", 1, 0.3333)]));
    assert_eq!(pick(&ghost["activity"], "unproven")[22..], [0, 0, 3]);
}

#[tokio::test]
async fn types_made_up_in_the_name_of_an_oracle_hide_none_that_it_decided_on() {
    let network = start().await;
    let route = "/v1/pouw/oracle/o-1/performance";
    let before = network.get(route).await["shares"].clone();
    network
        .run(
            "insert into views.oracle_types_versions (source_id, oracle_id, work_type, accepted, rejected, refuted, unproven, from_position,
                present)
            select 1, 'o-1', 'a' || lpad(n::text, 3, '0'), 0, 0, 0, 1, 70, true from generate_series(1, 150) n;
            update views.oracle_activity_versions set unproven = 150 where (source_id, oracle_id, from_position) = (1, 'o-1', 60)",
        )
        .await;
    network.advance(70).await;
    let types = pick(&network.get(route).await["shares"], "type");
    assert_eq!(types[..3], ["nuw_dag", "boinc", "compute"]);
    assert_eq!((types.len(), &types[3], &types[102]), (103, &json!("a001"), &json!("a100")));
    assert_eq!(network.get(&format!("{route}?at_position=60")).await["shares"], before);
}

#[tokio::test]
async fn latencies_that_were_taken_back_are_in_answers_about_the_past() {
    let network = start().await;
    let route = "/v1/pouw/oracle/o-1/performance";
    network
        .run(
            "set search_path = views, log, public;
            insert into oracle_latencies_versions (source_id, oracle_id, bucket, accepted, from_position, present)
            values (1, 'o-1', 256, null, 62, false), (1, 'o-1', 30, 2, 62, true), (1, 'o-1', 10, 9, 62, true);
            select log.publish('oracle_latencies', 61)",
        )
        .await;
    network.advance(62).await;
    // Nine of 10 s, two of 30 s and four of 90 s.
    let now = network.get(route).await;
    assert_eq!(now["latency"], json!({"p50": 10, "p90": 90, "p95": 90, "p99": 90}));
    for (at, expected) in [(60, [90, 4096, 4096, 4096]), (50, [90, 90, 90, 90])] {
        let past = network.get(&format!("{route}?at_position={at}")).await;
        let [p50, p90, p95, p99] = expected;
        assert_eq!(past["latency"], json!({"p50": p50, "p90": p90, "p95": p95, "p99": p99}), "{at}");
    }
}

#[tokio::test]
async fn what_explains_an_answer_is_counted_up_to_a_thousand() {
    let network = start().await;
    network
        .run(
            "insert into log.events (position, source_id, height, block_hash, tx_id, event_index, kind, body, occurred_at, recorded_at, digest)
            select n, e.source_id, e.height, e.block_hash, e.tx_id, e.event_index, e.kind, e.body, e.occurred_at, e.recorded_at, e.digest
            from log.events e, generate_series(101, 1097) n
            where e.position = 49;
            insert into log.event_subjects (subject_id, position, role)
            select s.subject_id, n, 17
            from log.subjects s, generate_series(101, 1097) n
            where s.namespace = 4 and s.subject = 'o-1' and s.source_id = 1",
        )
        .await;
    for (end, count, count_exact) in [(1096, 1_000, true), (1097, 1_000, false)] {
        network.advance(end).await;
        let oracle = network.get("/v1/pouw/oracle/o-1/performance?explain=true").await;
        let shown = pick(&oracle["provenance"]["events"], "position");
        assert_eq!((shown.len(), &shown[0]), (50, &json!(end)));
        let counted = (&oracle["provenance"]["count"], &oracle["provenance"]["count_exact"]);
        assert_eq!(counted, (&json!(count), &json!(count_exact)), "{end}");
    }
    let before = network.get("/v1/pouw/oracle/o-1/performance?explain=true&at_position=60").await;
    assert_eq!(before["provenance"]["count"], 4);
}
