//! Generated descriptions of the API.

use clap::{Args, ValueEnum};

use super::say;

/// Which description.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Which {
    /// OpenAPI 3.1, JSON.
    Openapi,
}

/// Arguments of `chert schema`.
#[derive(Debug, Args)]
pub struct Schema {
    which: Which,
}

impl Schema {
    /// Prints it.
    pub fn run(&self) -> anyhow::Result<()> {
        match self.which {
            Which::Openapi => say(serde_json::to_string_pretty(&api::openapi())?),
        }
    }
}
