//! The node over HTTP: JSON-RPC and health, the pace of growth, and the handle that steers it all.

mod control;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures::StreamExt;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::chain::{Advanced, Chain, Head};
use super::config::NetworkConfig;
use super::fault::{Fault, FaultKind, Gate};
use super::rpc::View;
use super::{Ledger, NetworkError, Tally};

/// Requests are small; the node's own limit is 10 MB.
const BODY_MAX_BYTES: usize = 1 << 20;
/// Pause between the first half of an answer and the end of a broken connection.
const BREAK_AFTER: Duration = Duration::from_millis(20);

/// How a network is served.
#[derive(Debug, Clone, Default)]
pub struct ServeOptions {
    /// Where the chain is kept; absent: in memory.
    pub file: Option<PathBuf>,
    /// The pace of growth in milliseconds per step, if not the block time of the configuration; 0: it does not grow.
    pub pace_ms: Option<u64>,
    /// Whether other machines may reach it.
    pub allow_non_loopback: bool,
}

/// What the routes and the handle share.
struct Node {
    chain: RwLock<Chain>,
    gate: Gate,
    requests: AtomicU64,
    faults_shown: AtomicU64,
    started: Instant,
}

type SharedNode = Arc<Node>;

impl Node {
    fn read<T>(&self, read: impl FnOnce(&Chain) -> T) -> T {
        read(&self.chain.read().expect("no step of the chain panics"))
    }

    /// Steps sign and hash, and may write to disk: they do not belong on the threads that serve.
    async fn step<T: Send + 'static>(
        self: &Arc<Self>,
        step: impl FnOnce(&mut Chain) -> Result<T, NetworkError> + Send + 'static,
    ) -> Result<T, NetworkError> {
        let node = Arc::clone(self);
        let task = move || step(&mut node.chain.write().expect("no step of the chain panics"));
        tokio::task::spawn_blocking(task).await.map_err(|_| NetworkError::Stopped)?
    }

    fn shown(&self, fault: &FaultKind) {
        self.faults_shown.fetch_add(1, Ordering::Relaxed);
        self.gate.shown(fault);
    }
}

/// A running network.
pub struct NetworkHandle {
    node: SharedNode,
    address: SocketAddr,
    url: String,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl NetworkHandle {
    /// The base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The head, whatever fault is armed.
    pub fn head(&self) -> Head {
        self.node.read(Chain::head)
    }

    /// The network's own books on the current branch.
    pub fn ledger(&self) -> Ledger {
        self.node.read(Chain::ledger)
    }

    /// What was generated on the current branch.
    pub fn tally(&self) -> Tally {
        self.node.read(|chain| chain.tally().clone())
    }

    /// Reads the chain itself; no step is taken meanwhile.
    pub fn with_chain<T>(&self, read: impl FnOnce(&Chain) -> T) -> T {
        self.node.read(read)
    }

    /// Takes `n` steps of the script and gives the head after them.
    ///
    /// # Errors
    /// The chain's file could not be written, or the network was stopped.
    pub async fn advance(&self, n: u64) -> Result<Head, NetworkError> {
        self.node.step(move |chain| advance(chain, n)).await
    }

    /// Switches branches now; see [`Chain::fork`].
    ///
    /// # Errors
    /// `depth` is 0, the chain's file could not be written, or the network was stopped.
    pub async fn fork(&self, depth: u64) -> Result<Advanced, NetworkError> {
        self.node.step(move |chain| chain.fork(depth)).await
    }

    /// Arms a fault in place of any other, or none.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.node.gate.set(fault);
    }

    /// The armed fault.
    pub fn fault(&self) -> Option<Fault> {
        self.node.gate.get()
    }

    /// Stops growing and listening, and saves the chain.
    ///
    /// # Errors
    /// The chain's file could not be written.
    pub async fn stop(self) -> Result<(), NetworkError> {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.node.step(Chain::save).await
    }
}

