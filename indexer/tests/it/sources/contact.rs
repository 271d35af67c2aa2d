//! What a node must say of itself, at first contact and after every error.

use std::collections::VecDeque;

use super::*;

const RULE: &str = "chert-synthetic-1";

fn says(health: Value) -> Reply {
    Reply::ok(health.to_string())
}

fn good() -> Reply {
    says(json!({"chain_id": CHAIN_ID, "hash_rule": RULE}))
}

/// What a node answers to the next questions for `/health`, the last of it for ever; and the fault of its next other
/// answer.
#[derive(Clone, Default)]
struct Mood {
    health: Arc<Mutex<VecDeque<Reply>>>,
    fault: Arc<Mutex<Option<Reply>>>,
}

impl Mood {
    fn set(&self, health: impl IntoIterator<Item = Reply>) {
        *self.health.lock().expect("unpoisoned") = health.into_iter().collect();
    }

    async fn node(&self) -> String {
        let (mood, good) = (self.clone(), node(Habits { page_max: 100, ..Habits::default() }));
        serve(move |request| {
            if request.target == "/health" {
                let mut health = mood.health.lock().expect("unpoisoned");
                let next = if health.len() > 1 { health.pop_front() } else { health.front().cloned() };
                return next.unwrap_or_else(|| Reply::status(404));
            }
            mood.fault.lock().expect("unpoisoned").take().unwrap_or_else(|| good(request))
        })
        .await
    }
}

fn expecting(chain_id: Option<&str>, hash_rule: Option<&str>) -> Options {
    Options {
        chain_id: chain_id.map(str::to_owned),
        expected_hash_rule: hash_rule.map(str::to_owned),
        ..Options::default()
    }
}

fn is_transient<T>(outcome: &Result<T, SourceError>) -> bool {
    matches!(outcome, Err(SourceError::Transient(_)))
}

#[tokio::test]
async fn a_missing_health_is_believed_only_where_nothing_is_expected_and_when_said_twice() {
    let mood = Mood::default();
    let url = mood.node().await;
    let source = |options| ChertSource::new(&url, options).expect("a source");

    let silent = source(Options::default()).introduce().await.expect("nothing was expected");
    assert_eq!((silent.chain_id, silent.hash_rule), (None, None));
    for status in [404, 405, 501] {
        mood.set([Reply::status(status), good()]);
        let late = source(Options::default()).introduce().await.expect("said at the second time");
        assert_eq!((late.chain_id.as_deref(), late.hash_rule.as_deref()), (Some(CHAIN_ID), Some(RULE)), "{status}");
        for options in [expecting(Some(CHAIN_ID), None), expecting(None, Some(RULE))] {
            mood.set([Reply::status(status), good()]);
            let source = source(options);
            assert!(is_transient(&source.introduce().await), "{status}");
            let found = source.introduce().await.expect("there again");
            assert_eq!((found.chain_id.as_deref(), found.hash_rule.as_deref()), (Some(CHAIN_ID), Some(RULE)));
        }
    }
    // What answers in the node's place with an error is not the node, whatever JSON it writes.
    mood.set([Reply::status(503)]);
    assert!(is_transient(&source(Options::default()).introduce().await));
}

#[tokio::test]
async fn a_node_of_another_rule_than_the_log_was_begun_with_is_refused_in_plain_words() {
    let mood = Mood::default();
    let source = ChertSource::new(&mood.node().await, expecting(None, Some(RULE))).expect("a source");
    mood.set([good()]);
    assert_eq!(source.introduce().await.expect("the same rule").hash_rule.as_deref(), Some(RULE));
    for (health, named) in [
        (json!({"chain_id": CHAIN_ID, "hash_rule": "another"}), "another"),
        (json!({"chain_id": CHAIN_ID}), "none"),
        (json!({"chain_id": CHAIN_ID, "hash_rule": ["x"]}), "none"),
    ] {
        mood.set([says(health.clone())]);
        match source.introduce().await {
            Err(SourceError::Unsuitable(why)) => assert!(why.contains(named) && why.contains(RULE), "{why}"),
            other => panic!("{health}: {other:?}"),
        }
    }
    let unknown = ChertSource::new(&mood.node().await, expecting(None, Some("newer"))).expect("a source");
    mood.set([says(json!({"hash_rule": "newer"}))]);
    assert!(matches!(unknown.introduce().await, Err(SourceError::Unsuitable(why)) if why.contains("does not know")));
}

#[tokio::test]
async fn contact_is_made_again_after_an_error_and_nothing_less_is_taken() {
    let mood = Mood::default();
    let source = ChertSource::new(&mood.node().await, Options::default()).expect("a source");
    mood.set([good()]);
    source.introduce().await.expect("introduced");
    mood.set([Reply::status(404)]);
    let blocks = || source.blocks(height(1)..=height(2));
    assert_eq!(blocks().await.expect("contact stands").len(), 2);
    *mood.fault.lock().expect("unpoisoned") = Some(Reply::status(500));
    assert!(is_transient(&blocks().await));
    assert!(matches!(blocks().await, Err(SourceError::Transient(why)) if why.contains("/health")));
    for health in [json!({"chain_id": CHAIN_ID}), json!({"chain_id": "other", "hash_rule": RULE})] {
        mood.set([says(health.clone())]);
        assert!(matches!(blocks().await, Err(SourceError::Unsuitable(_))), "{health}");
    }
    mood.set([good()]);
    assert!(
        blocks()
            .await
            .expect("the same again")
            .iter()
            .all(|block| { block.unit.entries[0].verdict == Some(Verdict::Verified) })
    );
}
