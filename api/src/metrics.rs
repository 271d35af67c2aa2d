//! What `/metrics` shows about the API: counters, latencies, the cache, and how far behind the nodes we are.
//!
//! Latencies are summaries with p50, p95 and p99 over the last minutes, by route template and never by path, so that
//! no client can make the list of series grow.

use std::collections::BTreeMap;
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use metrics::{
    Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::error::ApiError;
use crate::freshness::Freshness;

const REQUESTS: &str = "chert_api_requests_total";
const ERRORS: &str = "chert_api_errors_total";
const REQUEST_SECONDS: &str = "chert_api_request_seconds";
const STATEMENT_SECONDS: &str = "chert_api_statement_seconds";
const STATEMENT_ERRORS: &str = "chert_api_statement_errors_total";
const CACHE_HITS: &str = "chert_api_cache_hits_total";
const CACHE_MISSES: &str = "chert_api_cache_misses_total";
const CACHE_HIT_RATIO: &str = "chert_api_cache_hit_ratio";
const CACHE_BYTES: &str = "chert_api_cache_bytes";
const POSITION: &str = "chert_api_position";
const HEIGHT: &str = "chert_api_indexed_height";
const LAG_BLOCKS: &str = "chert_api_lag_blocks";
const LAG_SECONDS: &str = "chert_api_lag_seconds";
const VIEW_SET_ASIDE: &str = "chert_api_view_set_aside";
const DATABASE_UP: &str = "chert_api_database_up";

static HANDLE: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
/// What every request counts, looked up once: naming a series anew each time costs more than counting.
static SERIES: OnceLock<Series> = OnceLock::new();
static HITS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
static MISSES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// The one recorder of this process, installed by whoever asks first.
pub fn install() -> Result<PrometheusHandle, ApiError> {
    let made = HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_quantiles(&[0.5, 0.95, 0.99]).map_err(|error| error.to_string())?;
        let handle = builder.install_recorder().map_err(|error| error.to_string())?;
        describe();
        SERIES.get_or_init(Series::new);
        Ok(handle)
    });
    made.clone().map_err(ApiError::Metrics)
}

fn describe() {
    describe_counter!(REQUESTS, Unit::Count, "Requests answered, by method, route and status.");
    describe_counter!(ERRORS, Unit::Count, "Requests answered with a 4xx or 5xx status, by route and status.");
    describe_histogram!(REQUEST_SECONDS, Unit::Seconds, "Seconds from request to answer, by route.");
    describe_histogram!(STATEMENT_SECONDS, Unit::Seconds, "Seconds in the database per question, connection included.");
    describe_counter!(STATEMENT_ERRORS, Unit::Count, "Questions that the database did not answer.");
    describe_counter!(CACHE_HITS, Unit::Count, "Questions answered from the cache.");
    describe_counter!(CACHE_MISSES, Unit::Count, "Questions that went to the database.");
    describe_gauge!(CACHE_HIT_RATIO, "Part of the questions answered from the cache since the start, 0 to 1.");
    describe_gauge!(CACHE_BYTES, Unit::Bytes, "Bytes in the cache.");
    describe_gauge!(POSITION, Unit::Count, "Log position that the views show.");
    describe_gauge!(HEIGHT, Unit::Count, "Height of the newest block in the views, by source.");
    describe_gauge!(LAG_BLOCKS, Unit::Count, "Blocks that the views are behind the node's tip, by source.");
    describe_gauge!(LAG_SECONDS, Unit::Seconds, "Seconds since the node has been ahead of the log, by source.");
    describe_gauge!(VIEW_SET_ASIDE, "1 while the view stands still until it is repaired, else 0; by view.");
    describe_gauge!(DATABASE_UP, "1 while the database answers, else 0.");
}

struct Series {
    statement_seconds: Histogram,
    statement_errors: Counter,
    cache_hits: Counter,
    cache_misses: Counter,
    /// By route template; there are only so many of them, and of their methods and statuses.
    answers: RwLock<BTreeMap<String, OfRoute>>,
}

