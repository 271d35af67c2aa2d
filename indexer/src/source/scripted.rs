//! A chain written down in a test, and a source that plays it back, truthfully or not.
//!
//! A script is steps with bars between them: `1: mint alice 64 | 2: alice -> bob 2 | ~1 | 2: alice -> carol 4`, where
//! `~1` goes back to height 1. The blocks are real ones of a Chert chain, made and decoded like any other; hashes,
//! ids and times follow from the content of the branch alone, so the same branch is always the same chain. The source
//! must not know what its reader does with the answers.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use schema::chain::{Address, BlockHash, Height, Spelled};
use schema::event::{Event, Unit};

use crate::source::report::Report;
use crate::source::{BlockUnit, Introduction, Source, SourceError, Tip};

mod language;
mod mint;

pub use language::ScriptError;
pub use mint::CHAIN_ID;

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A block is added to the chain.
    Block(BlockUnit),
    /// The blocks above a height no longer stand.
    Reorg {
        /// The newest height that still stands.
        to: Height,
    },
}

/// A chain with its history, as written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    steps: Vec<Step>,
}

impl Script {
    /// Reads a script. Without a block 0 of its own a chain begins with an empty one.
    pub fn parse(text: &str) -> Result<Self, ScriptError> {
        Ok(Self { steps: mint::steps(&language::parse(text)?)? })
    }

    /// The steps in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The chain that stands after so many steps.
    pub fn chain_after(&self, steps: usize) -> Vec<BlockUnit> {
        let mut chain: Vec<BlockUnit> = Vec::new();
        for step in self.steps.iter().take(steps) {
            match step {
                Step::Block(block) => chain.push(block.clone()),
                Step::Reorg { to } => chain.retain(|block| block.height <= *to),
            }
        }
        chain
    }

    /// The chain that stands at the end.
    pub fn standing(&self) -> Vec<BlockUnit> {
        self.chain_after(self.steps.len())
    }
}

/// A way in which the next answer is wrong; each is told once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lie {
    /// The next tip is so many blocks lower than it is.
    LowerHead(u32),
    /// The first block of the next blocks names another parent.
    WrongParent,
    /// The next question is not answered.
    Transient,
    /// The next answer makes no sense.
    Malformed,
    /// The next question is answered with a request to wait.
    RateLimited(Duration),
}

/// A node that plays a script. Clones are the same node.
#[derive(Debug, Clone)]
pub struct ScriptedSource {
    node: Arc<Mutex<Node>>,
    page: u32,
}

#[derive(Debug)]
struct Node {
    script: Script,
    chain: Vec<BlockUnit>,
    lies: VecDeque<Lie>,
    balances: BTreeMap<Address, u64>,
}

impl ScriptedSource {
    /// A node that stands at the beginning of a script: it has the steps up to the first block.
    pub fn new(script: Script) -> Self {
        let chain = script.chain_after(1);
        let node = Node { script, chain, lies: VecDeque::new(), balances: BTreeMap::new() };
        Self { node: Arc::new(Mutex::new(node)), page: 100 }
    }

    /// The same node asked for so many blocks at a time.
    pub fn with_page(self, page: u32) -> Self {
        Self { page: page.max(1), ..self }
    }

    /// Goes to the chain after so many steps, forwards or backwards.
    pub fn play_to(&self, steps: usize) {
        let mut node = self.node();
        node.chain = node.script.chain_after(steps);
    }

    /// Goes to the end of the script.
    pub fn play_all(&self) {
        self.play_to(usize::MAX);
    }

    /// Takes another script and stands at its end, as a node does whose database was exchanged.
    pub fn replace(&self, script: Script) {
        let mut node = self.node();
        node.chain = script.standing();
        node.script = script;
    }

    /// Tells a lie at the next occasion, after those that are waiting.
    pub fn tell(&self, lie: Lie) {
        self.node().lies.push_back(lie);
    }

    /// What the node reports about an address from now on.
    pub fn report_balance(&self, address: Address, balance: u64) {
        self.node().balances.insert(address, balance);
    }

