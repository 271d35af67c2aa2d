//! The body of each kind of event. Every number, time, hash and address keeps the text that upstream used.
//!
//! Fields that a record does not have are absent from the canonical bytes, so that a body says exactly what was said.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::chain::{Amount, Decimal, Height, IdentityId, Spelled, Time};
use crate::event::Verdict;

/// What one check of a claim came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The outcome.
    pub verdict: Verdict,
    /// Why it is not `verified`; absent when it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Check {
    /// The claim holds.
    pub fn verified() -> Self {
        Self { verdict: Verdict::Verified, reason: None }
    }

    /// The claim is false.
    pub fn refuted(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Refuted, reason: Some(reason.into()) }
    }

    /// Nothing at hand can decide the claim.
    pub fn unverifiable(reason: impl Into<String>) -> Self {
        Self { verdict: Verdict::Unverifiable, reason: Some(reason.into()) }
    }
}

/// Checks by name (`hash`, `link`, `count`, `signature`, `proof`).
pub type Checks = BTreeMap<String, Check>;

/// The worst of several checks, or none when nothing was claimed.
pub fn worst(checks: &Checks) -> Option<Verdict> {
    checks.values().map(|check| check.verdict).max()
}

/// A member that is absent, null, or has a value: `identity.update` tells the three apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// Not mentioned: the field stays.
    #[default]
    Keep,
    /// JSON null: the field is cleared.
    Clear,
    /// The new value.
    Set(T),
}

impl<T> Change<T> {
    /// Whether the member is absent.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep | Self::Clear => serializer.serialize_none(),
            Self::Set(value) => serializer.serialize_some(value),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

macro_rules! body {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
    };
}

/// Who may see an identity's statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatsVisibility {
    /// Everyone.
    Public,
    /// Mutual followers.
    FriendsOnly,
    /// The identity alone.
    Private,
}

impl StatsVisibility {
    /// The name on the wire and in the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::FriendsOnly => "friends_only",
            Self::Private => "private",
        }
    }
}

/// How a voter decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoteChoice {
    /// In favour.
    For,
    /// Opposed.
    Against,
    /// Neither; counts towards the quorum only.
    Abstain,
}

/// What the chain says a vote came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Accepted.
    Passed,
    /// Not accepted.
    Rejected,
}

/// Unit of a claimed reward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RewardUnit {
    /// Points of a project; not money.
    Points,
    /// The chain's base units.
    BaseUnits,
}

/// Which part of a record could not be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The payload only: the transfer around it was applied.
    Payload,
    /// The whole transaction: it moved nothing, and the chain is `complete: false` from here on.
    Transaction,
    /// A record of a service that is not a chain.
    Record,
}

body! {
    /// A public key and its algorithm.
    PublicKey {
        /// `ed25519`, `ml-dsa-44`, `ml-dsa-65` or `ml-dsa-87`.
        alg: String,
        /// Hex.
        public_key: String,
    }
}

body! {
    /// A signature that proves control of a wallet or key.
    Proof {
        /// Algorithm, as in [`PublicKey`].
        alg: String,
        /// Hex.
        public_key: String,
        /// Hex.
        signature: String,
    }
}

body! {
    /// `chain.block_applied`: a block became part of the standing chain.
    BlockApplied {
        /// `hash`, `link`, `count` and `signature`, one by one.
        checks: Checks,
        /// Gas limit, where the chain has gas.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gas_limit: Option<Spelled<Amount>>,
        /// Gas used, where the chain has gas.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gas_used: Option<Spelled<Amount>>,
        /// Block hash as upstream spelled it.
        hash: String,
        /// Block height.
        height: Spelled<Height>,
        /// Raw text of metadata that the hash does not cover (AITBC genesis allocations).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<String>,
        /// Hash of the parent as upstream spelled it; empty at genesis on some chains.
        parent_hash: String,
        /// Signature over the block, as upstream spelled it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
        /// Raw text of the state root.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        state_root: Option<String>,
        /// Block time.
        time: Spelled<Time>,
        /// Number of transactions that the block says it has.
        tx_count: Spelled<Amount>,
        /// Who made the block.
        validator: String,
    }
}

body! {
    /// One output of a transaction with several.
    Output {
        /// Base units.
        amount: Spelled<Amount>,
        /// Receiving address as upstream spelled it.
        recipient: String,
    }
}

