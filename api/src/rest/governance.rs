//! Governance: proposals, votes, power, delegations and participation.

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;

use crate::server::AppState;

/// The routes.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new()
}
