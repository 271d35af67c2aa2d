//! What was generated, counted, so that a reader's counts can be compared with it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

macro_rules! named {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident => $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_meta])* #[doc = concat!("`", $text, "`")] #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name on the wire and in statistics.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

named! {
    /// What a transaction does: a plain transfer, or the kind of its payload.
    Kind {
        Transfer => "transfer",
        Allocate => "genesis.allocate",
        Mint => "reward.mint",
        Register => "identity.register",
        Update => "identity.update",
        RotateKey => "identity.rotate_key",
        LinkWallet => "identity.link_wallet",
        UnlinkWallet => "identity.unlink_wallet",
        Follow => "social.follow",
        Unfollow => "social.unfollow",
        Stake => "staking.stake",
        Unstake => "staking.unstake",
        Propose => "governance.propose",
        Vote => "governance.vote",
        Finalize => "governance.finalize",
        Execute => "governance.execute",
        Cancel => "governance.cancel",
        Delegate => "governance.delegate",
        Undelegate => "governance.undelegate",
        RegisterOracle => "oracle.register",
        SubmitWork => "pouw.submit",
        RejectWork => "pouw.reject",
        SlashOracle => "oracle.slash",
        Unrecognized => "unrecognized",
    }
}

named! {
    /// What was made wrong on purpose.
    Defect {
        BadTransactionSignature => "bad_transaction_signature",
        BadLinkProof => "bad_link_proof",
        LinkProofOfAnotherKey => "link_proof_of_another_key",
        BadRotationProof => "bad_rotation_proof",
        BadOracleSignature => "bad_oracle_signature",
        UnsignedWorkByStranger => "unsigned_work_by_stranger",
        UnregisteredOracle => "unregistered_oracle",
        OracleRegisteredTwice => "oracle_registered_twice",
        SlashOfUnknownOracle => "slash_of_unknown_oracle",
        ValidatedBeforeSubmitted => "validated_before_submitted",
        RepeatedSubmission => "repeated_submission",
        RejectionByAnother => "rejection_by_another",
        RejectedTwice => "rejected_twice",
        SecondRegistration => "second_registration",
        LinkByStranger => "link_by_stranger",
        DoubleLink => "double_link",
        TooManyLinks => "too_many_links",
        UnlinkOfUnlinked => "unlink_of_unlinked",
        SelfFollow => "self_follow",
        FollowOfUnknown => "follow_of_unknown",
        FollowBadlySigned => "follow_badly_signed",
        UnfollowOfUnfollowed => "unfollow_of_unfollowed",
        StakeOfAnother => "stake_of_another",
        StakeTooMuch => "stake_too_much",
        UnstakeTooMuch => "unstake_too_much",
        DelegateToSelf => "delegate_to_self",
        DelegateTooMuch => "delegate_too_much",
        UndelegateTooMuch => "undelegate_too_much",
        VoteOutsideWindow => "vote_outside_window",
        VoteAfterClose => "vote_after_close",
        VoteWithoutPower => "vote_without_power",
        VoteOverclaimed => "vote_overclaimed",
        UnknownProposal => "unknown_proposal",
        ProposedTwice => "proposed_twice",
        FinalizeByStranger => "finalize_by_stranger",
        FinalizedEarly => "finalized_early",
        DecidedTwice => "decided_twice",
        CancelOfDecided => "cancel_of_decided",
        ExecuteOfUnpassed => "execute_of_unpassed",
        FalseTally => "false_tally",
        FalseOutcome => "false_outcome",
        MintByStranger => "mint_by_stranger",
        UnknownKind => "unknown_kind",
        FutureVersion => "future_version",
        MissingField => "missing_field",
        WrongType => "wrong_type",
        OutOfRange => "out_of_range",
        NotANumber => "not_a_number",
        TitleTooLong => "title_too_long",
        LateAllocation => "late_allocation",
        NotAPayload => "not_a_payload",
    }
}

named! {
    /// What is correct but unusual. Whether a lone surrogate or a duplicate key spoils a payload is the reader's rule.
    Oddity {
        DataAsString => "data_as_string",
        DataAsHex => "data_as_hex",
        NulText => "nul_text",
        LoneSurrogate => "lone_surrogate",
        LongText => "long_text",
        RightToLeft => "right_to_left",
        DuplicateKeys => "duplicate_keys",
        NumberBeyond53Bits => "number_beyond_53_bits",
        Outputs => "outputs",
        Stealth => "stealth",
        Burn => "burn",
        EmptyBlock => "empty_block",
        UnverifiableLink => "unverifiable_link",
        MovedWallet => "moved_wallet",
    }
}

/// Totals of one branch, from block 0 to its head.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Blocks, block 0 included.
    pub blocks: u64,
    /// Transactions; each counts once in `kinds`.
    pub transactions: u64,
    /// Transactions by what they do. Payloads that no reader can recognise are under [`Kind::Unrecognized`].
    pub kinds: BTreeMap<Kind, u64>,
    /// Deliberate mistakes.
    pub defects: BTreeMap<Defect, u64>,
    /// Deliberate oddities.
    pub oddities: BTreeMap<Oddity, u64>,
}

impl Tally {
    /// Transactions of one kind.
    pub fn kind(&self, kind: Kind) -> u64 {
        self.kinds.get(&kind).copied().unwrap_or(0)
    }

    /// Mistakes of one sort.
    pub fn defect(&self, defect: Defect) -> u64 {
        self.defects.get(&defect).copied().unwrap_or(0)
    }

    /// Oddities of one sort.
    pub fn oddity(&self, oddity: Oddity) -> u64 {
        self.oddities.get(&oddity).copied().unwrap_or(0)
    }

    pub(crate) fn count_kind(&mut self, kind: Kind) {
        self.transactions += 1;
        *self.kinds.entry(kind).or_default() += 1;
    }

    pub(crate) fn count_defect(&mut self, defect: Defect) {
        *self.defects.entry(defect).or_default() += 1;
    }

    pub(crate) fn count_oddity(&mut self, oddity: Oddity) {
        *self.oddities.entry(oddity).or_default() += 1;
    }
}
