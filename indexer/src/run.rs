//! The indexer as a process: one appender, a follower per source, the projector; each restarted after trouble.

use std::sync::Arc;
use std::time::Duration;

use config::settings::{Settings, SourceKind as ConfiguredKind};
use schema::chain::Height;
use schema::db::Session;
use schema::event::SourceStarted;
use schema::source::{SourceFacts, SourceKind};
use schema::store::{AppendError, Declared, StoreError};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::ingest::{FollowOptions, Follower, Log};
use crate::projector::{BATCH_EVENTS, Projector, ProjectorError};
use crate::source::aitbc::{self, AitbcSource};
use crate::source::chert::{self, ChertSource};
use crate::source::{Source, SourceError};

/// How often a process that appends shows that it is alive.
const RENEW_INTERVAL: Duration = Duration::from_secs(1);
/// How often a standby looks whether it may take over.
const STANDBY_INTERVAL: Duration = Duration::from_millis(250);
/// How often the projector looks at the log when nothing wakes it.
const PROJECT_INTERVAL: Duration = Duration::from_millis(100);
/// How often views may be found moved by somebody else before this process gives up.
const MAX_FENCED: u32 = 100;
/// Pause after the projector had trouble with the database.
const PROJECT_BACKOFF: Duration = Duration::from_millis(500);

/// What to index, and into which database.
#[derive(Debug, Clone)]
pub struct IndexerOptions {
    /// The database, as the indexer's role.
    pub database_url: String,
    /// Name of this process as the holder of the right to append; unique among running processes.
    pub holder: String,
    /// The sources.
    pub sources: Vec<SourceOptions>,
    /// Events folded in one database transaction.
    pub batch_events: i64,
}

/// One source and how it is followed.
#[derive(Debug, Clone)]
pub struct SourceOptions {
    /// What is fixed about it.
    pub declared: Declared,
    /// Where it is.
    pub url: String,
    /// Blocks per question.
    pub page: u32,
    /// How long one request may take.
    pub timeout: Duration,
    /// Requests per minute, where limited.
    pub requests_per_minute: Option<u32>,
    /// How it is followed.
    pub follow: FollowOptions,
}

/// Why the indexer cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum IndexerError {
    /// The log refused.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The views are not this program's.
    #[error(transparent)]
    Projector(#[from] ProjectorError),
    /// A source is configured in a way that cannot work.
    #[error("source {name}: {error}")]
    Source {
        /// Its name.
        name: String,
        /// Why.
        error: SourceError,
    },
    /// A task ended that never should.
    #[error("a part of the indexer stopped: {0}")]
    Stopped(String),
}

impl IndexerOptions {
    /// What the settings say. `holder` names this process.
    pub fn from_settings(settings: &Settings, holder: impl Into<String>) -> Self {
        Self {
            database_url: settings.database.indexer().expose().to_owned(),
            holder: holder.into(),
            sources: settings.sources().iter().map(|source| SourceOptions::from_settings(settings, source)).collect(),
            batch_events: BATCH_EVENTS,
        }
    }
}

impl SourceOptions {
    fn from_settings(settings: &Settings, source: &config::settings::Source) -> Self {
        let indexer = &settings.indexer;
        let kind = match source.kind {
            ConfiguredKind::Chert => SourceKind::Chert,
            ConfiguredKind::Aitbc => SourceKind::Aitbc,
        };
        let narrow = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let follow = FollowOptions {
            poll_interval: Duration::from_millis(source.poll_interval_ms.unwrap_or(indexer.sync_interval_ms)),
            fetch_concurrency: indexer.fetch_concurrency,
            max_batch_events: indexer.max_batch_events,
            finality_depth: narrow(source.finality_depth.unwrap_or(indexer.finality_depth)),
            max_clock_skew: source.max_clock_skew_secs.limit(),
            ..FollowOptions::default()
        };
        Self {
            declared: Declared {
                name: source.name.as_str().to_owned(),
                kind,
                chain_id: source.chain_id.clone(),
                trusted: source.trusted,
                off_block_state: source.off_block_state.unwrap_or_else(|| kind.has_off_block_state()),
                start_height: Height::try_from(source.sync_from_block).unwrap_or_default(),
                symbol: source.symbol.clone(),
                decimals: i32::from(source.decimals),
                required: source.required,
            },
            url: source.url.expose().to_owned(),
            page: indexer.batch_size,
            timeout: Duration::from_millis(indexer.request_timeout_ms),
            requests_per_minute: source.requests_per_minute.map(|requests| narrow(requests.into())),
            follow,
        }
    }
}

/// A name for this process that no other has, wherever it runs.
#[expect(clippy::disallowed_methods, reason = "a name must be unlike any other, and nothing is folded from it")]
pub fn unique_holder(program: &str) -> String {
    format!("{program}, process {}, {}", std::process::id(), uuid::Uuid::new_v4())
}

/// Indexes until told to stop. Waits for its turn when another process is appending.
pub async fn run(options: IndexerOptions, stop: CancellationToken) -> Result<(), IndexerError> {
    let log = Arc::new(Log::new(options.database_url.clone(), options.holder.clone()));
    if !take_turn(&log, &stop).await? {
        return Ok(());
    }
    let mut tasks = JoinSet::new();
    let mut followed = Vec::new();
    for source in &options.sources {
        let facts = log.declare(&source.declared).await?;
        followed.push(facts.source_id);
        let met = log.first_contact(facts.source_id).await?;
        spawn_follower(&mut tasks, source, facts, met, &log, &stop)?;
    }
    log.configure(&followed).await?;
    tasks.spawn(renew(Arc::clone(&log), stop.clone()));
    tasks.spawn(project(options.clone(), Arc::clone(&log), stop.clone()));
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|error| Err(IndexerError::Stopped(error.to_string())));
        if ended.is_err() && outcome.is_ok() {
            outcome = ended;
            stop.cancel();
        }
    }
    log.release().await;
    outcome
}

