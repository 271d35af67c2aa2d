//! The bounds of one request that no setting changes, in one place.

use std::time::Duration;

/// Rows of a page when the request does not say.
pub const DEFAULT_LIMIT: i64 = 50;
/// The most rows of a page.
pub const MAX_LIMIT: i64 = 100;
/// The most rows that `offset` may skip.
pub const MAX_OFFSET: i64 = 10_000;
/// The longest value of one query parameter or path segment, in bytes: a hundred identities' ids and their commas.
pub const MAX_TEXT_BYTES: usize = 7_000;
/// The longest request id that is taken over from the client, in bytes.
pub const MAX_REQUEST_ID_BYTES: usize = 128;
/// How long to wait for a free connection before the database counts as unavailable.
pub const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// How much longer than its statement may take a request waits for the database, connecting included.
pub const DATABASE_GRACE: Duration = Duration::from_secs(1);
/// How long a connection is used before a new one takes its place: what a session remembers grows with it.
pub const CONNECTION_LIFETIME: Duration = Duration::from_secs(1_800);
/// How many of the tags in one `If-Match` are looked up in the log.
pub const MAX_MATCHED_TAGS: usize = 8;
/// How long requests under way may take to finish after the signal to stop.
pub const SHUTDOWN_GRACE: Duration = Duration::from_secs(10);
/// How many chain heads at past positions are remembered for freshness headers.
pub const REMEMBERED_HEADS: u64 = 10_000;
