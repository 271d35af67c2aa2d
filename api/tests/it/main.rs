//! The API as a client meets it: the router over a real PostgreSQL with rows written by hand.

mod bad_input;
mod database;
mod events;
mod explained;
mod explorer;
mod feed;
mod findings;
mod fixture;
mod freshness;
mod governance;
mod identity;
mod identity_stats;
mod network;
mod pouw;
mod pouw_then;
mod pouw_work;
mod service;
mod social;
