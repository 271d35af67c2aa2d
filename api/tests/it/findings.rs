//! Findings, over the hand-written network and `social.sql`.

use std::collections::BTreeSet;
use std::path::Path;

use api::views::findings::CODES;
use serde_json::{Value, json};

use crate::network::{Network, ZOE, ZOLTAN};
use crate::social::{ANN, BEA, village};

/// Position and code of each item.
fn keys(items: &[Value]) -> Vec<(i64, &str)> {
    let key = |item: &Value| item["position"].as_i64().expect("a position");
    items.iter().map(|item| (key(item), item["code"].as_str().expect("a code"))).collect()
}

/// What [`keys`] gives for the items of a path, as one text.
async fn found(network: &Network, query: &str) -> String {
    let items = network.items(&format!("/v1/findings?{query}")).await;
    keys(&items).iter().map(|(position, code)| format!("{position} {code}")).collect::<Vec<_>>().join(", ")
}

const ALL: &str = "61 registered-elsewhere, 57 not-controller, 45 claimed-too-much-power, 43 unregistered-oracle, \
                   40 refuted-signature, 40 self-follow, 28 wallet-contested";

#[tokio::test]
async fn findings_are_of_three_sorts_and_as_of_the_position() {
    let network = village().await;
    assert_eq!(found(&network, "").await, ALL);
    let items = network.items("/v1/findings").await;
    assert_eq!(
        items[0],
        json!({
            "code": "registered-elsewhere", "detail": "Another source had it before.", "counts": true, "subject": ANN,
            "chain": "hub", "position": 61, "kind": "identity.registered", "height": 1, "tx_id": "tx-61",
            "occurred_at": "2026-01-18T21:01:00.000000Z",
        })
    );
    assert_eq!(
        items[3],
        json!({
            "code": "unregistered-oracle", "detail": "It is wrong.", "counts": false, "subject": "oracle-9",
            "chain": "chert", "position": 43, "kind": "work.submitted", "height": 8, "tx_id": "tx-43",
            "occurred_at": "2026-01-18T21:08:00.000000Z",
        })
    );
    assert_eq!((&items[6]["subject"], &items[6]["counts"]), (&json!(ZOLTAN), &json!(false)));
    assert!(found(&network, "at_position=49").await.starts_with("48 some-rule, 45 "), "it stood then");
    assert!(found(&network, "at_position=50").await.starts_with("45 "), "its block was taken back");
    assert_eq!(found(&network, "at_position=31").await, "28 wallet-contested");
    assert_eq!(found(&network, "at_position=27").await, "");

    // Another owner contests later, and then nobody: level two has versions too.
    network
        .run(
            "insert into views.contested_wallets_versions (event_source_id, event_position, address_id, identity_id, owner_identity_id,
                detail, from_position, present)
            select event_source_id, event_position, address_id, identity_id, owner_identity_id, 'Still.', 62, true
            from views.contested_wallets_versions",
        )
        .await;
    network.advance(62).await;
    network
        .run(
            "insert into views.contested_wallets_versions (event_position, from_position, present) values (28, 63, false)",
        )
        .await;
    network.advance(63).await;
    assert_eq!(found(&network, "code=wallet-contested").await, "");
    let detail = async |at: i64| {
        let items = network.items(&format!("/v1/findings?code=wallet-contested&at_position={at}")).await;
        items.iter().map(|item| item["detail"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        (detail(61).await, detail(62).await),
        (vec![json!("It belongs to another identity.")], vec![json!("Still.")])
    );
}

#[tokio::test]
async fn each_filter_leaves_what_it_names() {
    let network = village().await;
    let cases = [
        ("code=self-follow", "40 self-follow"),
        ("code=self-follow,not-controller,wallet-contested", "57 not-controller, 40 self-follow, 28 wallet-contested"),
        ("code=registered-elsewhere", "61 registered-elsewhere"),
        ("code=overspent", ""),
        (&format!("subject=identity:{BEA}"), "40 self-follow"),
        (&format!("subject=identity:0x{}", ANN.to_uppercase()), "61 registered-elsewhere, 57 not-controller"),
        (&format!("subject=identity:{ZOLTAN}"), "28 wallet-contested"),
        (&format!("subject=identity:{ZOLTAN}&at_position=49"), "48 some-rule, 28 wallet-contested"),
        (&format!("subject=identity:{ZOE}&code=self-follow"), ""),
        ("subject=address:bea", "40 refuted-signature"),
        ("subject=oracle:oracle-9", "43 unregistered-oracle"),
        ("subject=proposal:7", ""),
        ("subject=oracle:%27%3B--%20%E2%80%AE", ""),
        ("source=hub", "61 registered-elsewhere"),
        ("source=hub&counts=false", ""),
        ("source=chert&code=registered-elsewhere", ""),
        ("source=chert&counts=true", "45 claimed-too-much-power, 40 refuted-signature"),
        ("counts=true", "61 registered-elsewhere, 45 claimed-too-much-power, 40 refuted-signature"),
        ("counts=false", "57 not-controller, 43 unregistered-oracle, 40 self-follow, 28 wallet-contested"),
        ("height=7", "40 refuted-signature, 40 self-follow"),
        ("height=7&counts=false", "40 self-follow"),
        ("height=9", ""),
        ("height=9&at_position=49", "48 some-rule"),
        ("height=5", "28 wallet-contested"),
        ("height=1&source=hub", "61 registered-elsewhere"),
        ("height=1&chain=hub", "61 registered-elsewhere"),
        ("height=1", ""),
        ("height=999", ""),
    ];
    for (query, expected) in cases {
        assert_eq!(found(&network, query).await, expected, "{query}");
        let counted = network.get(&format!("/v1/findings?{query}&count=exact&limit=1")).await;
        let items = if expected.is_empty() { 0 } else { expected.split(',').count() };
        assert_eq!(counted["count"], items, "{query}");
    }
}

#[tokio::test]
async fn nothing_is_pinned_on_somebody_by_a_name() {
    let network = village().await;
    // A stranger hands in work in the name of an oracle that is called as Zoe's identity is; and somebody mints whom the
    // event itself is not about.
    network
        .run(&format!(
            "insert into log.subjects (subject_id, source_id, namespace, subject) values (30, 1, 4, '{ZOE}');
            insert into log.event_subjects (subject_id, position, role) values (30, 43, 17);
            insert into views.findings_versions (source_id, event_position, code, height, tx_id, subject, detail, occurred_at, counts,
                from_position, present)
            values
                (1, 43, 'not-the-oracle', 8, 'tx-43', '{ZOE}', 'It is not.', '2026-01-18T21:08:00Z', false, 62, true),
                (1, 44, 'not-origin', 8, 'tx-44', 'mallory', 'No.', '2026-01-18T21:08:00Z', false, 62, true);
            set search_path = views, log, public;
            select log.publish('findings', 61)"
        ))
        .await;
    network.advance(62).await;
    for (subject, expected) in [
        (format!("identity:{ZOE}"), "45 claimed-too-much-power"),
        (format!("oracle:{ZOE}"), "43 not-the-oracle"),
        (format!("submission:{ZOE}"), ""),
        ("address:mallory".to_owned(), "44 not-origin"),
        ("oracle:mallory".to_owned(), ""),
    ] {
        for height in ["", "&height=8"] {
            let query = format!("subject={subject}{height}");
            assert_eq!(found(&network, &query).await, expected, "{query}");
            let counted = network.get(&format!("/v1/findings?{query}&count=exact")).await;
            assert_eq!(counted["count"], usize::from(!expected.is_empty()), "{query}");
        }
    }
}

#[tokio::test]
async fn an_estimate_counts_up_to_ten_thousand() {
    let network = village().await;
    network
        .run(
            "set search_path = views, log, public;
            insert into findings_versions (source_id, event_position, code, height, tx_id, subject, detail, occurred_at, counts,
                from_position, present)
            select 1, 45, 'rule-' || n, 8, 'tx-45', repeat('a1', 32), 'Wrong.', '2026-01-18T21:08:00Z', true, 62, true
            from generate_series(1, 10001) n;
            select log.publish('findings', 61)",
        )
        .await;
    network.advance(62).await;
    for (query, all) in [("", 10_008), ("&source=chert", 10_007), (&format!("&subject=identity:{ZOE}"), 10_002)] {
        for (count, expected) in [("exact", all), ("estimated", 10_000)] {
            let page = network.get(&format!("/v1/findings?limit=1&count={count}{query}")).await;
            assert_eq!(page["count"], expected, "{count}{query}");
            let past = network.get(&format!("/v1/findings?limit=1&count={count}{query}&at_position=61")).await;
            assert_eq!(past["count"], all - 10_001, "{count}{query} before");
        }
    }
}

#[tokio::test]
async fn pages_end_between_two_findings_of_one_event_as_well() {
    let network = village().await;
    let whole = network.items("/v1/findings").await;
    for query in ["", "&counts=false", "&source=chert", "&height=7", "&code=self-follow,refuted-signature"] {
        let whole = network.items(&format!("/v1/findings?{query}")).await;
        for limit in [1, 2, 3] {
            let mut paged = Vec::new();
            let mut next = Some(format!("/v1/findings?limit={limit}{query}"));
            for _ in 0..10 {
                let Some(path) = next else { break };
                let page = network.get(&path).await;
                paged.extend(page["items"].as_array().expect("items").iter().cloned());
                next = page["next_cursor"]
                    .as_str()
                    .map(|cursor| format!("/v1/findings?limit={limit}{query}&cursor={cursor}"));
            }
            assert_eq!(paged, whole, "{query} by {limit}");
        }
    }
    // More with the same event than a page holds, and a change in between: the cursor keeps the first page's position.
    network
        .run(
            "insert into views.findings_versions (source_id, event_position, code, height, tx_id, subject, detail, occurred_at, counts,
                from_position, present)
            select 1, 45, 'rule-' || n, 8, 'tx-45', 'x', 'Wrong.', '2026-01-18T21:08:00Z', true, 62, true from generate_series(10, 39) n",
        )
        .await;
    network.advance(62).await;
    let first = network.get("/v1/findings?limit=12").await;
    let cursor = first["next_cursor"].as_str().expect("another page").to_owned();
    network
        .run(
            "insert into views.findings_versions (source_id, event_position, code, from_position, present)
            select 1, 45, 'rule-' || n, 63, false from generate_series(10, 39) n",
        )
        .await;
    network.advance(63).await;
    assert_eq!(network.items("/v1/findings").await, whole);
    let rest = network.items(&format!("/v1/findings?limit=100&cursor={cursor}")).await;
    let mut both = keys(first["items"].as_array().expect("items"));
    both.extend(keys(&rest));
    assert_eq!(both.len(), 37);
    assert!(both.is_sorted_by(|a, b| a.0 > b.0 || (a.0 == b.0 && a.1 < b.1)), "{both:?}");
}

