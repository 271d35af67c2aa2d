//! The network's own books: what a reader's answers about the current branch must equal.
//!
//! Only what the rules leave no doubt about is in them. It must not know blocks or payloads.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::cast::{Cast, LEVY, ORIGIN, REGISTRY};
use super::world::{Proposal, World};

/// Who may see the statistics of an identity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Visibility {
    /// Everybody.
    Public,
    /// Those who follow each other.
    FriendsOnly,
    /// Nobody else; who says nothing is private.
    #[default]
    Private,
}

/// A registered identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IdentityBook {
    /// Who may see its statistics.
    pub visibility: Visibility,
    /// Identities that follow it.
    pub followers: u64,
    /// Identities that it follows.
    pub following: u64,
    /// Wallets that belong to it, by address.
    pub wallets: BTreeSet<String>,
    /// Base units staked by them.
    pub own_stake: u64,
    /// What counts of the delegations to it.
    pub delegated_in: u64,
    /// What counts of its own delegation.
    pub delegated_out: u64,
}

impl IdentityBook {
    /// Its voting power.
    pub fn power(&self) -> u64 {
        self.own_stake + self.delegated_in - self.delegated_out
    }
}

/// A delegation that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DelegationBook {
    /// Identity that gives.
    pub delegator: String,
    /// Identity that receives.
    pub delegatee: String,
    /// Power given.
    pub amount: u64,
    /// What counts of it now, as own stake covers it.
    pub counted: u64,
}

/// How far a proposal has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// Voting has not begun.
    Pending,
    /// Votes count.
    Active,
    /// Voting is over and nothing was decided.
    Ended,
    /// Finalised as passed.
    Passed,
    /// Finalised as rejected.
    Rejected,
    /// Passed and executed.
    Executed,
    /// Called off.
    Cancelled,
}

impl ProposalState {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Active, Self::Ended, Self::Passed, Self::Rejected, Self::Executed, Self::Cancelled];
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalBook {
    /// How far it has come at the head.
    pub state: ProposalState,
    /// Power needed for an outcome.
    pub quorum: u64,
    /// Power for it.
    pub votes_for: u64,
    /// Power against it.
    pub votes_against: u64,
    /// Power that abstained.
    pub votes_abstain: u64,
    /// Identities whose vote counts.
    pub voters: u64,
    /// Whether the votes carry it; known once voting is over or it is finalised.
    pub computed_passed: Option<bool>,
    /// Whether the chain says that it passed; known once it is finalised. Now and then it differs on purpose.
    pub final_passed: Option<bool>,
}

impl ProposalBook {
    /// The book of a proposal in some state.
    pub(super) fn of(proposal: &Proposal, state: ProposalState, is_over: bool) -> Self {
        let (votes_for, votes_against, votes_abstain) = proposal.sums();
        let final_passed = match state {
            ProposalState::Pending | ProposalState::Active | ProposalState::Ended | ProposalState::Cancelled => None,
            ProposalState::Passed | ProposalState::Executed => Some(true),
            ProposalState::Rejected => Some(false),
        };
        Self {
            state,
            quorum: proposal.quorum,
            votes_for,
            votes_against,
            votes_abstain,
            voters: super::dice::to_u64(proposal.votes.get().len()),
            computed_passed: (is_over || final_passed.is_some()).then(|| proposal.is_carried()),
            final_passed,
        }
    }

    /// The book of a proposal that is still open or waits for its execution, at the time of the head.
    fn at(proposal: &Proposal, time_ms: u64) -> Self {
        let is_over = proposal.is_over(time_ms);
        let state = match (proposal.passed, is_over, proposal.powers.is_some()) {
            (true, _, _) => ProposalState::Passed,
            (false, true, _) => ProposalState::Ended,
            (false, false, true) => ProposalState::Active,
            (false, false, false) => ProposalState::Pending,
        };
        Self::of(proposal, state, is_over)
    }
}

/// What an oracle has done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OracleBook {
    /// Whether it is registered.
    pub registered: bool,
    /// Submissions that it validated and that counted when they came.
    pub accepted: u64,
    /// Its rejections, but of what was rejected before.
    pub rejected: u64,
    /// Those of them that took out a submission which had counted.
    pub overturned: u64,
    /// Submissions with a signature in its name that does not hold.
    pub refuted: u64,
    /// How often it was slashed.
    pub slash_count: u64,
    /// Base units that it was slashed by in all.
    pub slashed: u64,
}

/// What the work of a miner counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MinerBook {
    /// Submissions that count.
    pub accepted: u64,
    /// Submissions that counted until they were rejected.
    pub rejected: u64,
    /// Credit of those of type `boinc` that count, in billionths.
    pub credit_nanos: u64,
    /// Bytes of those of type `bandwidth` that count.
    pub bytes: u64,
}

