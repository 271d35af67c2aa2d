//! Proposals and votes (MEANING §6).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schema::chain::{IdentityId, Spelled};
use schema::event::{
    Event, Outcome, ProposalCancelled, ProposalExecuted, ProposalFinalized, Proposed, VoteChoice, Voted,
};

use super::chain::{Block, Chain, Said};
use super::power::Power;
use super::{Collected, or_dash, time};

/// The block that opened voting, and everybody's power at its end.
#[derive(Debug)]
struct Opening {
    block: Block,
    powers: BTreeMap<IdentityId, Power>,
}

/// What the chain says a proposal came to.
#[derive(Debug)]
struct Final {
    outcome: Outcome,
    /// For, against, abstaining.
    claimed: [Option<i128>; 3],
    at: DateTime<Utc>,
}

/// A proposal.
#[derive(Debug)]
pub struct Proposal {
    body: Proposed,
    created_at: DateTime<Utc>,
    /// Block time of the newest change.
    changed_at: DateTime<Utc>,
    position: i64,
    opening: Option<Opening>,
    has_ended: bool,
    finalized: Option<Final>,
    executed_at: Option<DateTime<Utc>>,
    cancelled_at: Option<DateTime<Utc>>,
}

/// A vote, whether or not it counts.
#[derive(Debug)]
struct Vote {
    position: i64,
    body: Voted,
    at: DateTime<Utc>,
    height: i64,
    tx: String,
    /// What it weighs, or why it does not count.
    weight: Result<i128, &'static str>,
}

/// Proposals and votes of a chain.
#[derive(Debug, Default)]
pub struct Governance {
    proposals: BTreeMap<i64, Proposal>,
    votes: Vec<Vote>,
}

impl Proposal {
    fn is_open(&self) -> bool {
        self.finalized.is_none() && self.cancelled_at.is_none()
    }

    fn status(&self) -> &'static str {
        let finalized = self.finalized.as_ref().map(|fin| outcome_name(fin.outcome));
        match (self.cancelled_at, self.executed_at, finalized) {
            (Some(_), _, _) => "cancelled",
            (None, Some(_), _) => "executed",
            (None, None, Some(outcome)) => outcome,
            (None, None, None) if self.has_ended => "ended",
            (None, None, None) if self.opening.is_some() => "active",
            (None, None, None) => "pending",
        }
    }

    /// Time passes for a proposal with a block.
    fn reach(&mut self, block: &Block, powers: &BTreeMap<IdentityId, Power>) {
        if !self.is_open() {
            return;
        }
        let status = self.status();
        if self.opening.is_none() && block.time >= self.body.voting_starts_at.get().micros() {
            self.opening = Some(Opening { block: block.clone(), powers: powers.clone() });
        }
        self.has_ended |= self.opening.is_some() && block.time > self.body.voting_ends_at.get().micros();
        if self.status() != status {
            self.changed_at = block.time;
        }
    }
}

impl Governance {
    /// The vote of each identity on a proposal that counts: its last.
    fn ballots(&self, proposal: i64) -> BTreeMap<IdentityId, &Vote> {
        let on_it = self.votes.iter().filter(|vote| vote.body.proposal_id.get().to_db() == proposal);
        on_it.filter(|vote| vote.weight.is_ok()).map(|vote| (*vote.body.voter.get(), vote)).collect()
    }

    /// For, against, abstaining.
    fn tally(&self, proposal: i64) -> [i128; 3] {
        let sum = |choice: VoteChoice| {
            let ballots = self.ballots(proposal).into_values().filter(|vote| vote.body.choice == choice);
            ballots.map(|vote| vote.weight.expect("ballots count")).sum()
        };
        [sum(VoteChoice::For), sum(VoteChoice::Against), sum(VoteChoice::Abstain)]
    }

    /// What the votes come to.
    fn outcome(&self, proposal: i64) -> Outcome {
        let [in_favour, against, abstaining] = self.tally(proposal);
        let quorum = self.proposals[&proposal].body.quorum.as_ref().map_or(0, |quorum| i128::from(quorum.get().get()));
        let is_passed = in_favour > against && in_favour + against + abstaining >= quorum;
        if is_passed { Outcome::Passed } else { Outcome::Rejected }
    }
}

impl Chain {
    /// What changes by the passing of time changes at the first block past the moment, before anything in it is judged.
    pub fn pass_time(&mut self) {
        let Some(block) = self.blocks.last().cloned() else { return };
        let powers = self.powers();
        for proposal in self.governance.proposals.values_mut() {
            proposal.reach(&block, &powers);
        }
    }

