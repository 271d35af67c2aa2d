//! Proof of useful work: statistics, leaderboards, history, submissions and oracles.
//!
//! Here are the routes and what their paths and parameters may hold; each refusal names the parameter.

mod boards;
mod oracles;
mod work;

use std::sync::Arc;

use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Problem;
use crate::rest::Ask;
use crate::server::AppState;
use crate::views::work::{Family, Timeframe};

/// Characters of the id of an oracle or a submission: no record has a longer one.
const MAX_ID_CHARS: usize = 64;

/// The routes under `/v1/pouw`.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new()
        .routes(routes!(work::stats))
        .routes(routes!(boards::leaderboard))
        .routes(routes!(work::history))
        .routes(routes!(work::submission))
        .routes(routes!(oracles::list))
        .routes(routes!(oracles::performance))
        .routes(routes!(boards::rank))
}

/// Parameter of routes about one family of work.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OfFamily {
    /// `boinc`, `nuw`, `bandwidth`, `compute`, `ceremony`, or `all` of them; `all` when absent.
    #[param(rename = "type", pattern = "^(all|boinc|nuw|bandwidth|compute|ceremony)$", example = "boinc")]
    pub family: Option<String>,
}

/// Parameter of routes about a window of time.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct InTimeframe {
    /// `day`: the current hour so far and the 24 full hours before it. `week` and `month`: the current UTC day so far and
    /// the 7 or 30 full days before it. `all`, when absent: everything. By block time; the clock is that of the first chain
    /// ever followed.
    #[param(pattern = "^(day|week|month|all)$", example = "week")]
    pub timeframe: Option<String>,
}

fn family(ask: &Ask) -> Result<Family, Problem> {
    Ok(ask.one_of("type", Family::WORDS)?.unwrap_or(Family::All))
}

fn timeframe(ask: &Ask) -> Result<Timeframe, Problem> {
    Ok(ask.one_of("timeframe", Timeframe::WORDS)?.unwrap_or(Timeframe::All))
}

fn work_id(parameter: &str, text: String) -> Result<String, Problem> {
    if text.chars().count() > MAX_ID_CHARS {
        return Err(Problem::bad(parameter, format!("is longer than {MAX_ID_CHARS} characters")));
    }
    Ok(text)
}

/// The source that was named, if one was.
fn named_source(state: &AppState, ask: &Ask) -> Result<Option<i32>, Problem> {
    Ok(ask.named_chain(state)?.map(|source| source.source_id))
}

/// Whether a source stands still, so that what it has not delivered may be missing.
pub(super) fn stalled(state: &AppState) -> bool {
    let states = ["stalled", "halted"];
    state.fresh().sources.iter().any(|source| states.contains(&source.following.state.as_str()))
}
