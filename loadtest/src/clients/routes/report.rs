//! What was measured of each route, as a table, and whether it is as it should be.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::clients::closed_loop::{REFUSALS, Tally};
use crate::clients::report::{latency, tenths};

use super::RoutesOptions;

/// One route in one variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Its path with the names of its parameters.
    pub path: String,
    /// What was asked besides what must be given; empty for nothing.
    pub variant: &'static str,
    /// Requests that were to be sent.
    pub requests: usize,
    /// How many different questions they were.
    pub distinct: usize,
    /// How many answers had which status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without a whole answer, or with one that is neither 2xx nor 403 nor 404.
    pub failures: u64,
    /// The first of them.
    pub trouble: Option<String>,
    /// How many of a thousand questions the API answered from its cache, by its own count.
    pub from_cache_permille: Option<u64>,
    /// Half of the answers that are no failures took at most so long.
    pub p50: Duration,
    /// 95 of 100 took at most so long.
    pub p95: Duration,
    /// 99 of 100 took at most so long.
    pub p99: Duration,
    /// The longest took so long.
    pub max: Duration,
}

impl Route {
    pub(super) fn new(path: &str, variant: &'static str, requests: usize, distinct: usize, tally: &Tally) -> Self {
        let mut times = tally.latency.clone();
        times.add(&tally.refusal_latency).expect("both histograms have the same bounds");
        let quantile = |quantile| match times.len() {
            0 => Duration::ZERO,
            _ => Duration::from_nanos(times.value_at_quantile(quantile)),
        };
        let asked = u64::try_from(requests).unwrap_or(u64::MAX);
        Self {
            path: path.to_owned(),
            variant,
            requests,
            distinct,
            statuses: tally.statuses.clone(),
            // What was not asked in time has failed, too.
            failures: asked.saturating_sub(times.len()),
            trouble: tally.trouble.clone(),
            from_cache_permille: None,
            p50: quantile(0.50),
            p95: quantile(0.95),
            p99: quantile(0.99),
            max: quantile(1.0),
        }
    }

    fn statuses(&self) -> String {
        let shown: Vec<_> = self.statuses.iter().map(|(status, count)| format!("{status}×{count}")).collect();
        shown.join(" ")
    }

    fn name(&self) -> String {
        if self.variant.is_empty() { self.path.clone() } else { format!("{} ({})", self.path, self.variant) }
    }
}

/// All routes of one run, in the order of the API's document.
#[derive(Debug, Clone)]
pub struct RoutesReport {
    /// The API.
    pub url: String,
    /// What was to be measured.
    pub options: RoutesOptions,
    /// The measurements.
    pub rows: Vec<Route>,
    /// Routes that were not measured, and the parameter for which there was no value.
    pub without_keys: Vec<(String, String)>,
    /// What was left out, in sentences.
    pub notes: Vec<String>,
}

impl RoutesReport {
    /// What is not as it should be, in sentences; empty when every route could be asked, nothing failed, and every p95 is
    /// within the bound.
    pub fn complaints(&self) -> Vec<String> {
        let no_key = |(path, parameter): &(String, String)| format!("{path}: no key for `{parameter}`");
        let mut complaints: Vec<_> = self.without_keys.iter().map(no_key).collect();
        for row in self.rows.iter().filter(|row| row.failures > 0) {
            let trouble = row.trouble.as_deref().unwrap_or("the others were not answered in time");
            complaints.push(format!("{}: {} of {} requests failed: {trouble}", row.name(), row.failures, row.requests));
        }
        if let Some(bound) = self.options.p95_bound {
            for row in self.rows.iter().filter(|row| row.p95 > bound) {
                complaints.push(format!("{}: p95 {} is above {}", row.name(), latency(row.p95), latency(bound)));
            }
        }
        complaints
    }
}

impl fmt::Display for RoutesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RoutesOptions { requests, connections, cached, p95_bound } = self.options;
        let keys = if cached { "the same key each time" } else { "as many different keys as there are" };
        writeln!(f, "Routes of {}: {requests} requests each over {connections} connections, {keys}", self.url)?;
        writeln!(f)?;
        let width = |text: &dyn Fn(&Route) -> String, least: usize| {
            self.rows.iter().map(|row| text(row).chars().count()).max().unwrap_or_default().max(least)
        };
        let (wide, statuses) = (width(&Route::name, 5), width(&Route::statuses, 8));
        writeln!(
            f,
            "{:wide$}  {:>8} {:>8}  {:statuses$} {:>10} {:>9} {:>9} {:>9} {:>9}",
            "route", "requests", "distinct", "statuses", "from cache", "p50", "p95", "p99", "max"
        )?;
        for row in &self.rows {
            writeln!(
                f,
                "{:wide$}  {:>8} {:>8}  {:statuses$} {:>10} {:>9} {:>9} {:>9} {:>9}",
                row.name(),
                row.requests,
                row.distinct,
                row.statuses(),
                row.from_cache_permille.map_or("-".to_owned(), |permille| format!("{} %", tenths(permille))),
                latency(row.p50),
                latency(row.p95),
                latency(row.p99),
                latency(row.max),
            )?;
        }
        writeln!(f, "\nPercentiles are of answers with a 2xx status, {} or {}.", REFUSALS[0], REFUSALS[1])?;
        for note in &self.notes {
            writeln!(f, "Note: {note}")?;
        }
        let complaints = self.complaints();
        for complaint in &complaints {
            writeln!(f, "NOT WELL: {complaint}")?;
        }
        match p95_bound {
            Some(bound) if complaints.is_empty() => write!(f, "Every p95 is within {}.", latency(bound)),
            None if complaints.is_empty() => write!(f, "Nothing failed."),
            Some(_) | None => write!(f, "{} complaints.", complaints.len()),
        }
    }
}
