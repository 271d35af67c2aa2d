//! The state the chain is in after a block: what the next block needs to know.
//!
//! A clone is cheap, because parts are shared until they change: so one world is kept per recent block, and a branch
//! switch is a return to an earlier one. It must not know JSON or keys.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::cast::Cast;
use super::ledger::{MinerBook, OracleBook, ProposalBook, Visibility};
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
    /// One bit per account of its pool that now belongs to another identity, for good.
    pub gone: u8,
    /// An account of another identity's pool that belongs to this one now, for good.
    pub adopted: Option<usize>,
    /// Genuine key rotations so far.
    pub rotations: u64,
    /// Who may see its statistics.
    pub visibility: Visibility,
    /// What it delegates now.
    pub gives: Option<Given>,
    /// What counts of the delegations to it.
    pub delegated_in: u64,
}

/// A delegation, seen from the one who gives. Nobody gives to two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Who receives.
    pub to: usize,
    /// Power given; own stake covered it when it was given.
    pub amount: u64,
    /// What counts now: no more than own stake.
    pub counted: u64,
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

impl Proposal {
    /// Powers that voted for it, against it, and neither.
    pub fn sums(&self) -> (u64, u64, u64) {
        let sum = |wanted: Choice| -> u64 {
            self.votes.get().values().filter(|(choice, _)| *choice == wanted).map(|(_, power)| power).sum()
        };
        (sum(Choice::For), sum(Choice::Against), sum(Choice::Abstain))
    }

    /// Whether a block of this time is past the end of voting.
    pub fn is_over(&self, time_ms: u64) -> bool {
        time_ms > self.ends_s * 1_000
    }

    /// What the votes come to.
    pub fn is_carried(&self) -> bool {
        let (yes, no, abstain) = self.sums();
        yes > no && yes + no + abstain >= self.quorum
    }
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
    /// What it counts, once accepted.
    pub score: MinerBook,
    /// Whether it was rejected since.
    pub rejected: bool,
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
    /// Proposals that nothing more happens to, by id.
    pub concluded: Shared<BTreeMap<u64, ProposalBook>>,
    /// Recent submissions.
    pub submissions: Shared<VecDeque<Submission>>,
    /// What the work of each account's miner counts.
    pub miners: Chunked<MinerBook>,
    /// What each oracle has done.
    pub oracles: Vec<OracleBook>,
    /// Wallets that somebody claimed while they were another's: account and identity.
    pub contested: Shared<BTreeSet<(usize, usize)>>,
    /// Whom each identity follows, in order.
    pub following: Chunked<Vec<usize>>,
    /// Recent follows that stand: follower and followed.
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
            concluded: Shared::default(),
            submissions: Shared::default(),
            miners: Chunked::new(cast.accounts.len()),
            oracles: vec![OracleBook::default(); cast.oracles.len()],
            contested: Shared::default(),
            following: Chunked::new(cast.identity_ids.len()),
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

    /// The accounts that belong to an identity now.
    pub fn wallets(&self, cast: &Cast, identity: usize) -> impl Iterator<Item = usize> + use<> {
        let Identity { links, adopted, .. } = *self.identities.get(identity);
        let linked = cast.pool(identity).filter(move |(bit, _)| links & (1 << bit) != 0);
        linked.map(|(_, account)| account).chain(adopted)
    }

    /// Stake of the accounts that belong to an identity now.
    pub fn own_stake(&self, cast: &Cast, identity: usize) -> u64 {
        self.wallets(cast, identity).map(|account| self.accounts.get(account).staked).sum()
    }

    /// Voting power of an identity: own stake, plus delegated in, minus delegated out.
    pub fn power(&self, cast: &Cast, identity: usize) -> u64 {
        let entry = self.identities.get(identity);
        let out = entry.gives.map_or(0, |given| given.counted);
        self.own_stake(cast, identity) + entry.delegated_in - out
    }

    /// Lets what an identity delegates follow its stake, after that has changed.
    pub fn cover(&mut self, cast: &Cast, identity: usize) {
        let Some(given) = self.identities.get(identity).gives else { return };
        let counted = given.amount.min(self.own_stake(cast, identity));
        if counted != given.counted {
            let receiver = self.identities.change(given.to);
            receiver.delegated_in = receiver.delegated_in - given.counted + counted;
            self.identities.change(identity).gives = Some(Given { counted, ..given });
        }
    }
}
