//! What was indexed and what was checked, source by source: the numbers that show that nothing is missing.

use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, LOG, Query, Stamped, stamped};

/// Coverage of every source that the log has something of.
#[derive(Debug, Clone, Copy)]
pub struct Coverage;

/// What was indexed of a source, and what was checked.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceCoverage {
    /// The operator's name for the source.
    pub source: String,
    /// Heights that are covered without a hole, ascending; one range unless something is wrong.
    pub ranges: Vec<Range>,
    /// Heights missing between the ranges; computed from them, and empty unless something is wrong.
    pub gaps: Vec<Range>,
    /// Standing blocks.
    pub blocks: i64,
    /// Transactions in them.
    pub transactions: i64,
    /// Standing blocks whose link to the parent was verified; all but the first when nothing is wrong.
    pub links_verified: i64,
    /// Standing blocks whose hash was recomputed and agreed.
    pub hashes_verified: i64,
    /// Standing blocks whose signature was verified.
    pub signatures_verified: i64,
    /// Standing blocks with a refuted check.
    pub checks_refuted: i64,
    /// Records that could not be understood and are kept as `source.unrecognized`.
    pub unrecognized: i64,
    /// Records that an operator told us to skip, as `source.skipped`.
    pub skipped: i64,
    /// Whether all-time numbers are complete.
    pub complete: bool,
    /// How many retractions there were.
    pub retractions_total: i64,
    /// The newest of them, newest first, at most 100.
    pub retractions: Vec<Retraction>,
}

/// Heights from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Range {
    /// First height.
    pub from_height: i64,
    /// Last height.
    pub to_height: i64,
}

/// What no longer stands, from when on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Retraction {
    /// Position of its `chain.retracted`.
    pub at_position: i64,
    /// Events of the source from here up to `at_position` no longer stand.
    pub first_position: i64,
    /// Newest height that both branches share.
    pub fork_height: i64,
}

