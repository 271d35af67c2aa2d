//! Whatever a client sends, it gets an answer or a problem that names what is wrong; never a panic, never a 500.

use std::collections::BTreeSet;
use std::path::Path;

use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::fixture::Server;

/// Every GET route under /v1 with what it declares: path template and query parameters with their schemas.
fn routes() -> Vec<(String, Vec<(String, Value)>)> {
    let openapi = serde_json::to_value(api::openapi()).expect("JSON");
    let paths = openapi["paths"].as_object().expect("paths");
    let reads = paths.iter().filter(|(path, item)| path.starts_with("/v1/") && item["get"].is_object());
    reads
        .map(|(path, item)| {
            let parameters = item["get"]["parameters"].as_array().expect("parameters").iter();
            let query = parameters.filter(|parameter| parameter["in"] == "query");
            let named = query
                .map(|parameter| (parameter["name"].as_str().expect("a name").to_owned(), parameter["schema"].clone()));
            (path.clone(), named.collect())
        })
        .collect()
}

/// The template with every variable part replaced.
fn filled(template: &str, value: &str) -> String {
    let parts = template.split('/').map(|part| if part.starts_with('{') { value } else { part });
    parts.collect::<Vec<_>>().join("/")
}

fn is_integer(schema: &Value) -> bool {
    schema["type"] == "integer" || schema["type"].as_array().is_some_and(|types| types.contains(&"integer".into()))
}

