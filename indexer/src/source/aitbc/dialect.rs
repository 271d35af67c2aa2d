//! Which dialect an AITBC node speaks. Versions do not tell (two dialects call themselves `v0.2.2`), paths do.

use std::collections::BTreeSet;

use crate::decode::json::Object;
use crate::source::SourceError;

/// Paths without which a node cannot be followed.
const NEEDED: [&str; 4] = ["/rpc/head", "/rpc/info", "/rpc/blocks-range", "/rpc/account/{}"];

/// Refuses a node whose description does not have the paths of the HEAD dialect.
pub(super) fn check(url: &str, openapi: &str) -> Result<(), SourceError> {
    let description = Object::parse(openapi)?;
    let paths = Object::parse(description.need("paths")?.get())?;
    let paths: BTreeSet<String> = paths.members().map(|(path, _)| without_names(&path)).collect();
    let missing: Vec<_> = NEEDED.iter().filter(|path| !paths.contains(**path)).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    let found = if paths.contains("/rpc/blocks-range") {
        "the dialect of March 2026"
    } else if paths.contains("/rpc/head") {
        "the dialect of December 2025"
    } else {
        "no dialect of an AITBC node"
    };
    Err(SourceError::Unsuitable(format!(
        "the node at {url} speaks {found}; what is needed is that of August 2026, and {} is missing",
        missing.join(", ")
    )))
}

/// Refuses a node that does not describe itself.
pub(super) fn unknown(url: &str) -> SourceError {
    SourceError::Unsuitable(format!(
        "the node at {url} has no /openapi.json, so its dialect cannot be told; what is needed is a node of August \
         2026 with {}",
        NEEDED.join(", ")
    ))
}

/// A path with its parameters' names left out.
fn without_names(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.starts_with('{') { "{}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(paths: &[&str]) -> String {
        let paths: Vec<_> = paths.iter().map(|path| format!("\"{path}\":{{}}")).collect();
        format!("{{\"info\":{{\"version\":\"v0.2.2\"}},\"paths\":{{{}}}}}", paths.join(","))
    }

    #[test]
    fn only_the_newest_dialect_is_taken_and_others_are_named() {
        let head = ["/rpc/head", "/rpc/info", "/rpc/blocks-range", "/rpc/account/{address}"];
        assert_eq!(check("http://node", &description(&head)), Ok(()));
        let march = description(&["/rpc/head", "/rpc/info", "/rpc/blocks-range", "/rpc/getBalance/{address}"]);
        let december = description(&["/rpc/head", "/rpc/blocks/{height}"]);
        for (text, named) in [(march, "March 2026"), (december, "December 2025"), (description(&["/"]), "no dialect")] {
            match check("http://node", &text) {
                Err(SourceError::Unsuitable(why)) => assert!(why.contains(named) && why.contains("/rpc/"), "{why}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
