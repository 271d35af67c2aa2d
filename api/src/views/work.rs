//! Useful work: what an identity contributed, its submissions, and one submission.
//!
//! Scores are kept in billionths and shown as decimal numbers, never rounded. Whose statistics are shown is decided in
//! each statement by `log.shows_stats`; the numbers are as of the position, who may see them is as of now.

mod causes;
mod figures;
mod history;
mod one;
pub(crate) mod stats;
mod submissions;
mod window;
mod words;

pub use history::History;
pub use one::{OneSubmission, WorkSubmission};
pub(crate) use stats::read_stats;
pub use stats::{BreakdownPart, FamilyTotal, OneWorkStats, WorkStats};
pub use submissions::{Rejected, Submission};
pub use words::{Family, Timeframe};

pub(crate) use figures::{decimal, percentile, share};
pub(crate) use window::stamped_in_window;
