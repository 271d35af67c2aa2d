//! One page of a board: its places, and what is true of the whole board.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schema::event::rfc3339_micros;
use serde::Serialize;
use utoipa::ToSchema;

use crate::page::{Described, Rows};
use crate::views::work::{Family, Timeframe, decimal, percentile};

/// What is true of a whole board.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Board {
    /// `all`, `boinc`, `nuw`, `bandwidth`, `compute` or `ceremony`.
    #[serde(rename = "type")]
    #[schema(example = "boinc")]
    pub family: &'static str,
    /// `day`, `week`, `month` or `all`.
    #[schema(example = "week")]
    pub timeframe: &'static str,
    /// Who is ranked: `identity` or `address`.
    #[schema(example = "identity")]
    pub by: &'static str,
    /// What scores count: `cobblestones`, `submissions`, `bytes`, `receipts` or `contributions`.
    #[schema(example = "cobblestones")]
    pub unit: &'static str,
    /// Work from here on is in the window, RFC 3339 UTC; null of all time.
    #[schema(format = DateTime, example = "2026-02-22T00:00:00.000000Z")]
    pub window_starts_at: Option<String>,
    /// Time of the block that began the newest hour, which the window ends in, RFC 3339 UTC; null before the first block.
    #[schema(format = DateTime, example = "2026-03-01T12:00:05.000000Z")]
    pub clock: Option<String>,
    /// How many are ranked; of identities also those that have hidden their statistics since.
    #[schema(example = 3000)]
    pub ranked: i64,
    /// False when the window begins before the first block followed of a chain that was not followed from genesis; of all
    /// time when a chain was not followed from genesis or holds what could not be understood; and now, not as of the past,
    /// while a source stands still. A chain followed from genesis is complete from its first block.
    #[schema(example = true)]
    pub complete: bool,
    /// Place of the one named in `around`; null when it is not ranked. Only with `around`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>, example = 17)]
    pub around_rank: Option<Option<i64>>,
}

/// A place on a board.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Place {
    /// The place, from 1; no two share one. A missing one belongs to an identity that has hidden its statistics since.
    #[schema(example = 1)]
    pub rank: i64,
    /// Share of the ranked that stand behind, in percent, rounded to four digits.
    #[schema(example = 99.9667)]
    pub percentile: Option<f64>,
    /// The identity, hex; by address that which the address belongs to, null when it belongs to none or to one that does
    /// not show its statistics to everybody.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub identity_id: Option<String>,
    /// Name of that identity.
    #[schema(example = "Zoë")]
    pub display_name: Option<String>,
    /// The address, canonical; only by address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "0x5b38da6a701c568545dcfcb03fcb875f56beddc4")]
    pub miner_address: Option<String>,
    /// Name of its chain; only by address.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "chert")]
    pub chain: Option<String>,
    /// Score in the window, in the board's unit; a decimal number, never rounded.
    #[schema(example = "10432.500000001")]
    pub score: String,
    /// Submissions of the type that count, of all time.
    #[schema(example = 1000)]
    pub accepted: i64,
    /// Block time of the last of them, RFC 3339 UTC; who came to the score earlier stands before.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000000Z")]
    pub last_contribution: Option<String>,
    /// What it is made of, by family; only of `type=all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<BTreeMap<String, BoardPart>>,
}

/// The part of one family in a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BoardPart {
    /// Submissions of the family that count, of all time.
    #[schema(example = 200)]
    pub accepted: i64,
    /// The family's score in the window, in its own unit; a decimal number.
    #[schema(example = "10432.5")]
    pub score: String,
    /// What that score counts.
    #[schema(example = "cobblestones")]
    pub unit: &'static str,
}

/// A board and one page of its places, as clients see them.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Places {
    /// What is true of the whole board.
    #[serde(flatten)]
    pub board: Board,
    /// The places of this page.
    pub items: Vec<Place>,
    /// Opaque; goes into `cursor=` of the same question for the next page, and is null on the last one.
    pub next_cursor: Option<String>,
}

