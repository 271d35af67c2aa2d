//! Explorer: blocks, transactions, addresses, balances and search.
//!
//! Here are the routes and what their paths and parameters may hold; each refusal names the parameter.

mod addresses;
mod blocks;
mod search;
mod transactions;

use std::sync::Arc;

use schema::chain::{AddressRule, BlockHash, Height, TxId, strip_0x};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::Problem;
use crate::freshness::Source;
use crate::rest::Missing;
use crate::server::AppState;
use crate::views::blocks::BlockId;

/// Hex digits of an account behind its prefix.
const ACCOUNT_DIGITS: usize = 40;

/// The routes under `/v1/explorer`.
pub fn routes() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::new()
        .routes(routes!(blocks::list))
        .routes(routes!(blocks::one))
        .routes(routes!(blocks::transactions))
        .routes(routes!(transactions::list))
        .routes(routes!(transactions::one))
        .routes(routes!(addresses::one))
        .routes(routes!(addresses::balance))
        .routes(routes!(addresses::history))
        .routes(routes!(addresses::balances))
        .routes(routes!(search::search))
}

/// A height on a chain, or a hash on any, as a path names a block; and what it means when there is none.
fn block_id(text: &str, chain: &Source) -> Result<(BlockId, Missing), Problem> {
    let is_height = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() != 64;
    if is_height {
        let height: Height =
            text.parse().map_err(|why| Problem::bad("height_or_hash", format!("is refused: {why}")))?;
        let height = height.to_db();
        return Ok((BlockId::Height { source_id: chain.source_id, height }, Missing::Height(height)));
    }
    match text.parse::<BlockHash>() {
        Ok(hash) => Ok((BlockId::Hash(hash.as_bytes().to_vec()), Missing::Noun("block"))),
        Err(_) => Err(Problem::bad("height_or_hash", "is neither a height (digits) nor a hash (1 to 64 bytes of hex)")),
    }
}

/// A transaction's id as the log spells it: a UUID with or without dashes, 64 hex digits with or without `0x`, or the text
/// of a chain that names its transactions otherwise.
fn tx_id(parameter: &str, text: &str) -> Result<TxId, Problem> {
    let bare = strip_0x(text);
    let is_hex = bare.bytes().all(|byte| byte.is_ascii_hexdigit());
    if bare.len() != text.len() && !(is_hex && (bare.len() == 32 || bare.len() == 64)) {
        return Err(Problem::bad(parameter, "begins with 0x, and 32 or 64 hex digits must follow"));
    }
    text.parse().map_err(|why| Problem::bad(parameter, format!("is refused: {why}")))
}

/// An address as its chain spells it. What begins like an account must be one, so that a mistyped account is refused
/// and not answered with zero.
pub(super) fn address(parameter: &str, text: &str, rule: AddressRule) -> Result<String, Problem> {
    let lower = text.to_ascii_lowercase();
    let prefixes: &[&str] = match rule {
        AddressRule::Exact => &["0x"],
        AddressRule::Aitbc => &["0x", "aitbc1", "ait1"],
    };
    if let Some((prefix, digits)) = prefixes.iter().find_map(|&prefix| Some((prefix, lower.strip_prefix(prefix)?)))
        && !(digits.len() == ACCOUNT_DIGITS && digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        let why = format!("begins with {prefix}, and {ACCOUNT_DIGITS} hex digits must follow");
        return Err(Problem::bad(parameter, why));
    }
    let address = rule.canonical(text).map_err(|why| Problem::bad(parameter, format!("is refused: {why}")))?;
    Ok(address.as_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_account_is_refused_and_others_are_canonical() {
        let exact = |text| address("address", text, AddressRule::Exact);
        let account = format!("0x{}", "aB".repeat(20));
        assert_eq!(exact(&account).expect("an account"), account);
        assert_eq!(exact("treasury_0000").expect("a name"), "treasury_0000");
        for bad in ["0x", "0x12", &format!("0x{}", "zz".repeat(20)), "", "a\u{7}", &"x".repeat(129)] {
            assert_eq!(exact(bad).expect_err(bad).parameter(), Some("address"), "{bad}");
        }
        let aitbc = |text: &str| address("address", text, AddressRule::Aitbc);
        let spelled = format!("ait1{}", "AB".repeat(20));
        assert_eq!(aitbc(&spelled).expect("an account"), format!("0x{}", "ab".repeat(20)));
        assert!(aitbc("ait1short").is_err());
    }

    #[test]
    fn a_transaction_is_found_under_every_spelling() {
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        for text in [uuid, "67E5504410B1426F9247BB680E5FE0C8", "0x67e5504410b1426f9247bb680e5fe0c8"] {
            assert_eq!(tx_id("tx_id", text).expect(text).as_str(), uuid);
        }
        assert_eq!(tx_id("tx_id", &format!("0x{}", "AB".repeat(32))).expect("a hash").as_str(), "ab".repeat(32));
        for bad in ["0x12", "0xzz", "", &"x".repeat(129)] {
            assert_eq!(tx_id("tx_id", bad).expect_err(bad).parameter(), Some("tx_id"));
        }
    }
}
