//! What a refusal looks like: RFC 9457 problems with a stable `type`, and the errors that keep the server from running.
//!
//! A problem never carries internals: what the database or a panic said is logged once, here, beside the request's id.

use std::fmt::Display;

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;
use serde_json::{Map, Value};

/// The media type of problems.
pub const PROBLEM_JSON: &str = "application/problem+json";

macro_rules! problems {
    ($($slug:literal $variant:ident $status:ident $title:literal;)+) => {
        /// Every kind of problem; its `type` is `/problems/` and the slug.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemKind {
            $(
                #[doc = concat!("`", $slug, "`: ", $title, ".")]
                $variant,
            )+
        }

        impl ProblemKind {
            /// Every kind, in the order of the status.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable last part of its `type`.
            pub fn slug(self) -> &'static str {
                match self { $(Self::$variant => $slug,)+ }
            }

            /// The HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)+ }
            }

            /// What kind of problem it is, the same for every occurrence.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)+ }
            }
        }
    };
}

problems! {
    "bad-parameter" BadParameter BAD_REQUEST "A parameter has a value that it cannot have";
    "unknown-parameter" UnknownParameter BAD_REQUEST "A parameter is not known here";
    "bad-request" BadRequest BAD_REQUEST "The request cannot be read";
    "stats-not-public" StatsNotPublic FORBIDDEN "These statistics are not public";
    "not-found" NotFound NOT_FOUND "Nothing is there";
    "no-such-route" NoSuchRoute NOT_FOUND "No such route";
    "beyond-tip" BeyondTip NOT_FOUND "The chain has not come that far";
    "method-not-allowed" MethodNotAllowed METHOD_NOT_ALLOWED "The route does not know this method";
    "pruned" Pruned GONE "That far back is no longer kept";
    "not-reached" NotReached PRECONDITION_FAILED "The answer would be older than asked for";
    "log-rewritten" LogRewritten PRECONDITION_FAILED "The log that this was read from is no longer this log";
    "changed" Changed PRECONDITION_FAILED "The answer is no longer the one named";
    "body-too-large" BodyTooLarge PAYLOAD_TOO_LARGE "The request body is too large";
    "uri-too-long" UriTooLong URI_TOO_LONG "The URL is too long";
    "too-many-requests" TooManyRequests TOO_MANY_REQUESTS "Too many requests";
    "internal" Internal INTERNAL_SERVER_ERROR "Something is broken here";
    "not-indexed-yet" NotIndexedYet SERVICE_UNAVAILABLE "Known to the chain, not indexed yet";
    "view-set-aside" ViewSetAside SERVICE_UNAVAILABLE "The view stands still at an older position";
    "database-unavailable" DatabaseUnavailable SERVICE_UNAVAILABLE "The database is away";
    "too-slow" TooSlow SERVICE_UNAVAILABLE "The answer took too long";
}

impl ProblemKind {
    /// The stable `type`, relative to the server.
    pub fn uri(self) -> String {
        format!("/problems/{}", self.slug())
    }
}

/// A refusal, as clients see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    kind: ProblemKind,
    detail: String,
    parameter: Option<String>,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem with a plain sentence.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), parameter: None, members: Map::new(), headers: Vec::new() }
    }

    /// 400: the parameter's value cannot be used; `why` continues the sentence "`name` …".
    pub fn bad(parameter: impl Into<String>, why: impl Display) -> Self {
        let parameter = parameter.into();
        let mut problem = Self::new(ProblemKind::BadParameter, format!("`{parameter}` {why}"));
        problem.parameter = Some(parameter);
        problem
    }

    /// 400: no such parameter here.
    pub fn unknown(parameter: &str, nearest: Option<&str>) -> Self {
        let detail = match nearest {
            Some(nearest) => format!("`{parameter}` is not a parameter of this route; the nearest one is `{nearest}`"),
            None => format!("`{parameter}` is not a parameter of this route; it takes none"),
        };
        let mut problem = Self::new(ProblemKind::UnknownParameter, detail);
        problem.parameter = Some(parameter.to_owned());
        match nearest {
            Some(nearest) => problem.with("nearest", nearest),
            None => problem,
        }
    }

    /// 404: looked for, and not there.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::NotFound, detail)
    }

    /// 500: the cause goes to the log and nowhere else.
    pub fn internal(cause: impl Display) -> Self {
        tracing::error!(%cause, "a request met something broken");
        Self::new(
            ProblemKind::Internal,
            "the server met an error of its own; its log has the details under this request's id",
        )
    }

    /// 503: no database, no answer.
    pub fn database_unavailable() -> Self {
        Self::new(ProblemKind::DatabaseUnavailable, "the database cannot be reached; ask again in a moment")
            .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
    }

    /// The problem with one more member.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// The problem with one more header.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Which kind it is.
    pub fn kind(&self) -> ProblemKind {
        self.kind
    }

    /// The parameter to blame, if one is.
    pub fn parameter(&self) -> Option<&str> {
        self.parameter.as_deref()
    }
}

