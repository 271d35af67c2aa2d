//! What an identity contributed in all: totals by family, a breakdown by type, and where that puts it among others.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schema::chain::IdentityId;
use schema::event::rfc3339_micros;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::submissions::unit;
use super::{Family, causes, decimal, percentile};
use crate::view::{At, Keep, Query, Stamp, Stamped};
use crate::views::leaderboards::{as_kept, of_identities};
use crate::views::provenance::Provenance;
use crate::views::visibility::Shown;

/// What an identity contributed: the work of all addresses that belong to it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WorkStats {
    /// The identity, hex.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub identity_id: String,
    /// Who may see this: `public`, or there would be no answer.
    #[schema(example = "public")]
    pub stats_visibility: String,
    /// Submissions of every type that count.
    #[schema(example = 1204)]
    pub accepted: i64,
    /// Accepted submissions that a rejection took out.
    #[schema(example = 3)]
    pub rejected: i64,
    /// Accepted submissions of native useful work, all `nuw_` types together.
    #[schema(example = 204)]
    pub total_nuw_completed: i64,
    /// BOINC credit in cobblestones; a decimal number, never rounded.
    #[schema(example = "10432.500000001")]
    pub total_boinc_credits: String,
    /// One for each family, those without any work included.
    pub totals: Vec<FamilyTotal>,
    /// By type as records spell it; only types with any work.
    #[schema(example = json!({"nuw_dag": {"accepted": 200, "score": "200", "unit": "submissions"}}))]
    pub work_breakdown: BTreeMap<String, BreakdownPart>,
    /// Block time of its first submission that counts, RFC 3339 UTC; null when there is none.
    #[schema(format = DateTime, example = "2026-01-18T21:03:00.000000Z")]
    pub active_since: Option<String>,
    /// Block time of its last submission that counts, RFC 3339 UTC; null when there is none.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000000Z")]
    pub last_contribution: Option<String>,
    /// Addresses that belong to it, whose work this is.
    #[schema(example = 2)]
    pub wallets_counted: i64,
    /// Its place on the board of all work of all time, from 1; null when it is not ranked there.
    #[schema(example = 17)]
    pub rank: Option<i64>,
    /// How many are ranked on that board.
    #[schema(example = 3000)]
    pub ranked: i64,
    /// Share of the ranked that stand behind it, in percent, rounded to four digits; null when it is not ranked.
    #[schema(example = 99.4333)]
    pub rank_percentile: Option<f64>,
    /// Position of the newest change of any total before the answer: place and number are what they have been since.
    #[schema(example = 48211)]
    pub ranked_at_position: Option<i64>,
    /// False when a chain was not followed from genesis, holds what could not be understood, or stands still.
    #[schema(example = true)]
    pub complete: bool,
    /// Block time of the newest change of any of its totals, RFC 3339 UTC; null when it never had any.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000000Z")]
    pub updated_at: Option<String>,
    /// The events behind the answer; only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// What the work of one family comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FamilyTotal {
    /// `boinc`, `nuw`, `bandwidth`, `compute` or `ceremony`.
    #[serde(rename = "type")]
    #[schema(example = "boinc")]
    pub family: &'static str,
    /// Submissions that count.
    #[schema(example = 1000)]
    pub accepted: i64,
    /// Accepted submissions that a rejection took out.
    #[schema(example = 3)]
    pub rejected: i64,
    /// What they come to, in `unit`; a decimal number, never rounded.
    #[schema(example = "10432.500000001")]
    pub score: String,
    /// `cobblestones`, `submissions`, `bytes`, `receipts` or `contributions`.
    #[schema(example = "cobblestones")]
    pub unit: &'static str,
    /// Block time of the first one that counts, RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-01-18T21:03:00.000000Z")]
    pub first_contribution: Option<String>,
    /// Block time of the last one that counts, RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000000Z")]
    pub last_contribution: Option<String>,
}

/// What the work of one type comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BreakdownPart {
    /// Submissions that count.
    #[schema(example = 200)]
    pub accepted: i64,
    /// What they come to, in `unit`; a decimal number, never rounded.
    #[schema(example = "200")]
    pub score: String,
    /// What the score counts.
    #[schema(example = "submissions")]
    pub unit: &'static str,
}

/// One total of an identity, as it is stored.
struct Total {
    work_type: String,
    accepted: i64,
    rejected: i64,
    score: String,
    first_at: Option<DateTime<Utc>>,
    last_at: Option<DateTime<Utc>>,
}

