//! One source, followed from its first block to its tip and along it.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use futures::StreamExt;
use schema::chain::{BlockHash, Height, Spelled};
use schema::event::{Check, Entry, Event, Finalized, Retracted, Role, SourceStarted, Subject, Unit};
use schema::source::{FeeRule, SourceFacts};
use schema::store::{Batch, Cursor, SourceProgress};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::fork::{self, Look};
use super::report::Waiting;
use super::{FollowError, FollowOptions, Log, MAX_BACKOFF};
use crate::source::{BlockUnit, Source, SourceError, Tip};

/// Blocks compared with the node's below the tip at each quiet poll: a rewrite there need not change the newest hash we know.
const TRAILING: u32 = 16;

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
    waiting: Waiting,
}

impl<S: Source> Follower<S> {
    /// A follower of a source that has been declared in the log.
    pub fn new(source: Arc<S>, log: Arc<Log>, facts: SourceFacts, options: FollowOptions) -> Self {
        Self { source, log, facts, options, progress: None, introduced: false, waiting: Waiting::default() }
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
        }
        round
    }

    async fn try_round(&mut self) -> Result<Round, FollowError> {
        let id = self.facts.source_id;
        let progress = match self.progress.clone() {
            Some(progress) => progress,
            None => self.log.progress(id).await?,
        };
        if progress.paused {
            self.log.report_state(id, None, "paused", None).await?;
            return Ok(Round::Paused);
        }
        if !self.introduced {
            self.introduce(&progress).await?;
        }
        self.progress = Some(progress.clone());
        let tip = self.source.tip().await?;
        let behind = progress.cursor.as_ref().is_none_or(|cursor| tip.height > cursor.height);
        let state = if is_backfill(&progress, &tip, self.options.finality_depth) { "backfilling" } else { "following" };
        self.log.report_state(id, Some((tip.height, tip.hash.as_ref())), state, None).await?;
        if behind && tip.height >= self.facts.start_height {
            return self.advance(&progress, &tip).await;
        }
        match &progress.cursor {
            Some(cursor) if self.is_rewritten(cursor, &tip).await? => self.check_fork(&progress, cursor, &tip).await,
            Some(_) | None => {
                if self.facts.off_block_state && progress.cursor.as_ref().is_some_and(|c| c.height == tip.height) {
                    self.waiting.ask(&*self.source, &self.log, &self.facts).await?;
                }
                Ok(Round::Quiet)
            }
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
            let entry =
                Entry { event: Event::SourceStarted(started), tx: None, verdict: None, subjects: reserved(&self.facts) };
            let unit = Unit { block: None, occurred_at: Utc::now(), entries: vec![entry] };
            self.log.append(self.facts.source_id, &Batch { units: vec![unit], ..Batch::default() }).await?;
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
            Some(cursor) => cursor.height.next().ok_or_else(|| FollowError::Halted("the height range is exhausted".into()))?,
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
        let mut events = 0;
        let mut cursor = progress.cursor.clone();
        let mut appended = cursor.clone();
        let outcome = loop {
            let page = match fetched.next().await {
                None => break Ok(()),
                Some(Err(error)) => break Err(FollowError::from(error)),
                Some(Ok(page)) if page.is_empty() => break Ok(()),
                Some(Ok(page)) => page,
            };
            let mut broken = None;
            for block in page {
                match linked(block, cursor.as_ref(), self.facts.start_height) {
                    Ok((next, unit)) => {
                        events += unit.entries.len();
                        pending.push(unit);
                        cursor = Some(next);
                    }
                    Err(error) => {
                        broken = Some(error);
                        break;
                    }
                }
                if events >= self.options.max_batch_events {
                    self.append(std::mem::take(&mut pending), cursor.clone()).await?;
                    appended.clone_from(&cursor);
                    events = 0;
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
            (Ok(()), _) => Ok(if moved { Round::Moved } else { Round::Quiet }),
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

    async fn append(&mut self, mut units: Vec<Unit>, cursor: Option<Cursor>) -> Result<(), FollowError> {
        let known = self.progress.as_ref().and_then(|progress| progress.finalized);
        let finalized = cursor.as_ref().and_then(|cursor| finalized(cursor.height, self.options.finality_depth, known));
        self.waiting.note(&units);
        if let (Some(through), Some(occurred_at)) = (finalized, units.last().map(|unit| unit.occurred_at)) {
            let event = Finalized { rule: "depth".to_owned(), through_height: spelled(through) };
            let entry = Entry { event: Event::Finalized(event), tx: None, verdict: None, subjects: Vec::new() };
            units.push(Unit { block: None, occurred_at, entries: vec![entry] });
        }
        let blocks = units.len();
        let batch = Batch { units, cursor: cursor.clone(), clear_cursor: false, finalized };
        let appended = self.log.append(self.facts.source_id, &batch).await?;
        metrics::counter!("chert_log_events_total", "source" => self.facts.name.clone())
            .increment(u64::try_from(appended.events).unwrap_or_default());
        tracing::debug!(source = self.facts.name, blocks, events = appended.events, position = appended.head.position.0, "appended");
        if let Some(progress) = &mut self.progress {
            progress.cursor = cursor;
            progress.finalized = progress.finalized.max(finalized);
            progress.started = true;
        }
        Ok(())
    }

    /// Whether the node's branch differs from ours at or below the tip. A lower tip alone is not a difference.
    async fn is_rewritten(&self, cursor: &Cursor, tip: &Tip) -> Result<bool, FollowError> {
        if tip.height == cursor.height && tip.hash.as_ref().is_some_and(|hash| *hash != cursor.hash) {
            return Ok(true);
        }
        let top = cursor.height.min(tip.height);
        let from = top.saturating_sub(TRAILING - 1).max(self.facts.start_height);
        if from > top {
            return Ok(false);
        }
        let theirs = self.source.hashes(from..=top).await?;
        let ours = self.log.hashes(self.facts.source_id, from, top).await?;
        Ok(theirs.iter().any(|(height, hash)| ours.iter().any(|(known, ours)| known == height && ours != hash)))
    }

    /// A second look, and a retraction when it confirms the first.
    async fn check_fork(&mut self, progress: &SourceProgress, cursor: &Cursor, tip: &Tip) -> Result<Round, FollowError> {
        let id = self.facts.source_id;
        let shared = match fork::look(&*self.source, &self.log, id, cursor, tip.height).await? {
            Look::Same => return Ok(Round::Quiet),
            Look::Foreign => {
                let why = format!("the node of {} shares no block with the log, not even the first", self.facts.name);
                return Err(FollowError::Halted(why));
            }
            Look::Forked(shared) => shared,
        };
        let accepted = progress.accepted_fork.is_some_and(|height| shared.height >= height);
        if progress.finalized.is_some_and(|finalized| shared.height < finalized) && !accepted {
            let name = &self.facts.name;
            let why = format!(
                "the node of {name} has replaced finalized blocks: the branches part after height {height}; if that is right, run `chert source accept-fork {name} --height {height}`",
                height = shared.height
            );
            return Err(FollowError::Halted(why));
        }
        self.retract(cursor, shared).await?;
        Ok(Round::Moved)
    }

    async fn retract(&mut self, cursor: &Cursor, shared: Cursor) -> Result<(), FollowError> {
        let id = self.facts.source_id;
        let replaced = shared.height.next().unwrap_or(shared.height);
        let Some(first) = self.log.first_position(id, replaced).await? else { return Ok(()) };
        let retracted = Retracted {
            first_position: spelled(Height::from_db(first.0).unwrap_or_default()),
            fork_height: spelled(shared.height),
            old_head_hash: cursor.hash.to_string(),
            old_head_height: spelled(cursor.height),
            reason: format!("the node has another block at height {replaced}"),
        };
        tracing::info!(source = self.facts.name, fork_height = %shared.height, old_head = %cursor.height, "the node is on another branch: retracting");
        metrics::counter!("chert_source_reorganisations_total", "source" => self.facts.name.clone()).increment(1);
        let entry = Entry { event: Event::Retracted(retracted), tx: None, verdict: None, subjects: Vec::new() };
        let unit = Unit { block: None, occurred_at: Utc::now(), entries: vec![entry] };
        let batch = Batch { units: vec![unit], cursor: Some(shared.clone()), clear_cursor: false, finalized: None };
        self.log.append(id, &batch).await?;
        if let Some(progress) = &mut self.progress {
            progress.cursor = Some(shared);
        }
        Ok(())
    }

    async fn report_trouble(&self, error: &FollowError, pause: Duration) {
        let state = if matches!(error, FollowError::Halted(_)) { "halted" } else { "stalled" };
        metrics::counter!("chert_source_errors_total", "source" => self.facts.name.clone(), "class" => error.class()).increment(1);
        tracing::warn!(source = self.facts.name, %error, class = error.class(), retry_in_ms = pause.as_millis(), "following was interrupted");
        let reported = self.log.report_state(self.facts.source_id, None, state, Some(&error.to_string())).await;
        if let Err(error) = reported {
            tracing::warn!(source = self.facts.name, %error, "the trouble could not be stored");
        }
    }
}

fn pause_after(error: &FollowError, backoff: Duration) -> Duration {
    match error {
        FollowError::Source(SourceError::RateLimited { retry_after }) => (*retry_after).min(Duration::from_secs(120)),
        FollowError::Source(SourceError::Unsuitable(_)) | FollowError::Halted(_) => MAX_BACKOFF,
        FollowError::Source(SourceError::Transient(_) | SourceError::Malformed(_))
        | FollowError::Append(_)
        | FollowError::Store(_) => backoff,
    }
}

fn is_backfill(progress: &SourceProgress, tip: &Tip, depth: u32) -> bool {
    progress.cursor.as_ref().is_none_or(|cursor| cursor.height.saturating_add(depth) < tip.height)
}

/// The ranges to ask for, in order.
fn pages(from: Height, through: Height, size: u32) -> impl Iterator<Item = RangeInclusive<Height>> + Send {
    let mut next = Some(from);
    std::iter::from_fn(move || {
        let first = next.filter(|&first| first <= through)?;
        let last = first.saturating_add(size.saturating_sub(1)).min(through);
        next = last.next();
        Some(first..=last)
    })
}

/// Checks that a block follows the cursor, and stores the outcome with the block.
fn linked(mut block: BlockUnit, cursor: Option<&Cursor>, start: Height) -> Result<(Cursor, Unit), FollowError> {
    let expected = cursor.map_or(Some(start), |cursor| cursor.height.next());
    if Some(block.height) != expected {
        let why = format!("block {} came where block {} was asked for", block.height, expected.unwrap_or_default());
        return Err(SourceError::Malformed(why).into());
    }
    let check = match (cursor, &block.parent_hash) {
        (Some(cursor), Some(parent)) if *parent == cursor.hash => Check::verified(),
        (Some(cursor), parent) => {
            let parent = parent.as_ref().map_or_else(|| "none".to_owned(), BlockHash::to_string);
            let why = format!("block {} names parent {parent}, and block {} is {}", block.height, cursor.height, cursor.hash);
            return Err(SourceError::Malformed(why).into());
        }
        (None, _) if block.height == Height::GENESIS => Check::unverifiable("the first block has no parent"),
        (None, _) => Check::unverifiable("the parent was not indexed"),
    };
    block.set_link(check);
    Ok((Cursor { height: block.height, hash: block.hash }, block.unit))
}

/// The finalized height that a head gives, when it is news.
fn finalized(head: Height, depth: u32, known: Option<Height>) -> Option<Height> {
    let through = head.to_db().checked_sub(i64::from(depth))?;
    let through = Height::from_db(through).ok()?;
    (known.is_none_or(|known| through > known)).then_some(through)
}

/// The accounts that the chain's rules name; as subjects of the first event they have numbers before they are touched.
fn reserved(facts: &SourceFacts) -> Vec<(Role, Subject)> {
    let levy = match facts.kind.fee_rule() {
        FeeRule::PaidTo(levy) => Some(levy),
        FeeRule::Burned => None,
    };
    [levy, facts.kind.furnace(), facts.kind.origin()]
        .into_iter()
        .flatten()
        .filter_map(|text| facts.kind.address_rule().canonical(text).ok())
        .map(|address| (Role::Account, Subject::address(&address)))
        .collect()
}

fn spelled(height: Height) -> Spelled<Height> {
    Spelled::parse(height.to_string()).expect("a height's own text is a height")
}
