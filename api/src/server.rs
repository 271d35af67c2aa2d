//! The server: its options, what all requests share, the router with everything around it, and its life.

mod around;
mod options;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use metrics_exporter_prometheus::PrometheusHandle;
use moka::future::Cache;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::error::{ApiError, Problem};
use crate::freshness::{Freshness, Head, HeadAt, Poller, Source};
use crate::limits::{DATABASE_GRACE, REMEMBERED_HEADS, SHUTDOWN_GRACE};
use crate::view::{Connections, HashPrefix, Ttls, View};
use crate::{metrics, openapi};

pub use options::ApiOptions;

/// How often the recorder forgets old latencies.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What all requests share.
#[derive(Debug)]
pub struct AppState {
    pub(crate) view: View,
    options: ApiOptions,
    freshness: watch::Receiver<Arc<Freshness>>,
    parameters: BTreeMap<String, Vec<String>>,
    openapi_json: Bytes,
    metrics: PrometheusHandle,
    heads: Cache<HeadKey, Option<Head>>,
}

/// Source, position, running hash there, and [`Freshness::history`].
type HeadKey = (i32, i64, HashPrefix, i64);

impl AppState {
    /// The state over a database, which need not be there yet, and the poller that has to run beside it.
    ///
    /// # Errors
    ///
    /// The connection string cannot be read, or another metrics recorder is in the way.
    pub fn new(options: ApiOptions) -> Result<(Arc<Self>, Poller), ApiError> {
        let connect = options.connect_options()?;
        let deadline = Duration::from_millis(options.statement_timeout_ms) + DATABASE_GRACE;
        let connections = Connections::new(connect.clone(), options.max_connections, deadline);
        let ttls = Ttls {
            hot_list: Duration::from_secs(options.hot_list_ttl_seconds),
            other: Duration::from_secs(options.answer_ttl_seconds),
        };
        let (publish, freshness) = watch::channel(Arc::new(Freshness::default()));
        let interval = Duration::from_millis(options.poll_interval_ms);
        let openapi = openapi::openapi();
        let state = Self {
            view: View::new(connections, options.cache_bytes, ttls),
            freshness,
            parameters: openapi::query_parameters(&openapi),
            openapi_json: Bytes::from(
                serde_json::to_vec(&openapi).expect("the document holds only strings and numbers"),
            ),
            metrics: metrics::install()?,
            heads: Cache::new(REMEMBERED_HEADS),
            options,
        };
        Ok((Arc::new(state), Poller { connect, interval, publish }))
    }

    /// The options that the server was started with.
    pub fn options(&self) -> &ApiOptions {
        &self.options
    }

    /// How far everything has come, as last polled.
    pub fn fresh(&self) -> Arc<Freshness> {
        Arc::clone(&self.freshness.borrow())
    }

    /// Snapshots as they come.
    pub fn watch(&self) -> watch::Receiver<Arc<Freshness>> {
        self.freshness.clone()
    }

    /// Every source, in the order in which they were first followed.
    pub fn sources(&self) -> Arc<Vec<Arc<Source>>> {
        Arc::clone(&self.fresh().sources)
    }

    /// The query parameters that a route declares, by its template.
    pub fn parameters(&self, route: &str) -> &[String] {
        self.parameters.get(route).map_or(&[], Vec::as_slice)
    }

    /// The OpenAPI document.
    pub fn openapi_json(&self) -> Bytes {
        self.openapi_json.clone()
    }

    /// The text of `/metrics`.
    pub fn metrics(&self) -> String {
        metrics::render(&self.metrics, &self.fresh(), self.view.cached_bytes(), self.quiet_seconds())
    }

    /// How long a node may be silent before its last word counts as old, in seconds.
    pub fn quiet_seconds(&self) -> i64 {
        i64::try_from(self.options.stall_budget_seconds).unwrap_or(i64::MAX)
    }

    /// The newest standing block of a chain at a position; the running hash tells histories apart.
    pub async fn head(
        &self,
        fresh: &Freshness,
        chain: &Source,
        position: i64,
        chain_hash: HashPrefix,
    ) -> Result<Option<Head>, Problem> {
        if position == fresh.position
            && chain_hash == fresh.chain_hash
            && let Some(chain) = fresh.source(&chain.name)
        {
            return Ok(chain.head.clone());
        }
        let key = (chain.source_id, position, chain_hash, fresh.history);
        if let Some(head) = self.heads.get(&key).await {
            return Ok(head);
        }
        let head = self.view.connections().run(&HeadAt { source_id: chain.source_id, position }).await?;
        self.heads.insert(key, head.clone()).await;
        Ok(head)
    }
}

/// Every route with everything around it.
pub fn router(state: Arc<AppState>) -> Router {
    around::everything(state)
}

/// Serves until told to stop, then lets requests under way finish.
///
/// # Errors
///
/// The database URL cannot be read, or the listener fails. A database that is away is no error: reads answer 503 until
/// it is back.
pub async fn serve(options: ApiOptions, listener: TcpListener, shutdown: CancellationToken) -> Result<(), ApiError> {
    let (state, poller) = AppState::new(options)?;
    let polling = tokio::spawn(poller.run(shutdown.clone()));
    let upkeep = tokio::spawn(upkeep(state.metrics.clone()));
    let warmed = Arc::clone(&state);
    tokio::spawn(async move { warmed.view.connections().warm(warmed.options.min_connections).await });
    let router = router(Arc::clone(&state));
    let stop = shutdown.clone();
    let serving = axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    let late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(SHUTDOWN_GRACE).await;
    };
    let served = tokio::select! {
        served = serving.into_future() => served.map_err(ApiError::Serve),
        () = late => {
            tracing::warn!("requests were still under way when the server stopped");
            Ok(())
        }
    };
    shutdown.cancel();
    upkeep.abort();
    polling.abort();
    state.view.connections().close().await;
    served
}

async fn upkeep(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(UPKEEP_INTERVAL).await;
        metrics.run_upkeep();
    }
}
