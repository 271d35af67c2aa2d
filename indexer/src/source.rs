//! What the indexer asks of an upstream: its tip, its blocks as units of events, and the hash at a height.
//!
//! A source answers for one upstream and knows its protocol. It must not know the log, the projections, or what became
//! of the units it handed out.

use std::future::Future;
use std::ops::RangeInclusive;
use std::time::Duration;

use schema::chain::{Address, BlockHash, Height};
use schema::event::{Check, Event, Unit};

pub mod aitbc;
pub mod chert;
mod report;
pub mod scripted;
mod web;

/// Why a source did not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The upstream is away, slow or erring; the same question may succeed later.
    #[error("the node could not be asked: {0}")]
    Transient(String),
    /// The upstream asked for patience.
    #[error("the node asks to wait {} s", retry_after.as_secs())]
    RateLimited {
        /// How long it asks to wait.
        retry_after: Duration,
    },
    /// The answer's envelope is not what the protocol says; refused as a whole and asked for again.
    #[error("the answer was refused: {0}")]
    Malformed(String),
    /// The upstream is not what the settings say (another chain, an unknown dialect); only an operator can mend that.
    #[error("{0}")]
    Unsuitable(String),
}

/// What an upstream says about itself at first contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// Chain id, where the upstream or the settings state one.
    pub chain_id: Option<String>,
    /// Hash of block 0, where it can be asked for.
    pub genesis_hash: Option<BlockHash>,
    /// Name of the rule by which block hashes can be recomputed, where one is known.
    pub hash_rule: Option<String>,
}

/// The newest block that an upstream names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tip {
    /// Its height.
    pub height: Height,
    /// Its hash, where the same answer names it.
    pub hash: Option<BlockHash>,
}

/// One block, decoded and checked on its own; the link to its parent is the ingestor's to check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockUnit {
    /// Height of the block.
    pub height: Height,
    /// Hash of the block.
    pub hash: BlockHash,
    /// Hash of the parent; none at genesis, where some chains leave it empty.
    pub parent_hash: Option<BlockHash>,
    /// The events; the first is always `chain.block_applied`.
    pub unit: Unit,
}

impl BlockUnit {
    /// Stores the outcome of the link check with the block's other checks, and with it the worst of them.
    pub fn set_link(&mut self, check: Check) {
        let Some(entry) = self.unit.entries.first_mut() else { return };
        if let Event::BlockApplied(block) = &mut entry.event {
            block.checks.insert("link".to_owned(), check);
            entry.verdict = schema::event::worst(&block.checks);
        }
    }
}

/// An upstream that is followed by height. Cancelling a call loses nothing.
pub trait Source: Send + Sync + 'static {
    /// First contact: probes the dialect and compares what the upstream states with the settings.
    fn introduce(&self) -> impl Future<Output = Result<Introduction, SourceError>> + Send;

    /// The newest block.
    fn tip(&self) -> impl Future<Output = Result<Tip, SourceError>> + Send;

    /// The blocks of a range, ascending and without holes, at most up to the tip; a shorter answer is not an error.
    /// Heights, hashes, ids and types of every block have been checked, and each block's parent is the one before it
    /// in the answer; otherwise the whole answer is [`SourceError::Malformed`].
    fn blocks(&self, range: RangeInclusive<Height>)
    -> impl Future<Output = Result<Vec<BlockUnit>, SourceError>> + Send;

    /// The hash of the block at a height, or none when the upstream has no such block (now).
    fn hash_at(&self, height: Height) -> impl Future<Output = Result<Option<BlockHash>, SourceError>> + Send;

    /// The hashes of a range: of every height of it that the upstream has; from one without pages at least of the newest 64.
    /// Used to notice a rewrite below the tip, and to find where branches part.
    fn hashes(
        &self,
        range: RangeInclusive<Height>,
    ) -> impl Future<Output = Result<Vec<(Height, BlockHash)>, SourceError>> + Send;

    /// What the upstream reports about an address, as a unit of one `account.reported`; none where it has no such
    /// report or its head moved while asking.
    fn report(&self, address: &Address) -> impl Future<Output = Result<Option<Unit>, SourceError>> + Send;

    /// How many blocks one question should ask for.
    fn page(&self) -> u32;
}
