//! Reading back proposals, ballots and the power of voters before a fold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schema::event::Event;
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::clock::due_at;
use super::{Ballot, BallotKey, Proposal, ProposalKey, Proposals};
use crate::projections::balances::exact;

/// What a batch is about.
#[derive(Debug, Default)]
struct Wanted {
    /// By source, the latest block time: proposals may fall due up to it.
    until: BTreeMap<i32, DateTime<Utc>>,
    proposals: BTreeSet<ProposalKey>,
    ballots: BTreeSet<BallotKey>,
}

impl Wanted {
    fn of(batch: &[LoggedUnit]) -> Self {
        let mut wanted = Self::default();
        for unit in batch.iter().filter(|unit| unit.height.is_some()) {
            let source_id = unit.source_id.0;
            let until = wanted.until.entry(source_id).or_insert(unit.occurred_at);
            *until = unit.occurred_at.max(*until);
            for event in &unit.events {
                wanted.add(source_id, &event.event);
            }
        }
        wanted
    }

    fn add(&mut self, source_id: i32, event: &Event) {
        let proposal_id = match event {
            Event::Proposed(body) => body.proposal_id.get().to_db(),
            Event::Voted(body) => {
                let proposal_id = body.proposal_id.get().to_db();
                let voter_identity = body.voter.get().as_bytes().to_vec();
                self.ballots.insert(BallotKey { source_id, proposal_id, voter_identity });
                proposal_id
            }
            Event::ProposalFinalized(body) => body.proposal_id.get().to_db(),
            Event::ProposalExecuted(body) => body.proposal_id.get().to_db(),
            Event::ProposalCancelled(body) => body.proposal_id.get().to_db(),
            Event::BlockApplied(_)
            | Event::TransactionApplied(_)
            | Event::Retracted(_)
            | Event::Finalized(_)
            | Event::Allocated(_)
            | Event::Minted(_)
            | Event::AccountReported(_)
            | Event::IdentityRegistered(_)
            | Event::IdentityUpdated(_)
            | Event::KeyRotated(_)
            | Event::WalletLinked(_)
            | Event::WalletUnlinked(_)
            | Event::Followed(_)
            | Event::Unfollowed(_)
            | Event::Staked(_)
            | Event::Unstaked(_)
            | Event::Delegated(_)
            | Event::Undelegated(_)
            | Event::WorkSubmitted(_)
            | Event::WorkRejected(_)
            | Event::OracleRegistered(_)
            | Event::OracleReported(_)
            | Event::OracleSlashed(_)
            | Event::SourceStarted(_)
            | Event::SourceSkipped(_)
            | Event::Unrecognized(_) => return,
        };
        self.proposals.insert(ProposalKey { source_id, proposal_id });
    }
}

/// Reads what a batch names and what falls due in it. Only the schedule is remembered from batch to batch: a chain
/// may have any number of proposals.
pub(super) async fn all(
    proposals: &mut Proposals,
    db: &mut PgConnection,
    batch: &[LoggedUnit],
) -> Result<(), StoreError> {
    let mut wanted = Wanted::of(batch);
    proposals.proposals.forget();
    proposals.ballots.forget();
    schedule(proposals, db, &wanted).await?;
    for (&source_id, &until) in &wanted.until {
        let due = proposals.schedule.get(&source_id).into_iter().flat_map(|due| due.range(..=(until, i64::MAX)));
        wanted.proposals.extend(due.map(|&(_, proposal_id)| ProposalKey { source_id, proposal_id }));
    }
    rows(proposals, db, wanted.proposals).await?;
    // Whoever has no weight yet gets one when voting opens.
    proposals.weights = wanted.ballots.iter().map(|key| (key.clone(), 0)).collect();
    weights(proposals, db).await?;
    ballots(proposals, db, wanted.ballots).await
}

