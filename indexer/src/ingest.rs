//! Following sources into the log: fetch, check the links, append, retract on a fork.
//!
//! It must not know how a source speaks or what a view means. One source's trouble never stops another.

mod follow;
mod fork;
mod log;
mod report;

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use config::settings::ClockSkew;
use schema::chain::Height;
use schema::clock;
use schema::store::{AppendError, StoreError};

pub use follow::{Follower, Round};
pub use log::Log;

use crate::source::SourceError;

/// How a source is followed.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// Pause between polls at the tip.
    pub poll_interval: Duration,
    /// Pages asked for at the same time during a backfill.
    pub fetch_concurrency: usize,
    /// Events in one append; a block is never split.
    pub max_batch_events: usize,
    /// Blocks behind the head that are taken as final.
    pub finality_depth: u32,
    /// First pause after trouble; doubled each time up to [`MAX_BACKOFF`].
    pub first_backoff: Duration,
    /// How far the time of a block may lie ahead of the clock; none takes any time. The log is append-only, and windows and
    /// votes go by block times, so one block from far ahead would move them for good.
    pub max_clock_skew: Option<Duration>,
    /// The clock that block times are held against: this machine's.
    pub clock: fn() -> DateTime<Utc>,
}

/// Longest pause after trouble.
pub const MAX_BACKOFF: Duration = Duration::from_secs(10);

impl Default for FollowOptions {
    fn default() -> Self {
        Self {
            poll_interval: Duration::from_millis(100),
            fetch_concurrency: 4,
            max_batch_events: 10_000,
            finality_depth: 12,
            first_backoff: Duration::from_millis(100),
            max_clock_skew: ClockSkew::default().limit(),
            clock: clock::now,
        }
    }
}

/// Why a round of following did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The source did not answer well; asked again after a pause.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The log did not take it; the state is read again after a pause.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log could not be read; tried again after a pause.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A block from the future; asked for again after a pause, until the node gives another one or its time has come.
    #[error(
        "block {height} was refused: it is dated {}, and this machine's clock says {}; more than {} s ahead is not taken (`max_clock_skew_secs`)",
        shown(time), shown(now), limit.as_secs()
    )]
    AheadOfClock {
        /// Height of the block.
        height: Height,
        /// Its time.
        time: DateTime<Utc>,
        /// What the clock said.
        now: DateTime<Utc>,
        /// How far ahead it may be.
        limit: Duration,
    },
    /// Only an operator can go on.
    #[error("{0}")]
    Halted(String),
}

impl From<sqlx::Error> for FollowError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

impl FollowError {
    /// A word for metrics.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Source(SourceError::Transient(_)) => "transient",
            Self::Source(SourceError::RateLimited { .. }) => "rate_limited",
            Self::Source(SourceError::Malformed(_)) => "malformed",
            Self::Source(SourceError::Unsuitable(_)) => "unsuitable",
            Self::Append(_) => "append",
            Self::Store(_) => "store",
            Self::AheadOfClock { .. } => "ahead_of_clock",
            Self::Halted(_) => "halted",
        }
    }
}

fn shown(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
