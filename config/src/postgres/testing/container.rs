//! PostgreSQL in a container, for a machine with a container engine. It must not fall back to anything: whoever asks
//! for a container wants to know that it does not work. The container ends with this process, however that ends.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sqlx::{Connection, PgConnection};
use testcontainers::{
    ContainerAsync, GenericImage, ImageExt,
    bollard::models::{HostConfig, PortBinding},
    core::{IntoContainerPort, logs::LogFrame},
    runners::AsyncRunner,
};
use tokio::sync::{OnceCell, oneshot};

use crate::postgres::{PostgresError, roles};

/// The variable that names the image.
const IMAGE_VARIABLE: &str = "TEST_PG_IMAGE";
/// The image when none is named.
const IMAGE_DEFAULT: &str = "postgres:17-alpine";
/// The port in the container.
const PORT: u16 = 5432;
/// What our containers are labelled with, so that they can be told from those of other programs.
const LABEL: (&str, &str) = ("chert.purpose", "tests");
/// How often to try to connect to a starting server.
const CONNECT_POLL: Duration = Duration::from_millis(100);
/// How many tries before it is given up: one minute.
const CONNECT_POLLS_MAX: u32 = 600;
/// How much of the container's output is kept for an error.
const OUTPUT_BYTES_MAX: usize = 4096;
/// The key of the advisory lock that a connection of this process holds as long as the process lives.
const LIFE_LOCK: i64 = 0x6368_6572_7402;

/// The container of this process. It is kept to the end: starting one takes seconds, and tests that come one after the
/// other would each start their own.
static CURRENT: OnceCell<Container> = OnceCell::const_new();

/// A running container.
#[derive(Clone, Debug)]
pub(super) struct Container {
    port: u16,
    password: String,
}

impl Container {
    /// The container of this process; the first call starts it and waits until its server takes connections.
    pub async fn shared() -> Result<Self, PostgresError> {
        CURRENT.get_or_try_init(Self::start).await.cloned()
    }

    async fn start() -> Result<Self, PostgresError> {
        let password = roles::random_hex()?;
        let (started, has_started) = oneshot::channel();
        {
            let password = password.clone();
            // A thread with its own runtime holds it, because the runtimes of single tests end before it.
            std::thread::spawn(move || hold(&password, started));
        }
        let port = has_started.await.unwrap_or_else(|_| Err(failed("its thread ended".to_owned())))?;
        Ok(Self { port, password })
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The superuser's password.
    pub fn password(&self) -> &str {
        &self.password
    }
}

fn hold(password: &str, started: oneshot::Sender<Result<u16, PostgresError>>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = started.send(Err(failed(error.to_string())));
            return;
        }
    };
    runtime.block_on(async {
        let output = Output::default();
        let container = match run(password, output.clone()).await {
            Ok(container) => container,
            Err(error) => {
                let _ = started.send(Err(error));
                return;
            }
        };
        let served = serve(&container, password, &output).await;
        let (port, _life) = match served {
            Ok(served) => served,
            Err(error) => {
                // Removed before it is told, because the process may end as soon as it is.
                let _ = container.rm().await;
                let _ = started.send(Err(error));
                return;
            }
        };
        match started.send(Ok(port)) {
            Ok(()) => std::future::pending().await,
            // Whoever asked has given up; the next one starts another.
            Err(_) => drop(container.rm().await),
        }
    });
}

async fn run(password: &str, output: Output) -> Result<ContainerAsync<GenericImage>, PostgresError> {
    let image = std::env::var(IMAGE_VARIABLE).unwrap_or_else(|_| IMAGE_DEFAULT.to_owned());
    let (name, tag) = match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, tag),
        Some(_) | None => (image.as_str(), "latest"),
    };
    GenericImage::new(name, tag)
        .with_env_var("POSTGRES_PASSWORD", password)
        .with_label(LABEL.0, LABEL.1)
        .with_host_config_modifier(on_this_machine)
        .with_log_consumer(move |frame: &LogFrame| output.add(frame.bytes()))
        .start()
        .await
        .map_err(|error| failed(format!("{image}: {error}")))
}

/// Any free port of this machine only. The engine chooses it, because a port that was free a moment ago may be taken; and
/// older versions of Podman tell it in a form that can be read only if the address was given.
fn on_this_machine(config: &mut HostConfig) {
    let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: None };
    config.publish_all_ports = None;
    config.port_bindings = Some([(format!("{PORT}/tcp"), Some(vec![binding]))].into());
    config.auto_remove = Some(true);
}

/// The port of the server, when it takes connections, and what keeps it alive.
async fn serve(
    container: &ContainerAsync<GenericImage>,
    password: &str,
    output: &Output,
) -> Result<(u16, Life), PostgresError> {
    let port = container
        .get_host_port_ipv4(PORT.tcp())
        .await
        .map_err(|error| failed(format!("{error}\n{}", output.text())))?;
    let url = roles::Address::private(port).url(roles::SUPERUSER, password, roles::MAINTENANCE_DATABASE);
    let mut last = String::new();
    for _ in 0..CONNECT_POLLS_MAX {
        // The usual images first start a server without TCP to set it up, so the first connection is to the real one.
        match PgConnection::connect(&url).await {
            Ok(mut connection) => {
                relax(&mut connection).await?;
                return Ok((port, Life::start(connection, &url).await?));
            }
            Err(error) => last = error.to_string(),
        }
        if let Err(error) = container.ports().await {
            return Err(failed(format!("it has ended: {error}\n{}", output.text())));
        }
        tokio::time::sleep(CONNECT_POLL).await;
    }
    Err(failed(format!("its PostgreSQL does not answer: {last}\n{}", output.text())))
}

/// Nothing of this server is ever recovered, so nothing has to reach a disk.
async fn relax(connection: &mut PgConnection) -> Result<(), PostgresError> {
    for setting in ["fsync", "synchronous_commit", "full_page_writes"] {
        roles::execute(connection, format!("alter system set {setting} = off")).await?;
    }
    roles::execute(connection, "select pg_reload_conf()".to_owned()).await
}

/// The server lives as long as this: one connection holds a lock, another one waits for it and would then stop the server.
/// The server notices the end of the first, idle one at once but not that of the second, which is in the middle of a
/// statement; so the statement runs on even when this process was killed.
struct Life {
    _holds: PgConnection,
}

impl Life {
    async fn start(mut holds: PgConnection, url: &str) -> Result<Self, PostgresError> {
        roles::execute(&mut holds, format!("select pg_advisory_lock({LIFE_LOCK})")).await?;
        let mut waits = PgConnection::connect(url).await?;
        let stop = "read -r pid < postmaster.pid && kill -INT $pid";
        let sql = format!(
            "do $do$ begin perform pg_advisory_lock({LIFE_LOCK}); copy (select 1) to program '{stop}'; end $do$"
        );
        tokio::spawn(async move { roles::execute(&mut waits, sql).await });
        Ok(Self { _holds: holds })
    }
}

/// The end of what the container wrote.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn add(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend_from_slice(bytes);
        let excess = kept.len().saturating_sub(OUTPUT_BYTES_MAX);
        kept.drain(..excess);
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

fn failed(problem: String) -> PostgresError {
    PostgresError::Unexpected { what: format!("TEST_PG=container, but there is no container: {problem}") }
}
