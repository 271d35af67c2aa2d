//! The place of one identity on a board: now, and at the first block of every day.

use schema::chain::IdentityId;
use schema::event::rfc3339_micros;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::{as_kept, of_identities, scored};
use crate::page::{Described, Rows};
use crate::view::{At, Keep, Query, Stamped};
use crate::views::visibility::Shown;
use crate::views::work::{Family, Timeframe, decimal, percentile};

/// Where an identity stands on a board, at the position of the answer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RankNow {
    /// Its place, from 1; null when it is not ranked.
    #[schema(example = 17)]
    pub rank: Option<i64>,
    /// How many are ranked.
    #[schema(example = 3000)]
    pub ranked: i64,
    /// Share of the ranked that stand behind it, in percent, rounded to four digits; null when it is not ranked.
    #[schema(example = 99.4333)]
    pub percentile: Option<f64>,
    /// Its score in the window, in the board's unit; a decimal number, 0 when it is not ranked.
    #[schema(example = "10432.5")]
    pub score: String,
    /// Position of the newest change of any total before the answer: the place is what it has been since.
    #[schema(example = 48211)]
    pub position: Option<i64>,
}

/// Where an identity stood on a board at the first block of a day.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RankThen {
    /// End of that block in the log; the board as of this position says the same.
    #[schema(example = 48000)]
    pub position: i64,
    /// Its height.
    #[schema(example = 1200)]
    pub height: i64,
    /// Its time, RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-03-01T00:00:05.000000Z")]
    pub time: String,
    /// The place, from 1.
    #[schema(example = 19)]
    pub rank: i64,
    /// How many were ranked.
    #[schema(example = 2988)]
    pub ranked: i64,
    /// Share of the ranked that stood behind it, in percent, rounded to four digits.
    #[schema(example = 99.3641)]
    pub percentile: Option<f64>,
    /// Its score in the window, in the board's unit; a decimal number.
    #[schema(example = "10111.5")]
    pub score: String,
}

/// Which board, and where the identity stands on it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Ranks {
    /// The identity, hex.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub identity_id: String,
    /// `all`, `boinc`, `nuw`, `bandwidth`, `compute` or `ceremony`.
    #[serde(rename = "type")]
    #[schema(example = "all")]
    pub family: &'static str,
    /// `day`, `week`, `month` or `all`.
    #[schema(example = "all")]
    pub timeframe: &'static str,
    /// What scores count.
    #[schema(example = "submissions")]
    pub unit: &'static str,
    /// Where it stands at the position of the answer.
    pub current: RankNow,
    /// False when the window begins before the first block followed of a chain that was not followed from genesis; of all
    /// time when a chain was not followed from genesis or holds what could not be understood; and now, not as of the past,
    /// while a source stands still. A chain followed from genesis is complete from its first block.
    #[schema(example = true)]
    pub complete: bool,
}

/// The place of an identity over time, as clients see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RankHistory {
    /// Which board, and where the identity stands on it.
    #[serde(flatten)]
    pub ranks: Ranks,
    /// Where it stood at the first block of each day, newest first. A page is of so many days; those on which it was not
    /// among the first 2,000 are left out.
    pub items: Vec<RankThen>,
    /// Opaque; goes into `cursor=` of the same question for the next page, and is null on the last one.
    pub next_cursor: Option<String>,
}

/// Where an identity stands on a board, and where it stood, newest first; sort key is the position.
#[derive(Debug, Clone)]
pub struct RankOverTime {
    /// The identity.
    pub identity_id: IdentityId,
    /// Which work.
    pub family: Family,
    /// Which window.
    pub timeframe: Timeframe,
    /// Only days before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
    /// Whether a source stands still, as the server last saw it: a kept answer ends when that changes.
    pub stalled: bool,
}