body! {
    /// `chain.transaction_applied`: a transaction in a standing block; the transfer is inside it.
    TransactionApplied {
        /// Base units that leave the sender besides the fee.
        amount: Spelled<Amount>,
        /// `signature`, where one is claimed.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        checks: Checks,
        /// Raw text of the payload, byte for byte.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<String>,
        /// Base units paid besides the amount.
        fee: Spelled<Amount>,
        /// SHA-256 of a memo or other tier-2 text that was dropped; hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memo_digest: Option<String>,
        /// The sender's counter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Spelled<Amount>>,
        /// When present, these replace recipient and amount; their sum is the amount.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        outputs: Vec<Output>,
        /// Hex key that the signature is by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        public_key: Option<String>,
        /// Receiving address as upstream spelled it; absent when there are outputs only.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipient: Option<String>,
        /// Paying address as upstream spelled it.
        sender: String,
        /// Signature as upstream spelled it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signature: Option<String>,
        /// Commitments (hex) of stealth outputs; what they hold is tier 2 and not kept.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        stealth_commitments: Vec<String>,
        /// `confirmed` and the like, as the node says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<String>,
        /// Transaction time.
        time: Spelled<Time>,
        /// Id or hash as upstream spelled it.
        tx_id: String,
        /// `transfer`, the payload's kind, or the chain's own type.
        #[serde(rename = "type")]
        tx_type: String,
        /// Part of the amount that went to stealth outputs; base units.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undisclosed: Option<Spelled<Amount>>,
    }
}

body! {
    /// `chain.retracted`: this source's blocks above the fork height, from the first position on, no longer stand.
    Retracted {
        /// First position that no longer stands.
        first_position: Spelled<Height>,
        /// Newest height that both branches share.
        fork_height: Spelled<Height>,
        /// Hash of our former head.
        old_head_hash: String,
        /// Height of our former head.
        old_head_height: Spelled<Height>,
        /// What was seen at the node, in a plain sentence.
        reason: String,
    }
}

body! {
    /// `chain.finalized`: blocks up to a height will not be retracted.
    Finalized {
        /// Which rule says so: `depth` or `operator`.
        rule: String,
        /// Highest finalized height.
        through_height: Spelled<Height>,
    }
}

body! {
    /// `chain.allocated`: money that existed before the first transfer.
    Allocated {
        /// Owner as upstream spelled it.
        address: String,
        /// Base units.
        amount: Spelled<Amount>,
    }
}

body! {
    /// `chain.minted`: money that came into being after genesis.
    Minted {
        /// Owner as upstream spelled it.
        address: String,
        /// Base units.
        amount: Spelled<Amount>,
        /// Why, as the chain says.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// Who sent the payload; only the origin account may mint.
        sender: String,
    }
}

body! {
    /// `account.reported`: what a node says an address holds; not derived, and never retracted.
    AccountReported {
        /// Address as upstream spelled it.
        address: String,
        /// Base units; negative balances do not exist at nodes.
        balance: Spelled<Amount>,
        /// The node's head before asking.
        height_before: Spelled<Height>,
        /// The node's head after asking.
        height_after: Spelled<Height>,
        /// The account's counter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        nonce: Option<Spelled<Amount>>,
    }
}

body! {
    /// `identity.registered`.
    IdentityRegistered {
        /// Hash of the picture; hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        avatar_hash: Option<String>,
        /// About the person; at most 280 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bio: Option<String>,
        /// At most 64 characters.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        display_name: Option<String>,
        /// 32 bytes of hex.
        identity_id: Spelled<IdentityId>,
        /// Key that the identity signs with.
        key: PublicKey,
        /// Becomes the controller.
        sender: String,
        /// Who may see the statistics.
        stats_visibility: StatsVisibility,
    }
}

body! {
    /// `identity.updated`: only what was mentioned.
    IdentityUpdated {
        /// Hash of the picture; hex.
        #[serde(default, skip_serializing_if = "Change::is_keep")]
        avatar_hash: Change<String>,
        /// About the person.
        #[serde(default, skip_serializing_if = "Change::is_keep")]
        bio: Change<String>,
        /// Name to show.
        #[serde(default, skip_serializing_if = "Change::is_keep")]
        display_name: Change<String>,
        /// 32 bytes of hex.
        identity_id: Spelled<IdentityId>,
        /// Who asked for it.
        sender: String,
        /// Who may see the statistics; cleared means private.
        #[serde(default, skip_serializing_if = "Change::is_keep")]
        stats_visibility: Change<StatsVisibility>,
    }
}

body! {
    /// `identity.key_rotated`.
    KeyRotated {
        /// `proof`: by the new key.
        checks: Checks,
        /// 32 bytes of hex.
        identity_id: Spelled<IdentityId>,
        /// The new key.
        key: PublicKey,
        /// Signature by the new key.
        proof: Proof,
        /// Who asked for it.
        sender: String,
    }
}

body! {
    /// `identity.wallet_linked`.
    WalletLinked {
        /// `proof`: by the wallet's key.
        checks: Checks,
        /// 32 bytes of hex.
        identity_id: Spelled<IdentityId>,
        /// `main`, `mining`, `staking`, `trading`, `governance` or another word, as upstream spelled it.
        link_type: String,
        /// Signature by the wallet's key.
        proof: Proof,
        /// Who asked for it.
        sender: String,
        /// Address as upstream spelled it.
        wallet_address: String,
    }
}

