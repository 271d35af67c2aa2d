//! Reading back what a batch needs before it is folded: a few statements, whatever the number of its events.

use std::collections::BTreeSet;

use schema::event::Event;
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::needs::Needs;
use super::people::{IdentityKey, IdentityWork, Person};
use super::score::{Windows, hour_of};
use super::totals::{AddressKey, AddressWork, Clock, ClockKey, Hour, HourKey};
use super::{Work, clock_source, edges};
use crate::projections::World;
use crate::projections::balances::exact;

/// Everything that the fold of a batch asks for.
pub(super) async fn batch(
    work: &mut Work,
    db: &mut PgConnection,
    batch: &[LoggedUnit],
    world: &World,
) -> Result<(), StoreError> {
    work.proofs.load(db, batch, world).await?;
    let mut needs = Needs::of(batch, &work.proofs, world);
    work.totals.begin();
    work.submissions.load(db, &needs.ids).await?;
    let losses = edges::losses(work, &mut needs);
    clock(work, db, world).await?;
    hours(work, db, needs.hours).await?;
    needs.addresses.extend(expiring(work, db, batch, world).await?);
    needs.identities.extend(claimants(db, &needs.linked).await?);
    people(work, db, needs.addresses, needs.identities).await?;
    edges::load(work, db, losses).await
}

