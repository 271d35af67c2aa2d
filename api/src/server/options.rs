//! How to serve.

use config::Settings;
use sqlx::postgres::PgConnectOptions;

use crate::error::ApiError;

/// The pause between two looks at the watermark when nothing else says so, in milliseconds.
const POLL_INTERVAL_MS: u64 = 100;

/// How to serve; plain values, so that nothing here depends on where settings come from.
#[derive(Debug, Clone)]
pub struct ApiOptions {
    /// The database, as a role that can read.
    pub database_url: String,
    /// The most connections that requests may use.
    pub max_connections: u32,
    /// The connections to open before the first request needs them.
    pub min_connections: u32,
    /// The limit of one statement, in milliseconds.
    pub statement_timeout_ms: u64,
    /// The limit of a request body, in bytes.
    pub body_bytes: usize,
    /// The limit of a path with its query, in bytes.
    pub url_bytes: usize,
    /// The wait for `min_height` and `min_position`, in milliseconds.
    pub min_wait_ms: u64,
    /// The size of all cached answers together, in bytes.
    pub cache_bytes: u64,
    /// How long a list that everybody asks for is kept at most, in seconds.
    pub hot_list_ttl_seconds: u64,
    /// How long any other answer is kept at most, in seconds.
    pub answer_ttl_seconds: u64,
    /// The time without progress or without a tip after which a source is not ready, in seconds.
    pub stall_budget_seconds: u64,
    /// The pause between two looks at the watermark, in milliseconds.
    pub poll_interval_ms: u64,
}

impl ApiOptions {
    /// The defaults of `config/default.toml` over a database.
    pub fn new(database_url: impl Into<String>) -> Self {
        Self {
            database_url: database_url.into(),
            max_connections: 20,
            min_connections: 2,
            statement_timeout_ms: 5_000,
            body_bytes: 65_536,
            url_bytes: 8_192,
            min_wait_ms: 2_000,
            cache_bytes: 268_435_456,
            hot_list_ttl_seconds: 10,
            answer_ttl_seconds: 3_600,
            stall_budget_seconds: 60,
            poll_interval_ms: POLL_INTERVAL_MS,
        }
    }

    pub(super) fn connect_options(&self) -> Result<PgConnectOptions, ApiError> {
        let options: PgConnectOptions = self.database_url.parse().map_err(ApiError::DatabaseUrl)?;
        let timeout = format!("{}ms", self.statement_timeout_ms);
        // The role can only read; a read-only session also refuses temporary tables and a misconfigured owner.
        Ok(options.application_name("chert-api").options([
            ("search_path", "views,log,public"),
            ("statement_timeout", timeout.as_str()),
            ("default_transaction_read_only", "on"),
            // Compiling a plan took 720 ms where running it took 3 ms: our statements read few rows through many indexes.
            ("jit", "off"),
            // Each statement is written so that one plan fits all its arguments; planning anew took most of a short read.
            ("plan_cache_mode", "force_generic_plan"),
        ]))
    }
}

impl From<&Settings> for ApiOptions {
    fn from(settings: &Settings) -> Self {
        let cache = &settings.cache;
        Self {
            max_connections: settings.database.max_connections,
            min_connections: settings.database.min_connections,
            statement_timeout_ms: settings.limits.statement_timeout_ms,
            body_bytes: settings.limits.body_bytes,
            url_bytes: settings.limits.url_bytes,
            min_wait_ms: settings.limits.min_wait_ms,
            cache_bytes: cache.budget_bytes,
            hot_list_ttl_seconds: cache.hot_list_ttl_seconds,
            answer_ttl_seconds: cache.identities_ttl_seconds,
            stall_budget_seconds: settings.indexer.stall_budget_seconds,
            ..Self::new(settings.database.reader().expose())
        }
    }
}
