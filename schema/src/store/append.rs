//! The one appender. Its epoch fences every former one: a row of `log_head` with another epoch is not updated, and an
//! append that updates no row does not happen.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};

use crate::canonical::CanonicalError;
use crate::chain::Height;
use crate::event::{Kind, Position, SourceId, Unit};
use crate::store::read::hash;
use crate::store::{Cursor, StoreError, StoreHead, SubjectKey, SubjectNumbers};

mod rows;

use rows::Rows;

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
    /// Where the caller believes the source's cursor is; elsewhere means that somebody else appended for the source.
    pub expected: Option<Cursor>,
    /// What becomes of the cursor.
    pub cursor: CursorMove,
    /// Whether the batch retracts what an operator's acceptance allowed; the acceptance is then used up.
    pub uses_accepted_fork: bool,
    /// The highest finalized height after the batch, when it advanced.
    pub finalized: Option<Height>,
}

/// What becomes of a source's cursor in an append.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum CursorMove {
    /// It stays.
    #[default]
    Keep,
    /// To the newest standing block after the batch.
    To(Cursor),
    /// Away: no block of the source stands any more.
    Clear,
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
    /// The source's cursor is not where the caller believes; it must read its progress again.
    #[error("the cursor of source {source_id} is not where this follower left it", source_id = source_id.0)]
    CursorMoved {
        /// The source.
        source_id: SourceId,
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
        sqlx::query!(r#"update log.log_head set lease_until = clock_timestamp() where epoch = $1"#, self.epoch)
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
        let after = match &batch.cursor {
            CursorMove::Keep => batch.expected.as_ref(),
            CursorMove::To(cursor) => Some(cursor),
            CursorMove::Clear => None,
        };
        let moved = sqlx::query!(
            r#"
            update log.source_state
            set cursor_height = $2,
                cursor_hash = $3,
                finalized_height = greatest(finalized_height, $4),
                accepted_fork_height = case when $5 then null else accepted_fork_height end,
                progress_at = clock_timestamp(),
                ahead_since = case when tip_height <= $2 then null else ahead_since end
            where source_id = $1
                and cursor_height is not distinct from $6
                and cursor_hash is not distinct from $7
            "#,
            source.0,
            after.map(|cursor| cursor.height.to_db()),
            after.map(|cursor| cursor.hash.as_bytes()),
            batch.finalized.map(Height::to_db),
            batch.uses_accepted_fork,
            batch.expected.as_ref().map(|cursor| cursor.height.to_db()),
            batch.expected.as_ref().map(|cursor| cursor.hash.as_bytes())
        )
        .execute(&mut *tx)
        .await?;
        if moved.rows_affected() == 0 {
            return Err(AppendError::CursorMoved { source_id: source });
        }
        sqlx::query!(r#"select pg_notify('chert_log', $1)"#, rows_position(batch, self.head))
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn ensure_partitions(&mut self) -> Result<(), AppendError> {
        let wanted = self.head.position.0 + PARTITIONS_AHEAD;
        if wanted > self.partitions_to {
            sqlx::query!(r#"select log.ensure_partitions($1)"#, wanted + PARTITIONS_AHEAD)
                .fetch_one(&mut self.db)
                .await?;
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
