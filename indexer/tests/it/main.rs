//! The indexer from the outside: recorded chains, nodes on loopback, and whole histories on a real database.

mod clock;
mod forks;
mod governance;
mod histories;
mod identities;
mod laws;
mod log;
mod loopback;
mod model;
mod recordings;
mod social;
mod sources;
mod support;
mod work;
