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
use crate::page::List;
use crate::rest::ask::{Ask, InPath, Paging};
use crate::rest::reply::{Missing, reply_found, reply_list};
use crate::server::AppState;
use crate::views::events::{Event, EventItem, Events, Filter};

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
    /// Only about this subject, as `address:0x…`, `identity:…`, `proposal:…`, `oracle:…` or `submission:…`.
    pub subject: Option<String>,
    /// Only of the source with this name.
    pub source: Option<String>,
}

/// Events in the order of the log
///
/// Ascending by position, retracted ones included: `stands` says which those are. Bodies are verbatim, and every column
/// that a digest covers is there, so that digests and the running hash can be recomputed. To follow the log, ask again
/// with `after` as the last position seen.
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
    let subject = ask.text("subject").map(|text| subject(&state, text)).transpose()?;
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

fn kinds(ask: &Ask) -> Result<Vec<Kind>, Problem> {
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

/// A subject and the spellings that its sources may have filed it under.
fn subject(state: &AppState, text: &str) -> Result<(Namespace, Vec<String>), Problem> {
    let bad = |why: String| Problem::bad("subject", why);
    let known = "address, identity, proposal, oracle, submission";
    let (namespace, name) =
        text.split_once(':').ok_or_else(|| bad(format!("must be a namespace ({known}), a colon and a name")))?;
    let namespace =
        Namespace::from_name(namespace).ok_or_else(|| bad(format!("has an unknown namespace; there are: {known}")))?;
    let mut names = match namespace {
        Namespace::Address => {
            let canonical = |source: &Arc<crate::freshness::Source>| source.kind.address_rule().canonical(name);
            let spelled = state.sources().iter().map(canonical).collect::<Result<Vec<_>, _>>();
            let mut names = vec![name.to_owned()];
            names.extend(
                spelled.map_err(|why| bad(format!("is refused: {why}")))?.iter().map(|a| a.as_str().to_owned()),
            );
            names
        }
        Namespace::Identity => {
            let id: IdentityId = name.parse().map_err(|why| bad(format!("is refused: {why}")))?;
            vec![id.to_string()]
        }
        Namespace::Proposal | Namespace::Oracle | Namespace::Submission => vec![name.to_owned()],
    };
    if name.is_empty() {
        return Err(bad("has no name behind the colon".to_owned()));
    }
    names.sort_unstable();
    names.dedup();
    Ok((namespace, names))
}