/// The statement: `standing_now`, or `standing_then` with the number of its parameter; `$6` is the position before, `$7` the
/// limit.
macro_rules! ranks_at {
    ($then:ident $($use:literal)?, $query:expr, $db:expr, $at:expr, $score:literal $(, $keeps:expr)?) => {{
        let (family, timeframe) = ($query.family, $query.timeframe);
        let (at, rows) = of_identities!(
            $then,
            $($use,)?
            $db,
            $at,
            RankOverTime::VIEWS,
            r#"
            r.known as "known?", r.shown as "shown?", r.complete as "complete?", r.ranked as "ranked?", r.ahead as "ahead?",
            r.exact as "exact?", r.score as "score?", r.changed as "changed?", r.position as "position?", r.height as "height?",
            r.block_time as "block_time?", r.rank_then as "rank_then?", r.ranked_then as "ranked_then?",
            r.score_then as "score_then?"
            "#,
            $score,
            r#"
                m.known, m.shown, w.complete, n.ranked, n.ahead, n.exact, o.score::text as score, (
                    select max(v.from_position)
                    from identity_work_versions v
                    where v.from_position <= s.position
                ) as changed, h.position, h.height, h.block_time, h.rank as rank_then, h.ranked as ranked_then,
                h.score::text as score_then
            "#,
            (r#"
                left join lateral (
                    -- So many days, whether the identity has a place on them or not: the cost is that of a page.
                    select h.position, h.height, h.block_time, p.rank::bigint as rank, h.ranked, h.scores[p.rank] as score
                    from (
                        select h.position, h.height, h.block_time, h.ranked, h.identities, h.scores
                        from identity_boards h
                        where h.work_type = $5
                            and h.timeframe = $4
                            and h.height is not null
                            and h.position <= s.position
                            and h.position < coalesce($6, 9223372036854775807)
                            and not exists (
                                select 1
                                from log.retractions t
                                where t.source_id = h.source_id
                                    and t.first_position <= h.position
                                    and t.at_position > h.position
                                    and t.at_position <= s.position
                            )
                        order by h.position desc
                        limit $7::bigint + 1
                    ) h
                    cross join lateral (select array_position(h.identities, $3) as rank) p
                ) h on m.shown
            "#),
            "order by r.position desc",
            $query.identity_id.as_bytes().as_slice(),
            timeframe.name(),
            family.name(),
            $query.before,
            $query.limit,
            $($keeps,)?
        )?;
        let Some(first) = rows.first() else { return Err(sqlx::Error::RowNotFound) };
        let (known, shown, ranked) = (first.known, first.shown, first.ranked.unwrap_or_default());
        let exact = first.exact == Some(true);
        let rank = first.ahead.map(|ahead| ahead + 1);
        let about = Ranks {
            identity_id: $query.identity_id.to_string(),
            family: family.name(),
            timeframe: timeframe.name(),
            unit: family.unit(),
            current: RankNow {
                rank,
                ranked,
                percentile: rank.and_then(|rank| percentile(rank, ranked)),
                score: decimal(first.score.as_deref().unwrap_or("0")),
                position: first.changed,
            },
            complete: first.complete.unwrap_or_default(),
        };
        let days = rows.into_iter().filter_map(|row| {
            let (position, height, block_time) = (row.position?, row.height?, row.block_time?);
            let then = row.rank_then.zip(row.ranked_then).zip(row.score_then).map(|((rank, ranked), score)| RankThen {
                position,
                height,
                time: rfc3339_micros(block_time),
                rank,
                ranked,
                percentile: percentile(rank, ranked),
                score: decimal(&score),
            });
            Some((position, then))
        });
        let days: Vec<(i64, Option<RankThen>)> = days.collect();
        (at, exact, known, shown, about, days)
    }};
}

impl Query for RankOverTime {
    const VIEWS: &'static [&'static str] = &["work", "identities", "heads", "blocks"];
    const KEEP: Keep = Keep::Visible;
    type Answer = Shown<Described<Ranks, RankThen>>;

    fn key(&self) -> String {
        let (family, timeframe) = (self.family.name(), self.timeframe.name());
        format!("rank:{}:{family}:{timeframe}:{:?}:{}:{}", self.identity_id, self.before, self.limit, self.stalled)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, _, known, shown, about, days) = as_kept!(
            at == At::Now,
            scored!(self.timeframe, ranks_at, (standing_now, self, db, at)),
            |keeps| scored!(self.timeframe, ranks_at, (standing_then "$8", self, db, at), keeps),
            |read| read.1,
        );
        let Rows { items, next, count } = Rows::page(days, self.limit, |(position, _)| position.to_string());
        let rows = Rows { items: items.into_iter().filter_map(|(_, then)| then).collect(), next, count };
        Ok(Stamped { at, value: Shown::when(known, shown, || Described { about, rows }) })
    }
}
