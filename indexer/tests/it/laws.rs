//! What every projection must hold to, over random histories: same log, same rows; any batching, same rows; a fork replaced
//! is the straight chain; rebuilt is the same; and an answer as of a position never changes.

use std::collections::BTreeMap;

use config::postgres::Role;
use indexer::checksum::view_rows;
use indexer::projector::{Projector, rebuild::rebuild};
use indexer::source::scripted::Script;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use schema::db::{REBUILD_SCHEMA, Session};
use schema::event::Position;

use crate::histories::{history, straight};
use crate::support::{World, assert_same, connect};

const CASES: u32 = 16;

/// Random histories of actions after blocks that stand at the beginning: more blocks, and forks back to some height.
pub fn history_after(start: &[String], action: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let step = prop_oneof![
        3 => prop::collection::vec(action, 0..4).prop_map(|actions| (None, actions)),
        1 => (0..6_u64).prop_map(|back| (Some(back), Vec::new())),
    ];
    let start: Vec<String> = (1..).zip(start).map(|(height, actions)| format!("{height}: {actions}")).collect();
    prop::collection::vec(step, 2..14).prop_map(move |steps| {
        let mut script = start.clone();
        let (mut height, mut blocks) = (start.len(), 0_usize);
        for (back, actions) in steps {
            match back {
                None => {
                    height += 1;
                    blocks += 1;
                    script.push(format!("{height}{}: {}", "'".repeat(blocks), actions.join(", ")));
                }
                Some(back) if height > 0 => {
                    height = height.saturating_sub(usize::try_from(back + 1).unwrap_or_default());
                    script.push(format!("~{height}"));
                }
                Some(_) => {}
            }
        }
        // A lower head alone is not a fork: only another block at a known height is.
        script.push(format!("{}{}: ", height + 1, "'".repeat(blocks + 1)));
        script.join(" | ")
    })
}

/// Holds one history to the laws.
pub async fn obeys_every_law(script: String) {
    let mut world = World::new().await;
    // Folded unit by unit, noting what each position shows.
    let mut shown: BTreeMap<Position, BTreeMap<String, Vec<String>>> = BTreeMap::new();
    world.projector = Projector::open(connect(&world.database).await, 1).await.expect("opens");
    let parsed = Script::parse(&script).expect("a script");
    let source = indexer::source::scripted::ScriptedSource::new(parsed.clone());
    world.add_source("chain", source.clone()).await;
    for steps in 1..=parsed.steps().len() {
        source.play_to(steps);
        world.follow("chain").await;
        while world.projector.step().await.expect("folds").events > 0 {
            shown.insert(world.projector.position(), world.current().await);
        }
    }
    let rows = world.rows().await;

    let mut plain = World::new().await;
    plain.play("chain", &straight(&script)).await;
    plain.project().await;
    assert_same(&rows, &plain.rows().await, "a fork replaced is the straight chain");

    // The same log in one batch, in a second schema.
    let url = world.database.url(Role::Indexer).to_owned();
    rebuild(&url, 100_000, false).await.expect("rebuilds");
    let session = Session { view_schema: REBUILD_SCHEMA, ..Session::indexer() };
    let rebuilt = view_rows(&mut session.connect(&url).await.expect("connects")).await.expect("rows");
    assert_same(&rebuilt, &rows, "rebuilt in one batch is folded unit by unit");

    // As of every position: what was shown there then.
    for (position, then) in &shown {
        assert_eq!(&world.as_of(*position).await, then, "as of {position}");
    }
    rebuild(&url, 7, true).await.expect("rebuilds and swaps");
    world.projector = Projector::open(connect(&world.database).await, 1000).await.expect("opens after the swap");
    assert_same(&world.rows().await, &rows, "swapped in");
    for (position, then) in &shown {
        assert_eq!(&world.as_of(*position).await, then, "as of {position}, after a rebuild");
    }

    // Asked again, the source has nothing new, and nothing changes.
    let before = world.project().await;
    world.add_source("chain", source).await;
    world.follow("chain").await;
    assert_eq!(world.project().await, before, "redelivery changes nothing");
}

#[test]
fn every_projection_obeys_the_laws() {
    obey(&history(), CASES);
}

/// Holds random histories to the laws, always the same ones.
pub fn obey(histories: &impl Strategy<Value = String>, cases: u32) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(histories, |script| {
        runtime.block_on(obeys_every_law(script));
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
