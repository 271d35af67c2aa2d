//! One file per command; what they share is here.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use config::{Settings, TelemetryGuard, telemetry};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

mod database;
mod dev;
mod loadtest;
mod network;
mod progress;
mod roles;
mod schema;
mod source;
mod status;
mod verify;

/// What `chert` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Everything on this machine: a private PostgreSQL, the synthetic network or your sources, the indexer, the API.
    Dev(dev::Dev),
    /// Follow the configured sources into the database.
    Index(Index),
    /// Serve the API.
    Serve(SettingsFile),
    /// Bring the database's schema up to date and grant the roles what they need.
    Migrate(SettingsFile),
    /// Ask a running API where everything stands.
    Status(status::Status),
    /// Recompute every hash of the log, fold it again and compare the views.
    Verify(verify::Verify),
    /// Build all views anew beside the live ones and swap them in.
    Rebuild(verify::Rebuild),
    /// Pause, resume, or accept a deep fork of a source.
    Source(source::SourceCommand),
    /// The synthetic network alone.
    Network(network::Network),
    /// Measure a running API beside a bare handler that answers the same bytes.
    Loadtest(loadtest::Loadtest),
    /// Print a generated description of the API.
    Schema(schema::Schema),
    /// Print the effective settings; passwords are masked.
    Config(SettingsFile),
}

/// Where settings come from.
#[derive(Debug, Clone, Args)]
pub struct SettingsFile {
    /// A TOML file over the defaults; `CHERT__SECTION__KEY` variables go over both.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Arguments of `chert index`.
#[derive(Debug, Args)]
pub struct Index {
    #[command(flatten)]
    settings: SettingsFile,
    /// A name that only one process has at a time: after a crash the same name goes on at once, any other waits until the
    /// lease has run out.
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,
}

impl SettingsFile {
    /// The settings, or an error that names the key and the file.
    pub fn load(&self) -> anyhow::Result<Settings> {
        Ok(Settings::load(self.config.as_deref())?)
    }
}

impl Command {
    /// Runs the command to its end.
    pub async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Dev(dev) => dev.run().await,
            Self::Index(index) => roles::index(&index.settings.load()?, index.instance).await,
            Self::Serve(file) => roles::serve(&file.load()?).await,
            Self::Migrate(file) => roles::migrate(&file.load()?).await,
            Self::Status(status) => status.run().await,
            Self::Verify(verify) => verify.run().await,
            Self::Rebuild(rebuild) => rebuild.run().await,
            Self::Source(source) => source.run().await,
            Self::Network(network) => network.run().await,
            Self::Loadtest(loadtest) => loadtest.run().await,
            Self::Schema(schema) => schema.run(),
            Self::Config(file) => say(file.load()?.effective_toml()),
        }
    }
}

/// Prints a line for a person or a pipe.
pub fn say(line: impl AsRef<str>) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", line.as_ref().trim_end()).context("standard output is closed")
}

/// Prints an error and its causes.
pub fn complain(error: &anyhow::Error) {
    let _closed = writeln!(std::io::stderr().lock(), "chert: {error:#}");
}

/// Starts logging as the settings say.
pub fn start_telemetry(settings: &Settings, name: &'static str) -> anyhow::Result<TelemetryGuard> {
    telemetry::init(&settings.telemetry, name).context("telemetry cannot start")
}

/// A token that Ctrl-C and SIGTERM cancel.
pub fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let token = stop.clone();
    let mut terminate = signal(SignalKind::terminate()).context("signals cannot be handled")?;
    tokio::spawn(async move {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        token.cancel();
    });
    Ok(stop)
}

/// Listens, or says why not.
pub async fn listen(address: SocketAddr) -> anyhow::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))
}
