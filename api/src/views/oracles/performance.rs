//! How well one oracle works: how much it accepts, how fast, of what, and when.

use schema::event::{Kind, Namespace};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::breakdown::{ActiveHour, TypeShare, activity, shares};
use super::{Oracle, columns_from};
use crate::view::{At, Query, Stamped, stamped};
use crate::views::provenance::{self, Provenance};
use crate::views::work::share;

/// Kinds of events that make an oracle's performance what it is.
const CAUSES: &[Kind] =
    &[Kind::OracleRegistered, Kind::OracleReported, Kind::OracleSlashed, Kind::WorkSubmitted, Kind::WorkRejected];

/// How well an oracle works, recomputed from its records.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OraclePerformance {
    /// The oracle, and what it has done in all.
    #[serde(flatten)]
    pub oracle: Oracle,
    /// Those of its rejections that took out a submission which it had validated before.
    #[schema(example = 3)]
    pub overturned: i64,
    /// Share of the submissions that it decided on which are accepted now, from 0 to 1, rounded to four digits:
    /// `(validations - overturned) / (validations - overturned + rejections)`. What it validated and took out itself later
    /// is among both the validations and the rejections, and is a rejection here. Null when it decided on none.
    #[schema(example = 0.9901)]
    pub acceptance_rate: Option<f64>,
    /// How long it takes from hand-in to validation, over its accepted submissions that state both, those rejected later
    /// included; null when there is none. So it is null for an oracle that is not registered, whatever times are stated in
    /// its name: what an unproven record claims is nobody's word.
    pub latency: Option<Latency>,
    /// Accepted submissions that state when they were handed in and when they were validated, in that order.
    #[schema(example = 1190)]
    pub latency_count: i64,
    /// Its decisions and what was said in its name by type of work: the types that it decided most on first, then those
    /// that most was said of. Of the types that it decided nothing of, only those among the first hundred by name of all
    /// types beside its name are listed: anybody can make up more.
    pub shares: Vec<TypeShare>,
    /// The last 25 hours of its chain, oldest first; the last is the hour of the chain's newest block.
    pub activity: Vec<ActiveHour>,
    /// The events behind the answer; only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// Latencies in seconds that so many percent of the accepted submissions do not exceed (nearest rank). They are taken from
/// a histogram: exact below 64 seconds; above, the lower end of a step that is 1/32 of its power of two wide, so that the
/// true value is at most 1/32 higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Latency {
    /// Half of them.
    #[schema(example = 41)]
    pub p50: i64,
    /// Nine out of ten.
    #[schema(example = 120)]
    pub p90: i64,
    /// 95 percent.
    #[schema(example = 180)]
    pub p95: i64,
    /// 99 percent.
    #[schema(example = 600)]
    pub p99: i64,
}

