//! What counting work comes to in each window, and who is ahead (MEANING §5).

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use schema::chain::IdentityId;
use schema::event::StatsVisibility;

use super::chain::Chain;
use super::work::{Record, hour};
use super::{Collected, Model, or_dash, time};

/// One point, cobblestone, byte or submission, in billionths.
pub const ONE: i128 = 1_000_000_000;

/// What is ranked.
pub const FAMILIES: [&str; 6] = ["boinc", "nuw", "bandwidth", "compute", "ceremony", "all"];

/// How far back a score goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timeframe {
    Day,
    Week,
    Month,
    All,
}

impl Timeframe {
    /// Every timeframe.
    pub const ALL: [Self; 4] = [Self::Day, Self::Week, Self::Month, Self::All];

    /// As answers spell it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::All => "all",
        }
    }

    /// The moment from which work counts: full hours or full days before the current one.
    fn begin(self, now: DateTime<Utc>) -> DateTime<Utc> {
        let full = |unit: TimeDelta| now.duration_trunc(unit).expect("a time of this age");
        match self {
            Self::Day => full(TimeDelta::hours(1)) - TimeDelta::hours(24),
            Self::Week => full(TimeDelta::days(1)) - TimeDelta::days(7),
            Self::Month => full(TimeDelta::days(1)) - TimeDelta::days(30),
            Self::All => DateTime::UNIX_EPOCH,
        }
    }
}

/// Who is ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// Identities whose statistics are public.
    Identity,
    /// Miner addresses.
    Address,
}

/// A place on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// Identity, or address and chain.
    pub name: String,
    /// In billionths.
    pub score: i128,
    /// Last contribution.
    pub last_at: DateTime<Utc>,
}

/// A leaderboard, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Board {
    /// The ranked.
    pub entries: Vec<Ranked>,
}

impl Board {
    /// The share in percent of the ranked that stand behind a rank (from 1), in billionths.
    pub fn percentile(&self, rank: usize) -> i128 {
        let of = |count: usize| i128::try_from(count).expect("few");
        100 * ONE * of(self.entries.len() - rank) / of(self.entries.len())
    }
}

/// Whether a record belongs to a type, to a family of types, or to all.
fn is_of(record: &Record, work_type: &str) -> bool {
    work_type == "all" || record.work_type == work_type || work_type == "nuw" && record.work_type.starts_with("nuw_")
}

/// A record's part in the score of a type or family: all counts submissions.
fn part(record: &Record, work_type: &str) -> i128 {
    if work_type == "all" { ONE } else { record.score }
}

/// The types that a record counts under.
fn types_of(record: &Record) -> Vec<String> {
    let family = if record.work_type.starts_with("nuw_") { "nuw" } else { &record.work_type };
    let mut types = vec![record.work_type.clone(), family.to_owned(), "all".to_owned()];
    types.dedup();
    types
}

