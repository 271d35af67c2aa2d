//! The state the chain is in after a block: what the next block needs to know.
//!
//! A clone is cheap, because parts are shared until they change: so one world is kept per recent block, and a branch
//! switch is a return to an earlier one. It must not know JSON or keys.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cast::{Cast, LEVY, ORIGIN, REGISTRY};
use super::tally::Tally;

const CHUNK: usize = 16;

/// A value shared between worlds until one of them changes it.
#[derive(Debug, Clone, Default)]
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// Starts a value that nobody shares yet.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }

    /// Reads it.
    pub fn get(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> Shared<T> {
    /// Changes it for this world alone.
    pub fn change(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

/// A long list of which few entries change per block.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chunked<T> {
    chunks: Vec<Shared<Vec<T>>>,
}

impl<T: Clone + Default> Chunked<T> {
    fn new(len: usize) -> Self {
        Self { chunks: (0..len.div_ceil(CHUNK)).map(|_| Shared::new(vec![T::default(); CHUNK])).collect() }
    }

    /// Reads an entry.
    pub fn get(&self, index: usize) -> &T {
        &self.chunks[index / CHUNK].get()[index % CHUNK]
    }

    /// Changes an entry.
    pub fn change(&mut self, index: usize) -> &mut T {
        &mut self.chunks[index / CHUNK].change()[index % CHUNK]
    }
}

/// An account.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Account {
    /// Base units.
    pub balance: u64,
    /// The nonce of its next transaction.
    pub nonce: u64,
    /// Base units staked, part of the balance.
    pub staked: u64,
}

/// A registered identity; the n-th identity to register is controlled by account n.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Identity {
    /// One bit per account of its pool that is linked now.
    pub links: u8,
    /// Genuine key rotations so far.
    pub rotations: u64,
    /// To whom it delegates now, and how much.
    pub delegated_out: Option<(usize, u64)>,
    /// What others delegate to it.
    pub delegated_in: u64,
}

/// An open proposal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Proposal {
    /// Its id.
    pub id: u64,
    /// Unix seconds at which voting opens.
    pub starts_s: u64,
    /// Unix seconds after which voting is over.
    pub ends_s: u64,
    /// Power needed for an outcome.
    pub quorum: u64,
    /// Identities with power at the block that opened voting; absent before.
    pub powers: Option<Shared<Vec<(usize, u64)>>>,
    /// The standing votes: voter to choice and power.
    pub votes: Shared<BTreeMap<usize, (Choice, u64)>>,
    /// Whether it was finalised as passed and waits for its execution.
    pub passed: bool,
}

/// How somebody votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Choice {
    /// In favour.
    For,
    /// Against.
    Against,
    /// Counts towards the quorum only.
    Abstain,
}

/// A submission that may still be rejected or repeated.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Submission {
    /// Its id.
    pub id: String,
    /// Account of the miner.
    pub miner: usize,
    /// Index of the oracle.
    pub oracle: usize,
    /// Its type of work.
    pub work_type: String,
}

/// The state after a block.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    /// Height of the block; `None` before block 0.
    pub height: Option<u64>,
    /// Hash of the block.
    pub hash: [u8; 32],
    /// Branch that the block was mined on.
    pub branch: u32,
    /// Unix milliseconds of the block.
    pub time_ms: u64,
    /// Accounts, those of the oracles last.
    pub accounts: Chunked<Account>,
    /// Identities.
    pub identities: Chunked<Identity>,
    /// So many of the identities are registered.
    pub registered: usize,
    /// Open proposals by age.
    pub proposals: Vec<Proposal>,
    /// Proposals so far.
    pub proposals_made: u64,
    /// Recent submissions.
    pub submissions: Shared<VecDeque<Submission>>,
    /// Recent follows: follower and followed.
    pub follows: VecDeque<(usize, usize)>,
    /// Base units staked in all.
    pub staked: u64,
    /// Balance of the levy account.
    pub levy: u64,
    /// Balance of the registry account.
    pub registry: u64,
    /// The nonce of the origin account's next transaction.
    pub origin_nonce: u64,
    /// Allocated in block 0.
    pub allocated: u64,
    /// Minted since.
    pub minted: u64,
    /// Sent to the furnace.
    pub burned: u64,
    /// Sent into stealth outputs.
    pub undisclosed: u64,
    /// What was generated.
    pub tally: Tally,
}

