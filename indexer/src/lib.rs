//! From a node's wire to the views: sources, decoding, verification, ingest into the log, and the projector.
//!
//! It holds no key and serves no request; the API reads what it wrote and does not depend on it.

pub mod checksum;
pub mod decode;
pub mod ingest;
pub mod projections;
pub mod projector;
pub mod run;
pub mod source;
pub mod verify;
