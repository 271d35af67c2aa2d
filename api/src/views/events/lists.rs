//! Pages of the log, whole or filtered.
//!
//! There is one statement per way into the log, so that each reads an index in order and stops at the page's end: a filter
//! that may be absent would make one plan for both cases, which reads everything in one of them.

use schema::event::Namespace;
use sqlx::PgConnection;

use super::{Columns, EventItem, Filter, Page, Subject, THE_LOG, broken};
use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};

/// Events in the order of the log.
#[derive(Debug, Clone)]
pub struct Events {
    /// Only events after this position.
    pub after: i64,
    /// Which events.
    pub filter: Filter,
    /// Items per page.
    pub limit: i64,
}

impl Query for Events {
    const VIEWS: &'static [&'static str] = THE_LOG;
    type Answer = Rows<EventItem>;

    fn key(&self) -> String {
        format!("events:{}:{}:{:?}", self.after, self.limit, self.filter)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let Stamped { at, value } = match (&self.filter.subject, self.filter.kinds.is_empty()) {
            (Some(Subject::Address(spellings)), _) => self.about_address(db, at, spellings).await?,
            (Some(Subject::Named(namespace, name)), _) => self.about_named(db, at, *namespace, name).await?,
            (None, false) => self.of_kinds(db, at).await?,
            (None, true) => self.of_source(db, at).await?,
        };
        let value = match value.items.last() {
            Some(last) if value.is_cut => {
                Rows { next: Some(last.position.to_string()), items: value.items, count: None }
            }
            Some(_) | None => Rows::page(value.items, self.limit, |item: &EventItem| item.position.to_string()),
        };
        Ok(Stamped { at, value })
    }
}

