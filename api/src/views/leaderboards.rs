//! Leaderboards: who contributed most, in which window, and the place of one among them over time.
