//! Measuring a running API.

use clap::{Args, Subcommand};

use super::say;

/// Arguments of `chert loadtest`.
#[derive(Debug, Args)]
pub struct Loadtest {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Reads in a closed loop, and the same bytes from a bare handler in the same run.
    Read {
        /// The API.
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
        /// Seconds per measurement.
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// Connections that ask at the same time.
        #[arg(long, default_value_t = 16)]
        connections: usize,
    },
}

impl Loadtest {
    /// Measures and prints a table.
    pub async fn run(self) -> anyhow::Result<()> {
        let What::Read { url, seconds, connections } = self.what;
        let report = ::loadtest::clients::read(&url, std::time::Duration::from_secs(seconds), connections).await?;
        say(report.to_string())
    }
}
