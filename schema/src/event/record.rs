//! An event on its way into the log, and the record of it there: columns, subjects, digest.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};

use crate::canonical::{Hash, LeafHasher};
use crate::chain::{Address, BlockHash, Height, IdentityId, TxId};
use crate::event::{Event, Kind};

/// What checking a claim came to, from best to worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The claim holds.
    Verified,
    /// Nothing at hand can decide the claim.
    Unverifiable,
    /// The claim is false.
    Refuted,
}

impl Verdict {
    /// The name on the wire and in digests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unverifiable => "unverifiable",
            Self::Refuted => "refuted",
        }
    }

    /// The number in the database.
    pub fn code(self) -> i16 {
        match self {
            Self::Verified => 1,
            Self::Refuted => 2,
            Self::Unverifiable => 3,
        }
    }

    /// The verdict with a number, if there is one.
    pub fn from_code(code: i16) -> Option<Self> {
        match code {
            1 => Some(Self::Verified),
            2 => Some(Self::Refuted),
            3 => Some(Self::Unverifiable),
            _ => None,
        }
    }
}

/// A place in the log: dense, starting at 1; 0 is "before everything".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(pub i64);

impl Position {
    /// Before the first event.
    pub const START: Self = Self(0);

    /// The position so many events later.
    pub fn plus(self, events: usize) -> Self {
        Self(self.0 + i64::try_from(events).expect("no batch holds 2^63 events"))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of a source in this database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub i32);

/// What a subject's name belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Namespace {
    /// An account of one chain.
    Address,
    /// An identity; its ids are the same at every source.
    Identity,
    /// A proposal of one chain.
    Proposal,
    /// An oracle of one source.
    Oracle,
    /// A work submission of one source.
    Submission,
}

impl Namespace {
    /// The number in the database.
    pub fn code(self) -> i16 {
        match self {
            Self::Address => 1,
            Self::Identity => 2,
            Self::Proposal => 3,
            Self::Oracle => 4,
            Self::Submission => 5,
        }
    }

    /// The name in `subject=` filters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Identity => "identity",
            Self::Proposal => "proposal",
            Self::Oracle => "oracle",
            Self::Submission => "submission",
        }
    }

    /// The namespace with a number, if there is one.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::Address, Self::Identity, Self::Proposal, Self::Oracle, Self::Submission]
            .into_iter()
            .find(|namespace| namespace.code() == code)
    }

    /// The namespace with a name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Address, Self::Identity, Self::Proposal, Self::Oracle, Self::Submission]
            .into_iter()
            .find(|namespace| namespace.name() == name)
    }

    /// Whether each source has names of its own.
    pub fn is_per_source(self) -> bool {
        self != Self::Identity
    }
}

