//! The parts as processes of their own: indexer, API, migrations.

use anyhow::Context as _;
use api::ApiOptions;
use config::{Role, Settings};
use indexer::run::IndexerOptions;

use super::{listen, start_telemetry, stop_on_signal};

/// Follows the configured sources.
pub async fn index(settings: &Settings, instance: Option<String>) -> anyhow::Result<()> {
    let _telemetry = start_telemetry(settings, "chert-indexer")?;
    let stop = stop_on_signal()?;
    let instance = instance.unwrap_or_else(|| indexer::run::unique_holder("chert index"));
    let options = IndexerOptions::from_settings(settings, instance);
    if options.sources.is_empty() {
        anyhow::bail!("no source is configured: add a [[source]] to the settings, or set chain.rpc_url");
    }
    indexer::run::run(options, stop).await.context("the indexer stopped")
}

/// Serves the API.
pub async fn serve(settings: &Settings) -> anyhow::Result<()> {
    let _telemetry = start_telemetry(settings, "chert-api")?;
    let stop = stop_on_signal()?;
    let listener = listen(settings.server.http_address()).await?;
    tracing::info!(address = %listener.local_addr()?, "serving");
    api::serve(ApiOptions::from(settings), listener, stop).await.context("the API stopped")
}

/// Brings the schema up to date.
pub async fn migrate(settings: &Settings) -> anyhow::Result<()> {
    let _telemetry = start_telemetry(settings, "chert-migrate")?;
    ::schema::db::migrate(settings.database.url.expose(), Role::Indexer.name(), Role::Reader.name()).await?;
    super::say("the schema is up to date")
}
