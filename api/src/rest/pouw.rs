//! Proof of useful work: statistics, leaderboards, history, submissions and oracles.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::server::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new()
}
