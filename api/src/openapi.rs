//! The OpenAPI 3.1 document: generated from the routes, then completed with what all reads share, so that every
//! parameter, header and problem is declared on every route and none is written down twice.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use utoipa::PartialSchema as _;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{
    ComponentsBuilder, Header, InfoBuilder, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder, Schema,
};

use crate::error::{PROBLEM_JSON, ProblemKind, ProblemSchema, SearchedThrough};
use crate::rest;

/// Reads that are only ever about this moment carry this tag and take no `at_height`.
pub const LIVE: &str = "live";
/// Routes for operators and machines carry this tag and take no parameters of reads at all.
pub const SERVICE: &str = "service";

const DESCRIPTION: &str = "Read-only answers about the chains that this server indexes. Every answer names the log \
    position it is true at; every answer can be asked for as of a past height or position.";

/// The whole document, as `/openapi.json` serves it.
pub fn openapi() -> OpenApi {
    let mut openapi = rest::routes().into_openapi();
    openapi.info =
        InfoBuilder::new().title("Chert API").version(env!("CARGO_PKG_VERSION")).description(Some(DESCRIPTION)).build();
    openapi.servers = None;
    let mut components = openapi.components.take().unwrap_or_else(|| ComponentsBuilder::new().build());
    components.schemas.insert("Problem".to_owned(), ProblemSchema::schema());
    components.schemas.insert("SearchedThrough".to_owned(), SearchedThrough::schema());
    openapi.components = Some(components);
    for (path, item) in &mut openapi.paths.paths {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            complete(path, operation);
        }
    }
    openapi
}

/// The query parameters that each route declares: what it accepts.
pub fn query_parameters(openapi: &OpenApi) -> BTreeMap<String, Vec<String>> {
    let named = |operation: &Operation| {
        let parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        });
        let query = parameters.filter(|parameter| parameter.parameter_in == ParameterIn::Query);
        query.map(|parameter| parameter.name.clone()).collect::<Vec<_>>()
    };
    let routes = openapi.paths.paths.iter();
    routes.map(|(path, item)| (path.clone(), item.get.as_ref().map(named).unwrap_or_default())).collect()
}

fn complete(path: &str, operation: &mut Operation) {
    let tagged = |tag: &str| operation.tags.iter().flatten().any(|given| given == tag);
    let (is_live, is_service) = (tagged(LIVE), tagged(SERVICE));
    if let Some(tags) = &mut operation.tags {
        // How the route was marked for this function; not a group that readers know.
        tags.retain(|tag| tag != LIVE);
    }
    let is_single = path.contains('{');
    operation.operation_id = Some(operation_id(path));
    let mut parameters = operation.parameters.take().unwrap_or_default();
    if !is_service {
        let added = shared_parameters().into_iter().filter(|(as_of, _)| !(is_live && *as_of));
        parameters.extend(added.map(|(_, parameter)| RefOr::T(parameter)));
    }
    parameters.extend(request_headers(is_service).into_iter().map(RefOr::T));
    operation.parameters = Some(parameters);
    if let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") {
        show_example(path, response);
    }
    if !is_service && !is_live {
        let unchanged = ResponseBuilder::new().description("The answer is the one that `If-None-Match` names.").build();
        operation.responses.responses.entry("304".to_owned()).or_insert(RefOr::T(unchanged));
    }
    for kind in ProblemKind::ALL.iter().copied().filter(|kind| can_happen(*kind, is_service, is_live, is_single)) {
        let status = kind.status().as_u16().to_string();
        match operation.responses.responses.get_mut(&status) {
            Some(RefOr::T(response)) => {
                response.description = format!("{}; or `{}`: {}", response.description, kind.uri(), kind.title());
                response.content.entry(PROBLEM_JSON.to_owned()).or_insert_with(problem_content);
            }
            Some(RefOr::Ref(_)) => {}
            None => {
                operation.responses.responses.insert(status, RefOr::T(problem(kind)));
            }
        }
    }
    for (status, response) in &mut operation.responses.responses {
        if let RefOr::T(response) = response {
            // What declares a content of its own answers in that, as the readiness check does.
            if status.as_str() >= "400" && response.content.is_empty() {
                response.content.insert(PROBLEM_JSON.to_owned(), problem_content());
            }
            response.headers.extend(response_headers(is_service, status));
        }
    }
}

