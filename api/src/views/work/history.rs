//! The submissions of an identity: of every address that belongs to it, newest first.

use schema::chain::IdentityId;
use schema::event::rfc3339_micros;
use sqlx::PgConnection;

use super::submissions::{ACCEPTED, Found, REJECTED, kind_name, submissions_at, unit};
use super::{Family, Rejected, Submission, decimal};
use crate::page::Rows;
use crate::view::{At, Keep, Query, Stamped};
use crate::views::checks::verdict_name;
use crate::views::visibility::Shown;

/// The standing submissions of the addresses that belong to an identity, newest first; sort key is the position. A
/// rejection that takes out a submission is shown with it.
#[derive(Debug, Clone)]
pub struct History {
    /// The identity.
    pub identity_id: IdentityId,
    /// Of which family of work.
    pub family: Family,
    /// Only submissions before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
}

/// The statement: `$3` is the identity, `$4` the family, `$5` the position before, `$6` the limit; `test` says which records
/// `b` are of the family. One for all would have one plan for all.
macro_rules! history_at {
    ($db:expr, $at:expr, $test:literal $(, $argument:expr)* $(,)?) => {
        submissions_at!(
            $db,
            $at,
            History::VIEWS,
            (r#"
                with flags as materialized (
                    select log.shows_stats($3) as shown, coalesce((
                        select v.present
                        from identities_versions v
                        where v.identity_id = $3
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ), false) as known
                )
                select f.known, f.shown, w.source_id, w.position
                from flags f
                left join lateral (
                    select n.source_id, n.position
                    from (
                        select distinct v.address_id
                        from wallet_links_versions v
                        where v.identity_id = $3
                            and v.from_position <= s.position
                    ) k
                    join lateral (
                        select v.identity_id, v.present
                        from wallet_owners_versions v
                        where v.address_id = k.address_id
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) o on o.present and o.identity_id = $3
                    cross join lateral (
                        select b.source_id, b.position
                        from work_submissions b
                        where b.address_id = k.address_id
                            and b.position <= s.position
                            and b.position < coalesce($5, 9223372036854775807)
                            and b.accepted_position is null
                            and "# + $test + r#"
                            and not exists (
                                select 1
                                from log.retractions t
                                where t.source_id = b.source_id
                                    and t.first_position <= b.position
                                    and t.at_position > b.position
                                    and t.at_position <= s.position
                            )
                        order by b.position desc
                        limit $6::bigint + 1
                    ) n
                    order by n.position desc
                    limit $6::bigint + 1
                ) w on f.known and f.shown
            "#)
            $(, $argument)*
        )
    };
}

impl Query for History {
    const VIEWS: &'static [&'static str] = &["work", "oracles", "wallets", "identities"];
    const KEEP: Keep = Keep::Visible;
    type Answer = Shown<Rows<Submission>>;

    fn key(&self) -> String {
        format!("work history:{}:{}:{:?}:{}", self.identity_id, self.family.name(), self.before, self.limit)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (id, family) = (self.identity_id.as_bytes().as_slice(), self.family.name());
        let (before, limit) = (self.before, self.limit);
        let (at, (known, shown), found) = match self.family {
            Family::All => history_at!(db, at, "$4 = 'all'", id, family, before, limit),
            Family::Nuw => history_at!(db, at, r"$4 = 'nuw' and b.work_type like 'nuw\_%'", id, family, before, limit),
            Family::Boinc | Family::Bandwidth | Family::Compute | Family::Ceremony => {
                history_at!(db, at, "b.work_type = $4", id, family, before, limit)
            }
        };
        let items = found.into_iter().map(|found| found.submission).collect();
        let page = Rows::page(items, self.limit, |item: &Submission| item.position.to_string());
        Ok(Stamped { at, value: Shown::when(known, shown, || page) })
    }
}
