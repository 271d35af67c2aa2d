//! PostgreSQL in a container, for a machine with a container engine. It must not fall back to anything: whoever asks
//! for a container wants to know that it does not work.

use std::{net::TcpListener, thread::JoinHandle, time::Duration};

use sqlx::{Connection, PgConnection};
use testcontainers::{ContainerAsync, GenericImage, ImageExt, core::IntoContainerPort, runners::AsyncRunner};
use tokio::sync::oneshot;

use crate::postgres::{PostgresError, roles};

/// The variable that names the image.
const IMAGE_VARIABLE: &str = "TEST_PG_IMAGE";
/// The image when none is named.
const IMAGE_DEFAULT: &str = "postgres:17-alpine";
/// How often to try to connect to a starting server.
const CONNECT_POLL: Duration = Duration::from_millis(100);
/// How many tries before it is given up: one minute.
const CONNECT_POLLS_MAX: u32 = 600;

/// A running container. A thread with its own runtime holds it, because the runtimes of single tests end before it.
#[derive(Debug)]
pub(super) struct Container {
    port: u16,
    password: String,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Container {
    /// Starts a container and waits until its server takes connections.
    pub async fn start() -> Result<Self, PostgresError> {
        let password = roles::random_hex()?;
        let (started, has_started) = oneshot::channel();
        let (end, ended) = oneshot::channel();
        let thread = {
            let password = password.clone();
            std::thread::spawn(move || hold(&password, started, ended))
        };
        let port = has_started.await.unwrap_or_else(|_| Err(failed("its thread ended".to_owned())))?;
        let container = Self { port, password, end: Some(end), thread: Some(thread) };
        container.wait_until_ready().await?;
        Ok(container)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's password.
    pub fn password(&self) -> &str {
        &self.password
    }

    /// The usual images first start a server without TCP to set it up, so the first connection is to the real one.
    async fn wait_until_ready(&self) -> Result<(), PostgresError> {
        let url = roles::Address::private(self.port).url(roles::SUPERUSER, &self.password, roles::MAINTENANCE_DATABASE);
        let mut last = String::new();
        for _ in 0..CONNECT_POLLS_MAX {
            match PgConnection::connect(&url).await {
                Ok(connection) => return Ok(connection.close().await?),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(CONNECT_POLL).await;
        }
        Err(failed(format!("its PostgreSQL does not answer: {last}")))
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic there has nothing to add: the container is lost either way.
            let _ = thread.join();
        }
    }
}

fn hold(password: &str, started: oneshot::Sender<Result<u16, PostgresError>>, ended: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = started.send(Err(failed(error.to_string())));
            return;
        }
    };
    runtime.block_on(async {
        match run(password).await {
            Ok((container, port)) => {
                let _ = started.send(Ok(port));
                let _ = ended.await;
                let _ = container.rm().await;
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        }
    });
}

async fn run(password: &str) -> Result<(ContainerAsync<GenericImage>, u16), PostgresError> {
    // A port chosen here: some engines do not tell which one they chose in a form that can be parsed.
    let port = TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .map_err(|error| failed(error.to_string()))?
        .port();
    let image = std::env::var(IMAGE_VARIABLE).unwrap_or_else(|_| IMAGE_DEFAULT.to_owned());
    let (name, tag) = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        Some(_) | None => (image.as_str(), "latest"),
    };
    let container = GenericImage::new(name, tag)
        .with_env_var("POSTGRES_PASSWORD", password)
        .with_mapped_port(port, 5432.tcp())
        .start()
        .await
        .map_err(|error| failed(format!("{image}: {error}")))?;
    Ok((container, port))
}

fn failed(problem: String) -> PostgresError {
    PostgresError::Unexpected { what: format!("TEST_PG=container, but there is no container: {problem}") }
}
