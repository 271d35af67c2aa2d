//! Governance: proposals, votes, voting power, delegations and participation, chain by chain (MEANING §6).
//!
//! All of it follows from what the chains themselves publish, so nothing here depends on anybody's visibility.

mod causes;
mod changes;
mod delegations;
mod list;
mod one;
mod power;
mod proposals;
pub(crate) mod stats;
mod votes;

pub use changes::{ProposalChange, ProposalChangeReason, ProposalChanges};
pub use delegations::{Delegation, DelegationDirection, DelegationList};
pub use list::ProposalList;
pub use one::{OneProposal, ProposalBatch, ProposalDetail};
pub use power::{CountingWallet, DelegationShare, OnePower, Power};
pub use proposals::Proposal;
pub use stats::{GovernanceStats, OneGovernanceStats};
pub use votes::{ProposalVotes, Vote, VoteHistory, VotesOf};
