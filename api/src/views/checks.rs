//! Verdicts as clients see them: what was checked, what came of it, and whether a row still stands.

use std::collections::BTreeMap;

use schema::event::{Checks, Verdict};
use serde::Serialize;
use utoipa::ToSchema;

/// What one check of a claim came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct CheckResult {
    /// `verified`, `refuted` or `unverifiable`.
    #[schema(example = "verified")]
    pub verdict: &'static str,
    /// Why it is not verified, in a plain sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Checks by name (`hash`, `link`, `count`, `signature`).
pub type CheckResults = BTreeMap<String, CheckResult>;

/// The checks of an event's body, for an answer.
pub fn results(checks: Checks) -> CheckResults {
    checks
        .into_iter()
        .map(|(name, check)| (name, CheckResult { verdict: check.verdict.name(), reason: check.reason }))
        .collect()
}

/// The name of a verdict column; none where nothing is claimed.
pub fn verdict_name(code: Option<i16>) -> Option<&'static str> {
    code.and_then(Verdict::from_code).map(Verdict::name)
}

/// Whether a block stands at the position of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Part of the chain.
    Standing,
    /// Taken back by a reorganisation.
    Retracted,
}

impl Standing {
    /// The status of a row that stands or does not.
    pub fn of(stands: bool) -> Self {
        if stands { Self::Standing } else { Self::Retracted }
    }
}
