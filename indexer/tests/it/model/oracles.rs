//! Who validates work, and how they do it (MEANING §5).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schema::event::{OracleRegistered, OracleSlashed, PublicKey};

use super::chain::{Chain, Said};
use super::work::{Outcome, Record, hour};
use super::{Collected, or_dash, time};

/// A registered oracle.
#[derive(Debug)]
pub struct Oracle {
    name: String,
    /// The account that it speaks from.
    pub address: String,
    /// What it signs with.
    pub key: PublicKey,
    registered_at: DateTime<Utc>,
    position: i64,
    slashes: Vec<i128>,
}

impl Chain {
    /// The origin account registers oracles; the first registration of an id wins.
    pub fn register_oracle(&mut self, said: &Said<'_>, body: &OracleRegistered) {
        if let Some(code) = self.not_by_origin(said, &body.sender) {
            return self.wrong(said.position(), code);
        }
        if self.work.oracles.contains_key(&body.oracle_id) {
            return self.wrong(said.position(), "oracle-registered-twice");
        }
        let oracle = Oracle {
            name: body.name.clone(),
            address: self.address(&body.address),
            key: body.key.clone(),
            registered_at: said.time(),
            position: said.position(),
            slashes: Vec::new(),
        };
        self.work.oracles.insert(body.oracle_id.clone(), oracle);
    }

    /// The origin account slashes oracles.
    pub fn slash(&mut self, said: &Said<'_>, body: &OracleSlashed) {
        if let Some(code) = self.not_by_origin(said, &body.sender) {
            return self.wrong(said.position(), code);
        }
        match self.work.oracles.get_mut(&body.oracle_id) {
            Some(oracle) => oracle.slashes.push(i128::from(body.amount.get().get())),
            None => self.wrong(said.position(), "unknown-oracle"),
        }
    }

    /// Rows of `oracles` and of what they have done.
    pub fn oracle_lines(&self, lines: &mut Collected) {
        let name = &self.facts.name;
        for (id, oracle) in &self.work.oracles {
            lines.add(
                "oracles",
                &[
                    name,
                    id,
                    &oracle.name,
                    &oracle.address,
                    &oracle.key.alg,
                    &oracle.key.public_key.to_lowercase(),
                    &time(oracle.registered_at),
                    &oracle.slashes.iter().sum::<i128>(),
                    &oracle.slashes.len(),
                    &oracle.position,
                ],
            );
        }
        let named = self.work.records.iter().filter_map(|record| record.oracle.as_deref());
        let ids: BTreeSet<&str> = self.work.oracles.keys().map(String::as_str).chain(named).collect();
        for id in ids {
            let of_oracle = |record: &&Record| record.oracle.as_deref() == Some(id);
            let records: Vec<&Record> = self.work.records.iter().filter(of_oracle).collect();
            Done { name, id, records: &records }.add_to(lines);
        }
    }
}

/// What an oracle has done.
struct Done<'a> {
    name: &'a str,
    id: &'a str,
    records: &'a [&'a Record],
}

impl Done<'_> {
    fn of(&self, outcome: Outcome) -> impl Iterator<Item = &Record> {
        self.records.iter().copied().filter(move |record| record.outcome == outcome)
    }

    fn add_to(&self, lines: &mut Collected) {
        let Self { name, id, records } = self;
        let is_deed = |record: &&&Record| matches!(record.outcome, Outcome::Accepted | Outcome::Rejected);
        let times: Vec<DateTime<Utc>> = records.iter().filter(is_deed).map(|record| record.at).collect();
        let latencies: Vec<i64> = self.of(Outcome::Accepted).filter_map(latency).collect();
        let submissions = |outcome| self.of(outcome).filter(|record| !record.is_rejection).count();
        lines.add(
            "oracle_activity",
            &[
                name,
                id,
                &self.of(Outcome::Accepted).count(),
                &self.of(Outcome::Rejected).count(),
                &self.of(Outcome::Rejected).filter(|record| record.takes_out.is_some()).count(),
                &self.of(Outcome::Refuted).count(),
                &self.of(Outcome::Unproven).count(),
                &submissions(Outcome::Repeated),
                &latencies.len(),
                &or_dash(times.first().copied().map(time)),
                &or_dash(times.last().copied().map(time)),
            ],
        );
        let mut types: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
        let mut hours: BTreeMap<i64, [u64; 4]> = BTreeMap::new();
        let counted = [Outcome::Accepted, Outcome::Rejected, Outcome::Refuted, Outcome::Unproven];
        for (index, outcome) in counted.into_iter().enumerate() {
            for record in self.of(outcome) {
                hours.entry(hour(record.at)).or_default()[index] += 1;
                types.entry(&record.work_type).or_default()[index] += 1;
            }
        }
        for (work_type, [accepted, rejected, refuted, unproven]) in types {
            lines.add("oracle_types", &[name, id, &work_type, &accepted, &rejected, &refuted, &unproven]);
        }
        for (hour, [accepted, rejected, refuted, unproven]) in hours {
            lines.add("oracle_hours", &[name, id, &hour, &accepted, &rejected, &refuted, &unproven]);
        }
        let mut buckets: BTreeMap<i64, u64> = BTreeMap::new();
        for seconds in latencies {
            *buckets.entry(latency_floor(seconds)).or_default() += 1;
        }
        for (floor, accepted) in buckets {
            lines.add("oracle_latencies", &[name, id, &floor, &accepted]);
        }
    }
}

/// Seconds from hand-in to validation, where both are stated in that order.
fn latency(record: &Record) -> Option<i64> {
    let seconds = (record.validated_at? - record.submitted_at?).num_seconds();
    (record.validated_at >= record.submitted_at).then_some(seconds)
}

/// Shortest latency of the same bucket: exact below 64 seconds, then 32 buckets to each doubling.
fn latency_floor(seconds: i64) -> i64 {
    let mut width = 1;
    while seconds >= 64 * width {
        width *= 2;
    }
    seconds / width * width
}
