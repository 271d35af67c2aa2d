//! Stake, proposals, votes and delegations.

use serde::{Deserialize, Serialize};

use super::{Outcome, VoteChoice};
use crate::chain::{Amount, Height, IdentityId, Spelled, Time};

body! {
    /// `staking.staked`.
    Staked {
        /// Whose money.
        account: String,
        /// Base units.
        amount: Spelled<Amount>,
        /// Who asked for it.
        sender: String,
        /// With whom.
        validator: String,
    }
}

body! {
    /// `staking.unstaked`.
    Unstaked {
        /// Whose money.
        account: String,
        /// Base units.
        amount: Spelled<Amount>,
        /// Who asked for it.
        sender: String,
        /// With whom.
        validator: String,
    }
}

body! {
    /// `governance.proposed`.
    Proposed {
        /// Call data per target; hex.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        calldatas: Vec<String>,
        /// At most 10,000 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Number of the proposal on its chain, below 2^63.
        proposal_id: Spelled<Height>,
        /// Kind of proposal.
        proposal_type: String,
        /// Proposing identity.
        proposer: Spelled<IdentityId>,
        /// Power needed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quorum: Option<Spelled<Amount>>,
        /// Who sent it.
        sender: String,
        /// Addresses to call when executed.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        targets: Vec<String>,
        /// At most 256 characters.
        title: String,
        /// Base units per target.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        values: Vec<Spelled<Amount>>,
        /// End of the window.
        voting_ends_at: Spelled<Time>,
        /// Start of the window.
        voting_starts_at: Spelled<Time>,
    }
}

body! {
    /// `governance.voted`.
    Voted {
        /// The decision.
        choice: VoteChoice,
        /// Claimed power; the computed one counts.
        power: Spelled<Amount>,
        /// Number of the proposal.
        proposal_id: Spelled<Height>,
        /// At most 1,024 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Who sent it.
        sender: String,
        /// Voting identity.
        voter: Spelled<IdentityId>,
    }
}

body! {
    /// `governance.finalized`.
    ProposalFinalized {
        /// What the chain says it came to.
        outcome: Outcome,
        /// Number of the proposal.
        proposal_id: Spelled<Height>,
        /// Who sent it.
        sender: String,
        /// Claimed tally.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        votes_abstain: Option<Spelled<Amount>>,
        /// Claimed tally.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        votes_against: Option<Spelled<Amount>>,
        /// Claimed tally.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        votes_for: Option<Spelled<Amount>>,
    }
}

body! {
    /// `governance.executed`.
    ProposalExecuted {
        /// Number of the proposal.
        proposal_id: Spelled<Height>,
        /// Who sent it.
        sender: String,
    }
}

body! {
    /// `governance.cancelled`.
    ProposalCancelled {
        /// Number of the proposal.
        proposal_id: Spelled<Height>,
        /// Who sent it.
        sender: String,
    }
}

body! {
    /// `governance.delegated`.
    Delegated {
        /// Power.
        amount: Spelled<Amount>,
        /// Who receives it.
        delegatee: Spelled<IdentityId>,
        /// Who gives it.
        delegator: Spelled<IdentityId>,
        /// Who sent it.
        sender: String,
    }
}

body! {
    /// `governance.undelegated`.
    Undelegated {
        /// Power.
        amount: Spelled<Amount>,
        /// Who had received it.
        delegatee: Spelled<IdentityId>,
        /// Who had given it.
        delegator: Spelled<IdentityId>,
        /// Who sent it.
        sender: String,
    }
}
