//! Which of the rows that a batch changed are compared with what they are made of, when there are too many for all.

use std::collections::BTreeSet;

use schema::event::Position;

/// At most so many of the keys: spread over all of them, and others after another batch.
pub(super) fn some_of<K>(keys: BTreeSet<K>, at_most: usize, end: Position) -> Vec<K> {
    let step = keys.len().div_ceil(at_most).max(1);
    let first = usize::try_from(end.0).unwrap_or(0) % step;
    keys.into_iter().skip(first).step_by(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_spread_and_moves_on() {
        let all: BTreeSet<u8> = (0..100).collect();
        let first = some_of(all.clone(), 16, Position(700));
        assert_eq!(first.len(), 15);
        assert_eq!((first[0], first[14]), (0, 98));
        assert_eq!(some_of(all, 16, Position(702))[0], 2);
        assert_eq!(some_of(BTreeSet::from([1, 2, 3]), 16, Position(5)), [1, 2, 3]);
    }
}
