//! The synthetic network: a seeded, deterministic Chert chain and a node that serves it over the real wire protocol.
//!
//! The chain is a pure function of its [`NetworkConfig`] and of the steps taken, so two runs show byte-identical
//! blocks, branch switches included. It must not know who reads it.
//!
//! Decisions that the wire protocol leaves open, taken here once:
//! * Transactions of the origin account `0x…02` carry no `public_key` and an empty `signature`: no key derives to it.
//! * "The data's raw text" of the signed bytes is the JSON text of the `data` member as it stands in the transaction,
//!   quotes and escapes included.
//! * The `proof` of a key rotation and an `oracle_signature` are the hex signature alone.
//! * A refuted transaction signature still moves its money: the block is the authority. Such transactions carry no
//!   payload, but for a few follows, which nobody has proved to have sent.
//! * The whole `amount` of a transaction with `stealth_outputs` leaves the sender and is undisclosed; its `recipient`
//!   repeats the sender because the wire demands one, and receives nothing.

mod actions;
mod cast;
mod chain;
mod config;
mod dice;
mod draft;
mod fault;
mod journal;
mod ledger;
mod miner;
mod rpc;
mod script;
mod server;
mod store;
mod tally;
mod wire;
mod world;

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio_util::sync::CancellationToken;

pub use chain::{Advanced, Chain, Head, StoredBlock};
pub use config::{ConfigError, NetworkConfig};
pub use fault::{BlockDefect, Fault, FaultKind, TransactionDefect};
pub use ledger::{
    DelegationBook, IdentityBook, Ledger, MinerBook, OracleBook, ProposalBook, ProposalState, Visibility,
};
pub use server::{NetworkHandle, ServeOptions, serve};
pub use tally::{Defect, Kind, Oddity, Tally};

/// The rule by which this network makes block hashes, as its `/health` announces it.
pub const HASH_RULE: &str = "chert-synthetic-1";

/// What can go wrong while the network is set up or runs.
#[derive(Debug, thiserror::Error)]
pub enum NetworkError {
    /// The configuration asks for something impossible.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The chain's file could not be read or written.
    #[error("chain file {path}: {error}")]
    File {
        /// The file in question.
        path: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// The chain's file holds something that no run of this program wrote.
    #[error("chain file {path}: {why}")]
    Damaged {
        /// The file in question.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
    /// The chain's file was made with another configuration.
    #[error("chain file {path} was made with another configuration; delete it or use the same configuration")]
    ConfigDiffers {
        /// The file in question.
        path: PathBuf,
    },
    /// The server could not listen.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// Listening beyond this machine was not allowed explicitly.
    #[error("{address} is reachable from other machines; allow that explicitly or use a loopback address")]
    NotLoopback {
        /// The address asked for.
        address: SocketAddr,
    },
    /// A task of the server ended without an answer, because it panicked or the runtime is going down.
    #[error("the network's task was stopped")]
    Stopped,
}

/// What the command line gives to [`run`].
#[derive(Debug, Clone)]
pub struct RunArgs {
    /// The chain to show. Where `file` exists already, its stored genesis time replaces the one given here.
    pub config: NetworkConfig,
    /// Where to listen.
    pub listen: SocketAddr,
    /// How to serve; see [`ServeOptions`].
    pub options: ServeOptions,
    /// Cancelled by the caller to end the run.
    pub shutdown: CancellationToken,
}

/// Serves a network until `shutdown` is cancelled, then saves it.
///
/// # Errors
/// Whatever [`serve`] reports at the start, or a failure to save at the end.
pub async fn run(args: RunArgs) -> Result<(), NetworkError> {
    let mut config = args.config;
    if let Some(path) = &args.options.file
        && let Some(stored) = Chain::stored_config(path)?
    {
        // A genesis time is usually taken from the clock at the first start; a restart must not move it.
        config.genesis_time = stored.genesis_time;
    }
    let handle = serve(config, args.listen, args.options).await?;
    let head = handle.head();
    tracing::info!(url = handle.url(), height = head.height, "synthetic network is up");
    args.shutdown.cancelled().await;
    handle.stop().await?;
    tracing::info!("synthetic network stopped");
    Ok(())
}