    /// Takes in what is said about proposals.
    pub fn governance_event(&mut self, said: &Said<'_>) {
        if let Event::Proposed(body) = &said.event.event {
            self.propose(said, body);
        } else if let Event::Voted(body) = &said.event.event {
            self.vote(said, body);
        } else if let Event::ProposalFinalized(body) = &said.event.event {
            self.finalize(said, body);
        } else if let Event::ProposalExecuted(body) = &said.event.event {
            self.execute(said, body);
        } else if let Event::ProposalCancelled(body) = &said.event.event {
            self.cancel(said, body);
        }
    }

    fn propose(&mut self, said: &Said<'_>, body: &Proposed) {
        if self.refused.contains_key(&said.position()) {
            return;
        }
        let id = body.proposal_id.get().to_db();
        if self.governance.proposals.contains_key(&id) {
            return self.wrong(said.position(), "proposed-twice");
        }
        let mut proposal = Proposal {
            body: body.clone(),
            created_at: said.time(),
            changed_at: said.time(),
            position: said.position(),
            opening: None,
            has_ended: false,
            finalized: None,
            executed_at: None,
            cancelled_at: None,
        };
        let block = self.blocks.last().expect("payloads are in blocks");
        proposal.reach(block, &self.powers());
        self.governance.proposals.insert(id, proposal);
    }

    fn vote(&mut self, said: &Said<'_>, body: &Voted) {
        let weight = match self.refused.get(&said.position()) {
            Some(code) => Err(*code),
            None => self.weigh(said, body),
        };
        if let Err(code) = weight {
            self.wrong(said.position(), code);
        }
        if let Ok(power) = weight
            && i128::from(body.power.get().get()) > power
        {
            self.noted(said.position(), "claimed-too-much-power");
        }
        let proposal = self.governance.proposals.get_mut(&body.proposal_id.get().to_db());
        if let Some(proposal) = proposal.filter(|_| weight.is_ok()) {
            proposal.changed_at = said.time();
        }
        let (position, at, height, tx) = (said.position(), said.time(), said.height(), said.tx());
        self.governance.votes.push(Vote { position, body: body.clone(), at, height, tx, weight });
    }

