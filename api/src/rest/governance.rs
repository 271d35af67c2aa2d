//! Governance: proposals and the votes on them, and what identities do there. Everything is about one chain.

mod identities;
mod proposals;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Problem;
use crate::rest::identity::identity_id;
use crate::server::AppState;

/// The routes under `/v1/governance`.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new()
        .routes(routes!(proposals::list))
        .routes(routes!(proposals::one))
        .routes(routes!(proposals::votes))
        .routes(routes!(proposals::changes))
        .routes(routes!(identities::votes))
        .routes(routes!(identities::stats))
        .routes(routes!(identities::power))
        .routes(routes!(identities::delegations))
}

/// The number of a proposal: digits, below 2^63.
fn proposal_id(parameter: &str, text: &str) -> Result<i64, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = if digits { text.parse().ok() } else { None };
    number.ok_or_else(|| Problem::bad(parameter, format!("must be the number of a proposal, 0 to {}", i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proposal_has_a_number_and_nothing_else() {
        assert_eq!(proposal_id("ids", "0").expect("a number"), 0);
        assert_eq!(proposal_id("ids", "007").expect("a number"), 7);
        assert_eq!(proposal_id("ids", "9223372036854775807").expect("a number"), i64::MAX);
        for bad in ["", "9223372036854775808", "-1", "+1", "1e3", "1.0", "0x1", " 1", "٣", "seven"] {
            assert_eq!(proposal_id("ids", bad).expect_err(bad).parameter(), Some("ids"), "{bad}");
        }
    }
}
