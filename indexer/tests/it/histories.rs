//! Random histories of a chain, dense enough that everything meets: windows and votes, delegations and unlinks,
//! rejections and forks.

use proptest::prelude::*;
use proptest::sample::select;

pub mod cast;
mod deeds;
mod teller;

pub use teller::{FORK_DEPTH_MAX, Shift, Teller};

/// Blocks and forks of a history at most.
const STEPS_MAX: usize = 15;
/// Things done in a block at most.
const DEEDS_MAX: usize = 14;

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A block; it may begin with what the last fork undid.
    Block { shift: Shift, again: bool, deeds: Vec<String> },
    /// So many blocks are replaced.
    Fork { depth: usize },
}

fn shift() -> impl Strategy<Value = Shift> {
    prop_oneof![
        26 => Just(Shift::By(0)),
        2 => (20..120_i64).prop_map(Shift::By),
        2 => (1_500..5_000_i64).prop_map(Shift::By),
        2 => (70_000..120_000_i64).prop_map(Shift::By),
        1 => (600_000..800_000_i64).prop_map(Shift::By),
        1 => (2_500_000..2_800_000_i64).prop_map(Shift::By),
        1 => (-45..-10_i64).prop_map(Shift::By),
        2 => Just(Shift::BeforeNext(3_600)),
        2 => Just(Shift::BeforeNext(86_400)),
    ]
}

fn step(deed: impl Strategy<Value = String>) -> impl Strategy<Value = Step> {
    let block = (shift(), any::<bool>(), prop::collection::vec(deed, 0..DEEDS_MAX));
    prop_oneof![
        6 => block.prop_map(|(shift, again, deeds)| Step::Block { shift, again, deeds }),
        1 => select(vec![1, 1, 2, 2, 3, 4, 5, 6]).prop_map(|depth| Step::Fork { depth }),
    ]
}

/// The script of a random history. On a closed chain nobody can overspend; on another that is a finding.
pub fn history() -> impl Strategy<Value = String> {
    told([false; 4], Just(None), deeds::deed())
}

/// The scripts of random histories of two chains. On the second one some identities are somebody else's; on the first one a
/// fork may undo that they are registered there, when the second has begun.
pub fn histories_of_two() -> impl Strategy<Value = (String, String)> {
    let undone_after = prop::option::weighted(0.5, 2..4_usize);
    let is_taken = prop::array::uniform4(prop::bool::weighted(0.4));
    let second = is_taken.prop_flat_map(|is_taken| told(is_taken, Just(None), deeds::deed_of_two()));
    (told([false; 4], undone_after, deeds::deed_of_two()), second)
}

/// A history in which everything is undone after some number of steps, if so.
fn told(
    is_taken: [bool; 4],
    undone_after: impl Strategy<Value = Option<usize>>,
    deed: impl Strategy<Value = String>,
) -> impl Strategy<Value = String> {
    let steps = prop::collection::vec(step(deed), 6..STEPS_MAX);
    let told = (any::<bool>(), prop::bool::weighted(0.9), undone_after, steps);
    told.prop_map(move |(is_closed, is_introduced, undone_after, steps)| {
        let mut teller = if is_closed { Teller::closed() } else { Teller::default() };
        if is_introduced {
            teller.introduce(is_taken);
        }
        for (number, step) in steps.into_iter().enumerate() {
            if undone_after == Some(number) {
                teller.fork(FORK_DEPTH_MAX);
            }
            match step {
                Step::Block { shift, again, deeds } => teller.block(shift, again, &deeds),
                Step::Fork { depth } => teller.fork(depth),
            }
        }
        // A lower head alone is not a fork: only another block at a known height is.
        teller.block(Shift::By(0), false, &[]);
        teller.script()
    })
}

/// The script of only what stands at the end of another.
pub fn straight(script: &str) -> String {
    let mut standing: Vec<(u64, &str)> = Vec::new();
    for step in script.split(" | ").filter(|step| !step.is_empty()) {
        match step.strip_prefix('~') {
            Some(to) => {
                let to: u64 = to.parse().expect("a height");
                standing.retain(|(height, _)| *height <= to);
            }
            None => {
                let label = step.split(':').next().expect("a label").trim_end_matches('\'');
                standing.push((label.parse().expect("a height"), step));
            }
        }
    }
    standing.into_iter().map(|(_, step)| step).collect::<Vec<_>>().join(" | ")
}
