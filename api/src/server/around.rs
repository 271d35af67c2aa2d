//! What surrounds every route: request ids, one log line and one measurement per request, limits, compression, CORS,
//! and problems in place of the bare refusals of the libraries.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tower::ServiceBuilder;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::compression::predicate::{DefaultPredicate, Predicate, SizeAbove};
use tower_http::cors::{Any as AnyOrigin, CorsLayer};
use tower_http::limit::RequestBodyLimitLayer;
use tracing::Instrument;

use crate::error::{PROBLEM_JSON, Problem, ProblemKind};
use crate::limits::MAX_REQUEST_ID_BYTES;
use crate::metrics;
use crate::rest::{self, ask, reply};
use crate::server::AppState;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PREFLIGHT_MAX_AGE: Duration = Duration::from_secs(86_400);
/// Smaller answers are sent as they are.
const COMPRESSED_FROM_BYTES: u64 = 1_024;
/// The route of everything that no route matches, in logs and metrics.
const NO_ROUTE: &str = "none";

/// Every header of ours that scripts of other origins may read.
pub fn exposed_headers() -> Vec<HeaderName> {
    vec![
        reply::POSITION,
        reply::CHAIN_HASH,
        reply::INDEXED_HEIGHT,
        reply::INDEXED_BLOCK,
        reply::FINALIZED_HEIGHT,
        reply::LAG_SECONDS,
        REQUEST_ID,
        ask::IGNORED_PARAMETERS,
        HeaderName::from_static("preference-applied"),
        header::ETAG,
        header::CACHE_CONTROL,
        header::RETRY_AFTER,
        header::ALLOW,
        HeaderName::from_static("ratelimit"),
        HeaderName::from_static("ratelimit-policy"),
    ]
}

/// The routes, wrapped.
pub fn everything(state: Arc<AppState>) -> Router {
    let (routes, _) = rest::routes().split_for_parts();
    let cors = CorsLayer::new()
        .allow_origin(AnyOrigin)
        .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
        .allow_headers(AnyOrigin)
        .expose_headers(exposed_headers())
        .max_age(PREFLIGHT_MAX_AGE);
    // One stack: each layer that a router is given by itself boxes every request once more.
    let around = ServiceBuilder::new()
        .layer(axum::middleware::from_fn(observe))
        .layer(cors)
        .layer(CompressionLayer::new().compress_when(worth_compressing()))
        .layer(from_fn_with_state(Arc::clone(&state), refuse))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(RequestBodyLimitLayer::new(state.options().body_bytes));
    routes.merge(rest::docs::pages()).fallback(no_route).layer(around).with_state(state)
}

/// What fits into one packet arrives no sooner when it is smaller.
fn worth_compressing() -> impl Predicate {
    DefaultPredicate::new().and(SizeAbove::new(COMPRESSED_FROM_BYTES))
}

async fn no_route(request: Request) -> Problem {
    let path = request.uri().path();
    Problem::new(ProblemKind::NoSuchRoute, format!("there is no route {path}; /docs lists those there are"))
}

/// Refuses what is too long, and puts problems in the place of the bare text in which libraries refuse.
async fn refuse(State(state): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let bytes = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let limit = state.options().url_bytes;
    if bytes > limit {
        let detail = format!("path and query have {bytes} bytes; at most {limit} are read");
        return Problem::new(ProblemKind::UriTooLong, detail).into_response();
    }
    explained(next.run(request).await)
}

fn explained(response: Response) -> Response {
    let status = response.status();
    if status != StatusCode::METHOD_NOT_ALLOWED && status != StatusCode::PAYLOAD_TOO_LARGE {
        return response;
    }
    if response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON) {
        return response;
    }
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        let detail = "the request body is larger than this server reads";
        return Problem::new(ProblemKind::BodyTooLarge, detail).into_response();
    }
    let allow = response.headers().get(header::ALLOW).cloned();
    let methods = allow.as_ref().and_then(|allow| allow.to_str().ok()).unwrap_or("GET, HEAD").to_owned();
    let detail = format!("this route knows {methods}");
    let allow = allow.unwrap_or(HeaderValue::from_static("GET, HEAD"));
    Problem::new(ProblemKind::MethodNotAllowed, detail).header(header::ALLOW, allow).into_response()
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(format!("panic: {}", text.unwrap_or("without a text"))).into_response()
}

/// Takes over or makes the request's id, and writes one line and one measurement when the answer is there.
async fn observe(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let method = known_method(request.method());
    let shown_id = id.to_str().unwrap_or_default();
    let span = tracing::info_span!("request", request_id = shown_id, method = %request.method(), route);
    let mut response = match span.is_disabled() {
        true => next.run(request).await,
        false => next.run(request).instrument(span.clone()).await,
    };
    let took = started.elapsed();
    let status = response.status().as_u16();
    span.in_scope(|| tracing::info!(status, took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "answered"));
    metrics::request(method, route, status, took);
    response.headers_mut().insert(REQUEST_ID, id);
    response
}

/// The client's id when it is short and plain, else a new one: random for the process, then counted.
#[expect(clippy::disallowed_methods, reason = "ids must differ between processes, and no answer depends on them")]
fn request_id(request: &Request) -> HeaderValue {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| uuid::Uuid::new_v4().as_u64_pair().0);
    static MADE: AtomicU64 = AtomicU64::new(0);
    let plain = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        !bytes.is_empty() && bytes.len() <= MAX_REQUEST_ID_BYTES && bytes.iter().all(u8::is_ascii_graphic)
    };
    if let Some(given) = request.headers().get(REQUEST_ID).filter(plain) {
        return given.clone();
    }
    let id = format!("{:016x}{:016x}", *PROCESS, MADE.fetch_add(1, Ordering::Relaxed));
    HeaderValue::try_from(id).expect("hex is plain ASCII")
}

/// Methods are free text: only those we know become a label.
fn known_method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
