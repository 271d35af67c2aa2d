//! From a question to a response: the position it is asked at, the waiting, the answer, and the headers that say how
//! fresh it is (DESIGN §8).

mod at;
mod etag;

use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::{Problem, ProblemKind};
use crate::freshness::{Freshness, Head, Source};
use crate::page::{Cursor, Described, Rows};
use crate::rest::ask::{Ask, PreferenceApplied};
use crate::server::AppState;
use crate::view::{Answered, At, Encoded, HashPrefix, Keep, Query, Unanswered};
use crate::views::visibility::Shown;

pub use at::height_problem;

/// Position that the answer is true at.
pub const POSITION: HeaderName = HeaderName::from_static("x-position");
/// First eight bytes of the running hash there, hex.
pub const CHAIN_HASH: HeaderName = HeaderName::from_static("x-chain-hash");
/// Height of the chain's newest standing block there.
pub const INDEXED_HEIGHT: HeaderName = HeaderName::from_static("x-indexed-height");
/// Hash of that block, hex.
pub const INDEXED_BLOCK: HeaderName = HeaderName::from_static("x-indexed-block");
/// Highest finalized height there.
pub const FINALIZED_HEIGHT: HeaderName = HeaderName::from_static("x-finalized-height");
/// Seconds that the answer is behind the chain's node.
pub const LAG_SECONDS: HeaderName = HeaderName::from_static("x-lag-seconds");

/// Room for the headers of an answer, those that the layers around add included.
const HEADERS: usize = 20;

/// What it means that nothing was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// There is no such thing up to the position asked about; the noun names it.
    Noun(&'static str),
    /// No block stands at the height: above the head that may be a matter of time.
    Height(i64),
    /// No event is at the position: above the watermark that may be a matter of time.
    Position(i64),
}

/// Answers with one object.
pub async fn reply<Q: Query>(state: &AppState, query: Q, ask: &Ask) -> Result<Response, Problem> {
    let encode = |answer: &Q::Answer| Ok(Encoded { json: serde_json::to_vec(answer)?, ..Encoded::default() });
    let given = give(state, &query, ask, encode).await?;
    given.respond::<Q>(state, ask, given.answered.kept.json.clone(), false).await
}

/// Answers with one object, or says why there is none.
pub async fn reply_found<T, Q>(state: &AppState, query: Q, ask: &Ask, missing: Missing) -> Result<Response, Problem>
where
    T: Serialize,
    Q: Query<Answer = Option<T>>,
{
    let encode = |answer: &Option<T>| {
        Ok(Encoded { json: serde_json::to_vec(answer)?, missing: answer.is_none(), ..Encoded::default() })
    };
    let given = give(state, &query, ask, encode).await?;
    if given.answered.kept.missing {
        return Err(given.missing(missing));
    }
    given.respond::<Q>(state, ask, given.answered.kept.json.clone(), false).await
}

/// Answers with one page of a list.
pub async fn reply_list<T, Q>(state: &AppState, query: Q, ask: &Ask) -> Result<Response, Problem>
where
    T: Serialize,
    Q: Query<Answer = Rows<T>>,
{
    let encode = |rows: &Rows<T>| {
        let json = serde_json::to_vec(&rows.items)?;
        Ok(Encoded { json, next: rows.next.clone(), count: rows.count, ..Encoded::default() })
    };
    let given = give(state, &query, ask, encode).await?;
    let (body, has_next) = given.page(ask);
    given.respond::<Q>(state, ask, body, has_next).await
}

/// Answers with one page of what belongs to something, or says why that something is not there.
pub async fn reply_list_found<T, Q>(
    state: &AppState,
    query: Q,
    ask: &Ask,
    missing: Missing,
) -> Result<Response, Problem>
where
    T: Serialize,
    Q: Query<Answer = Option<Rows<T>>>,
{
    let encode = |rows: &Option<Rows<T>>| match rows {
        Some(rows) => {
            let json = serde_json::to_vec(&rows.items)?;
            Ok(Encoded { json, next: rows.next.clone(), count: rows.count, ..Encoded::default() })
        }
        None => Ok(Encoded { missing: true, ..Encoded::default() }),
    };
    let given = give(state, &query, ask, encode).await?;
    if given.answered.kept.missing {
        return Err(given.missing(missing));
    }
    let (body, has_next) = given.page(ask);
    given.respond::<Q>(state, ask, body, has_next).await
}

/// Answers with one object that depends on somebody's visibility: 404 when there is no such identity, 403 when the caller
/// may not see it.
pub async fn reply_shown<T, Q>(state: &AppState, query: Q, ask: &Ask) -> Result<Response, Problem>
where
    T: Serialize,
    Q: Query<Answer = Shown<T>>,
{
    let encode = |answer: &Shown<T>| match answer {
        Shown::Seen(value) => Ok(Encoded { json: serde_json::to_vec(value)?, ..Encoded::default() }),
        Shown::Unknown => Ok(Encoded { missing: true, ..Encoded::default() }),
        Shown::Hidden => Ok(Encoded { hidden: true, ..Encoded::default() }),
    };
    let given = give(state, &query, ask, encode).await?;
    given.refuse_unseen()?;
    given.respond::<Q>(state, ask, given.answered.kept.json.clone(), false).await
}

