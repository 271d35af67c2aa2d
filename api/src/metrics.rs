//! What `/metrics` shows about the API: counters, latencies, the cache, and how far behind the nodes we are.
//!
//! Latencies are summaries with p50, p95 and p99 over the last minutes, by route template and never by path, so that
//! no client can make the list of series grow.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
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
const DATABASE_UP: &str = "chert_api_database_up";

static HANDLE: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();
static HITS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
static MISSES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// The one recorder of this process, installed by whoever asks first.
pub fn install() -> Result<PrometheusHandle, ApiError> {
    let made = HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_quantiles(&[0.5, 0.95, 0.99]).map_err(|error| error.to_string())?;
        let handle = builder.install_recorder().map_err(|error| error.to_string())?;
        describe();
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
    describe_gauge!(LAG_SECONDS, Unit::Seconds, "Seconds that the views are behind the node, by source.");
    describe_gauge!(DATABASE_UP, "1 while the database answers, else 0.");
}

/// Counts one answered request; the route is the template, as `/v1/events/{position}`.
pub fn request(method: &str, route: &str, status: u16, took: Duration) {
    let (method, route, status) = (method.to_owned(), route.to_owned(), status.to_string());
    counter!(REQUESTS, "method" => method, "route" => route.clone(), "status" => status.clone()).increment(1);
    if status.starts_with('4') || status.starts_with('5') {
        counter!(ERRORS, "route" => route.clone(), "status" => status).increment(1);
    }
    histogram!(REQUEST_SECONDS, "route" => route).record(took.as_secs_f64());
}

/// Counts one statement.
pub fn statement(took: Duration, answered: bool) {
    histogram!(STATEMENT_SECONDS).record(took.as_secs_f64());
    if !answered {
        counter!(STATEMENT_ERRORS).increment(1);
    }
}

/// Counts an answer from the cache.
pub fn cache_hit() {
    HITS.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    counter!(CACHE_HITS).increment(1);
}

/// Counts a question that goes to the database.
pub fn cache_miss() {
    MISSES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    counter!(CACHE_MISSES).increment(1);
}

/// The text of `/metrics`, with the gauges as of this moment.
pub fn render(handle: &PrometheusHandle, fresh: &Freshness, cached_bytes: u64, quiet_seconds: i64) -> String {
    let hits = HITS.load(std::sync::atomic::Ordering::Relaxed);
    let asked = hits + MISSES.load(std::sync::atomic::Ordering::Relaxed);
    gauge!(CACHE_HIT_RATIO).set(if asked == 0 { 0.0 } else { float(hits) / float(asked) });
    gauge!(CACHE_BYTES).set(float(cached_bytes));
    gauge!(DATABASE_UP).set(if fresh.database_up { 1.0 } else { 0.0 });
    gauge!(POSITION).set(signed(fresh.position));
    for source in fresh.sources.iter() {
        let name = source.name.clone();
        let head = source.head.as_ref();
        if let Some(head) = head {
            gauge!(HEIGHT, "source" => name.clone()).set(signed(head.height));
        }
        if let Some(blocks) = source.lag_blocks(head.map(|head| head.height)) {
            gauge!(LAG_BLOCKS, "source" => name.clone()).set(signed(blocks));
        }
        if let Some(seconds) = source.lag_seconds(head, fresh.read_at, quiet_seconds) {
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
