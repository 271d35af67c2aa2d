//! The synthetic network from outside: its chain, its wire, its faults and its restarts.

mod chain;
mod content;
mod restart;
mod server;
mod support;
