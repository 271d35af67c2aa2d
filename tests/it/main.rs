//! The whole program: a node, the indexer, PostgreSQL, the API, and a client.

mod aitbc;
mod kills;
mod network;
mod stack;
