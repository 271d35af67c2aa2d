//! What a request asks for, besides its path: the parameters that all reads share, and the route's own ones as text.
//!
//! Everything here is hostile until parsed. Every refusal is a 400 that names the parameter.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::response::{IntoResponse, IntoResponseParts, Response, ResponseParts};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use utoipa::IntoParams;

use crate::error::{Problem, ProblemKind};
use crate::freshness::{Freshness, Source};
use crate::limits::{DEFAULT_LIMIT, MAX_LIMIT, MAX_OFFSET, MAX_TEXT_BYTES};
use crate::page::{Count, Cursor, fingerprint};
use crate::server::AppState;
use crate::view::HashPrefix;

/// Names which parameters were ignored under `Prefer: handling=lenient`.
pub const IGNORED_PARAMETERS: HeaderName = HeaderName::from_static("x-ignored-parameters");
const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Parameters of routes that page.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Items per page, 1 to 100; 50 when absent.
    #[param(minimum = 1, maximum = 100, default = 50)]
    pub limit: Option<i64>,
    /// `next_cursor` of the page before, with the other parameters as they were. Pages are pinned to the first one's
    /// position; `at_height` and `at_position` may be left out, and are refused when they mean another.
    pub cursor: Option<String>,
}

/// Parameter of routes that can skip items.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Offset {
    /// Items to skip, 0 to 10,000; a cursor is cheaper.
    #[param(minimum = 0, maximum = 10_000, default = 0)]
    pub offset: Option<i64>,
}

/// Parameter of routes that can count.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Counted {
    /// `exact` counts all items, `estimated` up to 10,000 where counting takes long; absent, there is no `count`.
    #[param(pattern = "^(exact|estimated)$")]
    pub count: Option<String>,
}

/// Parameter of routes that can say where an answer comes from.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Explained {
    /// `true` adds the events that made the answer what it is.
    pub explain: Option<bool>,
}

/// What a request asks for.
#[derive(Debug, Clone, Default)]
pub struct Ask {
    /// As of the block that stands at this height of [`Ask::chain`].
    pub at_height: Option<i64>,
    /// As of this position.
    pub at_position: Option<i64>,
    /// No answer from before this height of [`Ask::chain`].
    pub min_height: Option<i64>,
    /// No answer from before this position.
    pub min_position: Option<i64>,
    /// Items per page.
    pub limit: i64,
    /// Items to skip.
    pub offset: i64,
    /// Whether and how to count all items.
    pub count: Option<Count>,
    /// Whether to say where the answer comes from.
    pub explain: bool,
    /// The page to continue with.
    pub cursor: Option<Cursor>,
    /// What the next page's cursor must agree with; zeros on routes that do not page.
    pub question: HashPrefix,
    /// The value of `If-None-Match`.
    pub if_none_match: Option<String>,
    /// The value of `If-Match`.
    pub if_match: Option<String>,
    /// Parameters that were ignored because the client said so.
    pub ignored: Vec<String>,
    own: BTreeMap<String, String>,
}

impl FromRequestParts<Arc<AppState>> for Ask {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &Arc<AppState>) -> Result<Self, Problem> {
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let pairs = pairs(parts.uri.query().unwrap_or_default())?;
        let ask = Self::parse(parts.uri.path(), pairs, state.parameters(route), &parts.headers)?;
        // Refused here for every route alike; without a database nobody knows the names, and the answer is 503 anyway.
        if ask.text("chain").is_some() && state.fresh().database_up {
            ask.named_chain(state)?;
        }
        Ok(ask)
    }
}