/// Waits until this process may append; false when told to stop first.
async fn take_turn(log: &Log, stop: &CancellationToken) -> Result<bool, IndexerError> {
    let mut told = false;
    loop {
        match log.acquire().await {
            Ok(()) => return Ok(true),
            Err(AppendError::Held { holder, until }) => {
                if !told {
                    tracing::info!(holder, %until, "another process is appending; standing by");
                    told = true;
                }
            }
            Err(AppendError::Store(error)) if error.is_transient() => {
                tracing::warn!(%error, "the log cannot be reached yet");
            }
            Err(error) => return Err(error.into()),
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(false),
            () = tokio::time::sleep(STANDBY_INTERVAL) => {}
        }
    }
}

fn spawn_follower(
    tasks: &mut JoinSet<Result<(), IndexerError>>,
    source: &SourceOptions,
    facts: SourceFacts,
    met: Option<SourceStarted>,
    log: &Arc<Log>,
    stop: &CancellationToken,
) -> Result<(), IndexerError> {
    let named = |error| IndexerError::Source { name: source.declared.name.clone(), error };
    // A node that once stated a chain and a rule must go on stating them: with less, less would be verified.
    let (known_id, known_rule) = met.map_or((None, None), |met| (met.chain_id, met.hash_rule));
    let chain_id = source.declared.chain_id.clone().or(known_id);
    match source.declared.kind {
        SourceKind::Chert => {
            let options = chert::Options {
                chain_id,
                expected_hash_rule: known_rule,
                page: source.page,
                timeout: source.timeout,
                ..chert::Options::default()
            };
            let upstream = ChertSource::new(&source.url, options).map_err(named)?;
            follow(tasks, upstream, source, facts, log, stop);
        }
        SourceKind::Aitbc => {
            let defaults = aitbc::Options::default();
            let options = aitbc::Options {
                chain_id,
                page: source.page,
                timeout: source.timeout,
                requests_per_minute: source.requests_per_minute.unwrap_or(defaults.requests_per_minute),
                ..defaults
            };
            let upstream = AitbcSource::new(&source.url, options).map_err(named)?;
            follow(tasks, upstream, source, facts, log, stop);
        }
        SourceKind::Scripted => {
            let error = SourceError::Unsuitable("a scripted source exists in tests only".to_owned());
            return Err(named(error));
        }
    }
    Ok(())
}

fn follow<S: Source>(
    tasks: &mut JoinSet<Result<(), IndexerError>>,
    upstream: S,
    source: &SourceOptions,
    facts: SourceFacts,
    log: &Arc<Log>,
    stop: &CancellationToken,
) {
    let follower = Follower::new(Arc::new(upstream), Arc::clone(log), facts, source.follow.clone());
    let stop = stop.clone();
    tasks.spawn(async move {
        follower.run(stop).await;
        Ok(())
    });
}

async fn renew(log: Arc<Log>, stop: CancellationToken) -> Result<(), IndexerError> {
    while !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(RENEW_INTERVAL) => {
                if let Err(error) = log.renew().await {
                    tracing::warn!(%error, "the right to append could not be renewed");
                }
            }
        }
    }
    Ok(())
}

/// Moves the views on whenever the log moves. Trouble with the database is waited out; a fenced projector ends.
async fn project(options: IndexerOptions, log: Arc<Log>, stop: CancellationToken) -> Result<(), IndexerError> {
    let mut head = log.watch_head();
    let mut fenced = 0;
    while !stop.is_cancelled() {
        let ended = if log.is_held().await {
            project_until_trouble(&options, &log, &mut head, &stop).await
        } else {
            // Whoever appends projects; this process stands by.
            tokio::time::sleep(STANDBY_INTERVAL).await;
            Ok(())
        };
        match ended {
            Ok(()) => {}
            Err(error @ (ProjectorError::Fenced(_) | ProjectorError::LeftBehind { .. }))
                if !fenced_again(&mut fenced) =>
            {
                tracing::warn!(%error, "the views were moved or replaced; opening them again");
            }
            Err(ProjectorError::Store(StoreError::Database(error))) => {
                tracing::warn!(%error, "projecting was interrupted and starts again");
                metrics::counter!("chert_projector_errors_total").increment(1);
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(PROJECT_BACKOFF) => {}
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Counts being fenced; true when it goes on for so long that somebody else must really be projecting.
fn fenced_again(count: &mut u32) -> bool {
    *count += 1;
    *count > MAX_FENCED
}

async fn project_until_trouble(
    options: &IndexerOptions,
    log: &Log,
    head: &mut tokio::sync::watch::Receiver<schema::event::Position>,
    stop: &CancellationToken,
) -> Result<(), ProjectorError> {
    let db = Session::indexer().connect(&options.database_url).await?;
    let reader = Session::indexer().connect(&options.database_url).await?;
    let mut projector = Projector::open(db, options.batch_events).await?.reading_ahead(reader);
    while !stop.is_cancelled() && log.is_held().await {
        let progress = projector.step().await?;
        metrics::counter!("chert_projector_events_total").increment(u64::try_from(progress.events).unwrap_or_default());
        if progress.events == 0 {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = head.changed() => {}
                () = tokio::time::sleep(PROJECT_INTERVAL) => {}
            }
        }
    }
    Ok(())
}
