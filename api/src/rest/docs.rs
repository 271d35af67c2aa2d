//! `/openapi.json` and `/docs`: the description of this API, for machines and for people.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use utoipa_swagger_ui::{Config, SwaggerUi};

use crate::rest::ask::Ask;
use crate::server::AppState;

/// The routes of this noun.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new().routes(routes!(get_openapi))
}

/// The pages under `/docs`; they are part of the binary, and ask no other host.
pub fn pages() -> Router<Arc<AppState>> {
    SwaggerUi::new("/docs").config(Config::from("/openapi.json").validator_url("none")).into()
}

/// This API as an OpenAPI 3.1 document
///
/// Generated from the code that answers.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tags = ["service"],
    responses((status = 200, description = "The document.", body = Object, content_type = "application/json"))
)]
async fn get_openapi(State(state): State<Arc<AppState>>, _ask: Ask) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, state.openapi_json()).into_response()
}
