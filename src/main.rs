//! The `chert` command line: reads the arguments, wires the parts together, runs them.

use clap::Parser;

mod commands;

use commands::Command;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An event-sourced indexer with a read-only query API for the Chert network.
#[derive(Debug, Parser)]
#[command(name = "chert", version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    // The HTTP clients are built without a TLS provider of their own, so that only one is in the program.
    let _already = rustls::crypto::ring::default_provider().install_default();
    match Arguments::parse().command.run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            commands::complain(&error);
            std::process::ExitCode::FAILURE
        }
    }
}
