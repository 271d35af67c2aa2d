//! Units read ahead of the fold: while one batch is folded and written, the next is already being read on a connection of
//! its own. What is left behind a retraction is kept for the next batch and not read again.

use std::collections::VecDeque;

use schema::event::Position;
use schema::store::{self, LoggedUnit, StoreError};
use sqlx::PgConnection;
use tokio_util::task::AbortOnDropHandle;

type Reading = AbortOnDropHandle<Result<(PgConnection, Vec<LoggedUnit>), StoreError>>;

/// What has been read and not yet folded.
#[derive(Default)]
pub(super) struct Ahead {
    units: VecDeque<LoggedUnit>,
    reader: Option<PgConnection>,
    reading: Option<Reading>,
}

impl Ahead {
    /// Reads ahead on this connection from now on.
    pub(super) fn with_reader(reader: PgConnection) -> Self {
        Self { reader: Some(reader), ..Self::default() }
    }

    /// The next units to fold after a position: a retraction alone, or everything before the next one. Empty at the end of
    /// the log. `db` reads when nothing was read ahead.
    pub(super) async fn next_batch(
        &mut self,
        db: &mut PgConnection,
        after: Position,
        events: i64,
    ) -> Result<Vec<LoggedUnit>, StoreError> {
        if self.units.is_empty()
            && let Some(reading) = self.reading.take()
        {
            let (reader, units) = reading.await.map_err(|error| StoreError::Damaged {
                position: after.0,
                why: format!("reading ahead stopped: {error}"),
            })??;
            self.reader = Some(reader);
            self.units.extend(units);
        }
        if self.units.is_empty() {
            self.units.extend(store::read_units(db, after, events).await?);
        }
        let batch = self.take_batch();
        self.read_on(batch.last(), events);
        Ok(batch)
    }

    fn take_batch(&mut self) -> Vec<LoggedUnit> {
        let starts_with_retraction = self.units.front().is_some_and(|unit| unit.retraction().is_some());
        let until = if starts_with_retraction {
            1
        } else {
            self.units.iter().position(|unit| unit.retraction().is_some()).unwrap_or(self.units.len())
        };
        self.units.drain(..until).collect()
    }

    /// Begins to read what follows the last unit known, if a reader is idle.
    fn read_on(&mut self, batch_end: Option<&LoggedUnit>, events: i64) {
        let Some(last) = self.units.back().or(batch_end).map(|unit| unit.end_position) else { return };
        if self.units.is_empty()
            && let Some(mut reader) = self.reader.take()
        {
            self.reading = Some(AbortOnDropHandle::new(tokio::spawn(async move {
                let units = store::read_units(&mut reader, last, events).await?;
                Ok((reader, units))
            })));
        }
    }
}