#[tokio::test]
async fn every_route_refuses_bad_parameters_by_name() {
    let server = Server::with_history().await;
    let mut wrong = Vec::new();
    for (template, parameters) in routes() {
        let path = filled(&template, &"ab".repeat(32));
        let mut table = vec![("nonsense".to_owned(), "1")];
        for (name, schema) in &parameters {
            let bad: &[&str] = match name.as_str() {
                "limit" => &["0", "101", "1000", "-1", "x", ""],
                "offset" => &["10001", "-1", "x"],
                "cursor" => &["x", "%00", "e30", "%F0%9F%92%A9"],
                "chain" | "source" => &["nobody", "", "%00"],
                "count" | "explain" => &["maybe", ""],
                "kind" => &["chain.nothing", ",", ""],
                "subject" => &["alice", "address:", "nobody:x", "identity:xyz", "address:%01"],
                _ if is_integer(schema) => &["-1", "x", "", "1.5", "9223372036854775808", "%00"],
                _ => &["%00"],
            };
            table.extend(bad.iter().map(|value| (name.clone(), *value)));
        }
        for (name, value) in table {
            let uri = format!("{path}?{name}={value}");
            let reply = server.get(&uri).await;
            let problem: Value = serde_json::from_str(&reply.text).unwrap_or_default();
            if reply.status != 400
                || problem["parameter"] != name
                || reply.header("content-type") != "application/problem+json"
            {
                wrong.push(format!("{uri}: {} {}", reply.status, reply.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn no_path_makes_the_server_fail() {
    let server = Server::with_history().await;
    let long = "x".repeat(4_000);
    let hostile = [
        "%00",
        "%ff",
        "-1",
        "0",
        "99999999999999999999",
        "%27%3B--",
        "%F0%9F%92%A9",
        "..%2F..",
        "0x",
        "NaN",
        "%20",
        &long,
    ];
    let mut wrong = Vec::new();
    for (template, _) in routes().iter().filter(|(template, _)| template.contains('{')) {
        for value in hostile {
            let uri = filled(template, value);
            let reply = server.get(&uri).await;
            let fine = matches!(reply.status.as_u16(), 200 | 400 | 404);
            if !fine || (reply.status != 200 && reply.header("content-type") != "application/problem+json") {
                wrong.push(format!("{uri}: {} {}", reply.status, reply.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let reply = server.expect("/v1/events/x", 400).await.json();
    assert_eq!(reply["parameter"], "position");
}

#[tokio::test]
async fn what_is_too_long_is_refused_as_such() {
    let server = Server::with_history().await;
    let long = server.expect(&format!("/v1/events?kind={}", "x".repeat(9_000)), 414).await;
    assert_eq!(long.json()["type"], "/problems/uri-too-long");
    let request = Request::post("/v1/events").header("content-length", "70000").body("x".repeat(70_000).into());
    let large = server.send(request.expect("a request")).await;
    assert_eq!(
        (large.status, large.json()["type"].as_str()),
        (StatusCode::PAYLOAD_TOO_LARGE, Some("/problems/body-too-large"))
    );
}

#[tokio::test]
async fn routes_and_methods_that_are_not_there_are_problems_too() {
    let server = Server::with_history().await;
    for uri in ["/", "/v1", "/v1/nothing", "/v1/events/", "/v1/events/1/2"] {
        assert_eq!(server.expect(uri, 404).await.json()["type"], "/problems/no-such-route", "{uri}");
    }
    let reply = server.send(Request::delete("/v1/status").body("".into()).expect("a request")).await;
    assert_eq!((reply.status.as_u16(), reply.json()["type"].as_str()), (405, Some("/problems/method-not-allowed")));
    assert!(reply.header("allow").contains("GET"));
}

#[tokio::test]
async fn lenient_clients_are_told_what_was_ignored() {
    let server = Server::with_history().await;
    let reply = server.get_with("/v1/events?limit=1&color=red", &[("prefer", "handling=lenient")]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("preference-applied"), "handling=lenient");
    assert_eq!(reply.header("x-ignored-parameters"), "color");
    server.expect("/v1/events?limit=1&_=17&utm_source=mail", 200).await;
    assert_eq!(server.expect("/v1/events?knd=x", 400).await.json()["nearest"], "kind");
}

#[tokio::test]
async fn what_is_not_utf_8_is_refused_by_name() {
    let server = Server::with_history().await;
    for (uri, parameter) in [
        ("/v1/events?kind=%FF%FE", "kind"),
        ("/v1/events?limit=1&subject=identity:%C3", "subject"),
        ("/v1/identity/search?name=zo%EB", "name"),
        ("/v1/explorer/search?q=%80", "q"),
        ("/v1/events?color=%FF", "color"),
    ] {
        assert_eq!(server.expect(uri, 400).await.json()["parameter"], parameter, "{uri}");
    }
    assert_eq!(server.expect("/v1/events?%FF=1", 400).await.json()["type"], "/problems/bad-request");
    server.expect("/v1/events?limit=1&utm_source=%FF", 200).await;
    server.expect("/v1/identity/search?name=zo%C3%AB+%c3%ab", 200).await;
}

#[test]
fn every_member_of_a_problem_is_in_the_documentation() {
    let openapi = serde_json::to_value(api::openapi()).expect("JSON");
    let problem = &openapi["components"]["schemas"]["Problem"];
    let properties = problem["properties"].as_object().expect("properties");
    for (name, property) in properties {
        assert!(property["description"].is_string(), "{name} is not described");
        let has_example = property.get("example").or_else(|| property.get("$ref")).or_else(|| property.get("oneOf"));
        assert!(has_example.is_some() || name_always_there(name), "{name} has no example");
    }
    assert_eq!(problem["required"], json!(["type", "title", "status", "detail"]));
    let mut members = BTreeSet::new();
    members_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut members);
    assert!(members.len() > 5, "{members:?}");
    let undocumented: Vec<_> = members.iter().filter(|member| !properties.contains_key(*member)).collect();
    assert!(undocumented.is_empty(), "not in error.rs: {undocumented:?}");
}

fn name_always_there(name: &str) -> bool {
    ["type", "title", "status", "detail"].contains(&name)
}

/// The members that the sources give to problems: what stands between quotation marks behind `.with(`.
fn members_in(folder: &Path, members: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            members_in(&path, members);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("text");
            let given = text.split(".with(\"").skip(1).filter_map(|behind| behind.split('"').next());
            members.extend(given.map(str::to_owned));
        }
    }
}
