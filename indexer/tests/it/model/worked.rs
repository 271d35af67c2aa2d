//! The worked numbers of MEANING §10: the model has them without a database, and the database has what the model has.

use schema::chain::Height;
use schema::event::{Position, SourceId};
use schema::source::{SourceFacts, SourceKind};
use schema::store::LoggedUnit;

use super::database::{lines_of, read_log};
use super::{By, Model, Timeframe, assert_models, pure_log};
use crate::histories::cast::{self, Piece, Proved};
use crate::histories::{Shift, Teller};
use crate::support::{World, connect};

/// A source of a log that no database has seen.
fn facts(source: i32, trusted: bool) -> SourceFacts {
    SourceFacts {
        source_id: SourceId(source),
        name: "chain".to_owned(),
        kind: SourceKind::Scripted,
        chain_id: Some("scripted".to_owned()),
        trusted,
        off_block_state: false,
        start_height: Height::GENESIS,
        symbol: String::new(),
        decimals: 0,
    }
}

/// The end of a log.
fn end(log: &[LoggedUnit]) -> Position {
    log.last().expect("a log").end_position
}

/// The position at which a height was complete for the nth time, from 0.
fn complete(log: &[LoggedUnit], height: i64, nth: usize) -> Position {
    let at_height = log.iter().filter(|unit| unit.height.is_some_and(|unit| unit.to_db() == height));
    at_height.map(|unit| unit.end_position).nth(nth).expect("such a block")
}

/// The database shows what the model says, at the end of a script.
async fn assert_database(script: &str, trusts: bool) {
    let mut world = World::new().await;
    world.trusts = trusts;
    world.play("chain", script).await;
    let at = world.project().await;
    let mut db = connect(&world.database).await;
    let (log, facts) = read_log(&mut db).await;
    let lines = lines_of(&mut db, at, |_| true).await;
    assert_models(&lines, &Model::of(&log, &facts, at), script);
}

fn boinc(id: &str, miner: usize, credit: &'static str) -> String {
    let work_type = "boinc";
    let piece = Piece { id: id.to_owned(), miner, oracle: 0, work_type, credit, bytes: None, latency_s: Some(60) };
    piece.submitted(&cast::oracle_account(0), None)
}

