//! Which database a command works on: the private one of a data folder, or the configured one.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use config::{Binaries, Options, PrivateServer, Role, Storage};

use super::SettingsFile;

/// Name of the database on the private server.
const NAME: &str = "chert";
/// Data folder when none is given.
pub const DATA: &str = ".chert";

/// The database to work on.
#[derive(Debug, Clone, Args)]
pub struct Target {
    /// The data folder of `chert dev` whose private database is meant.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    data: Option<PathBuf>,
    #[command(flatten)]
    file: SettingsFile,
}

/// URLs of one database, and what keeps it running.
pub struct Database {
    /// As the indexer.
    pub indexer: String,
    /// As the reader.
    pub reader: String,
    /// Held for as long as the private server must run.
    _server: Option<PrivateServer>,
}

impl Target {
    /// The database, started if it is a private one.
    pub async fn open(&self) -> anyhow::Result<Database> {
        // Settings given in any way mean the database that they name; otherwise the private one is meant.
        let from_environment =
            std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("CHERT__DATABASE__"));
        if self.data.is_none() && (self.file.config.is_some() || from_environment) {
            let settings = self.file.load()?;
            return Ok(Database {
                indexer: settings.database.indexer().expose().to_owned(),
                reader: settings.database.reader().expose().to_owned(),
                _server: None,
            });
        }
        let data = self.data.clone().unwrap_or_else(|| PathBuf::from(DATA));
        anyhow::ensure!(
            data.exists(),
            "there is no data folder {}; name one with --data or settings with --config",
            data.display()
        );
        Database::private(storage(&data)).await
    }
}

/// Where a data folder keeps its PostgreSQL.
pub fn storage(data: &Path) -> Storage {
    Storage::Persistent(data.join("postgres"))
}

impl Database {
    /// A private PostgreSQL with an up-to-date schema.
    pub async fn private(storage: Storage) -> anyhow::Result<Self> {
        let options = Options { storage, binaries: Binaries::from_env()? };
        let server = PrivateServer::start(options).await?;
        server.ensure_database(NAME).await?;
        let owner = server.url(Role::Owner, NAME);
        ::schema::db::migrate(&owner, Role::Indexer.name(), Role::Reader.name())
            .await
            .context("the private database's schema cannot be brought up to date")?;
        Ok(Self {
            indexer: server.url(Role::Indexer, NAME),
            reader: server.url(Role::Reader, NAME),
            _server: Some(server),
        })
    }
}