/// Real answers to real requests, by path; a test compares them with what the routes answer.
static EXAMPLES: LazyLock<serde_json::Map<String, serde_json::Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("../examples.json")).expect("a test has read this file"));

/// Adds the example of a route to its answer.
fn show_example(path: &str, response: &mut Response) {
    let Some(example) = EXAMPLES.get(path) else { return };
    if let Some(request) = example["request"].as_str() {
        response.description = format!("{} Example: the answer to `GET {request}`.", response.description);
    }
    for content in response.content.values_mut() {
        if let RefOr::T(content) = content {
            content.example = Some(example["answer"].clone());
        }
    }
}

/// A stable name for generated clients, from the path: `/v1/events/{position}` is `events_by_position`.
fn operation_id(path: &str) -> String {
    let words = path.split('/').filter(|part| !part.is_empty() && *part != "v1").map(|part| {
        let word: String = part.chars().filter(|c| !"{}".contains(*c)).collect();
        let word = word.replace(['.', '-'], "_");
        if part.starts_with('{') { format!("by_{word}") } else { word }
    });
    words.collect::<Vec<_>>().join("_")
}

fn can_happen(kind: ProblemKind, is_service: bool, is_live: bool, is_single: bool) -> bool {
    match kind {
        ProblemKind::BadParameter
        | ProblemKind::UnknownParameter
        | ProblemKind::BadRequest
        | ProblemKind::UriTooLong
        | ProblemKind::BodyTooLarge
        | ProblemKind::TooManyRequests
        | ProblemKind::Internal => true,
        ProblemKind::MethodNotAllowed | ProblemKind::NoSuchRoute => false,
        // Routes to which it can happen declare it themselves.
        ProblemKind::StatsNotPublic => false,
        ProblemKind::NotFound => is_single && !is_service,
        ProblemKind::BeyondTip
        | ProblemKind::Pruned
        | ProblemKind::LogRewritten
        | ProblemKind::Changed
        | ProblemKind::ViewSetAside => !is_service && !is_live,
        ProblemKind::NotReached
        | ProblemKind::NotIndexedYet
        | ProblemKind::DatabaseUnavailable
        | ProblemKind::TooSlow => !is_service,
    }
}

fn problem(kind: ProblemKind) -> Response {
    let description = format!("`{}`: {}", kind.uri(), kind.title());
    let mut response = ResponseBuilder::new().description(description).build();
    response.content.insert(PROBLEM_JSON.to_owned(), problem_content());
    response
}

fn problem_content() -> RefOr<utoipa::openapi::content::Content> {
    RefOr::T(ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build())
}

/// Parameters of every read; true marks those that ask about the past.
fn shared_parameters() -> Vec<(bool, Parameter)> {
    let number = |name: &str, description: &str| {
        // Without a format many generators take 32 bits, and positions outgrow those.
        let int64 = SchemaFormat::KnownFormat(KnownFormat::Int64);
        let schema = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).format(Some(int64));
        let schema = schema.minimum(Some(0)).build();
        parameter(name, ParameterIn::Query, description, Schema::Object(schema))
    };
    let text = |name: &str, description: &str| parameter(name, ParameterIn::Query, description, string());
    vec![
        (
            false,
            text(
                "chain",
                "Name of the source that heights and freshness headers are about; the first one when absent.",
            ),
        ),
        (true, number("at_height", "Answer as of the block that stands at this height of `chain`.")),
        (
            true,
            number("at_position", "Answer as of this position of the log; inside a unit, as of the unit before it."),
        ),
        (false, number("min_height", "Wait up to 2 s until `chain` is indexed up to this height, then 412.")),
        (false, number("min_position", "Wait up to 2 s until the views have come to this position, then 412.")),
    ]
}

fn request_headers(is_service: bool) -> Vec<Parameter> {
    let text = |name: &str, description: &str| parameter(name, ParameterIn::Header, description, string());
    let mut headers = vec![text("x-request-id", "Up to 128 plain characters; comes back, and is in the server's log.")];
    if !is_service {
        headers.push(text("If-None-Match", "`ETag` of an answer at hand; 304 when it is still the answer."));
        headers.push(text("If-Match", "`ETag` that the answer must have, else 412."));
        headers.push(text("Prefer", "`handling=lenient` ignores unknown parameters and says which."));
    }
    headers
}

