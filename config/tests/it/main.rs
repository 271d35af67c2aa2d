//! The private server as its users meet it: started, shared, killed, restarted.

mod environment;
mod lifetime;
mod server;
mod testing;
