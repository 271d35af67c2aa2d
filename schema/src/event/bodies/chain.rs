//! Blocks, transactions, money, and what nodes report of accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Checks;
use crate::chain::{Amount, Height, Spelled, Time};

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
