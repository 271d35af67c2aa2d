//! Findings: what is wrong with what was claimed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schema::event::Namespace;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Problem;
use crate::page::{Count, List};
use crate::rest::ask::{Counted, Paging};
use crate::rest::{Ask, reply_list};
use crate::server::AppState;
use crate::views::events::Subject;
use crate::views::findings::{DESCRIPTION, Filter, Finding, Findings};

/// Codes that one request may ask for.
const MAX_CODES: usize = 20;
/// Longest code, in bytes: longer than any there is.
const MAX_CODE_BYTES: usize = 64;

/// The routes of this noun.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which findings to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only these codes, as `not-controller`; several are separated by commas. A code that nothing has is no error.
    pub code: Option<String>,
    /// Only about this subject, as `identity:…`, `address:0x…`, `oracle:…` or `proposal:…`.
    pub subject: Option<String>,
    /// Only of the source with this name.
    pub source: Option<String>,
    /// Only of blocks at this height of `source`, or of `chain` when that is absent.
    #[param(minimum = 0)]
    pub height: Option<i64>,
    /// `true`: only of events that count in spite of it; `false`: only of events that changed nothing.
    pub counts: Option<bool>,
}

/// Findings
#[utoipa::path(
    get,
    path = "/v1/findings",
    tag = "trust",
    description = DESCRIPTION,
    params(Wanted, Paging, Counted),
    responses((status = 200, description = "One page of findings.", body = List<Finding>))
)]
pub async fn list(State(state): State<Arc<AppState>>, ask: Ask) -> Result<Response, Problem> {
    let codes = codes(&ask)?;
    let counts = ask.one_of("counts", &[("true", true), ("false", false)])?;
    let height = ask.number("height", 0..=i64::MAX)?;
    let source = ask.source_named("source", &state)?;
    let subject =
        ask.text("subject").map(|text| super::events::subject(&state, source.as_deref(), text)).transpose()?;
    let source = match (source, height) {
        (None, Some(_)) => Some(ask.chain(&state)?),
        (source, _) => source,
    };
    let source_id = source.map(|source| source.source_id);
    let namespace = subject.as_ref().map(|subject| match subject {
        Subject::Address(_) => Namespace::Address,
        Subject::Named(namespace, _) => *namespace,
    });
    let (subjects, identity_id) = subject.map(names).unwrap_or_default();
    let filter = Filter { codes, subjects, namespace, identity_id, source_id, height, counts };
    let count = ask.count.map(Count::at_most);
    reply_list(&state, Findings { filter, after: ask.after_as()?, limit: ask.limit, count }, &ask).await
}

fn codes(ask: &Ask) -> Result<Vec<String>, Problem> {
    let Some(text) = ask.text("code") else { return Ok(Vec::new()) };
    let mut codes: Vec<String> = text.split(',').map(|code| code.trim().to_owned()).collect();
    let is_word = |code: &String| {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        !code.is_empty() && code.len() <= MAX_CODE_BYTES && code.bytes().all(plain)
    };
    if let Some(bad) = codes.iter().find(|code| !is_word(code)) {
        let why = format!("has no code `{}`: codes are 1 to {MAX_CODE_BYTES} of a-z, 0-9, - and _", bad.escape_debug());
        return Err(Problem::bad("code", why));
    }
    codes.sort_unstable();
    codes.dedup();
    if codes.len() > MAX_CODES {
        return Err(Problem::bad("code", format!("names {} codes; {MAX_CODES} is the most", codes.len())));
    }
    Ok(codes)
}

/// The names under which a finding may speak of a subject, and its id when it is an identity.
fn names(subject: Subject) -> (Vec<String>, Option<Vec<u8>>) {
    match subject {
        Subject::Address(spellings) => {
            let mut names: Vec<String> = spellings.into_iter().map(|(_, name)| name).collect();
            names.sort_unstable();
            names.dedup();
            (names, None)
        }
        Subject::Named(namespace, name) => {
            let is_identity = namespace == Namespace::Identity;
            let id = if is_identity { hex::decode(&name).ok() } else { None };
            (vec![name], id)
        }
    }
}
