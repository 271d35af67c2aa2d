//! What somebody contributed, and the submissions it is made of.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::{OfFamily, family, named_source, stalled, work_id};
use crate::error::Problem;
use crate::page::List;
use crate::rest::ask::{Explained, Paging};
use crate::rest::identity::identity_id;
use crate::rest::{Ask, InPath, Missing, reply_found, reply_list_shown, reply_shown};
use crate::server::AppState;
use crate::views::work::{History, OneSubmission, OneWorkStats, Submission, WorkStats, WorkSubmission};

/// Work of an identity
///
/// What the work of all addresses of an identity comes to, by family and by type, and where that puts it among others.
/// Linking an address brings all its work, earlier work too; unlinking takes it away.
#[utoipa::path(
    get,
    path = "/v1/pouw/stats/{identity_id}",
    tag = "pouw",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), Explained),
    responses(
        (status = 200, description = "The statistics.", body = WorkStats),
        (status = 403, description = "`/problems/stats-not-public`: they are not shown to everybody")
    )
)]
pub async fn stats(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let identity_id = identity_id("identity_id", &text)?;
    let query = OneWorkStats { identity_id, stalled: stalled(&state), explain: ask.explain };
    reply_shown(&state, query, &ask).await
}

/// Submissions of an identity
///
/// The submissions of all addresses that belong to an identity, newest first, also those that do not count. A rejection
/// that takes out an accepted submission is shown with it.
#[utoipa::path(
    get,
    path = "/v1/pouw/history/{identity_id}",
    tag = "pouw",
    params(("identity_id" = String, Path, description = "64 hex digits, with or without 0x."), OfFamily, Paging),
    responses(
        (status = 200, description = "One page of submissions.", body = List<Submission>),
        (status = 403, description = "`/problems/stats-not-public`: they are not shown to everybody")
    )
)]
pub async fn history(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let identity_id = identity_id("identity_id", &text)?;
    let query = History { identity_id, family: family(&ask)?, before: ask.after_as()?, limit: ask.limit };
    reply_list_shown(&state, query, &ask).await
}

/// One submission
///
/// The newest submission with an id that was accepted, else the newest record with it, of `chain` if that is given and of
/// any source otherwise; with every record that bears the id, and the identity that it is attributed to where that shows its
/// statistics to everybody.
#[utoipa::path(
    get,
    path = "/v1/pouw/submission/{submission_id}",
    tag = "pouw",
    params(("submission_id" = String, Path, description = "Up to 64 characters.", example = "wu-2026-000042"), Explained),
    responses((status = 200, description = "The submission.", body = WorkSubmission))
)]
pub async fn submission(
    State(state): State<Arc<AppState>>,
    ask: Ask,
    InPath(text): InPath,
) -> Result<Response, Problem> {
    let submission_id = work_id("submission_id", text)?;
    let query = OneSubmission { submission_id, source_id: named_source(&state, &ask)?, explain: ask.explain };
    reply_found(&state, query, &ask, Missing::Noun("submission")).await
}
