//! Where an answer comes from: the events of the log that made it what it is.
//!
//! Provenance is read by a second statement as of the position of the first. What the log says as of a position never
//! changes afterwards, so both statements speak of the same moment without a transaction around them.

use schema::event::{Kind, Namespace, Position, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::view::{At, stamped};

/// Provenance reads the log and no view.
const LOG: &[&str] = &[];
/// Events shown at most.
const SHOWN: i64 = 50;
/// Events counted at most: a count is not worth reading millions of rows.
const COUNTED: i64 = 10_000;

/// The events behind an answer, only with `explain=true`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Provenance {
    /// The newest 50 standing events that the answer is made of, newest first.
    pub events: Vec<Cause>,
    /// How many there are in all; at most 10,000.
    pub count: i64,
    /// False when there are more than the count says.
    pub count_exact: bool,
    /// Path that lists every event about the subject, where the answer has one subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl Provenance {
    /// The provenance of an answer that no event made.
    pub fn nothing(link: String) -> Self {
        Self { events: Vec::new(), count: 0, count_exact: true, link: Some(link) }
    }
}

/// The path that lists every event about a subject.
pub fn events_link(namespace: Namespace, name: &str, source: Option<&str>) -> String {
    let subject = escaped(name);
    let source = source.map(|source| format!("&source={}", escaped(source))).unwrap_or_default();
    format!("/v1/events?subject={}:{subject}{source}", namespace.name())
}

/// A text as it may stand in a query: everything but letters, digits and `-._~` percent-encoded.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            byte => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}

/// One event behind an answer.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Cause {
    /// Position in the log; `/v1/events/{position}` has the whole event.
    pub position: i64,
    /// Kind of the event.
    #[schema(example = "chain.transaction_applied")]
    pub kind: &'static str,
    /// Chain or source that it comes from.
    pub chain: String,
    /// Height of the block that carried it.
    pub height: Option<i64>,
    /// Hash of that block, hex.
    pub block_hash: Option<String>,
    /// Transaction that carried it.
    pub tx_id: Option<String>,
    /// Time of the block or record.
    #[schema(format = DateTime)]
    pub occurred_at: String,
}

macro_rules! causes {
    ($rows:expr) => {
        $rows
            .into_iter()
            .filter_map(|row| {
                Some(Cause {
                    position: row.position?,
                    kind: Kind::from_code(row.kind?)?.name(),
                    chain: row.chain?,
                    height: row.height,
                    block_hash: row.block_hash.map(hex::encode),
                    tx_id: row.tx_id,
                    occurred_at: rfc3339_micros(row.occurred_at?),
                })
            })
            .collect::<Vec<_>>()
    };
}

/// The standing events of some kinds about a subject, as of a position that an answer named.
pub async fn of_subject(
    db: &mut PgConnection,
    at: i64,
    subject_id: i64,
    kinds: &[Kind],
    link: String,
) -> sqlx::Result<Provenance> {
    let kinds: Vec<i16> = kinds.iter().map(|kind| kind.code()).collect();
    let (_, rows) = stamped!(
        db,
        At::Position(Position(at)),
        LOG,
        r#"
        r.position as "position?",
        r.kind as "kind?",
        r.chain as "chain?",
        r.height as "height?",
        r.block_hash as "block_hash?",
        r.tx_id as "tx_id?",
        r.occurred_at as "occurred_at?",
        count(*) over () as "counted!"
        "#,
        r#"
            select e.position, e.kind, src.name as chain, e.height, e.block_hash, e.tx_id, e.occurred_at
            from log.event_subjects es
            -- One look-up per row: a merge would read the log backwards to an old subject's only event.
            cross join lateral (
                select v.position, v.source_id, v.kind, v.height, v.block_hash, v.tx_id, v.occurred_at
                from log.events v
                where v.position = es.position
                offset 0
            ) e
            join log.sources src on src.source_id = e.source_id
            where es.subject_id = $3
                and es.position <= s.position
                and e.kind = any($4::smallint[])
                -- One row per event; grouping would read the whole history before the first row.
                and not exists (
                    select 1
                    from log.event_subjects o
                    where o.subject_id = es.subject_id
                        and o.position = es.position
                        and o.role < es.role
                )
                and not exists (
                    select 1
                    from log.retractions x
                    where x.source_id = e.source_id
                        and e.height is not null
                        and x.first_position <= e.position
                        and x.at_position > e.position
                        and x.at_position <= s.position
                )
            order by es.position desc
            limit $5
        "#,
        "order by r.position desc limit 50",
        subject_id,
        &kinds,
        COUNTED + 1,
    )?;
    let counted = rows.first().filter(|row| row.position.is_some()).map_or(0, |row| row.counted);
    let events = causes!(rows);
    debug_assert!(i64::try_from(events.len()).is_ok_and(|shown| shown <= SHOWN), "the statement shows at most 50");
    Ok(Provenance { events, count: counted.min(COUNTED), count_exact: counted <= COUNTED, link: Some(link) })
}

/// The events of one block or one transaction, and the retraction that took them back, as of a position that an answer
/// named.
pub async fn of_span(
    db: &mut PgConnection,
    at: i64,
    first: i64,
    last: i64,
    tx_id: Option<&str>,
) -> sqlx::Result<Provenance> {
    let (_, rows) = stamped!(
        db,
        At::Position(Position(at)),
        LOG,
        r#"
        r.position as "position?",
        r.kind as "kind?",
        r.chain as "chain?",
        r.height as "height?",
        r.block_hash as "block_hash?",
        r.tx_id as "tx_id?",
        r.occurred_at as "occurred_at?"
        "#,
        r#"
            select e.position, e.kind, src.name as chain, e.height, e.block_hash, e.tx_id, e.occurred_at
            from (
                select o.position
                from log.events o
                where o.position between $3 and $4
                    and o.position <= s.position
                    and ($5::text is null or o.tx_id = $5)
                union
                select x.at_position
                from log.events o
                join log.retractions x
                    on x.source_id = o.source_id
                    and x.first_position <= o.position
                    and x.at_position > o.position
                    and x.at_position <= s.position
                where o.position = $3
                    and o.position <= s.position
            ) about
            join log.events e on e.position = about.position
            join log.sources src on src.source_id = e.source_id
            order by e.position desc
            limit $6
        "#,
        "order by r.position desc",
        first,
        last,
        tx_id,
        SHOWN,
    )?;
    let events = causes!(rows);
    let count = i64::try_from(events.len()).unwrap_or(SHOWN);
    Ok(Provenance { events, count, count_exact: count < SHOWN, link: None })
}