/// What is read of an identity: what is true of all of it, and its totals.
struct Found {
    /// Whether the rank can be relied on; if not, the board that was kept does not reach far enough.
    exact: bool,
    known: Option<bool>,
    shown: Option<bool>,
    stats_visibility: Option<String>,
    wallets: Option<i64>,
    complete: Option<bool>,
    ranked: Option<i64>,
    ahead: Option<i64>,
    ranked_at: Option<i64>,
    updated_at: Option<DateTime<Utc>>,
    totals: Vec<Total>,
}

/// The statement of [`read_stats`]: `$3` is the identity, `$4` and `$5` are `all`; `standing_now`, or `standing_then` with the
/// number of its parameter.
macro_rules! stats_at {
    ($then:ident $($use:literal)?, $db:expr, $at:expr, $views:expr $(, $argument:expr)* $(,)?) => {{
        let (at, rows) = of_identities!(
            $then,
            $($use,)?
            $db,
            $at,
            $views,
            r#"
            r.known as "known?", r.shown as "shown?", r.stats_visibility as "stats_visibility?", r.wallets as "wallets?",
            r.complete as "complete?", r.ranked as "ranked?", r.ahead as "ahead?", r.exact as "exact?", r.ranked_at as "ranked_at?",
            r.work_type as "work_type?", r.accepted as "accepted?", r.rejected as "rejected?", r.score as "score?",
            r.first_at as "first_at?", r.last_at as "last_at?", r.from_position as "from_position?",
            r.changed_at as "changed_at?", r.present as "present?"
            "#,
            "score",
            r#"
                m.known, m.shown, c.stats_visibility, a.wallets, w.complete, n.ranked,
                n.ahead, n.exact, (
                    select max(v.from_position)
                    from identity_work_versions v
                    where v.from_position <= s.position
                ) as ranked_at, t.work_type, t.accepted, t.rejected, t.score::text as score, t.first_at, t.last_at,
                t.from_position, t.present, u.occurred_at as changed_at
            "#,
            (r#"
                left join identities c on c.identity_id = $3
                cross join lateral (
                    select count(*) as wallets
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
                ) a
                left join lateral (
                    -- From type to type along the key: a total has as many versions as the identity submissions.
                    with recursive named (work_type) as (
                        select min(v.work_type)
                        from identity_work_versions v
                        where v.identity_id = $3
                        union all
                        select (
                            select min(v.work_type)
                            from identity_work_versions v
                            where v.identity_id = $3
                                and v.work_type > p.work_type
                        )
                        from named p
                        where p.work_type is not null
                    )
                    select
                        p.work_type, i.accepted, i.rejected, i.score, i.first_at, i.last_at, i.from_position, i.present
                    from named p
                    cross join lateral (
                        select
                            v.accepted, v.rejected, v.score, v.first_at, v.last_at, v.from_position, v.present
                        from identity_work_versions v
                        where v.identity_id = $3
                            and v.work_type = p.work_type
                            and v.from_position <= s.position
                        order by v.from_position desc
                        limit 1
                    ) i
                ) t on m.shown
                left join log.log_units u on u.end_position = t.from_position
            "#),
            "order by r.work_type"
            $(, $argument)*
        )?;
        let newest = rows.iter().max_by_key(|row| row.from_position).and_then(|row| row.changed_at);
        let Some(first) = rows.first() else { return Err(sqlx::Error::RowNotFound) };
        let mut found = Found {
            exact: first.exact == Some(true),
            known: first.known,
            shown: first.shown,
            stats_visibility: first.stats_visibility.clone(),
            wallets: first.wallets,
            complete: first.complete,
            ranked: first.ranked,
            ahead: first.ahead,
            ranked_at: first.ranked_at,
            updated_at: newest,
            totals: Vec::new(),
        };
        let totals = rows.into_iter().filter(|row| row.present == Some(true)).filter_map(|row| {
            Some(Total {
                work_type: row.work_type?,
                accepted: row.accepted?,
                rejected: row.rejected?,
                score: row.score?,
                first_at: row.first_at,
                last_at: row.last_at,
            })
        });
        found.totals = totals.collect();
        (at, found)
    }};
}

/// Reads what an identity contributed, if it is known at the position and shows its statistics now; with `explain`, also
/// the events behind it.
///
/// `views` must contain `work`, `wallets`, `identities`, `heads` and `blocks`, and what else the answer is made of; the key of
/// the question, whether a source stands still, because that changes `complete` and no view.
pub(crate) async fn read_stats(
    db: &mut PgConnection,
    at: At,
    views: &[&str],
    identity_id: &IdentityId,
    explain: bool,
) -> sqlx::Result<(Stamp, Shown<WorkStats>)> {
    let (id, all) = (identity_id.as_bytes().as_slice(), Family::All.name());
    let (at, found) = as_kept!(
        at == At::Now,
        stats_at!(standing_now, db, at, views, id, all, all),
        |keeps| stats_at!(standing_then "$6", db, at, views, id, all, all, keeps),
        |read| read.1.exact,
    );
    let (known, shown) = (found.known, found.shown);
    let ranked = found.ranked.unwrap_or_default();
    let rank = found.ahead.map(|ahead| ahead + 1);
    let mut stats = WorkStats {
        identity_id: identity_id.to_string(),
        stats_visibility: found.stats_visibility.unwrap_or_default(),
        accepted: 0,
        rejected: 0,
        total_nuw_completed: 0,
        total_boinc_credits: decimal("0"),
        totals: Vec::new(),
        work_breakdown: BTreeMap::new(),
        active_since: None,
        last_contribution: None,
        wallets_counted: found.wallets.unwrap_or_default(),
        rank,
        ranked,
        rank_percentile: rank.and_then(|rank| percentile(rank, ranked)),
        ranked_at_position: found.ranked_at,
        complete: found.complete.unwrap_or_default(),
        updated_at: found.updated_at.map(rfc3339_micros),
        provenance: None,
    };
    stats.add(found.totals);
    if explain && known == Some(true) && shown == Some(true) {
        stats.provenance = Some(causes::of_identity(db, at.position, identity_id).await?);
    }
    Ok((at, Shown::when(known, shown, || stats)))
}

impl WorkStats {
    fn add(&mut self, totals: Vec<Total>) {
        let of = |family: Family| totals.iter().find(|total| total.work_type == family.name());
        if let Some(all) = of(Family::All) {
            (self.accepted, self.rejected) = (all.accepted, all.rejected);
            self.active_since = all.first_at.map(rfc3339_micros);
            self.last_contribution = all.last_at.map(rfc3339_micros);
        }
        self.totals = Family::EACH.into_iter().map(|family| FamilyTotal::new(family, of(family))).collect();
        self.total_nuw_completed = of(Family::Nuw).map_or(0, |nuw| nuw.accepted);
        self.total_boinc_credits = of(Family::Boinc).map_or_else(|| decimal("0"), |boinc| decimal(&boinc.score));
        // `all` and `nuw` are sums of types; no record spells them.
        let types = totals.iter().filter(|total| !["all", "nuw"].contains(&total.work_type.as_str()));
        self.work_breakdown = types.filter(|total| total.accepted > 0).map(breakdown_part).collect();
    }
}

impl FamilyTotal {
    fn new(family: Family, total: Option<&Total>) -> Self {
        Self {
            family: family.name(),
            accepted: total.map_or(0, |total| total.accepted),
            rejected: total.map_or(0, |total| total.rejected),
            score: decimal(total.map_or("0", |total| &total.score)),
            unit: family.unit(),
            first_contribution: total.and_then(|total| total.first_at).map(rfc3339_micros),
            last_contribution: total.and_then(|total| total.last_at).map(rfc3339_micros),
        }
    }
}

fn breakdown_part(total: &Total) -> (String, BreakdownPart) {
    let part = BreakdownPart { accepted: total.accepted, score: decimal(&total.score), unit: unit(&total.work_type) };
    (total.work_type.clone(), part)
}

/// What one identity contributed.
#[derive(Debug, Clone)]
pub struct OneWorkStats {
    /// The identity.
    pub identity_id: IdentityId,
    /// Whether a source stands still, as the server last saw it: a kept answer ends when that changes.
    pub stalled: bool,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

impl Query for OneWorkStats {
    const VIEWS: &'static [&'static str] = &["work", "wallets", "identities", "heads", "blocks"];
    const KEEP: Keep = Keep::Visible;
    type Answer = Shown<WorkStats>;

    fn key(&self) -> String {
        format!("work stats:{}:{}:{}", self.identity_id, self.stalled, self.explain)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, value) = read_stats(db, at, Self::VIEWS, &self.identity_id, self.explain).await?;
        Ok(Stamped { at, value })
    }
}
