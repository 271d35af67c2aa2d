//! What a proposal looks like, and the parts that the statements about proposals share.

use serde::Serialize;
use utoipa::ToSchema;

pub(super) const VIEWS: &[&str] = &["proposals", "identities"];

/// A proposal of a chain with its status by block time and its exact tally.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Proposal {
    /// Name of the chain.
    #[schema(example = "chert")]
    pub chain: String,
    /// Number of the proposal there; a decimal number.
    #[schema(example = "7")]
    pub proposal_id: String,
    /// Identity that proposed it, hex.
    pub proposer_identity: String,
    /// Name of that identity.
    #[schema(example = "Zoë")]
    pub proposer_display_name: Option<String>,
    /// Kind of proposal, in the words of the chain.
    #[schema(example = "parameter_change")]
    pub proposal_type: String,
    /// At most 256 characters.
    pub title: String,
    /// `pending`, `active`, `ended`, `passed`, `rejected`, `executed` or `cancelled`, by the block time of its chain.
    #[schema(example = "active")]
    pub status: String,
    /// What it came to: `passed` or `rejected`; as the chain finalized it, else by the tally once voting has ended. Null
    /// before, and when it was cancelled.
    #[schema(example = "passed")]
    pub outcome: Option<String>,
    /// `passed` or `rejected` by the tally here; null while votes still count.
    pub computed_outcome: Option<String>,
    /// `passed` or `rejected` as the chain finalized it; null before.
    pub final_outcome: Option<String>,
    /// Whether the chain finalized something else than the tally here says.
    pub outcome_differs: bool,
    /// Power that for, against and abstain need together; a decimal number, 0 when none is stated.
    #[schema(example = "50")]
    pub quorum: String,
    /// Whether they have it.
    pub quorum_reached: bool,
    /// Power of the votes for it that count; a decimal number.
    #[schema(example = "30")]
    pub votes_for: String,
    /// Power of the votes against it that count; a decimal number.
    #[schema(example = "20")]
    pub votes_against: String,
    /// Power of the abstentions that count, towards the quorum only; a decimal number.
    #[schema(example = "5")]
    pub votes_abstain: String,
    /// The three together; a decimal number.
    #[schema(example = "55")]
    pub votes_total: String,
    /// Identities whose vote counts.
    pub voters: i64,
    /// Votes for it as the chain claimed them when finalizing; a decimal number, null when it claimed none.
    pub claimed_for: Option<String>,
    /// Votes against it as the chain claimed them when finalizing; a decimal number, null when it claimed none.
    pub claimed_against: Option<String>,
    /// Abstentions as the chain claimed them when finalizing; a decimal number, null when it claimed none.
    pub claimed_abstain: Option<String>,
    /// Votes count from this block time on, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub voting_starts_at: String,
    /// Votes count up to this block time, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub voting_ends_at: String,
    /// Height of the block that opened voting; votes have the power that `/v1/governance/power/{identity_id}` shows as of
    /// this height. Null while voting has not opened.
    pub opened_height: Option<i64>,
    /// Block time of the proposal, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Block time of its newest change, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub updated_at: String,
    /// Block time of its finalization, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub finalized_at: Option<String>,
    /// Block time of its execution, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub executed_at: Option<String>,
    /// Block time of its cancellation, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub cancelled_at: Option<String>,
    /// Position of its event in the log.
    pub position: i64,
}

