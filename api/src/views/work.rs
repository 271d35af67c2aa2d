//! Useful work: what an identity contributed, its submissions, and one submission.
