//! The events of a block or a transaction.

use schema::event::{Kind, Position, rfc3339_micros};
use sqlx::PgConnection;

use super::{Cause, LOG, Provenance, SHOWN};
use crate::view::{At, stamped};

/// The events of one block or one transaction, and the retraction that took them back, as of a position that an answer
/// named, without those that changed nothing.
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
            where not exists (select from log.voids(e.position, s.position))
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
