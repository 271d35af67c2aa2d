//! What was measured, as a table.

use std::fmt;
use std::time::Duration;

use super::closed_loop::Tally;

/// Width of the column with the names.
const NAME_WIDTH: usize = 34;

/// One measurement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What was asked.
    pub name: String,
    /// 2xx answers.
    pub answers: u64,
    /// 2xx answers per second.
    pub per_second: u64,
    /// Half of the 2xx answers took at most so long.
    pub p50: Duration,
    /// 95 of 100 took at most so long.
    pub p95: Duration,
    /// 99 of 100 took at most so long.
    pub p99: Duration,
    /// Requests without a whole answer.
    pub errors: u64,
    /// Answers with another status than 2xx.
    pub not_2xx: u64,
    /// Mean bytes on the wire of a 2xx answer, headers included.
    pub answer_bytes: u64,
    /// Requests per second as thousandths of the bare handler's, and which one; none for the bare handlers' first runs.
    pub ratio: Option<(u64, Yardstick)>,
    /// How many of a thousand questions the API answered from its cache, by its own count.
    pub from_cache_permille: Option<u64>,
}

/// Which bare handler a row is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yardstick {
    /// The one that answers the bytes of the block list.
    List,
    /// The one that answers the bytes of one block.
    Block,
}

impl Yardstick {
    fn letter(self) -> char {
        match self {
            Self::List => 'A',
            Self::Block => 'B',
        }
    }
}

impl Row {
    /// A row out of what was counted; what it is compared with and the cache come later.
    pub(super) fn new(name: impl Into<String>, tally: &Tally) -> Self {
        let per_second = u128::from(tally.answers) * 1_000_000_000 / tally.elapsed.as_nanos().max(1);
        let quantile = |quantile| match tally.answers {
            0 => Duration::ZERO,
            _ => Duration::from_nanos(tally.latency.value_at_quantile(quantile)),
        };
        Self {
            name: name.into(),
            answers: tally.answers,
            per_second: u64::try_from(per_second).unwrap_or(u64::MAX),
            p50: quantile(0.50),
            p95: quantile(0.95),
            p99: quantile(0.99),
            errors: tally.errors,
            not_2xx: tally.not_2xx,
            answer_bytes: tally.wire_bytes.checked_div(tally.answers).unwrap_or_default(),
            ratio: None,
            from_cache_permille: None,
        }
    }

    /// Compares with a bare handler's row.
    pub(super) fn beside(mut self, bare: &Self, yardstick: Yardstick) -> Self {
        let permille = (self.per_second.saturating_mul(1_000)).checked_div(bare.per_second);
        self.ratio = permille.map(|permille| (permille, yardstick));
        self
    }
}

/// All measurements of one run, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The API.
    pub url: String,
    /// Length of each measurement.
    pub duration: Duration,
    /// Connections that asked at the same time.
    pub connections: usize,
    /// The measurements.
    pub rows: Vec<Row>,
    /// What was left out and what went wrong, in sentences.
    pub notes: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.duration.as_secs_f64();
        writeln!(f, "Reads from {}, {} connections in a closed loop, {seconds} s each", self.url, self.connections)?;
        writeln!(f)?;
        writeln!(
            f,
            "{:NAME_WIDTH$} {:>10} {:>9} {:>9} {:>9} {:>7} {:>7} {:>12} {:>7} {:>10}",
            "", "requests/s", "p50", "p95", "p99", "errors", "not 2xx", "bytes/answer", "÷ bare", "from cache"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:NAME_WIDTH$} {:>10} {:>9} {:>9} {:>9} {:>7} {:>7} {:>12} {:>7} {:>10}",
                row.name,
                row.per_second,
                latency(row.p50),
                latency(row.p95),
                latency(row.p99),
                row.errors,
                row.not_2xx,
                row.answer_bytes,
                row.ratio.map_or("-".to_owned(), |(permille, by)| format!("{} {}", hundredths(permille), by.letter())),
                row.from_cache_permille.map_or("-".to_owned(), |permille| format!("{} %", tenths(permille))),
            )?;
        }
        writeln!(f)?;
        write!(
            f,
            "A, B: the bare handler that the ratio is to. It is in this process, on threads of its own, behind the \
             same client.\nRates, percentiles and bytes (headers included) are of 2xx answers."
        )?;
        for note in &self.notes {
            write!(f, "\nNote: {note}")?;
        }
        Ok(())
    }
}

/// A duration with a unit that suits it.
pub(super) fn latency(latency: Duration) -> String {
    let micros = latency.as_micros();
    match micros {
        0 => "-".to_owned(),
        1..10_000 => format!("{micros} µs"),
        10_000..10_000_000 => format!("{}.{} ms", micros / 1_000, micros / 100 % 10),
        _ => format!("{}.{} s", micros / 1_000_000, micros / 100_000 % 10),
    }
}

fn hundredths(permille: u64) -> String {
    let rounded = permille.saturating_add(5) / 10;
    format!("{}.{:02}", rounded / 100, rounded % 100)
}

/// Thousandths as hundredths with one digit behind the point.
pub(super) fn tenths(permille: u64) -> String {
    format!("{}.{}", permille / 10, permille % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_units() {
        let shown = [0, 87, 9_999, 10_049, 9_999_999, 12_345_678].map(|micros| latency(Duration::from_micros(micros)));
        assert_eq!(shown, ["-", "87 µs", "9999 µs", "10.0 ms", "9999.9 ms", "12.3 s"]);
        assert_eq!([4, 5, 804, 1_000, 1_236].map(hundredths), ["0.00", "0.01", "0.80", "1.00", "1.24"]);
        assert_eq!([0, 7, 999, 1_000].map(tenths), ["0.0", "0.7", "99.9", "100.0"]);
    }
}
