//! The log itself: every event with every column that its digest covers, and whether it stands.

use schema::event::{Kind, Namespace, Verdict, rfc3339_micros};
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::view::{At, LOG, Query, Stamped, stamped};

/// An event, so complete that a stranger can recompute its digest and the running hash of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventItem {
    /// Place in the log: dense, from 1.
    pub position: i64,
    /// Name of the source.
    pub source: String,
    /// Number of the source, which the digest covers.
    pub source_id: i32,
    /// Block height; null for records that are not part of a block.
    pub height: Option<i64>,
    /// Hash of that block, lower-case hex.
    pub block_hash: Option<String>,
    /// Transaction that carried it.
    pub tx_id: Option<String>,
    /// Index of that transaction in the block.
    pub tx_index: Option<i32>,
    /// Index in its unit.
    pub event_index: i32,
    /// Kind, as `chain.block_applied`.
    pub kind: &'static str,
    /// The canonical bytes, verbatim: as they stand here they are what the digest covers.
    #[schema(value_type = Object)]
    pub body: Box<RawValue>,
    /// `verified`, `refuted` or `unverifiable`; null where nothing is claimed.
    pub verdict: Option<&'static str>,
    /// Block or record time, RFC 3339, UTC, six fraction digits.
    pub occurred_at: String,
    /// When this database stored it; the only column that the digest does not cover.
    pub recorded_at: String,
    /// SHA-256 leaf over the covered columns, hex.
    pub digest: String,
    /// Whether it stands at the answer's position; false when a `chain.retracted` up to there covers it.
    pub stands: bool,
    /// The unit that it was appended with.
    pub unit: Unit,
}

/// What was appended as one whole.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unit {
    /// Position of its first event.
    pub first_position: i64,
    /// Position of its last event.
    pub end_position: i64,
    /// SHA-256 of the running hash before and the digests of the unit, hex.
    pub chain_hash: String,
}

/// Which events to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only of this source.
    pub source_id: Option<i32>,
    /// Only of these kinds; empty means all.
    pub kinds: Vec<Kind>,
    /// Only about this subject.
    pub subject: Option<Subject>,
}

/// What events are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// An address, as the rule of each source spells it: source and canonical text.
    Address(Vec<(i32, String)>),
    /// Anything else, by its one name.
    Named(Namespace, String),
}

/// One event.
#[derive(Debug, Clone, Copy)]
pub struct Event {
    /// Its position.
    pub position: i64,
}

