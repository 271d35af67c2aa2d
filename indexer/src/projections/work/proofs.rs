//! Signatures of oracles, checked for a whole batch at once on all cores before it is folded.
//!
//! Checking is pure and slow, so the fold only looks the outcome up. Which key counts is decided by the fold: here every
//! key is tried that the oracle has, or may come to have within the batch.

use std::collections::{BTreeMap, BTreeSet};

use schema::event::{Check, Event, OracleRegistered, PublicKey, RecordedEvent, SourceId, WorkSubmitted};
use schema::store::{LoggedUnit, StoreError};
use sqlx::PgConnection;

use crate::projections::{Moment, World, oracles};
use crate::verify::chert::oracle_work;

/// Signatures from which on it pays to start threads.
const PARALLEL_FROM: usize = 64;
/// Oracles kept in memory between batches; beyond that all are forgotten and read again when needed.
const REMEMBERED: usize = 50_000;

type OracleKey = (i32, String);

/// What speaks for an oracle.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Registered {
    address: String,
    key: PublicKey,
}

/// A signature to check.
struct Job<'a> {
    position: i64,
    work: &'a WorkSubmitted,
    chain_id: Option<&'a str>,
    key: &'a PublicKey,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Proofs {
    /// Oracles that were registered before the batch; that does not change but by a retraction.
    registered: BTreeMap<OracleKey, Registered>,
    /// Registrations in the batch of those that were not.
    expected: BTreeMap<OracleKey, Vec<Registered>>,
    checked: BTreeMap<i64, Vec<(PublicKey, Check)>>,
}

impl Proofs {
    /// Reads the keys that a batch's signatures may be under, and checks these.
    pub(super) async fn load(
        &mut self,
        db: &mut PgConnection,
        batch: &[LoggedUnit],
        world: &World,
    ) -> Result<(), StoreError> {
        if self.registered.len() > REMEMBERED {
            self.registered.clear();
        }
        self.expected.clear();
        let events = || batch.iter().flat_map(|unit| &unit.events);
        let named: BTreeSet<OracleKey> =
            events().filter_map(|event| Some((event.source_id.0, validator(event)?.to_owned()))).collect();
        self.read(db, named.into_iter().filter(|key| !self.registered.contains_key(key)).collect()).await?;
        for event in events() {
            if let Event::OracleRegistered(registered) = &event.event {
                self.expect(event.source_id, registered, world);
            }
        }
        let jobs: Vec<Job<'_>> = events().flat_map(|event| self.jobs(event, world)).collect();
        let mut checked: BTreeMap<i64, Vec<(PublicKey, Check)>> = BTreeMap::new();
        for (position, key, check) in check_all(&jobs) {
            checked.entry(position).or_default().push((key, check));
        }
        self.checked = checked;
        Ok(())
    }

    async fn read(&mut self, db: &mut PgConnection, unknown: Vec<OracleKey>) -> Result<(), StoreError> {
        if unknown.is_empty() {
            return Ok(());
        }
        let (sources, ids): (Vec<i32>, Vec<String>) = unknown.into_iter().unzip();
        let rows = sqlx::query!(
            r#"
            select o.source_id, o.oracle_id, o.oracle_address, o.key_alg, o.public_key
            from unnest($1::integer[], $2::text[]) as wanted (source_id, oracle_id)
            join oracles o
                on o.source_id = wanted.source_id
                and o.oracle_id = wanted.oracle_id
            "#,
            &sources,
            &ids
        )
        .fetch_all(db)
        .await?;
        for row in rows {
            let key = PublicKey { alg: row.key_alg, public_key: row.public_key };
            let registered = Registered { address: row.oracle_address, key };
            self.registered.insert((row.source_id, row.oracle_id), registered);
        }
        Ok(())
    }

    fn expect(&mut self, source: SourceId, registered: &OracleRegistered, world: &World) {
        let key = (source.0, registered.oracle_id.clone());
        let canonical = |spelled: &str| world.address(source, spelled).ok();
        let Some(address) = canonical(&registered.address) else { return };
        let origin = world.sources.get(&source).and_then(|facts| facts.kind.origin());
        let is_by_origin =
            origin.is_none_or(|origin| canonical(&registered.sender).is_some_and(|sender| sender.as_str() == origin));
        if is_by_origin && !self.registered.contains_key(&key) {
            let registered = Registered { address: address.as_str().to_owned(), key: oracles::key_of(registered) };
            self.expected.entry(key).or_default().push(registered);
        }
    }

    fn candidates(&self, source: SourceId, oracle_id: &str) -> impl Iterator<Item = &Registered> {
        let key = (source.0, oracle_id.to_owned());
        self.registered.get(&key).into_iter().chain(self.expected.get(&key).into_iter().flatten())
    }

