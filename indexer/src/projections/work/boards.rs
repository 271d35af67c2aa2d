//! Boards that are kept: those at the first block of every UTC day, which say where each stood on that day, and some more
//! where a day is long. Boards as of a later moment are made from them.
//!
//! Only the first places of each board are kept: a day costs what it costs, however many are ranked. A board says what the
//! boards said as of its position, so it is made of the rows as of that position, however many units the batch goes on for.

use chrono::{DateTime, Utc};
use schema::chain::Height;
use schema::event::Position;
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use crate::projections::Moment;

/// Places that are kept of a board of identities.
const PLACES: i64 = 2_000;
/// The same of addresses, of which there are more.
const ADDRESS_PLACES: i64 = 10_000;
/// Boards of addresses are kept again when that many of their totals have changed since the last time, or as many as were
/// ranked then: they serve boards as of a position alone, whose cost is what has changed since.
const ADDRESS_CHANGES: i64 = 1_500;
/// Types that have a board.
const BOARDS: [&str; 6] = ["boinc", "nuw", "bandwidth", "compute", "ceremony", "all"];

/// How far apart in the log boards are kept besides those of the days, in positions: a bound on what a board as of a position
/// costs when a day goes on and on, or the clock stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoardsEvery(pub i64);

impl Default for BoardsEvery {
    fn default() -> Self {
        Self(50_000)
    }
}

/// A unit at whose end boards are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    source_id: i32,
    position: i64,
    /// Height and time of the block that began a UTC day.
    day: Option<(i64, DateTime<Utc>)>,
}

impl Kept {
    /// The boards of the day that the block of a moment begins. The block must be of the clock source.
    pub(super) fn of_day(moment: &Moment<'_>) -> Option<Self> {
        Some(Self {
            source_id: moment.event.source_id.0,
            position: moment.unit.end_position.0,
            day: Some((moment.event.height.map(Height::to_db)?, moment.event.occurred_at)),
        })
    }

    /// The boards at the end of a unit that reaches the next so many positions of the log.
    pub(super) fn between_days(unit: &LoggedUnit, every: BoardsEvery) -> Option<Self> {
        let steps = |position: i64| position.div_euclid(every.0);
        let reaches = steps(unit.end_position.0) > steps(unit.first_position.0 - 1);
        reaches.then_some(Self { source_id: unit.source_id.0, position: unit.end_position.0, day: None })
    }

    /// Whether they are those as of a position.
    pub(super) fn is_at(&self, position: Position) -> bool {
        self.position == position.0
    }
}

/// Keeps the boards at the end of some units. The versions of the batch have been written and not been published yet: a
/// row as of a position is the newest of these up to there, or else the current one, which is as of `before`.
pub(super) async fn write(db: &mut PgConnection, kept: &[Kept], before: Position) -> Result<(), StoreError> {
    if kept.is_empty() {
        return Ok(());
    }
    // Its cost is that of ordering everybody who is ranked. Those of one type are found by their index: the tables hold all
    // types, and many dead rows while the views catch up. Who changed in the batch is left out by a hash table: how many
    // these are the planner cannot know.
    let plan = "set local statement_timeout = 0; set local enable_seqscan = off; set local enable_nestloop = off";
    sqlx::raw_sql(plan).execute(&mut *db).await?;
    for kept in kept {
        for work_type in BOARDS {
            of_identities(db, kept, before, work_type).await?;
            of_addresses(db, kept, before, work_type).await?;
        }
    }
    sqlx::raw_sql("set local enable_seqscan = on; set local enable_nestloop = on").execute(&mut *db).await?;
    Ok(())
}

async fn of_identities(
    db: &mut PgConnection,
    kept: &Kept,
    before: Position,
    work_type: &str,
) -> Result<(), StoreError> {
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
                and not exists (select 1 from since s where s.identity_id = w.identity_id)
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
        kept.source_id,
        kept.position,
        kept.day.map(|(height, _)| height),
        kept.day.map(|(_, block_time)| block_time),
        before.0,
        PLACES
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn of_addresses(db: &mut PgConnection, kept: &Kept, before: Position, work_type: &str) -> Result<(), StoreError> {
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
                and not exists (
                    select 1
                    from since s
                    where s.source_id = w.source_id
                        and s.address_id = w.address_id
                )
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
        kept.source_id,
        kept.position,
        before.0,
        ADDRESS_PLACES,
        ADDRESS_CHANGES
    )
    .execute(db)
    .await?;
    Ok(())
}
