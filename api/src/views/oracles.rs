//! Oracles: who validates work, and how well.

mod breakdown;
mod performance;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use schema::event::rfc3339_micros;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};

pub use breakdown::{ActiveHour, TypeShare};
pub use performance::{Latency, OneOracle, OraclePerformance};

/// An oracle and what it has done: one that is registered, or that any record of work names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Oracle {
    /// Its id at its source.
    #[schema(example = "boinc-1")]
    pub oracle_id: String,
    /// Name of the chain or source.
    #[schema(example = "chert")]
    pub chain: String,
    /// Name to show; null when it is not registered.
    #[schema(example = "BOINC oracle one")]
    pub name: Option<String>,
    /// Whether it is registered. What names an unregistered one counts nothing.
    #[schema(example = true)]
    pub registered: bool,
    /// Account that speaks for it, canonical.
    #[schema(example = "0x5b38da6a701c568545dcfcb03fcb875f56beddc4")]
    pub oracle_address: Option<String>,
    /// Block time of the registration, RFC 3339 UTC.
    #[schema(format = DateTime, example = "2026-01-18T21:00:00.000000Z")]
    pub registered_at: Option<String>,
    /// Submissions that it validated and that counted when they came; also those rejected later.
    #[schema(example = 1204)]
    pub validations: i64,
    /// Its rejections.
    #[schema(example = 12)]
    pub rejections: i64,
    /// Submissions with a signature in its name that does not hold.
    #[schema(example = 0)]
    pub refuted: i64,
    /// Submissions and rejections in its name that nothing proves to be its own.
    #[schema(example = 0)]
    pub unproven: i64,
    /// Submissions with an id that had counted before.
    #[schema(example = 1)]
    pub repeated: i64,
    /// Base units that it was slashed by in all; a decimal number that moves no balance.
    #[schema(example = "0")]
    pub slashed: String,
    /// How often it was slashed.
    #[schema(example = 0)]
    pub slash_count: i64,
    /// Block time of its last accepted submission or rejection, RFC 3339 UTC; null before the first.
    #[schema(format = DateTime, example = "2026-03-01T12:00:00.000000Z")]
    pub last_at: Option<String>,
}

/// The columns of an oracle, as `oracle_columns!` are read.
struct Columns {
    oracle_id: Option<String>,
    chain: Option<String>,
    name: Option<String>,
    oracle_address: Option<String>,
    registered_at: Option<DateTime<Utc>>,
    accepted: Option<i64>,
    rejected: Option<i64>,
    refuted: Option<i64>,
    unproven: Option<i64>,
    repeated: Option<i64>,
    slashed: Option<String>,
    slash_count: Option<i64>,
    last_at: Option<DateTime<Utc>>,
}

impl Columns {
    fn oracle(self) -> Option<Oracle> {
        Some(Oracle {
            oracle_id: self.oracle_id?,
            chain: self.chain?,
            name: self.name,
            registered: self.oracle_address.is_some(),
            oracle_address: self.oracle_address,
            registered_at: self.registered_at.map(rfc3339_micros),
            validations: self.accepted?,
            rejections: self.rejected?,
            refuted: self.refuted?,
            unproven: self.unproven?,
            repeated: self.repeated?,
            slashed: self.slashed.unwrap_or_else(|| "0".to_owned()),
            slash_count: self.slash_count.unwrap_or_default(),
            last_at: self.last_at.map(rfc3339_micros),
        })
    }
}

/// The columns of a row that holds those of an oracle among others.
macro_rules! columns_from {
    ($row:expr) => {
        $crate::views::oracles::Columns {
            oracle_id: $row.oracle_id,
            chain: $row.chain,
            name: $row.name,
            oracle_address: $row.oracle_address,
            registered_at: $row.registered_at,
            accepted: $row.accepted,
            rejected: $row.rejected,
            refuted: $row.refuted,
            unproven: $row.unproven,
            repeated: $row.repeated,
            slashed: $row.slashed,
            slash_count: $row.slash_count,
            last_at: $row.last_at,
        }
    };
}
use columns_from;

/// Sort key of an oracle: its source and its id there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OracleKey {
    source_id: i32,
    oracle_id: String,
}

impl fmt::Display for OracleKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source_id, self.oracle_id)
    }
}

/// A text that is not the sort key of an oracle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a place in a list of oracles")]
pub struct BadOracleKey;

impl FromStr for OracleKey {
    type Err = BadOracleKey;
    fn from_str(text: &str) -> Result<Self, BadOracleKey> {
        let (source_id, oracle_id) = text.split_once(':').ok_or(BadOracleKey)?;
        let source_id = source_id.parse().map_err(|_| BadOracleKey)?;
        Ok(Self { source_id, oracle_id: oracle_id.to_owned() })
    }
}

/// Every oracle, by source and id.
#[derive(Debug, Clone)]
pub struct OracleList {
    /// Only of this source.
    pub source_id: Option<i32>,
    /// Only what comes behind this.
    pub after: Option<OracleKey>,
    /// Items on a page.
    pub limit: i64,
}

