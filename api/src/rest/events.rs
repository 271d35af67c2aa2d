//! `/v1/events`: the log, to read, to follow and to recompute.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schema::chain::IdentityId;
use schema::event::{Kind, Namespace};
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Problem;
use crate::freshness::Source;
use crate::page::List;
use crate::rest::ask::{Ask, InPath, Paging};
use crate::rest::reply::{Missing, reply_found, reply_list};
use crate::server::AppState;
use crate::views::events::{Event, EventItem, Events, Filter, Subject};

/// The routes of this noun.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new().routes(routes!(list_events)).routes(routes!(get_event))
}

/// Which events to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only events after this position.
    #[param(minimum = 0)]
    pub after: Option<i64>,
    /// Only these kinds, as `chain.block_applied`; several are separated by commas.
    pub kind: Option<String>,
    /// Only about this subject, as `address:0x…`, `identity:…`, `proposal:…`, `oracle:…` or `submission:…`. Addresses are
    /// matched exactly, and in another case when only one such is known.
    pub subject: Option<String>,
    /// Only of the source with this name.
    pub source: Option<String>,
}

/// Events in the order of the log
///
/// Ascending by position, retracted ones included: `stands` says which those are. Bodies are verbatim, and every column
/// that a digest covers is there, so that digests and the running hash can be recomputed. A page also ends, before its
/// limit, when its bodies pass 4 MiB. To follow the log, ask again with `after` as the last position seen.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "log",
    params(Wanted, Paging),
    responses((status = 200, description = "One page of events.", body = List<EventItem>))
)]
async fn list_events(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    let after = ask.number("after", 0..=i64::MAX)?.unwrap_or(0);
    let kinds = kinds(&ask)?;
    let source = ask.source_named("source", &state)?;
    let subject = ask.text("subject").map(|text| subject(&state, source.as_deref(), text)).transpose()?;
    let filter = Filter { source_id: source.map(|source| source.source_id), kinds, subject };
    let query = Events { after: ask.after_as::<i64>()?.unwrap_or(after), filter, limit: ask.limit };
    reply_list(&state, query, &ask).await
}

/// One event by its position
///
/// An event that was retracted later is still there, with `stands` false from then on.
#[utoipa::path(
    get,
    path = "/v1/events/{position}",
    tag = "log",
    params(("position" = i64, Path, description = "Position in the log, from 1.", minimum = 1)),
    responses((status = 200, description = "The event.", body = EventItem))
)]
async fn get_event(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let position = text.parse().ok().filter(|position: &i64| digits && *position >= 1);
    let position =
        position.ok_or_else(|| Problem::bad("position", format!("must be a whole number from 1 to {}", i64::MAX)))?;
    reply_found(&state, Event { position }, &ask, Missing::Position(position)).await
}

/// The kinds of events that `kind=` names; none when it is absent.
pub(super) fn kinds(ask: &Ask) -> Result<Vec<Kind>, Problem> {
    let Some(text) = ask.text("kind") else { return Ok(Vec::new()) };
    let parse = |name: &str| Kind::from_name(name).ok_or_else(|| unknown_kind(name));
    let mut kinds = text.split(',').map(str::trim).map(parse).collect::<Result<Vec<_>, _>>()?;
    kinds.sort_unstable();
    kinds.dedup();
    Ok(kinds)
}

fn unknown_kind(name: &str) -> Problem {
    let nearest = Kind::ALL.iter().map(|kind| kind.name()).min_by_key(|known| strsim::osa_distance(name, known));
    let nearest = nearest.unwrap_or_default();
    Problem::bad("kind", format!("has no kind `{}`; the nearest one is `{nearest}`", name.escape_debug()))
        .with("nearest", nearest)
}

/// A subject; an address under the spelling of each source that it can be an address of.
pub(super) fn subject(state: &AppState, source: Option<&Source>, text: &str) -> Result<Subject, Problem> {
    let bad = |why: String| Problem::bad("subject", why);
    let known = "address, identity, proposal, oracle, submission";
    let (namespace, name) =
        text.split_once(':').ok_or_else(|| bad(format!("must be a namespace ({known}), a colon and a name")))?;
    let namespace =
        Namespace::from_name(namespace).ok_or_else(|| bad(format!("has an unknown namespace; there are: {known}")))?;
    match namespace {
        _ if name.is_empty() => Err(bad("has no name behind the colon".to_owned())),
        Namespace::Address => address(state, source, name),
        Namespace::Identity => {
            let id: IdentityId = name.parse().map_err(|why| bad(format!("is refused: {why}")))?;
            Ok(Subject::Named(namespace, id.to_string()))
        }
        Namespace::Proposal | Namespace::Oracle | Namespace::Submission => {
            Ok(Subject::Named(namespace, name.to_owned()))
        }
    }
}

fn address(state: &AppState, source: Option<&Source>, name: &str) -> Result<Subject, Problem> {
    let sources = state.sources();
    let asked = sources.iter().filter(|known| source.is_none_or(|source| source.source_id == known.source_id));
    let (mut spellings, mut refusal) = (Vec::new(), None);
    for source in asked {
        match super::explorer::address("subject", name, source.kind.address_rule()) {
            Ok(address) => spellings.push((source.source_id, address)),
            Err(problem) => refusal = refusal.or(Some(problem)),
        }
    }
    match refusal {
        Some(problem) if spellings.is_empty() => Err(problem),
        Some(_) | None => Ok(Subject::Address(spellings)),
    }
}