/// How well one oracle works.
#[derive(Debug, Clone)]
pub struct OneOracle {
    /// Its id.
    pub oracle_id: String,
    /// Its source; none for the first that has such an oracle.
    pub source_id: Option<i32>,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

/// The statement: `$3` is the id, `$4` the source or null.
macro_rules! performance_at {
    ($db:expr, $at:expr, $views:expr $(, $argument:expr)* $(,)?) => {
        stamped!(
            $db,
            $at,
            $views,
            r#"
            r.oracle_id as "oracle_id?", r.chain as "chain?", r.name as "name?", r.oracle_address as "oracle_address?",
            r.registered_at as "registered_at?", r.accepted as "accepted?", r.rejected as "rejected?",
            r.refuted as "refuted?", r.unproven as "unproven?", r.repeated as "repeated?", r.slashed as "slashed?",
            r.slash_count as "slash_count?", r.last_at as "last_at?", r.overturned as "overturned?",
            r.latency_count as "latency_count?", r.subject_id as "subject_id?", r.latencies as "latencies?: Vec<i64>",
            r.types as "types?: Vec<String>", r.type_accepted as "type_accepted?: Vec<i64>",
            r.type_rejected as "type_rejected?: Vec<i64>", r.type_refuted as "type_refuted?: Vec<i64>",
            r.type_unproven as "type_unproven?: Vec<i64>", r.hours as "hours?: Vec<i64>",
            r.hour_accepted as "hour_accepted?: Vec<i64>", r.hour_rejected as "hour_rejected?: Vec<i64>",
            r.hour_refuted as "hour_refuted?: Vec<i64>", r.hour_unproven as "hour_unproven?: Vec<i64>"
            "#,
            r#"
                select
                    $3::text as oracle_id, a.chain, o.name, o.oracle_address, o.registered_at, a.accepted, a.rejected,
                    a.refuted, a.unproven, a.repeated, o.slashed::text as slashed, o.slash_count, a.last_at, a.overturned,
                    a.latency_count, n.subject_id, l.latencies, t.types, t.type_accepted, t.type_rejected,
                    t.type_refuted, t.type_unproven, h.hours, h.hour_accepted, h.hour_rejected, h.hour_refuted,
                    h.hour_unproven
                from (
                    select
                        src.source_id, src.name as chain, v.accepted, v.rejected, v.refuted, v.unproven, v.repeated,
                        v.last_at, v.overturned, v.latency_count
                    from log.sources src
                    cross join lateral (
                        -- Along the key: the newest version of an oracle that rests lies far behind those of all others.
                        select
                            i.source_id, i.oracle_id, i.accepted, i.rejected, i.refuted, i.unproven, i.repeated, i.last_at,
                            i.overturned, i.latency_count, i.present
                        from oracle_activity_versions i
                        where (i.source_id, i.oracle_id, i.from_position) <= (src.source_id, $3, s.position)
                        order by i.source_id desc, i.oracle_id desc, i.from_position desc
                        limit 1
                    ) v
                    where v.present
                        and (v.source_id, v.oracle_id) = (src.source_id, $3)
                        and src.source_id = coalesce($4, src.source_id)
                    order by src.source_id
                    limit 1
                ) a
                left join lateral (
                    select v.name, v.oracle_address, v.registered_at, v.slashed, v.slash_count, v.present
                    from oracles_versions v
                    where v.source_id = a.source_id
                        and v.oracle_id = $3
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) o on o.present
                left join log.subjects n
                    on n.namespace = 4
                    and n.subject = $3
                    and coalesce(n.source_id, 0) = a.source_id
                left join lateral (
                    -- Buckets that have not changed since are read in one go; only the others are looked up.
                    with counted as materialized (
                        select c.bucket, sum(c.accepted) over (order by c.bucket) as upto, sum(c.accepted) over () as total
                        from (
                            select i.bucket, i.accepted
                            from oracle_latencies i
                            where i.source_id = a.source_id
                                and i.oracle_id = $3
                                and i.from_position <= s.position
                            union all
                            select k.bucket, v.accepted
                            from (
                                select i.bucket
                                from oracle_latencies i
                                where i.source_id = a.source_id
                                    and i.oracle_id = $3
                                    and i.from_position > s.position
                                union
                                select i.bucket
                                from oracle_latencies_versions i
                                where i.source_id = a.source_id
                                    and i.oracle_id = $3
                                    and not i.present
                                    and i.from_position > s.position
                            ) k
                            cross join lateral (
                                select i.source_id, i.oracle_id, i.bucket, i.accepted, i.present
                                from oracle_latencies_versions i
                                where (i.source_id, i.oracle_id, i.bucket, i.from_position)
                                    <= (a.source_id, $3, k.bucket, s.position)
                                order by i.source_id desc, i.oracle_id desc, i.bucket desc, i.from_position desc
                                limit 1
                            ) v
                            where v.present
                                and (v.source_id, v.oracle_id, v.bucket) = (a.source_id, $3, k.bucket)
                        ) c
                        where c.accepted > 0
                    )
                    select array_agg(log.latency_floor(f.bucket) order by q.percent) as latencies
                    from unnest(array[50, 90, 95, 99]) q (percent)
                    cross join lateral (
                        select min(c.bucket) as bucket
                        from counted c
                        where c.upto * 100 >= c.total * q.percent
                    ) f
                    where f.bucket is not null
                ) l on true
                left join lateral (
                    -- Anybody can name an oracle beside any type: all types that it decided on, and the first hundred of any.
                    with recursive decided (work_type) as (
                        select min(v.work_type)
                        from oracle_types_versions v
                        where v.source_id = a.source_id
                            and v.oracle_id = $3
                            and v.accepted + v.rejected > 0
                            and v.from_position <= s.position
                        union all
                        select (
                            select min(v.work_type)
                            from oracle_types_versions v
                            where v.source_id = a.source_id
                                and v.oracle_id = $3
                                and v.accepted + v.rejected > 0
                                and v.from_position <= s.position
                                and v.work_type > p.work_type
                        )
                        from decided p
                        where p.work_type is not null
                    ), said (work_type, found) as (
                        select min(v.work_type), 1
                        from oracle_types_versions v
                        where v.source_id = a.source_id
                            and v.oracle_id = $3
                            and v.from_position <= s.position
                        union all
                        select (
                            select min(v.work_type)
                            from oracle_types_versions v
                            where v.source_id = a.source_id
                                and v.oracle_id = $3
                                and v.from_position <= s.position
                                and v.work_type > p.work_type
                        ), p.found + 1
                        from said p
                        where p.work_type is not null
                            and p.found < 100
                    ), named (work_type) as (
                        select d.work_type from decided d
                        union
                        select d.work_type from said d
                    )
                    select
                        array_agg(p.work_type order by p.work_type) as types,
                        array_agg(v.accepted order by p.work_type) as type_accepted,
                        array_agg(v.rejected order by p.work_type) as type_rejected,
                        array_agg(v.refuted order by p.work_type) as type_refuted,
                        array_agg(v.unproven order by p.work_type) as type_unproven
                    from named p
                    -- Along the key: the newest version of a type that is rare lies far behind those of all others.
                    cross join lateral (
                        select i.source_id, i.oracle_id, i.work_type, i.accepted, i.rejected, i.refuted, i.unproven, i.present
                        from oracle_types_versions i
                        where (i.source_id, i.oracle_id, i.work_type, i.from_position)
                            <= (a.source_id, $3, p.work_type, s.position)
                        order by i.source_id desc, i.oracle_id desc, i.work_type desc, i.from_position desc
                        limit 1
                    ) v
                    where p.work_type is not null
                        and v.present
                        and (v.source_id, v.oracle_id, v.work_type) = (a.source_id, $3, p.work_type)
                ) t on true
                left join lateral (
                    select
                        array_agg(g.hour order by g.hour) as hours,
                        array_agg(coalesce(v.accepted, 0) order by g.hour) as hour_accepted,
                        array_agg(coalesce(v.rejected, 0) order by g.hour) as hour_rejected,
                        array_agg(coalesce(v.refuted, 0) order by g.hour) as hour_refuted,
                        array_agg(coalesce(v.unproven, 0) order by g.hour) as hour_unproven
                    from (
                        -- Along the key: never through the versions of another source.
                        select
                            floor(extract(epoch from v.block_time) / 3600)::bigint as hour, v.source_id, v.present
                        from heads_versions v
                        where (v.source_id, v.from_position) <= (a.source_id, s.position)
                        order by v.source_id desc, v.from_position desc
                        limit 1
                    ) newest
                    cross join lateral generate_series(newest.hour - 24, newest.hour) g (hour)
                    left join lateral (
                        select i.accepted, i.rejected, i.refuted, i.unproven, i.present
                        from oracle_hours_versions i
                        where i.source_id = a.source_id
                            and i.oracle_id = $3
                            and i.hour = g.hour::integer
                            and i.from_position <= s.position
                        order by i.from_position desc
                        limit 1
                    ) v on v.present
                    where newest.present
                        and newest.source_id = a.source_id
                ) h on true
            "#,
            ""
            $(, $argument)*
        )
    };
}

impl Query for OneOracle {
    const VIEWS: &'static [&'static str] = &["performance", "oracles", "heads"];
    type Answer = Option<OraclePerformance>;

