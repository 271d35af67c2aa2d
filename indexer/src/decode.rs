//! Upstream records become events here: pure, total, and nothing is dropped but what must not be kept (memos).
//!
//! Numbers, times, hashes and addresses keep the text that upstream used. A decoder must not ask anybody, read a clock,
//! or know what was decoded before: what needs state (who controls, who was first) is judged where events are folded.
//!
//! A block whose envelope is wrong is refused with everything that came with it. A transaction that makes no sense in a
//! well-formed block becomes one `source.unrecognized` and moves nothing. A payload that makes no sense leaves the
//! transfer around it applied.

use schema::chain::{Malformed, TxId};
use schema::event::{Checks, Entry, Event, Part, Role, Subject, Unrecognized, worst};
use sha2::{Digest, Sha256};

pub mod aitbc;
pub mod chert;
pub mod json;
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

/// Raw bytes of a payload beyond this are not repeated in `source.unrecognized`: the transaction's own event has them.
const REPEATED_BYTES_MAX: usize = 16 * 1024;

fn entry(event: Event, tx: Option<(TxId, u32)>, checks: Option<&Checks>, subjects: Vec<(Role, Subject)>) -> Entry {
    Entry { verdict: checks.and_then(worst), event, tx, subjects }
}

/// A payload that does not fit; its bytes stand in the `data` of the transaction's event too.
fn unrecognized_payload(reason: Misfit, data: &str, tx: Option<(TxId, u32)>) -> Entry {
    let raw = if data.len() <= REPEATED_BYTES_MAX { hex::encode(data) } else { String::new() };
    let data_digest = Some(sha256_hex(data.as_bytes()));
    entry(
        Event::Unrecognized(Unrecognized { data_digest, part: Part::Payload, raw, reason: reason.0 }),
        tx,
        None,
        vec![],
    )
}

/// A transaction that does not fit; `raw` is all that is kept of it.
fn unrecognized_transaction(reason: Misfit, raw: &str, tx: Option<(TxId, u32)>) -> Entry {
    let body = Unrecognized { data_digest: None, part: Part::Transaction, raw: hex::encode(raw), reason: reason.0 };
    entry(Event::Unrecognized(body), tx, None, vec![])
}

/// Lower-case hex of the SHA-256 of some bytes.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
