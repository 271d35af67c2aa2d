//! One file per noun: what clients see, and the one statement that reads it.
//!
//! Nothing here knows HTTP, caches or waiting: a query says which views it reads, and is run at a position.

pub mod addresses;
pub mod balances;
pub mod blocks;
pub mod chains;
pub mod changes;
pub mod checks;
pub mod coverage;
pub mod events;
pub mod feed;
pub mod findings;
pub mod follows;
pub mod governance;
pub mod identities;
pub mod identity_stats;
pub mod leaderboards;
pub mod oracles;
pub mod provenance;
pub mod search;
pub mod status;
pub mod transactions;
pub mod visibility;
pub mod wallets;
pub mod work;
