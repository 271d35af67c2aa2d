//! REST: requests parsed, questions asked, replies made; one file per noun, and no SQL.
//!
//! The OpenAPI declaration of a route is also its allow-list: a query parameter that it does not declare is refused, so
//! the documentation cannot lag behind the code.

pub mod ask;
pub mod chains;
pub mod coverage;
pub mod docs;
pub mod events;
pub mod explorer;
pub mod findings;
pub mod governance;
pub mod health;
pub mod identity;
pub mod metrics;
pub mod pouw;
pub mod reply;
pub mod social;
pub mod status;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::server::AppState;

pub use ask::{Ask, InPath};
pub use reply::{
    Missing, reply, reply_found, reply_list, reply_list_found, reply_list_shown, reply_page_shown, reply_shown,
};

/// Every route, one line per noun.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new()
        .merge(explorer::routes())
        .merge(identity::routes())
        .merge(social::routes())
        .merge(pouw::routes())
        .merge(governance::routes())
        .merge(findings::routes())
        .merge(events::routes())
        .merge(status::routes())
        .merge(chains::routes())
        .merge(coverage::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(docs::routes())
}
