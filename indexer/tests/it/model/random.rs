//! Random histories, folded unit by unit and compared with the model after each; then folded again in other batches.

use std::collections::BTreeMap;

use config::postgres::Role;
use indexer::projector::{Projector, rebuild::rebuild};
use indexer::source::scripted::{Script, ScriptedSource};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use schema::db::REBUILD_SCHEMA;
use schema::event::Position;
use sqlx::PgConnection;

use super::database::{APPENDED, connect_to, lines_of, read_log};
use super::seen::Seen;
use super::{Lines, Model, assert_models};
use crate::histories::{FORK_DEPTH_MAX, histories_of_two, history};
use crate::support::{World, connect, texts};

/// Histories of one chain.
const CASES: u32 = 20;
/// Histories of two chains.
const CASES_OF_TWO: u32 = 14;
/// Histories with restarts.
const CASES_WITH_RESTARTS: u32 = 10;
/// Tries to make a failing history smaller.
const SHRINKS_MAX: u32 = 60;

/// A history being told, and what was shown on the way.
struct Telling {
    world: World,
    db: PgConnection,
    shown: BTreeMap<Position, Lines>,
}

impl Telling {
    async fn new() -> Self {
        let mut world = World::new().await;
        // Some blocks become final on the way, and forks stay above them.
        world.finality_depth = u32::try_from(FORK_DEPTH_MAX).expect("a small number") + 1;
        world.projector = Projector::open(connect(&world.database).await, 1).await.expect("opens");
        let db = connect(&world.database).await;
        Self { world, db, shown: BTreeMap::new() }
    }

    /// Follows a source, and folds and compares unit by unit.
    async fn follow(&mut self, name: &str) {
        self.world.follow(name).await;
        self.fold().await;
    }

    async fn fold(&mut self) {
        let (log, facts) = read_log(&mut self.db).await;
        loop {
            let progress = self.world.projector.step().await.expect("folds");
            assert_eq!(progress.set_aside, [], "no view breaks");
            if progress.events == 0 {
                return;
            }
            let lines = lines_of(&mut self.db, progress.position, |_| true).await;
            assert_models(&lines, &Model::of(&log, &facts, progress.position), "unit by unit");
            self.shown.insert(progress.position, lines);
        }
    }

    /// Opens the projector again, as another process would.
    async fn restart(&mut self, batch_events: i64) {
        self.world.projector = Projector::open(connect(&self.world.database).await, batch_events).await.expect("opens");
    }

    /// Folds the same log in other batches; what only grows shows as of every position what was shown there.
    async fn again(&mut self) {
        let (log, facts) = read_log(&mut self.db).await;
        let at = self.world.projector.position();
        let model = Model::of(&log, &facts, at);
        let url = self.world.database.url(Role::Indexer).to_owned();
        for batch_events in [100_000, 7] {
            rebuild(&url, batch_events, false).await.expect("rebuilds");
            let mut rebuilt = connect_to(&url, REBUILD_SCHEMA).await;
            let lines = lines_of(&mut rebuilt, at, |_| true).await;
            assert_models(&lines, &model, &format!("in batches of {batch_events}"));
            let aside = texts(&mut rebuilt, "select view || ' ' || state from view_state where state <> 'live'").await;
            assert_eq!(aside, Vec::<String>::new(), "every view is live in batches of {batch_events}");
            for (position, shown) in &self.shown {
                let is_appended = |view: &str| APPENDED.contains(&view);
                let lines = lines_of(&mut rebuilt, *position, is_appended).await;
                let then: Lines = shown
                    .iter()
                    .filter(|(view, _)| is_appended(view))
                    .map(|(view, lines)| (view.clone(), lines.clone()))
                    .collect();
                assert_eq!(lines, then, "as of {position}, in batches of {batch_events}");
            }
        }
    }

    async fn see(&mut self, seen: &mut Seen) {
        let (log, facts) = read_log(&mut self.db).await;
        seen.look(&log, &facts, &self.shown);
    }
}

fn run<T: std::fmt::Debug>(
    cases: u32,
    seed: u8,
    strategy: impl Strategy<Value = T>,
    check: impl AsyncFn(T, &mut Seen),
) -> Seen {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: SHRINKS_MAX, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let seen = std::cell::RefCell::new(Seen::default());
    let outcome = runner.run(&strategy, |told| {
        let mut of_case = Seen::default();
        runtime.block_on(check(told, &mut of_case));
        seen.borrow_mut().add(&of_case);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("seed {seed}: {failure}"));
    seen.into_inner()
}

#[test]
fn one_chain_is_its_model() {
    let seen = run(CASES, 17, history(), async |script: String, seen: &mut Seen| {
        let parsed = Script::parse(&script).expect("a script");
        let source = ScriptedSource::new(parsed.clone());
        let mut telling = Telling::new().await;
        telling.world.add_source("one", source.clone()).await;
        for steps in 1..=parsed.steps().len() {
            source.play_to(steps);
            telling.follow("one").await;
        }
        telling.again().await;
        telling.see(seen).await;
    });
    seen.assert_dense();
}

#[test]
fn two_chains_are_their_model() {
    let strategy = (histories_of_two(), prop::collection::vec(any::<bool>(), 40));
    let seen =
        run(CASES_OF_TWO, 12, strategy, async |((one, two), turns): ((String, String), Vec<bool>), seen: &mut Seen| {
            let scripts = [Script::parse(&one).expect("a script"), Script::parse(&two).expect("a script")];
            let sources = scripts.clone().map(ScriptedSource::new);
            let mut telling = Telling::new().await;
            let names = ["one", "two"];
            telling.world.add_source("one", sources[0].clone()).await;
            // The second comes when the first has begun; its word alone counts nothing.
            telling.follow("one").await;
            telling.world.trusts = false;
            telling.world.add_source("two", sources[1].clone()).await;
            let mut steps = [0, 0];
            let turns = turns.into_iter().map(usize::from).chain([0, 1].into_iter().cycle());
            for (number, turn) in turns.take(200).enumerate() {
                // What was remembered is read again.
                if number % 3 == 2 {
                    telling.restart(1).await;
                }
                if steps[turn] < scripts[turn].steps().len() {
                    steps[turn] += 1;
                    sources[turn].play_to(steps[turn]);
                    telling.follow(names[turn]).await;
                }
            }
            assert_eq!(steps, [scripts[0].steps().len(), scripts[1].steps().len()], "all is told");
            telling.again().await;
            telling.see(seen).await;
        });
    seen.assert_dense();
    seen.assert_dense_of_two();
}

#[test]
fn a_chain_is_its_model_whenever_the_projector_is_restarted() {
    let restarts = prop::collection::vec(prop::sample::select(vec![0, 0, 1, 5, 1000]), 40);
    run(
        CASES_WITH_RESTARTS,
        13,
        (history(), restarts),
        async |(script, restarts): (String, Vec<i64>), _: &mut Seen| {
            let parsed = Script::parse(&script).expect("a script");
            let source = ScriptedSource::new(parsed.clone());
            let mut telling = Telling::new().await;
            telling.world.add_source("one", source.clone()).await;
            for (steps, batch_events) in (1..=parsed.steps().len()).zip(restarts.into_iter().cycle()) {
                source.play_to(steps);
                telling.world.follow("one").await;
                // Some restarts find several blocks waiting.
                if batch_events > 0 {
                    telling.restart(batch_events).await;
                    telling.fold().await;
                }
            }
            telling.fold().await;
            telling.again().await;
        },
    );
}