/// What a request wants of a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which work.
    pub family: Family,
    /// Which window.
    pub timeframe: Timeframe,
    /// Places to leave out first; none when somebody is in the middle.
    pub skip: Option<i64>,
    /// Places on a page.
    pub limit: i64,
    /// Whether a source stands still, as the server last saw it: a kept answer ends when that changes.
    pub stalled: bool,
}

impl Wanted {
    /// The text of the question.
    pub(super) fn key(&self) -> String {
        let (family, timeframe) = (self.family.name(), self.timeframe.name());
        format!("{family}:{timeframe}:{:?}:{}:{}", self.skip, self.limit, self.stalled)
    }
}

/// What a statement about a board says of the whole of it.
#[derive(Debug)]
pub(super) struct Whole {
    pub clock: Option<DateTime<Utc>>,
    pub starts_at: Option<DateTime<Utc>>,
    pub complete: Option<bool>,
    pub ranked: Option<i64>,
    /// How many stand before the one looked for; none when it is not ranked.
    pub ahead: Option<i64>,
    /// Places that were left out.
    pub skip: Option<i64>,
    /// Whether the places can be relied on; if not, the board that was kept does not reach far enough.
    pub exact: Option<bool>,
}

/// A place as read, before it knows how many are ranked.
#[derive(Debug)]
pub(super) struct Read {
    pub rank: i64,
    pub identity_id: Option<Vec<u8>>,
    pub display_name: Option<String>,
    pub miner_address: Option<String>,
    pub chain: Option<String>,
    pub score: String,
    pub accepted: i64,
    pub last_at: Option<DateTime<Utc>>,
    pub parts: Option<Vec<String>>,
    pub part_accepted: Option<Vec<i64>>,
    pub part_scores: Option<Vec<String>>,
}

/// The page that was wanted.
pub(super) fn page(
    wanted: &Wanted,
    by: &'static str,
    is_around: bool,
    whole: Whole,
    read: Vec<Read>,
) -> Described<Board, Place> {
    let ranked = whole.ranked.unwrap_or_default();
    let around = whole.ahead.map(|ahead| ahead + 1);
    let about = Board {
        family: wanted.family.name(),
        timeframe: wanted.timeframe.name(),
        by,
        unit: wanted.family.unit(),
        window_starts_at: whole.starts_at.map(rfc3339_micros),
        clock: whole.clock.map(rfc3339_micros),
        ranked,
        complete: whole.complete.unwrap_or_default(),
        around_rank: is_around.then_some(around),
    };
    // A page is so many places, those that are hidden now included: what is missing in it is not on the next one either.
    let end = whole.skip.unwrap_or_default() + wanted.limit;
    let is_nowhere = is_around && around.is_none();
    let next = (ranked > end && !is_nowhere).then(|| end.to_string());
    let read = if is_nowhere { Vec::new() } else { read };
    let items = read.into_iter().map(|place| place.shown(wanted.family, ranked)).collect();
    Described { about, rows: Rows { items, next, count: None } }
}

impl Read {
    fn shown(self, family: Family, ranked: i64) -> Place {
        let figures = self.part_accepted.unwrap_or_default().into_iter().zip(self.part_scores.unwrap_or_default());
        let parts = self.parts.unwrap_or_default().into_iter().zip(figures).map(|(name, (accepted, score))| {
            let unit = Family::named(&name).unwrap_or(Family::All).unit();
            (name, BoardPart { accepted, score: decimal(&score), unit })
        });
        Place {
            rank: self.rank,
            percentile: percentile(self.rank, ranked),
            identity_id: self.identity_id.map(hex::encode),
            display_name: self.display_name,
            miner_address: self.miner_address,
            chain: self.chain,
            score: decimal(&self.score),
            accepted: self.accepted,
            last_contribution: self.last_at.map(rfc3339_micros),
            parts: (family == Family::All).then(|| parts.collect()),
        }
    }
}
