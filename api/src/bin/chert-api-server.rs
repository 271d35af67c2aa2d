//! The API server: `chert-api-server [SETTINGS_FILE]`.

use std::path::PathBuf;

use anyhow::Context as _;
use api::ApiOptions;
use config::Settings;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let file = std::env::args_os().nth(1).map(PathBuf::from);
    let settings = Settings::load(file.as_deref()).context("the settings cannot be used")?;
    let _telemetry =
        config::telemetry::init(&settings.telemetry, "chert-api-server").context("telemetry cannot start")?;
    let address = settings.server.http_address();
    let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!(%address, "listening");
    let shutdown = CancellationToken::new();
    tokio::spawn(stop_on_signal(shutdown.clone()));
    api::serve(ApiOptions::from(&settings), listener, shutdown).await?;
    Ok(())
}

async fn stop_on_signal(shutdown: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
    shutdown.cancel();
}
