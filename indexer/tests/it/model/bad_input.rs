//! Whatever a chain says, nothing stops: what does not fit is kept as `source.unrecognized`, what contradicts the rules
//! is a finding, and the totals are those of the model.

use std::collections::BTreeMap;

use config::postgres::Role;
use indexer::projector::{Projector, rebuild::rebuild};
use schema::db::REBUILD_SCHEMA;
use schema::event::{Event, Position, RecordedEvent};
use schema::store::LoggedUnit;

use super::database::{connect_to, lines_of, read_log};
use super::{Model, assert_models};
use crate::histories::cast::{self, ORACLES, identity, wallet};
use crate::histories::{Shift, Teller};
use crate::support::{World, connect, texts};

/// What becomes of bad input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The payload does not fit.
    Unrecognized,
    /// The event counts nothing, and this finding says why.
    Refused(&'static str),
    /// The event counts, and this finding says what is wrong with it.
    Noted(&'static str),
    /// It is only very large.
    Counts,
}
use Fate::{Counts, Noted, Refused, Unrecognized};

/// Height of the block with the bad input.
const BAD_HEIGHT: i64 = 5;

/// `by` says something with these fields.
fn say(by: &str, kind: &str, fields: &str) -> String {
    format!("{by} !{kind} {{{fields}}}")
}

fn money() -> Vec<(String, Fate)> {
    let account = &wallet(0).address;
    let stake = |amount: &str| {
        say(account, "staking.stake", &format!(r#""account":"{account}","validator":"V","amount":{amount}"#))
    };
    let max = u64::MAX.to_string();
    vec![
        (format!("mint {account} {max}"), Counts),
        (format!("mint {account} {max}"), Counts),
        (stake("18446744073709551616"), Unrecognized),
        (stake("-1"), Unrecognized),
        (stake("1.5"), Unrecognized),
        (stake("1e3"), Unrecognized),
        (stake(r#""NaN""#), Unrecognized),
        (stake("null"), Unrecognized),
        (stake("[1]"), Unrecognized),
        (stake(&max), Counts),
        (stake(&format!(r#""{max}""#)), Counts),
        (stake(&max), Refused("staked-too-much")),
        (cast::stake("unstake", 3, u64::MAX), Refused("unstaked-too-much")),
        (stake("7").replacen(account, "bob", 1), Refused("stake-not-own")),
        (say("alice", "reward.mint", r#""address":"alice","amount":5"#), Unrecognized),
        (say("alice", "genesis.allocate", r#""address":"alice","amount":5"#), Unrecognized),
        (say("alice", "no.such_kind", r#""amount":5"#), Unrecognized),
        (r#"alice !{"v":2,"kind":"staking.stake"}"#.to_owned(), Unrecognized),
        (r#"alice !{"v":1,"kind":"staking.stake","kind":"staking.unstake"}"#.to_owned(), Unrecognized),
    ]
}

fn governance() -> Vec<(String, Fate)> {
    let (id, stranger) = (identity(0), identity(8));
    let propose = |number: &str, more: &str| {
        let fields = format!(r#""proposal_id":{number},"proposer":"{id}","proposal_type":"text",{more}"#);
        say("alice", "governance.propose", &fields)
    };
    let window = r#""voting_starts_at":1,"voting_ends_at":2"#;
    let titled = |chars: usize| format!(r#""title":"{}",{window}"#, "t".repeat(chars));
    let vote = |number: &str, power: &str| {
        let fields = format!(r#""proposal_id":{number},"voter":"{id}","choice":"for","power":{power}"#);
        say("alice", "governance.vote", &fields)
    };
    vec![
        (propose("100", &titled(10_000)), Unrecognized),
        (propose("101", &titled(257)), Unrecognized),
        (propose("102", &titled(256)), Counts),
        (propose("103", &format!(r#"{},"description":"{}""#, titled(1), "d".repeat(10_001))), Unrecognized),
        (propose("104", &format!(r#"{},"quorum":18446744073709551616"#, titled(1))), Unrecognized),
        (propose("105", &format!(r#"{},"quorum":18446744073709551615"#, titled(1))), Counts),
        (propose("106", r#""title":"t","voting_starts_at":2,"voting_ends_at":1"#), Unrecognized),
        (propose("107", r#""title":"t","voting_starts_at":"NaN","voting_ends_at":1"#), Unrecognized),
        (propose("108", r#""title":"t","voting_starts_at":1,"voting_ends_at":253402300799"#), Unrecognized),
        (propose("109", r#""title":"t","voting_starts_at":1,"voting_ends_at":253402300798"#), Counts),
        (propose("-1", &titled(1)), Unrecognized),
        (propose("9223372036854775808", &titled(1)), Unrecognized),
        (propose("9223372036854775807", &titled(1)), Counts),
        (propose(r#""0009""#, &titled(1)), Counts),
        (propose("9", &titled(1)), Refused("proposed-twice")),
        (propose("110", &titled(1)).replace(&id, &stranger), Refused("unknown-identity")),
        (propose("111", &titled(1)).replace("alice !", "bob !"), Refused("not-controller")),
        (vote("1", "18446744073709551616"), Unrecognized),
        (vote("1", "-5"), Unrecognized),
        (vote("1", "18446744073709551615"), Noted("claimed-too-much-power")),
        (vote("1", "0").replace(r#""for""#, r#""maybe""#), Unrecognized),
        (vote("999", "1"), Refused("unknown-proposal")),
        (vote("102", "1"), Refused("vote-outside-window")),
        (vote("1", "1").replace(&id, &stranger), Refused("unknown-identity")),
        (cast::finalize("origin", 998, "passed", None), Refused("unknown-proposal")),
        (cast::finalize("alice", 102, "passed", None), Refused("not-origin")),
        (cast::finalize("origin", 102, "passed", Some(u64::MAX)), Noted("tally-differs")),
        (cast::finalize("origin", 102, "passed", Some(1)), Refused("decided-already")),
        (cast::decide("execute", "origin", 105), Refused("not-passed")),
        (cast::decide("cancel", "origin", 102), Refused("not-open")),
        (cast::delegate("delegate", "alice", 0, 1, u64::MAX), Counts),
        (cast::delegate("delegate", "carol", 2, 1, 50), Noted("delegated-too-much")),
        (cast::delegate("delegate", "carol", 2, 1, 51), Refused("delegated-too-much")),
        (cast::delegate("delegate", "alice", 0, 0, 1), Refused("self-delegation")),
        (cast::delegate("delegate", "alice", 0, 8, 1), Refused("unknown-identity")),
        (cast::delegate("undelegate", "dave", 3, 1, 1), Refused("undelegated-too-much")),
    ]
}

fn work() -> Vec<(String, Fate)> {
    let (oracle, miner) = (cast::oracle_account(0), &wallet(0).address);
    let submit = |id: &str, work_type: &str, more: &str| {
        let fields = format!(
            r#""submission_id":"{id}","miner_address":"{miner}","oracle_id":"{}","work_type":"{work_type}","validated_at":9,{more}"#,
            ORACLES[0]
        );
        say(&oracle, "pouw.submit", &fields)
    };
    let plain = r#""difficulty":1,"reward":1"#;
    let credit = |credit: &str| format!(r#"{plain},"credit":{credit}"#);
    let largest = "999999999999999999.999999999";
    vec![
        (submit("b0", "boinc", &credit(r#""NaN""#)), Unrecognized),
        (submit("b1", "boinc", &credit("-1")), Unrecognized),
        (submit("b2", "boinc", &credit("1e400")), Unrecognized),
        (submit("b3", "boinc", &credit("1000000000000000000")), Unrecognized),
        (submit("b4", "boinc", &credit("0.0000000001")), Unrecognized),
        (submit("b5", "boinc", &credit(largest)), Counts),
        (submit("b6", "boinc", &credit(largest)), Counts),
        (submit("b7", "boinc", r#""difficulty":"Infinity","reward":1"#), Unrecognized),
        (submit("b8", "boinc", r#""difficulty":1,"reward":18446744073709551616"#), Unrecognized),
        (submit("b9", "bandwidth", &format!(r#"{plain},"bytes":18446744073709551616"#)), Unrecognized),
        (submit("b10", "bandwidth", &format!(r#"{plain},"bytes":18446744073709551615"#)), Counts),
        (submit("b11", "gold", plain), Unrecognized),
        (submit("b12", "nuw_", plain), Unrecognized),
        (submit(&"b".repeat(65), "boinc", plain), Unrecognized),
        (submit("", "boinc", plain), Unrecognized),
        (submit(r"a\u0000b", "boinc", plain), Unrecognized),
        (submit("b13", "boinc", &format!(r#"{plain},"oracle_signature":"zz""#)), Unrecognized),
        (submit("b14", "boinc", &format!(r#"{plain},"oracle_signature":"00""#)), Refused("refuted-oracle-signature")),
        (submit("b15", "boinc", &format!(r#"{plain},"submitted_at":10"#)), Noted("validated-before-submitted")),
        (submit("b5", "boinc", plain), Refused("repeated-submission")),
        (submit("b16", "boinc", plain).replace("\"o0\"", "\"o2\""), Refused("unregistered-oracle")),
        (submit("b17", "boinc", plain).replace("oracle0 !", "alice !"), Refused("not-the-oracle")),
        (cast::reject("oracle1", "b6", 0, 1), Refused("not-the-validating-oracle")),
        (cast::reject("alice", "b6", 0, 0), Refused("not-the-oracle")),
        (cast::reject(&oracle, "b6", 0, 0), Counts),
        (cast::reject(&oracle, "b6", 1, 0), Refused("rejected-twice")),
        (cast::register_oracle("alice", 2), Refused("not-origin")),
        (cast::register_oracle("origin", 0), Refused("oracle-registered-twice")),
        (cast::slash(2, 1), Refused("unknown-oracle")),
        (cast::slash(0, u64::MAX), Counts),
    ]
}

fn people() -> Vec<(String, Fate)> {
    let (id, account) = (identity(0), &wallet(0).address);
    let link = |link_type: &str, key: &str| {
        let proof = format!(r#"{{"alg":"ed25519","public_key":"{key}","signature":"00"}}"#);
        let fields =
            format!(r#""identity_id":"{id}","wallet_address":"{account}","link_type":"{link_type}","proof":{proof}"#);
        say("alice", "identity.link_wallet", &fields)
    };
    vec![
        (cast::follow("follow", "alice", 0, 0), Unrecognized),
        (cast::follow("follow", "alice", 0, 8), Refused("unknown-identity")),
        (cast::follow("follow", "bob", 0, 1), Refused("not-controller")),
        (cast::follow("unfollow", "alice", 0, 2), Refused("not-followed")),
        (cast::unlink("alice", 0, 2), Refused("not-linked")),
        (cast::unlink("bob", 0, 0), Refused("not-controller")),
        (link(&"x".repeat(33), "00"), Unrecognized),
        (link("main", "zz"), Unrecognized),
        (link("main", "00"), Refused("refuted-proof")),
        (cast::register("bob", 0, "public"), Refused("registered-twice")),
        (cast::register("bob", 4, "hidden"), Unrecognized),
        (cast::update("alice", 8, "public"), Refused("unknown-identity")),
        (cast::rotate_key("alice", 0, 1, false), Refused("refuted-proof")),
    ]
}

/// A chain that everybody is introduced to, and then this in one block.
fn script(bad: &[(String, Fate)]) -> String {
    let mut teller = Teller::closed();
    teller.introduce([false; 4]);
    teller.block(Shift::By(0), false, &[cast::vote("bob", 1, 1, "against", 1)]);
    teller.block(Shift::By(0), false, &[cast::follow("follow", "alice", 0, 1)]);
    let said: Vec<String> = bad.iter().map(|(said, _)| said.clone()).collect();
    teller.block(Shift::By(0), false, &said);
    teller.block(Shift::By(100_000), false, &[]);
    teller.script()
}

/// Whether an event met its fate, by the findings about it.
fn met(fate: Fate, event: &RecordedEvent, findings: &BTreeMap<i64, Vec<(String, bool)>>) -> bool {
    let found = findings.get(&event.position.0).map_or(&[][..], Vec::as_slice);
    let is = |code: &str, counts: bool| found.contains(&(code.to_owned(), counts));
    let is_recognized = !matches!(event.event, Event::Unrecognized(_));
    match fate {
        Unrecognized => !is_recognized && found.is_empty(),
        Refused(code) => is_recognized && found.len() == 1 && is(code, false),
        Noted(code) => is_recognized && is(code, true) && found.iter().all(|(_, counts)| *counts),
        Counts => is_recognized && found.is_empty(),
    }
}

fn findings(model: &Model<'_>) -> BTreeMap<i64, Vec<(String, bool)>> {
    let mut by_event: BTreeMap<i64, Vec<(String, bool)>> = BTreeMap::new();
    for ((position, code), counts) in model.chains.values().flat_map(|chain| &chain.findings) {
        by_event.entry(*position).or_default().push((code.clone(), *counts));
    }
    by_event
}

fn assert_fates(log: &[LoggedUnit], model: &Model<'_>, bad: &[(String, Fate)]) {
    let findings = findings(model);
    let block = log.iter().find(|unit| unit.height.is_some_and(|height| height.to_db() == BAD_HEIGHT));
    let events = &block.expect("the block is in the log").events;
    let mut wrong = Vec::new();
    for (index, (said, fate)) in (0..).zip(bad) {
        let mut of_tx = events.iter().filter(|event| event.tx_index == Some(index));
        let payload = of_tx.rfind(|event| !matches!(event.event, Event::TransactionApplied(_)));
        let event = payload.unwrap_or_else(|| panic!("{said} left nothing"));
        if !met(*fate, event, &findings) {
            let short: String = said.chars().take(200).collect();
            wrong.push(format!("{short} should be {fate:?} and is {:?}", findings.get(&event.position.0)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_stops_and_the_totals_are_those_of_the_model() {
    let bad = [money(), governance(), work(), people()].concat();
    let mut world = World::new().await;
    world.projector = Projector::open(connect(&world.database).await, 1).await.expect("opens");
    world.play("chain", &script(&bad)).await;
    let at: Position = world.project().await;
    let mut db = connect(&world.database).await;
    let aside = texts(&mut db, "select concat_ws(' ', view, state, error) from view_state where state <> 'live'").await;
    assert_eq!(aside, Vec::<String>::new(), "no view is set aside");
    let (log, facts) = read_log(&mut db).await;
    let model = Model::of(&log, &facts, at);
    assert_fates(&log, &model, &bad);
    assert_models(&lines_of(&mut db, at, |_| true).await, &model, "bad input");
    let url = world.database.url(Role::Indexer).to_owned();
    rebuild(&url, 100_000, false).await.expect("rebuilds");
    let mut rebuilt = connect_to(&url, REBUILD_SCHEMA).await;
    assert_models(&lines_of(&mut rebuilt, at, |_| true).await, &model, "bad input in one batch");
}
