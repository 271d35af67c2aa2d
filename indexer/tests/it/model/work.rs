//! Which work counts (MEANING §5)?

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use indexer::verify;
use schema::event::{RewardUnit, Verdict, WorkRejected, WorkSubmitted};

use super::chain::{Chain, Said};
use super::oracles::Oracle;
use super::{Collected, or_dash, time};

/// What becomes of a record of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    Accepted,
    Rejected,
    Refuted,
    Unproven,
    Repeated,
}

impl Outcome {
    fn name(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Refuted => "refuted",
            Self::Unproven => "unproven",
            Self::Repeated => "repeated",
        }
    }
}

/// A record of work, submitted or rejected.
#[derive(Debug, Clone)]
pub struct Record {
    /// Place in the log.
    pub position: i64,
    /// Block time, from which it counts.
    pub at: DateTime<Utc>,
    /// Who did it.
    pub miner: String,
    /// As the record spells it.
    pub work_type: String,
    /// What became of it.
    pub outcome: Outcome,
    /// In billionths.
    pub score: i128,
    id: String,
    /// Who validated it.
    pub oracle: Option<String>,
    /// Whether it is a rejection.
    pub is_rejection: bool,
    /// Of a rejection: position of what it takes out.
    pub takes_out: Option<i64>,
    verdict: Option<Verdict>,
    difficulty: Option<String>,
    credit: Option<String>,
    reward: Option<(String, RewardUnit)>,
    /// When it was handed in, as claimed.
    pub submitted_at: Option<DateTime<Utc>>,
    /// When it was decided about, as claimed.
    pub validated_at: Option<DateTime<Utc>>,
    height: i64,
    tx: String,
}

/// The work of a chain.
#[derive(Debug, Default)]
pub struct Work {
    /// Registered oracles.
    pub oracles: BTreeMap<String, Oracle>,
    /// Every record, in order.
    pub records: Vec<Record>,
}

impl Work {
    /// The accepted submission with an id, whether or not it still counts.
    fn accepted(&self, id: &str) -> Option<&Record> {
        self.records.iter().find(|record| record.id == id && record.outcome == Outcome::Accepted)
    }

    /// Whether a rejection has taken a submission out.
    pub fn is_taken_out(&self, submission: &Record) -> bool {
        self.records.iter().any(|record| record.takes_out == Some(submission.position))
    }

    /// Accepted submissions that no rejection has taken out.
    pub fn counting(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.outcome == Outcome::Accepted && !self.is_taken_out(record))
    }

    /// Accepted submissions that a rejection has taken out.
    pub fn overturned(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| record.outcome == Outcome::Accepted && self.is_taken_out(record))
    }
}

impl Chain {
    /// A submission counts when its oracle says so, from its account or with its signature, and for the first time.
    pub fn submit(&mut self, said: &Said<'_>, body: &WorkSubmitted) {
        let oracle = body.oracle_id.as_ref().and_then(|id| self.work.oracles.get(id));
        let chain_id = self.facts.chain_id.as_deref();
        let check = match oracle {
            Some(oracle) => verify::chert::oracle_work(chain_id, body, &oracle.key),
            None => verify::chert::oracle_work_without_key(body),
        };
        let verdict = check.map(|check| check.verdict);
        let is_oracle = oracle.is_some_and(|oracle| !said.is_forged && oracle.address == self.address(&body.sender));
        let is_proven = body.oracle_id.is_none() || is_oracle || verdict == Some(Verdict::Verified);
        let outcome = if verdict == Some(Verdict::Refuted) {
            self.wrong(said.position(), "refuted-oracle-signature");
            Outcome::Refuted
        } else if body.oracle_id.is_some() && oracle.is_none() {
            self.wrong(said.position(), "unregistered-oracle");
            Outcome::Unproven
        } else if !is_proven {
            self.wrong(said.position(), "not-the-oracle");
            Outcome::Unproven
        } else if self.work.accepted(&body.submission_id).is_some() {
            self.wrong(said.position(), "repeated-submission");
            Outcome::Repeated
        } else {
            Outcome::Accepted
        };
        let vouches_for_bytes = body.oracle_id.is_none() || is_oracle;
        let score = if outcome == Outcome::Accepted { score(body, vouches_for_bytes) } else { 0 };
        let [submitted_at, validated_at] =
            [&body.submitted_at, &body.validated_at].map(|at| at.as_ref().map(|at| at.get().micros()));
        if outcome == Outcome::Accepted
            && submitted_at.is_some()
            && validated_at.is_some_and(|at| Some(at) < submitted_at)
        {
            self.noted(said.position(), "validated-before-submitted");
        }
        self.work.records.push(Record {
            position: said.position(),
            at: said.time(),
            miner: self.address(&body.miner_address),
            work_type: body.work_type.clone(),
            outcome,
            score,
            id: body.submission_id.clone(),
            oracle: body.oracle_id.clone(),
            is_rejection: false,
            takes_out: None,
            verdict,
            difficulty: body.difficulty.as_ref().map(|spelled| spelled.text().to_owned()),
            credit: body.credit.as_ref().map(|spelled| spelled.text().to_owned()),
            reward: body.reward.as_ref().map(|spelled| (spelled.get().to_string(), body.reward_unit)),
            submitted_at,
            validated_at,
            height: said.height(),
            tx: said.tx(),
        });
    }

