//! What a fork undoes: the totals of its source are what they were before it, but the windows are those of the clock as it
//! is now, which is another source's matter.

use std::collections::{BTreeMap, BTreeSet};

use schema::event::Position;
use schema::store::StoreError;
use schema::versioned::restore;
use sqlx::PgConnection;

use super::score::{Windows, share, totals_of};
use super::totals::{AddressKey, AddressWork};
use super::{Work, load};
use crate::projections::balances::exact;
use crate::projections::{Retraction, World};

/// Writes new versions of everything that the retraction changes. Nothing may be in memory.
pub(super) async fn all(
    work: &mut Work,
    db: &mut PgConnection,
    retraction: Retraction,
    world: &World,
) -> Result<(), StoreError> {
    let Retraction { source_id, first, at } = retraction;
    load::clock(work, db, world).await?;
    let before = work.totals.windows();
    restore(db, "work_clock", source_id, first, at).await?;
    restore(db, "work_hours", source_id, first, at).await?;
    *work = Work::default();
    load::clock(work, db, world).await?;
    let now = work.totals.windows();
    let former = former(db, retraction).await?;
    let mut stale: BTreeSet<i64> = former.iter().map(|(key, _)| key.address_id).collect();
    // Where the clock went back, what had fallen out of a window is inside again, also of other sources.
    stale.extend(load::between(db, now, before).await?.into_iter().map(|(key, _)| key.address_id));
    let mut identities = whose_wallets_moved(db, at).await?;
    identities.extend(who_changed(db, at).await?);
    load::people(work, db, stale.clone(), identities.clone()).await?;
    for (key, row) in former {
        match row {
            Some(row) => work.totals.addresses.set(key, row),
            None => work.totals.addresses.remove(key),
        }
    }
    let inside = inside(db, work, &stale, now).await?;
    for &address_id in &stale {
        slide(work, address_id, &inside);
    }
    identities.extend(work.people.owners_of(&stale));
    work.people.derive_all(&work.totals, &identities);
    let before = Position(at.0 - 1);
    work.totals.addresses.close(at);
    work.totals.addresses.write(db, before).await?;
    work.people.rows.close(at);
    work.people.rows.write(db, before).await?;
    Ok(())
}

/// Sets the windows of an address to what they contain.
fn slide(work: &mut Work, address_id: i64, inside: &BTreeMap<AddressKey, [i128; 3]>) {
    let rows: Vec<(AddressKey, AddressWork)> =
        work.totals.of_address(address_id).map(|(key, row)| (key.clone(), row.clone())).collect();
    for (key, mut row) in rows {
        [row.score_day, row.score_week, row.score_month] = inside.get(&key).copied().unwrap_or_default();
        work.totals.addresses.set(key, row);
    }
}

/// The rows that the retracted blocks changed, as they were before them; none where there was none. Some were changed by
/// nothing but the clock.
async fn former(
    db: &mut PgConnection,
    retraction: Retraction,
) -> Result<Vec<(AddressKey, Option<AddressWork>)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        select
            k.source_id as "source_id!",
            k.address_id as "address_id!",
            k.work_type as "work_type!",
            coalesce(v.present, false) as "present!",
            coalesce(v.miner_address, '') as "miner_address!",
            coalesce(v.accepted, 0) as "accepted!",
            coalesce(v.rejected, 0) as "rejected!",
            coalesce(v.score, 0)::text as "score!",
            v.first_at as "first_at?",
            v.last_at as "last_at?"
        from (
            select distinct source_id, address_id, work_type
            from address_work_versions
            where from_position >= $2
                and from_position < $3
                and source_id = $1
        ) k
        left join lateral (
            select v.*
            from address_work_versions v
            where v.source_id = k.source_id
                and v.address_id = k.address_id
                and v.work_type = k.work_type
                and v.from_position < $2
            order by v.from_position desc
            limit 1
        ) v on true
        "#,
        retraction.source_id.0,
        retraction.first.0,
        retraction.at.0
    )
    .fetch_all(db)
    .await?;
    let former = rows.into_iter().map(|row| {
        let work = AddressWork {
            miner_address: row.miner_address,
            accepted: row.accepted,
            rejected: row.rejected,
            score: exact(&row.score)?,
            score_day: 0,
            score_week: 0,
            score_month: 0,
            first_at: row.first_at,
            last_at: row.last_at,
        };
        let key = AddressKey { address_id: row.address_id, source_id: row.source_id, work_type: row.work_type };
        Ok((key, row.present.then_some(work)))
    });
    former.collect()
}