fn score(model: &Model<'_>, who: usize) -> i128 {
    let board = model.board("boinc", Timeframe::All, By::Identity);
    let entry = board.entries.iter().find(|entry| entry.name == cast::identity(who));
    entry.map_or(0, |entry| entry.score / 1_000_000_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_a_fork_undoes_what_was_sent() {
    let script =
        "0: allocate alice 64 | 1: alice -> bob 2 fee 1 | 2: alice -> carol 4 fee 1 | ~1 | 2': alice -> dave 8 fee 1";
    let (log, facts) = (pure_log(&[script]), [facts(1, true)]);
    let balances = |at: Position| {
        let model = Model::of(&log, &facts, at);
        ["alice", "bob", "carol", "dave", "levy"].map(|name| model.chains[&1].balance(name))
    };
    assert_eq!(balances(complete(&log, 1, 0)), [Some(61), Some(2), None, None, Some(1)]);
    assert_eq!(balances(complete(&log, 2, 0)), [Some(56), Some(2), Some(4), None, Some(2)]);
    assert_eq!(balances(complete(&log, 2, 1)), [Some(52), Some(2), None, Some(8), Some(2)]);
    for at in log.iter().map(|unit| unit.end_position).filter(|at| *at >= complete(&log, 0, 0)) {
        assert_eq!(balances(at).into_iter().flatten().sum::<i128>(), 64, "as of {at}");
    }
    assert_database(script, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_a_link_brings_earlier_work_and_an_unproven_claim_counts_nothing() {
    let (bob, claimant, wallet) = (1, 2, 1);
    let mut teller = Teller::default();
    let mut block = |deeds: &[String]| teller.block(Shift::By(0), false, deeds);
    block(&[
        cast::register_oracle("origin", 0),
        cast::register("bob", bob, "public"),
        cast::register("carol", claimant, "public"),
    ]);
    block(&[boinc("a", wallet, "10"), boinc("b", wallet, "20"), boinc("c", wallet, "30")]);
    block(&[cast::link("carol", claimant, wallet, Proved::Unverifiably)]);
    block(&[cast::link("bob", bob, wallet, Proved::Well)]);
    block(&[cast::unlink("bob", bob, wallet)]);
    let script = teller.script();
    let (log, facts) = (pure_log(&[&script]), [facts(1, false)]);
    let at = |height: i64| Model::of(&log, &facts, complete(&log, height, 0));
    assert_eq!([2, 3, 4, 5].map(|height| score(&at(height), bob)), [0, 0, 60, 0]);
    assert_eq!([2, 3, 4, 5].map(|height| score(&at(height), claimant)), [0, 0, 0, 0]);
    let contested =
        |model: &Model<'_>| model.lines().get("contested_wallets").map_or(0, std::collections::BTreeSet::len);
    assert_eq!(contested(&at(4)), 1, "the earlier claim without a proof is a finding");
    for trusts in [false, true] {
        assert_database(&script, trusts).await;
    }
}

/// Fields of the only proposal: status, computed outcome, tallies.
fn proposal(model: &Model<'_>) -> [String; 3] {
    let lines = model.lines();
    let line = lines["proposals"].first().expect("a proposal");
    let fields: Vec<&str> = line.split('|').collect();
    [fields[6], fields[7], fields[9]].map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn three_computed_power_counts_and_the_last_vote() {
    let (in_favour, against, abstaining) = (0, 1, 2);
    let mut first = vec![];
    for (who, name, stake) in [(in_favour, "alice", 30), (against, "bob", 20), (abstaining, "carol", 5)] {
        first.push(cast::register(name, who, "public"));
        first.push(cast::link(name, who, who, Proved::Well));
        first.push(cast::stake("stake", who, stake));
    }
    let mut teller = Teller::default();
    teller.block(Shift::By(0), false, &first);
    teller.block(Shift::By(0), false, &[cast::propose("alice", 7, in_favour, 10, 30, 50)]);
    let votes = [
        cast::vote("alice", 7, in_favour, "for", 30),
        cast::vote("bob", 7, against, "against", 40),
        cast::vote("carol", 7, abstaining, "abstain", 5),
    ];
    teller.block(Shift::By(0), false, &votes);
    teller.block(Shift::By(1_000), false, &[]);
    teller.fork(1);
    teller.block(Shift::By(0), false, &[cast::vote("alice", 7, in_favour, "abstain", 30)]);
    teller.block(Shift::By(1_000), false, &[]);
    let script = teller.script();
    let (log, facts) = (pure_log(&[&script]), [facts(1, true)]);
    let ended = Model::of(&log, &facts, complete(&log, 4, 0));
    assert_eq!(proposal(&ended), ["ended", "passed", "[30, 20, 5]"]);
    let claims_too_much = |model: &Model<'_>| {
        let lines = model.lines();
        lines["findings"].iter().filter(|line| line.ends_with("|claimed-too-much-power|true")).count()
    };
    assert_eq!(claims_too_much(&ended), 1);
    let other = Model::of(&log, &facts, end(&log));
    assert_eq!(proposal(&other), ["ended", "rejected", "[0, 20, 35]"]);
    assert_database(&script, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn four_ties_go_to_the_older_contribution_and_percentiles_count_those_behind() {
    // Four identities have wallets of their own; the fifth has what two of them leave, through an address without a key.
    let credits = ["7", "9", "3", "7", "1"];
    let mut teller = Teller::default();
    let mut first = vec![cast::register_oracle("origin", 0)];
    let names = ["alice", "bob", "carol", "dave", "erin"];
    for (who, name) in names.into_iter().enumerate() {
        first.push(cast::register(name, who, "public"));
        first.push(if who < 4 { cast::link(name, who, who, Proved::Well) } else { link_named(name, who) });
    }
    teller.block(Shift::By(0), false, &first);
    for who in [3, 1, 0, 2] {
        teller.block(Shift::By(0), false, &[boinc(&format!("s{who}"), who, credits[who])]);
    }
    let last = boinc("s4", 3, credits[4]).replace(r#""miner_address":"rig""#, r#""miner_address":"barn""#);
    teller.block(Shift::By(0), false, &[last]);
    let script = teller.script();
    let (log, facts) = (pure_log(&[&script]), [facts(1, true)]);
    let model = Model::of(&log, &facts, end(&log));
    let board = model.board("boinc", Timeframe::All, By::Identity);
    let names: Vec<String> = board.entries.iter().map(|entry| entry.name.clone()).collect();
    assert_eq!(names, [1, 3, 0, 2, 4].map(cast::identity), "of the two sevens the older contribution comes first");
    let percentiles = [1, 2, 3, 4, 5].map(|rank| board.percentile(rank) / 1_000_000_000);
    assert_eq!(percentiles, [80, 60, 40, 20, 0]);
    assert_database(&script, true).await;
}

/// A link of an address that only a trusted source's word supports.
fn link_named(by: &str, who: usize) -> String {
    cast::link(by, who, 3, Proved::Unverifiably).replace(r#""wallet_address":"rig""#, r#""wallet_address":"barn""#)
}
