//! The body of each kind of event. Every number, time, hash and address keeps the text that upstream used.
//!
//! Fields that a record does not have are absent from the canonical bytes, so that a body says exactly what was said.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize};

use crate::event::Verdict;

macro_rules! body {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        pub struct $name { $($(#[$field_meta])* pub $field: $type,)* }
    };
}

mod chain;
mod governance;
mod identity;
mod source;
mod work;

pub use chain::*;
pub use governance::*;
pub use identity::*;
pub use source::*;
pub use work::*;

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
