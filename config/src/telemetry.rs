//! Logs to standard error, and traces to an OTLP collector when one is configured.
//!
//! It must not know what is logged: it sets up the sinks once per process, at the start of a program.

use std::{io::IsTerminal, time::Duration};

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::WithExportConfig;
use opentelemetry_sdk::{Resource, trace::SdkTracerProvider};
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::settings::{HttpUrl, LogFormat, Telemetry};

/// How long one export of traces may take.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the end of a program may wait for the last traces.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// Why logs or traces could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `telemetry.log_filter` is not a list of directives.
    #[error("telemetry.log_filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The exporter could not be built.
    #[error("telemetry.otlp_endpoint: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Traces are exported by tasks, so there must be a runtime to run them.
    #[error("telemetry.otlp_endpoint is set, but no tokio runtime runs yet")]
    NoRuntime,
    /// Somebody has set up logging before; the first one stays.
    #[error("logging is already set up in this process")]
    AlreadySet,
}

/// Keeps the exporter alive; dropping it sends what has not been sent yet, for at most three seconds.
#[must_use = "traces end when this is dropped"]
#[derive(Debug)]
pub struct TelemetryGuard {
    provider: Option<SdkTracerProvider>,
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        if let Some(provider) = self.provider.take()
            && let Err(error) = provider.shutdown_with_timeout(SHUTDOWN_TIMEOUT)
        {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

/// Sets up logs, and traces under the name `service_name`, for the whole process.
///
/// # Errors
///
/// When a setting cannot be used, or when it was called before: then nothing changes.
pub fn init(settings: &Telemetry, service_name: &'static str) -> Result<TelemetryGuard, TelemetryError> {
    let filter = EnvFilter::try_new(&settings.log_filter)?;
    let provider = settings.otlp_endpoint.as_ref().map(|url| exporter(url, service_name)).transpose()?;
    let traces =
        provider.as_ref().map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer(service_name)));
    tracing_subscriber::registry()
        .with(lines(settings.log_format))
        .with(traces)
        .with(filter)
        .try_init()
        .map_err(|_| TelemetryError::AlreadySet)?;
    Ok(TelemetryGuard { provider })
}

fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let is_terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !is_terminal,
    };
    if json {
        fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(std::io::stderr).boxed()
    } else {
        fmt::layer().with_ansi(is_terminal).with_writer(std::io::stderr).boxed()
    }
}

fn exporter(endpoint: &HttpUrl, service_name: &'static str) -> Result<SdkTracerProvider, TelemetryError> {
    tokio::runtime::Handle::try_current().map_err(|_| TelemetryError::NoRuntime)?;
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint.expose())
        .with_timeout(EXPORT_TIMEOUT)
        .build()?;
    let resource = Resource::builder().with_service_name(service_name).build();
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_call_is_an_error_and_a_bad_filter_too() {
        let mut settings = crate::Settings::load_with(None, []).expect("valid").telemetry;
        let _first = init(&settings, "test");
        assert!(matches!(init(&settings, "test"), Err(TelemetryError::AlreadySet)));
        settings.log_filter = "=,=".to_owned();
        assert!(matches!(init(&settings, "test"), Err(TelemetryError::Filter(_))));
        settings.log_filter = "info".to_owned();
        settings.otlp_endpoint = Some("http://127.0.0.1:1".to_owned().try_into().expect("a URL"));
        assert!(matches!(init(&settings, "test"), Err(TelemetryError::NoRuntime)));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn traces_reach_the_collector() {
        use opentelemetry::trace::Tracer;
        use tokio::io::AsyncReadExt;

        let collector = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", collector.local_addr().expect("an address"));
        let provider = exporter(&endpoint.try_into().expect("a URL"), "test").expect("an exporter");
        provider.tracer("test").in_span("work", |_| {});
        let guard = TelemetryGuard { provider: Some(provider) };
        let end = tokio::task::spawn_blocking(move || drop(guard));
        let (mut connection, _) = collector.accept().await.expect("a connection");
        let mut preface = [0; 14];
        connection.read_exact(&mut preface).await.expect("bytes");
        assert_eq!(&preface, b"PRI * HTTP/2.0");
        // A collector that goes away must not keep the program from ending.
        drop((connection, collector));
        end.await.expect("ends");
    }
}
