//! The events behind answers about work, where they are about more than one subject.

use schema::chain::IdentityId;
use schema::event::{Kind, Namespace, Position, rfc3339_micros};
use sqlx::PgConnection;

use crate::view::{At, stamped};
use crate::views::provenance::{self, COUNTED, Cause, Provenance, causes};

/// Provenance reads the log, and rows of work that never change: no view decides when it changes.
const LOG: &[&str] = &[];

/// The statement of both: `positions` is a select that gives `position` of standing events, and with each whether there may
/// be more than it looked at.
macro_rules! causes_at {
    ($db:expr, $at:expr, $link:expr, $positions:literal $(, $argument:expr)* $(,)?) => {{
        let (_, rows) = stamped!(
            $db,
            At::Position(Position($at)),
            LOG,
            r#"
            r.position as "position?", r.kind as "kind?", r.chain as "chain?", r.height as "height?",
            r.block_hash as "block_hash?", r.tx_id as "tx_id?", r.occurred_at as "occurred_at?", r.counted as "counted?",
            r.is_cut as "is_cut?"
            "#,
            (r#"
                select e.position, e.kind, src.name as chain, e.height, e.block_hash, e.tx_id, e.occurred_at, k.counted,
                    k.is_cut
                from (
                    select p.position, p.is_cut, count(*) over () as counted
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
        let is_cut = rows.first().and_then(|row| row.is_cut).unwrap_or_default();
        Provenance {
            events: causes!(rows),
            count: counted.min(COUNTED),
            count_exact: !is_cut && counted <= COUNTED,
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
        "select distinct x.position, false as is_cut from unnest($3::bigint[]) x (position) where x.position <= s.position",
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
                        ), wallets as materialized (
                            select k.address_id, o.claim_position
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
                        ), spans as materialized (
                            select k.address_id, array(
                                select b.position
                                from work_submissions b
                                where b.address_id = k.address_id
                                    and b.position <= s.position
                                order by b.position desc
                                limit $4
                            ) as places
                            from wallets k
                        ), complete as materialized (
                            -- Down to here nothing is missing: the last place of those that were cut off.
                            select coalesce(max(n.places[$4::bigint]), 0) as place
                            from spans n
                        ), looked_at as materialized (
                            select m.place as position, n.address_id
                            from spans n
                            cross join complete c
                            cross join unnest(n.places) m (place)
                            where m.place >= c.place
                            order by m.place desc
                            limit $4
                        )
                        select n.position, c.place > 0 or l.looked_at >= $4 as is_cut
                        from (
                            select k.claim_position as position
                            from wallets k
                            union all
                            select b.position
                            from looked_at k
                            cross join lateral (
                                select b.source_id, b.position, b.outcome, b.accepted_position
                                from work_submissions b
                                where b.address_id = k.address_id
                                    and b.position = k.position
                                offset 0
                            ) b
                            left join gone on gone.source_id = b.source_id
                            where (b.outcome = 'accepted' or b.accepted_position is not null)
                                and (b.position <@ gone.span) is not true
                        ) n
                        cross join complete c
                        cross join (select count(*) as looked_at from looked_at) l
        "#,
        identity_id.as_bytes().as_slice(),
        COUNTED + 1,
    ))
}
