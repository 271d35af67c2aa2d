//! The indexer: `chert-api-indexer [SETTINGS_FILE]`.

use std::path::PathBuf;

use anyhow::Context as _;
use config::Settings;
use indexer::run::{IndexerOptions, run, unique_holder};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let file = std::env::args_os().nth(1).map(PathBuf::from);
    let settings = Settings::load(file.as_deref()).context("the settings cannot be used")?;
    let _telemetry =
        config::telemetry::init(&settings.telemetry, "chert-api-indexer").context("telemetry cannot start")?;
    let stop = CancellationToken::new();
    let options = IndexerOptions::from_settings(&settings, unique_holder("chert-api-indexer"));
    let indexer = tokio::spawn(run(options, stop.clone()));
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated() => {}
    }
    stop.cancel();
    indexer.await.context("the indexer stopped")??;
    Ok(())
}

async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    if let Ok(mut terminate) = signal(SignalKind::terminate()) {
        terminate.recv().await;
    } else {
        std::future::pending::<()>().await;
    }
}
