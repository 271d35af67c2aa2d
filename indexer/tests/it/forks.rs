//! Forks of every shape end in the rows of a straight chain, and earlier answers stay what they were.

use indexer::source::scripted::{Script, Step};

use crate::support::{World, assert_same};

/// Identity payloads, so that forks also undo what level two derives.
const REGISTER: &str = r#"alice !identity.register {"identity_id":"1111111111111111111111111111111111111111111111111111111111111111","key":{"alg":"ed25519","public_key":"00"},"display_name":"Alice"}"#;
const LINK: &str = r#"alice !identity.link_wallet {"identity_id":"1111111111111111111111111111111111111111111111111111111111111111","wallet_address":"wallet","link_type":"main","proof":{"alg":"ml-dsa-44","public_key":"00","signature":"00"}}"#;
const UNLINK: &str = r#"alice !identity.unlink_wallet {"identity_id":"1111111111111111111111111111111111111111111111111111111111111111","wallet_address":"wallet"}"#;
const RENAME: &str = r#"alice !identity.update {"identity_id":"1111111111111111111111111111111111111111111111111111111111111111","display_name":"Älice"}"#;

const FORKS: &[(&str, &str)] = &[
    (
        "the worked example",
        "0: allocate alice 64 | 1: alice -> bob 2 fee 1 | 2: alice -> carol 4 fee 1 | ~1 | 2': alice -> dave 8 fee 1",
    ),
    ("depth 1", "1: mint alice 64 | 2: alice -> bob 2 | ~1 | 2: alice -> carol 4"),
    ("block 1 replaced", "0: allocate alice 64 | 1: alice -> bob 1 | ~0 | 1': alice -> carol 2"),
    ("two forks in a row", "1: mint alice 64 | 2: alice -> bob 1 | ~1 | 2: alice -> carol 2 | ~1 | 2: alice -> dave 4"),
    (
        "a fork of a fork",
        "1: mint alice 64 | 2: alice -> bob 1 | 3: alice -> bob 2 | ~1 | 2: alice -> carol 4 | 3: alice -> carol 8 | ~2 | 3: alice -> dave 16",
    ),
    (
        "back to the old branch",
        "1: mint alice 64 | 2: alice -> bob 1 | ~1 | 2: alice -> carol 2 | ~1 | 2: alice -> bob 1",
    ),
    (
        "a shorter branch",
        "1: mint alice 64 | 2: alice -> bob 1 | 3: alice -> bob 2 | 4: alice -> bob 4 | ~1 | 2': alice -> carol 8",
    ),
    ("a longer branch", "1: mint alice 64 | 2: alice -> bob 1 | ~1 | 2: alice -> carol 2 | 3: | 4: alice -> dave 4"),
    ("empty blocks replaced", "1: | 2: | 3: | ~1 | 2': | 3': "),
    ("empty blocks by full ones", "0: allocate alice 64 | 1: | 2: | ~0 | 1: alice -> bob 2 | 2: alice -> bob 4"),
    ("full blocks by empty ones", "0: allocate alice 64 | 1: alice -> bob 2 | 2: alice -> bob 4 | ~0 | 1: | 2: "),
    ("the same height twice", "1: mint alice 64 | ~0 | 1': mint alice 64 | ~0 | 1'': mint alice 64"),
    ("a fork that only empty blocks follow", "1: mint alice 64 | 2: alice -> bob 2 | ~1 | 2': "),
    ("everything but block 0", "1: mint alice 64 | 2: alice -> bob 2 | 3: burn bob 1 | ~0 | 1': mint bob 32"),
    ("a burn undone", "0: allocate alice 64 | 1: burn alice 8 | ~0 | 1: alice -> bob 8"),
    ("a fee undone", "0: allocate alice 64 | 1: alice -> bob 8 fee 4 | ~0 | 1: alice -> bob 8 fee 2"),
    ("an account that comes back", "0: allocate alice 64 | 1: alice -> bob 8 | ~0 | 1': | 2: alice -> bob 16"),
    ("an identity undone", "1: REGISTER | ~0 | 1': mint alice 1"),
    ("an identity registered again", "1: REGISTER | 2: RENAME | ~0 | 1': REGISTER"),
    ("a link undone", "1: REGISTER | 2: LINK | ~1 | 2': mint alice 1"),
    ("an unlink undone", "1: REGISTER | 2: LINK | 3: UNLINK | ~2 | 3': mint alice 1"),
    ("a link moved to a later block", "1: REGISTER | 2: LINK | ~1 | 2': RENAME | 3: LINK"),
    ("registered twice, once retracted", "1: REGISTER | 2: REGISTER | ~1 | 2': RENAME"),
    (
        "deep",
        "1: mint alice 64 | 2: alice -> bob 1 | 3: alice -> bob 2 | 4: alice -> bob 4 | 5: alice -> bob 8 | 6: alice -> bob 16 | ~0 | 1': mint bob 2 | 2: | 3: bob -> alice 1",
    ),
];

fn expand(script: &str) -> String {
    let script = script.replace("REGISTER", REGISTER).replace("RENAME", RENAME);
    script.replace("UNLINK", "\u{1}").replace("LINK", LINK).replace('\u{1}', UNLINK)
}