/// The events whose positions a select names, at most 101 and in order, and whether bodies ended the page before that;
/// `$3` and following are the caller's.
macro_rules! events_at {
    ($db:expr, $at:expr, ($($positions:tt)+) $(, $argument:expr)* $(,)?) => {
        stamped!(
            $db,
            $at,
            THE_LOG,
            r#"
            r.position as "position?",
            r.source as "source?",
            r.source_id as "source_id?",
            r.height as "height?",
            r.block_hash as "block_hash?",
            r.tx_id as "tx_id?",
            r.tx_index as "tx_index?",
            r.event_index as "event_index?",
            r.kind as "kind?",
            r.body as "body?",
            r.verdict as "verdict?",
            r.occurred_at as "occurred_at?",
            r.recorded_at as "recorded_at?",
            r.digest as "digest?",
            r.stands as "stands?",
            r.first_position as "first_position?",
            r.end_position as "end_position?",
            r.chain_hash as "unit_chain_hash?"
            "#,
            (r#"
            select
                e.position, x.name as source, e.source_id, e.height, e.block_hash, e.tx_id, e.tx_index, e.event_index,
                e.kind,
                -- A page ends when its bodies pass 4 MiB, whatever the limit; what does not fit any more is null.
                case when coalesce(sum(octet_length(e.body)) over before, 0) < 4194304 then e.body end as body, e.verdict, e.occurred_at, e.recorded_at, e.digest,
                -- Covered is what a block above the fork carried; reports, finality and `source.*` never are.
                e.kind in (4, 7, 29, 30, 31) or not exists (
                    select 1
                    from log.retractions t
                    where t.source_id = e.source_id
                        and t.first_position <= e.position
                        and t.at_position > e.position
                        and t.at_position <= s.position
                        and t.fork_height < e.height
                ) as stands,
                u.first_position, u.end_position, u.chain_hash
            from (
                -- Tells the planner how few rows there are when it does not know the limit inside.
                select o.position
                from ("# + $($positions)+ + r#") o
                limit 101
            ) p
            join log.events e on e.position = p.position
            join log.sources x on x.source_id = e.source_id
            join lateral (
                select u.first_position, u.end_position, u.chain_hash
                from log.log_units u
                where u.end_position >= e.position
                order by u.end_position
                limit 1
            ) u on true
            window before as (order by e.position rows between unbounded preceding and 1 preceding)
            "#),
            "order by r.position"
            $(, $argument)*
        )
        .and_then(|(at, rows)| {
            let (mut items, mut is_cut) = (Vec::with_capacity(rows.len()), false);
            for row in rows {
                // An answer without events is one record of nulls.
                let Some(position) = row.position else { continue };
                let Some(body) = row.body else {
                    is_cut = true;
                    break;
                };
                let columns = (|| {
                    Some(Columns {
                        position,
                        source: row.source?,
                        source_id: row.source_id?,
                        height: row.height,
                        block_hash: row.block_hash,
                        tx_id: row.tx_id,
                        tx_index: row.tx_index,
                        event_index: row.event_index?,
                        kind: row.kind?,
                        body,
                        verdict: row.verdict,
                        occurred_at: row.occurred_at?,
                        recorded_at: row.recorded_at?,
                        digest: row.digest?,
                        stands: row.stands?,
                        first_position: row.first_position?,
                        end_position: row.end_position?,
                        chain_hash: row.unit_chain_hash?,
                    })
                })();
                items.push(columns.ok_or_else(|| broken(position, "a column is null"))?.item()?);
            }
            Ok(Stamped { at, value: Page { items, is_cut } })
        })
    };
}

// Behind the macro, so that it can use it.
mod lists;

pub use lists::Events;

/// Events are read from the log itself.
const THE_LOG: &[&str] = &[LOG];

/// What a statement has found.
struct Page {
    items: Vec<EventItem>,
    /// Whether there are more than the limit let through.
    is_cut: bool,
}

impl Query for Event {
    const VIEWS: &'static [&'static str] = THE_LOG;
    type Answer = Option<EventItem>;

    fn key(&self) -> String {
        self.position.to_string()
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let stamped: Stamped<Page> = events_at!(
            db,
            at,
            (r#"
            select e.position
            from log.events e
            where e.position = $3 and e.position <= s.position
            "#),
            self.position,
        )?;
        Ok(Stamped { at: stamped.at, value: stamped.value.items.into_iter().next() })
    }
}

/// A row of the log as the database types it.
struct Columns {
    position: i64,
    source: String,
    source_id: i32,
    height: Option<i64>,
    block_hash: Option<Vec<u8>>,
    tx_id: Option<String>,
    tx_index: Option<i32>,
    event_index: i32,
    kind: i16,
    body: Vec<u8>,
    verdict: Option<i16>,
    occurred_at: chrono::DateTime<chrono::Utc>,
    recorded_at: chrono::DateTime<chrono::Utc>,
    digest: Vec<u8>,
    stands: bool,
    first_position: i64,
    end_position: i64,
    chain_hash: Vec<u8>,
}

impl Columns {
    fn item(self) -> sqlx::Result<EventItem> {
        let position = self.position;
        let kind = Kind::from_code(self.kind).ok_or_else(|| broken(position, "its kind is unknown here"))?;
        let body = String::from_utf8(self.body).map_err(|_| broken(position, "its body is not UTF-8"))?;
        let body = RawValue::from_string(body).map_err(|_| broken(position, "its body is not JSON"))?;
        Ok(EventItem {
            position,
            source: self.source,
            source_id: self.source_id,
            height: self.height,
            block_hash: self.block_hash.map(hex::encode),
            tx_id: self.tx_id,
            tx_index: self.tx_index,
            event_index: self.event_index,
            kind: kind.name(),
            body,
            verdict: self.verdict.and_then(Verdict::from_code).map(Verdict::name),
            occurred_at: rfc3339_micros(self.occurred_at),
            recorded_at: rfc3339_micros(self.recorded_at),
            digest: hex::encode(self.digest),
            stands: self.stands,
            unit: Unit {
                first_position: self.first_position,
                end_position: self.end_position,
                chain_hash: hex::encode(self.chain_hash),
            },
        })
    }
}

fn broken(position: i64, why: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("the event at position {position}: {why}").into())
}
