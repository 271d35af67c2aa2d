//! What nodes report about addresses, for chains whose balances also change outside blocks: asked for after the address
//! was active, at the tip, and stored beside what is derived.

use std::collections::{BTreeSet, VecDeque};

use schema::event::{Event, Namespace, SourceId, Unit};
use schema::source::SourceFacts;
use schema::store::{Batch, Cursor, StoreError};
use sqlx::PgConnection;

use super::{FollowError, Log};
use crate::source::Source;

/// Addresses waiting at once; the oldest make room, and come again when they are active again.
const MAX_WAITING: usize = 10_000;
/// Addresses asked about in one round, so that reports never hold up blocks.
const PER_ROUND: usize = 10;

/// How often an address is asked about before it has to be active again.
const MAX_TRIES: u8 = 3;
/// Subjects looked through at once after a restart.
const SUBJECTS_PER_ROUND: i64 = 1_000;

/// Addresses to ask the node about.
#[derive(Debug)]
pub(super) struct Waiting {
    queue: VecDeque<(String, u8)>,
    queued: BTreeSet<String>,
    /// Subjects below this number have not been looked through since the start; none when all have.
    unseen_below: Option<i64>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { queue: VecDeque::new(), queued: BTreeSet::new(), unseen_below: Some(i64::MAX) }
    }
}

impl Waiting {
    /// Notes who was active in some units.
    pub(super) fn note(&mut self, units: &[Unit]) {
        let entries = units.iter().flat_map(|unit| &unit.entries);
        let active = entries.filter(|entry| !matches!(entry.event, Event::AccountReported(_)));
        for (_, subject) in active.flat_map(|entry| &entry.subjects) {
            if subject.namespace == Namespace::Address {
                self.push(subject.name.clone(), 0);
            }
        }
    }

    fn push(&mut self, address: String, tries: u8) {
        if self.queued.insert(address.clone()) {
            self.queue.push_back((address, tries));
        }
        if self.queue.len() > MAX_WAITING
            && let Some((oldest, _)) = self.queue.pop_front()
        {
            self.queued.remove(&oldest);
        }
    }

    /// Asks about some of them and appends the answers.
    pub(super) async fn ask<S: Source>(
        &mut self,
        source: &S,
        log: &Log,
        facts: &SourceFacts,
        cursor: &Cursor,
    ) -> Result<(), FollowError> {
        if let Some(below) = self.unseen_below {
            let (addresses, next) = log.unreported(facts.source_id, below, SUBJECTS_PER_ROUND).await?;
            self.unseen_below = next;
            for address in addresses {
                self.push(address, 0);
            }
        }
        for _ in 0..PER_ROUND {
            let Some((text, tries)) = self.queue.front().cloned() else { return Ok(()) };
            let report = match facts.kind.address_rule().canonical(&text) {
                Ok(address) => source.report(&address).await?,
                Err(_) => None,
            };
            self.queue.pop_front();
            self.queued.remove(&text);
            match report {
                Some(unit) => {
                    let batch = Batch { units: vec![unit], expected: Some(cursor.clone()), ..Batch::default() };
                    log.append(facts.source_id, &batch).await?;
                }
                // The node's head moved while it was asked, or it knows nothing of the address.
                None if tries + 1 < MAX_TRIES => self.push(text, tries + 1),
                None => {}
            }
        }
        Ok(())
    }
}

/// A page of a source's addresses below a subject number whose newest event is not a report, newest first; with the number
/// to go on below, or none at the end.
pub(super) async fn unreported(
    db: &mut PgConnection,
    source: SourceId,
    below: i64,
    limit: i64,
) -> Result<(Vec<String>, Option<i64>), StoreError> {
    let rows = sqlx::query!(
        r#"
        select
            s.subject_id,
            s.subject,
            s.source_id = $1 and s.namespace = $4 and coalesce((
                select es.role <> $5
                from log.event_subjects es
                where es.subject_id = s.subject_id
                order by es.position desc
                limit 1
            ), false) as "waits!"
        from log.subjects s
        where s.subject_id < $2
        order by s.subject_id desc
        limit $3
        "#,
        source.0,
        below,
        limit,
        Namespace::Address.code(),
        schema::event::Role::Reported.code()
    )
    .fetch_all(db)
    .await?;
    let next = rows.last().map(|row| row.subject_id);
    Ok((rows.into_iter().filter(|row| row.waits).map(|row| row.subject).collect(), next))
}