/// The open proposals of sources that are seen for the first time.
async fn schedule(proposals: &mut Proposals, db: &mut PgConnection, wanted: &Wanted) -> Result<(), StoreError> {
    let unknown: Vec<i32> =
        wanted.until.keys().copied().filter(|source| !proposals.schedule.contains_key(source)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let open = sqlx::query!(
        r#"
        select source_id, proposal_id, status, voting_starts_at, voting_ends_at
        from proposals
        where source_id = any($1)
            and status in ('pending', 'active')
        "#,
        &unknown
    )
    .fetch_all(db)
    .await?;
    for source_id in unknown {
        proposals.schedule.insert(source_id, BTreeSet::new());
    }
    for row in open {
        let due = due_at(&row.status, row.voting_starts_at, row.voting_ends_at);
        let scheduled = proposals.schedule.entry(row.source_id).or_default();
        scheduled.extend(due.map(|due| (due, row.proposal_id)));
    }
    Ok(())
}

async fn rows(
    proposals: &mut Proposals,
    db: &mut PgConnection,
    wanted: BTreeSet<ProposalKey>,
) -> Result<(), StoreError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let (sources, ids): (Vec<i32>, Vec<i64>) = wanted.iter().map(|key| (key.source_id, key.proposal_id)).unzip();
    let found = sqlx::query!(
        r#"
        select
            p.source_id, p.proposal_id, p.proposer_identity, p.proposal_type, p.title,
            p.quorum::text as "quorum!", p.voting_starts_at, p.voting_ends_at, p.status, p.computed_outcome,
            p.final_outcome, p.votes_for::text as "votes_for!", p.votes_against::text as "votes_against!",
            p.votes_abstain::text as "votes_abstain!", p.voters, p.claimed_for::text as claimed_for,
            p.claimed_against::text as claimed_against, p.claimed_abstain::text as claimed_abstain,
            p.opened_position, p.opened_height, p.created_at, p.updated_at, p.finalized_at, p.executed_at,
            p.cancelled_at, p.claim_position
        from unnest($1::integer[], $2::bigint[]) as wanted (source_id, proposal_id)
        join proposals p
            on p.source_id = wanted.source_id
            and p.proposal_id = wanted.proposal_id
        "#,
        &sources,
        &ids
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let proposal = Proposal {
            proposer_identity: row.proposer_identity,
            proposal_type: Arc::from(row.proposal_type),
            title: Arc::from(row.title),
            quorum: exact(&row.quorum)?,
            voting_starts_at: row.voting_starts_at,
            voting_ends_at: row.voting_ends_at,
            status: row.status,
            computed_outcome: row.computed_outcome,
            final_outcome: row.final_outcome,
            votes_for: exact(&row.votes_for)?,
            votes_against: exact(&row.votes_against)?,
            votes_abstain: exact(&row.votes_abstain)?,
            voters: row.voters,
            claimed_for: row.claimed_for.as_deref().map(exact).transpose()?,
            claimed_against: row.claimed_against.as_deref().map(exact).transpose()?,
            claimed_abstain: row.claimed_abstain.as_deref().map(exact).transpose()?,
            opened_position: row.opened_position,
            opened_height: row.opened_height,
            created_at: row.created_at,
            updated_at: row.updated_at,
            finalized_at: row.finalized_at,
            executed_at: row.executed_at,
            cancelled_at: row.cancelled_at,
            claim_position: row.claim_position,
        };
        Ok((ProposalKey { source_id: row.source_id, proposal_id: row.proposal_id }, proposal))
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    proposals.proposals.loaded(wanted.into_iter().collect(), found);
    Ok(())
}

/// The power of each voter at the opening of the proposal, where it opened before the batch.
async fn weights(proposals: &mut Proposals, db: &mut PgConnection) -> Result<(), StoreError> {
    let (mut sources, mut ids, mut voters, mut opened) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for key in proposals.weights.keys() {
        let proposal = ProposalKey { source_id: key.source_id, proposal_id: key.proposal_id };
        if let Some(position) = proposals.proposals.get(&proposal).and_then(|row| row.opened_position) {
            sources.push(key.source_id);
            ids.push(key.proposal_id);
            voters.push(key.voter_identity.clone());
            opened.push(position);
        }
    }
    if opened.is_empty() {
        return Ok(());
    }
    let found = sqlx::query!(
        r#"
        select
            w.source_id as "source_id!",
            w.proposal_id as "proposal_id!",
            w.voter_identity as "voter_identity!",
            v.power::text as "power!"
        from unnest($1::integer[], $2::bigint[], $3::bytea[], $4::bigint[])
            as w (source_id, proposal_id, voter_identity, opened_position)
        cross join lateral (
            select own_stake + delegated_in - delegated_out as power, present
            from powers_versions
            where source_id = w.source_id
                and identity_id = w.voter_identity
                and from_position <= w.opened_position
            order by from_position desc
            limit 1
        ) v
        where v.present
        "#,
        &sources,
        &ids,
        &voters,
        &opened
    )
    .fetch_all(db)
    .await?;
    for row in found {
        let key =
            BallotKey { source_id: row.source_id, proposal_id: row.proposal_id, voter_identity: row.voter_identity };
        proposals.weights.insert(key, exact(&row.power)?);
    }
    Ok(())
}

async fn ballots(
    proposals: &mut Proposals,
    db: &mut PgConnection,
    wanted: BTreeSet<BallotKey>,
) -> Result<(), StoreError> {
    if wanted.is_empty() {
        return Ok(());
    }
    let sources: Vec<i32> = wanted.iter().map(|key| key.source_id).collect();
    let ids: Vec<i64> = wanted.iter().map(|key| key.proposal_id).collect();
    let voters: Vec<Vec<u8>> = wanted.iter().map(|key| key.voter_identity.clone()).collect();
    let found = sqlx::query!(
        r#"
        select
            b.source_id,
            b.proposal_id,
            b.voter_identity,
            b.vote_choice,
            b.vote_power::text as "vote_power!",
            b.vote_position
        from unnest($1::integer[], $2::bigint[], $3::bytea[]) as wanted (source_id, proposal_id, voter_identity)
        join ballots b
            on b.source_id = wanted.source_id
            and b.proposal_id = wanted.proposal_id
            and b.voter_identity = wanted.voter_identity
        "#,
        &sources,
        &ids,
        &voters
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let ballot = Ballot {
            vote_choice: row.vote_choice,
            vote_power: exact(&row.vote_power)?,
            vote_position: row.vote_position,
        };
        let key =
            BallotKey { source_id: row.source_id, proposal_id: row.proposal_id, voter_identity: row.voter_identity };
        Ok((key, ballot))
    })
    .collect::<Result<Vec<_>, StoreError>>()?;
    proposals.ballots.loaded(wanted.into_iter().collect(), found);
    Ok(())
}
