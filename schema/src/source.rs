//! What is fixed about a source for ever: which kind it is, and the rules of money and names that follow from it.
//!
//! Folding depends on these facts, so they are written to `log.sources` once and never change there.

use crate::chain::{AddressRule, Height};
use crate::event::SourceId;

/// Which protocol, and with it which rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SourceKind {
    /// A Chert node's JSON-RPC.
    Chert,
    /// An AITBC node's REST.
    Aitbc,
    /// A chain written down in a test, with Chert's rules.
    Scripted,
}

/// What becomes of fees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeeRule {
    /// Paid to this account.
    PaidTo(&'static str),
    /// Destroyed.
    Burned,
}

impl SourceKind {
    /// The name in settings and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chert => "chert",
            Self::Aitbc => "aitbc",
            Self::Scripted => "scripted",
        }
    }

    /// The kind with a name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Chert, Self::Aitbc, Self::Scripted].into_iter().find(|kind| kind.name() == name)
    }

    /// How accounts are spelled.
    pub fn address_rule(self) -> AddressRule {
        match self {
            Self::Chert | Self::Scripted => AddressRule::Exact,
            Self::Aitbc => AddressRule::Aitbc,
        }
    }

    /// What becomes of fees.
    pub fn fee_rule(self) -> FeeRule {
        match self {
            Self::Chert => FeeRule::PaidTo(LEVY),
            Self::Scripted => FeeRule::PaidTo("levy"),
            Self::Aitbc => FeeRule::Burned,
        }
    }

    /// The account whose receipts are destroyed, where there is one.
    pub fn furnace(self) -> Option<&'static str> {
        match self {
            Self::Chert => Some(FURNACE),
            Self::Scripted => Some("furnace"),
            Self::Aitbc => None,
        }
    }

    /// The account that alone may mint and act for the chain, where there is one.
    pub fn origin(self) -> Option<&'static str> {
        match self {
            Self::Chert => Some(ORIGIN),
            Self::Scripted => Some("origin"),
            Self::Aitbc => None,
        }
    }

    /// Whether balances also change outside blocks unless the settings say otherwise.
    pub fn has_off_block_state(self) -> bool {
        match self {
            Self::Chert | Self::Scripted => false,
            Self::Aitbc => true,
        }
    }
}

/// Reserved account that destroys what it receives.
pub const FURNACE: &str = "0x0000000000000000000000000000000000000001";
/// Reserved account that mints.
pub const ORIGIN: &str = "0x0000000000000000000000000000000000000002";
/// Reserved account that fees go to.
pub const LEVY: &str = "0x0000000000000000000000000000000000000003";

/// A source as `log.sources` describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFacts {
    /// Number in this database.
    pub source_id: SourceId,
    /// The operator's name for it; `chain=` in requests.
    pub name: String,
    /// Protocol and rules.
    pub kind: SourceKind,
    /// Chain id that signatures cover, where known.
    pub chain_id: Option<String>,
    /// Whether unverifiable wallet links of this source count.
    pub trusted: bool,
    /// Whether balances also change outside blocks.
    pub off_block_state: bool,
    /// First height that is followed.
    pub start_height: Height,
    /// Symbol of its money; may be empty.
    pub symbol: String,
    /// Digits behind the point when amounts are shown.
    pub decimals: i32,
}
