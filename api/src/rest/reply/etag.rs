//! Strong entity tags: position, first bytes of the running hash there, and a hash of the body.
//!
//! The position is that of the newest change of what the question reads, so a quiet view keeps its tags across blocks.
//! A page with a `next_cursor` names the position that the cursor pins, as that is part of its body.

use crate::error::{Problem, ProblemKind};
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

/// 412 when `If-Match` names other answers only.
pub fn check_match(ask: &Ask, tag: &str) -> Result<(), Problem> {
    match &ask.if_match {
        Some(list) if !tags(list).any(|given| given == "*" || given == tag) => {
            Err(Problem::new(ProblemKind::Changed, format!("the answer is now {tag}")))
        }
        Some(_) | None => Ok(()),
    }
}

/// 412 when `If-Match` names an answer that was read from another history of the log.
pub async fn check_history(state: &AppState, ask: &Ask) -> Result<(), Problem> {
    let Some(list) = &ask.if_match else { return Ok(()) };
    let fresh = state.fresh();
    for (position, hash) in tags(list).filter_map(place) {
        super::at::check_prefix(state, &fresh, position, hash).await?;
    }
    Ok(())
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
        assert!(check_match(&ask(tag), tag).is_ok());
        assert!(check_match(&ask(&format!("W/{tag}")), tag).is_err(), "a weak tag never matches strongly");
        assert_eq!(place(tag), Some((17, [0, 255, 0, 255, 0, 255, 0, 255])));
        for foreign in ["", "*", "\"\"", "\"-1-00-00\"", "\"17-zz-0\"", "17"] {
            assert_eq!(place(foreign), None, "{foreign}");
        }
    }
}