    /// What a vote weighs, or why it does not count.
    fn weigh(&self, said: &Said<'_>, body: &Voted) -> Result<i128, &'static str> {
        let proposal = self.governance.proposals.get(&body.proposal_id.get().to_db()).ok_or("unknown-proposal")?;
        if !proposal.is_open() {
            return Err("vote-after-close");
        }
        let window = proposal.body.voting_starts_at.get().micros()..=proposal.body.voting_ends_at.get().micros();
        let opening = proposal.opening.as_ref().filter(|_| window.contains(&said.time()));
        let power = opening.ok_or("vote-outside-window")?.powers.get(body.voter.get()).copied().unwrap_or_default();
        if power.sum() > 0 { Ok(power.sum()) } else { Err("no-voting-power") }
    }

    fn finalize(&mut self, said: &Said<'_>, body: &ProposalFinalized) {
        let id = body.proposal_id.get().to_db();
        if let Some(code) = self.not_by_origin(said, &body.sender) {
            return self.wrong(said.position(), code);
        }
        let Some(proposal) = self.governance.proposals.get(&id) else {
            return self.wrong(said.position(), "unknown-proposal");
        };
        if !proposal.is_open() {
            return self.wrong(said.position(), "decided-already");
        }
        if !proposal.has_ended {
            self.noted(said.position(), "finalized-early");
        }
        if body.outcome != self.governance.outcome(id) {
            self.noted(said.position(), "outcome-differs");
        }
        let claimed = [&body.votes_for, &body.votes_against, &body.votes_abstain];
        let claimed = claimed.map(|votes| votes.as_ref().map(|votes: &Spelled<_>| i128::from(votes.get().get())));
        if claimed.iter().zip(self.governance.tally(id)).any(|(claimed, ours)| claimed.is_some_and(|it| it != ours)) {
            self.noted(said.position(), "tally-differs");
        }
        if let Some(proposal) = self.governance.proposals.get_mut(&id) {
            proposal.finalized = Some(Final { outcome: body.outcome, claimed, at: said.time() });
            proposal.changed_at = said.time();
        }
    }

    fn execute(&mut self, said: &Said<'_>, body: &ProposalExecuted) {
        let refused = self.not_by_origin(said, &body.sender);
        let code = match self.governance.proposals.get_mut(&body.proposal_id.get().to_db()) {
            _ if refused.is_some() => refused.unwrap_or_default(),
            None => "unknown-proposal",
            Some(proposal) if proposal.status() != "passed" => "not-passed",
            Some(proposal) => {
                proposal.executed_at = Some(said.time());
                proposal.changed_at = said.time();
                return;
            }
        };
        self.wrong(said.position(), code);
    }

    fn cancel(&mut self, said: &Said<'_>, body: &ProposalCancelled) {
        let refused = self.not_by_origin(said, &body.sender);
        let code = match self.governance.proposals.get_mut(&body.proposal_id.get().to_db()) {
            _ if refused.is_some() => refused.unwrap_or_default(),
            None => "unknown-proposal",
            Some(proposal) if !proposal.is_open() => "not-open",
            Some(proposal) => {
                proposal.cancelled_at = Some(said.time());
                proposal.changed_at = said.time();
                return;
            }
        };
        self.wrong(said.position(), code);
    }

    /// Rows of `proposals`, `ballots`, `votes`, and participation.
    pub fn governance_lines(&self, lines: &mut Collected) {
        let name = &self.facts.name;
        for (id, proposal) in &self.governance.proposals {
            self.proposal_line(lines, *id, proposal);
            for (voter, vote) in self.governance.ballots(*id) {
                let weight = vote.weight.expect("ballots count");
                let choice = choice_name(vote.body.choice);
                lines.add("ballots", &[name, id, &voter, &choice, &weight, &vote.position]);
            }
        }
        for vote in &self.governance.votes {
            lines.add(
                "votes",
                &[
                    name,
                    &vote.position,
                    &vote.body.proposal_id.get(),
                    &vote.body.voter.get(),
                    &choice_name(vote.body.choice),
                    &vote.body.power.get(),
                    &vote.weight.unwrap_or_default(),
                    &vote.weight.is_ok(),
                    &or_dash(vote.weight.err()),
                    &or_dash(vote.body.reason.as_ref()),
                    &vote.height,
                    &vote.tx,
                    &time(vote.at),
                ],
            );
        }
        for (id, registered) in &self.identities {
            let could = |proposal: &&Proposal| {
                proposal.opening.is_some() && proposal.body.voting_ends_at.get().micros() > registered.created_at
            };
            let chances = self.governance.proposals.values().filter(could).count();
            let did = self
                .governance
                .proposals
                .keys()
                .filter(|proposal| self.governance.ballots(**proposal).contains_key(id));
            let taken: BTreeSet<&i64> = did.collect();
            lines.add("participation", &[name, id, &taken.len(), &chances]);
        }
    }

    fn proposal_line(&self, lines: &mut Collected, id: i64, proposal: &Proposal) {
        let tally = self.governance.tally(id);
        let is_computed = proposal.has_ended || proposal.finalized.is_some();
        let computed = is_computed.then(|| outcome_name(self.governance.outcome(id)));
        let finalized = proposal.finalized.as_ref();
        let claimed = finalized.map_or([None; 3], |fin| fin.claimed);
        let opened = proposal.opening.as_ref().map(|opening| &opening.block);
        lines.add(
            "proposals",
            &[
                &self.facts.name,
                &id,
                &proposal.body.proposer.get(),
                &proposal.body.proposal_type,
                &proposal.body.title,
                &proposal.body.quorum.as_ref().map_or(0, |quorum| quorum.get().get()),
                &proposal.status(),
                &or_dash(computed),
                &or_dash(finalized.map(|fin| outcome_name(fin.outcome))),
                &format!("{tally:?}"),
                &self.governance.ballots(id).len(),
                &claimed.map(or_dash).join(","),
                &or_dash(opened.map(|block| block.end)),
                &or_dash(opened.map(|block| block.height)),
                &time(proposal.body.voting_starts_at.get().micros()),
                &time(proposal.body.voting_ends_at.get().micros()),
                &time(proposal.created_at),
                &time(proposal.changed_at),
                &or_dash(finalized.map(|fin| time(fin.at))),
                &or_dash(proposal.executed_at.map(time)),
                &or_dash(proposal.cancelled_at.map(time)),
                &proposal.position,
            ],
        );
    }
}

fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Rejected => "rejected",
    }
}

fn choice_name(choice: VoteChoice) -> &'static str {
    match choice {
        VoteChoice::For => "for",
        VoteChoice::Against => "against",
        VoteChoice::Abstain => "abstain",
    }
}
