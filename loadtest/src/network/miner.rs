//! Makes blocks: plays the script, keeps the recent states, and returns to earlier ones when branches switch.
//!
//! It must not know where blocks are kept or who asks for them.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::actions;
use super::cast::Cast;
use super::config::{NetworkConfig, WINDOW_BLOCKS};
use super::dice::{TxIds, to_u64, to_usize};
use super::draft::Draft;
use super::script::{Comeback, Move, Script};
use super::wire::EncodedBlock;
use super::world::World;

/// Makes the blocks of one chain.
#[derive(Debug)]
pub struct Miner {
    /// What the chain is a function of.
    pub config: NetworkConfig,
    /// Everybody.
    pub cast: Cast,
    /// The chain's transaction ids.
    pub ids: TxIds,
    script: Script,
    /// The states after the newest blocks, the head's last.
    window: VecDeque<World>,
}

/// Enough to continue from: an earlier state, and the branches of the blocks to mine again on top of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checkpoint {
    script: Script,
    base: World,
    branches: Vec<u32>,
}

impl Checkpoint {
    /// Steps taken when it was made.
    pub fn steps(&self) -> u64 {
        self.script.steps
    }
}

/// The outcome of a step: these blocks replace everything from the first one's height on.
#[derive(Debug)]
pub struct Step {
    /// Blocks of the former head's branch that no longer stand.
    pub replaced: u64,
    /// The new blocks, in order; never empty.
    pub blocks: Vec<EncodedBlock>,
}

impl Miner {
    /// Starts a chain; the second part is block 0.
    pub fn new(config: NetworkConfig) -> (Self, EncodedBlock) {
        let cast = Cast::new(&config);
        let ids = TxIds::new(config.seed);
        let window = VecDeque::from([World::empty(&cast)]);
        let mut miner = Self { config, cast, ids, script: Script::default(), window };
        let genesis = miner.mine(0);
        miner.window.pop_front();
        (miner, genesis)
    }

    /// Continues a chain; the second part is the blocks that had to be mined again, for comparison.
    pub fn resume(config: NetworkConfig, checkpoint: Checkpoint) -> (Self, Vec<EncodedBlock>) {
        let cast = Cast::new(&config);
        let ids = TxIds::new(config.seed);
        let Checkpoint { script, base, branches } = checkpoint;
        let mut miner = Self { config, cast, ids, script, window: VecDeque::from([base]) };
        let blocks = branches.into_iter().map(|branch| miner.mine(branch)).collect();
        (miner, blocks)
    }

    /// Where to continue from after a restart.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint {
            script: self.script.clone(),
            base: self.window.front().expect("the window holds at least the head").clone(),
            branches: self.window.iter().skip(1).map(|world| world.branch).collect(),
        }
    }

    /// The state after the head.
    pub fn world(&self) -> &World {
        self.window.back().expect("the window holds at least the head")
    }

    /// Height of the head.
    pub fn height(&self) -> u64 {
        self.world().height.expect("block 0 is mined before anything else")
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.script.steps
    }

    /// Takes the next step of the script.
    pub fn advance(&mut self) -> Step {
        let head = self.height();
        match self.script.next(&self.config, head) {
            Move::Grow => Step { replaced: 0, blocks: vec![self.mine(self.script.branch)] },
            Move::Switch { depth, growth, comeback_after } => self.switch(depth, growth, comeback_after),
            Move::Return(comeback) => self.return_to(&comeback),
        }
    }

    /// Switches branches now, outside the script: the last `depth` blocks are replaced, and the head grows by one.
    pub fn fork(&mut self, depth: u64) -> Step {
        self.script.steps += 1;
        self.script.comeback = None;
        self.switch(depth, 1, None)
    }

    fn switch(&mut self, depth: u64, growth: u64, comeback_after: Option<u64>) -> Step {
        let head = self.height();
        let depth = depth.clamp(1, self.reach().max(1)).min(head);
        let base = head - depth;
        let branches = self.branches_above(base);
        self.script.newest_branch += 1;
        self.script.branch = self.script.newest_branch;
        self.rewind(base);
        let blocks: Vec<_> = (0..depth + growth).map(|_| self.mine(self.script.branch)).collect();
        if let Some(after) = comeback_after {
            self.script.comeback = Some(Comeback { at: self.height() + after, base, branches });
        }
        Step { replaced: depth, blocks }
    }

    fn return_to(&mut self, comeback: &Comeback) -> Step {
        let head = self.height();
        let newest = *comeback.branches.last().expect("a switch replaces at least one block");
        self.rewind(comeback.base);
        self.script.branch = newest;
        let mut blocks: Vec<_> = comeback.branches.iter().map(|branch| self.mine(*branch)).collect();
        while self.height() <= head {
            blocks.push(self.mine(newest));
        }
        Step { replaced: head - comeback.base, blocks }
    }

    /// How many blocks can be replaced, given the states kept.
    pub fn reach(&self) -> u64 {
        to_u64(self.window.len()) - 1
    }

    fn branches_above(&self, base: u64) -> Vec<u32> {
        let above = self.window.iter().filter(|world| world.height.is_some_and(|height| height > base));
        above.map(|world| world.branch).collect()
    }

    fn rewind(&mut self, base: u64) {
        while self.height() > base {
            self.window.pop_back();
        }
    }

    fn mine(&mut self, branch: u32) -> EncodedBlock {
        let mut world = self.world().clone();
        let mut draft = Draft::new(&self.config, &self.cast, &self.ids, &mut world, branch);
        actions::fill(&mut draft);
        let block = draft.finish();
        actions::after_block(&self.cast, &mut world);
        self.window.push_back(world);
        if self.window.len() > to_usize(WINDOW_BLOCKS) + 1 {
            self.window.pop_front();
        }
        block
    }
}
