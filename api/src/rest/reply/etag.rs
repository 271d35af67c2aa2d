//! Strong entity tags: position, first bytes of the running hash there, and a hash of the body.
//!
//! The position is that of the newest change of what the question reads, so a quiet view keeps its tags across blocks.
//! A page with a `next_cursor` names the position that the cursor pins, as that is part of its body.

use std::collections::BTreeSet;

use crate::error::{Problem, ProblemKind};
use crate::freshness::Freshness;
use crate::limits::MAX_MATCHED_TAGS;
use crate::rest::ask::Ask;
use crate::server::AppState;
use crate::view::{Answered, At, HashPrefix};

/// The tag of an answer, quotes included.
pub fn of(answered: &Answered, at: At, has_next: bool) -> String {
    let stamp = &answered.kept.stamp;
    let (position, hash) = match at {
        _ if has_next => (answered.position, answered.chain_hash),
        At::Now => (stamp.changed_position, stamp.changed_hash),
        At::Position(_) => (stamp.position, stamp.chain_hash),
    };
    format!("\"{position}-{}-{}\"", hex::encode(hash), hex::encode(answered.kept.digest))
}

/// Whether a list of tags holds one, weakly compared as `If-None-Match` does.
pub fn matches_weakly(list: &str, tag: &str) -> bool {
    tags(list).any(|given| given == "*" || given.strip_prefix("W/").unwrap_or(given) == tag)
}

/// Whether `If-Match` allows the answer with a tag.
fn allows(ask: &Ask, tag: &str) -> bool {
    ask.if_match.as_deref().is_none_or(|list| tags(list).any(|given| given == "*" || given == tag))
}

/// 412 when `If-Match` names other answers only: such as were read from another history of the log, or older ones.
pub async fn check_match(state: &AppState, fresh: &Freshness, ask: &Ask, tag: &str) -> Result<(), Problem> {
    if allows(ask, tag) {
        return Ok(());
    }
    let given: BTreeSet<_> = ask.if_match.as_deref().map(|list| tags(list).collect()).unwrap_or_default();
    for (position, hash) in given.into_iter().filter_map(place).take(MAX_MATCHED_TAGS) {
        super::at::check_prefix(state, fresh, position, hash).await?;
    }
    Err(Problem::new(ProblemKind::Changed, format!("the answer is now {tag}")))
}

fn tags(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

/// Position and running hash in a tag of ours.
fn place(tag: &str) -> Option<(i64, HashPrefix)> {
    let mut parts = tag.strip_prefix('"')?.strip_suffix('"')?.split('-');
    let position: i64 = parts.next()?.parse().ok().filter(|position| *position >= 0)?;
    let mut hash = HashPrefix::default();
    hex::decode_to_slice(parts.next()?, &mut hash).ok()?;
    Some((position, hash))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_as_the_header_says() {
        let tag = "\"17-00ff00ff00ff00ff-0011223344556677\"";
        assert!(matches_weakly(&format!("\"x\", W/{tag}"), tag));
        assert!(matches_weakly("*", tag));
        assert!(!matches_weakly("\"17\"", tag));
        let ask = |list: &str| {
            let mut ask = Ask::default();
            ask.if_match = Some(list.to_owned());
            ask
        };
        assert!(allows(&ask(tag), tag) && allows(&ask("*"), tag) && allows(&Ask::default(), tag));
        assert!(!allows(&ask(&format!("W/{tag}")), tag), "a weak tag never matches strongly");
        assert_eq!(place(tag), Some((17, [0, 255, 0, 255, 0, 255, 0, 255])));
        for foreign in ["", "*", "\"\"", "\"-1-00-00\"", "\"17-zz-0\"", "17"] {
            assert_eq!(place(foreign), None, "{foreign}");
        }
    }
}