impl Drop for NetworkHandle {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn advance(chain: &mut Chain, n: u64) -> Result<Head, NetworkError> {
    for _ in 0..n {
        chain.advance()?;
    }
    Ok(chain.head())
}

/// Makes or continues a chain and serves it until the handle is stopped or dropped. Port 0 takes a free one.
///
/// # Errors
/// The configuration is impossible, the chain's file cannot be used, or the address cannot be listened on.
pub async fn serve(
    config: NetworkConfig,
    listen: SocketAddr,
    options: ServeOptions,
) -> Result<NetworkHandle, NetworkError> {
    if !listen.ip().is_loopback() && !options.allow_non_loopback {
        return Err(NetworkError::NotLoopback { address: listen });
    }
    let listener = TcpListener::bind(listen).await.map_err(|error| NetworkError::Listen { address: listen, error })?;
    let address = listener.local_addr().map_err(|error| NetworkError::Listen { address: listen, error })?;
    let pace_ms = options.pace_ms.unwrap_or(config.block_time_ms);
    let open = move || match options.file {
        Some(path) => Chain::open(config, &path),
        None => Chain::new(config),
    };
    let chain = tokio::task::spawn_blocking(open).await.map_err(|_| NetworkError::Stopped)??;
    let node = Arc::new(Node {
        chain: RwLock::new(chain),
        gate: Gate::default(),
        requests: AtomicU64::new(0),
        faults_shown: AtomicU64::new(0),
        started: Instant::now(),
    });
    let stop = CancellationToken::new();
    let tasks = TaskTracker::new();
    let serving =
        axum::serve(listener, router(Arc::clone(&node))).with_graceful_shutdown(stop.clone().cancelled_owned());
    tasks.spawn(async move {
        if let Err(error) = serving.await {
            tracing::error!(%error, "synthetic network stopped serving");
        }
    });
    if pace_ms > 0 {
        tasks.spawn(grow(Arc::clone(&node), Duration::from_millis(pace_ms), stop.clone()));
    }
    Ok(NetworkHandle { node, address, url: format!("http://{address}"), stop, tasks })
}

async fn grow(node: SharedNode, pace: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval_at(Instant::now() + pace, pace);
    // Time that was lost is not mined: a burst of blocks would look like no chain does.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        match node.step(Chain::advance).await {
            Ok(done) if done.replaced > 0 => {
                tracing::info!(
                    replaced = done.replaced,
                    height = done.head.height,
                    "synthetic network switched branches"
                );
            }
            Ok(done) => tracing::debug!(height = done.head.height, "synthetic network grew"),
            Err(error) => {
                tracing::error!(%error, "synthetic network no longer grows");
                return;
            }
        }
    }
}

fn router(node: SharedNode) -> Router {
    let wire = Router::new()
        .route("/", post(rpc))
        .route("/jsonrpc", post(rpc))
        .route("/health", get(health))
        .route("/alerts", get(alerts))
        .layer(middleware::from_fn_with_state(Arc::clone(&node), transport_faults));
    wire.merge(control::routes())
        .layer(middleware::from_fn(cors))
        .layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
        .with_state(node)
}

/// Browsers ask first, from any origin.
async fn cors(request: Request, next: Next) -> Response {
    let preflight = request.method() == Method::OPTIONS;
    let mut response = if preflight { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    if preflight {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE, OPTIONS"));
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("content-type, accept"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
    }
    response
}

async fn transport_faults(State(node): State<SharedNode>, request: Request, next: Next) -> Response {
    node.requests.fetch_add(1, Ordering::Relaxed);
    let Some(Fault { kind, .. }) = node.gate.get() else { return next.run(request).await };
    match &kind {
        FaultKind::Slow { delay_ms } => {
            node.shown(&kind);
            tokio::time::sleep(Duration::from_millis(*delay_ms)).await;
            next.run(request).await
        }
        FaultKind::HttpError { status } => {
            node.shown(&kind);
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, "a fault on demand").into_response()
        }
        FaultKind::RateLimit { retry_after_s } => {
            node.shown(&kind);
            let retry = [(header::RETRY_AFTER, retry_after_s.to_string())];
            (StatusCode::TOO_MANY_REQUESTS, retry, "a fault on demand").into_response()
        }
        FaultKind::Truncated { abort } => {
            node.shown(&kind);
            truncate(next.run(request).await, *abort).await
        }
        FaultKind::LowerHead { .. }
        | FaultKind::WrongParent { .. }
        | FaultKind::MalformedBlock { .. }
        | FaultKind::WrongTransaction { .. } => next.run(request).await,
    }
}

/// The first half of an answer; then either a proper end, or a broken connection.
async fn truncate(response: Response, abort: bool) -> Response {
    let (mut parts, body) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = whole.slice(..whole.len() / 2);
    if !abort {
        return Response::from_parts(parts, Body::from(half));
    }
    let broken = async {
        // Without a pause the server would drop the connection before it sent anything.
        tokio::time::sleep(BREAK_AFTER).await;
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted))
    };
    let pieces = futures::stream::iter([Ok(half)]).chain(futures::stream::once(broken));
    Response::from_parts(parts, Body::from_stream(pieces))
}

fn json_text(status: StatusCode, text: String) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn rpc(State(node): State<SharedNode>, body: Bytes) -> Response {
    through_fault(&node, |view| view.answer(&body))
}

async fn health(State(node): State<SharedNode>) -> Response {
    let uptime_seconds = node.started.elapsed().as_secs();
    through_fault(&node, |view| view.health(uptime_seconds))
}

/// JSON-RPC errors travel with HTTP 200, because clients read no other body.
fn through_fault(node: &Node, answer: impl FnOnce(&View<'_>) -> String) -> Response {
    let fault = node.gate.get().map(|fault| fault.kind);
    let (text, faulty) = node.read(|chain| {
        let view = View::new(chain, fault.as_ref());
        (answer(&view), view.faulty.get())
    });
    if let Some(fault) = fault.filter(|_| faulty) {
        node.shown(&fault);
    }
    json_text(StatusCode::OK, text)
}

async fn alerts() -> Response {
    let body = r#"{"node_id":"synthetic","timestamp":null,"active_alerts":[],"alert_history":[],"alert_count":0}"#;
    json_text(StatusCode::OK, body.to_owned())
}
