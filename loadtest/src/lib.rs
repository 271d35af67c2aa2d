//! Everything that puts load or trouble on the other crates from outside.
//!
//! The crate knows the public wire protocol only. It must not depend on our other crates: what it generates is an
//! independent implementation, so that a shared mistake cannot hide itself.

pub mod clients;
pub mod network;