#[derive(Serialize)]
struct Wire<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
    #[serde(flatten)]
    members: &'a Map<String, Value>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let wire = Wire {
            r#type: self.kind.uri(),
            title: self.kind.title(),
            status: self.kind.status().as_u16(),
            detail: &self.detail,
            parameter: self.parameter.as_deref(),
            members: &self.members,
        };
        let body = serde_json::to_vec(&wire).expect("a problem holds only strings and numbers");
        let mut response = (self.kind.status(), body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for (name, value) in self.headers {
            headers.insert(name, value);
        }
        response
    }
}

/// The shape of a problem, for the documentation.
#[derive(utoipa::ToSchema, Serialize)]
#[schema(as = Problem)]
pub struct ProblemSchema {
    /// Stable name of the kind of problem, relative to the server, as `/problems/bad-parameter`.
    pub r#type: String,
    /// What kind of problem it is.
    pub title: String,
    /// The HTTP status again.
    pub status: u16,
    /// What is wrong here, in a plain sentence.
    pub detail: String,
    /// The parameter to blame, where one is.
    #[schema(nullable = false, example = "limit")]
    pub parameter: Option<String>,
    /// The nearest name or word that is known, where an unknown one was given.
    #[schema(nullable = false, example = "kind")]
    pub nearest: Option<String>,
    /// Position up to which was looked, or to which the views have come, where it matters.
    #[schema(nullable = false, example = 5000)]
    pub position: Option<i64>,
    /// Newest position of the log, where a position was asked for that is not there.
    #[schema(nullable = false, example = 5010)]
    pub log_position: Option<i64>,
    /// The last position that this log and the one read before can have in common; of `/problems/log-rewritten`.
    #[schema(nullable = false, example = 4990)]
    pub last_common_position: Option<i64>,
    /// First position as of which there still are answers; of `/problems/pruned`.
    #[schema(nullable = false, example = 1000)]
    pub horizon: Option<i64>,
    /// The height asked for, where no block is known there.
    #[schema(nullable = false, example = 900)]
    pub height: Option<i64>,
    /// Height up to which the chain is indexed; null before its first block.
    #[schema(example = 812)]
    pub indexed_height: Option<i64>,
    /// Hash of the block at that height, hex; null before the first block.
    #[schema(example = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    pub indexed_block: Option<String>,
    /// Newest height that the chain's node has named; null before it has.
    #[schema(example = 815)]
    pub tip_height: Option<i64>,
    /// How far was looked for what was not found.
    #[schema(nullable = false)]
    pub searched_through: Option<SearchedThrough>,
}

/// Up to where something was looked for in vain.
#[derive(utoipa::ToSchema, Serialize)]
pub struct SearchedThrough {
    /// The position in the log.
    #[schema(example = 5000)]
    pub position: i64,
    /// Height of the chain's newest block there; null before the first.
    #[schema(example = 812)]
    pub height: Option<i64>,
}

/// Why the server could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The connection string is not one.
    #[error("the database URL cannot be read: {0}")]
    DatabaseUrl(#[source] sqlx::Error),
    /// The listener failed.
    #[error("serving HTTP failed: {0}")]
    Serve(#[source] std::io::Error),
    /// The metrics recorder cannot be made.
    #[error("metrics cannot be recorded: {0}")]
    Metrics(String),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http_body_util::BodyExt;

    use super::*;

    #[test]
    fn types_are_stable_and_distinct() {
        let uris: BTreeSet<_> = ProblemKind::ALL.iter().map(|kind| kind.uri()).collect();
        assert_eq!(uris.len(), ProblemKind::ALL.len());
        assert_eq!(ProblemKind::NotFound.uri(), "/problems/not-found");
        assert!(ProblemKind::ALL.iter().all(|kind| kind.status().is_client_error() || kind.status().is_server_error()));
    }

    #[tokio::test]
    async fn a_problem_names_its_parameter_and_its_status() {
        let response = Problem::bad("limit", "must be 1 to 100").with("nearest", "x").into_response();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM_JSON);
        let body = response.into_body().collect().await.expect("in memory").to_bytes();
        let body: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(body["type"], "/problems/bad-parameter");
        assert_eq!(body["status"], 400);
        assert_eq!(body["parameter"], "limit");
        assert_eq!(body["detail"], "`limit` must be 1 to 100");
        assert_eq!(body["nearest"], "x");
    }
}