/// A stamped statement whose rows may begin with what stood on chain `$3`: `standing` has one row for each proposal, with
/// its version at the position.
///
/// What has not changed since is read from the current table. Proposals that have are looked up one by one, those among
/// them that a later retraction took away.
macro_rules! with_proposals {
    ($db:expr, $at:expr, $views:expr, $columns:literal, ($($rows:tt)+), $order:literal $(, $argument:expr)* $(,)?) => {
        stamped!(
            $db,
            $at,
            $views,
            $columns,
            (r#"
            with changed as materialized (
                select
                    v.proposal_id, v.from_position, v.claim_position, v.proposer_identity, v.proposal_type, v.status,
                    v.computed_outcome, v.voting_ends_at, v.opened_position, v.created_at
                from (
                    select c.proposal_id
                    from proposals c
                    where c.source_id = $3
                        and c.from_position > s.position
                        and c.claim_position <= s.position
                        -- Asked once: a question about now reads no row here.
                        and (select max(n.from_position) from proposals_versions n) > s.position
                    union
                    select g.proposal_id
                    from log.retractions x
                    join proposals_versions g on g.from_position = x.at_position
                    where x.source_id = $3
                        and x.first_position <= s.position
                        and x.at_position > s.position
                        and g.source_id = $3
                        and not g.present
                ) k
                cross join lateral (
                    select
                        o.proposal_id, o.from_position, o.claim_position, o.proposer_identity, o.proposal_type, o.status,
                        o.computed_outcome, o.voting_ends_at, o.opened_position, o.created_at, o.present
                    from proposals_versions o
                    where o.source_id = $3
                        and o.proposal_id = k.proposal_id
                        and o.from_position <= s.position
                    order by o.from_position desc
                    limit 1
                ) v
                where v.present
            ), standing as not materialized (
                select
                    c.proposal_id, c.from_position, c.claim_position, c.proposer_identity, c.proposal_type, c.status,
                    c.computed_outcome, c.voting_ends_at, c.opened_position, c.created_at
                from proposals c
                where c.source_id = $3
                    and c.from_position <= s.position
                union all
                select
                    c.proposal_id, c.from_position, c.claim_position, c.proposer_identity, c.proposal_type, c.status,
                    c.computed_outcome, c.voting_ends_at, c.opened_position, c.created_at
                from changed c
            )
            "# + $($rows)+),
            $order
            $(, $argument)*
        )
    };
}
pub(super) use with_proposals;

/// Proposals of chain `$3` by their versions: `keys` is a select that gives `ordinal, counted, proposal_id,
/// from_position`, in which the number may be null where there is none, and the columns that only one proposal shows.
macro_rules! proposals_of {
    ($db:expr, $at:expr, $views:expr, $keys:literal $(, $argument:expr)* $(,)?) => {
        with_proposals!(
            $db,
            $at,
            $views,
            r#"
            r.ordinal as "ordinal?", r.counted as "counted?", r.body as "body?",
            r.counting as "counting?", r.not_counting as "not_counting?", r.subject_id as "subject_id?",
            r.chain as "chain?", r.proposal_id as "proposal_id?", r.proposer_identity as "proposer_identity?",
            r.display_name as "display_name?", r.proposal_type as "proposal_type?", r.title as "title?",
            r.status as "status?", r.computed_outcome as "computed_outcome?", r.final_outcome as "final_outcome?",
            r.quorum as "quorum?", r.quorum_reached as "quorum_reached?", r.votes_for as "votes_for?",
            r.votes_against as "votes_against?", r.votes_abstain as "votes_abstain?", r.votes_total as "votes_total?",
            r.voters as "voters?", r.claimed_for as "claimed_for?", r.claimed_against as "claimed_against?",
            r.claimed_abstain as "claimed_abstain?", r.voting_starts_at as "voting_starts_at?",
            r.voting_ends_at as "voting_ends_at?", r.opened_height as "opened_height?", r.created_at as "created_at?",
            r.updated_at as "updated_at?", r.finalized_at as "finalized_at?", r.executed_at as "executed_at?",
            r.cancelled_at as "cancelled_at?", r.claim_position as "claim_position?"
            "#,
            (r#"
            select
                k.ordinal, k.counted, k.body, k.counting, k.not_counting, k.subject_id, src.name as chain,
                p.proposal_id::text as proposal_id, p.proposer_identity, n.display_name, p.proposal_type, p.title, p.status,
                p.computed_outcome, p.final_outcome, p.quorum::text as quorum,
                p.votes_for + p.votes_against + p.votes_abstain >= p.quorum as quorum_reached,
                p.votes_for::text as votes_for, p.votes_against::text as votes_against,
                p.votes_abstain::text as votes_abstain,
                (p.votes_for + p.votes_against + p.votes_abstain)::text as votes_total, p.voters,
                p.claimed_for::text as claimed_for, p.claimed_against::text as claimed_against,
                p.claimed_abstain::text as claimed_abstain, p.voting_starts_at, p.voting_ends_at, p.opened_height,
                p.created_at, p.updated_at, p.finalized_at, p.executed_at, p.cancelled_at, p.claim_position
            from (
                -- Tells the planner how few rows there are when it does not know the limit inside.
                select *
                from ("# + $keys + r#") few
                limit 101
            ) k
            join log.sources src on src.source_id = $3
            left join proposals_versions p
                on p.source_id = $3
                and p.proposal_id = k.proposal_id
                and p.from_position = k.from_position
            left join lateral (
                select
                    case
                        when v.present and log.recognised($3, p.proposer_identity, s.position) then v.display_name
                    end as display_name
                from identities_versions v
                where v.identity_id = p.proposer_identity
                    and v.from_position <= s.position
                order by v.from_position desc
                limit 1
            ) n on true
            "#),
            "order by r.ordinal, r.claim_position desc"
            $(, $argument)*
        )
    };
}
pub(super) use proposals_of;

/// Makes a proposal of a row whose columns may all be null.
macro_rules! proposal_from {
    ($row:expr) => {{
        let (computed, finalized) = ($row.computed_outcome, $row.final_outcome);
        let status = $row.status?;
        Proposal {
            chain: $row.chain?,
            proposal_id: $row.proposal_id?,
            proposer_identity: hex::encode($row.proposer_identity?),
            proposer_display_name: $row.display_name,
            proposal_type: $row.proposal_type?,
            title: $row.title?,
            outcome: finalized.clone().or_else(|| computed.clone().filter(|_| status == "ended")),
            outcome_differs: finalized.is_some() && computed.is_some() && finalized != computed,
            computed_outcome: computed,
            final_outcome: finalized,
            status,
            quorum: $row.quorum?,
            quorum_reached: $row.quorum_reached?,
            votes_for: $row.votes_for?,
            votes_against: $row.votes_against?,
            votes_abstain: $row.votes_abstain?,
            votes_total: $row.votes_total?,
            voters: $row.voters?,
            claimed_for: $row.claimed_for,
            claimed_against: $row.claimed_against,
            claimed_abstain: $row.claimed_abstain,
            voting_starts_at: rfc3339_micros($row.voting_starts_at?),
            voting_ends_at: rfc3339_micros($row.voting_ends_at?),
            opened_height: $row.opened_height,
            created_at: rfc3339_micros($row.created_at?),
            updated_at: rfc3339_micros($row.updated_at?),
            finalized_at: $row.finalized_at.map(rfc3339_micros),
            executed_at: $row.executed_at.map(rfc3339_micros),
            cancelled_at: $row.cancelled_at.map(rfc3339_micros),
            position: $row.claim_position?,
        }
    }};
}
pub(super) use proposal_from;