impl World {
    /// The state before block 0.
    pub fn empty(cast: &Cast) -> Self {
        Self {
            height: None,
            hash: [0; 32],
            branch: 0,
            time_ms: 0,
            accounts: Chunked::new(cast.accounts.len()),
            identities: Chunked::new(cast.identity_ids.len()),
            registered: 0,
            proposals: Vec::new(),
            proposals_made: 0,
            submissions: Shared::default(),
            follows: VecDeque::new(),
            staked: 0,
            levy: 0,
            registry: 0,
            origin_nonce: 0,
            allocated: 0,
            minted: 0,
            burned: 0,
            undisclosed: 0,
            tally: Tally::default(),
        }
    }

    /// Stake of the accounts that an identity has linked.
    pub fn own_stake(&self, cast: &Cast, identity: usize) -> u64 {
        let links = self.identities.get(identity).links;
        cast.pool(identity)
            .filter(|(bit, _)| links & (1 << bit) != 0)
            .map(|(_, account)| self.accounts.get(account).staked)
            .sum()
    }

    /// Voting power of an identity: own stake, plus delegated in, minus delegated out.
    pub fn power(&self, cast: &Cast, identity: usize) -> u64 {
        let entry = self.identities.get(identity);
        let out = entry.delegated_out.map_or(0, |(_, amount)| amount);
        (self.own_stake(cast, identity) + entry.delegated_in).saturating_sub(out)
    }
}

/// Money on the current branch: what a reader's balances must equal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Height it is true for.
    pub height: u64,
    /// Balance in base units of every address that was ever touched and does not burn.
    pub balances: BTreeMap<String, u64>,
    /// Transactions sent, by address, where any were.
    pub sent: BTreeMap<String, u64>,
    /// Allocated in block 0.
    pub allocated: u64,
    /// Minted since.
    pub minted: u64,
    /// Sent to the furnace, gone.
    pub burned: u64,
    /// Sent into stealth outputs.
    pub undisclosed: u64,
}

impl Ledger {
    /// Reads the ledger off a world.
    pub(crate) fn of(world: &World, cast: &Cast) -> Self {
        let mut balances = BTreeMap::new();
        let mut sent = BTreeMap::new();
        for (index, actor) in cast.accounts.iter().enumerate() {
            let account = world.accounts.get(index);
            if account.balance > 0 || account.nonce > 0 {
                balances.insert(actor.address.clone(), account.balance);
            }
            if account.nonce > 0 {
                sent.insert(actor.address.clone(), account.nonce);
            }
        }
        for (address, balance) in [(LEVY, world.levy), (REGISTRY, world.registry)] {
            if balance > 0 {
                balances.insert(address.to_owned(), balance);
            }
        }
        if world.origin_nonce > 0 {
            sent.insert(ORIGIN.to_owned(), world.origin_nonce);
        }
        Self {
            height: world.height.unwrap_or(0),
            balances,
            sent,
            allocated: world.allocated,
            minted: world.minted,
            burned: world.burned,
            undisclosed: world.undisclosed,
        }
    }

    /// Balances plus undisclosed money.
    pub fn total(&self) -> u64 {
        self.balances.values().sum::<u64>() + self.undisclosed
    }

    /// Allocations plus mints minus burns: must equal [`Self::total`].
    pub fn supply(&self) -> u64 {
        self.allocated + self.minted - self.burned
    }
}