#[tokio::test]
async fn bad_filters_are_refused_by_name() {
    let network = village().await;
    let twenty_one = CODES[..21].iter().map(|(code, _)| *code).collect::<Vec<_>>().join(",");
    let unknown = "not-controller,never-heard-of";
    for bad in ["", ",", "A", "two%20words", "%F0%9F%92%A9", "a%27--", "a,,b", "%FF", unknown, &twenty_one] {
        network.refused(&format!("/v1/findings?code={bad}"), "code").await;
    }
    let refusal = network.ask("/v1/findings?code=nope").await.body["detail"].to_string();
    assert!(CODES.iter().all(|(code, _)| refusal.contains(&format!("`{code}`"))), "{refusal}");
    let twenty = CODES[..20].iter().map(|(code, _)| *code).collect::<Vec<_>>().join(",");
    network.get(&format!("/v1/findings?code={twenty}")).await;
    for bad in ["", "alice", "identity:", "identity:xy", "planet:mars", "address:0x12"] {
        network.refused(&format!("/v1/findings?subject={bad}"), "subject").await;
    }
    for bad in ["yes", "", "1", "True"] {
        network.refused(&format!("/v1/findings?counts={bad}"), "counts").await;
    }
    for bad in ["-1", "x", "", "9223372036854775808"] {
        network.refused(&format!("/v1/findings?height={bad}"), "height").await;
    }
    network.refused("/v1/findings?source=nowhere", "source").await;
    network.refused("/v1/findings?cursor=e30", "cursor").await;
    network.refused("/v1/findings?codes=x", "codes").await;
}

