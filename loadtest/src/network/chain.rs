//! The chain as others see it: advance it, look blocks up, compare with its ledger.
//!
//! It must not know HTTP.

use std::path::Path;

use serde_json::value::RawValue;

use super::cast::{LEVY, ORIGIN, REGISTRY};
use super::config::NetworkConfig;
use super::journal::{FoundStep, Journal};
use super::ledger::Ledger;
use super::miner::{Miner, Step};
use super::store::Store;
use super::tally::Tally;
use super::wire::{EncodedBlock, rfc3339_ms};
use super::{ConfigError, NetworkError};

/// A checkpoint is written after so many transactions: re-mining them takes about a second.
const CHECKPOINT_EVERY_TXS: u64 = 20_000;

/// A synthetic chain.
#[derive(Debug)]
pub struct Chain {
    miner: Miner,
    store: Store,
    txs_since_checkpoint: u64,
}

/// The newest block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its height.
    pub height: u64,
    /// Its hash in hex.
    pub hash: String,
    /// Its time, RFC 3339.
    pub timestamp: String,
    /// The branch it was mined on.
    pub branch: u32,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advanced {
    /// Blocks that no longer stand; 0 when the chain just grew.
    pub replaced: u64,
    /// Blocks added.
    pub added: u64,
    /// The head afterwards.
    pub head: Head,
}

/// A block of the current branch.
#[derive(Debug, Clone)]
pub struct StoredBlock(pub(super) EncodedBlock);

impl StoredBlock {
    /// Its height.
    pub fn height(&self) -> u64 {
        self.0.height
    }

    /// Its hash in hex.
    pub fn hash(&self) -> String {
        hex::encode(self.0.hash)
    }

    /// The branch it was mined on.
    pub fn branch(&self) -> u32 {
        self.0.branch
    }

    /// The block as JSON, transactions included, byte for byte as the node serves it.
    pub fn json(&self) -> &str {
        std::str::from_utf8(&self.0.json).expect("blocks are written as text")
    }

    /// The block as JSON without the member `transactions`.
    pub fn json_without_transactions(&self) -> String {
        format!("{}}}", &self.json()[..self.0.header_len])
    }

    /// The transactions as JSON texts.
    pub fn transactions(&self) -> Vec<&RawValue> {
        #[derive(serde::Deserialize)]
        struct View<'a> {
            #[serde(borrow)]
            transactions: Vec<&'a RawValue>,
        }
        serde_json::from_str::<View<'_>>(self.json()).expect("blocks are written as JSON").transactions
    }
}

impl Chain {
    /// A chain in memory, grown to the height of its history.
    ///
    /// # Errors
    /// The configuration is impossible.
    pub fn new(config: NetworkConfig) -> Result<Self, NetworkError> {
        config.validate()?;
        Self::start(config, Store::default())
    }

    /// A chain in a file: continued where the file exists, else started in it. Grown to the height of its history.
    ///
    /// # Errors
    /// The configuration is impossible or not the file's, or the file cannot be used.
    pub fn open(config: NetworkConfig, path: &Path) -> Result<Self, NetworkError> {
        config.validate()?;
        match Journal::config(path)? {
            Some(stored) if stored == config => Self::resume(config, path),
            Some(_) => Err(NetworkError::ConfigDiffers { path: path.to_owned() }),
            None => {
                let journal = Journal::create(path, &config)?;
                Self::start(config, Store::in_journal(journal))
            }
        }
    }

    /// The configuration of the chain in a file; `None` when there is no such file.
    ///
    /// # Errors
    /// The file cannot be used.
    pub fn stored_config(path: &Path) -> Result<Option<NetworkConfig>, NetworkError> {
        Journal::config(path)
    }

    fn start(config: NetworkConfig, mut store: Store) -> Result<Self, NetworkError> {
        let (miner, genesis) = Miner::new(config);
        let first = Step { replaced: 0, blocks: vec![genesis] };
        store.keep(0, 0, &first)?;
        store.checkpoint(&miner.checkpoint())?;
        let mut chain = Self { miner, store, txs_since_checkpoint: 0 };
        chain.grow_to_history()?;
        Ok(chain)
    }

    fn resume(config: NetworkConfig, path: &Path) -> Result<Self, NetworkError> {
        let (journal, mut replay) = Journal::open(path)?;
        let Some(checkpoint) = replay.checkpoint.take() else {
            // Killed before block 0 was complete: nothing was ever shown.
            let journal = Journal::create(path, &config)?;
            return Self::start(config, Store::in_journal(journal));
        };
        let store = Store::replayed(journal, &replay);
        let (miner, _) = Miner::resume(config, checkpoint);
        let mut chain = Self { miner, store, txs_since_checkpoint: 0 };
        for found in &replay.steps {
            chain.repeat(found, path)?;
        }
        let (mined, stored) = (chain.miner.world().hash, chain.block(chain.miner.height())?.map(|block| block.0.hash));
        if stored != Some(mined) {
            let why = "the blocks in it are not those this program makes from its configuration".to_owned();
            return Err(NetworkError::Damaged { path: path.to_owned(), why });
        }
        chain.grow_to_history()?;
        Ok(chain)
    }

