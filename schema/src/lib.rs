//! What the indexer and the API agree on: the words of a chain, the events, the log, the shape of every view.
//!
//! It opens no socket but PostgreSQL's. It must not know how a source speaks, what a projection means, or how an
//! answer is served.

pub mod bulk;
pub mod canonical;
pub mod chain;
pub mod clock;
pub mod db;
pub mod event;
pub mod fold_text;
pub mod source;
pub mod store;
pub mod versioned;
