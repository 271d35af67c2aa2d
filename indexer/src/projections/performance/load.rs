//! Reading back what oracles have done before a fold.

use std::collections::BTreeSet;

use schema::store::StoreError;
use schema::versioned::Rows;
use sqlx::PgConnection;

use super::{
    Activity, ActivityKey, ActivityTable, HourActivity, HourKey, HoursTable, LatenciesTable, Latency, LatencyKey,
    TypeKey, TypeShare, TypesTable,
};

pub(super) async fn activity(
    rows: &mut Rows<ActivityTable>,
    db: &mut PgConnection,
    wanted: BTreeSet<ActivityKey>,
) -> Result<(), StoreError> {
    let asked = rows.missing(wanted);
    if asked.is_empty() {
        return Ok(());
    }
    let sources: Vec<i32> = asked.iter().map(|key| key.source_id).collect();
    let oracles: Vec<String> = asked.iter().map(|key| key.oracle_id.clone()).collect();
    let found = sqlx::query!(
        r#"
        select
            a.source_id, a.oracle_id, a.accepted, a.rejected, a.overturned, a.refuted, a.unproven, a.repeated,
            a.latency_count, a.first_at, a.last_at
        from unnest($1::integer[], $2::text[]) as wanted (source_id, oracle_id)
        join oracle_activity a
            on a.source_id = wanted.source_id
            and a.oracle_id = wanted.oracle_id
        "#,
        &sources,
        &oracles
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let activity = Activity {
            accepted: row.accepted,
            rejected: row.rejected,
            overturned: row.overturned,
            refuted: row.refuted,
            unproven: row.unproven,
            repeated: row.repeated,
            latency_count: row.latency_count,
            first_at: row.first_at,
            last_at: row.last_at,
        };
        (ActivityKey { source_id: row.source_id, oracle_id: row.oracle_id }, activity)
    });
    rows.loaded(asked, found);
    Ok(())
}

pub(super) async fn types(
    rows: &mut Rows<TypesTable>,
    db: &mut PgConnection,
    wanted: BTreeSet<TypeKey>,
) -> Result<(), StoreError> {
    let asked = rows.missing(wanted);
    if asked.is_empty() {
        return Ok(());
    }
    let sources: Vec<i32> = asked.iter().map(|key| key.source_id).collect();
    let oracles: Vec<String> = asked.iter().map(|key| key.oracle_id.clone()).collect();
    let types: Vec<String> = asked.iter().map(|key| key.work_type.clone()).collect();
    let found = sqlx::query!(
        r#"
        select t.source_id, t.oracle_id, t.work_type, t.accepted, t.rejected, t.refuted, t.unproven
        from unnest($1::integer[], $2::text[], $3::text[]) as wanted (source_id, oracle_id, work_type)
        join oracle_types t
            on t.source_id = wanted.source_id
            and t.oracle_id = wanted.oracle_id
            and t.work_type = wanted.work_type
        "#,
        &sources,
        &oracles,
        &types
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let share =
            TypeShare { accepted: row.accepted, rejected: row.rejected, refuted: row.refuted, unproven: row.unproven };
        (TypeKey { source_id: row.source_id, oracle_id: row.oracle_id, work_type: row.work_type }, share)
    });
    rows.loaded(asked, found);
    Ok(())
}

pub(super) async fn hours(
    rows: &mut Rows<HoursTable>,
    db: &mut PgConnection,
    wanted: BTreeSet<HourKey>,
) -> Result<(), StoreError> {
    let asked = rows.missing(wanted);
    if asked.is_empty() {
        return Ok(());
    }
    let sources: Vec<i32> = asked.iter().map(|key| key.source_id).collect();
    let oracles: Vec<String> = asked.iter().map(|key| key.oracle_id.clone()).collect();
    let hours: Vec<i32> = asked.iter().map(|key| key.hour).collect();
    let found = sqlx::query!(
        r#"
        select h.source_id, h.oracle_id, h.hour, h.accepted, h.rejected, h.refuted, h.unproven
        from unnest($1::integer[], $2::text[], $3::integer[]) as wanted (source_id, oracle_id, hour)
        join oracle_hours h
            on h.source_id = wanted.source_id
            and h.oracle_id = wanted.oracle_id
            and h.hour = wanted.hour
        "#,
        &sources,
        &oracles,
        &hours
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let activity = HourActivity {
            accepted: row.accepted,
            rejected: row.rejected,
            refuted: row.refuted,
            unproven: row.unproven,
        };
        (HourKey { source_id: row.source_id, oracle_id: row.oracle_id, hour: row.hour }, activity)
    });
    rows.loaded(asked, found);
    Ok(())
}

pub(super) async fn latencies(
    rows: &mut Rows<LatenciesTable>,
    db: &mut PgConnection,
    wanted: BTreeSet<LatencyKey>,
) -> Result<(), StoreError> {
    let asked = rows.missing(wanted);
    if asked.is_empty() {
        return Ok(());
    }
    let sources: Vec<i32> = asked.iter().map(|key| key.source_id).collect();
    let oracles: Vec<String> = asked.iter().map(|key| key.oracle_id.clone()).collect();
    let buckets: Vec<i32> = asked.iter().map(|key| key.bucket).collect();
    let found = sqlx::query!(
        r#"
        select l.source_id, l.oracle_id, l.bucket, l.accepted
        from unnest($1::integer[], $2::text[], $3::integer[]) as wanted (source_id, oracle_id, bucket)
        join oracle_latencies l
            on l.source_id = wanted.source_id
            and l.oracle_id = wanted.oracle_id
            and l.bucket = wanted.bucket
        "#,
        &sources,
        &oracles,
        &buckets
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let key = LatencyKey { source_id: row.source_id, oracle_id: row.oracle_id, bucket: row.bucket };
        (key, Latency { accepted: row.accepted })
    });
    rows.loaded(asked, found);
    Ok(())
}
