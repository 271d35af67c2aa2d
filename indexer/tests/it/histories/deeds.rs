//! What may be done in a block: mostly by those who may, and mostly when it makes sense.

use proptest::prelude::*;
use proptest::sample::select;

use super::cast::{self, ORACLES, PEOPLE, Piece, Proved};

/// Types of work.
const TYPES: [&str; 8] = ["boinc", "boinc", "boinc", "nuw_dag", "nuw_zk", "bandwidth", "compute", "ceremony"];
/// Submissions share few ids, so that some are repeated and rejected.
const SUBMISSIONS: usize = 16;

/// Anything that may be done, with more follows and stakes.
pub fn deed_of_two() -> impl Strategy<Value = String> {
    prop_oneof![
        12 => deed(),
        1 => stakes(),
        2 => follows(),
    ]
}

/// Anything that may be done.
pub fn deed() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => money(),
        4 => identities(),
        5 => stakes(),
        11 => governance(),
        10 => work(),
        2 => follows(),
    ]
}

/// One of so many identities, and who acts for it: mostly its controller.
fn acted(count: usize) -> impl Strategy<Value = (usize, &'static str)> {
    (0..count, 0..PEOPLE.len(), prop::bool::weighted(0.92)).prop_map(|(who, other, is_own)| {
        let by = if is_own { PEOPLE.get(who).copied() } else { None };
        (who, by.unwrap_or(PEOPLE[other]))
    })
}

fn origin() -> impl Strategy<Value = &'static str> {
    select(vec!["origin", "origin", "origin", "origin", "origin", "origin", "alice"])
}

fn money() -> impl Strategy<Value = String> {
    let person = || select(&PEOPLE[..]);
    prop_oneof![
        3 => (person(), person(), 0..9_u64, 0..2_u64)
            .prop_map(|(from, to, amount, fee)| format!("{from} -> {to} {amount} fee {fee}")),
        1 => (person(), 1..64_u64).prop_map(|(to, amount)| format!("mint {to} {amount}")),
        1 => (person(), 1..3_u64).prop_map(|(from, amount)| format!("burn {from} {amount}")),
    ]
}

fn identities() -> impl Strategy<Value = String> {
    let wallet = || 0..4_usize;
    let visibility = || select(vec!["public", "public", "public", "friends_only", "private"]);
    let key = || select(vec![0, 0, 0, 1_u8]);
    let proved = || select(vec![Proved::Well, Proved::Well, Proved::Unverifiably, Proved::Unverifiably, Proved::Badly]);
    prop_oneof![
        2 => (acted(4), key(), visibility())
            .prop_map(|((who, by), key, visibility)| cast::register_with(by, who, key, visibility)),
        3 => (acted(4), visibility()).prop_map(|((who, by), visibility)| cast::update(by, who, visibility)),
        2 => (acted(4), key(), prop::bool::weighted(0.8))
            .prop_map(|((who, by), key, is_proved)| cast::rotate_key(by, who, key, is_proved)),
        6 => (acted(4), wallet(), proved()).prop_map(|((who, by), wallet, proved)| cast::link(by, who, wallet, proved)),
        3 => (acted(4), wallet()).prop_map(|((who, by), wallet)| cast::unlink(by, who, wallet)),
        // A wallet changes hands.
        2 => (0..4_usize, 0..4_usize, wallet()).prop_map(|(from, to, wallet)| {
            format!("{}, {}", cast::unlink(PEOPLE[from], from, wallet), cast::link(PEOPLE[to], to, wallet, Proved::Well))
        }),
    ]
}

fn stakes() -> impl Strategy<Value = String> {
    let who = || 0..4_usize;
    prop_oneof![
        3 => (who(), 1..12_u64).prop_map(|(wallet, amount)| cast::stake("stake", wallet, amount)),
        2 => (who(), 1..12_u64).prop_map(|(wallet, amount)| cast::stake("unstake", wallet, amount)),
        // Somebody else's money.
        1 => (who(), 1..12_u64).prop_map(|(wallet, amount)| {
            cast::stake("stake", wallet, amount).replacen(&cast::wallet(wallet).address, "carol", 1)
        }),
        5 => (acted(4), 0..5_usize, 1..9_u64)
            .prop_map(|((from, by), to, amount)| cast::delegate("delegate", by, from, to, amount)),
        2 => (acted(4), who(), 0..7_u64)
            .prop_map(|((from, by), to, amount)| cast::delegate("undelegate", by, from, to, amount)),
        // Most of it to two others, to the earlier id last; what is unstaked later uncovers one of them.
        4 => (to_two(), 4..6_u64).prop_map(|((from, to), amount)| {
            to.map(|to| cast::delegate("delegate", PEOPLE[from], from, to, amount)).join(", ")
        }),
        2 => (0..2_usize, 3..7_u64).prop_map(|(wallet, amount)| cast::stake("unstake", wallet, amount)),
    ]
}

