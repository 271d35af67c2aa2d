//! Where each ranked identity stood at the first block of every UTC day.
//!
//! Only the first places of each board are kept: a day costs what it costs, however many are ranked. A row says what the boards said as of its position, so it is made of the rows as of that position, however many units
//! the batch goes on for.

use chrono::{DateTime, Utc};
use schema::chain::Height;
use schema::store::StoreError;
use sqlx::PgConnection;

use crate::projections::Moment;

/// Places of a board that are kept of each day.
const PLACES: i64 = 1_000;

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

/// Ranks everybody at the beginning of some days. The rows of the batch have been published, and no key of
/// `identity_work` ever goes, so a row as of a position is the current one or an earlier version of it.
pub(super) async fn write(db: &mut PgConnection, days: &[Day]) -> Result<(), StoreError> {
    if !days.is_empty() {
        // Its cost is that of ordering everybody who is ranked.
        sqlx::raw_sql("set local statement_timeout = 0").execute(&mut *db).await?;
    }
    for day in days {
        sqlx::query!(
            r#"
            insert into rank_history (
                source_id, position, work_type, timeframe, ranked, identities, scores, height, block_time
            )
            select
                $1,
                $2,
                placed.work_type,
                placed.timeframe,
                placed.ranked,
                array_agg(placed.identity_id order by placed.rank),
                array_agg(placed.score order by placed.rank),
                $3,
                $4
            from (
                select
                    scored.identity_id,
                    scored.work_type,
                    scored.timeframe,
                    row_number() over (
                        partition by scored.work_type, scored.timeframe
                        order by scored.score desc, scored.last_at, scored.identity_id
                    ) as rank,
                    count(*) over (partition by scored.work_type, scored.timeframe) as ranked,
                    scored.score
                from (
                    select w.identity_id, w.work_type, w.last_at, t.timeframe, t.score
                    from (
                        select identity_id, work_type, last_at, score, score_day, score_week, score_month
                        from identity_work
                        where from_position <= $2
                            and ranked
                            and score > 0
                            and work_type in ('boinc', 'nuw', 'bandwidth', 'compute', 'ceremony', 'all')
                        union all
                        select v.identity_id, v.work_type, v.last_at, v.score, v.score_day, v.score_week, v.score_month
                        from identity_work w
                        cross join lateral (
                            select v.*
                            from identity_work_versions v
                            where v.identity_id = w.identity_id
                                and v.work_type = w.work_type
                                and v.from_position <= $2
                            order by v.from_position desc
                            limit 1
                        ) v
                        where w.from_position > $2
                            and v.ranked
                            and v.score > 0
                            and v.work_type in ('boinc', 'nuw', 'bandwidth', 'compute', 'ceremony', 'all')
                    ) w
                    cross join lateral (
                        values ('day', w.score_day), ('week', w.score_week), ('month', w.score_month), ('all', w.score)
                    ) t (timeframe, score)
                    where t.score > 0
                ) scored
            ) placed
            where placed.rank <= $5
            group by placed.work_type, placed.timeframe, placed.ranked
            "#,
            day.source_id,
            day.position,
            day.height,
            day.block_time,
            PLACES
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}
