//! Tells a chain block by block, and knows its height and its time.

use super::cast::{self, PEOPLE};

/// Time of block 0 of a scripted chain, unix seconds.
const GENESIS_S: i64 = 1_767_225_600;
/// Seconds between blocks of a scripted chain.
const BLOCK_S: i64 = 10;
/// How long before a full hour or day a block is that comes just before it.
const JUST_S: i64 = 5;
/// Base units that everybody has from the beginning on a closed chain; more than a history can spend.
const ALLOCATED: u64 = 100_000;
/// Base units that every wallet has from the beginning on a closed chain; less than a history may want to stake.
const STAKEABLE: u64 = 25;

/// Blocks below the highest one that forks replace.
pub const FORK_DEPTH_MAX: usize = 6;

/// How much later than usual a block is, in seconds.
#[derive(Debug, Clone, Copy)]
pub enum Shift {
    /// So much; below 0 it is earlier.
    By(i64),
    /// Until just before the next multiple of so many.
    BeforeNext(i64),
}

/// A block of the branch that is being told.
#[derive(Debug, Clone)]
struct Block {
    time_s: i64,
    actions: Vec<String>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Teller {
    /// Blocks of the branch from height 1 on.
    branch: Vec<Block>,
    /// Blocks that the last fork undid and that were not told again, the lowest first.
    undone: Vec<Block>,
    told: Vec<String>,
    blocks: usize,
    highest: usize,
}

impl Teller {
    /// A chain whose block 0 hands out all the money there is.
    pub fn closed() -> Self {
        let people = PEOPLE.map(|name| format!("allocate {name} {ALLOCATED}"));
        let wallets = [0, 1, 2, 3].map(|n| format!("allocate {} {STAKEABLE}", cast::wallet(n).address));
        let allocations = [people, wallets].concat();
        Self { told: vec![format!("0: {}", allocations.join(", "))], ..Self::default() }
    }

    /// The script so far.
    pub fn script(&self) -> String {
        self.told.join(" | ")
    }

    /// Everybody registers, each with a wallet of their own that stakes; so do two oracles. Something is to be voted on. An
    /// identity is somebody else's where `is_taken`: of the next one in the row.
    pub fn introduce(&mut self, is_taken: [bool; 4]) {
        let mut deeds = vec![cast::register_oracle("origin", 0), cast::register_oracle("origin", 1)];
        let visibility = ["public", "public", "public", "private"];
        let by = |who: usize| PEOPLE[if is_taken[who] { (who + 1) % 4 } else { who }];
        deeds.extend((0..4).map(|who| cast::register(by(who), who, visibility[who])));
        self.block(Shift::By(0), false, &deeds);
        let mut deeds: Vec<String> = (0..4).map(|who| cast::link(by(who), who, who, cast::Proved::Well)).collect();
        deeds
            .extend((0..4).filter(|who| is_taken[*who]).map(|who| cast::follow("follow", by(who), who, (who + 2) % 4)));
        deeds.extend((0..4).map(|wallet| cast::stake("stake", wallet, [13, 11, 4, 2][wallet])));
        deeds.push(cast::propose("alice", 1, 0, 10, 90_000, 12));
        self.block(Shift::By(0), false, &deeds);
    }

    /// Replaces the newest blocks: they are undone, and what is told next stands in their place.
    pub fn fork(&mut self, depth: usize) {
        // What lies deeper than any fork may be final already.
        let final_below = self.highest.saturating_sub(FORK_DEPTH_MAX);
        let left = self.branch.len().saturating_sub(depth).max(final_below);
        if left < self.branch.len() {
            self.undone = self.branch.split_off(left);
            self.told.push(format!("~{left}"));
        }
    }

    /// Adds a block. `<+30>` in it is the moment half a minute after the block, in unix seconds. `again` puts what the
    /// lowest undone block said before the rest.
    pub fn block(&mut self, shift: Shift, again: bool, deeds: &[String]) {
        let usual_s = self.branch.last().map_or(GENESIS_S, |block| block.time_s) + BLOCK_S;
        let later_s = match shift {
            Shift::By(seconds) => seconds,
            Shift::BeforeNext(unit_s) => (-JUST_S - usual_s).rem_euclid(unit_s),
        };
        let time_s = usual_s + later_s;
        let mut actions = if again && !self.undone.is_empty() { self.undone.remove(0).actions } else { Vec::new() };
        actions.extend(deeds.iter().map(|deed| with_times(deed, time_s)));
        self.blocks += 1;
        let height = self.branch.len() + 1;
        let shift = if later_s == 0 { String::new() } else { format!("@{later_s}, ") };
        self.told.push(format!("{height}{}: {shift}{}", "'".repeat(self.blocks), actions.join(", ")));
        self.branch.push(Block { time_s, actions });
        self.highest = self.highest.max(height);
    }
}

/// Puts moments in the place of `<+30>` and `<-20>`.
fn with_times(deed: &str, time_s: i64) -> String {
    let mut parts = deed.split('<');
    let mut told = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (seconds, rest) = part.split_once('>').expect("an opened bracket is closed");
        let seconds: i64 = seconds.parse().expect("seconds with a sign");
        told += &format!("{}{rest}", time_s + seconds);
    }
    told
}
