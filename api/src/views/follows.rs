//! Follows: who follows whom, and how many.
