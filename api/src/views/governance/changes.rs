//! How a proposal came to be what it is: every version of it, and what each changed.

use std::collections::BTreeMap;

use schema::event::rfc3339_micros;
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};
use crate::views::changes::{Action, Changed, action};

/// What the versions of a proposal are compared by, in the order of the statement. What it says beyond its title never
/// changes.
const FIELDS: [&str; 20] = [
    "proposer_identity",
    "proposal_type",
    "title",
    "quorum",
    "voting_starts_at",
    "voting_ends_at",
    "status",
    "computed_outcome",
    "final_outcome",
    "votes_for",
    "votes_against",
    "votes_abstain",
    "voters",
    "claimed_for",
    "claimed_against",
    "claimed_abstain",
    "opened_height",
    "finalized_at",
    "executed_at",
    "cancelled_at",
];

/// One change of a proposal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProposalChange {
    /// Position in the log from which on it holds.
    pub position: i64,
    /// Chain whose block or retraction made the change.
    #[schema(example = "chert")]
    pub chain: Option<String>,
    /// Height of the block; null for a retraction.
    pub height: Option<i64>,
    /// Hash of the block, hex; null for a retraction.
    pub block: Option<String>,
    /// Time of the block, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub occurred_at: Option<String>,
    /// `event` when the block says something of the proposal, `time` when its time alone made the change, `retracted` when
    /// a reorganisation took something back.
    pub reason: ProposalChangeReason,
    /// Whether it came to be, changed, or went away.
    pub action: Action,
    /// The fields that changed, by name.
    pub changed: BTreeMap<&'static str, Changed>,
}

/// Why a proposal changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProposalChangeReason {
    /// The block says something of the proposal.
    Event,
    /// The block says nothing of the proposal, but its time opened or ended voting.
    Time,
    /// A reorganisation took something back.
    Retracted,
}

/// The changes of a proposal, newest first; sort key is the position. None when there never was such a proposal.
#[derive(Debug, Clone)]
pub struct ProposalChanges {
    /// The chain.
    pub source_id: i32,
    /// Number of the proposal there.
    pub proposal_id: i64,
    /// Only changes before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
}

/// The statement; `fields` are the columns of the version `v` in the order of [`FIELDS`].
macro_rules! changes_at {
    ($db:expr, $at:expr, $views:expr, $fields:literal $(, $argument:expr)* $(,)?) => {
        stamped!(
            $db,
            $at,
            $views,
            r#"
            r.known as "known?", r.from_position as "from_position?", r.present as "present?",
            r.was_present as "was_present?", r.new as "new?: Vec<Option<String>>", r.old as "old?: Vec<Option<String>>",
            r.chain as "chain?", r.height as "height?", r.block_hash as "block_hash?", r.occurred_at as "occurred_at?",
            r.retracted as "retracted?", r.told as "told?"
            "#,
            (r#"
            select
                k.known, c.from_position, c.present, coalesce(b.present, false) as was_present, c.fields as new,
                b.fields as old, src.name as chain, u.height, u.block_hash, u.occurred_at,
                x.at_position is not null as retracted, exists (
                    select 1
                    from log.subjects sub
                    join log.event_subjects es on es.subject_id = sub.subject_id
                    where sub.namespace = 3
                        and sub.subject = $4::bigint::text
                        and coalesce(sub.source_id, 0) = $3
                        and es.position between u.first_position and u.end_position
                ) as told
            from (
                select exists (
                    select 1
                    from proposals_versions v
                    where v.source_id = $3
                        and v.proposal_id = $4
                        and v.from_position <= s.position
                ) as known
            ) k
            left join lateral (
                select v.from_position, v.present, "# + $fields + r#" as fields
                from proposals_versions v
                where v.source_id = $3
                    and v.proposal_id = $4
                    and v.from_position <= s.position
                    and v.from_position < coalesce($5, 9223372036854775807)
                order by v.from_position desc
                limit $6::bigint + 1
            ) c on true
            left join lateral (
                select v.present, "# + $fields + r#" as fields
                from proposals_versions v
                where v.source_id = $3
                    and v.proposal_id = $4
                    and v.from_position < c.from_position
                order by v.from_position desc
                limit 1
            ) b on true
            left join log.log_units u on u.end_position = c.from_position
            left join log.sources src on src.source_id = u.source_id
            left join log.retractions x on x.at_position = c.from_position
            "#),
            "order by r.from_position desc"
            $(, $argument)*
        )
    };
}

impl Query for ProposalChanges {
    const VIEWS: &'static [&'static str] = &["proposals"];
    type Answer = Option<Rows<ProposalChange>>;

    fn key(&self) -> String {
        format!("{self:?}")
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, rows) = changes_at!(
            db,
            at,
            Self::VIEWS,
            r#"
                array[
                    encode(v.proposer_identity, 'hex'), v.proposal_type, v.title, v.quorum::text,
                    to_char(v.voting_starts_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    to_char(v.voting_ends_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), v.status,
                    v.computed_outcome, v.final_outcome, v.votes_for::text, v.votes_against::text, v.votes_abstain::text,
                    v.voters::text, v.claimed_for::text, v.claimed_against::text, v.claimed_abstain::text,
                    v.opened_height::text, to_char(v.finalized_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    to_char(v.executed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    to_char(v.cancelled_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
                ]
            "#,
            self.source_id,
            self.proposal_id,
            self.before,
            self.limit,
        )?;
        if !rows.first().and_then(|row| row.known).unwrap_or_default() {
            return Ok(Stamped { at, value: None });
        }
        let items = rows.into_iter().filter_map(|row| {
            let (present, was_present) = (row.present?, row.was_present?);
            let (old, new) = (row.old.unwrap_or_default(), row.new?);
            Some(ProposalChange {
                position: row.from_position?,
                chain: row.chain,
                height: row.height,
                block: row.block_hash.map(hex::encode),
                occurred_at: row.occurred_at.map(rfc3339_micros),
                reason: reason(row.retracted?, row.told?),
                action: action(was_present, present),
                changed: compared(was_present.then_some(old), present.then_some(new)),
            })
        });
        let page = Rows::page(items.collect(), self.limit, |change: &ProposalChange| change.position.to_string());
        Ok(Stamped { at, value: Some(page) })
    }
}

fn reason(retracted: bool, told: bool) -> ProposalChangeReason {
    match (retracted, told) {
        (true, _) => ProposalChangeReason::Retracted,
        (false, true) => ProposalChangeReason::Event,
        (false, false) => ProposalChangeReason::Time,
    }
}

/// The fields that differ between two versions; a version that is not there has no field.
fn compared(old: Option<Vec<Option<String>>>, new: Option<Vec<Option<String>>>) -> BTreeMap<&'static str, Changed> {
    let field = |version: &Option<Vec<Option<String>>>, index: usize| {
        version.as_ref().and_then(|fields| fields.get(index).cloned().flatten())
    };
    let differs = |(index, name): (usize, &&'static str)| {
        let change = Changed { from: field(&old, index), to: field(&new, index) };
        (change.from != change.to).then_some((*name, change))
    };
    FIELDS.iter().enumerate().filter_map(differs).collect()
}
