//! Social: statistics of a profile, followers, following and the feed.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::server::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new()
}
