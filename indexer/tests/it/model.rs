//! A slow, obvious model of every view: what the log says, computed from nothing by walking what stands, by the rules of
//! MEANING alone. Histories are folded by the real thing and compared with it line by line.
//!
//! It must not know how the projections work, and shares no code with them. Nothing here is incremental: totals are sums
//! over everything, boards are sorted anew, tallies count every vote again.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schema::event::Position;
use schema::source::SourceFacts;
use schema::store::LoggedUnit;

mod bad_input;
mod boards;
mod chain;
mod database;
mod governance;
mod identity;
mod log;
mod money;
mod oracles;
mod power;
mod random;
mod seen;
mod social;
mod wallets;
mod work;
mod worked;

pub use boards::{By, FAMILIES, Timeframe};
pub use chain::Chain;
pub use database::assert_models;
pub use log::{Standing, pure_log};

/// The rows of every view, as the test reads them from the database: lines by view.
pub type Lines = BTreeMap<String, BTreeSet<String>>;

/// Everything that the log says as of a position.
#[derive(Debug)]
pub struct Model<'a> {
    log: &'a [LoggedUnit],
    facts: &'a [SourceFacts],
    at: Position,
    /// What each source says, by its number.
    pub chains: BTreeMap<i32, Chain>,
}

impl<'a> Model<'a> {
    /// Walks what stands as of a position.
    pub fn of(log: &'a [LoggedUnit], facts: &'a [SourceFacts], at: Position) -> Self {
        let mut chains: BTreeMap<i32, Chain> =
            facts.iter().map(|facts| (facts.source_id.0, Chain::of(facts.clone()))).collect();
        for unit in Standing::of(log, at) {
            let chain = chains.get_mut(&unit.source_id.0).expect("the facts of every source are given");
            chain.apply(unit);
        }
        Self { log, facts, at, chains }
    }

    /// Sources in the order of their numbers.
    fn sources(&self) -> impl Iterator<Item = &Chain> {
        self.chains.values()
    }

    /// The chain whose blocks are the clock of leaderboards.
    fn clock(&self) -> &Chain {
        self.sources().next().expect("there is a source")
    }

    /// All rows of all views.
    pub fn lines(&self) -> Lines {
        let mut lines = Collected(Lines::new());
        for chain in self.sources() {
            chain.money_lines(&mut lines);
            chain.identity_lines(&mut lines);
            chain.wallet_lines(&mut lines);
            chain.oracle_lines(&mut lines);
            chain.submission_lines(&mut lines);
            chain.power_lines(&mut lines);
            chain.governance_lines(&mut lines);
            chain.social_lines(&mut lines);
            chain.finding_lines(&mut lines);
        }
        self.identity_lines(&mut lines);
        self.wallet_lines(&mut lines);
        self.work_lines(&mut lines);
        self.board_lines(&mut lines);
        self.daily_board_lines(&mut lines);
        self.social_lines(&mut lines);
        lines.0
    }

    /// The boards when a day began: as they said then, with what has been retracted since.
    fn daily_board_lines(&self, lines: &mut Collected) {
        let clock = self.clock();
        for block in clock.first_blocks_of_days() {
            let then = Self::of(self.log, self.facts, block.end);
            for timeframe in Timeframe::ALL {
                for family in FAMILIES {
                    for (by, view) in [(By::Identity, "identity_boards"), (By::Address, "address_boards")] {
                        let board = then.board(family, timeframe, by);
                        for (index, entry) in board.entries.iter().enumerate() {
                            let (rank, ranked, last_at) = (index + 1, board.entries.len(), time(entry.last_at));
                            let place: [&dyn std::fmt::Display; 9] = [
                                &clock.facts.name,
                                &block.end,
                                &entry.name,
                                &family,
                                &timeframe.name(),
                                &rank,
                                &ranked,
                                &entry.score,
                                &last_at,
                            ];
                            let began: [&dyn std::fmt::Display; 2] = [&block.height, &time(block.time)];
                            let began = if by == By::Identity { &began[..] } else { &[] };
                            lines.add(view, &[&place[..], began].concat());
                        }
                    }
                }
            }
        }
    }

    /// The position that everything is as of.
    pub fn at(&self) -> Position {
        self.at
    }
}

/// Lines being put together.
#[derive(Debug)]
pub struct Collected(Lines);

impl Collected {
    /// Adds a row.
    pub fn add(&mut self, view: &str, fields: &[&dyn std::fmt::Display]) {
        let line = fields.iter().map(ToString::to_string).collect::<Vec<_>>().join("|");
        let is_new = self.0.entry(view.to_owned()).or_default().insert(line.clone());
        assert!(is_new, "{view} has a row twice: {line}");
    }
}

/// A point in time as the database's text of it.
pub fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// What may be absent.
pub fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}
