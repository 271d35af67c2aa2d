//! What nodes report about addresses, for chains whose balances also change outside blocks: asked for after the address
//! was active, at the tip, and stored beside what is derived.

use std::collections::VecDeque;

use schema::event::{Event, Namespace, SourceId, Unit};
use schema::source::SourceFacts;
use schema::store::{Batch, StoreError};
use sqlx::PgConnection;

use super::{FollowError, Log};
use crate::source::Source;

/// Addresses waiting at once; the oldest make room, and come again when they are active again.
const MAX_WAITING: usize = 10_000;
/// Addresses asked about in one round, so that reports never hold up blocks.
const PER_ROUND: usize = 10;

/// Addresses to ask the node about.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    addresses: VecDeque<String>,
    loaded: bool,
}

impl Waiting {
    /// Notes who was active in some units.
    pub(super) fn note(&mut self, units: &[Unit]) {
        let subjects = units.iter().flat_map(|unit| &unit.entries).filter(|entry| !matches!(entry.event, Event::AccountReported(_)));
        for (_, subject) in subjects.flat_map(|entry| &entry.subjects) {
            if subject.namespace == Namespace::Address && !self.addresses.contains(&subject.name) {
                self.addresses.push_back(subject.name.clone());
            }
        }
        while self.addresses.len() > MAX_WAITING {
            self.addresses.pop_front();
        }
    }

    /// Asks about some of them and appends the answers.
    pub(super) async fn ask<S: Source>(&mut self, source: &S, log: &Log, facts: &SourceFacts) -> Result<(), FollowError> {
        if !self.loaded {
            let limit = i64::try_from(MAX_WAITING).unwrap_or(i64::MAX);
            self.addresses.extend(log.unreported(facts.source_id, limit).await?);
            self.loaded = true;
        }
        for _ in 0..PER_ROUND {
            let Some(text) = self.addresses.front().cloned() else { return Ok(()) };
            let Ok(address) = facts.kind.address_rule().canonical(&text) else {
                self.addresses.pop_front();
                continue;
            };
            if let Some(unit) = source.report(&address).await? {
                log.append(facts.source_id, &Batch { units: vec![unit], ..Batch::default() }).await?;
            }
            self.addresses.pop_front();
        }
        Ok(())
    }
}

/// Addresses whose newest event is not a report, newest activity first.
pub(super) async fn unreported(db: &mut PgConnection, source: SourceId, limit: i64) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query!(
        r#"
        select s.subject
        from log.subjects s
        join lateral (
            select es.role
            from log.event_subjects es
            where es.subject_id = s.subject_id
            order by es.position desc
            limit 1
        ) newest on newest.role <> $3
        where s.source_id = $1
            and s.namespace = $2
        order by s.subject_id desc
        limit $4
        "#,
        source.0,
        Namespace::Address.code(),
        schema::event::Role::Reported.code(),
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.subject).collect())
}
