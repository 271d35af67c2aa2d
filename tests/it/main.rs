//! The whole program: a node, the indexer, PostgreSQL, the API, and a client.

mod aitbc;
mod asof;
mod books;
mod clock;
mod examples;
mod hostile;
mod kills;
mod network;
mod node;
mod privacy;
mod stack;
mod story;
mod village;
