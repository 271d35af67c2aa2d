//! The boards at the first block of every UTC day: where each stood on that day, and what boards as of a later moment are
//! made from.
//!
//! Only the first places of each board are kept: a day costs what it costs, however many are ranked. A board says what the
//! boards said as of its position, so it is made of the rows as of that position, however many units the batch goes on for.

use chrono::{DateTime, Utc};
use schema::chain::Height;
use schema::event::Position;
use schema::store::StoreError;
use sqlx::PgConnection;

use crate::projections::Moment;

/// Places of a board that are kept of each day.
const PLACES: i64 = 2_000;
/// Boards of addresses are kept again when that many of their totals have changed since the last time, or as many as were
/// ranked then: they serve boards as of a position alone, whose cost is what has changed since.
const ADDRESS_CHANGES: i64 = 2_000;
/// Types that have a board.
const BOARDS: [&str; 6] = ["boinc", "nuw", "bandwidth", "compute", "ceremony", "all"];

/// A block of the clock source that began a UTC day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Day {
    source_id: i32,
    position: i64,
    height: i64,
    block_time: DateTime<Utc>,
}

impl Day {
    /// The day that the block of a moment begins.
    pub(super) fn of(moment: &Moment<'_>) -> Option<Self> {
        Some(Self {
            source_id: moment.event.source_id.0,
            position: moment.unit.end_position.0,
            height: moment.event.height.map(Height::to_db)?,
            block_time: moment.event.occurred_at,
        })
    }
}

/// Keeps the boards at the beginning of some days. The versions of the batch have been written and not been published yet: a
/// row as of a position is the newest of these up to there, or else the current one, which is as of `before`.
pub(super) async fn write(db: &mut PgConnection, days: &[Day], before: Position) -> Result<(), StoreError> {
    if days.is_empty() {
        return Ok(());
    }
    // Its cost is that of ordering everybody who is ranked. Those of one type are found by their index: the tables hold all
    // types, and many dead rows while the views catch up.
    sqlx::raw_sql("set local statement_timeout = 0; set local enable_seqscan = off").execute(&mut *db).await?;
    for day in days {
        for work_type in BOARDS {
            of_identities(db, day, before, work_type).await?;
            of_addresses(db, day, before, work_type).await?;
        }
    }
    sqlx::raw_sql("set local enable_seqscan = on").execute(&mut *db).await?;
    Ok(())
}

async fn of_identities(db: &mut PgConnection, day: &Day, before: Position, work_type: &str) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        insert into identity_boards (
            work_type, timeframe, source_id, position, height, block_time, ranked, identities, scores, last_ats
        )
        with since as materialized (
            select distinct on (v.identity_id)
                v.identity_id, v.present and v.ranked as stands, v.score, v.score_day, v.score_week, v.score_month,
                v.last_at
            from identity_work_versions v
            where v.work_type = $1
                and v.from_position > $6
                and v.from_position <= $3
            order by v.identity_id, v.from_position desc
        ),
        standing as materialized (
            select w.identity_id, w.score, w.score_day, w.score_week, w.score_month, w.last_at
            from identity_work w
            where w.work_type = $1
                and w.ranked
                and w.score > 0
                and w.identity_id not in (select s.identity_id from since s)
            union all
            select s.identity_id, s.score, s.score_day, s.score_week, s.score_month, s.last_at
            from since s
            where s.stands
                and s.score > 0
        )
        select $1, t.timeframe, $2, $3, $4, $5, b.ranked, b.identities, b.scores, b.last_ats
        from unnest(array['day', 'week', 'month', 'all']) as t (timeframe)
        cross join lateral (
            select
                coalesce(max(p.ranked), 0) as ranked,
                coalesce(array_agg(p.identity_id order by p.place), '{}') as identities,
                coalesce(array_agg(p.score order by p.place), '{}') as scores,
                coalesce(array_agg(p.last_at order by p.place), '{}') as last_ats
            from (
                select
                    x.*,
                    row_number() over (order by x.score desc, x.last_at, x.identity_id) as place,
                    count(*) over () as ranked
                from (
                    select
                        s.identity_id,
                        s.last_at,
                        case t.timeframe
                            when 'day' then s.score_day
                            when 'week' then s.score_week
                            when 'month' then s.score_month
                            else s.score
                        end as score
                    from standing s
                ) x
                where x.score > 0
                order by x.score desc, x.last_at, x.identity_id
                limit $7
            ) p
        ) b
        "#,
        work_type,
        day.source_id,
        day.position,
        day.height,
        day.block_time,
        before.0,
        PLACES
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn of_addresses(db: &mut PgConnection, day: &Day, before: Position, work_type: &str) -> Result<(), StoreError> {
    sqlx::query!(
        r#"
        insert into address_boards (work_type, timeframe, source_id, position, ranked, addresses, scores, last_ats)
        with since as materialized (
            select distinct on (v.source_id, v.address_id)
                v.source_id, v.address_id, v.miner_address, v.present as stands, v.score, v.score_day, v.score_week,
                v.score_month, v.last_at
            from address_work_versions v
            where v.work_type = $1
                and v.from_position > $4
                and v.from_position <= $3
            order by v.source_id, v.address_id, v.from_position desc
        ),
        standing as materialized (
            select
                w.source_id, w.address_id, w.miner_address, w.score, w.score_day, w.score_week, w.score_month, w.last_at
            from address_work w
            where w.work_type = $1
                and w.score > 0
                and w.address_id not in (select s.address_id from since s)
            union all
            select
                s.source_id, s.address_id, s.miner_address, s.score, s.score_day, s.score_week, s.score_month, s.last_at
            from since s
            where s.stands
                and s.score > 0
        )
        select $1, t.timeframe, $2, $3, b.ranked, b.addresses, b.scores, b.last_ats
        from unnest(array['day', 'week', 'month', 'all']) as t (timeframe)
        cross join lateral (
            select
                coalesce(max(p.ranked), 0) as ranked,
                coalesce(array_agg(p.address_id order by p.place), '{}') as addresses,
                coalesce(array_agg(p.score order by p.place), '{}') as scores,
                coalesce(array_agg(p.last_at order by p.place), '{}') as last_ats
            from (
                select
                    x.*,
                    row_number() over (
                        order by x.score desc, x.last_at, x.miner_address collate "C", x.source_id
                    ) as place,
                    count(*) over () as ranked
                from (
                    select
                        s.source_id,
                        s.address_id,
                        s.miner_address,
                        s.last_at,
                        case t.timeframe
                            when 'day' then s.score_day
                            when 'week' then s.score_week
                            when 'month' then s.score_month
                            else s.score
                        end as score
                    from standing s
                ) x
                where x.score > 0
                order by x.score desc, x.last_at, x.miner_address collate "C", x.source_id
                limit $5
            ) p
        ) b
        where (
            select count(*)
            from (
                select 1
                from address_work_versions v
                where v.work_type = $1
                    and v.from_position > coalesce((
                        select max(k.position)
                        from address_boards k
                        where k.work_type = $1
                            and k.timeframe = 'all'
                    ), 0)
                    and v.from_position <= $3
                limit $6
            ) changed
        ) >= coalesce((
            select least(k.ranked, $6)
            from address_boards k
            where k.work_type = $1
                and k.timeframe = 'all'
            order by k.position desc
            limit 1
        ), 0)
        "#,
        work_type,
        day.source_id,
        day.position,
        before.0,
        PLACES,
        ADDRESS_CHANGES
    )
    .execute(db)
    .await?;
    Ok(())
}
