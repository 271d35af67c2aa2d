//! Votes: every one ever cast that still stands, with whether it counts and, if not, why.

use schema::chain::IdentityId;
use schema::event::{Position, rfc3339_micros};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;

use super::proposals::VIEWS;
use crate::page::Rows;
use crate::view::{At, Query, Stamped, stamped};

/// A vote.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Vote {
    /// Name of the chain.
    #[schema(example = "chert")]
    pub chain: String,
    /// Number of the proposal there; a decimal number.
    #[schema(example = "7")]
    pub proposal_id: String,
    /// Identity that voted, hex.
    pub voter_identity: String,
    /// Name of that identity.
    #[schema(example = "Zoë")]
    pub display_name: Option<String>,
    /// `for`, `against` or `abstain`.
    #[schema(example = "for")]
    pub vote_choice: String,
    /// Power of the voter at the block that opened voting; a decimal number, 0 when the vote never counted.
    #[schema(example = "30")]
    pub vote_power: String,
    /// Power that the vote claims; a decimal number.
    pub claimed_power: String,
    /// Whether the vote is part of the tally.
    pub counts: bool,
    /// Whether it counted until a later vote of the same identity took its place.
    pub superseded: bool,
    /// Code of the finding that says why it never counted; null when it did.
    #[schema(example = "vote-outside-window")]
    pub why: Option<String>,
    /// The voter's reason, at most 1,024 characters.
    pub reason: Option<String>,
    /// Block time of the vote, RFC 3339 UTC.
    #[schema(format = DateTime)]
    pub cast_at: String,
    /// Height of its block.
    pub block_height: Option<i64>,
    /// Transaction that carried it.
    pub tx_id: Option<String>,
    /// Position of its event in the log.
    pub position: i64,
}

/// A vote of somebody, with what it was about.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VoteHistory {
    /// The vote.
    #[serde(flatten)]
    pub vote: Vote,
    /// Title of the proposal; null when there is no such proposal.
    pub proposal_title: Option<String>,
    /// Where the proposal stands: `pending`, `active`, `ended`, `passed`, `rejected`, `executed` or `cancelled`.
    #[schema(example = "active")]
    pub proposal_status: Option<String>,
}

