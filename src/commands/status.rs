//! Asking a running API where everything stands.

use anyhow::Context as _;
use clap::Args;

use super::say;

/// Arguments of `chert status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The API.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
}

impl Status {
    /// Prints what `/v1/status` answers.
    pub async fn run(self) -> anyhow::Result<()> {
        let url = format!("{}/v1/status", self.url.trim_end_matches('/'));
        let answer = reqwest::get(&url).await.with_context(|| format!("{url} does not answer"))?;
        let status: serde_json::Value = answer.json().await.context("the answer is not JSON")?;
        say(serde_json::to_string_pretty(&status)?)
    }
}
