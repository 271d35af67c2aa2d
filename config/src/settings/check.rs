//! What types cannot say about the settings: bounds of numbers, and values that must fit together.

use std::{collections::BTreeSet, ops::RangeInclusive};

use super::{Origin, Settings, SettingsError};

const MINUTE_MS: u64 = 60_000;
const DAY_SECONDS: u64 = 86_400;
const YEAR_SECONDS: u64 = 366 * DAY_SECONDS;
/// TOML and PostgreSQL count heights in signed 64 bits.
const HEIGHT_MAX: u64 = u64::MAX / 2;

/// Refuses settings that are well typed but cannot work; `origin` says where a key was written.
pub(super) fn check(settings: &Settings, origin: impl Fn(&str) -> Origin) -> Result<(), SettingsError> {
    let bad =
        |key: &str, problem: String| Err(SettingsError::BadValue { key: key.to_owned(), origin: origin(key), problem });
    for (key, value, bounds) in bounds(settings) {
        if !bounds.contains(&value) {
            return bad(key, format!("{value} is not from {} to {}", bounds.start(), bounds.end()));
        }
    }
    let database = &settings.database;
    if database.min_connections > database.max_connections {
        return bad("database.min_connections", "it is more than database.max_connections".to_owned());
    }
    let server = &settings.server;
    if server.port == server.grpc_port && server.port != 0 {
        return bad("server.grpc_port", "it is the same as server.port".to_owned());
    }
    if settings.telemetry.otlp_endpoint.as_ref().is_some_and(super::HttpUrl::is_https) {
        let problem = "traces are sent without TLS; give the http:// address of a collector nearby";
        return bad("telemetry.otlp_endpoint", problem.to_owned());
    }
    check_sources(settings, bad)
}

fn check_sources(
    settings: &Settings,
    bad: impl Fn(&str, String) -> Result<(), SettingsError>,
) -> Result<(), SettingsError> {
    let mut names = BTreeSet::new();
    for source in &settings.source {
        if !names.insert(&source.name) {
            return bad("source", format!("two sources have the name \"{}\"", source.name));
        }
        let bounds = [
            ("sync_from_block", Some(source.sync_from_block), 0..=HEIGHT_MAX),
            ("finality_depth", source.finality_depth, 0..=1_000_000),
            ("decimals", Some(source.decimals.into()), 0..=36),
            ("requests_per_minute", source.requests_per_minute.map(u64::from), 1..=10_000_000),
            ("poll_interval_ms", source.poll_interval_ms, 1..=60 * MINUTE_MS),
        ];
        for (key, value, bounds) in bounds {
            if let Some(value) = value.filter(|value| !bounds.contains(value)) {
                let (low, high) = bounds.into_inner();
                let problem = format!("{key} of the source \"{}\" is {value}, not from {low} to {high}", source.name);
                return bad("source", problem);
            }
        }
    }
    Ok(())
}

/// Every number with its bounds, ends included. A bound that nobody reaches still stops a slip of the finger.
fn bounds(settings: &Settings) -> Vec<(&'static str, u64, RangeInclusive<u64>)> {
    let Settings { database, chain, indexer, rate_limiting, cache, limits, .. } = settings;
    let size = |value: usize| u64::try_from(value).unwrap_or(u64::MAX);
    vec![
        ("database.max_connections", database.max_connections.into(), 1..=10_000),
        ("database.min_connections", database.min_connections.into(), 0..=10_000),
        ("chain.sync_from_block", chain.sync_from_block, 0..=HEIGHT_MAX),
        ("indexer.batch_size", indexer.batch_size.into(), 1..=10_000),
        ("indexer.sync_interval_ms", indexer.sync_interval_ms, 1..=60 * MINUTE_MS),
        ("indexer.finality_depth", indexer.finality_depth, 0..=1_000_000),
        ("indexer.max_batch_events", size(indexer.max_batch_events), 1..=1_000_000),
        ("indexer.fetch_concurrency", size(indexer.fetch_concurrency), 1..=256),
        ("indexer.request_timeout_ms", indexer.request_timeout_ms, 1..=10 * MINUTE_MS),
        ("indexer.stall_budget_seconds", indexer.stall_budget_seconds, 1..=DAY_SECONDS),
        ("rate_limiting.anonymous_rpm", rate_limiting.anonymous_rpm.into(), 1..=100_000_000),
        ("rate_limiting.authenticated_rpm", rate_limiting.authenticated_rpm.into(), 1..=100_000_000),
        ("cache.identities_max_capacity", cache.identities_max_capacity, 0..=1_000_000_000),
        ("cache.identities_ttl_seconds", cache.identities_ttl_seconds, 0..=YEAR_SECONDS),
        ("cache.leaderboards_max_capacity", cache.leaderboards_max_capacity, 0..=1_000_000_000),
        ("cache.leaderboards_ttl_seconds", cache.leaderboards_ttl_seconds, 0..=YEAR_SECONDS),
        ("cache.proposals_max_capacity", cache.proposals_max_capacity, 0..=1_000_000_000),
        ("cache.proposals_ttl_seconds", cache.proposals_ttl_seconds, 0..=YEAR_SECONDS),
        ("cache.budget_bytes", cache.budget_bytes, 0..=1 << 44),
        ("cache.hot_list_ttl_seconds", cache.hot_list_ttl_seconds, 0..=DAY_SECONDS),
        ("limits.statement_timeout_ms", limits.statement_timeout_ms, 1..=10 * MINUTE_MS),
        ("limits.body_bytes", size(limits.body_bytes), 1..=1 << 30),
        ("limits.url_bytes", size(limits.url_bytes), 64..=1 << 20),
        ("limits.min_wait_ms", limits.min_wait_ms, 0..=10 * MINUTE_MS),
    ]
}
