//! The one appender. Its epoch fences every former one: a row of `log_head` with another epoch is not updated, and an
//! append that updates no row does not happen.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use crate::canonical::{self, CanonicalError, Hash};
use crate::chain::{BlockHash, Height};
use crate::event::{Covered, Entry, Event, Kind, Position, SourceId, Unit};
use crate::pgcopy::CopyRows;
use crate::store::read::hash;
use crate::store::{Cursor, StoreError, StoreHead, SubjectKey, SubjectNumbers};

/// Positions that are provided with partitions ahead of the head.
const PARTITIONS_AHEAD: i64 = 10_000_000;
/// Subjects and roles of one event are bounded by what a transaction may hold.
const MAX_BODY_BYTES: usize = 8 << 20;

/// Who appends, and for how long nobody else may.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Name of this process, for operators.
    pub holder: String,
    /// How long the lease holds after each append or renewal.
    pub length: Duration,
}

/// What one database transaction appends for one source.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// The units, in order; a retraction is a unit of its own.
    pub units: Vec<Unit>,
    /// The newest standing block after the batch, when it changed.
    pub cursor: Option<Cursor>,
    /// Whether the cursor is cleared (a fork back to before the first block).
    pub clear_cursor: bool,
    /// The highest finalized height after the batch, when it advanced.
    pub finalized: Option<Height>,
}

/// What an append came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The head afterwards.
    pub head: StoreHead,
    /// How many events were appended.
    pub events: usize,
}

/// Why an append did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Another appender has taken over; this one must stop.
    #[error("another appender has taken over from epoch {epoch}")]
    Fenced {
        /// Our epoch.
        epoch: i64,
    },
    /// Another appender's lease still holds.
    #[error("{holder} is appending until {until}")]
    Held {
        /// Who.
        holder: String,
        /// Until when, unless it renews.
        until: DateTime<Utc>,
    },
    /// The database refused or is away; whether the append happened is known only after reading the head again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A body cannot be stored.
    #[error("an event of kind {kind} has no canonical body: {error}")]
    Body {
        /// Its kind.
        kind: &'static str,
        /// Why.
        error: CanonicalError,
    },
    /// A body is larger than any block may be.
    #[error("an event of kind {kind} has {bytes} bytes, more than {MAX_BODY_BYTES}")]
    TooLarge {
        /// Its kind.
        kind: &'static str,
        /// Its size.
        bytes: usize,
    },
    /// A unit without events, or a retraction that is not alone in its unit.
    #[error("a unit is malformed: {0}")]
    Unit(&'static str),
}

impl From<sqlx::Error> for AppendError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// The right to append, and the connection it is used on.
#[derive(Debug)]
pub struct Appender {
    db: PgConnection,
    lease: Lease,
    epoch: i64,
    head: StoreHead,
    next_subject: i64,
    partitions_to: i64,
    subjects: SubjectNumbers,
}

