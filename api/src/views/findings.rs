//! Findings: what is wrong with what was claimed, event by event.
//!
//! Most are written by the projections; two depend on all sources together and are tables of their own: wallet claims that
//! stand behind another identity's, and registrations that came after another source's.

use schema::event::Namespace;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, LOG, Query, Stamped};

mod count;
mod read;
mod statement;

/// Declares the codes once, for programs and for the documentation of the route.
macro_rules! codes {
    ($intro:literal $($code:literal $says:literal;)+) => {
        /// Every code that a finding may have, and what it says.
        pub const CODES: &[(&str, &str)] = &[$(($code, $says)),+];
        /// The documentation of the route.
        pub const DESCRIPTION: &str = concat!($intro, $("\n* `", $code, "`: ", $says),+);
    };
}

codes! {
    "What is wrong with what was claimed, newest event first: refuted checks, and rules that an event breaks. Events that \
     do not count are kept in the log and changed nothing; the others count, and something that they claim besides is not \
     what we find. The codes:\n"
    "claimed-too-much-power" "a vote claims more power than its voter had when voting opened; it counts with what the voter had.";
    "decided-already" "a proposal was finalized before; the first outcome stays.";
    "delegated-too-much" "more was delegated than was staked and free; what was covered counts, if anything was.";
    "finalized-early" "a proposal was finalized before its voting had ended; the chain's outcome is taken over.";
    "no-voting-power" "the voter had no power when voting opened.";
    "not-controller" "the sender is not the controller of the identity.";
    "not-followed" "somebody stopped following whom they did not follow.";
    "not-linked" "a wallet was unlinked that was not linked to the identity.";
    "not-open" "a proposal was cancelled that was decided or cancelled before.";
    "not-origin" "only the chain's origin account may do that.";
    "not-passed" "a proposal was executed that has not passed.";
    "not-the-oracle" "the sender is not the oracle's account, and no verified signature is the oracle's.";
    "not-the-validating-oracle" "a submission was rejected by an oracle that had not validated it.";
    "oracle-registered-twice" "the oracle was registered before; the first registration stays.";
    "outcome-differs" "the chain finalized a proposal otherwise than its votes come to; the chain's outcome rules.";
    "overspent" "an address has spent more than the blocks gave it, on a chain whose balances also change outside its blocks.";
    "proposed-twice" "the number belongs to an earlier proposal.";
    "refuted-count" "a block does not hold as many transactions as it says.";
    "refuted-hash" "a block's hash is not that of its content.";
    "refuted-link" "a block does not name the hash of the block before it.";
    "refuted-oracle-signature" "the oracle's signature on a submission does not hold.";
    "refuted-proof" "the signature that should prove control of a wallet or a key does not hold.";
    "refuted-signature" "the signature of a block, a transaction or a submission does not hold.";
    "registered-elsewhere" "another source registered the identity earlier; that registration is shown.";
    "registered-twice" "the identity was registered at this source before; the first registration stays.";
    "rejected-twice" "the submission was rejected before.";
    "repeated-submission" "a submission with that id has counted before.";
    "self-delegation" "an identity delegates to itself.";
    "self-follow" "an identity follows itself.";
    "sender-refuted" "the signature of the transaction does not hold, so nobody proved to have sent what it carries.";
    "stake-not-own" "the sender staked or unstaked somebody else's money.";
    "staked-too-much" "more was staked than the account had and had not staked yet.";
    "supply-not-understood" "money of a closed chain may have moved or been made in a way that was not understood; it is not closed from here on.";
    "tally-differs" "the chain states other tallies than its votes come to; ours are shown, and the chain's beside them.";
    "too-many-delegations" "the identity delegates to as many others as it may.";
    "too-many-links" "the identity has as many wallets as it may have.";
    "undelegated-too-much" "more was taken back than had been delegated.";
    "unknown-identity" "the identity is not registered at this source.";
    "unknown-oracle" "the oracle is not registered at this source, and was slashed.";
    "unknown-proposal" "there is no proposal with that number on this chain.";
    "unregistered-oracle" "the oracle is not registered at this source, and validated or rejected work.";
    "unstaked-too-much" "more was unstaked than was staked.";
    "validated-before-submitted" "an oracle says that it validated work before that was handed in.";
    "vote-after-close" "a vote came after its proposal was finalized or cancelled.";
    "vote-outside-window" "a vote came before voting began or after it had ended.";
    "wallet-contested" "the wallet belongs to another identity, whose claim stands before this one.";
}

/// Something that is wrong with an event.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Finding {
    /// Stable name of the rule that the event breaks.
    #[schema(example = "not-controller")]
    pub code: String,
    /// What is wrong, in a plain sentence.
    pub detail: String,
    /// Whether the event counts in spite of it; otherwise it changed nothing.
    pub counts: bool,
    /// Whom it concerns: the id of an identity as hex, an address, the id of an oracle, or the number of a proposal; null
    /// when nobody in particular.
    pub subject: Option<String>,
    /// Name of the chain or source.
    #[schema(example = "chert")]
    pub chain: String,
    /// Position of the event in the log; `/v1/events/{position}` has it.
    pub position: i64,
    /// Kind of the event.
    #[schema(example = "identity.updated")]
    pub kind: &'static str,
    /// Height of the block; null for what no block carried.
    pub height: Option<i64>,
    /// Transaction that carried it.
    pub tx_id: Option<String>,
    /// Time of the block or record, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub occurred_at: String,
}

/// Which findings to list; what is absent or empty does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these codes.
    pub codes: Vec<String>,
    /// Only about somebody with one of these names.
    pub subjects: Vec<String>,
    /// What they are names of.
    pub namespace: Option<Namespace>,
    /// Only about this identity, when the subject is one.
    pub identity_id: Option<Vec<u8>>,
    /// Only of this source.
    pub source_id: Option<i32>,
    /// Only of blocks at this height of the source.
    pub height: Option<i64>,
    /// Only those that count, or only those that do not.
    pub counts: Option<bool>,
}

/// Sort key of a finding: newest event first, then by code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingKey {
    position: i64,
    code: String,
}

impl std::fmt::Display for FindingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.position, self.code)
    }
}

impl std::str::FromStr for FindingKey {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (position, code) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self { position: position.parse()?, code: code.to_owned() })
    }
}

/// Findings, newest event first.
#[derive(Debug, Clone)]
pub struct Findings {
    /// Which.
    pub filter: Filter,
    /// Only findings behind this one.
    pub after: Option<FindingKey>,
    /// Items on a page.
    pub limit: i64,
    /// Whether to say how many there are, and how many to count at most.
    pub count: Option<i64>,
}

impl Query for Findings {
    /// The log too: it says in which block an event was.
    const VIEWS: &'static [&'static str] = &["findings", "identities", "wallets", LOG];
    type Answer = Rows<Finding>;

    fn key(&self) -> String {
        format!("findings:{:?}:{:?}:{}:{:?}", self.filter, self.after, self.limit, self.count)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        self.read(db, at).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_words_and_dashes_in_order() {
        assert!(CODES.is_sorted(), "{CODES:?}");
        for (code, says) in CODES {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
            assert!(says.ends_with('.') && DESCRIPTION.contains(&format!("`{code}`: {says}")), "{code}");
        }
    }

    #[test]
    fn a_sort_key_survives_the_way_through_the_client() {
        let key = FindingKey { position: 7, code: "not-controller".to_owned() };
        assert_eq!(key.to_string().parse(), Ok(key));
        assert!("x:y".parse::<FindingKey>().is_err());
    }
}