/// By method and status.
type OfRoute = BTreeMap<(&'static str, u16), Answers>;

/// The series of one route, method and status.
struct Answers {
    requests: Counter,
    errors: Option<Counter>,
    seconds: Histogram,
}

impl Series {
    fn new() -> Self {
        Self {
            statement_seconds: histogram!(STATEMENT_SECONDS),
            statement_errors: counter!(STATEMENT_ERRORS),
            cache_hits: counter!(CACHE_HITS),
            cache_misses: counter!(CACHE_MISSES),
            answers: RwLock::default(),
        }
    }
}

impl Answers {
    fn new(method: &'static str, route: &str, status: u16) -> Self {
        let error = || counter!(ERRORS, "route" => route.to_owned(), "status" => status.to_string());
        Self {
            requests: counter!(REQUESTS, "method" => method, "route" => route.to_owned(), "status" => status.to_string()),
            errors: (400..600).contains(&status).then(error),
            seconds: histogram!(REQUEST_SECONDS, "route" => route.to_owned()),
        }
    }

    fn count(&self, took: Duration) {
        self.requests.increment(1);
        if let Some(errors) = &self.errors {
            errors.increment(1);
        }
        self.seconds.record(took.as_secs_f64());
    }
}

/// Counts one answered request; the route is the template, as `/v1/events/{position}`.
pub fn request(method: &'static str, route: &str, status: u16, took: Duration) {
    let Some(series) = SERIES.get() else { return };
    let known = series.answers.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(answers) = known.get(route).and_then(|of_route| of_route.get(&(method, status))) {
        return answers.count(took);
    }
    drop(known);
    let mut known = series.answers.write().unwrap_or_else(PoisonError::into_inner);
    let of_route = known.entry(route.to_owned()).or_default();
    of_route.entry((method, status)).or_insert_with(|| Answers::new(method, route, status)).count(took);
}

/// Counts one statement.
pub fn statement(took: Duration, answered: bool) {
    let Some(series) = SERIES.get() else { return };
    series.statement_seconds.record(took.as_secs_f64());
    if !answered {
        series.statement_errors.increment(1);
    }
}

/// Counts an answer from the cache.
pub fn cache_hit() {
    HITS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    if let Some(series) = SERIES.get() {
        series.cache_hits.increment(1);
    }
}

/// Counts a question that goes to the database.
pub fn cache_miss() {
    MISSES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    if let Some(series) = SERIES.get() {
        series.cache_misses.increment(1);
    }
}

/// The text of `/metrics`, with the gauges as of this moment.
pub fn render(handle: &PrometheusHandle, fresh: &Freshness, cached_bytes: u64, quiet_seconds: i64) -> String {
    let hits = HITS.load(std::sync::atomic::Ordering::Relaxed);
    let asked = hits + MISSES.load(std::sync::atomic::Ordering::Relaxed);
    gauge!(CACHE_HIT_RATIO).set(if asked == 0 { 0.0 } else { float(hits) / float(asked) });
    gauge!(CACHE_BYTES).set(float(cached_bytes));
    gauge!(DATABASE_UP).set(if fresh.database_up { 1.0 } else { 0.0 });
    gauge!(POSITION).set(signed(fresh.position));
    for (name, view) in fresh.views.iter() {
        gauge!(VIEW_SET_ASIDE, "view" => name.clone()).set(if view.set_aside { 1.0 } else { 0.0 });
    }
    for source in fresh.sources.iter() {
        let name = source.name.clone();
        let head = source.head.as_ref();
        if let Some(head) = head {
            gauge!(HEIGHT, "source" => name.clone()).set(signed(head.height));
        }
        if let Some(blocks) = source.lag_blocks(head.map(|head| head.height)) {
            gauge!(LAG_BLOCKS, "source" => name.clone()).set(signed(blocks));
        }
        if let Some(seconds) = source.lag_seconds(fresh.read_at, quiet_seconds) {
            gauge!(LAG_SECONDS, "source" => name).set(signed(seconds));
        }
    }
    handle.render()
}

/// Gauges are floats, which hold counts exactly up to 2^53.
fn float(value: u64) -> f64 {
    let high = u32::try_from(value >> 32).unwrap_or(u32::MAX);
    let low = u32::try_from(value & u64::from(u32::MAX)).unwrap_or(u32::MAX);
    f64::from(high) * 4_294_967_296.0 + f64::from(low)
}

fn signed(value: i64) -> f64 {
    let size = float(value.unsigned_abs());
    if value < 0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_counts_become_the_same_float() {
        for value in [0_u64, 1, 1_000_000, 4_294_967_296, 9_007_199_254_740_992] {
            assert_eq!(float(value).to_string(), value.to_string());
        }
        assert_eq!(signed(-5).to_string(), "-5");
    }
}