/// Answers with one page of a list that depends on somebody's visibility.
pub async fn reply_list_shown<T, Q>(state: &AppState, query: Q, ask: &Ask) -> Result<Response, Problem>
where
    T: Serialize,
    Q: Query<Answer = Shown<Rows<T>>>,
{
    let encode = |answer: &Shown<Rows<T>>| match answer {
        Shown::Seen(rows) => {
            let json = serde_json::to_vec(&rows.items)?;
            Ok(Encoded { json, next: rows.next.clone(), count: rows.count, ..Encoded::default() })
        }
        Shown::Unknown => Ok(Encoded { missing: true, ..Encoded::default() }),
        Shown::Hidden => Ok(Encoded { hidden: true, ..Encoded::default() }),
    };
    let given = give(state, &query, ask, encode).await?;
    given.refuse_unseen()?;
    let (body, has_next) = given.page(ask);
    given.respond::<Q>(state, ask, body, has_next).await
}

/// Answers with one page of a list that says more than its items: the members of `about` stand before them.
pub async fn reply_page_shown<A, T, Q>(state: &AppState, query: Q, ask: &Ask) -> Result<Response, Problem>
where
    A: Serialize,
    T: Serialize,
    Q: Query<Answer = Shown<Described<A, T>>>,
{
    let encode = |answer: &Shown<Described<A, T>>| match answer {
        Shown::Seen(page) => {
            let rows = &page.rows;
            let (json, members) = (serde_json::to_vec(&rows.items)?, members(&page.about)?);
            Ok(Encoded { json, next: rows.next.clone(), count: rows.count, members, ..Encoded::default() })
        }
        Shown::Unknown => Ok(Encoded { missing: true, ..Encoded::default() }),
        Shown::Hidden => Ok(Encoded { hidden: true, ..Encoded::default() }),
    };
    let given = give(state, &query, ask, encode).await?;
    given.refuse_unseen()?;
    let (body, has_next) = given.page(ask);
    given.respond::<Q>(state, ask, body, has_next).await
}

/// The members of an object as JSON, each followed by a comma.
fn members<A: Serialize>(about: &A) -> serde_json::Result<Vec<u8>> {
    let mut json = serde_json::to_vec(about)?;
    // `{"a":1}` becomes `"a":1,`, and `{}` nothing.
    json.pop();
    if json.len() > 1 {
        json.push(b',');
    }
    Ok(json.split_off(1))
}

/// The freshness headers of an answer that was made without a query, true at the watermark.
pub fn fresh_headers(state: &AppState, ask: &Ask, fresh: &Freshness) -> Result<HeaderMap, Problem> {
    let chain = match fresh.sources.is_empty() {
        true => None,
        false => Some(ask.chain_of(fresh)?),
    };
    let head = chain.as_ref().and_then(|chain| chain.head.clone());
    Ok(freshness_headers(state, fresh, fresh.position, fresh.chain_hash, chain.as_deref(), head.as_ref()))
}

/// Waits until the watermark is where the request wants it; 503 without a database, 412 when the wait was in vain.
pub async fn wait(state: &AppState, ask: &Ask) -> Result<Arc<Freshness>, Problem> {
    at::wait(state, ask).await
}

/// An answer with what its headers and refusals need.
struct Given {
    fresh: Arc<Freshness>,
    at: At,
    answered: Answered,
    chain: Option<Arc<Source>>,
    head: Option<Head>,
}

async fn give<Q: Query>(
    state: &AppState,
    query: &Q,
    ask: &Ask,
    encode: fn(&Q::Answer) -> serde_json::Result<Encoded>,
) -> Result<Given, Problem> {
    let fresh = at::wait(state, ask).await?;
    let at = at::resolve(state, &fresh, ask).await?;
    let answered = state.view.ask(query, at, &fresh, encode).await?;
    at::check_answer(&fresh, at, ask, &answered)?;
    let chain = match fresh.sources.is_empty() {
        true => None,
        false => Some(ask.chain_of(&fresh)?),
    };
    let head = match &chain {
        Some(chain) => state.head(&fresh, chain, answered.position, answered.chain_hash).await?,
        None => None,
    };
    let reached = head.as_ref().map(|head| head.height);
    if at == At::Now && ask.min_height.is_some_and(|height| reached.is_none_or(|reached| reached < height)) {
        return Err(at::not_reached(answered.position, head.as_ref()));
    }
    Ok(Given { fresh, at, answered, chain, head })
}

impl Given {
    /// 404 and 403 of what depends on somebody's visibility.
    fn refuse_unseen(&self) -> Result<(), Problem> {
        let kept = &self.answered.kept;
        if kept.missing {
            return Err(self.missing(Missing::Noun("identity")));
        }
        if kept.hidden {
            let detail =
                "the identity does not show its statistics to everybody; its profile, wallets and votes are public";
            let problem = Problem::new(ProblemKind::StatsNotPublic, detail);
            return Err(problem.header(POSITION, HeaderValue::from(self.answered.position)));
        }
        Ok(())
    }