/// The statement: `known` says whether there is what is asked about, `test` is about the vote `o`. `$3` is the chain, `$4`
/// the position before, `$5` the limit. `bound` limits how many votes are looked at, `wanted` says of those which are wanted.
///
/// A vote has been superseded when a later one is the voter's ballot.
macro_rules! votes_of {
    ($db:expr, $at:expr, $known:literal, ($($test:tt)+), [$bound:literal, $wanted:literal] $(, $argument:expr)* $(,)?) => {{
        let (at, rows) = stamped!(
            $db,
            $at,
            VIEWS,
            r#"
            r.known as "known?", r.chain as "chain?", r.position as "position?", r.proposal_id as "proposal_id?",
            r.voter_identity as "voter_identity?", r.display_name as "display_name?", r.vote_choice as "vote_choice?",
            r.vote_power as "vote_power?", r.claimed_power as "claimed_power?", r.counts as "counts?",
            r.superseded as "superseded?", r.why as "why?", r.reason as "reason?", r.cast_at as "cast_at?",
            r.block_height as "block_height?", r.tx_id as "tx_id?", r.title as "title?", r.status as "status?"
            "#,
            (r#"
            select
                k.known, src.name as chain, v.position, v.proposal_id::text as proposal_id, v.voter_identity, n.display_name,
                v.vote_choice, v.vote_power::text as vote_power, v.claimed_power::text as claimed_power,
                v.counts and not v.later as counts, v.counts and v.later as superseded, v.why, v.reason, v.cast_at,
                v.block_height, v.tx_id, p.title, p.status
            from ("# + $known + r#") k
            join log.sources src on src.source_id = $3
            cross join lateral (
                -- All at once: to look for each vote among many retractions takes long where there are many votes.
                select range_agg(int8range(x.first_position, x.at_position)) as span
                from log.retractions x
                where x.source_id = $3
                    and x.at_position <= s.position
            ) gone
            left join lateral (
                select
                    o.position, o.proposal_id, o.voter_identity, o.vote_choice, o.vote_power, o.claimed_power, o.counts,
                    coalesce(b.later, false) as later, o.why, o.reason, o.cast_at, o.block_height, o.tx_id
                from (
                    select
                        o.position, o.proposal_id, o.voter_identity, o.vote_choice, o.vote_power, o.claimed_power, o.counts,
                        o.why, o.reason, o.cast_at, o.block_height, o.tx_id
                    from votes o
                    where "# + $($test)+ + r#"
                        and o.position <= s.position
                        and o.position < coalesce($4, 9223372036854775807)
                        and (o.position <@ gone.span) is not true
                    order by o.position desc
                    "# + $bound + r#"
                ) o
                left join lateral (
                    -- A vote that never counted was not superseded, and nothing is looked up.
                    select x.present and x.vote_position > o.position as later
                    from ballots_versions x
                    where o.counts
                        and x.source_id = $3
                        and x.proposal_id = o.proposal_id
                        and x.voter_identity = o.voter_identity
                        and x.from_position <= s.position
                    order by x.from_position desc
                    limit 1
                ) b on true
                where "# + $wanted + r#"
                order by o.position desc
                limit $5::bigint + 1
            ) v on true
            left join lateral (
                select
                    case
                        when i.present and log.recognised($3, v.voter_identity, s.position) then i.display_name
                    end as display_name
                from identities_versions i
                where i.identity_id = v.voter_identity
                    and i.from_position <= s.position
                order by i.from_position desc
                limit 1
            ) n on true
            left join lateral (
                select c.title, c.status, c.present
                from proposals_versions c
                where c.source_id = $3
                    and c.proposal_id = v.proposal_id
                    and c.from_position <= s.position
                order by c.from_position desc
                limit 1
            ) p on p.present
            "#),
            "order by r.position desc"
            $(, $argument)*
        )?;
        let known = rows.first().and_then(|row| row.known).unwrap_or_default();
        let votes = rows.into_iter().filter_map(|row| {
            let vote = Vote {
                chain: row.chain?,
                proposal_id: row.proposal_id?,
                voter_identity: hex::encode(row.voter_identity?),
                display_name: row.display_name,
                vote_choice: row.vote_choice?,
                vote_power: row.vote_power?,
                claimed_power: row.claimed_power?,
                counts: row.counts?,
                superseded: row.superseded?,
                why: row.why,
                reason: row.reason,
                cast_at: rfc3339_micros(row.cast_at?),
                block_height: row.block_height,
                tx_id: row.tx_id,
                position: row.position?,
            };
            Some(VoteHistory { vote, proposal_title: row.title, proposal_status: row.status })
        });
        (at, known.then(|| votes.collect::<Vec<_>>()))
    }};
}

/// The votes on a proposal, newest first; sort key is the position. None when there is no such proposal.
#[derive(Debug, Clone)]
pub struct ProposalVotes {
    /// The chain.
    pub source_id: i32,
    /// Number of the proposal there.
    pub proposal_id: i64,
    /// Only votes of this identity.
    pub voter: Option<IdentityId>,
    /// Only votes with this choice.
    pub choice: Option<&'static str>,
    /// Only votes that are part of the tally, or only those that are not.
    pub counted: Option<bool>,
    /// Only votes before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
}

/// One statement with and one without a voter: one for both would have one plan for both, which reads every vote on the
/// proposal to say how somebody voted.
macro_rules! votes_on {
    ($db:expr, $at:expr, $test:literal $(, $argument:expr)* $(,)?) => {
        votes_of!(
            $db,
            $at,
            r#"
                select coalesce((
                    select v.present
                    from proposals_versions v
                    where v.source_id = $3
                        and v.proposal_id = $6
                        and v.from_position <= s.position
                    order by v.from_position desc
                    limit 1
                ), false) as known
            "#,
            (r#"
                o.source_id = $3
                    and o.proposal_id = $6
                    and ($7::text is null or o.vote_choice = $7)
                    "# + $test),
            [
                "limit case when $8::boolean is not null then 10000 end",
                "$8::boolean is null or (o.counts and not coalesce(b.later, false)) = $8"
            ]
            $(, $argument)*
        )
    };
}

impl Query for ProposalVotes {
    const VIEWS: &'static [&'static str] = VIEWS;
    type Answer = Option<Rows<Vote>>;

    fn key(&self) -> String {
        format!("{self:?}")
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (source_id, before, limit, id) = (self.source_id, self.before, self.limit, self.proposal_id);
        let (choice, counted) = (self.choice, self.counted);
        let (at, found) = match self.voter.as_ref().map(|voter| voter.as_bytes().as_slice()) {
            None => votes_on!(db, at, "", source_id, before, limit, id, choice, counted),
            Some(voter) => {
                votes_on!(db, at, "and o.voter_identity = $9", source_id, before, limit, id, choice, counted, voter)
            }
        };
        let mut page = found.map(|votes| {
            let votes = votes.into_iter().map(|history| history.vote).collect();
            Rows::page(votes, limit, |vote: &Vote| vote.position.to_string())
        });
        if let (Some(page), true) = (&mut page, counted.is_some())
            && page.next.is_none()
        {
            page.next = self.looked_at_last(db, at.position).await?.map(|position| position.to_string());
        }
        Ok(Stamped { at, value: page })
    }
}

impl ProposalVotes {
    /// Position of the last vote looked at, when there may be more behind it: whether a vote is part of the tally takes a
    /// look-up, and one page is not worth more than 10,000 of them.
    async fn looked_at_last(&self, db: &mut PgConnection, at: i64) -> sqlx::Result<Option<i64>> {
        let (_, rows) = stamped!(
            db,
            At::Position(Position(at)),
            VIEWS,
            r#"r.position as "position?""#,
            r#"
                select o.position
                from (
                    select range_agg(int8range(x.first_position, x.at_position)) as span
                    from log.retractions x
                    where x.source_id = $3
                        and x.at_position <= s.position
                ) gone
                cross join votes o
                where o.source_id = $3
                    and o.proposal_id = $4
                    and ($5::text is null or o.vote_choice = $5)
                    and ($6::bytea is null or o.voter_identity = $6)
                    and o.position <= s.position
                    and o.position < coalesce($7, 9223372036854775807)
                    and (o.position <@ gone.span) is not true
                order by o.position desc
                offset 9999
                limit 1
            "#,
            "",
            self.source_id,
            self.proposal_id,
            self.choice,
            self.voter.as_ref().map(|voter| voter.as_bytes().as_slice()),
            self.before,
        )?;
        Ok(rows.first().and_then(|row| row.position))
    }
}

/// The votes of an identity on one chain, newest first; sort key is the position. None when nobody ever spoke of such an
/// identity.
#[derive(Debug, Clone)]
pub struct VotesOf {
    /// The chain.
    pub source_id: i32,
    /// The identity.
    pub identity_id: IdentityId,
    /// Only votes before this position.
    pub before: Option<i64>,
    /// Items on a page.
    pub limit: i64,
}

impl Query for VotesOf {
    const VIEWS: &'static [&'static str] = VIEWS;
    type Answer = Option<Rows<VoteHistory>>;

    fn key(&self) -> String {
        format!("votes of:{}:{}:{:?}:{}", self.source_id, self.identity_id, self.before, self.limit)
    }

    async fn run(&self, db: &mut PgConnection, at: At) -> sqlx::Result<Stamped<Self::Answer>> {
        let (at, found) = votes_of!(
            db,
            at,
            r#"
                select exists (
                    select 1
                    from identities_versions v
                    where v.identity_id = $6
                        and v.from_position <= s.position
                ) or exists (
                    select 1
                    from votes v
                    where v.voter_identity = $6
                        and v.source_id = $3
                        and v.position <= s.position
                ) as known
            "#,
            ("o.source_id = $3 and o.voter_identity = $6 and log.recognised($3, $6, s.position)"),
            // No limit, but the planner cannot know, and so does not read everything to sort it.
            ["limit nullif($5::bigint, $5)", "true"],
            self.source_id,
            self.before,
            self.limit,
            self.identity_id.as_bytes().as_slice(),
        );
        let page =
            found.map(|votes| Rows::page(votes, self.limit, |history: &VoteHistory| history.vote.position.to_string()));
        Ok(Stamped { at, value: page })
    }
}
