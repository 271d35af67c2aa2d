//! Delegations: who has given voting power to whom, and how much of it counts.

use schema::chain::IdentityId;
use schema::event::rfc3339_micros;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};

/// Power that one identity has given to another.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Delegation {
    /// Name of the chain.
    #[schema(example = "chert")]
    pub chain: String,
    /// What it is to the identity asked about: `given` or `received`.
    pub direction: DelegationDirection,
    /// Who gives, hex.
    pub delegator_identity: String,
    /// Name of that identity.
    pub delegator_display_name: Option<String>,
    /// Who receives, hex.
    pub delegatee_identity: String,
    /// Name of that identity.
    pub delegatee_display_name: Option<String>,
    /// What was given and covered by stake when it was given; a decimal number.
    #[schema(example = "40")]
    pub amount: String,
    /// What counts: the giver's stake covers what it has given in the order in which it was given. A decimal number.
    #[schema(example = "40")]
    pub counted: String,
    /// Block time of the first delegation that stands, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Block time of the newest change of the amount, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Position of the first delegation that stands in the log.
    pub position: i64,
}

/// Which way power goes, seen from the identity asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DelegationDirection {
    /// The identity has given it.
    Given,
    /// The identity has received it.
    Received,
}

/// A stamped statement whose rows may begin with the delegations of identity `$4` on chain `$3`: those `given` and those
/// `received`.
///
/// What has not changed since the position is read from the current table, and the rest key by key: a question about now
/// finds nothing that has changed later.
macro_rules! with_delegations {
    ($db:expr, $at:expr, $views:expr, $columns:literal, $rows:literal, $order:literal $(, $argument:expr)* $(,)?) => {
        stamped!(
            $db,
            $at,
            $views,
            $columns,
            (r#"
            with given as not materialized (
                select
                    d.delegator_id, d.delegatee_id, d.amount, d.counted, d.created_at, d.updated_at, d.claim_position
                from delegations d
                where d.source_id = $3
                    and d.delegator_id = $4
                    and d.from_position <= s.position
                union all
                select
                    v.delegator_id, v.delegatee_id, v.amount, v.counted, v.created_at, v.updated_at, v.claim_position
                from (
                    select distinct o.delegatee_id
                    from delegations_versions o
                    where o.source_id = $3
                        and o.delegator_id = $4
                        and o.from_position > s.position
                ) k
                cross join lateral (
                    select
                        o.delegator_id, o.delegatee_id, o.amount, o.counted, o.created_at, o.updated_at,
                        o.claim_position, o.present
                    from delegations_versions o
                    where o.source_id = $3
                        and o.delegator_id = $4
                        and o.delegatee_id = k.delegatee_id
                        and o.from_position <= s.position
                    order by o.from_position desc
                    limit 1
                ) v
                where v.present
            ), received as not materialized (
                select
                    d.delegator_id, d.delegatee_id, d.amount, d.counted, d.created_at, d.updated_at, d.claim_position
                from delegations d
                where d.source_id = $3
                    and d.delegatee_id = $4
                    and d.from_position <= s.position
                union all
                select
                    v.delegator_id, v.delegatee_id, v.amount, v.counted, v.created_at, v.updated_at, v.claim_position
                from (
                    select distinct o.delegator_id
                    from delegations_versions o
                    where o.source_id = $3
                        and o.delegatee_id = $4
                        and o.from_position > s.position
                ) k
                cross join lateral (
                    select
                        o.delegator_id, o.delegatee_id, o.amount, o.counted, o.created_at, o.updated_at,
                        o.claim_position, o.present
                    from delegations_versions o
                    where o.source_id = $3
                        and o.delegator_id = k.delegator_id
                        and o.delegatee_id = $4
                        and o.from_position <= s.position
                    order by o.from_position desc
                    limit 1
                ) v
                where v.present
            )
            "# + $rows),
            $order
            $(, $argument)*
        )
    };
}
pub(super) use with_delegations;

/// The delegations of an identity on one chain, newest first; sort key is the position. None when nobody ever spoke of such
/// an identity.
#[derive(Debug, Clone)]
pub struct DelegationList {
    /// The chain.
    pub source_id: i32,
    /// The identity.
    pub identity_id: IdentityId,
    /// Only those given, or only those received.
    pub direction: Option<DelegationDirection>,
    /// Only delegations before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
}

impl Query for DelegationList {
    const VIEWS: &'static [&'static str] = &["powers", "identities"];
    type Answer = Option<Rows<Delegation>>;

    fn key(&self) -> String {
        let Self { source_id, identity_id, direction, before, limit } = self;
        format!("delegations:{source_id}:{identity_id}:{direction:?}:{before:?}:{limit}")
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, rows) = with_delegations!(
            db,
            at,
            Self::VIEWS,
            r#"
            r.known as "known?", r.chain as "chain?", r.is_given as "is_given?", r.delegator_id as "delegator_id?",
            r.delegator_name as "delegator_name?", r.delegatee_id as "delegatee_id?", r.delegatee_name as "delegatee_name?",
            r.amount as "amount?", r.counted as "counted?", r.created_at as "created_at?", r.updated_at as "updated_at?",
            r.claim_position as "claim_position?"
            "#,
            r#"
            select
                k.known, src.name as chain, d.is_given, d.delegator_id, a.display_name as delegator_name, d.delegatee_id,
                b.display_name as delegatee_name, d.amount::text as amount, d.counted::text as counted, d.created_at,
                d.updated_at, d.claim_position
            from (
                select exists (
                    select 1
                    from identities_versions v
                    where v.identity_id = $4
                        and v.from_position <= s.position
                ) as known
            ) k
            join log.sources src on src.source_id = $3
            left join lateral (
                select m.*
                from (
                    select true as is_given, g.*
                    from given g
                    where $5
                    union all
                    select false as is_given, g.*
                    from received g
                    where $6
                ) m
                where m.claim_position < coalesce($7, 9223372036854775807)
                order by m.claim_position desc
                limit $8::bigint + 1
            ) d on log.recognised($3, $4, s.position)
            left join lateral (
                select
                    case
                        when v.present and log.recognised($3, d.delegator_id, s.position) then v.display_name
                    end as display_name
                from identities_versions v
                where v.identity_id = d.delegator_id
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) a on true
            left join lateral (
                select
                    case
                        when v.present and log.recognised($3, d.delegatee_id, s.position) then v.display_name
                    end as display_name
                from identities_versions v
                where v.identity_id = d.delegatee_id
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) b on true
            "#,
            "order by r.claim_position desc",
            self.source_id,
            self.identity_id.as_bytes().as_slice(),
            self.direction != Some(DelegationDirection::Received),
            self.direction != Some(DelegationDirection::Given),
            self.before,
            self.limit,
        )?;
        if !rows.first().and_then(|row| row.known).unwrap_or_default() {
            return Ok(Stamped { at, value: None });
        }
        let items = rows.into_iter().filter_map(|row| {
            let direction = if row.is_given? { DelegationDirection::Given } else { DelegationDirection::Received };
            Some(Delegation {
                chain: row.chain?,
                direction,
                delegator_identity: hex::encode(row.delegator_id?),
                delegator_display_name: row.delegator_name,
                delegatee_identity: hex::encode(row.delegatee_id?),
                delegatee_display_name: row.delegatee_name,
                amount: row.amount?,
                counted: row.counted?,
                created_at: rfc3339_micros(row.created_at?),
                updated_at: rfc3339_micros(row.updated_at?),
                position: row.claim_position?,
            })
        });
        let page = Rows::page(items.collect(), self.limit, |delegation: &Delegation| delegation.position.to_string());
        Ok(Stamped { at, value: Some(page) })
    }
}