impl Appender {
    /// Takes the next epoch when the former lease has run out, or is this holder's own.
    pub async fn take(mut db: PgConnection, lease: Lease) -> Result<Self, AppendError> {
        let row = sqlx::query!(
            r#"
            update log.log_head
            set epoch = epoch + 1,
                holder = $1,
                lease_until = clock_timestamp() + make_interval(secs => $2)
            where lease_until < clock_timestamp()
                or holder = $1
            returning position, chain_hash, epoch, next_subject_id
            "#,
            lease.holder,
            lease.length.as_secs_f64()
        )
        .fetch_optional(&mut db)
        .await?;
        let Some(row) = row else {
            let held = sqlx::query!(r#"select holder, lease_until from log.log_head"#).fetch_one(&mut db).await?;
            return Err(AppendError::Held { holder: held.holder, until: held.lease_until });
        };
        let head = StoreHead { position: Position(row.position), chain_hash: hash(row.position, &row.chain_hash)? };
        let mut appender = Self {
            db,
            lease,
            epoch: row.epoch,
            head,
            next_subject: row.next_subject_id,
            partitions_to: 0,
            subjects: SubjectNumbers::default(),
        };
        appender.ensure_partitions().await?;
        appender.ensure_kind_names().await?;
        Ok(appender)
    }

    /// Where the log ends.
    pub fn head(&self) -> StoreHead {
        self.head
    }

    /// The connection, for what belongs to the appender's own state.
    pub fn db(&mut self) -> &mut PgConnection {
        &mut self.db
    }

    /// Gives the lease back, so that a successor need not wait for it to run out.
    pub async fn release(mut self) -> Result<(), AppendError> {
        sqlx::query!(
            r#"update log.log_head set lease_until = clock_timestamp() where epoch = $1"#,
            self.epoch
        )
        .execute(&mut self.db)
        .await?;
        self.db.close().await?;
        Ok(())
    }

    /// Keeps the lease while there is nothing to append.
    pub async fn renew(&mut self) -> Result<(), AppendError> {
        let renewed = sqlx::query!(
            r#"
            update log.log_head
            set lease_until = clock_timestamp() + make_interval(secs => $2)
            where epoch = $1
            "#,
            self.epoch,
            self.lease.length.as_secs_f64()
        )
        .execute(&mut self.db)
        .await?;
        if renewed.rows_affected() == 0 { Err(AppendError::Fenced { epoch: self.epoch }) } else { Ok(()) }
    }

    /// Appends the units of one source and moves its cursor, in one database transaction.
    /// After an error the appender must be dropped and taken again: only the database knows what happened.
    pub async fn append(&mut self, source: SourceId, batch: &Batch) -> Result<Appended, AppendError> {
        self.ensure_partitions().await?;
        let wanted: BTreeSet<SubjectKey> = batch
            .units
            .iter()
            .flat_map(|unit| &unit.entries)
            .flat_map(|entry| &entry.subjects)
            .map(|(_, subject)| SubjectKey::new(source, subject))
            .collect();
        self.subjects.resolve(&mut self.db, &wanted).await?;
        let mut rows = Rows::new(source, self.head, self.next_subject);
        for key in &wanted {
            if self.subjects.get(key).is_none() {
                let number = rows.new_subject(key);
                self.subjects.insert(key.clone(), number);
            }
        }
        for unit in &batch.units {
            rows.unit(unit, &self.subjects)?;
        }
        let head = rows.head;
        let next_subject = rows.next_subject;
        let events = usize::try_from(head.position.0 - self.head.position.0).unwrap_or_default();
        self.commit(source, batch, rows).await?;
        self.head = head;
        self.next_subject = next_subject;
        Ok(Appended { head, events })
    }

    async fn commit(&mut self, source: SourceId, batch: &Batch, rows: Rows) -> Result<(), AppendError> {
        let mut tx = self.db.begin().await?;
        let fenced = sqlx::query!(
            r#"
            update log.log_head
            set position = $1,
                chain_hash = $2,
                next_subject_id = $3,
                lease_until = clock_timestamp() + make_interval(secs => $4)
            where epoch = $5
                and position = $6
            "#,
            rows.head.position.0,
            &rows.head.chain_hash[..],
            rows.next_subject,
            self.lease.length.as_secs_f64(),
            self.epoch,
            self.head.position.0
        )
        .execute(&mut *tx)
        .await?;
        if fenced.rows_affected() == 0 {
            return Err(AppendError::Fenced { epoch: self.epoch });
        }
        rows.send(&mut tx).await?;
        sqlx::query!(
            r#"
            update log.source_state
            set cursor_height = case when $4 then null else coalesce($2, cursor_height) end,
                cursor_hash = case when $4 then null else coalesce($3, cursor_hash) end,
                finalized_height = greatest(finalized_height, $5),
                progress_at = clock_timestamp()
            where source_id = $1
            "#,
            source.0,
            batch.cursor.as_ref().map(|cursor| cursor.height.to_db()),
            batch.cursor.as_ref().map(|cursor| cursor.hash.as_bytes()),
            batch.clear_cursor,
            batch.finalized.map(Height::to_db)
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(r#"select pg_notify('chert_log', $1)"#, rows_position(batch, self.head)).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn ensure_partitions(&mut self) -> Result<(), AppendError> {
        let wanted = self.head.position.0 + PARTITIONS_AHEAD;
        if wanted > self.partitions_to {
            sqlx::query!(r#"select log.ensure_partitions($1)"#, wanted + PARTITIONS_AHEAD).fetch_one(&mut self.db).await?;
            self.partitions_to = wanted + PARTITIONS_AHEAD;
        }
        Ok(())
    }

    async fn ensure_kind_names(&mut self) -> Result<(), AppendError> {
        let codes: Vec<i16> = Kind::ALL.iter().map(|kind| kind.code()).collect();
        let names: Vec<String> = Kind::ALL.iter().map(|kind| kind.name().to_owned()).collect();
        sqlx::query!(
            r#"
            insert into log.event_kinds (kind, name)
            select k.kind, k.name
            from unnest($1::smallint[], $2::text[]) as k (kind, name)
            on conflict do nothing
            "#,
            &codes,
            &names
        )
        .execute(&mut self.db)
        .await?;
        Ok(())
    }
}

/// The notification only wakes readers; its payload is for people who watch the channel.
fn rows_position(batch: &Batch, head: StoreHead) -> String {
    format!("{} units after {}", batch.units.len(), head.position)
}

/// The rows of one append, encoded while the running hash is computed.
struct Rows {
    source: SourceId,
    head: StoreHead,
    next_subject: i64,
    recorded_at: DateTime<Utc>,
    events: CopyRows,
    subjects: CopyRows,
    event_subjects: CopyRows,
    units: CopyRows,
    retractions: CopyRows,
}

impl Rows {
    fn new(source: SourceId, head: StoreHead, next_subject: i64) -> Self {
        Self {
            source,
            head,
            next_subject,
            recorded_at: Utc::now(),
            events: CopyRows::new(13),
            subjects: CopyRows::new(4),
            event_subjects: CopyRows::new(3),
            units: CopyRows::new(7),
            retractions: CopyRows::new(4),
        }
    }

    fn new_subject(&mut self, key: &SubjectKey) -> i64 {
        let number = self.next_subject;
        self.next_subject += 1;
        self.subjects.row().int8(number).int4_opt(key.source_column()).int2(key.namespace()).text(key.name());
        number
    }

    fn unit(&mut self, unit: &Unit, numbers: &SubjectNumbers) -> Result<(), AppendError> {
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

    async fn send(self, db: &mut PgConnection) -> sqlx::Result<()> {
        let tables = [
            (self.events, "copy log.events (position, source_id, height, block_hash, tx_id, tx_index, event_index, kind, body, verdict, occurred_at, recorded_at, digest) from stdin (format binary)"),
            (self.subjects, "copy log.subjects (subject_id, source_id, namespace, subject) from stdin (format binary)"),
            (self.event_subjects, "copy log.event_subjects (subject_id, position, role) from stdin (format binary)"),
            (self.units, "copy log.log_units (end_position, first_position, source_id, height, block_hash, occurred_at, chain_hash) from stdin (format binary)"),
            (self.retractions, "copy log.retractions (at_position, source_id, first_position, fork_height) from stdin (format binary)"),
        ];
        for (rows, statement) in tables {
            if !rows.is_empty() {
                rows.send(db, statement).await?;
            }
        }
        Ok(())
    }
}
