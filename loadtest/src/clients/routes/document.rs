//! What the API says about itself: its GET routes and their parameters.

use serde_json::Value;

use crate::clients::ClientsError;
use crate::clients::reader::Reader;

/// Where the document is.
const DOCUMENT: &str = "/openapi.json";

/// One GET route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Path with the names of its parameters in braces.
    pub path: String,
    /// Parameters of the query, and whether they must be given.
    pub query: Vec<(String, bool)>,
    /// Whether its answer does not end.
    pub is_stream: bool,
}

impl Declared {
    /// Whether the query may have a parameter.
    pub fn takes(&self, name: &str) -> bool {
        self.query.iter().any(|(known, _)| known == name)
    }
}

/// Asks for the document and reads the GET routes in it.
pub async fn read(reader: &mut Reader) -> Result<Vec<Declared>, ClientsError> {
    let (answer, whole) = reader.whole(DOCUMENT).await?;
    if !(200..300).contains(&answer.status) {
        return Err(ClientsError::Refused { path: DOCUMENT, status: answer.status });
    }
    let document: Value = serde_json::from_slice(&whole.body).map_err(|_| ClientsError::NoRoutes)?;
    let routes = routes(&document);
    if routes.is_empty() { Err(ClientsError::NoRoutes) } else { Ok(routes) }
}

fn routes(document: &Value) -> Vec<Declared> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.filter_map(|(path, item)| Some((path, item.get("get")?))).map(|(path, get)| declared(path, get)).collect()
}

fn declared(path: &str, get: &Value) -> Declared {
    let parameters = get["parameters"].as_array().into_iter().flatten();
    let query = parameters.filter(|parameter| parameter["in"] == "query");
    let query = query.filter_map(|parameter| {
        Some((parameter["name"].as_str()?.to_owned(), parameter["required"].as_bool().unwrap_or_default()))
    });
    let is_stream = get["responses"]["200"]["content"].get("text/event-stream").is_some();
    Declared { path: path.to_owned(), query: query.collect(), is_stream }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_get_routes_and_only_parameters_of_the_query_are_read() {
        let document = json!({ "paths": {
            "/a/{b}": { "get": {
                "parameters": [
                    { "name": "b", "in": "path", "required": true },
                    { "name": "c", "in": "query", "required": true },
                    { "name": "d", "in": "query" },
                    { "name": "e", "in": "header" },
                ],
                "responses": { "200": { "content": { "application/json": {} } } },
            } },
            "/post": { "post": {} },
            "/stream": { "get": { "responses": { "200": { "content": { "text/event-stream": {} } } } } },
        } });
        let query = vec![("c".to_owned(), true), ("d".to_owned(), false)];
        let expected = [
            Declared { path: "/a/{b}".to_owned(), query, is_stream: false },
            Declared { path: "/stream".to_owned(), query: Vec::new(), is_stream: true },
        ];
        assert_eq!(routes(&document), expected);
        assert!(routes(&json!([])).is_empty());
    }
}