    /// A rejection takes out what its oracle had accepted.
    pub fn reject(&mut self, said: &Said<'_>, body: &WorkRejected) {
        let position = said.position();
        let oracle = self.work.oracles.get(&body.oracle_id);
        let is_oracle = oracle.is_some_and(|oracle| !said.is_forged && oracle.address == self.address(&body.sender));
        let accepted = self.work.accepted(&body.submission_id).cloned();
        let mut takes_out = None;
        let outcome = match accepted {
            _ if oracle.is_none() => {
                self.wrong(position, "unregistered-oracle");
                Outcome::Unproven
            }
            _ if !is_oracle => {
                self.wrong(position, "not-the-oracle");
                Outcome::Unproven
            }
            None => Outcome::Rejected,
            Some(accepted) if self.work.is_taken_out(&accepted) => {
                self.wrong(position, "rejected-twice");
                Outcome::Repeated
            }
            Some(accepted) if accepted.oracle.as_ref() != Some(&body.oracle_id) => {
                self.wrong(position, "not-the-validating-oracle");
                Outcome::Unproven
            }
            Some(accepted) => {
                takes_out = Some(accepted.position);
                Outcome::Rejected
            }
        };
        self.work.records.push(Record {
            position,
            at: said.time(),
            miner: self.address(&body.miner_address),
            work_type: body.work_type.clone(),
            outcome,
            score: 0,
            id: body.submission_id.clone(),
            oracle: Some(body.oracle_id.clone()),
            is_rejection: true,
            takes_out,
            verdict: None,
            difficulty: None,
            credit: None,
            reward: None,
            submitted_at: None,
            validated_at: Some(body.validated_at.get().micros()),
            height: said.height(),
            tx: said.tx(),
        });
    }

    /// Rows of `work_submissions` and `work_hours`.
    pub fn submission_lines(&self, lines: &mut Collected) {
        let name = &self.facts.name;
        for record in &self.work.records {
            lines.add(
                "work_submissions",
                &[
                    name,
                    &record.position,
                    &record.id,
                    &record.is_rejection,
                    &record.outcome.name(),
                    &or_dash(record.takes_out),
                    &record.miner,
                    &or_dash(record.oracle.as_ref()),
                    &record.work_type,
                    &or_dash(record.difficulty.as_ref()),
                    &or_dash(record.credit.as_ref()),
                    &record.score,
                    &or_dash(record.reward.as_ref().map(|(reward, _)| reward)),
                    &or_dash(record.reward.as_ref().map(|(_, unit)| unit_name(*unit))),
                    &or_dash(record.verdict.map(Verdict::name)),
                    &or_dash(record.submitted_at.map(time)),
                    &or_dash(record.validated_at.map(time)),
                    &record.height,
                    &record.tx,
                    &time(record.at),
                ],
            );
        }
        let mut hours: BTreeMap<(&str, &str, i64), (u64, i128)> = BTreeMap::new();
        for record in self.work.counting() {
            let sum = hours.entry((&record.miner, &record.work_type, hour(record.at))).or_default();
            sum.0 += 1;
            sum.1 += record.score;
        }
        for ((miner, work_type, hour), (accepted, score)) in hours {
            lines.add("work_hours", &[name, &miner, &work_type, &hour, &accepted, &score]);
        }
    }
}

/// What an accepted submission adds to the score of its type, in billionths. Nobody signs for the bytes.
fn score(body: &WorkSubmitted, vouches_for_bytes: bool) -> i128 {
    let credit = body.credit.as_ref().map_or(0, |credit| credit.get().nanos());
    match (body.work_type.as_str(), &body.bytes) {
        ("boinc", _) => credit,
        ("bandwidth", Some(bytes)) if vouches_for_bytes => i128::from(bytes.get().get()) * super::boards::ONE,
        ("bandwidth", _) => credit,
        _ => super::boards::ONE,
    }
}

/// Full hours since the epoch.
pub fn hour(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(3600)
}

fn unit_name(unit: RewardUnit) -> &'static str {
    match unit {
        RewardUnit::Points => "points",
        RewardUnit::BaseUnits => "base_units",
    }
}
