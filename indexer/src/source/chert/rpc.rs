//! JSON-RPC calls to a Chert node, and an honest reading of what went wrong with them.
//!
//! It must not know what the methods mean.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use jsonrpsee::core::ClientError;
use jsonrpsee::core::client::ClientT;
use jsonrpsee::core::http_helpers::HttpError;
use jsonrpsee::core::params::ObjectParams;
use jsonrpsee::http_client::transport::Error as TransportError;
use jsonrpsee::http_client::{
    HttpBackend, HttpClient, HttpClientBuilder, HttpRequest, HttpResponse, RpcService, RpcServiceBuilder,
};
use serde_json::value::RawValue;
use tower::{Service, ServiceBuilder};

use crate::source::SourceError;
use crate::source::web;

/// Code of JSON-RPC for a method that the node does not have.
const METHOD_NOT_FOUND: i32 = -32601;
/// Codes of a node that is in trouble itself: an internal error, and one that is too busy.
const NODE_TROUBLE: [i32; 2] = [-32603, -32009];
/// HTTP's word for a question that did not come in time, which is no refusal.
const REQUEST_TIMEOUT: u16 = 408;
/// Characters of a node's message that are repeated in ours.
const MESSAGE_MAX: usize = 200;

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CallError {
    /// The node answered with an error object.
    Node { code: i32, message: String },
    /// There is no JSON-RPC at this path.
    NoRoute,
    /// The node refuses the question with a 4xx status.
    Refused(u16),
    /// Anything else.
    Source(SourceError),
}

impl CallError {
    /// Whether the node does not have the method.
    pub(super) fn is_method_unknown(&self) -> bool {
        matches!(self, Self::Node { code, .. } if *code == METHOD_NOT_FOUND)
    }

    /// Whether the node refuses this question rather than being in trouble itself.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Node { code, .. } => !NODE_TROUBLE.contains(code),
            Self::NoRoute | Self::Refused(_) => true,
            Self::Source(_) => false,
        }
    }

    /// Whether the node says, in whatever words, that it does not have the block.
    pub(super) fn is_block_unknown(&self) -> bool {
        let Self::Node { message, .. } = self else { return false };
        let message = message.to_lowercase();
        [
            "not found",
            "no such",
            "unknown block",
            "does not exist",
            "no block",
            "out of range",
            "beyond",
            "missing block",
        ]
        .iter()
        .any(|words| message.contains(words))
    }
}

impl From<CallError> for SourceError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Node { code, message } => Self::Transient(format!("the node answered error {code}: {message}")),
            CallError::NoRoute => Self::Transient("the node's JSON-RPC path is gone".to_owned()),
            CallError::Refused(status) => Self::Transient(format!("the node answered {status}")),
            CallError::Source(error) => error,
        }
    }
}

/// A client for one path of one node.
#[derive(Debug, Clone)]
pub(super) struct Rpc {
    client: HttpClient<RpcService<Judging<HttpBackend>>>,
}

impl Rpc {
    /// A client whose every call ends within the timeout, and whose answers are at most so many bytes.
    pub(super) fn new(url: &str, timeout: Duration, max_bytes: u32) -> Result<Self, SourceError> {
        web::install_crypto();
        let client = HttpClientBuilder::new()
            .request_timeout(timeout)
            .connect_timeout(timeout)
            .max_response_size(max_bytes)
            .set_rpc_middleware(RpcServiceBuilder::new())
            .set_http_middleware(ServiceBuilder::new().layer(tower::layer::layer_fn(Judging)))
            .build(url)
            .map_err(|error| SourceError::Unsuitable(format!("{url} cannot be asked: {}", web::chain(&error))))?;
        Ok(Self { client })
    }

    /// Calls a method and hands out the raw text of its result.
    pub(super) async fn call(&self, method: &str, params: ObjectParams) -> Result<Box<RawValue>, CallError> {
        self.client.request(method, params).await.map_err(judge)
    }

    /// Calls a method that takes no parameters.
    pub(super) async fn ask(&self, method: &str) -> Result<Box<RawValue>, CallError> {
        self.client.request(method, jsonrpsee::core::params::ArrayParams::new()).await.map_err(judge)
    }
}