/// Somebody who delegates, and two others to whom.
fn to_two() -> impl Strategy<Value = (usize, [usize; 2])> {
    select(vec![(0, [3, 2]), (0, [3, 1]), (0, [2, 1]), (1, [3, 2]), (1, [3, 0]), (1, [2, 0])])
}

fn governance() -> impl Strategy<Value = String> {
    let number = || select(vec![1, 1, 1, 2, 2, 3]);
    let starts = select(vec![-20, 0, 0, 0, 5, 10, 10, 30, 3_600]);
    let lasts = select(vec![5, 40, 40, 200, 3_600, 90_000, 90_000, 2_000_000]);
    let choice = || select(vec!["for", "for", "against", "abstain"]);
    let by_all = prop::array::uniform4(prop::option::weighted(0.7, (choice(), 0..12_u64)));
    let outcome = select(vec!["passed", "rejected"]);
    let claimed = prop::option::of(0..9_u64);
    prop_oneof![
        5 => (number(), acted(4), starts, lasts, 0..20_u64)
            .prop_map(|(number, (who, by), starts, lasts, quorum)| cast::propose(by, number, who, starts, lasts, quorum)),
        5 => (number(), acted(5), choice(), 0..12_u64)
            .prop_map(|(number, (who, by), choice, power)| cast::vote(by, number, who, choice, power)),
        7 => (number(), by_all).prop_map(|(number, by_all)| {
            let votes = PEOPLE.iter().zip(by_all).enumerate().filter_map(|(who, (by, vote))| {
                vote.map(|(choice, power)| cast::vote(by, number, who, choice, power))
            });
            votes.collect::<Vec<_>>().join(", ")
        }),
        2 => (origin(), number(), outcome, claimed)
            .prop_map(|(by, number, outcome, claimed)| cast::finalize(by, number, outcome, claimed)),
        1 => (origin(), number()).prop_map(|(by, number)| cast::decide("execute", by, number)),
        1 => (origin(), number()).prop_map(|(by, number)| cast::decide("cancel", by, number)),
    ]
}

/// Who sends a submission, and whether it is signed.
#[derive(Debug, Clone, Copy)]
enum Carrier {
    Oracle(Option<bool>),
    Miner(Option<bool>),
}

fn carrier() -> impl Strategy<Value = Carrier> {
    prop_oneof![
        5 => Just(Carrier::Oracle(None)),
        1 => any::<bool>().prop_map(|holds| Carrier::Oracle(Some(holds))),
        2 => Just(Carrier::Miner(Some(true))),
        1 => Just(Carrier::Miner(Some(false))),
        1 => Just(Carrier::Miner(None)),
    ]
}

/// A submission, and an oracle: mostly the one that judges it.
fn judged() -> impl Strategy<Value = (String, usize)> {
    (0..SUBMISSIONS, select(vec![None, None, None, None, None, None, Some(0), Some(1), Some(2)]))
        .prop_map(|(id, other)| (format!("s{id}"), other.unwrap_or(id % 2)))
}

fn piece() -> impl Strategy<Value = Piece> {
    let credit = select(vec!["10", "20", "7", "7", "2.5", "0.000000001", "0", ""]);
    let bytes = select(vec![None, None, Some(0), Some(7), Some(1 << 40)]);
    let latency = select(vec![None, Some(-1), Some(0), Some(5), Some(63), Some(64), Some(65), Some(200), Some(86_400)]);
    (judged(), 0..4_usize, select(&TYPES[..]), credit, bytes, latency).prop_map(
        |((id, oracle), miner, work_type, credit, bytes, latency_s)| Piece {
            id,
            miner,
            oracle,
            work_type,
            credit,
            bytes,
            latency_s,
        },
    )
}

fn work() -> impl Strategy<Value = String> {
    let person = || prop::option::weighted(0.1, select(&PEOPLE[..]));
    prop_oneof![
        12 => (piece(), carrier()).prop_map(|(piece, carrier)| match carrier {
            Carrier::Oracle(signed) => piece.submitted(&cast::oracle_account(piece.oracle), signed),
            Carrier::Miner(signed) => piece.submitted(&cast::wallet(piece.miner).address, signed),
        }),
        6 => (person(), judged(), 0..4_usize).prop_map(|(person, (id, oracle), miner)| {
            let account = cast::oracle_account(oracle);
            cast::reject(person.unwrap_or(&account), &id, miner, oracle)
        }),
        1 => (origin(), 0..ORACLES.len() - 1).prop_map(|(by, oracle)| cast::register_oracle(by, oracle)),
        1 => (0..ORACLES.len(), 1..9_u64).prop_map(|(oracle, amount)| cast::slash(oracle, amount)),
    ]
}

fn follows() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (acted(4), 0..5_usize).prop_map(|((from, by), to)| cast::follow("follow", by, from, to)),
        1 => (acted(4), 0..4_usize).prop_map(|((from, by), to)| cast::follow("unfollow", by, from, to)),
    ]
}
