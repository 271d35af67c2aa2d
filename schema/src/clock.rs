//! The one place where the time of day is read: for when a record was made, never for what it means.

use chrono::{DateTime, Utc};

/// The time now, for records that have no time of their own.
#[expect(clippy::disallowed_methods, reason = "this is the place that the others are sent to")]
pub fn now() -> DateTime<Utc> {
    Utc::now()
}
