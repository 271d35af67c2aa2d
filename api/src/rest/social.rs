//! Social: statistics of a profile, followers, following and the feed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schema::event::Kind;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::identity::identity_id;
use crate::error::Problem;
use crate::page::List;
use crate::rest::ask::{Counted, Explained, Paging};
use crate::rest::{Ask, InPath, Missing, reply_list_found, reply_shown};
use crate::server::AppState;
use crate::views::feed::{self, Feed, FeedItem, Of};
use crate::views::follows::{Connection, ConnectionList, Side};
use crate::views::identity_stats::{IdentityStats, OneIdentityStats};

/// The routes about identities and each other.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new()
        .routes(routes!(stats))
        .routes(routes!(followers))
        .routes(routes!(following))
        .routes(routes!(feed))
}

/// Statistics of an identity
///
/// What it contributed, how it takes part in the governance of `chain`, and how many follow it, all of one moment. Only of
/// identities that show their statistics to everybody now, whatever moment is asked about.
#[utoipa::path(
    get,
    path = "/v1/identity/{identity_id}/stats",
    tag = "social",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), Explained),
    responses(
        (status = 200, description = "The statistics.", body = IdentityStats),
        (status = 403, description = "`/problems/stats-not-public`: they are not shown to everybody")
    )
)]
pub async fn stats(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let query = OneIdentityStats {
        source_id: ask.chain(&state)?.source_id,
        identity_id: identity_id("identity_id", &text)?,
        stalled: super::pouw::stalled(&state),
        explain: ask.explain,
    };
    reply_shown(&state, query, &ask).await
}

/// Followers of an identity
///
/// The identities that follow it, newest follow first, and whether it follows them too. `count=exact` and
/// `count=estimated` both give the exact number.
#[utoipa::path(
    get,
    path = "/v1/identity/{identity_id}/followers",
    tag = "social",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), Paging, Counted),
    responses((status = 200, description = "One page of followers.", body = List<Connection>))
)]
pub async fn followers(
    State(state): State<Arc<AppState>>,
    ask: Ask,
    InPath(text): InPath,
) -> Result<Response, Problem> {
    connections(&state, &ask, &text, Side::Followers).await
}

/// Whom an identity follows
///
/// The identities that it follows, newest follow first, and whether they follow it too. `count=exact` and
/// `count=estimated` both give the exact number.
#[utoipa::path(
    get,
    path = "/v1/identity/{identity_id}/following",
    tag = "social",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), Paging, Counted),
    responses((status = 200, description = "One page of those followed.", body = List<Connection>))
)]
pub async fn following(
    State(state): State<Arc<AppState>>,
    ask: Ask,
    InPath(text): InPath,
) -> Result<Response, Problem> {
    connections(&state, &ask, &text, Side::Following).await
}

async fn connections(state: &AppState, ask: &Ask, text: &str, side: Side) -> Result<Response, Problem> {
    let query = ConnectionList {
        identity_id: identity_id("identity_id", text)?,
        side,
        before: ask.after_as()?,
        limit: ask.limit,
        count: ask.count.is_some(),
    };
    reply_list_found(state, query, ask, Missing::Noun("identity")).await
}

/// Which feed.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WantedFeed {
    /// `own`, when absent: what the identity did and what was done to it; `following`: the same of the identities that it
    /// follows, of the 500 followed last; `all`: both.
    #[param(pattern = "^(own|following|all)$", default = "own")]
    pub of: Option<String>,
    /// Only these kinds of events, as `social.followed`; several are separated by commas.
    pub kind: Option<String>,
}

/// Feed of an identity
///
/// Activity, newest first: registrations, changes of profile, key and wallets, follows, proposals, votes, delegations, and
/// useful work that was accepted. Events that were retracted are not in it, nor those that changed nothing. Work is shown
/// only of identities that show their statistics to everybody now, whatever moment is asked about; everything else are
/// public facts. A page may hold less than its limit and still have a `next_cursor`: it also ends when enough was looked
/// at.
#[utoipa::path(
    get,
    path = "/v1/identity/{identity_id}/feed",
    tag = "social",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), WantedFeed, Paging),
    responses((status = 200, description = "One page of activity.", body = List<FeedItem>))
)]
pub async fn feed(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let words = [("own", Of::Own), ("following", Of::Following), ("all", Of::All)];
    let query = Feed {
        identity_id: identity_id("identity_id", &text)?,
        of: ask.one_of("of", &words)?.unwrap_or(Of::Own),
        kinds: kinds(&ask)?,
        before: ask.after_as()?,
        limit: ask.limit,
    };
    reply_list_found(&state, query, &ask, Missing::Noun("identity")).await
}

fn kinds(ask: &Ask) -> Result<Vec<Kind>, Problem> {
    let kinds = super::events::kinds(ask)?;
    if let Some(other) = kinds.iter().find(|kind| !feed::kinds().any(|known| known == **kind)) {
        let known: Vec<_> = feed::kinds().map(|kind| format!("`{}`", kind.name())).collect();
        let why = format!("names `{}`, which is in no feed; there are: {}", other.name(), known.join(", "));
        return Err(Problem::bad("kind", why));
    }
    Ok(kinds)
}
