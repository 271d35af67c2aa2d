//! The proposals of a chain, newest first.

use schema::chain::IdentityId;
use schema::event::rfc3339_micros;
use sqlx::PgConnection;

use super::proposals::{Proposal, VIEWS, proposal_from, proposals_of, with_proposals};
use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};

/// The proposals of a chain that are as wanted, newest first; sort key is the position of the proposal.
#[derive(Debug, Clone)]
pub struct ProposalList {
    /// The chain.
    pub source_id: i32,
    /// Only proposals with one of these statuses, or with what `ended_as` adds; all when none.
    pub statuses: Option<Vec<String>>,
    /// Also proposals that have ended with one of these outcomes by the tally, and wait for the chain to say so.
    pub ended_as: Vec<String>,
    /// Only those of this identity.
    pub proposer: Option<IdentityId>,
    /// Only those of this kind.
    pub proposal_type: Option<String>,
    /// Only proposals before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
    /// Items to leave out first.
    pub offset: i64,
    /// Whether to say how many there are, and how many to count at most.
    pub count: Option<i64>,
}

impl Query for ProposalList {
    const VIEWS: &'static [&'static str] = VIEWS;
    type Answer = Rows<Option<Proposal>>;

    fn key(&self) -> String {
        format!("{self:?}")
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, rows) = proposals_of!(
            db,
            at,
            VIEWS,
            r#"
                with wanted as not materialized (
                    select p.proposal_id, p.from_position, p.claim_position
                    from standing p
                    where (
                            $8::text[] is null
                            or p.status = any($8)
                            or (p.status = 'ended' and p.computed_outcome = any($9::text[]))
                        )
                        and ($10::bytea is null or p.proposer_identity = $10)
                        and ($11::text is null or p.proposal_type = $11)
                )
                select
                    null::bigint as ordinal, c.counted, m.proposal_id, m.from_position, null::bytea as body,
                    null::bigint as counting, null::bigint as not_counting, null::bigint as subject_id
                from (
                    select case when $7::bigint is not null then (
                        select count(*)
                        from (select 1 from wanted limit $7) few
                    ) end as counted
                ) c
                left join lateral (
                    select w.proposal_id, w.from_position
                    from wanted w
                    where w.claim_position < coalesce($4, 9223372036854775807)
                    order by w.claim_position desc
                    limit $5::bigint + 1
                    offset $6
                ) m on true
            "#,
            self.source_id,
            self.before,
            self.limit,
            self.offset,
            self.count,
            self.statuses.as_deref(),
            &self.ended_as,
            self.proposer.as_ref().map(|id| id.as_bytes().as_slice()),
            self.proposal_type,
        )?;
        let counted = rows.first().and_then(|row| row.counted);
        let items = rows.into_iter().filter_map(|row| Some(proposal_from!(row))).collect();
        let page = Rows::page(items, self.limit, |proposal: &Proposal| proposal.position.to_string());
        let items = page.items.into_iter().map(Some).collect();
        Ok(Stamped { at, value: Rows { items, next: page.next, count: counted } })
    }
}
