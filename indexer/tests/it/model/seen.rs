//! What random histories came across, so that a comparison in which nothing happens fails.

use std::collections::{BTreeMap, BTreeSet};

use schema::event::Position;
use schema::source::SourceFacts;
use schema::store::LoggedUnit;

use super::{Lines, Model};

/// What is looked for, and how often it must have been seen in all.
const WANTED: &[(&str, usize)] = &[
    ("a vote that counts", 20),
    ("a vote that another of the same voter supersedes", 5),
    ("a vote that claims too much", 5),
    ("a vote outside of the window", 5),
    ("a vote of somebody without power", 3),
    ("a proposal that ended", 5),
    ("a proposal that was finalized", 3),
    ("a delegation", 8),
    ("a delegation that stake no longer covers", 8),
    ("a delegation of too much", 3),
    ("two delegations of which only the older is covered", 3),
    ("work that counts", 30),
    ("work that is too old for the day", 4),
    ("work that is too old for the week", 2),
    ("work that was taken out", 4),
    ("work in an oracle's name that is not proven", 5),
    ("work with a refuted signature", 3),
    ("work with an id that counted before", 5),
    ("a wallet that was displaced or claimed twice", 10),
    ("an identity on a board", 10),
    ("a rank of a former day", 5),
    ("an address's place of a former day", 5),
    ("a fork", 12),
    ("a fork of three blocks or more", 3),
    ("a fork back over a full hour", 4),
    ("a fork back over a full day", 2),
    ("a fork that undid a vote that counted", 3),
    ("a fork that undid work that counted", 3),
    ("a fork that undid a delegation", 1),
];

/// What is looked for besides where there are two chains.
const WANTED_OF_TWO: &[(&str, usize)] = &[
    ("a second registration by the same account", 10),
    ("a second registration by another account", 10),
    ("a registration that is recognised since an earlier one was retracted", 4),
    ("a follow that counts on its chain alone", 5),
    ("a wallet that counts on its chain alone", 5),
    ("work that counts on its chain alone", 3),
    ("a follow or wallet that counts since then", 4),
];