/// The events about the subjects that a select names by `subject_id`; `$3` is the position before, `$4` the limit. `events`
/// joins the events themselves as `e`, and `filter` tests them.
macro_rules! events_about {
    ($db:expr, $at:expr, $subjects:literal, $events:literal, $filter:literal $(, $argument:expr)* $(,)?) => {
        events_at!(
            $db,
            $at,
            (r#"
            select distinct a.position
            from ("# + $subjects + r#") x
            cross join lateral (
                select es.position
                from log.event_subjects es
                "# + $events + r#"
                where es.subject_id = x.subject_id
                    and es.position > $3
                    and es.position <= s.position
                    and not exists (
                        select 1
                        from log.event_subjects o
                        where o.subject_id = es.subject_id
                            and o.position = es.position
                            and o.role < es.role
                    )
                    "# + $filter + r#"
                order by es.position
                limit $4
            ) a
            order by a.position
            limit $4
            "#)
            $(, $argument)*
        )
    };
}

/// [`events_about`] of some kinds, `$7`, and of one source, `$8`, where that is asked.
macro_rules! some_events_about {
    ($db:expr, $at:expr, $subjects:literal $(, $argument:expr)* $(,)?) => {
        events_about!(
            $db,
            $at,
            $subjects,
            r#"
            -- One look-up per row: a merge would read the log from its beginning.
            cross join lateral (
                select v.kind, v.source_id
                from log.events v
                where v.position = es.position
                offset 0
            ) e
            "#,
            "and ($7::smallint[] is null or e.kind = any($7)) and ($8::integer is null or e.source_id = $8)"
            $(, $argument)*
        )
    };
}

/// [`events_about`] of all kinds.
macro_rules! events_about_all {
    ($db:expr, $at:expr, $subjects:literal $(, $argument:expr)* $(,)?) => {
        events_about!($db, $at, $subjects, "", "" $(, $argument)*)
    };
}

/// Either kind of statement about an address: `$5` and `$6` are sources and canonical texts.
macro_rules! about_addresses {
    ($statement:ident, $db:expr, $at:expr $(, $argument:expr)* $(,)?) => {
        $statement!(
            $db,
            $at,
            r#"
            select f.subject_id
            from unnest($5::integer[], $6::text[]) n (source_id, asked)
            cross join lateral (
                select k.subject_id
                from (
                    select c.subject_id, c.subject = n.asked as exact, count(*) over () as spellings
                    from log.subjects c
                    where lower(c.subject) = lower(n.asked)
                        and c.namespace = 1
                        and c.source_id = n.source_id
                        and exists (
                            select 1
                            from log.event_subjects es
                            where es.subject_id = c.subject_id
                                and es.position <= s.position
                        )
                ) k
                where k.exact or k.spellings = 1
                order by k.exact desc
                limit 1
            ) f
            "#
            $(, $argument)*
        )
    };
}

impl Events {
    fn kinds(&self) -> Vec<i16> {
        self.filter.kinds.iter().map(|kind| kind.code()).collect()
    }

    async fn of_source(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Page>> {
        match self.filter.source_id {
            None => events_at!(
                db,
                at,
                (r#"
                select e.position
                from log.events e
                where e.position > $3 and e.position <= s.position
                order by e.position
                limit $4
                "#),
                self.after,
                self.limit + 1,
            ),
            Some(source_id) => events_at!(
                db,
                at,
                (r#"
                select e.position
                from log.events e
                where e.source_id = $5 and e.position > $3 and e.position <= s.position
                order by e.position
                limit $4
                "#),
                self.after,
                self.limit + 1,
                source_id,
            ),
        }
    }

    async fn of_kinds(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Page>> {
        match self.filter.source_id {
            None => events_at!(
                db,
                at,
                (r#"
                select e.position
                from unnest($5::smallint[]) k (kind)
                cross join lateral (
                    select e.position
                    from log.events e
                    where e.kind = k.kind and e.position > $3 and e.position <= s.position
                    order by e.position
                    limit $4
                ) e
                order by e.position
                limit $4
                "#),
                self.after,
                self.limit + 1,
                &self.kinds(),
            ),
            Some(source_id) => events_at!(
                db,
                at,
                (r#"
                select e.position
                from unnest($5::smallint[]) k (kind)
                cross join lateral (
                    select e.position
                    from log.events e
                    where e.kind = k.kind and e.source_id = $6 and e.position > $3 and e.position <= s.position
                    order by e.position
                    limit $4
                ) e
                order by e.position
                limit $4
                "#),
                self.after,
                self.limit + 1,
                &self.kinds(),
                source_id,
            ),
        }
    }

    async fn about_address(
        &self,
        db: &mut PgConnection,
        at: At,
        spellings: &[(i32, String)],
    ) -> sqlx::Result<Stamped<Page>> {
        // The subject of an address belongs to the source of its events, so nothing else has to be asked of the source.
        let of_source =
            spellings.iter().filter(|(source_id, _)| self.filter.source_id.is_none_or(|id| id == *source_id));
        let (sources, names): (Vec<i32>, Vec<String>) = of_source.cloned().unzip();
        if self.filter.kinds.is_empty() {
            about_addresses!(events_about_all, db, at, self.after, self.limit + 1, &sources, &names)
        } else {
            let kinds = self.kinds();
            about_addresses!(
                some_events_about,
                db,
                at,
                self.after,
                self.limit + 1,
                &sources,
                &names,
                &kinds,
                None::<i32>,
            )
        }
    }

    async fn about_named(
        &self,
        db: &mut PgConnection,
        at: At,
        namespace: Namespace,
        name: &str,
    ) -> sqlx::Result<Stamped<Page>> {
        let kinds = (!self.filter.kinds.is_empty()).then(|| self.kinds());
        some_events_about!(
            db,
            at,
            "select c.subject_id from log.subjects c where c.namespace = $5 and c.subject = $6",
            self.after,
            self.limit + 1,
            namespace.code(),
            name,
            kinds.as_deref(),
            self.filter.source_id,
        )
    }
}