    /// Whether an account may turn out to be an oracle's within the batch.
    pub(super) fn may_be(&self, source: SourceId, oracle_id: &str, sender: &str, world: &World) -> bool {
        let Ok(sender) = world.address(source, sender) else { return false };
        self.candidates(source, oracle_id).any(|registered| registered.address == sender.as_str())
    }

    fn jobs<'a>(&'a self, event: &'a RecordedEvent, world: &'a World) -> Vec<Job<'a>> {
        let Event::WorkSubmitted(work) = &event.event else { return Vec::new() };
        let (Some(oracle_id), Some(_)) = (&work.oracle_id, &work.oracle_signature) else { return Vec::new() };
        let chain_id = world.sources.get(&event.source_id).and_then(|facts| facts.chain_id.as_deref());
        let candidates = self.candidates(event.source_id, oracle_id);
        candidates.map(|registered| Job { position: event.position.0, work, chain_id, key: &registered.key }).collect()
    }

    /// What checking a submission's signature under a key came to; none where nothing is signed.
    pub(super) fn check(&self, moment: &Moment<'_>, work: &WorkSubmitted, key: &PublicKey) -> Option<Check> {
        let checked = self.checked.get(&moment.event.position.0);
        let known = checked.and_then(|checked| checked.iter().find(|(under, _)| under == key));
        match known {
            Some((_, check)) => Some(check.clone()),
            None => oracle_work(moment.facts().chain_id.as_deref(), work, key),
        }
    }
}

/// The oracle that a submission or rejection names.
fn validator(event: &RecordedEvent) -> Option<&str> {
    if let Event::WorkSubmitted(work) = &event.event {
        work.oracle_id.as_deref()
    } else if let Event::WorkRejected(work) = &event.event {
        Some(&work.oracle_id)
    } else {
        None
    }
}

fn check_one(job: &Job<'_>) -> Option<(i64, PublicKey, Check)> {
    Some((job.position, job.key.clone(), oracle_work(job.chain_id, job.work, job.key)?))
}

fn check_all(jobs: &[Job<'_>]) -> Vec<(i64, PublicKey, Check)> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    if jobs.len() < PARALLEL_FROM || cores == 1 {
        return jobs.iter().filter_map(check_one).collect();
    }
    let part = jobs.len().div_ceil(cores);
    std::thread::scope(|scope| {
        let workers: Vec<_> = jobs
            .chunks(part)
            .map(|jobs| scope.spawn(move || jobs.iter().filter_map(check_one).collect::<Vec<_>>()))
            .collect();
        let outcomes = workers.into_iter();
        outcomes.flat_map(|worker| worker.join().expect("checking a signature does not panic")).collect()
    })
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::{Signer, SigningKey};
    use schema::event::Verdict;

    use super::*;

    #[test]
    fn many_signatures_are_checked_like_one() {
        let signing = SigningKey::from_bytes(&[5; 32]);
        let key = PublicKey { alg: "ed25519".into(), public_key: hex::encode(signing.verifying_key().as_bytes()) };
        let work = |n: usize| {
            let message = format!("chert:pouw:v1\nchain\ns{n}\n0xaa\no\nboinc\n1\n2\n3\n1767225600");
            let signature = (!n.is_multiple_of(3)).then(|| {
                let message = if n % 3 == 1 { message } else { "something else".to_owned() };
                hex::encode(signing.sign(message.as_bytes()).to_bytes())
            });
            let body = serde_json::json!({
                "checks": {}, "credit": "2", "difficulty": "1", "miner_address": "0xaa", "oracle_id": "o",
                "oracle_signature": signature, "reward": "3", "reward_unit": "points", "sender": "0xbb",
                "submission_id": format!("s{n}"), "validated_at": "1767225600", "work_type": "boinc",
            });
            serde_json::from_value::<WorkSubmitted>(body).expect("a body")
        };
        let works: Vec<WorkSubmitted> = (0..3 * PARALLEL_FROM).map(work).collect();
        let positions = 0_i64..;
        let jobs: Vec<Job<'_>> = positions
            .zip(&works)
            .map(|(position, work)| Job { position, work, chain_id: Some("chain"), key: &key })
            .collect();
        let checked = check_all(&jobs);
        assert_eq!(checked, jobs.iter().filter_map(check_one).collect::<Vec<_>>());
        assert_eq!(checked.len(), 2 * PARALLEL_FROM, "what is not signed is not checked");
        for (position, _, check) in checked {
            let expected = if position % 3 == 1 { Verdict::Verified } else { Verdict::Refuted };
            assert_eq!(check.verdict, expected, "at {position}");
        }
    }
}
