//! The read side: questions about the views, answered over HTTP.
//!
//! It must not know the indexer: the tables in `migrations/` are the whole contract, and its database role can only
//! read them. Transports hold no SQL, queries hold no JSON.
//!
//! * [`view`]: what a question is, and how it is answered from cache or database; `views` has one file per noun.
//! * [`freshness`]: how far the views have come and how far the nodes are, polled and published.
//! * [`rest`]: requests parsed, questions asked, replies made; one file per noun.
//! * [`server`]: the router with everything around it, and its life.

pub mod error;
pub mod freshness;
pub mod limits;
pub mod metrics;
pub mod page;
pub mod rest;
pub mod server;
pub mod view;
pub mod views;

mod openapi;

pub use error::ApiError;
pub use openapi::openapi;
pub use server::{ApiOptions, AppState, router, serve};