body! {
    /// `identity.wallet_unlinked`.
    WalletUnlinked {
        /// 32 bytes of hex.
        identity_id: Spelled<IdentityId>,
        /// Who asked for it.
        sender: String,
        /// Address as upstream spelled it.
        wallet_address: String,
    }
}

body! {
    /// `social.followed`.
    Followed {
        /// Who follows.
        follower: Spelled<IdentityId>,
        /// Who is followed.
        following: Spelled<IdentityId>,
        /// Who asked for it.
        sender: String,
    }
}

body! {
    /// `social.unfollowed`.
    Unfollowed {
        /// Who followed.
        follower: Spelled<IdentityId>,
        /// Who was followed.
        following: Spelled<IdentityId>,
        /// Who asked for it.
        sender: String,
    }
}

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

body! {
    /// `work.submitted`.
    WorkSubmitted {
        /// Bytes moved, for work of type `bandwidth`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bytes: Option<Spelled<Amount>>,
        /// `signature` of the oracle, or why nothing can be checked.
        checks: Checks,
        /// BOINC credit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        credit: Option<Spelled<Decimal>>,
        /// Difficulty, where the record states one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        difficulty: Option<Spelled<Decimal>>,
        /// Address of the miner as upstream spelled it.
        miner_address: String,
        /// Who validated; absent when the chain itself did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        oracle_id: Option<String>,
        /// Signature of the oracle; hex.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        oracle_signature: Option<String>,
        /// Project of the work.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        project: Option<String>,
        /// What the oracle says was earned.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reward: Option<Spelled<Amount>>,
        /// Unit of the reward.
        reward_unit: RewardUnit,
        /// Who sent it.
        sender: String,
        /// Unique id of the submission.
        submission_id: String,
        /// When the miner handed it in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        submitted_at: Option<Spelled<Time>>,
        /// Task of the project.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task_id: Option<String>,
        /// When the oracle validated it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validated_at: Option<Spelled<Time>>,
        /// `boinc`, `nuw_…`, `bandwidth`, `compute` or `ceremony`.
        work_type: String,
    }
}

body! {
    /// `work.rejected`.
    WorkRejected {
        /// Address of the miner as upstream spelled it.
        miner_address: String,
        /// Who rejected.
        oracle_id: String,
        /// Why.
        reason: String,
        /// Who sent it.
        sender: String,
        /// Id of the submission.
        submission_id: String,
        /// When the oracle decided.
        validated_at: Spelled<Time>,
        /// Type of work.
        work_type: String,
    }
}

body! {
    /// `oracle.registered`.
    OracleRegistered {
        /// Address of the oracle as upstream spelled it.
        address: String,
        /// Key that the oracle signs with.
        key: PublicKey,
        /// Name to show.
        name: String,
        /// At most 64 characters.
        oracle_id: String,
        /// Who sent it.
        sender: String,
    }
}

body! {
    /// `oracle.reported`: what a service says of an oracle.
    OracleReported {
        /// The fields as text.
        fields: BTreeMap<String, String>,
        /// Which oracle.
        oracle_id: String,
        /// Which service says so.
        reported_by: String,
    }
}

body! {
    /// `oracle.slashed`.
    OracleSlashed {
        /// Base units.
        amount: Spelled<Amount>,
        /// Which oracle.
        oracle_id: String,
        /// Why.
        reason: String,
        /// Who sent it.
        sender: String,
    }
}

body! {
    /// `source.started`: the first contact with a source.
    SourceStarted {
        /// Chain id that the source is followed under.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        chain_id: Option<String>,
        /// Hash of block 0, where it was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        genesis_hash: Option<String>,
        /// How block hashes are checked: the rule's name, or absent when only links are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hash_rule: Option<String>,
        /// Kind of the source.
        kind: String,
        /// First height that is followed.
        start_height: Spelled<Height>,
    }
}

body! {
    /// `source.skipped`: an operator decided that something will not be indexed.
    SourceSkipped {
        /// First height left out.
        from_height: Spelled<Height>,
        /// The operator's reason.
        reason: String,
        /// Last height left out.
        through_height: Spelled<Height>,
    }
}

body! {
    /// `source.unrecognized`: well-formed on the outside, not understood within; nothing is lost.
    Unrecognized {
        /// SHA-256 (hex) of the raw bytes where they are kept elsewhere or are too long to keep.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data_digest: Option<String>,
        /// Which part was not understood.
        part: Part,
        /// The bytes as they came; hex.
        raw: String,
        /// Why, in a plain sentence.
        reason: String,
    }
}
