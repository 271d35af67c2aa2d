//! Upstream records become events here: pure, total, and nothing is dropped but what must not be kept (memos).
//!
//! Numbers, times, hashes and addresses keep the text that upstream used. A decoder must not ask anybody, read a clock,
//! or know what was decoded before: what needs state (who controls, who was first) is judged where events are folded.
//!
//! A block whose envelope is wrong is refused with everything that came with it. A transaction that makes no sense in a
//! well-formed block becomes one `source.unrecognized` and moves nothing. A payload that makes no sense leaves the
//! transfer around it applied.

use schema::chain::{Malformed, TxId};
use schema::event::{Checks, Entry, Event, Part, Role, Subject, TransactionApplied, Unrecognized, worst};
use sha2::{Digest, Sha256};

pub mod aitbc;
pub mod chert;
pub mod json;
pub mod limits;
pub mod payload;
pub mod transfer;

/// Why a record does not fit what the protocol says, in a plain sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(pub String);

impl Misfit {
    /// A misfit with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }

    /// The same reason, behind the place where it was found.
    pub fn within(self, place: &str) -> Self {
        Self(format!("{place}: {}", self.0))
    }
}

impl From<Malformed> for Misfit {
    fn from(malformed: Malformed) -> Self {
        Self(malformed.to_string())
    }
}

impl From<Misfit> for crate::source::SourceError {
    fn from(misfit: Misfit) -> Self {
        Self::Malformed(misfit.0)
    }
}

fn entry(event: Event, tx: Option<(TxId, u32)>, checks: Option<&Checks>, subjects: Vec<(Role, Subject)>) -> Entry {
    Entry { verdict: checks.and_then(worst), event, tx, subjects }
}

/// Takes a payload that is too long to keep out of its transaction, whose transfer stays as it is. The digest in the
/// event beside it is all that is left of it, and what a signature over it can be checked with.
fn take_long_payload(applied: &mut TransactionApplied, tx: &Option<(TxId, u32)>) -> Option<Entry> {
    let data = applied.data.take_if(|data| data.len() > limits::DATA_BYTES_MAX)?;
    let reason = Misfit(format!("the payload is longer than {} bytes", limits::DATA_BYTES_MAX));
    Some(unrecognized_payload(reason, &data, tx.clone()))
}

/// A payload that does not fit. Longer bytes stand in the `data` of the transaction's event alone, and those that are
/// too long for that nowhere.
fn unrecognized_payload(reason: Misfit, data: &str, tx: Option<(TxId, u32)>) -> Entry {
    let raw = if data.len() <= limits::REPEATED_BYTES_MAX { hex::encode(data) } else { String::new() };
    let data_digest = Some(sha256_hex(data.as_bytes()));
    entry(
        Event::Unrecognized(Unrecognized { data_digest, part: Part::Payload, raw, reason: reason.0 }),
        tx,
        None,
        vec![],
    )
}

/// A transaction that does not fit; `raw` is all that is kept of it, or its digest where it is too long.
fn unrecognized_transaction(reason: Misfit, raw: &str, tx: Option<(TxId, u32)>) -> Entry {
    let (data_digest, raw) = if raw.len() <= limits::RAW_BYTES_MAX {
        (None, hex::encode(raw))
    } else {
        (Some(sha256_hex(raw.as_bytes())), String::new())
    };
    let body = Unrecognized { data_digest, part: Part::Transaction, raw, reason: reason.0 };
    entry(Event::Unrecognized(body), tx, None, vec![])
}

/// Lower-case hex of the SHA-256 of some bytes.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
