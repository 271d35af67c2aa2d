//! Measuring a running API.

use std::time::Duration;

use ::loadtest::clients::{self, RoutesOptions};
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
    /// Every GET route that the API declares, one by one; fails when one cannot be asked, fails, or is slower than it may be.
    Routes {
        /// The API.
        #[arg(long, default_value = "http://127.0.0.1:8080")]
        url: String,
        /// Requests per route and variant.
        #[arg(long, default_value_t = 300)]
        requests: usize,
        /// Connections that ask at the same time.
        #[arg(long, default_value_t = 4)]
        connections: usize,
        /// Ask for the same thing each time, so that answers come from the cache.
        #[arg(long)]
        cached: bool,
        /// Milliseconds that the p95 of every row may be; no bound when absent.
        #[arg(long, value_name = "MS")]
        p95_ms: Option<u64>,
    },
}

impl Loadtest {
    /// Measures and prints a table.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.what {
            What::Read { url, seconds, connections } => {
                let report = clients::read(&url, Duration::from_secs(seconds), connections).await?;
                say(report.to_string())
            }
            What::Routes { url, requests, connections, cached, p95_ms } => {
                let p95_bound = p95_ms.map(Duration::from_millis);
                let options = RoutesOptions { requests, connections, cached, p95_bound };
                let report = clients::routes(&url, options).await?;
                say(report.to_string())?;
                anyhow::ensure!(report.complaints().is_empty(), "not every route is as it should be");
                Ok(())
            }
        }
    }
}
