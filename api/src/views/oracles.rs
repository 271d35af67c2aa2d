//! Oracles: who validates work, and how well.
