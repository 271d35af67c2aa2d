//! The events behind answers about work, where they are about more than one subject.

use schema::chain::IdentityId;
use schema::event::{Kind, Namespace, Position, rfc3339_micros};
use sqlx::PgConnection;

use crate::view::{At, stamped};
use crate::views::provenance::{self, Cause, Provenance};

/// Provenance reads the log, and rows of work that never change: no view decides when it changes.
const LOG: &[&str] = &[];
/// Events counted at most.
const COUNTED: i64 = 10_000;

/// The statement of both: `positions` is a select that gives `position` of standing events, newest first.
macro_rules! causes_at {
    ($db:expr, $at:expr, $link:expr, $positions:literal $(, $argument:expr)* $(,)?) => {{
        let (_, rows) = stamped!(
            $db,
            At::Position(Position($at)),
            LOG,
            r#"
            r.position as "position?", r.kind as "kind?", r.chain as "chain?", r.height as "height?",
            r.block_hash as "block_hash?", r.tx_id as "tx_id?", r.occurred_at as "occurred_at?", r.counted as "counted?"
            "#,
            (r#"
                select e.position, e.kind, src.name as chain, e.height, e.block_hash, e.tx_id, e.occurred_at, k.counted
                from (
                    select p.position, count(*) over () as counted
                    from ("# + $positions + r#") p
                    order by p.position desc
                    limit 50
                ) k
                cross join lateral (
                    select v.position, v.source_id, v.kind, v.height, v.block_hash, v.tx_id, v.occurred_at
                    from log.events v
                    where v.position = k.position
                    offset 0
                ) e
                join log.sources src on src.source_id = e.source_id
            "#),
            "order by r.position desc"
            $(, $argument)*
        )?;
        let counted = rows.first().and_then(|row| row.counted).unwrap_or_default();
        let events = rows.into_iter().filter_map(|row| {
            Some(Cause {
                position: row.position?,
                kind: Kind::from_code(row.kind?)?.name(),
                chain: row.chain?,
                height: row.height,
                block_hash: row.block_hash.map(hex::encode),
                tx_id: row.tx_id,
                occurred_at: rfc3339_micros(row.occurred_at?),
            })
        });
        Provenance {
            events: events.collect(),
            count: counted.min(COUNTED),
            count_exact: counted <= COUNTED,
            link: Some($link),
        }
    }};
}

/// Some events that stand as of a position, as the answer said that was read there.
pub(super) async fn of_positions(
    db: &mut PgConnection,
    at: i64,
    positions: &[i64],
    link: String,
) -> sqlx::Result<Provenance> {
    Ok(causes_at!(
        db,
        at,
        link,
        "select distinct x.position from unnest($3::bigint[]) x (position) where x.position <= s.position",
        positions,
    ))
}

/// What makes the work of an identity: the links of its wallets, and the submissions and rejections of their addresses
/// that counted.
pub(super) async fn of_identity(db: &mut PgConnection, at: i64, identity_id: &IdentityId) -> sqlx::Result<Provenance> {
    let link = provenance::events_link(Namespace::Identity, &identity_id.to_string(), None);
    Ok(causes_at!(
        db,
        at,
        link,
        r#"
                        with gone as materialized (
                            -- All at once: to look for each of many records among many retractions takes long.
                            select x.source_id, range_agg(int8range(x.first_position, x.at_position)) as span
                            from log.retractions x
                            where x.at_position <= s.position
                            group by x.source_id
                        )
                        select n.position
                        from (
                            select distinct v.address_id
                            from wallet_links_versions v
                            where v.identity_id = $3
                                and v.from_position <= s.position
                        ) k
                        join lateral (
                            select v.identity_id, v.claim_position, v.present
                            from wallet_owners_versions v
                            where v.address_id = k.address_id
                                and v.from_position <= s.position
                            order by v.from_position desc
                            limit 1
                        ) o on o.present and o.identity_id = $3
                        cross join lateral (
                            select o.claim_position as position
                            union all
                            (
                                select b.position
                                from work_submissions b
                                left join lateral (
                                    -- Keeps the order of the index, which a join by a hash would not.
                                    select x.span
                                    from gone x
                                    where x.source_id = b.source_id
                                    offset 0
                                ) gone on true
                                where b.address_id = k.address_id
                                    and b.position <= s.position
                                    and (b.outcome = 'accepted' or b.accepted_position is not null)
                                    and (b.position <@ gone.span) is not true
                                order by b.position desc
                                limit $4
                            )
                        ) n
                        order by n.position desc
                        limit $4
        "#,
        identity_id.as_bytes().as_slice(),
        COUNTED + 1,
    ))
}
