//! What an identity does in the governance of a chain: proposals, votes, participation, power.

use schema::chain::IdentityId;
use schema::event::{Namespace, Position, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::causes;
use super::power::OnePower;
use super::proposals::with_proposals;
use crate::view::{At, Query, Stamp, Stamped, stamped};
use crate::views::provenance::{self, Provenance};

/// What an identity does in the governance of one chain.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GovernanceStats {
    /// Name of the chain.
    #[schema(example = "chert")]
    pub chain: String,
    /// The identity, hex.
    pub identity_id: String,
    /// Proposals that it has made and that stand.
    pub proposals_created: i64,
    /// Votes that it has cast and that stand, those superseded and those that do not count too.
    pub votes_cast: i64,
    /// Proposals on which it has a vote that counts.
    pub proposals_voted: i64,
    /// Proposals whose voting window overlapped the identity's existence on this chain: voting has opened, and did not end
    /// before the identity was registered. The window is the one that the proposal states, also when it was decided or cancelled early.
    pub proposals_eligible: i64,
    /// `proposals_voted` ÷ `proposals_eligible` to four digits; null when there was nothing to vote on.
    #[schema(example = 0.6667)]
    pub participation_rate: Option<f64>,
    /// What its vote would weigh: `/v1/governance/power/{identity_id}` has the parts. A decimal number.
    #[schema(example = "70")]
    pub current_voting_power: String,
    /// What counts of the delegations to it; a decimal number.
    #[schema(example = "30")]
    pub delegation_received: String,
    /// What counts of its own delegations; a decimal number.
    #[schema(example = "10")]
    pub delegation_given: String,
    /// False when the chain was not followed from genesis, or a transaction on it could not be understood.
    pub complete: bool,
    /// Block time of its newest vote, proposal or change of power, else of its registration; RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// The events behind the answer (proposals, votes, and what its power is made of); only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// The statistics of an identity, and its number in `log.subjects`.
#[derive(Debug)]
pub(crate) struct Counted {
    /// Number of the identity in `log.subjects`.
    pub subject_id: Option<i64>,
    /// The statistics.
    pub stats: GovernanceStats,
}

/// The statement of [`read_stats`]: `$3` is the chain, `$4` the identity.
macro_rules! stats_at {
    ($db:expr, $at:expr, $views:expr $(, $argument:expr)* $(,)?) => {
        with_proposals!(
            $db,
            $at,
            $views,
            r#"
            r.chain as "chain?", r.subject_id as "subject_id?", r.proposals_created as "proposals_created?",
            r.votes_cast as "votes_cast?", r.proposals_voted as "proposals_voted?",
            r.proposals_eligible as "proposals_eligible?", r.participation_rate as "participation_rate?",
            r.power as "power?", r.delegated_in as "delegated_in?", r.delegated_out as "delegated_out?",
            r.complete as "complete?", r.updated_at as "updated_at?"
            "#,
            (r#"
            select
                src.name as chain, sub.subject_id, p.created as proposals_created, t.cast as votes_cast,
                t.voted as proposals_voted, p.eligible as proposals_eligible,
                round(t.voted::numeric / nullif(p.eligible, 0), 4)::float8 as participation_rate,
                coalesce(w.own_stake + w.delegated_in - w.delegated_out, 0)::text as power,
                coalesce(w.delegated_in, 0)::text as delegated_in, coalesce(w.delegated_out, 0)::text as delegated_out,
                h.complete, coalesce(greatest(p.newest, t.newest, w.changed_at), i.created_at) as updated_at
            from log.sources src
            join lateral (
                select v.created_at, v.present
                from identities_versions v
                where v.identity_id = $4
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) i on i.present
            cross join lateral (
                -- Whom the chain means by the identity is another: nothing of this is theirs.
                select log.recognised($3, $4, s.position) as is_theirs
            ) me
            left join lateral (
                select v.created_at, v.present
                from identity_claims_versions v
                where v.source_id = $3
                    and v.identity_id = $4
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) c on c.present and me.is_theirs
            cross join lateral (
                select
                    count(*) filter (where o.proposer_identity = $4 and me.is_theirs) as created,
                    count(*) filter (
                        where o.opened_position is not null
                            and o.voting_ends_at >= c.created_at
                    ) as eligible,
                    max(o.created_at) filter (where o.proposer_identity = $4 and me.is_theirs) as newest
                from standing o
            ) p
            cross join lateral (
                -- All at once: to look for each vote among many retractions takes long where there are many votes.
                select range_agg(int8range(x.first_position, x.at_position)) as span
                from log.retractions x
                where x.source_id = $3
                    and x.at_position <= s.position
            ) gone
            cross join lateral (
                select
                    count(*) as cast, count(distinct o.proposal_id) filter (where o.counts) as voted,
                    max(o.cast_at) as newest
                from votes o
                where o.voter_identity = $4
                    and me.is_theirs
                    and o.source_id = $3
                    and o.position <= s.position
                    and (o.position <@ gone.span) is not true
            ) t
            left join lateral (
                select
                    v.own_stake, v.delegated_in, v.delegated_out, v.present, (
                        select u.occurred_at
                        from log.log_units u
                        where u.end_position = v.from_position
                    ) as changed_at
                from powers_versions v
                where v.source_id = $3
                    and v.identity_id = $4
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) w on w.present and me.is_theirs
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
            where src.source_id = $3
            "#),
            ""
            $(, $argument)*
        )
    };
}

/// Reads the statistics of an identity on one chain; none when there is no such identity.
///
/// `views` are those of the asking query; [`OneGovernanceStats`] names the ones that this reads.
pub(crate) async fn read_stats(
    db: &mut PgConnection,
    at: At,
    views: &[&str],
    source_id: i32,
    identity_id: &IdentityId,
) -> sqlx::Result<(Stamp, Option<Counted>)> {
    let (at, rows) = stats_at!(db, at, views, source_id, identity_id.as_bytes().as_slice())?;
    let counted = rows.into_iter().next().and_then(|row| {
        let stats = GovernanceStats {
            chain: row.chain?,
            identity_id: identity_id.to_string(),
            proposals_created: row.proposals_created?,
            votes_cast: row.votes_cast?,
            proposals_voted: row.proposals_voted?,
            proposals_eligible: row.proposals_eligible?,
            participation_rate: row.participation_rate,
            current_voting_power: row.power?,
            delegation_received: row.delegated_in?,
            delegation_given: row.delegated_out?,
            complete: row.complete.unwrap_or_default(),
            updated_at: rfc3339_micros(row.updated_at?),
            provenance: None,
        };
        Some(Counted { subject_id: row.subject_id, stats })
    });
    Ok((at, counted))
}

/// What an identity does in the governance of one chain.
#[derive(Debug, Clone)]
pub struct OneGovernanceStats {
    /// The chain.
    pub source_id: i32,
    /// The identity.
    pub identity_id: IdentityId,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

impl Query for OneGovernanceStats {
    const VIEWS: &'static [&'static str] = &["proposals", "powers", "identities", "heads"];
    type Answer = Option<GovernanceStats>;

    fn key(&self) -> String {
        format!("governance stats:{}:{}:{}", self.source_id, self.identity_id, self.explain)
    }

    fn views(&self) -> &'static [&'static str] {
        if self.explain {
            &["proposals", "powers", "wallets", "balances", "identities", "heads", "findings"]
        } else {
            Self::VIEWS
        }
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, counted) = read_stats(db, at, self.views(), self.source_id, &self.identity_id).await?;
        let Some(Counted { subject_id, mut stats }) = counted else { return Ok(Stamped { at, value: None }) };
        if self.explain {
            let link = provenance::events_link(Namespace::Identity, &stats.identity_id, Some(&stats.chain));
            // Whose stakes count is known where power is explained.
            let power = OnePower { source_id: self.source_id, identity_id: self.identity_id, explain: true };
            let weighed = power.read(db, At::Position(Position(at.position)), self.views()).await?.value;
            let of = causes::Part {
                source_id: self.source_id,
                identity_id: &self.identity_id,
                identity: subject_id,
                wallets: &weighed.map(|weighed| weighed.wallet_subjects).unwrap_or_default(),
                kinds: causes::STATS,
            };
            stats.provenance = Some(causes::of_part(db, at.position, of, link).await?);
        }
        Ok(Stamped { at, value: Some(stats) })
    }
}
