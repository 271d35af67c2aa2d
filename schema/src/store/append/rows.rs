//! The rows of one append as the database takes them, with the digests and the running hash computed on the way.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{AppendError, MAX_BODY_BYTES};
use crate::bulk::ColumnType::{Bytes, Int2, Int4, Int8, Text, Time};
use crate::bulk::{RowBatch, Target};
use crate::canonical::{self, Hash};
use crate::chain::{BlockHash, Height};
use crate::clock;
use crate::event::{Covered, Entry, Event, Position, SourceId, Unit};
use crate::store::{StoreHead, SubjectKey, SubjectNumbers};

const EVENTS: Target = Target {
    table: "log.events",
    columns: "position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, verdict, occurred_at, recorded_at, digest",
    types: &[Int8, Int4, Int8, Bytes, Text, Int4, Int4, Int2, Bytes, Int2, Time, Time, Bytes],
};
const SUBJECTS: Target = Target {
    table: "log.subjects",
    columns: "subject_id, source_id, namespace, subject",
    types: &[Int8, Int4, Int2, Text],
};
const EVENT_SUBJECTS: Target =
    Target { table: "log.event_subjects", columns: "subject_id, position, role", types: &[Int8, Int8, Int2] };
const UNITS: Target = Target {
    table: "log.log_units",
    columns: "end_position, first_position, source_id, height, block_hash, occurred_at, chain_hash",
    types: &[Int8, Int8, Int4, Int8, Bytes, Time, Bytes],
};
const RETRACTIONS: Target = Target {
    table: "log.retractions",
    columns: "at_position, source_id, first_position, fork_height",
    types: &[Int8, Int4, Int8, Int8],
};

/// The rows of one append, encoded while the running hash is computed.
pub(super) struct Rows {
    source: SourceId,
    pub(super) head: StoreHead,
    pub(super) next_subject: i64,
    recorded_at: DateTime<Utc>,
    events: RowBatch,
    subjects: RowBatch,
    event_subjects: RowBatch,
    units: RowBatch,
    retractions: RowBatch,
}

impl Rows {
    pub(super) fn new(source: SourceId, head: StoreHead, next_subject: i64) -> Self {
        Self {
            source,
            head,
            next_subject,
            recorded_at: clock::now(),
            events: RowBatch::new(&EVENTS),
            subjects: RowBatch::new(&SUBJECTS),
            event_subjects: RowBatch::new(&EVENT_SUBJECTS),
            units: RowBatch::new(&UNITS),
            retractions: RowBatch::new(&RETRACTIONS),
        }
    }

    pub(super) fn new_subject(&mut self, key: &SubjectKey) -> i64 {
        let number = self.next_subject;
        self.next_subject += 1;
        self.subjects.row().int8(number).int4_opt(key.source_column()).int2(key.namespace()).text(key.name());
        number
    }

    pub(super) fn unit(&mut self, unit: &Unit, numbers: &SubjectNumbers) -> Result<(), AppendError> {
        if unit.entries.is_empty() {
            return Err(AppendError::Unit("it holds no event"));
        }
        let first = self.head.position.plus(1);
        let mut digests = Vec::with_capacity(unit.entries.len());
        for (index, entry) in unit.entries.iter().enumerate() {
            let event_index = u32::try_from(index).map_err(|_| AppendError::Unit("it holds 2^32 events"))?;
            let position = self.head.position.plus(index + 1);
            digests.push(self.event(position, event_index, unit, entry)?);
            let involved: BTreeSet<(i64, i16)> = entry
                .subjects
                .iter()
                .filter_map(|(role, subject)| Some((numbers.get(&SubjectKey::new(self.source, subject))?, role.code())))
                .collect();
            for (subject, role) in involved {
                self.event_subjects.row().int8(subject).int8(position.0).int2(role);
            }
            if let Event::Retracted(retracted) = &entry.event {
                if unit.entries.len() != 1 {
                    return Err(AppendError::Unit("a retraction must be alone in its unit"));
                }
                let first_position = retracted.first_position.get().to_db();
                let fork_height = retracted.fork_height.get().to_db();
                self.retractions.row().int8(position.0).int4(self.source.0).int8(first_position).int8(fork_height);
            }
        }
        let end = self.head.position.plus(unit.entries.len());
        let chain_hash: Hash = canonical::chain_hash(&self.head.chain_hash, &digests);
        self.units
            .row()
            .int8(end.0)
            .int8(first.0)
            .int4(self.source.0)
            .int8_opt(unit.block.as_ref().map(|(height, _)| height.to_db()))
            .bytes_opt(unit.block.as_ref().map(|(_, hash)| hash.as_bytes()))
            .time(unit.occurred_at)
            .bytes(&chain_hash);
        self.head = StoreHead { position: end, chain_hash };
        Ok(())
    }

    fn event(&mut self, position: Position, event_index: u32, unit: &Unit, entry: &Entry) -> Result<Hash, AppendError> {
        let kind = entry.event.kind();
        let body = entry.event.body().map_err(|error| AppendError::Body { kind: kind.name(), error })?;
        if body.len() > MAX_BODY_BYTES {
            return Err(AppendError::TooLarge { kind: kind.name(), bytes: body.len() });
        }
        let block = unit.block.as_ref();
        let tx_id = entry.tx.as_ref().map(|(id, _)| id.as_str());
        let tx_index = entry.tx.as_ref().map(|(_, index)| *index);
        let covered = Covered {
            position,
            source_id: self.source,
            height: block.map(|(height, _)| *height),
            block_hash: block.map(|(_, hash)| hash),
            tx_id,
            tx_index,
            event_index,
            kind,
            body: &body,
            verdict: entry.verdict,
            occurred_at: unit.occurred_at,
        };
        let digest = covered.digest();
        let index = |value: u32| i32::try_from(value).map_err(|_| AppendError::Unit("it holds 2^31 events"));
        self.events
            .row()
            .int8(position.0)
            .int4(self.source.0)
            .int8_opt(block.map(|(height, _)| height.to_db()))
            .bytes_opt(block.map(|(_, hash): &(Height, BlockHash)| hash.as_bytes()))
            .text_opt(tx_id)
            .int4_opt(tx_index.map(index).transpose()?)
            .int4(index(event_index)?)
            .int2(kind.code())
            .bytes(&body)
            .int2_opt(entry.verdict.map(|verdict| verdict.code()))
            .time(unit.occurred_at)
            .time(self.recorded_at)
            .bytes(&digest);
        Ok(digest)
    }

    pub(super) async fn send(self, db: &mut PgConnection) -> sqlx::Result<()> {
        for rows in [self.events, self.subjects, self.event_subjects, self.units, self.retractions] {
            rows.send(db).await?;
        }
        Ok(())
    }
}
