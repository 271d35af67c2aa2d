//! The engine that turns the log into views: read, fold in memory, write versions, move the watermark, all in one
//! database transaction per batch, fenced against a second projector.
//!
//! It must not know what any view means.

use std::collections::BTreeSet;

use schema::event::{Event, Position, RecordedEvent, Verdict};
use schema::store::{LoggedUnit, StoreError, SubjectKey, load_facts};
use sqlx::{Connection, PgConnection};

use crate::projections::work::BoardsEvery;
use crate::projections::{Broken, Live, Moment, Projections, REGISTER, Retraction, Unwritable, World, addresses_of};

mod ahead;
pub mod rebuild;
mod state;

use ahead::Ahead;
use state::{check_history, insert_state, publish_states};

/// Events folded in one database transaction unless the settings say otherwise.
pub const BATCH_EVENTS: i64 = 25_000;

/// Why the views could not be moved on.
#[derive(Debug, thiserror::Error)]
pub enum ProjectorError {
    /// The log could not be read or the views not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another projector has moved the watermark; this one must stop.
    #[error("another projector has moved the views away from position {0}")]
    Fenced(Position),
    /// The rows were written by another version of the code.
    #[error(
        "view {view} was written by version {stored} of its projection and this program has version {ours}: run `chert rebuild`"
    )]
    OtherVersion {
        /// The view.
        view: String,
        /// Version that wrote the rows.
        stored: i32,
        /// Version of this program.
        ours: i32,
    },
    /// Another rebuild or verification is at work on the same database.
    #[error("another rebuild or verification is running on this database")]
    RebuildRunning,
    /// A view that counts as live is not where the others are.
    #[error("view {view} stands at position {position}, and the others do not: run `chert rebuild`")]
    LeftBehind {
        /// The view.
        view: String,
        /// Where it stands.
        position: i64,
    },
    /// The views say that they saw a log that is not this one.
    #[error("the views are at position {0} of a log with another history; run `chert rebuild`")]
    OtherLog(Position),
}

impl From<sqlx::Error> for ProjectorError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// What one step came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The watermark now.
    pub position: Position,
    /// Events folded in this step; 0 when the views have caught up.
    pub events: usize,
    /// Views set aside in this step, with the reason.
    pub set_aside: Vec<Broken>,
}

