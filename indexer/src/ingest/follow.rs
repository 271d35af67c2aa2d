//! One source, followed from its first block to its tip and along it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use schema::chain::{BlockHash, Height};
use schema::clock;
use schema::event::{Entry, Event, Finalized, SourceStarted, Unit};
use schema::source::SourceFacts;
use schema::store::{Batch, Cursor, CursorMove, Look, SourceProgress};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::report::Waiting;
use super::{FollowError, FollowOptions, Log, MAX_BACKOFF};

mod reorg;
mod rules;

use crate::source::{BlockUnit, Source, SourceError, Tip};
use rules::{finalized, in_time, is_backfill, is_for_operator, linked, pages, pause_after, reserved, spelled, weight};

/// Longest that a backfill goes on without looking at the tip and the operator's orders again.
const LONGEST_ROUND: Duration = Duration::from_secs(5);

/// Text held before it is appended, in bytes; a block is never split.
const MAX_BATCH_BYTES: usize = 16 << 20;

/// What a round of following came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Round {
    /// Something was appended or retracted; more may be waiting.
    Moved,
    /// Nothing is new.
    Quiet,
    /// An operator has paused the source.
    Paused,
}

/// Follows one source.
pub struct Follower<S: Source> {
    source: Arc<S>,
    log: Arc<Log>,
    facts: SourceFacts,
    options: FollowOptions,
    progress: Option<SourceProgress>,
    introduced: bool,
    troubled: bool,
    waiting: Waiting,
}

impl<S: Source> Follower<S> {
    /// A follower of a source that has been declared in the log.
    pub fn new(source: Arc<S>, log: Arc<Log>, facts: SourceFacts, options: FollowOptions) -> Self {
        Self {
            source,
            log,
            facts,
            options,
            progress: None,
            introduced: false,
            troubled: true,
            waiting: Waiting::default(),
        }
    }

