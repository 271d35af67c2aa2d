//! Tallies: what votes come to, and the proof that each tally is the sum of the votes that count.

use std::collections::{BTreeMap, BTreeSet};

use schema::event::Position;
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::{Ballot, PASSED, Proposal, ProposalKey, Proposals, REJECTED};
use crate::projections::sample::some_of;
use crate::projections::{Broken, Projection};

/// Proposals of a batch whose ballots are summed up again.
const SUMMED: usize = 64;
/// Voters of a proposal that is summed up again, at most: one that many take part in would cost as much with every vote.
const VOTERS_MAX: i64 = 2_000;

/// Power for, against and abstaining, and the number of voters.
type Sums = [i128; 4];

/// What a proposal comes to by its votes: more for than against, and enough of all three for the quorum.
pub(super) fn outcome(row: &Proposal) -> &'static str {
    let voted = row.votes_for + row.votes_against + row.votes_abstain;
    if row.votes_for > row.votes_against && voted >= row.quorum { PASSED } else { REJECTED }
}

/// The tally that a choice adds to.
pub(super) fn tally<'a>(row: &'a mut Proposal, choice: &str) -> &'a mut i128 {
    match choice {
        "for" => &mut row.votes_for,
        "against" => &mut row.votes_against,
        _ => &mut row.votes_abstain,
    }
}

impl Proposals {
    /// Δ tallies = Σ Δ ballots by choice, and Δ voters = Δ ballots, for every proposal; nothing is negative.
    pub(super) fn check_tallies(&mut self, unit: &LoggedUnit) -> Result<(), Broken> {
        let broken = |why: String| Broken { view: Self::NAME, position: unit.end_position, why };
        let mut cast: BTreeMap<ProposalKey, Sums> = BTreeMap::new();
        for (key, before, now) in self.ballots.changes() {
            let proposal = ProposalKey { source_id: key.source_id, proposal_id: key.proposal_id };
            add(cast.entry(proposal).or_default(), of_ballot(now), of_ballot(before));
        }
        let mut counted: BTreeMap<ProposalKey, Sums> = BTreeMap::new();
        for (key, before, now) in self.proposals.changes() {
            let (before, now) = (before.map_or([0; 4], of_proposal), now.map_or([0; 4], of_proposal));
            add(counted.entry(key.clone()).or_default(), now, before);
            if now.iter().any(|sum| *sum < 0) {
                return Err(broken(format!("proposal {} has a negative tally: {now:?}", key.proposal_id)));
            }
        }
        for key in cast.keys().chain(counted.keys()) {
            let sums = |of: &BTreeMap<ProposalKey, Sums>| of.get(key).copied().unwrap_or_default();
            let (cast, counted) = (sums(&cast), sums(&counted));
            if cast != counted {
                let why = format!("votes change proposal {} by {cast:?}, its tallies by {counted:?}", key.proposal_id);
                return Err(broken(why));
            }
        }
        self.changed.extend(cast.into_keys());
        Ok(())
    }
}

fn add(sums: &mut Sums, now: Sums, before: Sums) {
    for ((sum, now), before) in sums.iter_mut().zip(now).zip(before) {
        *sum += now - before;
    }
}

fn of_proposal(row: &Proposal) -> Sums {
    [row.votes_for, row.votes_against, row.votes_abstain, i128::from(row.voters)]
}

fn of_ballot(ballot: Option<&Ballot>) -> Sums {
    let Some(ballot) = ballot else { return [0; 4] };
    let power = |choice: &str| if ballot.vote_choice == choice { ballot.vote_power } else { 0 };
    [power("for"), power("against"), power("abstain"), 1]
}

/// Sums up the ballots of some proposals as the database holds them, and compares the tallies with that.
pub(super) async fn against_ballots(
    db: &mut PgConnection,
    changed: BTreeSet<ProposalKey>,
    end: Position,
) -> Result<Result<(), String>, StoreError> {
    if changed.is_empty() {
        return Ok(Ok(()));
    }
    let (sources, proposals): (Vec<i32>, Vec<i64>) =
        some_of(changed, SUMMED, end).into_iter().map(|key| (key.source_id, key.proposal_id)).unzip();
    let wrong = sqlx::query!(
        r#"
        select
            p.proposal_id,
            format('%s for, %s against, %s abstaining by %s voters', b.for, b.against, b.abstain, b.voters) as "summed!"
        from unnest($1::integer[], $2::bigint[]) as w (source_id, proposal_id)
        join proposals p using (source_id, proposal_id)
        cross join lateral (
            select
                coalesce(sum(vote_power) filter (where vote_choice = 'for'), 0) as for,
                coalesce(sum(vote_power) filter (where vote_choice = 'against'), 0) as against,
                coalesce(sum(vote_power) filter (where vote_choice = 'abstain'), 0) as abstain,
                count(*) as voters
            from (
                select vote_choice, vote_power
                from ballots
                where source_id = w.source_id
                    and proposal_id = w.proposal_id
                limit $3::bigint + 1
            ) found
        ) b
        where p.voters <= $3::bigint
            and (
                p.votes_for <> b.for
                or p.votes_against <> b.against
                or p.votes_abstain <> b.abstain
                or p.voters <> b.voters
            )
        order by p.source_id, p.proposal_id
        limit 1
        "#,
        &sources,
        &proposals,
        VOTERS_MAX
    )
    .fetch_optional(db)
    .await?;
    Ok(match wrong {
        Some(row) => Err(format!("the ballots on proposal {} come to {}", row.proposal_id, row.summed)),
        None => Ok(()),
    })
}
