//! Points in time as chains write them.

use std::str::FromStr;

use chrono::{DateTime, NaiveDateTime, SubsecRound, Utc};

use super::Malformed;

/// Nanoseconds of a second.
const SECOND_NANOS: u32 = 1_000_000_000;

/// A point in time, read from RFC 3339, from a naive ISO text (taken as UTC), or from unix seconds.
///
/// A leap second (`…:60`) is the second after it, as in unix time and in the database: a time that is written down and
/// read back is the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(DateTime<Utc>);

impl Time {
    /// The time cut to microseconds, exactly as the database gives it back.
    pub fn micros(self) -> DateTime<Utc> {
        self.0.trunc_subsecs(6)
    }

    /// The time with all its digits.
    pub fn exact(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<DateTime<Utc>> for Time {
    fn from(value: DateTime<Utc>) -> Self {
        // The library counts the nanoseconds of a leap second on from those of the second before it, at any minute.
        match value.timestamp_subsec_nanos().checked_sub(SECOND_NANOS) {
            Some(nanos) => Self(DateTime::from_timestamp(value.timestamp() + 1, nanos).unwrap_or(value)),
            None => Self(value),
        }
    }
}

impl FromStr for Time {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bad = || Malformed::new("time", "is neither RFC 3339 nor unix seconds");
        let time = if !text.is_empty() && text.len() <= 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            let seconds = text.parse().map_err(|_| bad())?;
            DateTime::from_timestamp(seconds, 0).ok_or_else(bad)?
        } else if let Ok(zoned) = DateTime::parse_from_rfc3339(text) {
            zoned.to_utc()
        } else {
            NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").map_err(|_| bad())?.and_utc()
        };
        let time = Self::from(time);
        // PostgreSQL's timestamps end long after any block time that is not an attack.
        let years = DateTime::UNIX_EPOCH..DateTime::from_timestamp(253_402_300_799, 0).ok_or_else(bad)?;
        if years.contains(&time.0) { Ok(time) } else { Err(Malformed::new("time", "is outside 1970 to 9999")) }
    }
}