/// The headers of a response with a status: those of answers, or the few of problems.
fn response_headers(is_service: bool, status: &str) -> Vec<(String, RefOr<Header>)> {
    const SHARED: &[(&str, &str)] = &[
        ("x-position", "Log position that the answer is true at."),
        ("x-chain-hash", "First 8 bytes of the running hash of the log there, hex."),
        ("x-indexed-height", "Height of the newest block of `chain` there."),
        ("x-indexed-block", "Hash of that block, hex."),
        ("x-finalized-height", "Highest finalized height of `chain` there."),
        ("x-lag-seconds", "Seconds since the node of `chain` has been ahead of the log; 0 while it is not."),
        ("etag", "Strong tag: position, first bytes of the running hash, hash of the body."),
        ("cache-control", "How long the answer may be kept."),
        ("preference-applied", "`handling=lenient` when parameters were ignored."),
        ("x-ignored-parameters", "The names of those parameters."),
    ];
    let header = |(name, description): &(&str, &str)| {
        let header = HeaderBuilder::new().schema(Some(string())).description(Some(*description)).build();
        ((*name).to_owned(), RefOr::T(header))
    };
    let id = [("x-request-id", "The request's id, as given or made here.")];
    let shared = match status {
        _ if is_service => &[],
        "200" | "304" => SHARED,
        // What was not found, or is not to be seen, was looked for at a position.
        "403" | "404" => &SHARED[..1],
        _ => &[],
    };
    let retry: &[(&str, &str)] = match status {
        "429" | "503" => &[("retry-after", "Seconds after which to ask again; absent where nobody knows.")],
        _ => &[],
    };
    id.iter().chain(shared).chain(retry).map(header).collect()
}

fn parameter(name: &str, place: ParameterIn, description: &str, schema: Schema) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

fn string() -> Schema {
    Schema::Object(ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_described_completely() {
        let openapi = openapi();
        let json = serde_json::to_value(&openapi).expect("JSON");
        assert!(json["openapi"].as_str().expect("a version").starts_with("3.1"));
        let mut ids = std::collections::BTreeSet::new();
        for (path, item) in json["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("operations") {
                let place = format!("{method} {path}");
                assert!(ids.insert(operation["operationId"].as_str().expect("an id").to_owned()), "{place}: id twice");
                assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{place}: no summary");
                let parameters = operation["parameters"].as_array().expect("parameters");
                for parameter in parameters {
                    let name = &parameter["name"];
                    assert!(parameter["description"].is_string(), "{place}: {name} is not described");
                }
                let names: Vec<_> = parameters.iter().map(|parameter| parameter["name"].to_string()).collect();
                let distinct: std::collections::BTreeSet<_> = names.iter().collect();
                assert_eq!(distinct.len(), names.len(), "{place}: a parameter is declared twice");
                assert!(operation["responses"]["400"]["content"][PROBLEM_JSON].is_object(), "{place}: no 400");
                for (status, response) in operation["responses"].as_object().expect("responses") {
                    let is_problem =
                        status.as_str() >= "400" && (path.as_str(), status.as_str()) != ("/health/ready", "503");
                    let content = response["content"][PROBLEM_JSON].is_object();
                    assert_eq!(content, is_problem, "{place}: content of {status}");
                    assert!(response["headers"]["x-request-id"].is_object(), "{place}: headers of {status}");
                    let retry = response["headers"]["retry-after"].is_object();
                    assert_eq!(retry, ["429", "503"].contains(&status.as_str()), "{place}: headers of {status}");
                    assert!(!is_problem || response["headers"]["etag"].is_null(), "{place}: headers of {status}");
                }
            }
        }
    }

    #[test]
    fn the_declaration_is_the_allow_list() {
        let known = query_parameters(&openapi());
        assert!(known["/v1/events"].iter().any(|name| name == "kind"));
        assert!(known["/v1/events"].iter().any(|name| name == "at_height"));
        assert!(known["/v1/status"].iter().all(|name| name != "at_height"));
        assert!(known["/health"].is_empty());
    }
}
