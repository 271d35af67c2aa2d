//! Clients that read from a running API as fast as it answers, and measure it.
//!
//! A number of requests per second says little on a machine that one does not know. So a bare handler that answers the
//! same bytes is measured in the same run, through the same client, and each number stands beside it. Nothing here
//! knows the API but by its public contract, and nothing is sent to another machine.

mod bare;
mod closed_loop;
mod http;
mod keys;
mod questions;
mod reader;
mod report;
mod routes;
mod target;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use bare::Bare;
use closed_loop::measure;
use http::Whole;
use keys::Keys;
use questions::{Questions, Series, mixed, mixed_kinds, uncached};
use reader::Reader;
use target::Target;

pub use http::HttpError;
pub use report::{Report, Row, Yardstick};
pub use routes::{Route, RoutesOptions, RoutesReport, routes};

/// The list that everybody asks for.
const BLOCK_LIST: &str = "/v1/explorer/blocks?limit=20";
/// The most connections that one run opens at the same time.
const MAX_CONNECTIONS: usize = 1_024;
/// The longest single measurement of reads.
const MAX_DURATION: Duration = Duration::from_secs(3_600);

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// The URL is not one of an API.
    #[error("`{url}` {why}")]
    BadUrl {
        /// The URL as it was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The URL names another machine.
    #[error("`{host}` is not a loopback address: only an API on this machine is measured")]
    NotLoopback {
        /// The host that was named.
        host: String,
    },
    /// Too few or too many connections.
    #[error("{given} connections were asked for; 1 to {MAX_CONNECTIONS} are possible")]
    Connections {
        /// How many were asked for.
        given: usize,
    },
    /// Too few or too many requests per route.
    #[error("{given} requests were asked for; 1 to {most} are possible")]
    Requests {
        /// How many were asked for.
        given: usize,
        /// The most that are possible.
        most: usize,
    },
    /// Too short or too long a measurement.
    #[error("a measurement takes more than 0 and at most {} seconds", MAX_DURATION.as_secs())]
    Duration,
    /// The API did not answer at all, or not in HTTP.
    #[error("no answer to {path} from {address}: {source}")]
    NoAnswer {
        /// Where the API was expected.
        address: SocketAddr,
        /// What was asked for.
        path: String,
        /// What happened.
        source: HttpError,
    },
    /// The API refuses the list that everything is compared with.
    #[error("{path} answered {status}: there is nothing to measure yet")]
    Refused {
        /// What was asked for.
        path: &'static str,
        /// The status.
        status: u16,
    },
    /// The API's description of itself names no route to ask.
    #[error("/openapi.json is not a document that names GET routes")]
    NoRoutes,
    /// The bare handler could not be started.
    #[error("the bare handler cannot start: {0}")]
    Bare(#[source] io::Error),
}

/// Measures reads from the API at `url`, one kind after the other for `duration` each, over so many kept-alive
/// connections in a closed loop; before and after them, a bare handler in this process that answers the same bytes.
///
/// # Errors
///
/// The URL is not one of this machine, an argument is out of bounds, or the API does not answer to begin with. Errors
/// during a measurement are counted in its row, and an API that goes away later leaves a report with notes.
pub async fn read(url: &str, duration: Duration, connections: usize) -> Result<Report, ClientsError> {
    if !(1..=MAX_CONNECTIONS).contains(&connections) {
        return Err(ClientsError::Connections { given: connections });
    }
    if duration.is_zero() || duration > MAX_DURATION {
        return Err(ClientsError::Duration);
    }
    let target = Target::parse(url).await?;
    let mut reader = Reader::new(target.clone());
    let (answer, list) = reader.whole(BLOCK_LIST).await?;
    if !(200..300).contains(&answer.status) {
        return Err(ClientsError::Refused { path: BLOCK_LIST, status: answer.status });
    }
    let mut keys = Keys::collect(&mut reader).await?;
    let report =
        Report { url: url.to_owned(), duration, connections, rows: Vec::new(), notes: std::mem::take(&mut keys.notes) };
    let mut run = Run { target, reader, report };
    run.all(&keys, &list).await?;
    Ok(run.report)
}

/// One run: the API, and what has been measured so far.
struct Run {
    target: Target,
    reader: Reader,
    report: Report,
}

impl Run {
    async fn all(&mut self, keys: &Keys, list: &Whole) -> Result<(), ClientsError> {
        let block = self.block(keys).await?;
        let mut answers = vec![(BLOCK_LIST, list)];
        answers.extend(block.as_ref().map(|(path, whole)| (path.as_str(), whole)));
        let bare = Bare::start(&answers).map_err(ClientsError::Bare)?;
        let bare_target = Target::local(bare.address());

        let bare_list = self.bare(&bare_target, "A: bare handler, 20 blocks", BLOCK_LIST).await;
        self.report.rows.push(bare_list.clone());
        self.api(Series::of_one("20 blocks, cached", BLOCK_LIST), &bare_list, Yardstick::List).await;
        let (by_key, yardstick) = match &block {
            Some((path, _)) => {
                let bare_block = self.bare(&bare_target, "B: bare handler, one block", path).await;
                self.report.rows.push(bare_block.clone());
                self.api(Series::of_one("one block, cached", path), &bare_block, Yardstick::Block).await;
                (bare_block, Yardstick::Block)
            }
            None => (bare_list.clone(), Yardstick::List),
        };
        for series in uncached(keys, skip()) {
            if self.answers(&series).await {
                self.api(series, &by_key, yardstick).await;
            }
        }
        match mixed(&self.answering_kinds(keys).await) {
            Some(series) => self.api(series, &by_key, yardstick).await,
            None => self.note("the mixed set is not measured: nothing answers".to_owned()),
        }
        let again = self.bare(&bare_target, "A once more: the machine's drift", BLOCK_LIST).await;
        self.report.rows.push(again.beside(&bare_list, Yardstick::List));
        Ok(())
    }

    /// A block that is neither new nor far away, with its answer.
    async fn block(&mut self, keys: &Keys) -> Result<Option<(String, Whole)>, ClientsError> {
        let Some(block) = keys.blocks.get(keys.blocks.len() / 2) else {
            self.note("the API has no blocks yet".to_owned());
            return Ok(None);
        };
        let path = format!("/v1/explorer/block/{}", block.height);
        let (answer, whole) = self.reader.whole(&path).await?;
        if (200..300).contains(&answer.status) {
            return Ok(Some((path, whole)));
        }
        self.note(format!("{path} answered {}, so it is not measured", answer.status));
        Ok(None)
    }

    /// Whether a series has questions and the API answers the first.
    async fn answers(&mut self, series: &Series) -> bool {
        let tried = match series.questions.path(0) {
            Some(path) => self.reader.tried(&path).await,
            None => Err("the API showed no keys for it".to_owned()),
        };
        if let Err(why) = &tried {
            self.note(format!("`{}` is not measured: {why}", series.name));
        }
        tried.is_ok()
    }

    async fn answering_kinds(&mut self, keys: &Keys) -> Vec<Vec<String>> {
        let mut answering = Vec::new();
        for kind in mixed_kinds(keys) {
            let Some(path) = kind.first() else { continue };
            match self.reader.tried(path).await {
                Ok(()) => answering.push(kind),
                Err(why) => self.note(format!("the mixed set is without one kind: {why}")),
            }
        }
        answering
    }

    async fn bare(&mut self, target: &Target, name: &'static str, path: &str) -> Row {
        let questions = Questions::Cycle(vec![path.to_owned()]);
        let tally = measure(target, questions, self.report.duration, self.report.connections).await;
        if let Some(trouble) = tally.worst() {
            self.note(format!("`{name}`: {trouble}"));
        }
        Row::new(name, &tally)
    }

    async fn api(&mut self, series: Series, bare: &Row, yardstick: Yardstick) {
        let Series { name, questions } = series;
        let before = self.reader.cache_counts().await;
        let tally = measure(&self.target, questions, self.report.duration, self.report.connections).await;
        let after = self.reader.cache_counts().await;
        if let Some(trouble) = tally.worst() {
            self.note(format!("`{name}`: {trouble}"));
        }
        if tally.exhausted {
            self.note(format!("`{name}` ended early: every question had been asked once"));
        }
        let mut row = Row::new(name, &tally).beside(bare, yardstick);
        row.from_cache_permille = before.zip(after).and_then(|(before, after)| after.permille_since(before));
        self.report.rows.push(row);
    }

    fn note(&mut self, note: String) {
        self.report.notes.push(note);
    }
}

/// Where this run begins among the keys: another place each millisecond, as the API may still hold the last run's
/// answers.
#[expect(clippy::disallowed_methods, reason = "two runs must not begin at the same keys")]
fn skip() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
