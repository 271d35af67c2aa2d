//! Everything on one machine, with one command.

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ::loadtest::network::{self, NetworkConfig, NetworkHandle, ServeOptions};
use ::schema::chain::Height;
use ::schema::source::SourceKind;
use ::schema::store::Declared;
use anyhow::Context as _;
use api::ApiOptions;
use clap::Args;
use config::{Settings, Storage};
use indexer::ingest::FollowOptions;
use indexer::run::{IndexerOptions, SourceOptions};
use tokio::task::JoinSet;

use super::database::{DATA, Database, storage};
use super::network::Shape;
use super::{SettingsFile, listen, progress, say, start_telemetry, stop_on_signal};

/// How often the synthetic network is asked for news.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The log filter when nobody has chosen one.
const DEFAULT_FILTER: &str = "info";
/// The same without a line per request.
const TERMINAL_FILTER: &str = "info,api::server::around=warn";
/// Digits behind the point of the synthetic network's money.
const DECIMALS: i32 = 9;

/// Arguments of `chert dev`.
#[derive(Debug, Args)]
pub struct Dev {
    #[command(flatten)]
    settings: SettingsFile,
    /// Folder for the database and the synthetic chain.
    #[arg(long, value_name = "DIR", default_value = DATA)]
    data: PathBuf,
    /// Keep nothing: a temporary database and a chain in memory.
    #[arg(long, conflicts_with = "data")]
    ephemeral: bool,
    /// Where to serve HTTP.
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Where to serve gRPC.
    #[arg(long, value_name = "ADDR")]
    grpc: Option<SocketAddr>,
    #[command(flatten)]
    shape: Shape,
}

impl Dev {
    /// Runs everything until told to stop.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut settings = self.settings.load()?;
        if std::io::stderr().is_terminal() && settings.telemetry.log_filter == DEFAULT_FILTER {
            // The progress line asks the API twice a second, and its place is the last line of the terminal.
            settings.telemetry.log_filter = TERMINAL_FILTER.to_owned();
        }
        let _telemetry = start_telemetry(&settings, "chert")?;
        let stop = stop_on_signal()?;
        let address = self.http.unwrap_or_else(|| settings.server.http_address());
        let listener = listen(address).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let kept = if self.ephemeral { Storage::Ephemeral } else { storage(&self.data) };
        let database = Database::private(kept).await?;
        let (network, options) = self.sources(&settings, &database).await?;
        let mut api_options = ApiOptions::from(&settings);
        api_options.database_url.clone_from(&database.reader);
        api_options.max_connections = api_options.max_connections.min(20);

        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let (indexing, serving) = (stop.clone(), stop.clone());
        tasks.spawn(async move { indexer::run::run(options, indexing).await.context("the indexer stopped") });
        tasks.spawn(async move { api::serve(api_options, listener, serving).await.context("the API stopped") });
        tasks.spawn({
            let (url, stop) = (url.clone(), stop.clone());
            async move {
                progress::show(url, stop).await;
                Ok(())
            }
        });
        self.announce(&url, network.as_ref())?;
        let mut outcome = Ok(());
        while let Some(ended) = tasks.join_next().await {
            // Whatever ends first ends the rest; the first error is the one that counts.
            stop.cancel();
            let ended = ended.context("a part of the program stopped").flatten();
            if outcome.is_ok() {
                outcome = ended;
            }
        }
        if let Some(network) = network {
            network.stop().await.context("the synthetic network did not stop well")?;
        }
        outcome
    }

    /// The configured sources, or the synthetic network when there are none.
    async fn sources(
        &self,
        settings: &Settings,
        database: &Database,
    ) -> anyhow::Result<(Option<NetworkHandle>, IndexerOptions)> {
        let mut options = IndexerOptions::from_settings(settings, "chert dev");
        options.database_url.clone_from(&database.indexer);
        if !options.sources.is_empty() {
            return Ok((None, options));
        }
        let (config, file) = self.chain()?;
        let serve = ServeOptions { file, ..ServeOptions::default() };
        let chain_id = config.chain_id.clone();
        let network = network::serve(config, SocketAddr::from(([127, 0, 0, 1], 0)), serve)
            .await
            .context("the synthetic network cannot start")?;
        options.sources.push(synthetic(network.url().to_owned(), chain_id, settings));
        Ok((Some(network), options))
    }

    /// The synthetic chain: the one in the data folder as it is, else a new one whose history ends now.
    fn chain(&self) -> anyhow::Result<(NetworkConfig, Option<PathBuf>)> {
        if self.ephemeral {
            return Ok((self.shape.config(), None));
        }
        std::fs::create_dir_all(&self.data).with_context(|| format!("cannot create {}", self.data.display()))?;
        let file = self.data.join("network.chain");
        let stored = ::loadtest::network::Chain::stored_config(&file)?;
        Ok((stored.unwrap_or_else(|| self.shape.config()), Some(file)))
    }

    fn announce(&self, url: &str, network: Option<&NetworkHandle>) -> anyhow::Result<()> {
        say(format!("API        {url}/v1/status"))?;
        say(format!("documents  {url}/docs"))?;
        say(format!("metrics    {url}/metrics"))?;
        if let Some(network) = network {
            say(format!("node       {} (synthetic)", network.url()))?;
        }
        if self.grpc.is_some() {
            tracing::warn!("gRPC is not served by this version; --grpc has no effect");
        }
        Ok(())
    }
}

fn synthetic(url: String, chain_id: String, settings: &Settings) -> SourceOptions {
    SourceOptions {
        declared: Declared {
            name: "chert".to_owned(),
            kind: SourceKind::Chert,
            chain_id: Some(chain_id),
            trusted: false,
            off_block_state: false,
            start_height: Height::GENESIS,
            symbol: "CHERT".to_owned(),
            decimals: DECIMALS,
            required: true,
        },
        url,
        page: settings.indexer.batch_size,
        timeout: Duration::from_millis(settings.indexer.request_timeout_ms),
        requests_per_minute: None,
        follow: FollowOptions {
            poll_interval: POLL_INTERVAL,
            fetch_concurrency: settings.indexer.fetch_concurrency,
            max_batch_events: settings.indexer.max_batch_events,
            ..FollowOptions::default()
        },
    }
}
