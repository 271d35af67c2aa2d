//! Who contributed most, and where one stands among them.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use super::{InTimeframe, OfFamily, family, stalled, timeframe};
use crate::error::Problem;
use crate::rest::ask::{Offset, Paging};
use crate::rest::explorer::address;
use crate::rest::identity::identity_id;
use crate::rest::{Ask, InPath, reply_page_shown};
use crate::server::AppState;
use crate::views::leaderboards::{AddressBoard, IdentityBoard, Places, RankHistory, RankOverTime, Wanted};

/// Whom a board ranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Identity,
    Address,
}

/// Leaderboard
///
/// Who contributed most useful work in a window of time: by score, then by the earlier last contribution, then by id (of
/// addresses: the address byte by byte, then its chain). Identities are ranked whose statistics were public at the position
/// of the answer; who has hidden them since is left out and leaves a gap. A page is so many places, gaps included.
#[utoipa::path(
    get,
    path = "/v1/pouw/leaderboard",
    tag = "pouw",
    params(
        OfFamily,
        InTimeframe,
        (
            "by" = Option<String>, Query, pattern = "^(identity|address)$", example = "identity",
            description = "`identity` (when absent) ranks identities by the work of all their addresses, `address` each \
                address of a miner by itself."
        ),
        (
            "around" = Option<String>, Query,
            description = "Id of an identity, or by address an address of `chain`: the page with it in the middle."
        ),
        Paging,
        Offset
    ),
    responses(
        (status = 200, description = "One page of places.", body = Places),
        (status = 403, description = "`/problems/stats-not-public`: the identity in `around` does not show its own"),
        (status = 404, description = "`/problems/not-found`: there is no identity as in `around`")
    )
)]
pub async fn leaderboard(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    let by = ask.one_of("by", &[("identity", By::Identity), ("address", By::Address)])?.unwrap_or(By::Identity);
    let around = ask.text("around");
    if around.is_some() && ask.text("offset").is_some() {
        return Err(Problem::bad("offset", "cannot be given together with `around`"));
    }
    let skip = match ask.after_as()? {
        Some(place) => Some(place),
        None if around.is_some() => None,
        None => Some(ask.offset),
    };
    let (family, timeframe) = (family(&ask)?, timeframe(&ask)?);
    let wanted = Wanted { family, timeframe, skip: skip.map(within_reach), limit: ask.limit, stalled: stalled(&state) };
    match by {
        By::Identity => {
            let around = around.map(|text| identity_id("around", text)).transpose()?;
            reply_page_shown(&state, IdentityBoard { wanted, around }, &ask).await
        }
        By::Address => {
            let chain = ask.chain(&state)?;
            let rule = chain.kind.address_rule();
            let around = around.map(|text| address("around", text, rule)).transpose()?;
            let around = around.map(|address| (chain.source_id, address));
            reply_page_shown(&state, AddressBoard { wanted, around }, &ask).await
        }
    }
}

/// A place that one more page can be counted from.
fn within_reach(place: i64) -> i64 {
    place.clamp(0, i64::from(u32::MAX))
}

/// Place of an identity over time
///
/// Where an identity stands on a board, and where it stood at the first block of each UTC day, newest first.
#[utoipa::path(
    get,
    path = "/v1/pouw/rank/{identity_id}",
    tag = "pouw",
    params(
        ("identity_id" = String, Path, description = "64 hex digits, with or without 0x."),
        OfFamily,
        InTimeframe,
        Paging
    ),
    responses(
        (status = 200, description = "The place now, and one page of those before.", body = RankHistory),
        (status = 403, description = "`/problems/stats-not-public`: they are not shown to everybody")
    )
)]
pub async fn rank(State(state): State<Arc<AppState>>, ask: Ask, InPath(text): InPath) -> Result<Response, Problem> {
    let query = RankOverTime {
        identity_id: identity_id("identity_id", &text)?,
        family: family(&ask)?,
        timeframe: timeframe(&ask)?,
        before: ask.after_as()?,
        limit: ask.limit,
        stalled: stalled(&state),
    };
    reply_page_shown(&state, query, &ask).await
}
