//! The statements behind findings: one per way into the tables, so that each reads an index in the order of events and
//! stops at the page's end. A filter that may be absent would make one plan for both cases.
//!
//! Three tables give three lists, each a page long at most, merged. A version is what held at the position if no version of
//! its key between the two is newer. Where versions are read in the order of an index the limit is `nullif(x, x)`: none, but
//! the planner cannot know, and so does not read everything to sort it.

use schema::event::{Kind, Namespace, Position, rfc3339_micros};
use sqlx::PgConnection;

use super::statement::findings_at;
use super::{Finding, FindingKey, Findings, count};
use crate::page::Rows;
use crate::view::{At, Query, Stamp, Stamped, stamped};

/// One page of findings, with the events that they are about: `$10` and `$11` are the key before, `$12` is the limit.
/// `scan` reads in the order of the index that `where` leads to by its first column; within one value of that it is the
/// order of events. Bounds instead of an equation make the planner take that index and no other. `end` reads all findings of
/// the last event, because no index has them in the order of their codes too.
macro_rules! page_at {
    (
        $db:expr, $at:expr, $given:ident, [$way:literal, $where:literal, $scan:literal, $end:literal],
        [$contested:literal, $contested_where:literal] $(,)?
    ) => {
        findings_at!(
            $db,
            $at,
            r#"
            r.event_position as "event_position?", r.code as "code?", r.detail as "detail?", r.counts as "counts?",
            r.subject as "subject?", r.chain as "chain?", r.kind as "kind?", r.height as "height?", r.tx_id as "tx_id?",
            r.occurred_at as "occurred_at?"
            "#,
            r#"
            select
                f.event_position, f.code, f.detail, f.counts, f.subject, src.name as chain, e.kind, e.height, e.tx_id,
                e.occurred_at
            from (
                -- Tells the planner how few rows there are when it does not know the limit inside.
                select few.*
                from (
                    select f.*
                    from (
            "#,
            [$way, $where, $scan, $end],
            [
                $contested,
                $contested_where,
                r#"
                        and v.event_position <= least($10, s.position)
                    order by v.event_position desc
                    limit nullif($12::bigint, $12)
                "#,
                // An event has one such finding at most, and the one that the page before ended with falls away below.
                r#"
                    order by v.event_position desc
                    limit $12::bigint + 2
                "#
            ],
            r#"
                    ) f
                    where f.event_position < $10
                        or f.code > $11
                    order by f.event_position desc, f.code
                    limit $12::bigint + 1
                ) few
                limit 101
            ) f
            join log.events e on e.position = f.event_position
            join log.sources src on src.source_id = e.source_id
            "#,
            "order by r.event_position desc, r.code",
            $given.codes,
            $given.source,
            $given.counts,
            $given.subjects,
            $given.identity,
            $given.height,
            $given.namespace,
            $given.before,
            $given.code,
            $given.limit,
        )
        .map(|(at, rows)| {
            let items = rows.into_iter().filter_map(|row| {
                Some(Finding {
                    code: row.code?,
                    detail: row.detail?,
                    counts: row.counts?,
                    subject: row.subject,
                    chain: row.chain?,
                    position: row.event_position?,
                    kind: Kind::from_code(row.kind?)?.name(),
                    height: row.height,
                    tx_id: row.tx_id,
                    occurred_at: rfc3339_micros(row.occurred_at?),
                })
            });
            (at, items.collect::<Vec<_>>())
        })
    };
}