macro_rules! roles {
    ($($code:literal $name:literal $variant:ident;)+) => {
        /// How a subject takes part in an event.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Role {
            $(
                #[doc = concat!("`", $name, "`")]
                $variant,
            )+
        }

        impl Role {
            /// The number in the database.
            pub fn code(self) -> i16 {
                match self { $(Self::$variant => $code,)+ }
            }

            /// The name on the wire.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// The role with a number, if there is one.
            pub fn from_code(code: i16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

roles! {
    1 "sender" Sender;
    2 "recipient" Recipient;
    3 "owner" Owner;
    4 "reported" Reported;
    5 "identity" Identity;
    6 "wallet" Wallet;
    7 "follower" Follower;
    8 "following" Following;
    9 "account" Account;
    10 "validator" Validator;
    11 "proposal" Proposal;
    12 "proposer" Proposer;
    13 "voter" Voter;
    14 "delegator" Delegator;
    15 "delegatee" Delegatee;
    16 "miner" Miner;
    17 "oracle" Oracle;
    18 "submission" Submission;
}

/// Who an event is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subject {
    /// What the name belongs to.
    pub namespace: Namespace,
    /// The name, normalised.
    pub name: String,
}

impl Subject {
    /// An account.
    pub fn address(address: &Address) -> Self {
        Self { namespace: Namespace::Address, name: address.as_str().to_owned() }
    }

    /// An identity.
    pub fn identity(id: &IdentityId) -> Self {
        Self { namespace: Namespace::Identity, name: id.to_string() }
    }

    /// A subject of another namespace.
    pub fn named(namespace: Namespace, name: impl Into<String>) -> Self {
        Self { namespace, name: name.into() }
    }
}

/// An event on its way into the log: what a source's decoder makes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What happened.
    pub event: Event,
    /// Transaction that carried it and its index in the block, if one did.
    pub tx: Option<(TxId, u32)>,
    /// The worst of the checks in the body; none where nothing is claimed.
    pub verdict: Option<Verdict>,
    /// Who it is about.
    pub subjects: Vec<(Role, Subject)>,
}

/// What is appended as one whole: a block, or one poll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Height and hash, when the unit is a block.
    pub block: Option<(Height, BlockHash)>,
    /// Block or record time.
    pub occurred_at: DateTime<Utc>,
    /// The events, in order; never empty.
    pub entries: Vec<Entry>,
}

/// An event as the log holds it, ready to be folded or served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Place in the log.
    pub position: Position,
    /// Where it came from.
    pub source_id: SourceId,
    /// Block height, when a block carried it.
    pub height: Option<Height>,
    /// Block hash, when a block carried it.
    pub block_hash: Option<BlockHash>,
    /// Transaction, when one carried it.
    pub tx_id: Option<TxId>,
    /// Index of the transaction in the block.
    pub tx_index: Option<u32>,
    /// Index in the unit.
    pub event_index: u32,
    /// Outcome of the checks.
    pub verdict: Option<Verdict>,
    /// Block or record time, microseconds.
    pub occurred_at: DateTime<Utc>,
    /// What happened.
    pub event: Event,
}

/// The columns of a record that its digest covers, in that order.
#[derive(Debug, Clone, Copy)]
pub struct Covered<'a> {
    /// Place in the log.
    pub position: Position,
    /// Where it came from.
    pub source_id: SourceId,
    /// Block height.
    pub height: Option<Height>,
    /// Block hash.
    pub block_hash: Option<&'a BlockHash>,
    /// Transaction.
    pub tx_id: Option<&'a str>,
    /// Index of the transaction.
    pub tx_index: Option<u32>,
    /// Index in the unit.
    pub event_index: u32,
    /// Kind.
    pub kind: Kind,
    /// Canonical body.
    pub body: &'a [u8],
    /// Outcome of the checks.
    pub verdict: Option<Verdict>,
    /// Block or record time.
    pub occurred_at: DateTime<Utc>,
}

impl Covered<'_> {
    /// The digest that `docs/log-format.md` specifies: every field as text, lengths before them, RFC 6962 leaf.
    pub fn digest(&self) -> Hash {
        let text = |value: &dyn fmt::Display| Some(value.to_string());
        let fields = [
            text(&self.position),
            text(&self.source_id.0),
            self.height.map(|height| height.to_string()),
            self.block_hash.map(BlockHash::to_string),
            self.tx_id.map(str::to_owned),
            self.tx_index.map(|index| index.to_string()),
            text(&self.event_index),
            text(&self.kind.name()),
        ];
        let mut hasher = LeafHasher::default();
        for field in &fields {
            hasher.field(field.as_deref().map(str::as_bytes));
        }
        hasher.field(Some(self.body));
        hasher.field(self.verdict.map(|verdict| verdict.name().as_bytes()));
        hasher.field(Some(rfc3339_micros(self.occurred_at).as_bytes()));
        hasher.finish()
    }
}

/// A time as digests and answers spell it: RFC 3339, UTC, always six fraction digits.
pub fn rfc3339_micros(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
