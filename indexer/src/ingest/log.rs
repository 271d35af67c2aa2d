//! The appender, shared by all followers of this process, taken again after trouble.

use std::time::Duration;

use schema::chain::{BlockHash, Height};
use schema::db::Session;
use schema::event::{Position, SourceId, SourceStarted};
use schema::source::SourceFacts;
use schema::store::{
    self, AppendError, Appended, Appender, Batch, Declared, Lease, Look, Orders, SourceProgress, StoreError,
};
use tokio::sync::{Mutex, MutexGuard, watch};

/// How long the right to append outlives the last sign of life.
const LEASE: Duration = Duration::from_secs(5);

/// The log as followers use it.
pub struct Log {
    url: String,
    lease: Lease,
    appender: Mutex<Option<Appender>>,
    head: watch::Sender<Position>,
}

impl Log {
    /// A log that is connected to when it is first used. `holder` must be unique among running processes, and the same
    /// after a restart of this one, so that the lease need not run out first.
    pub fn new(url: impl Into<String>, holder: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            lease: Lease { holder: holder.into(), length: LEASE },
            appender: Mutex::new(None),
            head: watch::Sender::new(Position::START),
        }
    }

    /// Sees the head of the log move.
    pub fn watch_head(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    /// Takes the right to append, if this process does not have it. A standby calls this until it succeeds.
    pub async fn acquire(&self) -> Result<(), AppendError> {
        let mut slot = self.appender.lock().await;
        self.ensure(&mut slot).await.map(|_| ())
    }

    /// Writes down which sources this process follows, in the order of its settings.
    pub async fn configure(&self, in_order: &[SourceId]) -> Result<(), AppendError> {
        let mut slot = self.appender.lock().await;
        let configured = store::configure_sources(self.ensure(&mut slot).await?.db(), in_order).await;
        self.settle(&mut slot, configured)
    }

    /// Whether this process has the right to append, as far as it knows.
    pub async fn is_held(&self) -> bool {
        self.appender.lock().await.is_some()
    }

    /// Keeps the right to append while nothing happens.
    pub async fn renew(&self) -> Result<(), AppendError> {
        let mut slot = self.appender.lock().await;
        let renewed = self.ensure(&mut slot).await?.renew().await;
        if renewed.is_err() {
            *slot = None;
        }
        renewed
    }

    /// Gives the right to append back.
    pub async fn release(&self) {
        let appender = self.appender.lock().await.take();
        if let Some(appender) = appender
            && let Err(error) = appender.release().await
        {
            tracing::warn!(%error, "the lease on the log could not be given back and will run out by itself");
        }
    }

    /// Appends for one source. After an error the caller must read its progress again.
    pub async fn append(&self, source: SourceId, batch: &Batch) -> Result<Appended, AppendError> {
        let mut slot = self.appender.lock().await;
        let appended = self.ensure(&mut slot).await?.append(source, batch).await;
        match &appended {
            Ok(appended) => {
                self.head.send_replace(appended.head.position);
            }
            // Whether it happened is known only to the database: read the head again before the next append.
            Err(_) => *slot = None,
        }
        appended
    }

    /// Writes a source down at first sight.
    pub async fn declare(&self, declared: &Declared) -> Result<SourceFacts, AppendError> {
        let mut slot = self.appender.lock().await;
        let facts = store::declare_source(self.ensure(&mut slot).await?.db(), declared).await;
        self.settle(&mut slot, facts)
    }

    /// What a source said about itself at first contact, if that has happened.
    pub async fn first_contact(&self, source: SourceId) -> Result<Option<SourceStarted>, AppendError> {
        let mut slot = self.appender.lock().await;
        let started = store::first_contact(self.ensure(&mut slot).await?.db(), source).await;
        self.settle(&mut slot, started)
    }

    /// Where the log stands with a source.
    pub async fn progress(&self, source: SourceId) -> Result<SourceProgress, AppendError> {
        let mut slot = self.appender.lock().await;
        let progress = SourceProgress::load(self.ensure(&mut slot).await?.db(), source).await;
        self.settle(&mut slot, progress)
    }

    /// Stores what a look at a source showed, and takes the operator's orders.
    pub async fn report_look(&self, source: SourceId, look: Look<'_>) -> Result<Orders, AppendError> {
        let mut slot = self.appender.lock().await;
        let reported = store::report_look(self.ensure(&mut slot).await?.db(), source, look).await;
        self.settle(&mut slot, reported)
    }

    /// The hashes of a source's standing blocks in a range of heights.
    pub async fn hashes(
        &self,
        source: SourceId,
        from: Height,
        through: Height,
    ) -> Result<Vec<(Height, BlockHash)>, AppendError> {
        let mut slot = self.appender.lock().await;
        let hashes = super::fork::standing_hashes(self.ensure(&mut slot).await?.db(), source, from, through).await;
        self.settle(&mut slot, hashes)
    }

    /// The first position of a source's standing block at a height.
    pub async fn first_position(&self, source: SourceId, height: Height) -> Result<Option<Position>, AppendError> {
        let mut slot = self.appender.lock().await;
        let position = super::fork::first_position(self.ensure(&mut slot).await?.db(), source, height).await;
        self.settle(&mut slot, position)
    }

    /// A page of a source's addresses that were active after the node last reported about them.
    pub async fn unreported(
        &self,
        source: SourceId,
        below: i64,
        limit: i64,
    ) -> Result<(Vec<String>, Option<i64>), AppendError> {
        let mut slot = self.appender.lock().await;
        let addresses = super::report::unreported(self.ensure(&mut slot).await?.db(), source, below, limit).await;
        self.settle(&mut slot, addresses)
    }

    async fn ensure<'a>(
        &self,
        slot: &'a mut MutexGuard<'_, Option<Appender>>,
    ) -> Result<&'a mut Appender, AppendError> {
        if slot.is_none() {
            let db = Session::appender().connect(&self.url).await?;
            let appender = Appender::take(db, self.lease.clone()).await?;
            self.head.send_replace(appender.head().position);
            **slot = Some(appender);
        }
        slot.as_mut().ok_or_else(|| AppendError::Unit("the appender was just taken"))
    }

    /// A connection that has failed is not used again.
    fn settle<T>(&self, slot: &mut Option<Appender>, result: Result<T, StoreError>) -> Result<T, AppendError> {
        if matches!(result, Err(StoreError::Database(_))) {
            *slot = None;
        }
        result.map_err(AppendError::from)
    }
}
