//! A private PostgreSQL for development and tests: found or fetched, started, shared, and stopped with its last user.
//!
//! It must not know what is stored: it hands out URLs for three roles, and makes empty databases. One server is one
//! *home* folder (data, credentials, state, log). Processes that ask for the same home share one server; a small
//! supervisor stops it shortly after the last of them has ended, however it ended, so that nothing is ever left
//! running and no killed process costs data.

mod account;
mod binaries;
mod fetch;
mod home;
mod launch;
mod process;
mod roles;
mod supervisor;
#[cfg(feature = "testing")]
pub mod testing;
mod unpack;

use std::{fs::File, path::PathBuf};

use roles::Credentials;
pub use roles::Role;

/// The variable that says where the binaries come from.
pub const BINARIES_VARIABLE: &str = "CHERT_PG";

/// How a private server is to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where its data live and for how long.
    pub storage: Storage,
    /// Where its programs come from.
    pub binaries: Binaries,
}

/// Where the data of a private server live, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// In this folder, for good and safe against power loss. Everybody who names the folder shares the server.
    Persistent(PathBuf),
    /// In memory where possible, gone shortly after the last user; shared by all test programs of one build folder.
    Temporary,
    /// Like `Temporary`, but shared with nobody, and with autovacuum, for a server that works for hours.
    Ephemeral,
}

/// Where the programs of a private server come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binaries {
    /// From the system, or else fetched.
    Auto,
    /// Only from the system.
    System,
    /// Only fetched.
    Fetch,
}

impl Binaries {
    /// Reads the variable `CHERT_PG`; unset or empty means `auto`.
    ///
    /// # Errors
    ///
    /// When it is neither `auto`, `system` nor `fetch`.
    pub fn from_env() -> Result<Self, PostgresError> {
        let value = std::env::var_os(BINARIES_VARIABLE).unwrap_or_default();
        match value.to_str() {
            Some("" | "auto") => Ok(Self::Auto),
            Some("system") => Ok(Self::System),
            Some("fetch") => Ok(Self::Fetch),
            Some(_) | None => Err(PostgresError::Variable {
                name: BINARIES_VARIABLE,
                value: value.to_string_lossy().into_owned(),
                allowed: "auto, system or fetch",
            }),
        }
    }

    /// The value of `CHERT_PG` that means this.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::System => "system",
            Self::Fetch => "fetch",
        }
    }
}

/// A running private server; it lives at least as long as this value.
#[derive(Debug)]
pub struct PrivateServer {
    home: PathBuf,
    port: u16,
    version: String,
    credentials: Credentials,
    /// Held open for writing: its end, however it comes, is what the supervisor waits for.
    _presence: File,
}

impl PrivateServer {
    /// Joins the server of these options, or starts it. The first start of a home takes a second, a fetch some more.
    ///
    /// # Errors
    ///
    /// When no usable binaries are found, with what to install, or when the server does not come up, with its log.
    pub async fn start(options: Options) -> Result<Self, PostgresError> {
        tokio::task::spawn_blocking(move || launch::start_or_join(&options))
            .await
            .map_err(|error| PostgresError::Unexpected { what: error.to_string() })?
    }

    /// The address of a database as the superuser.
    pub fn superuser_url(&self, database: &str) -> String {
        self.address().url(roles::SUPERUSER, &self.credentials.superuser, database)
    }

    /// The address of a database as one of the three roles.
    pub fn url(&self, role: Role, database: &str) -> String {
        self.address().url(role.name(), self.credentials.password(role), database)
    }

    /// Makes sure that a database of this name exists, belongs to the owner and is open to the three roles only.
    ///
    /// # Errors
    ///
    /// When the name is not 1 to 63 of `a-z`, `0-9` and `_`, or the server does not answer.
    pub async fn ensure_database(&self, name: &str) -> Result<(), PostgresError> {
        roles::ensure_database(&self.superuser_url(roles::MAINTENANCE_DATABASE), name).await
    }

    /// The server's version as it names it, for example `17.5`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder that holds data, credentials and `server.log`. It may be another than the one asked for: see
    /// [`Storage::Persistent`] as root.
    pub fn home(&self) -> &std::path::Path {
        &self.home
    }

    fn address(&self) -> roles::Address {
        roles::Address::private(self.port)
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// A variable holds a value that means nothing.
    #[error("the environment variable {name} is {value:?}; it may be {allowed}")]
    Variable {
        /// The variable.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        allowed: &'static str,
    },
    /// No usable binaries.
    #[error(
        "no usable PostgreSQL {needed} was found:\n{}\nInstall it ({}), or set DATABASE_URL or database.url to a running server.",
        tried.iter().map(|line| format!("  - {line}")).collect::<Vec<_>>().join("\n"),
        binaries::INSTALL_HINT
    )]
    NotFound {
        /// The version that is needed.
        needed: String,
        /// Each place that was looked at, and what was wrong there.
        tried: Vec<String>,
    },
    /// A file or folder cannot be used.
    #[error("{action} {}: {cause}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// On which path.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A folder belongs to somebody else.
    #[error("{} belongs to user {owner}, not to user {expected}; remove it or choose another folder", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// Its owner's number.
        owner: u32,
        /// The number of the user who runs the server.
        expected: u32,
    },
    /// A program failed.
    #[error("{program} failed: {output}")]
    Program {
        /// The program.
        program: String,
        /// What it wrote, or why it did not start.
        output: String,
    },
    /// Root has nobody to run the server as.
    #[error("PostgreSQL refuses to run as root, and there is neither a user \"postgres\" nor \"nobody\"")]
    NoUser,
    /// The server did not come up.
    #[error("PostgreSQL did not start in {}: {problem}\n{log}", home.display())]
    Start {
        /// The home folder.
        home: PathBuf,
        /// What was seen.
        problem: String,
        /// The end of its log.
        log: String,
    },
    /// A database cannot have this name.
    #[error("{name:?} cannot name a database: 1 to 63 of a-z, 0-9 and _, no digit first")]
    Name {
        /// The name.
        name: String,
    },
    /// The server answered with an error, or not at all.
    #[error("PostgreSQL: {0}")]
    Sql(#[from] sqlx::Error),
    /// A test server could not be had.
    #[error("{what}")]
    Unexpected {
        /// What happened.
        what: String,
    },
}

impl PostgresError {
    /// For `map_err` after a file operation.
    fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |cause| Self::File { action, path, cause }
    }
}
