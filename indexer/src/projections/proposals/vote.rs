//! Votes: which of them count, and with how much power.

use schema::bulk::ColumnType::{Bool, Bytes, Int4, Int8, Numeric, Text, Time};
use schema::bulk::Target;
use schema::event::{VoteChoice, Voted, rfc3339_micros};
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use super::decide::Deed;
use super::tally::{outcome, tally};
use super::{Ballot, BallotKey, CANCELLED, ENDED, EXECUTED, PASSED, ProposalKey, Proposals, REJECTED};
use crate::projections::findings::{Findings, Place};
use crate::projections::identities::Identities;
use crate::projections::{Moment, Retraction};

pub(super) const ROWS: Target = Target {
    table: "votes",
    columns: "source_id, position, proposal_id, voter_identity, vote_choice, claimed_power, vote_power, counts, why, reason, block_height, tx_id, cast_at",
    types: &[Int4, Int8, Int8, Bytes, Text, Numeric, Numeric, Bool, Text, Text, Int8, Text, Time],
};

/// Why a vote does not count: the code of the finding, and what is wrong.
type Refusal = (&'static str, String);

/// A vote as it is kept until its block ends: whether its sender may vote for the voter is asked of this moment.
pub(super) fn admit(moment: &Moment<'_>, body: &Voted, identities: &Identities, findings: &mut Findings) -> Deed {
    let voter = body.voter.get();
    let refusal = if identities.allows(moment, voter, &body.sender, findings) {
        None
    } else if moment.sender_refuted {
        Some("sender-refuted")
    } else if identities.claim(moment.event.source_id.0, voter).is_none() {
        Some("unknown-identity")
    } else {
        Some("not-controller")
    };
    Deed::Vote(Box::new(body.clone()), refusal)
}

impl Proposals {
    /// Judges a vote. `refusal` is the code of a finding that has been made already.
    pub(super) fn vote(
        &mut self,
        unit: &LoggedUnit,
        place: &Place,
        body: &Voted,
        refusal: Option<&'static str>,
        findings: &mut Findings,
    ) {
        let judged = match refusal {
            Some(code) => Err(code),
            None => self.weigh(place, body).map_err(|(code, detail)| {
                findings.report_at(place, code, Some(body.voter.get().to_string()), detail);
                code
            }),
        };
        if let Ok(power) = judged {
            let claimed = i128::from(body.power.get().get());
            if claimed > power {
                let detail = format!("the vote claims {claimed}, and the voter had {power} when voting opened");
                findings.remark_at(place, "claimed-too-much-power", Some(body.voter.get().to_string()), detail);
            }
            self.count(place, body, power);
        }
        self.votes
            .row()
            .int4(place.source_id.0)
            .int8(place.position.0)
            .int8(body.proposal_id.get().to_db())
            .bytes(body.voter.get().as_bytes())
            .text(choice(body))
            .numeric(i128::from(body.power.get().get()))
            .numeric(judged.unwrap_or(0))
            .bool(judged.is_ok())
            .text_opt(judged.err())
            .text_opt(body.reason.as_deref())
            .int8_opt(place.height)
            .text_opt(place.tx_id.as_deref())
            .time(place.occurred_at);
        self.last_vote = Some(unit.end_position);
    }

    /// The power with which a vote counts, which is above 0, or why it does not.
    fn weigh(&self, place: &Place, body: &Voted) -> Result<i128, Refusal> {
        let (proposal, ballot) = keys(place, body);
        let Some(row) = self.proposals.get(&proposal) else {
            let detail = format!("there is no proposal {} on the chain", proposal.proposal_id);
            return Err(("unknown-proposal", detail));
        };
        if [PASSED, REJECTED, EXECUTED, CANCELLED].contains(&row.status.as_str()) {
            return Err(("vote-after-close", format!("the proposal is {} already", row.status)));
        }
        if place.occurred_at < row.voting_starts_at || place.occurred_at > row.voting_ends_at {
            let (from, to) = (rfc3339_micros(row.voting_starts_at), rfc3339_micros(row.voting_ends_at));
            return Err(("vote-outside-window", format!("votes count from {from} to {to} by block time")));
        }
        match self.weights.get(&ballot).copied().unwrap_or(0) {
            0 => Err(("no-voting-power", "the voter had no power when voting opened".to_owned())),
            power => Ok(power),
        }
    }

    /// Puts a vote in the place of the voter's former one.
    fn count(&mut self, place: &Place, body: &Voted, power: i128) {
        let (proposal, ballot) = keys(place, body);
        let Some(mut row) = self.proposals.get(&proposal).cloned() else { return };
        match self.ballots.get(&ballot) {
            Some(former) => *tally(&mut row, &former.vote_choice) -= former.vote_power,
            None => row.voters += 1,
        }
        *tally(&mut row, choice(body)) += power;
        if row.status == ENDED {
            // A block's time may lie before its parent's: the window has ended, and this vote was still cast in it.
            row.computed_outcome = Some(outcome(&row).to_owned());
        }
        row.updated_at = place.occurred_at;
        let vote = Ballot { vote_choice: choice(body).to_owned(), vote_power: power, vote_position: place.position.0 };
        self.ballots.set(ballot, vote);
        self.proposals.set(proposal, row);
    }
}

fn keys(place: &Place, body: &Voted) -> (ProposalKey, BallotKey) {
    let (source_id, proposal_id) = (place.source_id.0, body.proposal_id.get().to_db());
    let voter_identity = body.voter.get().as_bytes().to_vec();
    (ProposalKey { source_id, proposal_id }, BallotKey { source_id, proposal_id, voter_identity })
}

fn choice(body: &Voted) -> &'static str {
    match body.choice {
        VoteChoice::For => "for",
        VoteChoice::Against => "against",
        VoteChoice::Abstain => "abstain",
    }
}

/// Whether a retraction covers any vote: rows that it does not touch, and answers that it changes.
pub(super) async fn any_between(db: &mut PgConnection, retraction: Retraction) -> Result<bool, StoreError> {
    let row = sqlx::query!(
        r#"
        select exists (
            select 1
            from votes
            where source_id = $1
                and position >= $2
                and position < $3
        ) as "any!"
        "#,
        retraction.source_id.0,
        retraction.first.0,
        retraction.at.0
    )
    .fetch_one(db)
    .await?;
    Ok(row.any)
}
