//! The API as a client meets it: the router over a real PostgreSQL with rows written by hand.

mod bad_input;
mod database;
mod events;
mod explorer;
mod fixture;
mod freshness;
mod identity;
mod network;
mod service;
