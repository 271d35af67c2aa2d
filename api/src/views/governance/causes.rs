//! The events that voting power is made of: those about the identity, and the stakes of its addresses.

use schema::event::{Kind, Position, Role, rfc3339_micros};
use sqlx::PgConnection;

use crate::view::{At, stamped};
use crate::views::provenance::{Cause, Provenance};

/// Provenance is read at a position that other views have answered for; findings are written with them.
const LOG: &[&str] = &[];
/// Events counted at most: a count is not worth reading millions of rows.
const COUNTED: i64 = 10_000;

/// The standing stakes, wallet links and delegations behind a voting power, as of the position that the answer named, without
/// those that changed nothing.
pub async fn of_power(
    db: &mut PgConnection,
    at: i64,
    identity: Option<i64>,
    wallets: &[i64],
    link: String,
) -> sqlx::Result<Provenance> {
    let of_identity = [Kind::WalletLinked, Kind::WalletUnlinked, Kind::Delegated, Kind::Undelegated].map(Kind::code);
    // What else an identity does, votes above all, is passed over in the index, as are the transfers of its addresses.
    let of_identity_as = [Role::Identity, Role::Delegator, Role::Delegatee].map(Role::code);
    let of_wallets = [Kind::Staked, Kind::Unstaked].map(Kind::code);
    let (_, rows) = stamped!(
        db,
        At::Position(Position(at)),
        LOG,
        r#"
        r.position as "position?", r.kind as "kind?", r.chain as "chain?", r.height as "height?",
        r.block_hash as "block_hash?", r.tx_id as "tx_id?", r.occurred_at as "occurred_at?", count(*) over () as "counted!"
        "#,
        r#"
            select e.position, e.kind, src.name as chain, e.height, e.block_hash, e.tx_id, e.occurred_at
            from (
                select es.position, $4::smallint[] as kinds
                from log.event_subjects es
                where es.subject_id = $3
                    and es.role = any($7::smallint[])
                    and es.position <= s.position
                union
                select of_wallet.position, $6::smallint[]
                from unnest($5::bigint[]) w (subject_id)
                -- One look-up for each address: a join would read what happened to all others too.
                cross join lateral (
                    select es.position
                    from log.event_subjects es
                    where es.subject_id = w.subject_id
                        and es.role = $8
                        and es.position <= s.position
                    offset 0
                ) of_wallet
            ) about
            cross join lateral (
                select v.position, v.source_id, v.kind, v.height, v.block_hash, v.tx_id, v.occurred_at
                from log.events v
                where v.position = about.position
                offset 0
            ) e
            join log.sources src on src.source_id = e.source_id
            left join (
                select x.source_id, range_agg(int8range(x.first_position, x.at_position)) as span
                from log.retractions x
                where x.at_position <= s.position
                group by x.source_id
            ) gone on gone.source_id = e.source_id and e.height is not null
            where e.kind = any(about.kinds)
                and (e.position <@ gone.span) is not true
                -- What counts nothing made nothing what it is.
                and not exists (
                    select 1
                    from (
                        select distinct on (v.code) v.present, v.counts
                        from findings_versions v
                        where v.event_position = e.position
                            and v.from_position <= s.position
                        order by v.code, v.from_position desc
                    ) f
                    where f.present
                        and not f.counts
                )
                and not exists (
                    select 1
                    from (
                        select v.present
                        from contested_wallets_versions v
                        where v.event_position = e.position
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) c
                    where c.present
                )
            order by e.position desc
            limit $9
        "#,
        "order by r.position desc limit 50",
        identity,
        &of_identity,
        wallets,
        &of_wallets,
        &of_identity_as,
        Role::Account.code(),
        COUNTED + 1,
    )?;
    let counted = rows.first().filter(|row| row.position.is_some()).map_or(0, |row| row.counted);
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
    let events = events.collect();
    Ok(Provenance { events, count: counted.min(COUNTED), count_exact: counted <= COUNTED, link: Some(link) })
}
