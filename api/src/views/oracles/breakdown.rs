//! What an oracle did, and what was said in its name, by type of work and by hour.

use chrono::DateTime;
use schema::event::rfc3339_micros;
use serde::Serialize;
use utoipa::ToSchema;

use super::Oracle;
use crate::views::work::share;

/// Seconds of an hour.
const HOUR_SECONDS: i64 = 3_600;

/// An oracle's decisions on one type of work, and what was said in its name about it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TypeShare {
    /// Type of work as records spell it.
    #[serde(rename = "type")]
    #[schema(example = "boinc")]
    pub work_type: String,
    /// Accepted submissions of the type; also those rejected later.
    #[schema(example = 1000)]
    pub accepted: i64,
    /// Rejections of the type.
    #[schema(example = 10)]
    pub rejected: i64,
    /// Submissions of the type with a signature in its name that does not hold.
    #[schema(example = 0)]
    pub refuted: i64,
    /// Submissions and rejections of the type in its name that nothing proves to be its own.
    #[schema(example = 0)]
    pub unproven: i64,
    /// Part of all its decisions, from 0 to 1, rounded to four digits: `accepted + rejected` out of `validations +
    /// rejections`; 0 for a type that it decided nothing of. Where it decided nothing at all, as an oracle that is not
    /// registered, part of what is said in its name instead: `refuted + unproven` of the type out of both beside
    /// `validations`.
    #[schema(example = 0.8306)]
    pub share: Option<f64>,
}

/// What an oracle did in one hour of block time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ActiveHour {
    /// Start of the hour, RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000000Z")]
    pub hour: String,
    /// Accepted submissions; also those rejected later.
    #[schema(example = 17)]
    pub accepted: i64,
    /// Rejections.
    #[schema(example = 1)]
    pub rejected: i64,
    /// Submissions with a signature in its name that does not hold.
    #[schema(example = 0)]
    pub refuted: i64,
    /// Submissions and rejections in its name that nothing proves to be its own: all that there is of an oracle that is
    /// not registered.
    #[schema(example = 0)]
    pub unproven: i64,
}

/// Columns of accepted, rejected, refuted and unproven ones, as the statement answers them.
pub(super) type Counts = [Option<Vec<i64>>; 4];

fn rows(counts: Counts) -> impl Iterator<Item = [i64; 4]> {
    let [accepted, rejected, refuted, unproven] = counts.map(|column| column.unwrap_or_default().into_iter());
    let rows = accepted.zip(rejected).zip(refuted).zip(unproven);
    rows.map(|(((accepted, rejected), refuted), unproven)| [accepted, rejected, refuted, unproven])
}

/// Types in which anything was decided or said: the most decided first, then the most said, then by name.
pub(super) fn shares(oracle: &Oracle, types: Option<Vec<String>>, counts: Counts) -> Vec<TypeShare> {
    let all_decided = oracle.validations + oracle.rejections;
    let all_said = oracle.refuted + oracle.unproven;
    let by_type = types.unwrap_or_default().into_iter().zip(rows(counts));
    let shares = by_type.map(|(work_type, [accepted, rejected, refuted, unproven])| {
        let share = match all_decided {
            0 => share(refuted + unproven, all_said),
            _ => share(accepted + rejected, all_decided),
        };
        TypeShare { work_type, accepted, rejected, refuted, unproven, share }
    });
    let (decided, said) = (|of: &TypeShare| of.accepted + of.rejected, |of: &TypeShare| of.refuted + of.unproven);
    let mut shares: Vec<TypeShare> = shares.filter(|share| decided(share) + said(share) > 0).collect();
    shares.sort_by_cached_key(|share| (-decided(share), -said(share), share.work_type.clone()));
    shares
}

/// Each hour asked for, oldest first.
pub(super) fn activity(hours: Option<Vec<i64>>, counts: Counts) -> Vec<ActiveHour> {
    let hours = hours.unwrap_or_default().into_iter().zip(rows(counts));
    let active = hours.filter_map(|(hour, [accepted, rejected, refuted, unproven])| {
        let starts_at = DateTime::from_timestamp(hour * HOUR_SECONDS, 0)?;
        Some(ActiveHour { hour: rfc3339_micros(starts_at), accepted, rejected, refuted, unproven })
    });
    active.collect()
}
