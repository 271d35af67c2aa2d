//! What a submission adds to which total, and how far back the windows reach (MEANING §5). Pure arithmetic.

use chrono::{DateTime, Utc};
use schema::event::WorkSubmitted;

/// One submission of a type that is counted, in billionths.
const ONE: i128 = 1_000_000_000;
/// The family of every `nuw_…` type.
const NUW: &str = "nuw";
/// The total of all types.
pub(super) const ALL: &str = "all";

/// What a submission adds to the score of its own type, in billionths. `is_own_word` says that whoever validated it sent
/// the record. An oracle's signature does not cover `bytes`, so that whoever brings a signed record can write there what
/// they like: where the signature is all that proves it, `credit` counts, which is signed.
pub(super) fn of(work: &WorkSubmitted, is_own_word: bool) -> i128 {
    let credit = || work.credit.as_ref().map_or(0, |credit| credit.get().nanos());
    let bytes = work.bytes.as_ref().filter(|_| is_own_word);
    match work.work_type.as_str() {
        "boinc" => credit(),
        "bandwidth" => bytes.map_or_else(credit, |bytes| i128::from(bytes.get().get()) * ONE),
        _ => ONE,
    }
}

/// The totals that work of a type is part of: its own, that of its family where it has one, and that of everything.
pub(super) fn totals_of(work_type: &str) -> impl Iterator<Item = &str> {
    let family = work_type.starts_with("nuw_").then_some(NUW);
    let all = (work_type != ALL).then_some(ALL);
    [Some(work_type), family, all].into_iter().flatten()
}

/// What submissions of a type add to a total: their score to their own, their number to one that spans several types.
pub(super) fn share(total: &str, work_type: &str, accepted: i64, score: i128) -> i128 {
    if total == work_type { score } else { i128::from(accepted) * ONE }
}

/// Full hours since 1970-01-01T00:00:00Z.
pub(in crate::projections) fn hour_of(time: DateTime<Utc>) -> i32 {
    i32::try_from(time.timestamp().div_euclid(3_600)).expect("times are between 1970 and 9999: Time sees to it")
}

/// The first hour inside each window. They have no end: what is dated ahead of the clock counts already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Windows {
    /// Of the day: the current hour and the 24 before it.
    pub day: i32,
    /// Of the week: the current UTC day and the 7 before it.
    pub week: i32,
    /// Of the month: the current UTC day and the 30 before it.
    pub month: i32,
}

impl Windows {
    /// The windows that end in an hour. Before the clock has begun to tell the time everything is inside.
    pub(super) fn ending_in(hour: Option<i32>) -> Self {
        let Some(hour) = hour else { return Self { day: i32::MIN, week: i32::MIN, month: i32::MIN } };
        let day = day_of(hour);
        Self { day: hour - 24, week: 24 * (day - 7), month: 24 * (day - 30) }
    }
}

/// The UTC day of an hour, in full days since 1970-01-01.
pub(super) fn day_of(hour: i32) -> i32 {
    hour.div_euclid(24)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_part_of_itself_its_family_and_everything() {
        assert_eq!(totals_of("nuw_dag").collect::<Vec<_>>(), ["nuw_dag", "nuw", "all"]);
        assert_eq!(totals_of("boinc").collect::<Vec<_>>(), ["boinc", "all"]);
        assert_eq!((share("boinc", "boinc", 2, 7), share("all", "boinc", 2, 7)), (7, 2 * ONE));
    }

    #[test]
    fn windows_begin_where_the_rules_say() {
        // 2026-01-01T05:59:59Z is in hour 5 of day 20,454.
        let time = DateTime::from_timestamp(20_454 * 86_400 + 5 * 3_600 + 3_599, 0).expect("a time");
        let hour = hour_of(time);
        assert_eq!((hour, day_of(hour)), (20_454 * 24 + 5, 20_454));
        let windows = Windows::ending_in(Some(hour));
        assert_eq!(windows.day, hour - 24);
        assert_eq!((windows.week, windows.month), (24 * 20_447, 24 * 20_424));
        assert!(Windows::ending_in(None).month < 0);
    }
}
