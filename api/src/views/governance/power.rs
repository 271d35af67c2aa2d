//! Voting power: what an identity's vote weighs on a chain, and what that is made of.

use schema::chain::IdentityId;
use schema::event::Namespace;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::causes;
use super::delegations::with_delegations;
use crate::view::{At, Query, Stamped, stamped};
use crate::views::provenance::{self, Provenance};

/// Voting power of an identity on one chain: `own_stake` + `delegated_in` − `delegated_out`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Power {
    /// Name of the chain.
    #[schema(example = "chert")]
    pub chain: String,
    /// The identity, hex.
    pub identity_id: String,
    /// What its vote would weigh; a decimal number.
    #[schema(example = "70")]
    pub power: String,
    /// Base units staked by the wallets that belong to it; a decimal number.
    #[schema(example = "50")]
    pub own_stake: String,
    /// What counts of the delegations to it; a decimal number.
    #[schema(example = "30")]
    pub delegated_in: String,
    /// What counts of its own delegations; a decimal number, never above `own_stake`.
    #[schema(example = "10")]
    pub delegated_out: String,
    /// The addresses of the chain that belong to it, and what each has staked; together that is `own_stake`.
    pub wallets: Vec<CountingWallet>,
    /// Who has given it power: the 50 of whom most counts, with `delegated_in` as the sum over all.
    pub delegators: Vec<DelegationShare>,
    /// How many have given it power.
    pub delegator_count: i64,
    /// To whom it has given power: the 50 of whom most counts, with `delegated_out` as the sum over all.
    pub delegatees: Vec<DelegationShare>,
    /// To how many it has given power.
    pub delegatee_count: i64,
    /// False when the chain was not followed from genesis, or a transaction on it could not be understood.
    pub complete: bool,
    /// The events behind the answer (stakes, wallet links, delegations); only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// An address whose stake is voting power of its owner.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CountingWallet {
    /// The address in canonical form.
    pub wallet_address: String,
    /// Base units staked; a decimal number.
    #[schema(example = "50")]
    pub staked: String,
}

/// The other side of a delegation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DelegationShare {
    /// The other identity, hex.
    pub identity_id: String,
    /// Its name.
    pub display_name: Option<String>,
    /// What was given; a decimal number.
    #[schema(example = "30")]
    pub amount: String,
    /// What of it counts; a decimal number.
    #[schema(example = "30")]
    pub counted: String,
}