    fn page(&self, ask: &Ask) -> (Bytes, bool) {
        let kept = &self.answered.kept;
        let mut body = Vec::with_capacity(kept.json.len() + kept.members.len() + 256);
        body.push(b'{');
        body.extend_from_slice(&kept.members);
        body.extend_from_slice(b"\"items\":");
        body.extend_from_slice(&kept.json);
        match &kept.next {
            Some(key) => {
                let (position, chain_hash) = (self.answered.position, self.answered.chain_hash);
                let cursor = Cursor { position, chain_hash, key: key.clone(), question: ask.question };
                body.extend_from_slice(b",\"next_cursor\":\"");
                body.extend_from_slice(cursor.encode().as_bytes());
                body.push(b'"');
            }
            None => body.extend_from_slice(b",\"next_cursor\":null"),
        }
        if let Some(count) = kept.count {
            body.extend_from_slice(format!(",\"count\":{count}").as_bytes());
        }
        body.push(b'}');
        (Bytes::from(body), kept.next.is_some())
    }

    fn missing(&self, missing: Missing) -> Problem {
        let position = self.answered.position;
        let height = self.head.as_ref().map(|head| head.height);
        let problem = match (missing, &self.chain) {
            (Missing::Noun(noun), _) => Problem::not_found(format!("no such {noun} up to position {position}")),
            (Missing::Height(wanted), Some(chain)) if self.at == At::Now => {
                height_problem(chain, self.head.as_ref(), wanted)
            }
            (Missing::Height(wanted), _) => {
                Problem::not_found(format!("no block stands at height {wanted} as of position {position}"))
            }
            (Missing::Position(wanted), _) => {
                // As of the past the views may well have come further than the answer.
                let shown = if self.at == At::Now { position } else { self.fresh.position };
                at::position_problem(&self.fresh, shown, wanted)
            }
        };
        let mut searched = serde_json::Map::new();
        searched.insert("position".to_owned(), position.into());
        searched.insert("height".to_owned(), height.into());
        problem.with("searched_through", searched).header(POSITION, HeaderValue::from(position))
    }

    async fn respond<Q: Query>(
        &self,
        state: &AppState,
        ask: &Ask,
        body: Bytes,
        has_next: bool,
    ) -> Result<Response, Problem> {
        let tag = etag::of(&self.answered, self.at, has_next);
        etag::check_match(state, &self.fresh, ask, &tag).await?;
        let (chain, head) = (self.chain.as_deref(), self.head.as_ref());
        let mut headers =
            freshness_headers(state, &self.fresh, self.answered.position, self.answered.chain_hash, chain, head);
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control(Q::KEEP)));
        let known = ask.if_none_match.as_deref().is_some_and(|given| etag::matches_weakly(given, &tag));
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(header::ETAG, tag);
        }
        if known {
            return Ok((StatusCode::NOT_MODIFIED, headers, PreferenceApplied(&ask.ignored), ()).into_response());
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok((headers, PreferenceApplied(&ask.ignored), Body::from(body)).into_response())
    }

    fn cache_control(&self, keep: Keep) -> &'static str {
        let final_at = match self.at {
            At::Now => false,
            At::Position(position) => position.0 <= self.fresh.finalized_position(),
        };
        match keep {
            Keep::HotList | Keep::Checked if final_at => "public, max-age=31536000, immutable",
            Keep::HotList if self.at == At::Now => "public, max-age=1, stale-while-revalidate=9",
            Keep::HotList | Keep::Checked | Keep::Visible => "no-cache",
            Keep::Never => "no-store",
        }
    }
}

fn freshness_headers(
    state: &AppState,
    fresh: &Freshness,
    position: i64,
    chain_hash: HashPrefix,
    chain: Option<&Source>,
    head: Option<&Head>,
) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(POSITION, HeaderValue::from(position));
    let mut hex = |name, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    hex(CHAIN_HASH, hex::encode(chain_hash));
    if let Some(head) = head {
        hex(INDEXED_BLOCK, hex::encode(&head.block_hash));
        headers.insert(INDEXED_HEIGHT, HeaderValue::from(head.height));
        if let Some(height) = head.finalized_height {
            headers.insert(FINALIZED_HEIGHT, HeaderValue::from(height));
        }
    }
    if let Some(lag) = chain.and_then(|chain| chain.lag_seconds(fresh.read_at, state.quiet_seconds())) {
        headers.insert(LAG_SECONDS, HeaderValue::from(lag));
    }
    headers
}

impl From<Unanswered> for Problem {
    fn from(error: Unanswered) -> Self {
        match error {
            Unanswered::Away(cause) => {
                tracing::warn!(%cause, "no database for a request");
                Self::database_unavailable()
            }
            Unanswered::TooSlow => Self::new(
                ProblemKind::TooSlow,
                "the database needed too long for this question; ask for less, or again later",
            ),
            Unanswered::Broken(cause) => Self::internal(cause),
        }
    }
}