    /// Takes a step again that the file holds already; only the state is new.
    fn repeat(&mut self, found: &FoundStep, path: &Path) -> Result<(), NetworkError> {
        if found.forced == 0 {
            self.miner.advance()
        } else {
            self.miner.fork(found.forced)
        };
        if self.miner.steps() == found.steps && self.miner.world().hash == found.tip {
            return Ok(());
        }
        let why = format!("step {} does not repeat", found.steps);
        Err(NetworkError::Damaged { path: path.to_owned(), why })
    }

    fn grow_to_history(&mut self) -> Result<(), NetworkError> {
        while self.miner.height() < self.miner.config.history_blocks {
            self.advance()?;
        }
        self.save()
    }

    /// Takes the next step of the script: one more block, or a branch switch.
    ///
    /// # Errors
    /// The chain's file could not be written.
    pub fn advance(&mut self) -> Result<Advanced, NetworkError> {
        let step = self.miner.advance();
        self.keep(&step, 0)
    }

    /// Switches branches now: the last `depth` blocks are replaced by `depth + 1` blocks of a new branch. Depths beyond
    /// the 64 kept states, or down to block 0, are cut down.
    ///
    /// # Errors
    /// `depth` is 0, or the chain's file could not be written.
    pub fn fork(&mut self, depth: u64) -> Result<Advanced, NetworkError> {
        if depth == 0 {
            return Err(
                ConfigError { field: "depth", why: "a branch switch replaces at least one block".to_owned() }.into()
            );
        }
        let step = self.miner.fork(depth);
        self.keep(&step, depth)
    }

    fn keep(&mut self, step: &Step, forced: u64) -> Result<Advanced, NetworkError> {
        self.store.keep(self.miner.steps(), forced, step)?;
        let added = super::dice::to_u64(step.blocks.len());
        self.txs_since_checkpoint += added * self.miner.config.txs_per_block;
        if self.txs_since_checkpoint >= CHECKPOINT_EVERY_TXS {
            self.save()?;
        }
        Ok(Advanced { replaced: step.replaced, added, head: self.head() })
    }

    /// Notes the present state in the chain's file, if there is one, so that a restart need not mine anything again
    /// but the window of possible branch switches.
    ///
    /// # Errors
    /// The chain's file could not be written.
    pub fn save(&mut self) -> Result<(), NetworkError> {
        if self.txs_since_checkpoint > 0 {
            self.store.checkpoint(&self.miner.checkpoint())?;
            self.txs_since_checkpoint = 0;
        }
        Ok(())
    }

    /// What the chain is a function of.
    pub fn config(&self) -> &NetworkConfig {
        &self.miner.config
    }

    /// The chain's file, if any.
    pub fn path(&self) -> Option<&Path> {
        self.store.path()
    }

    /// Steps taken since block 0.
    pub fn steps(&self) -> u64 {
        self.miner.steps()
    }

    /// The newest block.
    pub fn head(&self) -> Head {
        let world = self.miner.world();
        Head {
            height: self.miner.height(),
            hash: hex::encode(world.hash),
            timestamp: rfc3339_ms(world.time_ms),
            branch: world.branch,
        }
    }

    /// The block at a height of the current branch.
    ///
    /// # Errors
    /// The chain's file could not be read.
    pub fn block(&self, height: u64) -> Result<Option<StoredBlock>, NetworkError> {
        Ok(self.store.block(height)?.map(StoredBlock))
    }

    /// The block of the current branch with this hash: 64 hex digits in any case, with or without `0x`.
    ///
    /// # Errors
    /// The chain's file could not be read.
    pub fn block_by_hash(&self, hash: &str) -> Result<Option<StoredBlock>, NetworkError> {
        let digits = hash.strip_prefix("0x").unwrap_or(hash);
        let mut bytes = [0; 32];
        if hex::decode_to_slice(digits, &mut bytes).is_err() {
            return Ok(None);
        }
        self.store.height_of(&bytes).map_or(Ok(None), |height| self.block(height))
    }

    /// The block and the index of a transaction of the current branch; `tx_id` is a UUID, or `0x` and its 32 digits.
    ///
    /// # Errors
    /// The chain's file could not be read.
    pub fn transaction(&self, tx_id: &str) -> Result<Option<(StoredBlock, usize)>, NetworkError> {
        let digits = tx_id.strip_prefix("0x").unwrap_or(tx_id);
        let place = uuid::Uuid::try_parse(digits).ok().and_then(|id| self.miner.ids.place(id));
        let Some(place) = place else { return Ok(None) };
        let index = usize::from(place.index);
        let block = self.block(place.height)?;
        Ok(block
            .filter(|block| block.branch() == place.branch && index < block.transactions().len())
            .map(|b| (b, index)))
    }

    /// Balance and number of sent transactions of an address, byte-exact; zeros for one never seen.
    pub fn account(&self, address: &str) -> (u64, u64) {
        let world = self.miner.world();
        match address {
            ORIGIN => (0, world.origin_nonce),
            LEVY => (world.levy, 0),
            REGISTRY => (world.registry, 0),
            _ => {
                let index = self.miner.cast.accounts.iter().position(|actor| actor.address == address);
                let account = index.map(|index| world.accounts.get(index));
                account.map_or((0, 0), |account| (account.balance, account.nonce))
            }
        }
    }

    /// The network's own books on the current branch.
    pub fn ledger(&self) -> Ledger {
        Ledger::of(self.miner.world(), &self.miner.cast)
    }

    /// What was generated on the current branch.
    pub fn tally(&self) -> &Tally {
        &self.miner.world().tally
    }
}