impl MinerBook {
    /// Takes a submission in.
    pub(super) fn accept(&mut self, score: &Self) {
        self.accepted += 1;
        self.credit_nanos += score.credit_nanos;
        self.bytes += score.bytes;
    }

    /// Takes a submission out again.
    pub(super) fn reject(&mut self, score: &Self) {
        self.accepted -= 1;
        self.rejected += 1;
        self.credit_nanos -= score.credit_nanos;
        self.bytes -= score.bytes;
    }
}

/// Everything on the current branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ledger {
    /// Height it is true for.
    pub height: u64,
    /// Balance in base units of every address that was ever touched and does not burn.
    pub balances: BTreeMap<String, u64>,
    /// Transactions sent, by address, where any were.
    pub sent: BTreeMap<String, u64>,
    /// Base units staked, by address, where any are.
    pub staked: BTreeMap<String, u64>,
    /// Allocated in block 0.
    pub allocated: u64,
    /// Minted since.
    pub minted: u64,
    /// Sent to the furnace, gone.
    pub burned: u64,
    /// Sent into stealth outputs.
    pub undisclosed: u64,
    /// Registered identities by id.
    pub identities: BTreeMap<String, IdentityBook>,
    /// Delegations that stand, by who gives.
    pub delegations: Vec<DelegationBook>,
    /// Who follows whom: follower and followed.
    pub follows: Vec<(String, String)>,
    /// Proposals by number.
    pub proposals: BTreeMap<u64, ProposalBook>,
    /// Oracles by id.
    pub oracles: BTreeMap<String, OracleBook>,
    /// Miners by address, where any work ever counted.
    pub miners: BTreeMap<String, MinerBook>,
}

impl Ledger {
    /// Reads the ledger off a world.
    pub(super) fn of(world: &World, cast: &Cast) -> Self {
        let mut ledger = Self {
            height: world.height.unwrap_or(0),
            balances: BTreeMap::new(),
            sent: BTreeMap::new(),
            staked: BTreeMap::new(),
            allocated: world.allocated,
            minted: world.minted,
            burned: world.burned,
            undisclosed: world.undisclosed,
            identities: BTreeMap::new(),
            delegations: Vec::new(),
            follows: Vec::new(),
            proposals: world.concluded.get().clone(),
            oracles: cast.oracles.iter().map(|oracle| oracle.id.clone()).zip(world.oracles.iter().cloned()).collect(),
            miners: BTreeMap::new(),
        };
        ledger.add_accounts(world, cast);
        ledger.add_identities(world, cast);
        let open = world.proposals.iter().map(|proposal| (proposal.id, ProposalBook::at(proposal, world.time_ms)));
        ledger.proposals.extend(open);
        ledger
    }

    fn add_accounts(&mut self, world: &World, cast: &Cast) {
        for (index, actor) in cast.accounts.iter().enumerate() {
            let (account, miner) = (world.accounts.get(index), world.miners.get(index));
            if account.balance > 0 || account.nonce > 0 {
                self.balances.insert(actor.address.clone(), account.balance);
            }
            if account.nonce > 0 {
                self.sent.insert(actor.address.clone(), account.nonce);
            }
            if account.staked > 0 {
                self.staked.insert(actor.address.clone(), account.staked);
            }
            if *miner != MinerBook::default() {
                self.miners.insert(actor.address.clone(), *miner);
            }
        }
        for (address, balance) in [(LEVY, world.levy), (REGISTRY, world.registry)] {
            if balance > 0 {
                self.balances.insert(address.to_owned(), balance);
            }
        }
        if world.origin_nonce > 0 {
            self.sent.insert(ORIGIN.to_owned(), world.origin_nonce);
        }
    }

    fn add_identities(&mut self, world: &World, cast: &Cast) {
        let mut followers = vec![0; world.registered];
        for followed in (0..world.registered).flat_map(|follower| world.following.get(follower)) {
            followers[*followed] += 1;
        }
        for (index, followers) in followers.into_iter().enumerate() {
            let (id, entry) = (&cast.identity_ids[index], world.identities.get(index));
            let follows = world.following.get(index);
            let book = IdentityBook {
                visibility: entry.visibility,
                followers,
                following: super::dice::to_u64(follows.len()),
                wallets: world.wallets(cast, index).map(|account| cast.accounts[account].address.clone()).collect(),
                own_stake: world.own_stake(cast, index),
                delegated_in: entry.delegated_in,
                delegated_out: entry.gives.map_or(0, |given| given.counted),
            };
            self.identities.insert(id.clone(), book);
            self.follows.extend(follows.iter().map(|followed| (id.clone(), cast.identity_ids[*followed].clone())));
            self.delegations.extend(entry.gives.map(|given| DelegationBook {
                delegator: id.clone(),
                delegatee: cast.identity_ids[given.to].clone(),
                amount: given.amount,
                counted: given.counted,
            }));
        }
        self.delegations.sort_by(|one, other| one.delegator.cmp(&other.delegator));
        self.follows.sort();
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
