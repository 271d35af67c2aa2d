//! The synthetic network from outside: its chain, its wire, its faults and its restarts.

mod books;
mod chain;
mod content;
mod programme;
mod proportions;
mod restart;
mod server;
mod support;