impl Ask {
    /// Parses the pairs of a query string; `known` are the parameters that the route declares.
    pub fn parse(
        path: &str,
        pairs: Vec<(String, String)>,
        known: &[String],
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let lenient = prefers_lenient(headers);
        let (values, ignored) = accepted(pairs, known, lenient)?;
        let mut ask = Self { own: values, ignored, ..Self::default() };
        for (name, value) in &ask.own {
            check_text(name, value)?;
        }
        if known.iter().any(|name| name == "cursor") {
            let own = |name: &&String| !UNASKED.contains(&name.as_str());
            let pairs =
                ask.own.iter().filter(|(name, _)| own(name)).map(|(name, value)| (name.as_str(), value.as_str()));
            ask.question = fingerprint(path, pairs);
        }
        ask.at_height = ask.number("at_height", 0..=i64::MAX)?;
        ask.at_position = ask.number("at_position", 0..=i64::MAX)?;
        ask.min_height = ask.number("min_height", 0..=i64::MAX)?;
        ask.min_position = ask.number("min_position", 0..=i64::MAX)?;
        ask.limit = ask.number("limit", 1..=MAX_LIMIT)?.unwrap_or(DEFAULT_LIMIT);
        ask.offset = ask.number("offset", 0..=MAX_OFFSET)?.unwrap_or(0);
        ask.count = ask.one_of("count", &[("exact", Count::Exact), ("estimated", Count::Estimated)])?;
        ask.explain = ask.one_of("explain", &[("true", true), ("false", false)])?.unwrap_or(false);
        ask.cursor = ask.parsed::<CursorText>("cursor")?.map(|text| text.0);
        if ask.at_height.is_some() && ask.at_position.is_some() {
            return Err(Problem::bad("at_position", "cannot be given together with `at_height`"));
        }
        if ask.cursor.as_ref().is_some_and(|cursor| cursor.question != ask.question) {
            return Err(Problem::bad(
                "cursor",
                "belongs to another question: repeat the other parameters as they were",
            ));
        }
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
        ask.if_none_match = text(header::IF_NONE_MATCH);
        ask.if_match = text(header::IF_MATCH);
        Ok(ask)
    }

    /// A parameter as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.own.get(name).map(String::as_str)
    }

    /// A parameter that must be there.
    pub fn required(&self, name: &str) -> Result<&str, Problem> {
        self.text(name).ok_or_else(|| Problem::bad(name, "is missing"))
    }

    /// A parameter as a whole number within bounds.
    pub fn number(&self, name: &str, range: RangeInclusive<i64>) -> Result<Option<i64>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let bad = || Problem::bad(name, format!("must be a whole number from {} to {}", range.start(), range.end()));
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(bad());
        }
        text.parse().ok().filter(|number| range.contains(number)).map(Some).ok_or_else(bad)
    }

    /// A parameter of any type that can be read from text.
    pub fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.text(name)
            .map(|text| text.parse().map_err(|why| Problem::bad(name, format!("is refused: {why}"))))
            .transpose()
    }

    /// A parameter that is one of a few words.
    pub fn one_of<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match words.iter().find(|(word, _)| *word == text) {
            Some((_, value)) => Ok(Some(*value)),
            None => {
                let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
                Err(Problem::bad(name, format!("must be one of {}", words.join(", "))))
            }
        }
    }

    /// The sort key that the page starts after; none on the first page.
    pub fn after(&self) -> Option<&str> {
        self.cursor.as_ref().map(|cursor| cursor.key.as_str())
    }

    /// The sort key that the page starts after, parsed.
    pub fn after_as<T: FromStr>(&self) -> Result<Option<T>, Problem> {
        let parse = |key: &str| key.parse().map_err(|_| Problem::bad("cursor", "does not lead to a page of this list"));
        self.after().map(parse).transpose()
    }

    /// The chain that was named; an unknown name is refused with those there are.
    pub fn named_chain(&self, state: &AppState) -> Result<Option<Arc<Source>>, Problem> {
        self.source_named("chain", state)
    }

    /// The source that a parameter names.
    pub fn source_named(&self, parameter: &str, state: &AppState) -> Result<Option<Arc<Source>>, Problem> {
        match self.text(parameter) {
            Some(_) => self.source_named_in(parameter, &state.fresh()),
            None => Ok(None),
        }
    }

    fn source_named_in(&self, parameter: &str, fresh: &Freshness) -> Result<Option<Arc<Source>>, Problem> {
        let Some(name) = self.text(parameter) else { return Ok(None) };
        match fresh.source(name) {
            Some(source) => Ok(Some(Arc::clone(source))),
            None if !fresh.database_up => Err(Problem::database_unavailable()),
            None => {
                let names: Vec<_> = fresh.sources.iter().map(|source| format!("`{}`", source.name)).collect();
                Err(Problem::bad(parameter, format!("names no source; there are: {}", names.join(", "))))
            }
        }
    }

    /// The chain asked about: the named one, else the first.
    pub fn chain(&self, state: &AppState) -> Result<Arc<Source>, Problem> {
        self.chain_of(&state.fresh())
    }

    /// The chain asked about, as it stood in a snapshot.
    pub fn chain_of(&self, fresh: &Freshness) -> Result<Arc<Source>, Problem> {
        if let Some(source) = self.source_named_in("chain", fresh)? {
            return Ok(source);
        }
        fresh.default_source().cloned().ok_or_else(|| match fresh.database_up {
            true => Problem::new(ProblemKind::NotIndexedYet, "no source has been indexed yet"),
            false => Problem::database_unavailable(),
        })
    }
}

