//! Does a submission or a rejection count? Pure judgement over what the fold knows at that moment (MEANING §5).

use schema::event::{Check, Verdict, WorkRejected, WorkSubmitted};

use super::submissions::Accepted;
use crate::projections::Moment;
use crate::projections::oracles::Oracle;

/// What became of a `work.submitted` or `work.rejected`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A submission that counts, until a rejection takes it out.
    Accepted,
    /// A rejection by the oracle that it names.
    Rejected,
    /// A submission with a signature that does not hold.
    Refuted,
    /// Nothing proves that the oracle decided this, or that it was this oracle's to decide.
    Unproven,
    /// The submission counted before, or was taken out before.
    Repeated,
}

impl Outcome {
    /// The name in the database and in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Refuted => "refuted",
            Self::Unproven => "unproven",
            Self::Repeated => "repeated",
        }
    }
}

/// The judgement on one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// What became of it.
    pub outcome: Outcome,
    /// Of a rejection: position of the accepted submission that it takes out.
    pub takes_out: Option<i64>,
    /// Verdict on the oracle's signature; none where nothing is signed.
    pub oracle_verdict: Option<Verdict>,
    /// Why it does not count, in a plain sentence.
    pub reason: Option<String>,
    /// Code of the finding to report; none where it counts, or where the record's own verdict is the finding.
    pub code: Option<&'static str>,
}

impl Judged {
    fn counts(outcome: Outcome) -> Self {
        Self { outcome, takes_out: None, oracle_verdict: None, reason: None, code: None }
    }

    fn not(outcome: Outcome, code: &'static str, reason: impl Into<String>) -> Self {
        Self { code: Some(code), reason: Some(reason.into()), ..Self::counts(outcome) }
    }
}

/// Judges a submission. `signature` is what checking it under the registered key came to; `is_repeated` says whether an
/// accepted submission with its id stands.
pub(super) fn submission(
    moment: &Moment<'_>,
    work: &WorkSubmitted,
    oracle: Option<&Oracle>,
    signature: Option<&Check>,
    is_repeated: bool,
) -> Judged {
    let is_signed = work.oracle_id.is_some() && work.oracle_signature.is_some();
    let verdict = signature.map_or(Verdict::Unverifiable, |check| check.verdict);
    let oracle_verdict = is_signed.then_some(verdict);
    let judged = if moment.event.verdict == Some(Verdict::Refuted) {
        // The verdict stored with the event is a finding by itself.
        let refuted = work.checks.values().find(|check| check.verdict == Verdict::Refuted);
        let reason = refuted.and_then(|check| check.reason.clone());
        Judged { reason, ..Judged::counts(Outcome::Refuted) }
    } else if let Some(flaw) = flaw(moment, work, oracle, signature) {
        flaw
    } else if is_repeated {
        let reason = "a submission with this id has counted before";
        Judged::not(Outcome::Repeated, "repeated-submission", reason)
    } else {
        Judged::counts(Outcome::Accepted)
    };
    Judged { oracle_verdict, ..judged }
}

/// Why the oracle named in a submission does not stand for it.
fn flaw(
    moment: &Moment<'_>,
    work: &WorkSubmitted,
    oracle: Option<&Oracle>,
    signature: Option<&Check>,
) -> Option<Judged> {
    // Without an oracle it is the chain itself that validates.
    work.oracle_id.as_ref()?;
    let Some(oracle) = oracle else {
        return Some(unregistered());
    };
    let verdict = signature.map(|check| check.verdict);
    if verdict == Some(Verdict::Refuted) {
        let reason = signature.and_then(|check| check.reason.clone());
        let reason = reason.unwrap_or_else(|| "the oracle's signature does not hold".to_owned());
        return Some(Judged::not(Outcome::Refuted, "refuted-oracle-signature", reason));
    }
    if verdict == Some(Verdict::Verified) || is_by(moment, &work.sender, oracle) {
        return None;
    }
    Some(not_the_oracle(moment, &work.sender, oracle))
}

/// Judges a rejection. `accepted` is the accepted submission with its id that stands, rejected since or not.
pub(super) fn rejection(
    moment: &Moment<'_>,
    rejected: &WorkRejected,
    oracle: Option<&Oracle>,
    accepted: Option<&Accepted>,
) -> Judged {
    let Some(oracle) = oracle else { return unregistered() };
    if !is_by(moment, &rejected.sender, oracle) {
        return not_the_oracle(moment, &rejected.sender, oracle);
    }
    match accepted {
        None => Judged::counts(Outcome::Rejected),
        Some(accepted) if accepted.is_rejected => {
            Judged::not(Outcome::Repeated, "rejected-twice", "the submission was rejected before")
        }
        Some(accepted) if accepted.oracle_id.as_ref() != Some(&rejected.oracle_id) => {
            let reason = "the submission was validated by another oracle, which alone can reject it";
            Judged::not(Outcome::Unproven, "not-the-validating-oracle", reason)
        }
        Some(accepted) => Judged { takes_out: Some(accepted.position), ..Judged::counts(Outcome::Rejected) },
    }
}

/// Whether an oracle itself has sent a record.
pub(super) fn is_by(moment: &Moment<'_>, sender: &str, oracle: &Oracle) -> bool {
    !moment.sender_refuted && moment.is_address(sender, &oracle.oracle_address)
}

fn unregistered() -> Judged {
    Judged::not(Outcome::Unproven, "unregistered-oracle", "the oracle is not registered at this source")
}

fn not_the_oracle(moment: &Moment<'_>, sender: &str, oracle: &Oracle) -> Judged {
    let reason = if moment.is_address(sender, &oracle.oracle_address) {
        "the transaction's signature does not hold, so nobody proved to be the oracle".to_owned()
    } else {
        format!("{sender} is not the oracle's account, and nothing that is verified was signed by the oracle")
    };
    Judged::not(Outcome::Unproven, "not-the-oracle", reason)
}
