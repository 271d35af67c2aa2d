//! Claims become verdicts: hashes, signatures and derivations recomputed from the record itself.
//!
//! It asks nobody and knows no state; a claim that needs either is `unverifiable` here, with the reason.

pub mod aitbc;
pub mod chert;
pub mod ed25519;
pub mod python_json;
pub mod state_root;