/// Parameters that do not change which list a cursor belongs to.
const UNASKED: &[&str] = &["cursor", "limit", "count", "at_height", "at_position", "min_height", "min_position"];

struct CursorText(Cursor);

impl FromStr for CursorText {
    type Err = crate::page::BadCursor;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Cursor::decode(text).map(Self)
    }
}

/// The pairs of a query string, decoded.
fn pairs(query: &str) -> Result<Vec<(String, String)>, Problem> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = String::from_utf8(decoded(name))
            .map_err(|_| Problem::new(ProblemKind::BadRequest, "the name of a parameter is not UTF-8 text"))?;
        if is_passed_over(&name) {
            continue;
        }
        match String::from_utf8(decoded(value)) {
            Ok(value) => pairs.push((name, value)),
            Err(_) => return Err(Problem::bad(name, "is not UTF-8 text")),
        }
    }
    Ok(pairs)
}

/// The bytes behind a percent-encoded text; a `+` is a space, and a `%` that two hex digits do not follow is itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let [byte, behind @ ..] = rest {
        let mut escaped = [0];
        (rest, escaped) = match (byte, behind) {
            (b'%', [high, low, behind @ ..]) if hex::decode_to_slice([*high, *low], &mut escaped).is_ok() => {
                (behind, escaped)
            }
            (b'+', _) => (behind, *b" "),
            (byte, _) => (behind, [*byte]),
        };
        decoded.extend(escaped);
    }
    decoded
}

/// What caches and campaigns add to any address.
fn is_passed_over(name: &str) -> bool {
    name == "_" || name.starts_with("utm_")
}

/// The parameters that the route knows, each at most once, and the names of those ignored on request.
fn accepted(
    pairs: Vec<(String, String)>,
    known: &[String],
    lenient: bool,
) -> Result<(BTreeMap<String, String>, Vec<String>), Problem> {
    let mut values = BTreeMap::new();
    let mut ignored = Vec::new();
    for (name, value) in pairs {
        if is_passed_over(&name) {
            continue;
        }
        if !known.contains(&name) {
            if !lenient {
                let nearest = known.iter().min_by_key(|known| strsim::osa_distance(&name, known));
                return Err(Problem::unknown(&name, nearest.map(String::as_str)));
            }
            ignored.push(name);
        } else if values.insert(name.clone(), value).is_some() {
            return Err(Problem::bad(name, "is given twice"));
        }
    }
    Ok((values, ignored))
}

fn prefers_lenient(headers: &HeaderMap) -> bool {
    let values = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split([',', ';'])).any(|token| token.trim().eq_ignore_ascii_case("handling=lenient"))
}

fn check_text(name: &str, value: &str) -> Result<(), Problem> {
    if value.len() > MAX_TEXT_BYTES {
        return Err(Problem::bad(name, format!("is longer than {MAX_TEXT_BYTES} bytes")));
    }
    if value.contains('\0') {
        return Err(Problem::bad(name, "contains a NUL character"));
    }
    Ok(())
}

/// Says in the answer which parameters were ignored.
#[derive(Debug)]
pub struct PreferenceApplied<'a>(pub &'a [String]);

impl IntoResponseParts for PreferenceApplied<'_> {
    type Error = Infallible;

    fn into_response_parts(self, mut response: ResponseParts) -> Result<ResponseParts, Infallible> {
        if !self.0.is_empty() {
            let names: Vec<_> = self.0.iter().map(|name| name.escape_default().to_string()).collect();
            let headers = response.headers_mut();
            headers.insert(PREFERENCE_APPLIED, HeaderValue::from_static("handling=lenient"));
            if let Ok(names) = HeaderValue::from_str(&names.join(", ")) {
                headers.insert(IGNORED_PARAMETERS, names);
            }
        }
        Ok(response)
    }
}

/// The one variable part of a path, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for InPath {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let name = route.split(['{', '}']).nth(1).unwrap_or("path").to_owned();
        let not_utf8 = || Problem::bad(name.clone(), "is not UTF-8 text").into_response();
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| not_utf8())?;
        let value = params.iter().next().map(|(_, value)| value.to_owned()).unwrap_or_default();
        check_text(&name, &value).map_err(IntoResponse::into_response)?;
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests;
