//! Every GET route of the API, one after the other: how long each takes while it is asked for many different things.
//!
//! Which routes there are, and what they take, is read from the API's own document. So a new route is measured without a
//! line here, and one with a parameter that nothing is known about fails the run instead of being passed over.

mod document;
mod fill;
mod report;

use std::collections::BTreeSet;
use std::time::Duration;

use super::closed_loop::{REFUSALS, measure};
use super::keys::Keys;
use super::questions::{Questions, encoded};
use super::reader::Reader;
use super::target::Target;
use super::{ClientsError, MAX_CONNECTIONS, skip};
use document::Declared;
use fill::{Piece, Series, Variant};

pub use report::{Route, RoutesReport};

/// The most requests of one row.
const MAX_REQUESTS: usize = 100_000;
/// Longest measurement of one row: what does not answer so often in that time has failed.
const ROW_TIMEOUT: Duration = Duration::from_secs(120);
/// First pages that are looked at for one list, to ask for the second.
const FIRST_PAGES: usize = 100;
/// The most items on them: few, so that there is a second one.
const FIRST_PAGE_ITEMS: u32 = 20;

/// Above so many cached answers of a thousand a row says little about the others.
const MOSTLY_CACHED_PERMILLE: u64 = 500;

/// What to measure, and what to expect.
#[derive(Debug, Clone, Copy)]
pub struct RoutesOptions {
    /// Requests per route and variant.
    pub requests: usize,
    /// Connections that ask at the same time.
    pub connections: usize,
    /// Ask for the same thing over and over instead of for as many different things as there are.
    pub cached: bool,
    /// What 95 of 100 answers of each row shall take at most.
    pub p95_bound: Option<Duration>,
}

/// Measures every GET route of the API at `url`.
///
/// # Errors
///
/// The URL is not one of this machine, an option is out of bounds, or the API does not answer to begin with or does not
/// describe itself. What goes wrong later is in the report.
pub async fn routes(url: &str, options: RoutesOptions) -> Result<RoutesReport, ClientsError> {
    if !(1..=MAX_CONNECTIONS).contains(&options.connections) {
        return Err(ClientsError::Connections { given: options.connections });
    }
    if !(1..=MAX_REQUESTS).contains(&options.requests) {
        return Err(ClientsError::Requests { given: options.requests, most: MAX_REQUESTS });
    }
    let target = Target::parse(url).await?;
    let mut reader = Reader::new(target.clone());
    let declared = document::read(&mut reader).await?;
    let mut keys = Keys::collect(&mut reader).await?;
    let notes = std::mem::take(&mut keys.notes);
    let report = RoutesReport { url: url.to_owned(), options, rows: Vec::new(), without_keys: Vec::new(), notes };
    let mut run = Run { target, reader, keys, report };
    for route in &declared {
        run.route(route).await;
    }
    Ok(run.report)
}

/// One run: the API, and what has been measured so far.
struct Run {
    target: Target,
    reader: Reader,
    keys: Keys,
    report: RoutesReport,
}

impl Run {
    async fn route(&mut self, route: &Declared) {
        if route.is_stream {
            self.report.notes.push(format!("{} is a stream, so it is not measured", route.path));
            return;
        }
        for variant in Variant::of(route) {
            match fill::series(&self.keys, route, variant, self.spread()) {
                Ok(series) => self.row(route, variant.name(), series).await,
                Err(name) => self.report.without_keys.push((route.path.clone(), name)),
            }
        }
        if route.takes("cursor") {
            self.second_page(route).await;
        }
    }

    /// How many different questions a row shall have; one when everything shall be cached.
    fn spread(&self) -> u64 {
        if self.report.options.cached { 1 } else { u64::try_from(self.report.options.requests).unwrap_or(u64::MAX) }
    }

    async fn second_page(&mut self, route: &Declared) {
        let Ok(mut first) = fill::series(&self.keys, route, Variant::Plain, 1) else { return };
        if route.takes("limit") {
            // Where the keys alone make pages enough, each is asked for its very first item: many have only a few.
            let keys_are_enough = first.paths(FIRST_PAGES, 0).iter().collect::<BTreeSet<_>>().len() == FIRST_PAGES;
            first.ask("limit", fill::limits(1..=if keys_are_enough { 1 } else { FIRST_PAGE_ITEMS }));
        }
        let mut pages = BTreeSet::new();
        for path in first.paths(FIRST_PAGES, skip()).into_iter().collect::<BTreeSet<_>>() {
            let Ok(Ok(page)) = self.reader.json(&path).await else { continue };
            let Some(cursor) = page["next_cursor"].as_str() else { continue };
            // The number of items goes to the end, where it can be another one.
            let front =
                path.rsplit_once("limit=").map(|(front, _)| front.trim_end_matches(['?', '&'])).unwrap_or(&path);
            pages.insert(format!("{front}{}cursor={}", if front.contains('?') { '&' } else { '?' }, encoded(cursor)));
        }
        if pages.is_empty() {
            self.report.notes.push(format!("{} has no second page among those that were tried", route.path));
            return;
        }
        let mut series = Series { pieces: vec![Piece::One(pages.into_iter().collect())] };
        if route.takes("limit") {
            series.pieces.extend([Piece::Text("&limit=".to_owned()), fill::limits(1..=fill::MAX_PAGE_ITEMS)]);
        }
        self.row(route, "second page", series).await;
    }

    async fn row(&mut self, route: &Declared, variant: &'static str, series: Series) {
        let RoutesOptions { requests, connections, cached, .. } = self.report.options;
        // The first question is asked before, so that the statement is known to the API and to its database.
        let paths = if cached { series.repeated(requests + 1) } else { series.paths(requests + 1, skip()) };
        let distinct = paths.iter().skip(1).collect::<BTreeSet<_>>().len();
        if let Some(path) = paths.first() {
            let _measured_later = self.reader.tried(path).await;
        }
        let before = self.reader.cache_counts().await;
        let tally = measure(&self.target, Questions::Once(paths), ROW_TIMEOUT, connections).await;
        let after = self.reader.cache_counts().await;
        let mut row = Route::new(&route.path, variant, requests, distinct, &tally);
        row.from_cache_permille = before.zip(after).and_then(|(before, after)| after.permille_since(before));
        if !cached && row.from_cache_permille.is_some_and(|permille| permille > MOSTLY_CACHED_PERMILLE) {
            let text = "most answers came from the cache, so its percentiles do not show what others take";
            self.report.notes.push(format!("{} {variant}: {text}", route.path));
        }
        if row.statuses.keys().all(|status| REFUSALS.contains(status)) {
            self.report.notes.push(format!("{} {variant}: every answer was a refusal", route.path));
        }
        self.report.rows.push(row);
    }
}

#[cfg(test)]
mod tests;