/// How many histories came across what.
#[derive(Debug, Default)]
pub struct Seen(BTreeMap<&'static str, usize>);

impl Seen {
    fn note(&mut self, what: &'static str, count: usize) {
        assert!(WANTED.iter().chain(WANTED_OF_TWO).any(|(wanted, _)| *wanted == what), "{what} is looked for");
        *self.0.entry(what).or_default() += count;
    }

    /// Adds what another history came across.
    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            self.note(what, *count);
        }
    }

    /// Fails unless enough was seen of everything.
    pub fn assert_dense(&self) {
        self.assert_seen(WANTED);
    }

    /// Fails unless enough was seen of what two chains say of the same identities.
    pub fn assert_dense_of_two(&self) {
        self.assert_seen(WANTED_OF_TWO);
    }

    fn assert_seen(&self, wanted: &[(&'static str, usize)]) {
        let count = |what: &str| self.0.get(what).copied().unwrap_or_default();
        let missed: Vec<_> = wanted.iter().filter(|(what, least)| count(what) < *least).collect();
        assert!(missed.is_empty(), "too little was seen of {missed:?} in {:#?}", self.0);
    }

    /// Looks at a history: on the way, at its end, and at what its forks undid.
    pub fn look(&mut self, log: &[LoggedUnit], facts: &[SourceFacts], shown: &BTreeMap<Position, Lines>) {
        for lines in shown.values() {
            self.note("a delegation that stake no longer covers", usize::from(uncovered(lines)));
            self.note("two delegations of which only the older is covered", usize::from(is_older_covered(lines)));
        }
        for (before, after) in shown.values().zip(shown.values().skip(1)) {
            self.look_at_recognition(before, after);
        }
        let Some(last) = shown.values().last() else { return };
        self.look_at(last);
        self.look_at_chains(last);
        for unit in log.iter().filter(|unit| unit.retraction().is_some()) {
            let before = Model::of(log, facts, Position(unit.first_position.0 - 1));
            let after = Model::of(log, facts, unit.end_position);
            self.look_at_fork(&before, &after, unit);
        }
    }

    fn look_at(&mut self, lines: &Lines) {
        let count = |view: &str, with: &dyn Fn(&[&str]) -> bool| {
            let lines = lines.get(view).into_iter().flatten();
            lines.filter(|line| with(&line.split('|').collect::<Vec<_>>())).count()
        };
        let counting_votes = count("votes", &|vote| vote[7] == "true");
        let ballots = count("ballots", &|_| true);
        let finding = |code: &'static str| count("findings", &move |finding| finding[2] == code);
        self.note("a vote that counts", counting_votes);
        self.note("a vote that another of the same voter supersedes", counting_votes - ballots);
        self.note("a vote that claims too much", finding("claimed-too-much-power"));
        self.note("a vote outside of the window", finding("vote-outside-window"));
        self.note("a vote of somebody without power", finding("no-voting-power"));
        self.note("a proposal that ended", count("proposals", &|proposal| proposal[6] == "ended"));
        self.note("a proposal that was finalized", count("proposals", &|proposal| proposal[8] != "-"));
        self.note("a delegation", count("delegations", &|_| true));
        self.note("a delegation of too much", finding("delegated-too-much"));
        let outcome =
            |name: &'static str| count("work_submissions", &move |work| work[3] == "false" && work[4] == name);
        self.note("work that counts", outcome("accepted"));
        self.note("work in an oracle's name that is not proven", outcome("unproven"));
        self.note("work with a refuted signature", outcome("refuted"));
        self.note("work with an id that counted before", outcome("repeated"));
        self.note("work that was taken out", count("work_submissions", &|work| work[5] != "-"));
        self.note(
            "work that is too old for the day",
            count("address_work", &|work| work[2] == "all" && work[5] != work[6]),
        );
        self.note(
            "work that is too old for the week",
            count("address_work", &|work| work[2] == "all" && work[5] != work[7]),
        );
        self.note("a wallet that was displaced or claimed twice", count("contested_wallets", &|_| true));
        self.note("an identity on a board", count("boards by identity", &|_| true));
        self.note("a rank of a former day", count("identity_boards", &|_| true));
        self.note("an address's place of a former day", count("address_boards", &|_| true));
    }

    /// What counts on one chain and not beyond it.
    fn look_at_chains(&mut self, lines: &Lines) {
        let parts = |view: &str, [first, last]: [usize; 2]| -> BTreeSet<String> {
            let rows = lines.get(view).into_iter().flatten();
            rows.map(|row| row.split('|').collect::<Vec<_>>()[first..last].join("|")).collect()
        };
        let follows = &parts("follow_claims", [1, 3]) - &parts("social_connections", [0, 2]);
        let wallets = &parts("wallet_holders", [0, 2]) - &parts("wallet_owners", [0, 2]);
        let work = &wallets & &parts("address_work", [0, 2]);
        self.note("a follow that counts on its chain alone", follows.len());
        self.note("a wallet that counts on its chain alone", wallets.len());
        self.note("work that counts on its chain alone", work.len());
        let by_another = parts("contested_identities", [0, 2]).len();
        let second = parts("identity_claims", [0, 2]).len() - parts("identities", [1, 2]).len();
        self.note("a second registration by another account", by_another);
        self.note("a second registration by the same account", second - by_another);
    }

    /// What a unit changed about registrations that stood before and after it.
    fn look_at_recognition(&mut self, before: &Lines, after: &Lines) {
        let stands = |lines: &Lines, position: &str| {
            let claims = lines.get("identity_claims").into_iter().flatten();
            claims.into_iter().any(|claim| claim.rsplit('|').next() == Some(position))
        };
        let contested = |lines: &Lines| -> BTreeSet<String> {
            let rows = lines.get("contested_identities").into_iter().flatten();
            let positions = rows.filter_map(|row| row.split('|').nth(1)).map(str::to_owned);
            positions.filter(|position| stands(before, position) && stands(after, position)).collect()
        };
        let (was, is) = (contested(before), contested(after));
        self.note("a registration that is recognised since an earlier one was retracted", (&was - &is).len());
        let has_moved = |view: &str| before.get(view) != after.get(view);
        let has_followed = was != is && (has_moved("wallet_owners") || has_moved("social_connections"));
        self.note("a follow or wallet that counts since then", usize::from(has_followed));
    }

    fn look_at_fork(&mut self, before: &Model<'_>, after: &Model<'_>, unit: &LoggedUnit) {
        let head = |model: &Model<'_>| model.chains[&unit.source_id.0].blocks.last().cloned();
        let (Some(old), Some(new)) = (head(before), head(after)) else { return };
        let periods = |unit_s: i64| old.time.timestamp().div_euclid(unit_s) != new.time.timestamp().div_euclid(unit_s);
        self.note("a fork", 1);
        self.note("a fork of three blocks or more", usize::from(old.height.to_db() - new.height.to_db() >= 3));
        self.note("a fork back over a full hour", usize::from(periods(3_600)));
        self.note("a fork back over a full day", usize::from(periods(86_400)));
        let (before, after) = (before.lines(), after.lines());
        let count = |lines: &Lines, view: &str| lines.get(view).map_or(0, std::collections::BTreeSet::len);
        let undid = |view: &str| usize::from(count(&before, view) > count(&after, view));
        self.note("a fork that undid a vote that counted", undid("ballots"));
        self.note("a fork that undid work that counted", undid("work_hours"));
        self.note("a fork that undid a delegation", undid("delegations"));
    }
}

/// Rows of `delegations`.
fn delegations(lines: &Lines) -> Vec<Vec<&str>> {
    lines.get("delegations").into_iter().flatten().map(|line| line.split('|').collect()).collect()
}

fn uncovered(lines: &Lines) -> bool {
    delegations(lines).iter().any(|row| row[3] != row[4])
}

/// Whether somebody's stake covers the older of two delegations and not all of the newer, though the newer is to an
/// earlier id: only their age decides.
fn is_older_covered(lines: &Lines) -> bool {
    let rows = delegations(lines);
    let position = |row: &[&str]| row[7].parse::<i64>().expect("a position");
    let is_pair = |older: &[&str], newer: &[&str]| {
        let is_same_giver = older[..2] == newer[..2];
        is_same_giver
            && position(older) < position(newer)
            && older[2] > newer[2]
            && older[4] != "0"
            && newer[4] != newer[3]
    };
    rows.iter().any(|older| rows.iter().any(|newer| is_pair(older, newer)))
}