impl Query for Coverage {
    const VIEWS: &'static [&'static str] = &["heads", LOG];
    type Answer = Rows<SourceCoverage>;

    fn key(&self) -> String {
        String::new()
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        // Links that were all verified leave no room for a hole, so heights are only counted when they were not.
        let (at, rows) = stamped!(
            db,
            at,
            Self::VIEWS,
            r#"
            r.source_id as "source_id?",
            r.name as "name?",
            r.tx_total as "tx_total?",
            r.links_verified as "links_verified?",
            r.hashes_verified as "hashes_verified?",
            r.signatures_verified as "signatures_verified?",
            r.checks_refuted as "checks_refuted?",
            r.unrecognized as "unrecognized?",
            r.complete as "complete?",
            r.skipped as "skipped?",
            r.from_heights as "from_heights?",
            r.to_heights as "to_heights?",
            r.retractions_total as "retractions_total?",
            r.at_positions as "at_positions?",
            r.first_positions as "first_positions?",
            r.fork_heights as "fork_heights?"
            "#,
            r#"
            select
                x.source_id, x.name, h.tx_total, h.links_verified, h.hashes_verified, h.signatures_verified,
                h.checks_refuted, h.unrecognized, h.complete,
                (
                    select count(*)
                    from log.events e
                    where e.kind = 30 and e.source_id = x.source_id and e.position <= s.position
                ) as skipped,
                case when h.height is not null then coalesce(i.from_heights, array[h.first_height]) end as from_heights,
                case when h.height is not null then coalesce(i.to_heights, array[h.height]) end as to_heights,
                (
                    select count(*)
                    from log.retractions t
                    where t.source_id = x.source_id and t.at_position <= s.position
                ) as retractions_total,
                t.at_positions, t.first_positions, t.fork_heights
            from log.sources x
            left join lateral (
                select
                    v.present, v.height, v.first_height, v.tx_total, v.links_verified, v.hashes_verified,
                    v.signatures_verified, v.checks_refuted, v.unrecognized, v.complete
                from heads_versions v
                where v.source_id = x.source_id and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) h on h.present
            left join lateral (
                select
                    array_agg(n.from_height order by n.from_height) as from_heights,
                    array_agg(n.to_height order by n.from_height) as to_heights
                from (
                    select min(d.height) as from_height, max(d.height) as to_height
                    from (
                        select u.height, u.height - row_number() over (order by u.height) as island
                        from log.log_units u
                        where u.source_id = x.source_id
                            and u.height is not null
                            and u.end_position <= s.position
                            and h.links_verified < h.height - h.first_height
                            and not exists (
                                select 1
                                from log.retractions t
                                where t.source_id = u.source_id
                                    and t.first_position <= u.first_position
                                    and t.at_position > u.first_position
                                    and t.at_position <= s.position
                            )
                        group by u.height
                    ) d
                    group by d.island
                    order by 1
                    limit 100
                ) n
            ) i on true
            left join lateral (
                select
                    array_agg(n.at_position order by n.at_position desc) as at_positions,
                    array_agg(n.first_position order by n.at_position desc) as first_positions,
                    array_agg(n.fork_height order by n.at_position desc) as fork_heights
                from (
                    select t.at_position, t.first_position, t.fork_height
                    from log.retractions t
                    where t.source_id = x.source_id and t.at_position <= s.position
                    order by t.at_position desc
                    limit 100
                ) n
            ) t on true
            -- Positions are whole units, so the first event is as good as the first unit, and has an index. The limit keeps
            -- this one look-up per source, where an exists may become a scan of the log.
            join lateral (
                select 1
                from log.events e
                where e.source_id = x.source_id and e.position <= s.position
                order by e.position
                limit 1
            ) e on true
            "#,
            "order by r.source_id"
        )?;
        let sources = rows.into_iter().filter_map(|row| {
            let ranges = ranges(&row.from_heights.unwrap_or_default(), &row.to_heights.unwrap_or_default());
            let forks = row.fork_heights.unwrap_or_default();
            let places = row.at_positions.unwrap_or_default().into_iter().zip(row.first_positions.unwrap_or_default());
            let retractions = places.zip(forks).map(|((at_position, first_position), fork_height)| Retraction {
                at_position,
                first_position,
                fork_height,
            });
            Some(SourceCoverage {
                source: row.name?,
                blocks: ranges.iter().map(|range| range.to_height - range.from_height + 1).sum(),
                gaps: gaps(&ranges),
                ranges,
                transactions: row.tx_total.unwrap_or_default(),
                links_verified: row.links_verified.unwrap_or_default(),
                hashes_verified: row.hashes_verified.unwrap_or_default(),
                signatures_verified: row.signatures_verified.unwrap_or_default(),
                checks_refuted: row.checks_refuted.unwrap_or_default(),
                unrecognized: row.unrecognized.unwrap_or_default(),
                skipped: row.skipped.unwrap_or_default(),
                complete: row.complete.unwrap_or(false),
                retractions_total: row.retractions_total.unwrap_or_default(),
                retractions: retractions.collect(),
            })
        });
        Ok(Stamped { at, value: Rows { items: sources.collect(), next: None, count: None } })
    }
}

fn ranges(from: &[i64], to: &[i64]) -> Vec<Range> {
    from.iter().zip(to).map(|(from, to)| Range { from_height: *from, to_height: *to }).collect()
}

fn gaps(ranges: &[Range]) -> Vec<Range> {
    let neighbours = ranges.iter().zip(ranges.iter().skip(1));
    neighbours
        .map(|(before, after)| Range { from_height: before.to_height + 1, to_height: after.from_height - 1 })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_lies_between_the_ranges() {
        let found = ranges(&[0, 7], &[4, 9]);
        assert_eq!(gaps(&found), vec![Range { from_height: 5, to_height: 6 }]);
        assert_eq!(gaps(found.get(..1).unwrap_or_default()), vec![]);
    }
}
