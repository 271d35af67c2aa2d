//! Findings: what is wrong with what was claimed.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use schema::event::Namespace;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Problem;
use crate::page::{Count, List};
use crate::rest::ask::{Counted, Paging};
use crate::rest::{Ask, reply_list};
use crate::server::AppState;
use crate::views::events::Subject;
use crate::views::findings::{CODES, DESCRIPTION, Filter, Finding, Findings};

/// Codes that one request may ask for.
const MAX_CODES: usize = 20;

/// The routes of this noun.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which findings to list.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Only these codes, as `not-controller`; up to 20, separated by commas.
    #[param(style = Form, explode = false, inline, value_type = KnownCodes, required = false)]
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

/// A list of the codes that there are, for the documentation.
struct KnownCodes;

impl ToSchema for KnownCodes {}

impl PartialSchema for KnownCodes {
    fn schema() -> RefOr<Schema> {
        let codes = CODES.iter().map(|(code, _)| *code);
        let code = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes));
        RefOr::T(Schema::Array(ArrayBuilder::new().items(code).min_items(Some(1)).max_items(Some(MAX_CODES)).build()))
    }
}

fn codes(ask: &Ask) -> Result<Vec<String>, Problem> {
    let Some(text) = ask.text("code") else { return Ok(Vec::new()) };
    let mut codes: Vec<String> = text.split(',').map(|code| code.trim().to_owned()).collect();
    let is_known = |code: &String| CODES.iter().any(|(known, _)| known == code);
    if let Some(unknown) = codes.iter().find(|code| !is_known(code)) {
        let known: Vec<_> = CODES.iter().map(|(code, _)| format!("`{code}`")).collect();
        let why = format!("has no code `{}`; there are: {}", unknown.escape_debug(), known.join(", "));
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