/// What is inside the windows of day, week and month, added up from the hours.
async fn inside(
    db: &mut PgConnection,
    work: &Work,
    stale: &BTreeSet<i64>,
    windows: Windows,
) -> Result<BTreeMap<AddressKey, [i128; 3]>, StoreError> {
    let keys = || stale.iter().flat_map(|&address_id| work.totals.of_address(address_id)).map(|(key, _)| key);
    let sources: Vec<i32> = keys().map(|key| key.source_id).collect();
    let addresses: Vec<i64> = keys().map(|key| key.address_id).collect();
    let types: Vec<String> = keys().map(|key| key.work_type.clone()).collect();
    let rows = sqlx::query!(
        r#"
        select
            h.source_id,
            h.address_id,
            h.work_type,
            coalesce(sum(h.accepted) filter (where h.hour >= $4), 0)::bigint as "accepted_day!",
            coalesce(sum(h.accepted) filter (where h.hour >= $5), 0)::bigint as "accepted_week!",
            coalesce(sum(h.accepted) filter (where h.hour >= $6), 0)::bigint as "accepted_month!",
            coalesce(sum(h.score) filter (where h.hour >= $4), 0)::text as "score_day!",
            coalesce(sum(h.score) filter (where h.hour >= $5), 0)::text as "score_week!",
            coalesce(sum(h.score) filter (where h.hour >= $6), 0)::text as "score_month!"
        from unnest($1::integer[], $2::bigint[], $3::text[]) as wanted (source_id, address_id, work_type)
        join work_hours h
            on h.source_id = wanted.source_id
            and h.address_id = wanted.address_id
            and h.work_type = wanted.work_type
            and h.hour >= least($4::integer, $5::integer, $6::integer)
        group by h.source_id, h.address_id, h.work_type
        "#,
        &sources,
        &addresses,
        &types,
        windows.day,
        windows.week,
        windows.month
    )
    .fetch_all(db)
    .await?;
    let mut inside: BTreeMap<AddressKey, [i128; 3]> = BTreeMap::new();
    for row in rows {
        let parts = [
            (row.accepted_day, exact(&row.score_day)?),
            (row.accepted_week, exact(&row.score_week)?),
            (row.accepted_month, exact(&row.score_month)?),
        ];
        for total in totals_of(&row.work_type) {
            let key = AddressKey { address_id: row.address_id, source_id: row.source_id, work_type: total.to_owned() };
            let sums = inside.entry(key).or_default();
            for (sum, (accepted, score)) in sums.iter_mut().zip(parts) {
                *sum += share(total, &row.work_type, accepted, score);
            }
        }
    }
    Ok(inside)
}

/// Former and present owners of the wallets that the same retraction gave to somebody else.
async fn whose_wallets_moved(db: &mut PgConnection, at: Position) -> Result<BTreeSet<Vec<u8>>, StoreError> {
    let rows = sqlx::query!(
        r#"
        select v.identity_id as "now?", former.identity_id as "before?"
        from wallet_owners_versions v
        left join lateral (
            select f.identity_id
            from wallet_owners_versions f
            where f.address_id = v.address_id
                and f.from_position < $1
            order by f.from_position desc
            limit 1
        ) former on true
        where v.from_position = $1
        "#,
        at.0
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().flat_map(|row| [row.now, row.before]).flatten().collect())
}

/// Identities that the same retraction changed, and with them perhaps who may see their statistics.
async fn who_changed(db: &mut PgConnection, at: Position) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows = sqlx::query!(r#"select identity_id from identities_versions where from_position = $1"#, at.0)
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.identity_id).collect())
}
