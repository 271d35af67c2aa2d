//! One proposal with all that it says, or some by number.

use schema::event::{Event, Kind, Namespace, Proposed, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::proposals::{Proposal, VIEWS, proposal_from, proposals_of, with_proposals};
use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};
use crate::views::provenance::{self, Provenance};

/// Kinds of events that make a proposal what it is.
const CAUSES: &[Kind] =
    &[Kind::Proposed, Kind::Voted, Kind::ProposalFinalized, Kind::ProposalExecuted, Kind::ProposalCancelled];

/// A proposal with all that it says and how its votes divide.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProposalDetail {
    /// What lists show of it.
    #[serde(flatten)]
    pub proposal: Proposal,
    /// At most 10,000 characters.
    pub description: Option<String>,
    /// Addresses that it would call, in order.
    pub targets: Vec<String>,
    /// Base units that it would send to each; decimal numbers.
    pub values: Vec<String>,
    /// Data of each call, as the chain spells it.
    pub calldatas: Vec<String>,
    /// Votes that counted until a later one of the same voter took their place.
    pub superseded_votes: i64,
    /// Votes that never counted; `why` in the list of votes says for what reason.
    pub votes_not_counted: i64,
    /// The events behind the answer; only with `explain=true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
}

/// Up to 100 proposals of a chain in the order asked, repetitions included; null where there is none.
#[derive(Debug, Clone)]
pub struct ProposalBatch {
    /// The chain.
    pub source_id: i32,
    /// Numbers of the proposals.
    pub ids: Vec<i64>,
}

impl Query for ProposalBatch {
    const VIEWS: &'static [&'static str] = VIEWS;
    type Answer = Rows<Option<Proposal>>;

    fn key(&self) -> String {
        format!("proposal batch:{}:{:?}", self.source_id, self.ids)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, rows) = proposals_of!(
            db,
            at,
            VIEWS,
            r#"
                select
                    n.ordinal, null::bigint as counted, v.proposal_id, v.from_position, null::bytea as body,
                    null::bigint as counting, null::bigint as not_counting, null::bigint as subject_id
                from unnest($4::bigint[]) with ordinality n (asked, ordinal)
                left join lateral (
                    select o.proposal_id, o.from_position, o.present
                    from proposals_versions o
                    where o.source_id = $3
                        and o.proposal_id = n.asked
                        and o.from_position <= s.position
                    order by o.from_position desc
                    limit 1
                ) v on v.present
            "#,
            self.source_id,
            &self.ids,
        )?;
        let asked = rows.into_iter().filter(|row| row.ordinal.is_some());
        let items = asked.map(|row| Some(proposal_from!(row))).collect();
        Ok(Stamped { at, value: Rows { items, next: None, count: None } })
    }
}

/// One proposal.
#[derive(Debug, Clone)]
pub struct OneProposal {
    /// The chain.
    pub source_id: i32,
    /// Its number there.
    pub proposal_id: i64,
    /// Whether to show the events behind the answer.
    pub explain: bool,
}

impl OneProposal {
    /// The proposal, and its number in `log.subjects`.
    async fn read(
        &self,
        db: &mut PgConnection,
        at: At,
    ) -> sqlx::Result<Stamped<Option<(Option<i64>, ProposalDetail)>>> {
        let (at, rows) = proposals_of!(
            db,
            at,
            self.views(),
            r#"
                select
                    null::bigint as ordinal, null::bigint as counted, v.proposal_id, v.from_position, e.body,
                    t.counting, t.not_counting, sub.subject_id
                from (
                    select o.proposal_id, o.from_position, o.claim_position, o.present
                    from proposals_versions o
                    where o.source_id = $3
                        and o.proposal_id = $4
                        and o.from_position <= s.position
                    order by o.from_position desc
                    limit 1
                ) v
                cross join lateral (
                    -- All at once: to look for each vote among many retractions takes long where there are many votes.
                    select range_agg(int8range(x.first_position, x.at_position)) as span
                    from log.retractions x
                    where x.source_id = $3
                        and x.at_position <= s.position
                ) gone
                cross join lateral (
                    select
                        count(*) filter (where o.counts) as counting, count(*) filter (where not o.counts) as not_counting
                    from votes o
                    where o.source_id = $3
                        and o.proposal_id = v.proposal_id
                        and o.position <= s.position
                        and (o.position <@ gone.span) is not true
                ) t
                left join log.events e on e.position = v.claim_position
                left join log.subjects sub
                    on sub.namespace = 3
                    and sub.subject = v.proposal_id::text
                    and coalesce(sub.source_id, 0) = $3
                where v.present
            "#,
            self.source_id,
            self.proposal_id,
        )?;
        let value = rows.into_iter().next().and_then(|row| {
            let proposal = proposal_from!(row);
            let superseded_votes = row.counting? - proposal.voters;
            let said = row.body.as_deref().and_then(said_in_body);
            Some((row.subject_id, detail(proposal, said, superseded_votes, row.not_counting?)))
        });
        Ok(Stamped { at, value })
    }
}

impl Query for OneProposal {
    const VIEWS: &'static [&'static str] = VIEWS;
    type Answer = Option<ProposalDetail>;

    fn key(&self) -> String {
        format!("proposal:{}:{}:{}", self.source_id, self.proposal_id, self.explain)
    }

    fn views(&self) -> &'static [&'static str] {
        if self.explain { &["proposals", "identities", "findings"] } else { Self::VIEWS }
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let Stamped { at, value } = self.read(db, at).await?;
        let Some((subject_id, mut detail)) = value else { return Ok(Stamped { at, value: None }) };
        if self.explain {
            let of = &detail.proposal;
            let link = provenance::events_link(Namespace::Proposal, &of.proposal_id, Some(&of.chain));
            detail.provenance = Some(match subject_id {
                Some(subject_id) => provenance::of_subject(db, at.position, subject_id, CAUSES, link).await?,
                None => Provenance::nothing(link),
            });
        }
        Ok(Stamped { at, value: Some(detail) })
    }
}

/// What only the body of `governance.proposed` says.
fn said_in_body(body: &[u8]) -> Option<Proposed> {
    match Event::parse(Kind::Proposed, body) {
        Ok(Event::Proposed(proposed)) => Some(proposed),
        Ok(_) | Err(_) => None,
    }
}

fn detail(proposal: Proposal, said: Option<Proposed>, superseded_votes: i64, votes_not_counted: i64) -> ProposalDetail {
    let mut detail = ProposalDetail {
        proposal,
        description: None,
        targets: Vec::new(),
        values: Vec::new(),
        calldatas: Vec::new(),
        superseded_votes,
        votes_not_counted,
        provenance: None,
    };
    let Some(said) = said else { return detail };
    detail.description = said.description;
    detail.targets = said.targets;
    detail.values = said.values.iter().map(|value| value.get().to_string()).collect();
    detail.calldatas = said.calldatas;
    detail
}
