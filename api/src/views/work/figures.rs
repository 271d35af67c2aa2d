//! How figures are shown: scores as decimal numbers, shares as rounded JSON numbers.

/// Digits behind the point of a score.
const SCORE_DIGITS: usize = 9;
/// What a share is rounded to: four digits behind the point.
const SHARE_STEPS: u32 = 10_000;

/// A score in billionths, as the database spells it, as a decimal number without needless zeros.
pub(crate) fn decimal(billionths: &str) -> String {
    let (sign, digits) = billionths.strip_prefix('-').map_or(("", billionths), |digits| ("-", digits));
    let digits = format!("{digits:0>width$}", width = SCORE_DIGITS + 1);
    let (whole, fraction) = digits.split_at_checked(digits.len() - SCORE_DIGITS).unwrap_or((&digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

/// A part of a whole, from 0 to 1, rounded to four digits; none of nothing.
pub(crate) fn share(part: i64, whole: i64) -> Option<f64> {
    rounded(part, whole, 1)
}

/// The share of the ranked that stand behind a rank, in percent, rounded to four digits; none when nobody is ranked.
pub(crate) fn percentile(rank: i64, ranked: i64) -> Option<f64> {
    rounded(ranked.checked_sub(rank)?, ranked, 100)
}

fn rounded(part: i64, whole: i64, of: u32) -> Option<f64> {
    if whole <= 0 || part < 0 || part > whole {
        return None;
    }
    let (part, whole) = (i128::from(part), i128::from(whole));
    let steps = (2 * part * i128::from(of) * i128::from(SHARE_STEPS) + whole) / (2 * whole);
    u32::try_from(steps).ok().map(|steps| f64::from(steps) / f64::from(SHARE_STEPS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_shown_to_the_last_digit() {
        let shown = ["0", "1", "60000000000", "12500000001", "10500000000", "-5", "999999999999999999999999999999"];
        let shown: Vec<_> = shown.into_iter().map(decimal).collect();
        let wanted =
            ["0", "0.000000001", "60", "12.500000001", "10.5", "-0.000000005", "999999999999999999999.999999999"];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn five_ranked_stand_at_80_to_0_percent() {
        let percentiles: Vec<_> = (1..=5).filter_map(|rank| percentile(rank, 5)).collect();
        assert_eq!(format!("{percentiles:?}"), "[80.0, 60.0, 40.0, 20.0, 0.0]");
        assert_eq!(format!("{:?}", percentile(1, 3)), "Some(66.6667)");
        assert_eq!(format!("{:?}", share(1, 3)), "Some(0.3333)");
        assert_eq!(format!("{:?}", share(i64::MAX, i64::MAX)), "Some(1.0)");
        assert!(percentile(1, 0).is_none() && percentile(2, 1).is_none() && share(1, 0).is_none());
    }
}
