//! The sections of the settings, field for field as in `default.toml`, where each key is explained at length.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::values::{ClockSkew, DatabaseUrl, HttpUrl, SourceName, empty_is_none};

/// Where to listen.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// The address to listen on.
    pub host: IpAddr,
    /// The port of REST and everything else over HTTP.
    pub port: u16,
    /// The port of gRPC, which is not served yet.
    pub grpc_port: u16,
}

impl Server {
    /// The address of REST and everything else over HTTP.
    pub fn http_address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }

    /// The address of gRPC.
    pub fn grpc_address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.grpc_port)
    }
}

/// How to reach PostgreSQL.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// The database as its owner.
    pub url: DatabaseUrl,
    /// The database as the reading role; [`Database::reader`] falls back to `url`.
    #[serde(with = "empty_is_none")]
    pub reader_url: Option<DatabaseUrl>,
    /// The database as the indexing role; [`Database::indexer`] falls back to `url`.
    #[serde(with = "empty_is_none")]
    pub indexer_url: Option<DatabaseUrl>,
    /// The most connections of one pool.
    pub max_connections: u32,
    /// The connections that a pool keeps open.
    pub min_connections: u32,
}

impl Database {
    /// The database as whoever answers requests.
    pub fn reader(&self) -> &DatabaseUrl {
        self.reader_url.as_ref().unwrap_or(&self.url)
    }

    /// The database as whoever appends to the log.
    pub fn indexer(&self) -> &DatabaseUrl {
        self.indexer_url.as_ref().unwrap_or(&self.url)
    }
}

/// The shorthand for a single Chert node.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Chain {
    /// The node's JSON-RPC address, if the shorthand is used.
    #[serde(with = "empty_is_none")]
    pub rpc_url: Option<HttpUrl>,
    /// The first block to index.
    pub sync_from_block: u64,
}

/// How to follow the sources.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Indexer {
    /// Not used yet: the command says whether a process indexes.
    pub enabled: bool,
    /// Blocks to ask a source for at a time.
    pub batch_size: u32,
    /// The pause between looks for new blocks, in milliseconds.
    pub sync_interval_ms: u64,
    /// Blocks below the head that are taken as final, where the node does not say.
    pub finality_depth: u64,
    /// Events in one append.
    pub max_batch_events: usize,
    /// Requests under way at one source.
    pub fetch_concurrency: usize,
    /// The limit of one request to a source, in milliseconds.
    pub request_timeout_ms: u64,
    /// The time without progress after which the service is not ready, in seconds.
    pub stall_budget_seconds: u64,
}

/// How much one client may ask. Not used yet.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct RateLimiting {
    /// Requests per minute and address.
    pub anonymous_rpm: u32,
    /// Requests per minute and signing key.
    pub authenticated_rpm: u32,
}

/// How much to keep in memory, and for how long.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Identities to keep.
    pub identities_max_capacity: u64,
    /// How long to keep an identity, in seconds.
    pub identities_ttl_seconds: u64,
    /// Leaderboards to keep.
    pub leaderboards_max_capacity: u64,
    /// How long to keep a leaderboard, in seconds.
    pub leaderboards_ttl_seconds: u64,
    /// Proposals to keep.
    pub proposals_max_capacity: u64,
    /// How long to keep a proposal, in seconds.
    pub proposals_ttl_seconds: u64,
    /// The size of all cached answers together, in bytes.
    pub budget_bytes: u64,
    /// How long to keep a list that everybody asks for, in seconds.
    pub hot_list_ttl_seconds: u64,
}

/// The bounds of one request.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// One SQL statement, in milliseconds.
    pub statement_timeout_ms: u64,
    /// A request body, in bytes.
    pub body_bytes: usize,
    /// A path and query, in bytes.
    pub url_bytes: usize,
    /// The wait for a `min_height`, in milliseconds.
    pub min_wait_ms: u64,
}

/// Logs and traces.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which log lines are written, as directives.
    pub log_filter: String,
    /// Where traces go, if anywhere.
    #[serde(with = "empty_is_none")]
    pub otlp_endpoint: Option<HttpUrl>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, otherwise JSON lines.
    Auto,
    /// One JSON object per line.
    Json,
    /// Lines for people.
    Text,
}

/// The keys of a `[[source]]`, which `default.toml` can only show in a comment.
pub(super) const SOURCE_KEYS: &[&str] = &[
    "name",
    "kind",
    "url",
    "chain_id",
    "sync_from_block",
    "finality_depth",
    "required",
    "trusted",
    "symbol",
    "decimals",
    "requests_per_minute",
    "identities",
    "poll_interval_ms",
    "off_block_state",
    "max_clock_skew_secs",
];

/// One chain or oracle to follow.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Its name here.
    pub name: SourceName,
    /// The protocol that it speaks.
    pub kind: SourceKind,
    /// Where it answers.
    pub url: HttpUrl,
    /// The chain that it must serve, if that is fixed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_id: Option<String>,
    /// The first block to index.
    #[serde(default)]
    pub sync_from_block: u64,
    /// Blocks below the head that are taken as final, if not `indexer.finality_depth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finality_depth: Option<u64>,
    /// Whether the service is ready only when this source is followed.
    #[serde(default = "yes")]
    pub required: bool,
    /// Whether wallet links of this source that cannot be verified count.
    #[serde(default)]
    pub trusted: bool,
    /// The symbol of its coin, for display.
    #[serde(default)]
    pub symbol: String,
    /// The decimals of its coin, for display.
    #[serde(default)]
    pub decimals: u8,
    /// The most requests per minute, of kinds that are limited; absent means what the kind does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
    /// Where its identities come from.
    #[serde(default)]
    pub identities: IdentitySource,
    /// The pause between polls in milliseconds, if not `indexer.sync_interval_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub poll_interval_ms: Option<u64>,
    /// Whether to poll what the node keeps outside blocks, if not as its kind does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_block_state: Option<bool>,
    /// How far the time of a block may lie ahead of this machine's clock.
    #[serde(default)]
    pub max_clock_skew_secs: ClockSkew,
}

impl Source {
    /// The source that `[chain]` stands for.
    pub(super) fn shorthand(url: HttpUrl, sync_from_block: u64) -> Self {
        Self {
            name: SourceName::shorthand(),
            kind: SourceKind::Chert,
            url,
            chain_id: None,
            sync_from_block,
            finality_depth: None,
            required: true,
            trusted: false,
            symbol: String::new(),
            decimals: 0,
            requests_per_minute: None,
            identities: IdentitySource::Payload,
            poll_interval_ms: None,
            off_block_state: None,
            max_clock_skew_secs: ClockSkew::default(),
        }
    }
}

fn yes() -> bool {
    true
}

/// The protocol that a source speaks.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum SourceKind {
    /// JSON-RPC of a Chert node.
    Chert,
    /// REST of an AITBC node.
    Aitbc,
}

/// Where the identities of a source come from.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(try_from = "String", rename_all = "lowercase")]
pub enum IdentitySource {
    /// From the payloads of its transactions.
    #[default]
    Payload,
}

impl TryFrom<String> for IdentitySource {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "payload" => Ok(Self::Payload),
            "registry" => Err("identities of an on-chain registry cannot be read yet; write \"payload\"".to_owned()),
            other => Err(format!("it must be \"payload\", not {other:?}")),
        }
    }
}