    /// Follows until told to stop. Trouble is counted, shown in the source's state, and tried again after a pause.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = self.options.first_backoff;
        while !stop.is_cancelled() {
            let pause = match self.round().await {
                Ok(Round::Moved) => {
                    backoff = self.options.first_backoff;
                    Duration::ZERO
                }
                Ok(Round::Quiet | Round::Paused) => {
                    backoff = self.options.first_backoff;
                    self.options.poll_interval
                }
                Err(error) => {
                    let pause = pause_after(&error, backoff);
                    self.report_trouble(&error, pause).await;
                    backoff = (backoff * 2).min(MAX_BACKOFF);
                    pause
                }
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// One look at the source and what follows from it.
    pub async fn round(&mut self) -> Result<Round, FollowError> {
        let round = self.try_round().await;
        if round.is_err() {
            // What we believe about the log may be wrong after an error.
            self.progress = None;
            self.troubled = true;
        } else if self.troubled {
            // Only a round that came to its end is a recovery; a named tip alone is not.
            let look = Look { recovered: true, ..Look::default() };
            match self.log.report_look(self.facts.source_id, look).await {
                Ok(_) => self.troubled = false,
                Err(error) => {
                    self.progress = None;
                    return Err(error.into());
                }
            }
        }
        round
    }

    async fn try_round(&mut self) -> Result<Round, FollowError> {
        let id = self.facts.source_id;
        let progress = match self.progress.clone() {
            Some(progress) => progress,
            None => self.log.progress(id).await?,
        };
        if progress.paused && self.log.report_look(id, Look::default()).await?.paused {
            return Ok(Round::Paused);
        }
        if !self.introduced {
            self.introduce(&progress).await?;
        }
        self.progress = Some(progress.clone());
        let tip = self.source.tip().await?;
        let behind = progress.cursor.as_ref().is_none_or(|cursor| tip.height > cursor.height);
        let state = if is_backfill(&progress, &tip, self.options.finality_depth) { "backfilling" } else { "following" };
        let state = (!self.troubled).then_some(state);
        let look = Look { tip: Some((tip.height, tip.hash.as_ref())), state, ..Look::default() };
        let orders = self.log.report_look(id, look).await?;
        let progress = SourceProgress { paused: orders.paused, accepted_fork: orders.accepted_fork, ..progress };
        self.progress = Some(progress.clone());
        if progress.paused {
            return Ok(Round::Paused);
        }
        if behind && tip.height >= self.facts.start_height {
            return self.advance(&progress, &tip).await;
        }
        match &progress.cursor {
            Some(cursor) if self.is_rewritten(cursor, &tip).await? => self.check_fork(&progress, cursor, &tip).await,
            Some(cursor) if self.facts.off_block_state && cursor.height == tip.height => {
                self.waiting.ask(&*self.source, &self.log, &self.facts, cursor).await?;
                Ok(Round::Quiet)
            }
            Some(_) | None => Ok(Round::Quiet),
        }
    }

    /// First contact: the node must be what the settings and the log say.
    async fn introduce(&mut self, progress: &SourceProgress) -> Result<(), FollowError> {
        let met = self.source.introduce().await?;
        if let (Some(stated), Some(known)) = (&met.chain_id, &self.facts.chain_id)
            && stated != known
        {
            let name = &self.facts.name;
            let why = format!("the node of {name} says its chain id is {stated:?}, and it is followed as {known:?}");
            return Err(FollowError::Halted(why));
        }
        if !progress.started {
            let started = SourceStarted {
                chain_id: met.chain_id.clone().or_else(|| self.facts.chain_id.clone()),
                genesis_hash: met.genesis_hash.as_ref().map(BlockHash::to_string),
                hash_rule: met.hash_rule.clone(),
                kind: self.facts.kind.name().to_owned(),
                start_height: spelled(self.facts.start_height),
            };
            let entry = Entry {
                event: Event::SourceStarted(started),
                tx: None,
                verdict: None,
                subjects: reserved(&self.facts),
            };
            let unit = Unit { block: None, occurred_at: clock::now(), entries: vec![entry] };
            let batch = Batch { units: vec![unit], expected: progress.cursor.clone(), ..Batch::default() };
            self.log.append(self.facts.source_id, &batch).await?;
        } else if let Some(genesis) = &met.genesis_hash {
            let ours = self.log.hashes(self.facts.source_id, Height::GENESIS, Height::GENESIS).await?;
            if ours.iter().any(|(_, hash)| hash != genesis) {
                let why = format!("the node of {} has another block 0: {genesis}", self.facts.name);
                return Err(FollowError::Halted(why));
            }
        }
        self.introduced = true;
        Ok(())
    }

    /// Fetches and appends from the cursor to the tip, several pages at a time.
    async fn advance(&mut self, progress: &SourceProgress, tip: &Tip) -> Result<Round, FollowError> {
        let from = match &progress.cursor {
            Some(cursor) => {
                cursor.height.next().ok_or_else(|| FollowError::Halted("the height range is exhausted".into()))?
            }
            None => self.facts.start_height,
        };
        let pages = pages(from, tip.height, self.source.page());
        let source = Arc::clone(&self.source);
        let fetched = futures::stream::iter(pages).map(move |page| {
            let source = Arc::clone(&source);
            // Each page is its own task, so that fetching and checking go on while this one waits for the database.
            let task = AbortOnDropHandle::new(tokio::spawn(async move { source.blocks(page).await }));
            async move { task.await.map_err(|error| SourceError::Malformed(format!("decoding stopped: {error}")))? }
        });
        let mut fetched = fetched.buffered(self.options.fetch_concurrency);
        let mut pending: Vec<Unit> = Vec::new();
        let (mut events, mut bytes) = (0, 0);
        let mut cursor = progress.cursor.clone();
        let mut appended = cursor.clone();
        let started = Instant::now();
        let outcome = loop {
            if started.elapsed() > LONGEST_ROUND {
                break Ok(());
            }
            let page = match fetched.next().await {
                None => break Ok(()),
                Some(Err(error)) => break Err(FollowError::from(error)),
                Some(Ok(page)) if page.is_empty() => break Ok(()),
                Some(Ok(page)) => page,
            };
            let mut broken = None;
            for block in page {
                match self.checked(block, cursor.as_ref()) {
                    Ok((next, unit)) => {
                        events += unit.entries.len();
                        bytes += weight(&unit);
                        pending.push(unit);
                        cursor = Some(next);
                    }
                    Err(error) => {
                        broken = Some(error);
                        break;
                    }
                }
                if events >= self.options.max_batch_events || bytes >= MAX_BATCH_BYTES {
                    self.append(std::mem::take(&mut pending), cursor.clone()).await?;
                    appended.clone_from(&cursor);
                    (events, bytes) = (0, 0);
                }
            }
            if let Some(error) = broken {
                break Err(error);
            }
        };
        drop(fetched);
        if !pending.is_empty() {
            self.append(pending, cursor.clone()).await?;
            appended = cursor;
        }
        let moved = appended != progress.cursor;
        match (outcome, &progress.cursor) {
            (Ok(()), _) if moved => Ok(Round::Moved),
            // The node named a newer block and gave none: it may be on another branch below, or only be slow.
            (Ok(()), Some(cursor)) if self.is_rewritten(cursor, tip).await? => {
                self.check_fork(progress, cursor, tip).await
            }
            (Ok(()), _) => Err(SourceError::Transient(format!(
                "the node names block {} and does not give block {from}",
                tip.height
            ))
            .into()),
            // The very first block does not fit ours: look again whether the node is on another branch.
            (Err(FollowError::Source(SourceError::Malformed(_))), Some(cursor)) if !moved => {
                match self.check_fork(progress, cursor, tip).await? {
                    Round::Moved => Ok(Round::Moved),
                    Round::Quiet | Round::Paused => Err(SourceError::Malformed(format!(
                        "block {} does not follow block {} ({}), which the node still has",
                        from, cursor.height, cursor.hash
                    ))
                    .into()),
                }
            }
            (Err(error), _) => Err(error),
        }
    }

    /// What only the log and the clock can say about a block: that it follows the one before, and is not from the future.
    fn checked(&self, block: BlockUnit, cursor: Option<&Cursor>) -> Result<(Cursor, Unit), FollowError> {
        let (next, unit) = linked(block, cursor, self.facts.start_height)?;
        in_time(next.height, unit.occurred_at, (self.options.clock)(), self.options.max_clock_skew)?;
        Ok((next, unit))
    }

    async fn append(&mut self, mut units: Vec<Unit>, cursor: Option<Cursor>) -> Result<(), FollowError> {
        let known = self.progress.as_ref().and_then(|progress| progress.finalized);
        let finalized = cursor.as_ref().and_then(|cursor| finalized(cursor.height, self.options.finality_depth, known));
        if self.facts.off_block_state {
            self.waiting.note(&units);
        }
        if let (Some(through), Some(occurred_at)) = (finalized, units.last().map(|unit| unit.occurred_at)) {
            let event = Finalized { rule: "depth".to_owned(), through_height: spelled(through) };
            let entry = Entry { event: Event::Finalized(event), tx: None, verdict: None, subjects: Vec::new() };
            units.push(Unit { block: None, occurred_at, entries: vec![entry] });
        }
        let blocks = units.len();
        let expected = self.progress.as_ref().and_then(|progress| progress.cursor.clone());
        let moved = cursor.clone().map_or(CursorMove::Keep, CursorMove::To);
        let batch = Batch { units, expected, cursor: moved, finalized, uses_accepted_fork: false };
        let appended = self.log.append(self.facts.source_id, &batch).await?;
        metrics::counter!("chert_log_events_total", "source" => self.facts.name.clone())
            .increment(u64::try_from(appended.events).unwrap_or_default());
        tracing::debug!(
            source = self.facts.name,
            blocks,
            events = appended.events,
            position = appended.head.position.0,
            "appended"
        );
        if let Some(progress) = &mut self.progress {
            progress.cursor = cursor;
            progress.finalized = progress.finalized.max(finalized);
            progress.started = true;
        }
        Ok(())
    }

    async fn report_trouble(&self, error: &FollowError, pause: Duration) {
        let state = if is_for_operator(error) { "halted" } else { "stalled" };
        metrics::counter!("chert_source_errors_total", "source" => self.facts.name.clone(), "class" => error.class())
            .increment(1);
        tracing::warn!(source = self.facts.name, %error, class = error.class(), retry_in_ms = pause.as_millis(), "following was interrupted");
        let text = error.to_string();
        let look = Look { state: Some(state), trouble: Some(&text), ..Look::default() };
        let reported = self.log.report_look(self.facts.source_id, look).await;
        if let Err(error) = reported {
            tracing::warn!(source = self.facts.name, %error, "the trouble could not be stored");
        }
    }
}