impl Findings {
    pub(super) async fn read(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Rows<Finding>>> {
        let (at, items) = self.page(db, at).await?;
        let key = |item: &Finding| FindingKey { position: item.position, code: item.code.clone() }.to_string();
        let mut page = Rows::page(items, self.limit, key);
        if let Some(most) = self.count {
            // As of the position just read, so that both statements speak of the same moment.
            let moment = At::Position(Position(at.position));
            page.count = Some(count::standing(db, moment, self.way(), &self.given(), most).await?);
        }
        Ok(Stamped { at, value: page })
    }

    async fn page(&self, db: &mut PgConnection, at: At) -> sqlx::Result<(Stamp, Vec<Finding>)> {
        let given = self.given();
        match self.way() {
            Way::Height => page_at!(
                db,
                at,
                given,
                [
                    r#"(
                        select u.first_position, u.end_position
                        from log.log_units u
                        where u.source_id = $4
                            and u.height = $8
                            and u.end_position <= s.position
                    ) k"#,
                    "v.event_position between k.first_position and least(k.end_position, $10)",
                    "order by v.event_position desc limit nullif($12::bigint, $12)",
                    r#"
                        and (v.event_position < $10 or v.code > $11)
                    order by v.event_position desc
                    fetch first ($12::bigint + 1) rows with ties
                    "#
                ],
                [
                    r#"(
                        select u.first_position, u.end_position
                        from log.log_units u
                        where u.source_id = $4
                            and u.height = $8
                            and u.end_position <= s.position
                    ) k"#,
                    "v.event_position between k.first_position and k.end_position"
                ],
            ),
            Way::Subject => page_at!(
                db,
                at,
                given,
                [
                    "unnest($6::text[]) k (subject)",
                    "(v.subject, v.event_position) <= (k.subject, least($10, s.position)) and v.subject >= k.subject",
                    "order by v.subject desc, v.event_position desc limit nullif($12::bigint, $12)",
                    r#"
                        and (v.event_position < $10 or v.code > $11)
                    order by v.subject desc, v.event_position desc
                    fetch first ($12::bigint + 1) rows with ties
                    "#
                ],
                ["(select 1) k", "v.identity_id = $7"],
            ),
            Way::Code => page_at!(
                db,
                at,
                given,
                [
                    "unnest($3::text[]) k (code)",
                    "(v.code, v.event_position) <= (k.code, least($10, s.position)) and v.code >= k.code",
                    "order by v.code desc, v.event_position desc limit nullif($12::bigint, $12)",
                    r#"
                        and (v.event_position < $10 or v.code > $11)
                    order by v.code desc, v.event_position desc
                    fetch first ($12::bigint + 1) rows with ties
                    "#
                ],
                ["(select 1) k", "true"],
            ),
            Way::Source => page_at!(
                db,
                at,
                given,
                [
                    "(select 1) k",
                    "(v.source_id, v.event_position) <= ($4, least($10, s.position)) and v.source_id >= $4",
                    "order by v.source_id desc, v.event_position desc limit nullif($12::bigint, $12)",
                    r#"
                        and (v.event_position < $10 or v.code > $11)
                    order by v.source_id desc, v.event_position desc
                    fetch first ($12::bigint + 1) rows with ties
                    "#
                ],
                ["(select 1) k", "true"],
            ),
            Way::All => page_at!(
                db,
                at,
                given,
                [
                    "(select 1) k",
                    "v.event_position <= least($10, s.position)",
                    "order by v.event_position desc limit nullif($12::bigint, $12)",
                    r#"
                        and (v.event_position < $10 or v.code > $11)
                    order by v.event_position desc
                    fetch first ($12::bigint + 1) rows with ties
                    "#
                ],
                ["(select 1) k", "true"],
            ),
        }
    }

    /// The way in that leads to the fewest findings.
    fn way(&self) -> Way {
        let filter = &self.filter;
        if filter.height.is_some() && filter.source_id.is_some() {
            Way::Height
        } else if !filter.subjects.is_empty() {
            Way::Subject
        } else if !filter.codes.is_empty() {
            Way::Code
        } else if filter.source_id.is_some() {
            Way::Source
        } else {
            Way::All
        }
    }

    fn given(&self) -> Given<'_> {
        let filter = &self.filter;
        let (before, code) = match &self.after {
            Some(key) => (key.position, key.code.as_str()),
            None => (i64::MAX, ""),
        };
        Given {
            codes: some(&filter.codes),
            source: filter.source_id,
            counts: filter.counts,
            subjects: some(&filter.subjects),
            identity: filter.identity_id.as_deref(),
            height: filter.height,
            namespace: filter.namespace.map(Namespace::code),
            before,
            code,
            limit: self.limit,
        }
    }
}

/// Which index leads to the findings asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Height,
    Subject,
    Code,
    Source,
    All,
}

/// The question as the statements take it.
pub(super) struct Given<'a> {
    pub(super) codes: Option<&'a [String]>,
    pub(super) source: Option<i32>,
    pub(super) counts: Option<bool>,
    pub(super) subjects: Option<&'a [String]>,
    pub(super) identity: Option<&'a [u8]>,
    pub(super) height: Option<i64>,
    pub(super) namespace: Option<i16>,
    before: i64,
    code: &'a str,
    limit: i64,
}

fn some(texts: &[String]) -> Option<&[String]> {
    (!texts.is_empty()).then_some(texts)
}
