//! When branches switch: a pure function of the seed, the height, and what was played before.
//!
//! It must not know blocks.

use serde::{Deserialize, Serialize};

use super::config::NetworkConfig;
use super::dice::Dice;

/// How far the script has been played.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Steps taken since block 0.
    pub steps: u64,
    /// The branch that new blocks are mined on.
    pub branch: u32,
    /// Branches used so far, less one: the number of the newest.
    pub newest_branch: u32,
    /// Switches at heads up to this one have been played and are not played again.
    played_through: u64,
    /// A replaced branch that the network will go back to.
    pub comeback: Option<Comeback>,
}

/// A replaced branch that wins in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comeback {
    /// When the head reaches this height, the network goes back.
    pub at: u64,
    /// Highest block common to both branches.
    pub base: u64,
    /// The branch of each block of the replaced branch above `base`.
    pub branches: Vec<u32>,
}

/// What the next step does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// One more block on the same branch.
    Grow,
    /// The last `depth` blocks are replaced by `depth + growth` blocks of a new branch.
    Switch {
        /// Blocks replaced.
        depth: u64,
        /// How much higher the new head is.
        growth: u64,
        /// Whether the old branch wins after so many more blocks.
        comeback_after: Option<u64>,
    },
    /// Back to the replaced branch, one block higher than the present head.
    Return(Comeback),
}

impl Script {
    /// Decides the next step, given the head.
    pub fn next(&mut self, config: &NetworkConfig, head: u64) -> Move {
        self.steps += 1;
        if self.comeback.as_ref().is_some_and(|comeback| head >= comeback.at)
            && let Some(comeback) = self.comeback.take()
        {
            return Move::Return(comeback);
        }
        if config.fork_every_blocks == 0 || head <= self.played_through || self.comeback.is_some() {
            return Move::Grow;
        }
        self.played_through = head;
        let mut dice = Dice::new(config.seed, "fork", &[head]);
        if !dice.one_in(config.fork_every_blocks) {
            return Move::Grow;
        }
        let depth = (1 + dice.below(config.fork_depth_max)).min(head);
        let growth = dice.below(2);
        let room = config.fork_depth_max.saturating_sub(depth + growth);
        let comeback_after = (room > 0 && dice.one_in(4)).then(|| dice.below(room));
        Move::Switch { depth, growth, comeback_after }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_repeats_and_keeps_its_bounds() {
        let config = NetworkConfig { fork_every_blocks: 5, ..NetworkConfig::default() };
        let play = || {
            let mut script = Script::default();
            (1..2_000).map(|head| script.next(&config, head)).collect::<Vec<_>>()
        };
        assert_eq!(play(), play());
        let depths: Vec<u64> = play()
            .into_iter()
            .filter_map(|step| if let Move::Switch { depth, .. } = step { Some(depth) } else { None })
            .collect();
        assert!(depths.len() > 200, "only {} switches", depths.len());
        for wanted in 1..=config.fork_depth_max {
            assert!(depths.contains(&wanted), "no switch of depth {wanted}");
        }
        assert!(depths.iter().all(|depth| (1..=config.fork_depth_max).contains(depth)));
    }
}
