//! The settings: `default.toml`, a local file over it, environment variables `CHERT__SECTION__KEY` over both.
//!
//! Everything here is hostile until parsed: a key nobody knows, a value of the wrong type and a number out of its
//! bounds are errors that name the key and where it was written. A [`Settings`] that exists is valid.

mod check;
mod layers;
mod sections;
mod values;

#[cfg(test)]
mod tests;

use std::{ffi::OsString, path::Path, path::PathBuf};

use serde::{Deserialize, Serialize};

pub use layers::Origin;
pub use sections::{
    Cache, Chain, Database, IdentitySource, Indexer, Limits, LogFormat, RateLimiting, Server, Source, SourceKind,
    Telemetry,
};
pub use values::{ClockSkew, DatabaseUrl, HttpUrl, SourceName};

/// The text of `config/default.toml`: every key, its default and what it means.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// The effective settings of one process.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Where to listen.
    pub server: Server,
    /// How to reach PostgreSQL.
    pub database: Database,
    /// The shorthand for a single Chert node.
    pub chain: Chain,
    /// How to follow the sources.
    pub indexer: Indexer,
    /// How much one client may ask.
    pub rate_limiting: RateLimiting,
    /// How much to keep in memory, and for how long.
    pub cache: Cache,
    /// The bounds of one request.
    pub limits: Limits,
    /// Logs and traces.
    pub telemetry: Telemetry,
    /// The `[[source]]` entries as written; [`Settings::sources`] adds the shorthand.
    #[serde(default)]
    pub source: Vec<Source>,
}

impl Settings {
    /// Reads the settings of this process: the defaults, `local_file` over them, its environment over both.
    ///
    /// # Errors
    ///
    /// Names the key and the file or the variable of the first thing that is wrong.
    pub fn load(local_file: Option<&Path>) -> Result<Self, SettingsError> {
        Self::load_with(local_file, std::env::vars_os())
    }

    /// Like [`Settings::load`], with the environment as an argument, so that tests need not change the real one.
    ///
    /// # Errors
    ///
    /// The same as those of [`Settings::load`].
    pub fn load_with(
        local_file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, SettingsError> {
        let mut layers = vec![layers::defaults()];
        layers.extend(local_file.map(layers::file).transpose()?);
        layers.extend(layers::environment(environment)?);
        layers::refuse_unknown_keys(&layers)?;
        let merged = layers::merge(layers);
        let settings: Self = merged.extract().map_err(layers::explain)?;
        check::check(&settings, |key| layers::origin_of(&merged, key))?;
        Ok(settings)
    }

    /// The sources to follow: those configured, or the one that `chain.rpc_url` stands for, or none.
    pub fn sources(&self) -> Vec<Source> {
        match (&self.chain.rpc_url, self.source.is_empty()) {
            (Some(url), true) => vec![Source::shorthand(url.clone(), self.chain.sync_from_block)],
            (Some(_) | None, _) => self.source.clone(),
        }
    }

    /// The effective settings as a TOML file that a person can read; passwords in URLs are masked.
    pub fn effective_toml(&self) -> String {
        toml::to_string(self).expect("checked settings hold only what TOML can write")
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The local file cannot be read.
    #[error("cannot read the settings file {}: {cause}", file.display())]
    Read {
        /// The file as it was given.
        file: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// The local file is not TOML.
    #[error("{} is not valid TOML: {problem}", file.display())]
    Syntax {
        /// The file as it was given.
        file: PathBuf,
        /// The parser's message with line and column.
        problem: String,
    },
    /// A key that no setting has.
    #[error("unknown key `{key}` in {origin}; the nearest known key is `{nearest}`")]
    UnknownKey {
        /// The key with its section.
        key: String,
        /// Where it was written.
        origin: Origin,
        /// The known key that is spelled most alike.
        nearest: String,
    },
    /// A value of the wrong type.
    #[error("bad type for `{key}` in {origin}: expected {expected}, found {found}")]
    BadType {
        /// The key with its section.
        key: String,
        /// Where it was written.
        origin: Origin,
        /// The type that the key has.
        expected: String,
        /// What was written.
        found: String,
    },
    /// A value of the right type that cannot be used.
    #[error("bad value for `{key}` in {origin}: {problem}")]
    BadValue {
        /// The key with its section.
        key: String,
        /// Where it was written.
        origin: Origin,
        /// What is wrong with it.
        problem: String,
    },
    /// An environment variable that is not text.
    #[error("the environment variable {variable} does not hold valid UTF-8")]
    NotText {
        /// The variable's name.
        variable: String,
    },
}