impl Model<'_> {
    /// The newest block time of the clock; time never goes back but by a fork.
    fn now(&self) -> Option<DateTime<Utc>> {
        self.clock().blocks.iter().map(|block| block.time).max()
    }

    /// Sum over records that began in a timeframe, of what each counts.
    fn score(&self, records: &[&Record], work_type: &str, timeframe: Timeframe) -> i128 {
        let begin = self.now().map_or(DateTime::UNIX_EPOCH, |now| timeframe.begin(now));
        let within = records.iter().filter(|record| record.at >= begin && is_of(record, work_type));
        within.map(|record| part(record, work_type)).sum()
    }

    /// What addresses' work comes to; none when it never counted.
    fn total(&self, addresses: &[(&Chain, &str)], work_type: &str) -> Option<Vec<String>> {
        let mut counting: Vec<&Record> = Vec::new();
        let mut overturned = 0_usize;
        // An address' first and last are by the order of its chain; an identity's are the earliest and latest of those.
        let (mut firsts, mut lasts) = (Vec::new(), Vec::new());
        for (chain, address) in addresses {
            let of = |record: &&Record| record.miner == *address && is_of(record, work_type);
            let mine: Vec<&Record> = chain.work.counting().filter(of).collect();
            overturned += chain.work.overturned().filter(of).count();
            firsts.extend(mine.first().map(|record| record.at));
            lasts.extend(mine.last().map(|record| record.at));
            counting.extend(mine);
        }
        if counting.is_empty() && overturned == 0 {
            return None;
        }
        let score = |timeframe| self.score(&counting, work_type, timeframe).to_string();
        Some(vec![
            counting.len().to_string(),
            overturned.to_string(),
            score(Timeframe::All),
            score(Timeframe::Day),
            score(Timeframe::Week),
            score(Timeframe::Month),
            or_dash(firsts.iter().min().copied().map(time)),
            or_dash(lasts.iter().max().copied().map(time)),
        ])
    }

    /// Addresses that ever did accepted work, by chain.
    fn miners(&self) -> Vec<(&Chain, &str)> {
        let mut miners: Vec<(&Chain, &str)> = Vec::new();
        for chain in self.sources() {
            for record in chain.work.counting().chain(chain.work.overturned()) {
                let is_known = miners
                    .iter()
                    .any(|(known, miner)| known.facts.source_id == chain.facts.source_id && *miner == record.miner);
                if !is_known {
                    miners.push((chain, &record.miner));
                }
            }
        }
        miners
    }

    /// The miners that belong to each identity.
    fn owned(&self) -> BTreeMap<IdentityId, Vec<(&Chain, &str)>> {
        let mut owned: BTreeMap<IdentityId, Vec<(&Chain, &str)>> = BTreeMap::new();
        for (chain, miner) in self.miners() {
            if let Some(owner) = self.owner(chain, miner) {
                owned.entry(owner).or_default().push((chain, miner));
            }
        }
        owned
    }

    /// Whether an identity takes part in leaderboards.
    fn is_ranked(&self, id: &IdentityId) -> bool {
        self.identities().get(id).is_some_and(|(_, shown)| shown.visibility == StatsVisibility::Public)
    }

    /// A leaderboard: score, then earlier last contribution, then id.
    pub fn board(&self, work_type: &str, timeframe: Timeframe, by: By) -> Board {
        let groups: Vec<(String, Vec<(&Chain, &str)>)> = match by {
            By::Identity => {
                let ranked = self.owned().into_iter().filter(|(id, _)| self.is_ranked(id));
                ranked.map(|(id, miners)| (id.to_string(), miners)).collect()
            }
            By::Address => {
                let name = |chain: &Chain, miner: &str| format!("{miner} {}", chain.facts.source_id.0);
                self.miners().into_iter().map(|(chain, miner)| (name(chain, miner), vec![(chain, miner)])).collect()
            }
        };
        let mut entries: Vec<Ranked> = Vec::new();
        for (name, miners) in groups {
            let mut counting: Vec<&Record> = Vec::new();
            let mut lasts: Vec<DateTime<Utc>> = Vec::new();
            for (chain, miner) in miners {
                let of = chain.work.counting().filter(|record| record.miner == miner && is_of(record, work_type));
                let mine: Vec<&Record> = of.collect();
                lasts.extend(mine.last().map(|record| record.at));
                counting.extend(mine);
            }
            let score = self.score(&counting, work_type, timeframe);
            if let Some(&last_at) = lasts.iter().max().filter(|_| score > 0) {
                entries.push(Ranked { name, score, last_at });
            }
        }
        entries.sort_by(|one, other| {
            other.score.cmp(&one.score).then(one.last_at.cmp(&other.last_at)).then(one.name.cmp(&other.name))
        });
        Board { entries }
    }

    /// Rows of `work_clock`, `address_work` and `identity_work`.
    pub fn work_lines(&self, lines: &mut Collected) {
        let clock = self.clock();
        if let Some(now) = self.now() {
            let began = clock.blocks.iter().find(|block| hour(block.time) == hour(now)).expect("it is one of them");
            lines.add("work_clock", &[&clock.facts.name, &hour(now), &time(began.time)]);
        }
        for (chain, miner) in self.miners() {
            for work_type in self.types(&[(chain, miner)]) {
                if let Some(total) = self.total(&[(chain, miner)], &work_type) {
                    lines.add("address_work", &[&chain.facts.name, &miner, &work_type, &total.join("|")]);
                }
            }
        }
        for (id, miners) in self.owned() {
            for work_type in self.types(&miners) {
                if let Some(total) = self.total(&miners, &work_type) {
                    lines.add("identity_work", &[&id, &work_type, &self.is_ranked(&id), &total.join("|")]);
                }
            }
        }
    }

    /// The types and families under which addresses ever had accepted work.
    fn types(&self, addresses: &[(&Chain, &str)]) -> Vec<String> {
        let mut types: Vec<String> = Vec::new();
        for (chain, address) in addresses {
            let records = chain.work.counting().chain(chain.work.overturned());
            types.extend(records.filter(|record| record.miner == *address).flat_map(types_of));
        }
        types.sort();
        types.dedup();
        types
    }

    /// Every board, as ranks.
    pub fn board_lines(&self, lines: &mut Collected) {
        for (by, view) in [(By::Identity, "boards by identity"), (By::Address, "boards by address")] {
            for timeframe in Timeframe::ALL {
                for family in FAMILIES {
                    let board = self.board(family, timeframe, by);
                    for (index, entry) in board.entries.iter().enumerate() {
                        let rank = index + 1;
                        let percentile = board.percentile(rank);
                        let fields: [&dyn std::fmt::Display; 6] =
                            [&family, &timeframe.name(), &rank, &entry.name, &entry.score, &percentile];
                        lines.add(view, &fields);
                    }
                }
            }
        }
    }
}