/// The statement: `$3` is the source or null, `$4` and `$5` the key before, `$6` the limit.
macro_rules! oracles_at {
    ($db:expr, $at:expr, $views:expr $(, $argument:expr)* $(,)?) => {
        stamped!(
            $db,
            $at,
            $views,
            r#"
            r.source_id as "source_id?", r.oracle_id as "oracle_id?", r.chain as "chain?", r.name as "name?",
            r.oracle_address as "oracle_address?", r.registered_at as "registered_at?", r.accepted as "accepted?",
            r.rejected as "rejected?", r.refuted as "refuted?", r.unproven as "unproven?", r.repeated as "repeated?",
            r.slashed as "slashed?", r.slash_count as "slash_count?", r.last_at as "last_at?",
            r.is_last as "is_last?"
            "#,
            r#"
                select
                    k.source_id, k.oracle_id, k.is_last, src.name as chain, o.name, o.oracle_address, o.registered_at, a.accepted,
                    a.rejected, a.refuted, a.unproven, a.repeated, o.slashed::text as slashed, o.slash_count, a.last_at
                from (
                    -- From oracle to oracle along the key, until the page is full: each has as many versions as blocks with
                    -- any of its work.
                    with recursive named (source_id, oracle_id, is_there, found, looked_at) as (
                        select coalesce($4, $3, 0), coalesce($5, ''), false, 0::bigint, 0
                        union all
                        select
                            n.source_id, n.oracle_id, coalesce(a.present, false),
                            p.found + case when a.present then 1 else 0 end, p.looked_at + 1
                        from named p
                        cross join lateral (
                            select v.source_id, v.oracle_id
                            from oracle_activity_versions v
                            where (v.source_id, v.oracle_id) > (p.source_id, p.oracle_id)
                                and v.source_id <= coalesce($3, 2147483647)
                            order by v.source_id, v.oracle_id
                            limit 1
                        ) n
                        left join lateral (
                            -- Along the key: the newest version of an oracle that rests lies far behind those of all others.
                            select v.source_id, v.oracle_id, v.present
                            from oracle_activity_versions v
                            where (v.source_id, v.oracle_id, v.from_position) <= (n.source_id, n.oracle_id, s.position)
                            order by v.source_id desc, v.oracle_id desc, v.from_position desc
                            limit 1
                        ) a on (a.source_id, a.oracle_id) = (n.source_id, n.oracle_id)
                        where p.found <= $6::bigint
                            and p.looked_at < 10000
                    )
                    -- The last of so many is shown in any case, if only as where the next page begins.
                    select p.source_id, p.oracle_id, p.is_there, p.looked_at = 10000 as is_last
                    from named p
                    where p.is_there
                        or p.looked_at = 10000
                    order by p.source_id, p.oracle_id
                    limit $6::bigint + 1
                ) k
                left join lateral (
                    select v.accepted, v.rejected, v.refuted, v.unproven, v.repeated, v.last_at
                    from oracle_activity_versions v
                    where (v.source_id, v.oracle_id, v.from_position) <= (k.source_id, k.oracle_id, s.position)
                    order by v.source_id desc, v.oracle_id desc, v.from_position desc
                    limit 1
                ) a on k.is_there
                left join lateral (
                    select v.name, v.oracle_address, v.registered_at, v.slashed, v.slash_count, v.present
                    from oracles_versions v
                    where v.source_id = k.source_id
                        and v.oracle_id = k.oracle_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) o on o.present
                join log.sources src on src.source_id = k.source_id
            "#,
            "order by r.source_id, r.oracle_id"
            $(, $argument)*
        )
    };
}

impl Query for OracleList {
    const VIEWS: &'static [&'static str] = &["performance", "oracles"];
    type Answer = Rows<Oracle>;

    fn key(&self) -> String {
        let after = self.after.as_ref().map(ToString::to_string);
        format!("oracles:{:?}:{}:{after:?}", self.source_id, self.limit)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let after = self.after.as_ref().map(|key| (key.source_id, key.oracle_id.as_str())).unzip();
        let (at, rows) = oracles_at!(db, at, Self::VIEWS, self.source_id, after.0, after.1, self.limit)?;
        let last = rows.last().filter(|row| row.is_last == Some(true));
        let last = last.and_then(|row| {
            Some(OracleKey { source_id: row.source_id?, oracle_id: row.oracle_id.clone()? }.to_string())
        });
        let items = rows.into_iter().filter_map(|row| {
            let key = OracleKey { source_id: row.source_id?, oracle_id: row.oracle_id.clone()? };
            Some((key, columns_from!(row).oracle()?))
        });
        let page = Rows::page(items.collect(), self.limit, |(key, _): &(OracleKey, Oracle)| key.to_string());
        let items = page.items.into_iter().map(|(_, oracle)| oracle).collect();
        Ok(Stamped { at, value: Rows { items, next: page.next.or(last), count: None } })
    }
}