    fn key(&self) -> String {
        format!("oracle:{:?}:{}:{}", self.source_id, self.explain, self.oracle_id)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, rows) = performance_at!(db, at, Self::VIEWS, self.oracle_id, self.source_id)?;
        let Some(row) = rows.into_iter().next() else { return Ok(Stamped { at, value: None }) };
        let of_types = [row.type_accepted, row.type_rejected, row.type_refuted, row.type_unproven];
        let of_hours = [row.hour_accepted, row.hour_rejected, row.hour_refuted, row.hour_unproven];
        let types = row.types;
        let activity = activity(row.hours, of_hours);
        let latency = row.latencies.and_then(|seconds| match seconds[..] {
            [p50, p90, p95, p99] => Some(Latency { p50, p90, p95, p99 }),
            _ => None,
        });
        let (overturned, latency_count) = (row.overturned.unwrap_or_default(), row.latency_count.unwrap_or_default());
        let subject_id = row.subject_id;
        let Some(oracle) = columns_from!(row).oracle() else { return Ok(Stamped { at, value: None }) };
        let decided = oracle.validations + oracle.rejections - overturned;
        let mut performance = OraclePerformance {
            acceptance_rate: share(oracle.validations - overturned, decided),
            overturned,
            latency,
            latency_count,
            shares: shares(&oracle, types, of_types),
            activity,
            provenance: None,
            oracle,
        };
        if self.explain {
            let oracle = &performance.oracle;
            let link = provenance::events_link(Namespace::Oracle, &oracle.oracle_id, Some(&oracle.chain));
            performance.provenance = Some(match subject_id {
                Some(subject_id) => provenance::of_subject_and_void(db, at.position, subject_id, CAUSES, link).await?,
                None => Provenance::nothing(link),
            });
        }
        Ok(Stamped { at, value: Some(performance) })
    }
}
