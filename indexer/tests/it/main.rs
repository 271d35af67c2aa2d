//! The indexer from the outside: recorded chains, nodes on loopback, and whole histories on a real database.

mod forks;
mod laws;
mod log;
mod loopback;
mod recordings;
mod sources;
mod support;