/// The script of only what stands at the end.
fn straight(script: &str) -> String {
    let mut standing: Vec<(u64, String)> = Vec::new();
    for step in script.split('|').map(str::trim) {
        match step.strip_prefix('~') {
            Some(to) => {
                let to: u64 = to.trim().parse().expect("a height");
                standing.retain(|(height, _)| *height <= to);
            }
            None => {
                let label = step.split(':').next().expect("a label").trim_end_matches('\'');
                standing.push((label.trim().parse().expect("a height"), step.to_owned()));
            }
        }
    }
    standing.into_iter().map(|(_, step)| step).collect::<Vec<_>>().join(" | ")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_fork_ends_in_the_rows_of_the_straight_chain() {
    for (name, script) in FORKS {
        let script = expand(script);
        let mut forked = World::new().await;
        forked.play("chain", &script).await;
        forked.project().await;
        let mut plain = World::new().await;
        plain.play("chain", &straight(&script)).await;
        plain.project().await;
        assert_same(&forked.rows().await, &plain.rows().await, name);
    }
    assert!(FORKS.len() >= 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_during_a_restart_is_noticed_by_the_next_process() {
    let script = expand("1: REGISTER | 2: alice -> bob 0 | 3: LINK | ~1 | 2': mint bob 2 | 3: RENAME");
    let parsed = Script::parse(&script).expect("a script");
    let reorg = parsed.steps().iter().position(|step| matches!(step, Step::Reorg { .. })).expect("a fork");
    let mut world = World::new().await;
    let source = indexer::source::scripted::ScriptedSource::new(parsed);
    source.play_to(reorg);
    world.add_source("chain", source.clone()).await;
    world.follow("chain").await;
    world.project().await;
    // Another process comes up and sees the other branch at once.
    source.play_all();
    world.add_source("chain", source).await;
    world.follow("chain").await;
    world.project().await;
    let mut plain = World::new().await;
    plain.play("chain", &straight(&script)).await;
    plain.project().await;
    assert_same(&world.rows().await, &plain.rows().await, "fork during a restart");
}

#[tokio::test(flavor = "multi_thread")]
async fn worked_example_one() {
    let script =
        "0: allocate alice 64 | 1: alice -> bob 2 fee 1 | 2: alice -> carol 4 fee 1 | ~1 | 2': alice -> dave 8 fee 1";
    let mut world = World::new().await;
    world.play("chain", script).await;
    world.project().await;
    let balances = world.balances("chain").await;
    let levy = schema::source::SourceKind::Scripted.fee_rule();
    let schema::source::FeeRule::PaidTo(levy) = levy else { panic!("scripted fees are paid to somebody") };
    let of = |name: &str| balances.get(name).copied();
    assert_eq!(
        (of("alice"), of("bob"), of("dave"), of(levy), of("carol")),
        (Some(52), Some(2), Some(8), Some(2), None)
    );
    assert_eq!(balances.values().sum::<i64>(), 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_head_is_not_a_fork() {
    let script = "1: mint alice 64 | 2: alice -> bob 2 | 3: alice -> bob 4";
    let mut world = World::new().await;
    let source = world.add("chain", script).await;
    source.play_all();
    world.follow("chain").await;
    let before = world.project().await;
    for steps in [3, 2, 1, 4] {
        source.play_to(steps);
        world.follow("chain").await;
        assert_eq!(world.project().await, before, "the node showed only {steps} steps");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_below_the_finalized_height_halts_the_source_and_names_the_command() {
    let mut world = World::new().await;
    world.finality_depth = 1;
    let source = world.add("chain", "1: mint alice 64 | 2: alice -> bob 2 | 3: | 4: ").await;
    source.play_all();
    world.follow("chain").await;
    let before = world.project().await;
    source.replace(Script::parse("1': mint alice 32 | 2: | 3: | 4: | 5: ").expect("a script"));
    let error = world.follower("chain").round().await.expect_err("halts");
    assert!(error.to_string().contains("chert source accept-fork chain --height 0"), "{error}");
    assert_eq!(world.project().await, before, "nothing was retracted");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_chains_fork_at_once_and_neither_disturbs_the_other() {
    let (one, two) = (
        expand("1: mint alice 64 | 2: alice -> bob 1 | ~1 | 2: alice -> carol 2"),
        expand("1: REGISTER | 2: LINK | ~1 | 2': RENAME"),
    );
    let mut world = World::new().await;
    let (a, b) = (Script::parse(&one).expect("script"), Script::parse(&two).expect("script"));
    let (first, second) = (
        indexer::source::scripted::ScriptedSource::new(a.clone()),
        indexer::source::scripted::ScriptedSource::new(b.clone()),
    );
    world.add_source("one", first.clone()).await;
    world.add_source("two", second.clone()).await;
    for steps in 1..=a.steps().len().max(b.steps().len()) {
        first.play_to(steps);
        second.play_to(steps);
        world.follow("one").await;
        world.follow("two").await;
        world.project().await;
    }
    let mut plain = World::new().await;
    plain.play("one", &straight(&one)).await;
    plain.play("two", &straight(&two)).await;
    plain.project().await;
    assert_same(&world.rows().await, &plain.rows().await, "two chains");
}