    fn node(&self) -> MutexGuard<'_, Node> {
        self.node.lock().expect("nothing panics while holding this lock")
    }

    /// The node, unless the next lie is that there is none to be asked.
    fn ask(&self) -> Result<MutexGuard<'_, Node>, SourceError> {
        let mut node = self.node();
        let error = match node.lies.front() {
            Some(Lie::Transient) => SourceError::Transient("a scripted failure".to_owned()),
            Some(Lie::Malformed) => SourceError::Malformed("a scripted malformed answer".to_owned()),
            Some(Lie::RateLimited(retry_after)) => SourceError::RateLimited { retry_after: *retry_after },
            Some(Lie::LowerHead(_) | Lie::WrongParent) | None => return Ok(node),
        };
        node.lies.pop_front();
        Err(error)
    }
}

impl Node {
    fn standing(&self, range: &RangeInclusive<Height>) -> Vec<&BlockUnit> {
        self.chain.iter().filter(|block| range.contains(&block.height)).collect()
    }
}

fn with_wrong_parent(mut block: BlockUnit) -> BlockUnit {
    let parent: BlockHash = "ab".repeat(32).parse().expect("32 bytes of hex");
    if let Some(Event::BlockApplied(body)) = block.unit.entries.first_mut().map(|entry| &mut entry.event) {
        body.parent_hash = parent.to_string();
    }
    BlockUnit { parent_hash: Some(parent), ..block }
}

impl Source for ScriptedSource {
    async fn introduce(&self) -> Result<Introduction, SourceError> {
        let node = self.ask()?;
        Ok(Introduction {
            chain_id: Some(CHAIN_ID.to_owned()),
            genesis_hash: node.chain.first().map(|block| block.hash.clone()),
            hash_rule: Some(mint::HASH_RULE.name().to_owned()),
        })
    }

    async fn tip(&self) -> Result<Tip, SourceError> {
        let mut node = self.ask()?;
        let lower = match node.lies.front() {
            Some(Lie::LowerHead(blocks)) => *blocks,
            Some(_) | None => 0,
        };
        if lower > 0 {
            node.lies.pop_front();
        }
        let Some(last) = node.chain.last() else {
            return Err(SourceError::Transient("the scripted chain has no block yet".to_owned()));
        };
        let height = last.height.saturating_sub(lower);
        let hash = node.chain.iter().find(|block| block.height == height).map(|block| block.hash.clone());
        Ok(Tip { height, hash })
    }

    async fn blocks(&self, range: RangeInclusive<Height>) -> Result<Vec<BlockUnit>, SourceError> {
        let mut node = self.ask()?;
        let page = usize::try_from(self.page).unwrap_or(usize::MAX);
        let mut blocks: Vec<BlockUnit> = node.standing(&range).into_iter().take(page).cloned().collect();
        if node.lies.front() == Some(&Lie::WrongParent) && !blocks.is_empty() {
            node.lies.pop_front();
            let first = blocks.remove(0);
            blocks.insert(0, with_wrong_parent(first));
        }
        Ok(blocks)
    }

    async fn hash_at(&self, height: Height) -> Result<Option<BlockHash>, SourceError> {
        let node = self.ask()?;
        Ok(node.standing(&(height..=height)).first().map(|block| block.hash.clone()))
    }

    async fn hashes(&self, range: RangeInclusive<Height>) -> Result<Vec<(Height, BlockHash)>, SourceError> {
        let node = self.ask()?;
        Ok(node.standing(&range).into_iter().map(|block| (block.height, block.hash.clone())).collect())
    }

    async fn report(&self, address: &Address) -> Result<Option<Unit>, SourceError> {
        let node = self.ask()?;
        let (Some(balance), Some(head)) = (node.balances.get(address), node.chain.last()) else { return Ok(None) };
        let spelled = |bad: schema::chain::Malformed| SourceError::Malformed(bad.to_string());
        let report = Report {
            address,
            balance: Spelled::parse(balance.to_string()).map_err(spelled)?,
            nonce: None,
            height_before: head.height,
            height_after: head.height,
            occurred_at: head.unit.occurred_at,
        };
        report.unit().map(Some).map_err(spelled)
    }

    fn page(&self) -> u32 {
        self.page
    }
}

#[cfg(test)]
mod tests;