/// The clock, whose hour decides what is inside a window.
pub(super) async fn clock(work: &mut Work, db: &mut PgConnection, world: &World) -> Result<(), StoreError> {
    let Some(source) = clock_source(world) else { return Ok(()) };
    let key = ClockKey { source_id: source.0 };
    let asked = work.totals.clock.missing(BTreeSet::from([key.clone()]));
    if !asked.is_empty() {
        let row = sqlx::query!(r#"select hour, block_time from work_clock where source_id = $1"#, source.0)
            .fetch_optional(db)
            .await?;
        let clock = row.map(|row| (key, Clock { hour: row.hour, block_time: row.block_time }));
        work.totals.clock.loaded(asked, clock);
    }
    work.totals.read_clock(source.0);
    Ok(())
}

async fn hours(work: &mut Work, db: &mut PgConnection, wanted: BTreeSet<HourKey>) -> Result<(), StoreError> {
    let asked = work.totals.hours.missing(wanted);
    if asked.is_empty() {
        return Ok(());
    }
    // Most buckets are of hours that nobody has worked in before, and need not be looked for one by one.
    let newest = sqlx::query_scalar!(r#"select max(hour) from work_hours"#).fetch_one(&mut *db).await?;
    let (old, new): (Vec<HourKey>, Vec<HourKey>) =
        asked.into_iter().partition(|key| newest.is_some_and(|newest| key.hour <= newest));
    work.totals.hours.loaded(new, []);
    old_hours(work, db, old).await
}

async fn old_hours(work: &mut Work, db: &mut PgConnection, asked: Vec<HourKey>) -> Result<(), StoreError> {
    if asked.is_empty() {
        return Ok(());
    }
    let sources: Vec<i32> = asked.iter().map(|key| key.source_id).collect();
    let addresses: Vec<i64> = asked.iter().map(|key| key.address_id).collect();
    let types: Vec<String> = asked.iter().map(|key| key.work_type.clone()).collect();
    let hours: Vec<i32> = asked.iter().map(|key| key.hour).collect();
    let found = sqlx::query!(
        r#"
        select h.source_id, h.address_id, h.work_type, h.hour, h.accepted, h.score::text as "score!"
        from unnest($1::integer[], $2::bigint[], $3::text[], $4::integer[])
            as wanted (source_id, address_id, work_type, hour)
        join work_hours h
            on h.source_id = wanted.source_id
            and h.address_id = wanted.address_id
            and h.work_type = wanted.work_type
            and h.hour = wanted.hour
        "#,
        &sources,
        &addresses,
        &types,
        &hours
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let key =
            HourKey { source_id: row.source_id, address_id: row.address_id, work_type: row.work_type, hour: row.hour };
        Ok((key, Hour { accepted: row.accepted, score: exact(&row.score)? }))
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    work.totals.hours.loaded(asked, found);
    Ok(())
}

/// Buckets that fall out of a window within the batch; returns whose they are.
async fn expiring(
    work: &mut Work,
    db: &mut PgConnection,
    batch: &[LoggedUnit],
    world: &World,
) -> Result<BTreeSet<i64>, StoreError> {
    let Some(source) = clock_source(world) else { return Ok(BTreeSet::new()) };
    let begins = batch.iter().filter(|unit| unit.source_id == source).flat_map(|unit| &unit.events);
    let hours =
        begins.filter(|event| matches!(event.event, Event::BlockApplied(_))).map(|event| hour_of(event.occurred_at));
    let before = work.totals.hour(source.0);
    let Some(hour) = hours.max().filter(|&hour| before.is_none_or(|before| hour > before)) else {
        return Ok(BTreeSet::new());
    };
    let found = between(db, Windows::ending_in(before), Windows::ending_in(Some(hour))).await?;
    let addresses = found.iter().map(|(key, _)| key.address_id).collect();
    work.totals.expect_expiry(found);
    Ok(addresses)
}

/// Buckets that are inside a window that ends earlier and outside of the same one that ends later.
pub(super) async fn between(
    db: &mut PgConnection,
    earlier: Windows,
    later: Windows,
) -> Result<Vec<(HourKey, Hour)>, StoreError> {
    let rows = sqlx::query!(
        r#"
        select source_id, address_id, work_type, hour, accepted, score::text as "score!"
        from work_hours
        where (hour >= $1 and hour < $2)
            or (hour >= $3 and hour < $4)
            or (hour >= $5 and hour < $6)
        "#,
        earlier.day,
        later.day,
        earlier.week,
        later.week,
        earlier.month,
        later.month
    )
    .fetch_all(db)
    .await?;
    let buckets = rows.into_iter().map(|row| {
        let key =
            HourKey { source_id: row.source_id, address_id: row.address_id, work_type: row.work_type, hour: row.hour };
        Ok((key, Hour { accepted: row.accepted, score: exact(&row.score)? }))
    });
    buckets.collect()
}

/// Identities with a claim to wallets that are linked or unlinked: nobody else can become their owner.
async fn claimants(db: &mut PgConnection, linked: &BTreeSet<i64>) -> Result<Vec<Vec<u8>>, StoreError> {
    if linked.is_empty() {
        return Ok(Vec::new());
    }
    let linked: Vec<i64> = linked.iter().copied().collect();
    let rows = sqlx::query!(r#"select distinct identity_id from wallet_claims where address_id = any($1)"#, &linked)
        .fetch_all(db)
        .await?;
    Ok(rows.into_iter().map(|row| row.identity_id).collect())
}

/// Whose some wallets are, who these identities and some others are, and the rows of them all: those of every wallet of
/// each identity, since its rows are the sums of theirs.
pub(super) async fn people(
    work: &mut Work,
    db: &mut PgConnection,
    mut addresses: BTreeSet<i64>,
    mut identities: BTreeSet<Vec<u8>>,
) -> Result<(), StoreError> {
    let asked = work.people.missing_wallets(&addresses);
    if !asked.is_empty() {
        let rows =
            sqlx::query!(r#"select address_id, identity_id from wallet_owners where address_id = any($1)"#, &asked)
                .fetch_all(&mut *db)
                .await?;
        work.people.wallets_loaded(&asked, rows.into_iter().map(|row| (row.address_id, row.identity_id)));
    }
    identities.extend(work.people.owners_of(&addresses));
    let asked = work.people.missing_people(&identities);
    if !asked.is_empty() {
        let rows = sqlx::query!(
            r#"
            select
                wanted.identity_id as "identity_id!",
                array(select o.address_id from wallet_owners o where o.identity_id = wanted.identity_id) as "wallets!",
                exists (
                    select 1
                    from identities i
                    where i.identity_id = wanted.identity_id
                        and i.stats_visibility = 'public'
                ) as "is_public!"
            from unnest($1::bytea[]) as wanted (identity_id)
            "#,
            &asked
        )
        .fetch_all(&mut *db)
        .await?;
        for row in rows {
            let person = Person { wallets: row.wallets.into_iter().collect(), is_public: row.is_public };
            work.people.person_loaded(row.identity_id, person);
        }
    }
    addresses.extend(work.people.wallets_of(&identities));
    address_rows(work, db, &addresses).await?;
    identity_rows(work, db, &identities).await
}

async fn address_rows(work: &mut Work, db: &mut PgConnection, wanted: &BTreeSet<i64>) -> Result<(), StoreError> {
    let asked = work.totals.addresses.missing(wanted.iter().map(|&address_id| AddressKey::mark(address_id)).collect());
    if asked.is_empty() {
        return Ok(());
    }
    let addresses: Vec<i64> = asked.iter().map(|key| key.address_id).collect();
    let found = sqlx::query!(
        r#"
        select
            w.source_id,
            w.address_id,
            w.work_type,
            w.miner_address,
            w.accepted,
            w.rejected,
            w.score::text as "score!",
            w.score_day::text as "score_day!",
            w.score_week::text as "score_week!",
            w.score_month::text as "score_month!",
            w.first_at,
            w.last_at
        from log.subjects s
        join address_work w
            on w.source_id = s.source_id
            and w.address_id = s.subject_id
        where s.subject_id = any($1)
        "#,
        &addresses
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let work = AddressWork {
            miner_address: row.miner_address,
            accepted: row.accepted,
            rejected: row.rejected,
            score: exact(&row.score)?,
            score_day: exact(&row.score_day)?,
            score_week: exact(&row.score_week)?,
            score_month: exact(&row.score_month)?,
            first_at: row.first_at,
            last_at: row.last_at,
        };
        Ok((AddressKey { address_id: row.address_id, source_id: row.source_id, work_type: row.work_type }, work))
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    work.totals.addresses.loaded(asked, found);
    Ok(())
}

async fn identity_rows(work: &mut Work, db: &mut PgConnection, wanted: &BTreeSet<Vec<u8>>) -> Result<(), StoreError> {
    let asked = work.people.rows.missing(wanted.iter().map(|identity| IdentityKey::mark(identity)).collect());
    if asked.is_empty() {
        return Ok(());
    }
    let identities: Vec<Vec<u8>> = asked.iter().map(|key| key.identity_id.clone()).collect();
    let found = sqlx::query!(
        r#"
        select
            identity_id,
            work_type,
            ranked,
            accepted,
            rejected,
            score::text as "score!",
            score_day::text as "score_day!",
            score_week::text as "score_week!",
            score_month::text as "score_month!",
            first_at,
            last_at
        from identity_work
        where identity_id = any($1)
        "#,
        &identities
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let work = IdentityWork {
            ranked: row.ranked,
            accepted: row.accepted,
            rejected: row.rejected,
            score: exact(&row.score)?,
            score_day: exact(&row.score_day)?,
            score_week: exact(&row.score_week)?,
            score_month: exact(&row.score_month)?,
            first_at: row.first_at,
            last_at: row.last_at,
        };
        Ok((IdentityKey { identity_id: row.identity_id, work_type: row.work_type }, work))
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    work.people.rows.loaded(asked, found);
    Ok(())
}