#[test]
fn every_code_is_in_the_list_and_the_list_in_the_documentation() {
    let codes = codes_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../indexer/src/projections"));
    assert!(codes.len() > 20 && codes.contains("not-controller"), "the projections name codes: {codes:?}");
    let known: BTreeSet<_> = CODES.iter().map(|(code, _)| (*code).to_owned()).collect();
    let unlisted: Vec<_> = codes.difference(&known).collect();
    assert!(unlisted.is_empty(), "not in the list of views/findings.rs: {unlisted:?}");
    for check in ["count", "hash", "link", "proof", "signature"] {
        assert!(known.contains(&format!("refuted-{check}")), "refuted-{check}");
    }
    let openapi = serde_json::to_value(api::openapi()).expect("JSON");
    let parameters = openapi["paths"]["/v1/findings"]["get"]["parameters"].as_array().expect("parameters");
    let code = parameters.iter().find(|parameter| parameter["name"] == "code").expect("the parameter");
    let listed: Vec<_> = CODES.iter().map(|(code, _)| *code).collect();
    assert_eq!((&code["style"], &code["explode"]), (&json!("form"), &json!(false)));
    assert_eq!(code["schema"]["items"]["enum"], json!(listed));
}

/// The codes that the projections' sources name: what stands between quotation marks and is words joined by dashes.
fn codes_in(folder: &Path) -> BTreeSet<String> {
    let mut codes = BTreeSet::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            codes.extend(codes_in(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            let quoted = text.split('"').filter(|part| part.contains('-'));
            let is_code = |part: &&str| part.split('-').all(|word| !word.is_empty() && is_word(word));
            codes.extend(quoted.filter(is_code).map(str::to_owned));
        }
    }
    codes
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase())
}