/// The voting power of an identity on one chain.
#[derive(Debug, Clone)]
pub struct OnePower {
    /// The chain.
    pub source_id: i32,
    /// The identity.
    pub identity_id: IdentityId,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

/// Power, and the subjects whose events it is made of: the identity, and its addresses.
pub(super) struct Weighed {
    power: Power,
    identity_subject: Option<i64>,
    /// The numbers of its addresses in `log.subjects`.
    pub(super) wallet_subjects: Vec<i64>,
}

/// The statement of [`OnePower`]: one row for each part, told apart by `part`.
macro_rules! power_at {
    ($db:expr, $at:expr, $views:expr $(, $argument:expr)* $(,)?) => {
        with_delegations!(
            $db,
            $at,
            $views,
            r#"
            r.known as "known?", r.chain as "chain?", r.own_stake as "own_stake?", r.delegated_in as "delegated_in?",
            r.delegated_out as "delegated_out?", r.power as "power?", r.complete as "complete?",
            r.subject_id as "subject_id?", r.part as "part?", r.address_id as "address_id?", r.name as "name?",
            r.other_id as "other_id?", r.amount as "amount?", r.counted as "counted?", r.total as "total?"
            "#,
            r#"
            select
                coalesce(i.present, false) or p.own_stake is not null as known, src.name as chain,
                coalesce(p.own_stake, 0)::text as own_stake, coalesce(p.delegated_in, 0)::text as delegated_in,
                coalesce(p.delegated_out, 0)::text as delegated_out,
                coalesce(p.own_stake + p.delegated_in - p.delegated_out, 0)::text as power, h.complete, sub.subject_id, t.part,
                t.address_id, coalesce(t.name, n.display_name) as name, t.other_id, t.amount::text as amount,
                t.counted::text as counted, t.total
            from log.sources src
            left join lateral (
                select v.present
                from identities_versions v
                where v.identity_id = $4
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) i on true
            left join lateral (
                select v.own_stake, v.delegated_in, v.delegated_out, v.present
                from powers_versions v
                where v.source_id = $3
                    and v.identity_id = $4
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) p on p.present and log.recognised($3, $4, s.position)
            left join lateral (
                select v.complete
                from heads_versions v
                where v.source_id = $3
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) h on true
            left join log.subjects sub
                on sub.namespace = 2
                and sub.subject = encode($4, 'hex')
                and coalesce(sub.source_id, 0) = 0
            left join lateral (
                select
                    'wallet' as part, k.address_id, k.subject as name, null::bytea as other_id, coalesce(b.staked, 0) as amount,
                    coalesce(b.staked, 0) as counted, count(*) over () as total
                from (
                    select distinct l.address_id, a.subject
                    from wallet_links_versions l
                    join log.subjects a on a.subject_id = l.address_id
                    where l.identity_id = $4
                        and l.from_position <= s.position
                        and a.source_id = $3
                ) k
                join lateral (
                    select v.identity_id, v.present
                    from wallet_owners_versions v
                    where v.address_id = k.address_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) o on o.present and o.identity_id = $4
                left join lateral (
                    select v.staked, v.present
                    from balances_versions v
                    where v.source_id = $3
                        and v.address_id = k.address_id
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ) b on b.present
                union all
                (
                    select 'in', null, null, g.delegator_id, g.amount, g.counted, count(*) over () as total
                    from received g
                    order by g.counted desc, g.claim_position
                    limit 50
                )
                union all
                (
                    select 'out', null, null, g.delegatee_id, g.amount, g.counted, count(*) over () as total
                    from given g
                    order by g.counted desc, g.claim_position
                    limit 50
                )
            ) t on log.recognised($3, $4, s.position)
            left join lateral (
                select
                    case
                        when v.present and log.recognised($3, t.other_id, s.position) then v.display_name
                    end as display_name
                from identities_versions v
                where v.identity_id = t.other_id
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) n on true
            where src.source_id = $3
            "#,
            r#"order by r.part, r.counted::numeric desc, r.name collate "C", r.other_id"#
            $(, $argument)*
        )
    };
}

/// One row of the statement: a wallet, a delegator or a delegatee.
struct Part {
    part: String,
    address_id: Option<i64>,
    name: Option<String>,
    other_id: Option<Vec<u8>>,
    amount: String,
    counted: String,
    total: i64,
}

impl Weighed {
    fn add(&mut self, part: Part) {
        let power = &mut self.power;
        let Part { amount, counted, name, total, .. } = part;
        match (part.part.as_str(), part.other_id) {
            ("in", Some(other)) => {
                let identity_id = hex::encode(other);
                power.delegators.push(DelegationShare { identity_id, display_name: name, amount, counted });
                power.delegator_count = total;
            }
            ("out", Some(other)) => {
                let identity_id = hex::encode(other);
                power.delegatees.push(DelegationShare { identity_id, display_name: name, amount, counted });
                power.delegatee_count = total;
            }
            (_, _) => {
                power.wallets.extend(name.map(|wallet_address| CountingWallet { wallet_address, staked: counted }));
                self.wallet_subjects.extend(part.address_id);
            }
        }
    }
}

impl OnePower {
    /// Reads a voting power; `views` are those of the asking query, these among them.
    pub(super) async fn read(
        &self,
        db: &mut PgConnection,
        at: At,
        views: &[&str],
    ) -> sqlx::Result<Stamped<Option<Weighed>>> {
        let (at, rows) = power_at!(db, at, views, self.source_id, self.identity_id.as_bytes().as_slice())?;
        let weighed = rows.first().filter(|row| row.known == Some(true)).and_then(|row| {
            let power = Power {
                chain: row.chain.clone()?,
                identity_id: self.identity_id.to_string(),
                power: row.power.clone()?,
                own_stake: row.own_stake.clone()?,
                delegated_in: row.delegated_in.clone()?,
                delegated_out: row.delegated_out.clone()?,
                wallets: Vec::new(),
                delegators: Vec::new(),
                delegator_count: 0,
                delegatees: Vec::new(),
                delegatee_count: 0,
                complete: row.complete.unwrap_or_default(),
                provenance: None,
            };
            Some(Weighed { power, identity_subject: row.subject_id, wallet_subjects: Vec::new() })
        });
        let Some(mut weighed) = weighed else { return Ok(Stamped { at, value: None }) };
        let parts = rows.into_iter().filter_map(|row| {
            Some(Part {
                part: row.part?,
                address_id: row.address_id,
                name: row.name,
                other_id: row.other_id,
                amount: row.amount?,
                counted: row.counted?,
                total: row.total?,
            })
        });
        parts.for_each(|part| weighed.add(part));
        Ok(Stamped { at, value: Some(weighed) })
    }
}

impl Query for OnePower {
    const VIEWS: &'static [&'static str] = &["powers", "wallets", "balances", "identities", "heads"];
    type Answer = Option<Power>;

    fn key(&self) -> String {
        format!("power:{}:{}:{}", self.source_id, self.identity_id, self.explain)
    }

    fn views(&self) -> &'static [&'static str] {
        if self.explain { &["powers", "wallets", "balances", "identities", "heads", "findings"] } else { Self::VIEWS }
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let Stamped { at, value } = self.read(db, at, self.views()).await?;
        let Some(Weighed { mut power, identity_subject, wallet_subjects }) = value else {
            return Ok(Stamped { at, value: None });
        };
        if self.explain {
            let link = provenance::events_link(Namespace::Identity, &power.identity_id, Some(&power.chain));
            let of = causes::Part {
                source_id: self.source_id,
                identity_id: &self.identity_id,
                identity: identity_subject,
                wallets: &wallet_subjects,
                kinds: causes::POWER,
            };
            power.provenance = Some(causes::of_part(db, at.position, of, link).await?);
        }
        Ok(Stamped { at, value: Some(power) })
    }
}
