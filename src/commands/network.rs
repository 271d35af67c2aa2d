//! The synthetic network as a command.

use std::net::SocketAddr;
use std::path::PathBuf;

use ::loadtest::network::{self, NetworkConfig, RunArgs, ServeOptions};
use chrono::{DateTime, TimeDelta};
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
        let span = i64::try_from(span).ok().and_then(TimeDelta::try_milliseconds);
        // A history too long for any calendar must not end in the future: from 1970 on it is refused, as any that began before.
        let begin = span.and_then(|span| ::schema::clock::now().checked_sub_signed(span));
        NetworkConfig {
            seed: self.seed,
            genesis_time: begin.unwrap_or(DateTime::UNIX_EPOCH),
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
        // A chain that is there goes on as it is: its block 0 was made when it began.
        let stored = self.file.as_deref().map(network::Chain::stored_config).transpose()?.flatten();
        let config = stored.unwrap_or_else(|| self.shape.config());
        let options = ServeOptions { file: self.file, ..ServeOptions::default() };
        let args = RunArgs { config, listen: self.listen, options, shutdown: stop_on_signal()? };
        Ok(network::run(args).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(history: u64, history_block_time_ms: u64) -> Shape {
        let (block_time_ms, txs_per_block) = (2_000, 20);
        Shape { seed: 1, block_time_ms, txs_per_block, history, history_block_time_ms, fork_every: 50, fork_depth: 6 }
    }

    #[test]
    fn a_history_ends_now_and_never_in_the_future() {
        for (history, between_ms) in [(0, 4), (500, 7_200_000), (100_000, 7_200_000), (1, 1_000_000_000_000)] {
            let before = ::schema::clock::now();
            let config = shape(history, between_ms).config();
            assert_eq!(config.validate(), Ok(()));
            let span = TimeDelta::milliseconds(i64::try_from(history * between_ms).expect("small"));
            let end = config.genesis_time + span;
            assert!(before <= end && end <= ::schema::clock::now(), "{history} blocks of {between_ms} ms end at {end}");
        }
    }

    #[test]
    fn a_history_that_began_before_1970_is_refused() {
        for (history, between_ms) in
            [(500_000, 7_200_000), (1, u64::MAX), (1, 9_000_000_000_000_000), (1 << 38, u64::MAX)]
        {
            let refused = shape(history, between_ms).config().validate();
            assert!(refused.is_err_and(|error| error.field == "genesis_time"), "{history} blocks of {between_ms} ms");
        }
    }
}
