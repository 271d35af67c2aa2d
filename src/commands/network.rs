//! The synthetic network as a command.

use std::net::SocketAddr;
use std::path::PathBuf;

use ::loadtest::network::{self, NetworkConfig, RunArgs, ServeOptions};
use chrono::TimeDelta;
use clap::Args;

use super::{SettingsFile, start_telemetry, stop_on_signal};

/// What the synthetic chain is like.
#[derive(Debug, Clone, Args)]
pub struct Shape {
    /// Seeds every key and every choice.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Milliseconds between blocks; 0 stands still.
    #[arg(long, default_value_t = 2_000)]
    pub block_time_ms: u64,
    /// Mean transactions per block.
    #[arg(long, default_value_t = 20)]
    pub txs_per_block: u64,
    /// Blocks that exist at the start.
    #[arg(long, default_value_t = 500)]
    pub history: u64,
    /// Milliseconds between the blocks of that history: two hours, so that a short one spans weeks.
    #[arg(long, default_value_t = 7_200_000)]
    pub history_block_time_ms: u64,
    /// Mean blocks between branch switches; 0 never.
    #[arg(long, default_value_t = 50)]
    pub fork_every: u64,
    /// Deepest branch switch.
    #[arg(long, default_value_t = 6)]
    pub fork_depth: u64,
}

impl Shape {
    /// The chain's configuration; its history ends about now.
    pub fn config(&self) -> NetworkConfig {
        let defaults = NetworkConfig::default();
        let span = self.history.saturating_mul(self.history_block_time_ms);
        let span = i64::try_from(span).ok().and_then(TimeDelta::try_milliseconds).unwrap_or_default();
        NetworkConfig {
            seed: self.seed,
            genesis_time: ::schema::clock::now() - span,
            block_time_ms: self.block_time_ms,
            txs_per_block: self.txs_per_block,
            history_blocks: self.history,
            history_block_time_ms: self.history_block_time_ms,
            fork_every_blocks: self.fork_every,
            fork_depth_max: self.fork_depth,
            ..defaults
        }
    }
}

/// Arguments of `chert network`.
#[derive(Debug, Args)]
pub struct Network {
    /// Where to serve.
    #[arg(long, default_value = "127.0.0.1:8545")]
    listen: SocketAddr,
    /// File that keeps the chain, so that a restart continues it.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    shape: Shape,
    #[command(flatten)]
    settings: SettingsFile,
}

impl Network {
    /// Serves the network until told to stop.
    pub async fn run(self) -> anyhow::Result<()> {
        let _telemetry = start_telemetry(&self.settings.load()?, "chert-network")?;
        let options = ServeOptions { file: self.file, ..ServeOptions::default() };
        let args = RunArgs { config: self.shape.config(), listen: self.listen, options, shutdown: stop_on_signal()? };
        Ok(network::run(args).await?)
    }
}