fn judge(error: ClientError) -> CallError {
    let malformed = |text: String| CallError::Source(SourceError::Malformed(text));
    let transient = |text: &str| CallError::Source(SourceError::Transient(text.to_owned()));
    match error {
        ClientError::Call(object) => {
            CallError::Node { code: object.code(), message: object.message().chars().take(MESSAGE_MAX).collect() }
        }
        ClientError::Transport(error) => match error.downcast::<TransportError>() {
            Ok(error) => transport(*error),
            Err(error) => transient(&error.to_string()),
        },
        ClientError::ParseError(error) => malformed(format!("the answer is not JSON-RPC: {error}")),
        ClientError::InvalidRequestId(error) => malformed(error.to_string()),
        ClientError::RequestTimeout => transient("the answer did not come in time"),
        ClientError::RestartNeeded(error) => transient(&error.to_string()),
        ClientError::Custom(text) => transient(&text),
        ClientError::InvalidSubscriptionId
        | ClientError::HttpNotImplemented
        | ClientError::EmptyBatchRequest(_)
        | ClientError::RegisterMethod(_)
        | ClientError::ServiceDisconnect => transient("the JSON-RPC client cannot ask"),
    }
}

fn transport(error: TransportError) -> CallError {
    let transient = |text: String| CallError::Source(SourceError::Transient(text));
    let malformed = |text: String| CallError::Source(SourceError::Malformed(text));
    match error {
        TransportError::Rejected { status_code: 404 | 405 } => CallError::NoRoute,
        TransportError::Rejected { status_code: status @ 400..=499 } if status != REQUEST_TIMEOUT => {
            CallError::Refused(status)
        }
        TransportError::Rejected { status_code } => transient(format!("the node answered {status_code}")),
        // What failed before an answer began was wrapped by `Judging`; everything else broke within the answer.
        TransportError::Http(HttpError::Stream(error)) => match error.downcast::<Stop>() {
            Ok(stop) => match *stop {
                Stop::RateLimited(retry_after) => CallError::Source(SourceError::RateLimited { retry_after }),
                Stop::Away(text) => transient(text),
            },
            Err(error) => malformed(format!("the answer broke off: {}", web::chain(&*error))),
        },
        TransportError::Http(HttpError::TooLarge) => malformed("the answer is larger than the limit".to_owned()),
        TransportError::Http(HttpError::Malformed) => malformed("the answer is not JSON".to_owned()),
        TransportError::RequestTooLarge => transient("the question is too large".to_owned()),
        TransportError::Url(text) => CallError::Source(SourceError::Unsuitable(text)),
        TransportError::InvalidCertficateStore => {
            CallError::Source(SourceError::Unsuitable("no certificates to check the node's with".to_owned()))
        }
    }
}

/// What ends a call before its answer is read.
#[derive(Debug, thiserror::Error)]
enum Stop {
    #[error("asked to wait")]
    RateLimited(Duration),
    #[error("{0}")]
    Away(String),
}

/// Sees the answer's head, which the client does not hand out: a `429` with its `Retry-After`, and whether a failure
/// came before the answer or within it.
#[derive(Debug, Clone)]
struct Judging<S>(S);

impl<S, B> Service<HttpRequest> for Judging<S>
where
    S: Service<HttpRequest, Response = HttpResponse<B>, Error = TransportError>,
    S::Future: Send + 'static,
{
    type Response = HttpResponse<B>;
    type Error = TransportError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse<B>, TransportError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), TransportError>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let stop = |stop: Stop| TransportError::Http(HttpError::Stream(Box::new(stop)));
            match answer.await {
                Ok(response) if response.status() == http::StatusCode::TOO_MANY_REQUESTS => {
                    let retry_after = response.headers().get(http::header::RETRY_AFTER);
                    let patience = web::patience(retry_after.and_then(|value| value.to_str().ok()));
                    Err(stop(Stop::RateLimited(patience)))
                }
                Ok(response) => Ok(response),
                Err(error) => Err(stop(Stop::Away(web::chain(&error)))),
            }
        })
    }
}
