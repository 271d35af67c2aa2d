//! What surrounds every route: request ids, one log line and one measurement per request, limits, compression, CORS,
//! and problems in place of the bare refusals of the libraries.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
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
    routes
        .merge(rest::docs::pages())
        .fallback(no_route)
        .layer(RequestBodyLimitLayer::new(state.options().body_bytes))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(Arc::clone(&state), refuse_long_urls))
        .layer(axum::middleware::map_response(explain_bare_refusals))
        .layer(CompressionLayer::new())
        .layer(cors)
        .layer(axum::middleware::from_fn(observe))
        .with_state(state)
}

async fn no_route(request: Request) -> Problem {
    let path = request.uri().path();
    Problem::new(ProblemKind::NoSuchRoute, format!("there is no route {path}; /docs lists those there are"))
}

async fn refuse_long_urls(State(state): State<Arc<AppState>>, request: Request, next: Next) -> Response {
    let bytes = request.uri().path_and_query().map_or(0, |path| path.as_str().len());
    let limit = state.options().url_bytes;
    if bytes > limit {
        let detail = format!("path and query have {bytes} bytes; at most {limit} are read");
        return Problem::new(ProblemKind::UriTooLong, detail).into_response();
    }
    next.run(request).await
}

/// Libraries refuse in bare text; clients get the problem that it stands for.
async fn explain_bare_refusals(response: Response) -> Response {
    let is_problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == PROBLEM_JSON);
    if is_problem {
        return response;
    }
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => {
            let allow = response.headers().get(header::ALLOW).cloned();
            let methods = allow.as_ref().and_then(|allow| allow.to_str().ok()).unwrap_or("GET, HEAD").to_owned();
            let detail = format!("this route knows {methods}");
            let allow = allow.unwrap_or(HeaderValue::from_static("GET, HEAD"));
            Problem::new(ProblemKind::MethodNotAllowed, detail).header(header::ALLOW, allow).into_response()
        }
        StatusCode::PAYLOAD_TOO_LARGE => {
            Problem::new(ProblemKind::BodyTooLarge, "the request body is larger than this server reads").into_response()
        }
        _ => response,
    }
}

fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    Problem::internal(format!("panic: {}", text.unwrap_or("without a text"))).into_response()
}

/// Takes over or makes the request's id, and writes one line and one measurement when the answer is there.
async fn observe(mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = request_id(&request);
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let route = request.extensions().get::<MatchedPath>().map_or(NO_ROUTE, MatchedPath::as_str).to_owned();
    let method = request.method().clone();
    let shown_id = id.to_str().unwrap_or_default().to_owned();
    let span = tracing::info_span!("request", request_id = %shown_id, method = %method, route = %route);
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = started.elapsed();
    let status = response.status().as_u16();
    response.headers_mut().insert(REQUEST_ID, id);
    span.in_scope(|| tracing::info!(status, took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX), "answered"));
    metrics::request(known_method(&method), &route, status, took);
    response
}

/// The client's id when it is short and plain, else a new one.
fn request_id(request: &Request) -> HeaderValue {
    let plain = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        !bytes.is_empty() && bytes.len() <= MAX_REQUEST_ID_BYTES && bytes.iter().all(u8::is_ascii_graphic)
    };
    let given = request.headers().get(REQUEST_ID).filter(plain).cloned();
    given.unwrap_or_else(|| HeaderValue::from_str(&uuid::Uuid::new_v4().to_string()).expect("a UUID is plain ASCII"))
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