/// Names of the live projections.
#[derive(Debug, Clone, Default)]
struct LiveSet(BTreeSet<&'static str>);

impl Live for LiveSet {
    fn is_live(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// What became of a batch.
enum Folded {
    Done,
    Broken(Broken),
    /// The database cannot hold a row that a view made of the batch.
    Refused(Unwritable),
}

/// The engine, with its connection and the rows it remembers.
pub struct Projector {
    db: PgConnection,
    projections: Projections,
    world: World,
    live: LiveSet,
    position: Position,
    generation: i64,
    ahead: Ahead,
    batch_events: i64,
}

impl Projector {
    /// Opens the views that the connection's search path names.
    pub async fn open(mut db: PgConnection, batch_events: i64) -> Result<Self, ProjectorError> {
        let mut live = LiveSet::default();
        let stored =
            sqlx::query!(r#"select view, version, state, position from view_state"#).fetch_all(&mut db).await?;
        let watermark =
            sqlx::query!(r#"select position, chain_hash, generation from watermark"#).fetch_one(&mut db).await?;
        check_history(&mut db, watermark.position, &watermark.chain_hash).await?;
        for registered in REGISTER {
            match stored.iter().find(|row| row.view == registered.name) {
                Some(row) if row.version != registered.version => {
                    return Err(ProjectorError::OtherVersion {
                        view: row.view.clone(),
                        stored: row.version,
                        ours: registered.version,
                    });
                }
                Some(row) if row.state != "live" => {}
                Some(row) if row.position != watermark.position => {
                    return Err(ProjectorError::LeftBehind { view: row.view.clone(), position: row.position });
                }
                Some(_) => {
                    live.0.insert(registered.name);
                }
                None if watermark.position > 0 => {
                    return Err(ProjectorError::OtherVersion {
                        view: registered.name.to_owned(),
                        stored: 0,
                        ours: registered.version,
                    });
                }
                None => {
                    insert_state(&mut db, registered.name, registered.version).await?;
                    live.0.insert(registered.name);
                }
            }
        }
        Ok(Self {
            db,
            projections: Projections::default(),
            world: World::default(),
            live,
            position: Position(watermark.position),
            generation: watermark.generation,
            ahead: Ahead::default(),
            batch_events,
        })
    }

    /// Reads the log ahead on a second connection while a batch is folded.
    pub fn reading_ahead(self, reader: PgConnection) -> Self {
        Self { ahead: Ahead::with_reader(reader), ..self }
    }

    /// Keeps boards that far apart, also within a day. Views that are to be compared must have been made alike.
    pub fn keeping_boards_every(mut self, positions: BoardsEvery) -> Self {
        self.world.boards_every = positions;
        self
    }

    /// The watermark as this projector knows it.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The connection, for what a rebuild does around the fold.
    pub(crate) fn db(&mut self) -> &mut PgConnection {
        &mut self.db
    }

    /// Folds the next batch of whole units. After an error the projector must be opened again.
    pub async fn step(&mut self) -> Result<Progress, ProjectorError> {
        let batch = self.ahead.next_batch(&mut self.db, self.position, self.batch_events).await?;
        let set_aside = self.fold_all(&batch).await?;
        Ok(Progress { position: self.position, events: count(&batch), set_aside })
    }

    /// Folds all units; returns the views that had to be set aside for it. What does not come out is folded again in
    /// smaller parts, so that a view is set aside at the very unit at which it fails, and everything before that is
    /// published first. Each trouble leaves shorter parts or fewer live views, so it comes to an end.
    async fn fold_all(&mut self, units: &[LoggedUnit]) -> Result<Vec<Broken>, ProjectorError> {
        let mut set_aside = Vec::new();
        // What is still to do; the next part is the last one here.
        let mut parts = vec![units];
        while let Some(part) = parts.pop() {
            let Some(first) = part.first() else { continue };
            let (good, broken) = match self.fold_batch(part).await? {
                Folded::Done => continue,
                Folded::Broken(broken) => {
                    (part.iter().position(|unit| unit.end_position >= broken.position).unwrap_or(0), broken)
                }
                // Which unit it is shows when it is folded alone; half of the units are nearer to that.
                Folded::Refused(Unwritable { view, error }) => {
                    let why = format!("a row cannot be stored: {error}");
                    (part.len() / 2, Broken { view, position: first.end_position, why })
                }
            };
            self.projections.forget();
            if good == 0 {
                self.set_aside(&broken).await?;
                set_aside.push(broken);
                parts.push(part);
            } else {
                let (before, after) = part.split_at(good);
                parts.extend([after, before]);
            }
        }
        Ok(set_aside)
    }

    /// Folds until the views have caught up with the log, or up to a position.
    pub async fn catch_up(&mut self, until: Option<Position>) -> Result<Position, ProjectorError> {
        loop {
            let progress = self.step().await?;
            let reached = until.is_some_and(|until| progress.position >= until);
            if progress.events == 0 && progress.set_aside.is_empty() || reached {
                return Ok(progress.position);
            }
        }
    }

    async fn fold_batch(&mut self, batch: &[LoggedUnit]) -> Result<Folded, ProjectorError> {
        let Some(last) = batch.last() else { return Ok(Folded::Done) };
        self.know(batch).await?;
        let before = self.position;
        let mut tx = self.db.begin().await?;
        let fence = sqlx::query!(
            r#"
            update watermark
            set position = $1,
                chain_hash = $2,
                moved_at = clock_timestamp()
            where position = $3
                and generation = $4
            "#,
            last.end_position.0,
            &last.chain_hash[..],
            before.0,
            self.generation
        )
        .execute(&mut *tx)
        .await?;
        if fence.rows_affected() == 0 {
            return Err(ProjectorError::Fenced(before));
        }
        let changed = match batch {
            [unit] if unit.retraction().is_some() => {
                let retraction = retraction_of(unit)?;
                // Its cost is what is undone, and that may be much: an accepted deep fork.
                sqlx::raw_sql("set local statement_timeout = 0").execute(&mut *tx).await?;
                self.projections.retract(&mut tx, retraction, &self.world, &self.live).await?
            }
            units => {
                self.projections.load(&mut tx, units, &self.world, &self.live).await?;
                for unit in units {
                    fold_unit(&mut self.projections, unit, &self.world, &self.live);
                    if let Err(broken) = self.projections.close(unit, &self.world, &self.live) {
                        tx.rollback().await?;
                        return Ok(Folded::Broken(broken));
                    }
                }
                match self.projections.write(&mut tx, before, &self.live).await? {
                    Ok(changed) => changed,
                    Err(unwritable) => {
                        tx.rollback().await?;
                        return Ok(Folded::Refused(unwritable));
                    }
                }
            }
        };
        publish_states(&mut tx, batch, last.end_position, &changed).await?;
        tx.commit().await?;
        self.position = last.end_position;
        Ok(Folded::Done)
    }

    /// Makes known which sources and subjects the batch speaks of.
    async fn know(&mut self, batch: &[LoggedUnit]) -> Result<(), ProjectorError> {
        if batch.iter().any(|unit| !self.world.sources.contains_key(&unit.source_id)) {
            // A claim of the new source may already be known to be absent only for the old ones.
            self.projections.forget();
            self.world.sources =
                load_facts(&mut self.db).await?.into_iter().map(|facts| (facts.source_id, facts)).collect();
        }
        let mut wanted = BTreeSet::new();
        for event in batch.iter().flat_map(|unit| &unit.events) {
            let Some(facts) = self.world.sources.get(&event.source_id) else {
                let why = format!("source {} is not in log.sources", event.source_id.0);
                return Err(StoreError::Damaged { position: event.position.0, why }.into());
            };
            wanted
                .extend(addresses_of(event, facts).iter().map(|address| SubjectKey::address(event.source_id, address)));
        }
        self.world.numbers.resolve(&mut self.db, &wanted).await?;
        Ok(())
    }

    async fn set_aside(&mut self, broken: &Broken) -> Result<(), ProjectorError> {
        let mut aside = BTreeSet::from([broken.view]);
        for registered in REGISTER {
            if registered.depends_on.iter().any(|name| aside.contains(name)) {
                aside.insert(registered.name);
            }
        }
        tracing::error!(view = broken.view, position = broken.position.0, why = broken.why, set_aside = ?aside, "a view is broken and has been set aside");
        let names: Vec<String> = aside.iter().map(|name| (*name).to_owned()).collect();
        sqlx::query!(
            r#"update view_state set state = 'set_aside', error = $2 where view = any($1)"#,
            &names,
            broken.to_string()
        )
        .execute(&mut self.db)
        .await?;
        self.live.0.retain(|name| !aside.contains(name));
        Ok(())
    }
}

fn count(units: &[LoggedUnit]) -> usize {
    units.iter().map(|unit| unit.events.len()).sum()
}

fn fold_unit(projections: &mut Projections, unit: &LoggedUnit, world: &World, live: &LiveSet) {
    let mut carrier: Option<(&RecordedEvent, &str)> = None;
    for event in &unit.events {
        if let Event::TransactionApplied(tx) = &event.event {
            carrier = Some((event, tx.sender.as_str()));
        }
        let carried = carrier.filter(|(tx, _)| event.tx_id.is_some() && event.tx_id == tx.tx_id);
        let sender_refuted = carried.is_some_and(|(tx, _)| tx.verdict == Some(Verdict::Refuted));
        let tx_sender = carried.map(|(_, sender)| sender);
        projections.fold(&Moment { event, unit, world, tx_sender, sender_refuted }, live);
    }
}

fn retraction_of(unit: &LoggedUnit) -> Result<Retraction, StoreError> {
    let retracted = unit.retraction().ok_or_else(|| StoreError::Damaged {
        position: unit.end_position.0,
        why: "a retraction was expected".to_owned(),
    })?;
    Ok(Retraction {
        source_id: unit.source_id,
        first: Position(retracted.first_position.get().to_db()),
        at: unit.end_position,
    })
}
