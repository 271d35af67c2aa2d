//! A node whose newest block lies in the future: the error is counted and shown, and passes without a restart.

use indexer::ingest::FollowOptions;
use schema::clock;
use schema::source::SourceKind;

use crate::node::{CHAIN_ID, Node};
use crate::stack::{Stack, source};

const DAY_SECONDS: i64 = 86_400;

#[tokio::test(flavor = "multi_thread")]
async fn a_lying_clock_is_counted_and_shown_and_passes_without_a_restart() {
    let mut node = Node::start().await;
    let now = clock::now().timestamp();
    for seconds_ago in [30, 20, 10] {
        node.mine(now - seconds_ago, Vec::new());
    }
    let mut options = source("skewed", SourceKind::Chert, CHAIN_ID, node.url());
    options.follow.max_clock_skew = FollowOptions::default().max_clock_skew;
    let stack = Stack::start(vec![options]).await;
    stack.until_height(2).await;
    let position = stack.get("/v1/status").await["log_position"].clone();

    let future = node.mine(now + DAY_SECONDS, Vec::new());
    let seen = stack.until("the refusal", |_, source| source["error_count"].as_u64() > Some(1)).await;
    let refused = &seen["sources"][0];
    let why = refused["last_error"].as_str().expect("a sentence");
    assert!(why.contains("block 3 ") && why.contains("7200 s") && why.contains("max_clock_skew_secs"), "{why}");
    assert_eq!((refused["state"].as_str(), refused["head"].as_u64()), (Some("stalled"), Some(2)));
    assert_eq!(seen["log_position"], position, "nothing of it is in the log");
    let metrics = reqwest::get(format!("{}/metrics", stack.api)).await.expect("answered").text().await.expect("text");
    let counted = |line: &&str| line.contains("source=\"skewed\"") && line.contains("class=\"ahead_of_clock\"");
    let line = metrics.lines().find(counted).unwrap_or_else(|| panic!("not counted:\n{metrics}"));
    assert!(line.starts_with("chert_source_errors_total") && !line.ends_with(" 0"), "{line}");

    node.fork(future - 1);
    node.mine(now, Vec::new());
    node.mine(now, Vec::new());
    let followed = stack.until_height(future + 1).await;
    let healthy = |source: &serde_json::Value| source["last_error"].is_null() && source["state"] == "following";
    if !healthy(&followed["sources"][0]) {
        stack.until("the error to pass", |_, source| healthy(source)).await;
    }
    stack.stop().await;
}
