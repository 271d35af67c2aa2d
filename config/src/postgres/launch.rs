//! Joins the running server of a home, or clears what a killed one left and starts it. Everything happens under the
//! home's lock, so that of several processes that start at the same moment one starts and the others join.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Child,
    thread,
    time::Duration,
};

use super::{
    Binaries, Options, PostgresError, PrivateServer, Storage,
    account::Account,
    binaries::{self, Programs},
    home::{Home, State},
    process,
    roles::{self, Credentials},
    supervisor,
};

/// How often to look whether a server is ready: it takes about 50 ms.
const READY_POLL: Duration = Duration::from_millis(5);
/// How many looks at a starting server before it is given up: ten minutes, because recovery of a large log takes long.
const READY_POLLS_MAX: u32 = 120_000;
/// How often to look whether a leaving server has gone.
const LEAVING_POLL: Duration = Duration::from_millis(20);
/// How many looks at a leaving server: two minutes, because its last checkpoint may be large.
const LEAVING_POLLS_MAX: u32 = 6_000;
/// How many ports to try: between finding a free one and using it, another program may take it.
const PORTS_MAX: u32 = 5;
/// How long a server on this machine may take to accept a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Joins the server of these options, or starts it; it blocks, and must not run on a thread of an async runtime.
pub(super) fn start_or_join(options: &Options) -> Result<PrivateServer, PostgresError> {
    for _ in 1..PORTS_MAX {
        match try_once(options) {
            Err(PostgresError::Start { log, .. }) if log.contains("Address already in use") => {}
            done => return done,
        }
    }
    try_once(options)
}

fn try_once(options: &Options) -> Result<PrivateServer, PostgresError> {
    let home = Home::prepare(&options.storage, options.binaries, Account::choose()?)?;
    let _lock = home.lock()?;
    let server = match join_when_settled(&home)? {
        Some(server) => Ok(server),
        None => start(&home, options.binaries),
    };
    if server.is_err() && home.storage == Storage::Ephemeral {
        // Nobody else will ever look into it. The supervisor, if it came so far, removes it too.
        let _ = std::fs::remove_dir_all(&home.folder);
    }
    server
}

/// Joins a running server. Where one is leaving, waits until it has gone; where one has lost its supervisor, stops it,
/// because nobody would ever stop it otherwise.
fn join_when_settled(home: &Home) -> Result<Option<PrivateServer>, PostgresError> {
    let mut is_asked_to_stop = false;
    for _ in 0..LEAVING_POLLS_MAX {
        if let Some(server) = join(home)? {
            return Ok(Some(server));
        }
        match (home.supervisor(), home.postmaster()) {
            (None, None) => return Ok(None),
            (None, Some(orphan)) if !is_asked_to_stop => {
                tracing::info!(pid = orphan.pid, "stopping a PostgreSQL that a killed process left");
                process::ask_to_stop(orphan.pid);
                is_asked_to_stop = true;
            }
            (Some(_), _) | (None, Some(_)) => {}
        }
        thread::sleep(LEAVING_POLL);
    }
    Err(PostgresError::Start {
        home: home.folder.clone(),
        problem: "an earlier server neither answers nor ends".to_owned(),
        log: home.log_tail(),
    })
}

fn join(home: &Home) -> Result<Option<PrivateServer>, PostgresError> {
    let (Some(state), Some(_)) = (home.state(), home.supervisor()) else { return Ok(None) };
    let Ok(presence) = supervisor::announce(&home.pipe()) else { return Ok(None) };
    // Looked at again after the announcement: now the supervisor either has taken the state away or stays for us.
    let is_running = home.state().as_ref() == Some(&state)
        && home.postmaster().is_some_and(|server| server.is_ready && server.port == Some(state.port))
        && TcpStream::connect_timeout(&address(state.port), CONNECT_TIMEOUT).is_ok();
    if !is_running {
        return Ok(None);
    }
    let credentials = Credentials::read(&home.credentials())?;
    let State { port, version } = state;
    Ok(Some(PrivateServer { home: home.folder.clone(), port, version, credentials, _presence: presence }))
}

fn address(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

fn start(home: &Home, choice: Binaries) -> Result<PrivateServer, PostgresError> {
    let needed = home.data_major().filter(|_| home.is_persistent());
    let programs = binaries::find(choice, &home.account, needed)?;
    if !home.is_persistent() {
        remove_folder(&home.data())?;
    }
    let credentials = if home.data().exists() {
        Credentials::read(&home.credentials())?
    } else {
        let credentials = Credentials::random()?;
        credentials.write(&home.credentials())?;
        make_cluster(home, &programs, &credentials)?;
        credentials
    };
    let presence = supervisor::open_new_pipe(home)?;
    let listener = TcpListener::bind(address(0)).map_err(PostgresError::file("cannot find", "a free port"))?;
    let port = listener.local_addr().map_err(PostgresError::file("cannot find", "a free port"))?.port();
    drop(listener);
    let mut child = supervisor::spawn(home, &programs.folder.join("postgres"), port)?;
    wait_until_ready(home, port, &mut child)?;
    // Somebody must take note of its end, or it stays in the table of processes for as long as this one lives.
    thread::spawn(move || child.wait());
    let version = programs.version;
    let server =
        PrivateServer { home: home.folder.clone(), port, version: version.clone(), credentials, _presence: presence };
    let superuser = server.superuser_url(roles::MAINTENANCE_DATABASE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| PostgresError::Unexpected { what: error.to_string() })?;
    runtime.block_on(roles::create(&superuser, &server.credentials))?;
    home.write_state(&State { port, version })?;
    tracing::info!(port, version = server.version, home = %home.folder.display(), "PostgreSQL is running");
    Ok(server)
}

fn remove_folder(folder: &Path) -> Result<(), PostgresError> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(PostgresError::file("cannot remove", folder)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes the data folder, beside its place and then renamed: a killed start leaves nothing that looks whole. Its name
/// is new each time, because the `initdb` of a killed start may go on for a moment.
fn make_cluster(home: &Home, programs: &Programs, credentials: &Credentials) -> Result<(), PostgresError> {
    home.remove_drafts()?;
    let (new, password) = (home.new_draft()?, home.folder.join("password"));
    roles::write_secret(&password, &credentials.superuser)?;
    home.account.take(&password, 0o600)?;
    let mut initdb = home.account.command(programs.folder.join("initdb"));
    initdb.args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]);
    initdb.args(["--username", roles::SUPERUSER]).arg("--pwfile").arg(&password).arg("--pgdata").arg(&new);
    if !home.is_persistent() {
        initdb.arg("--no-sync");
    }
    process::output(&mut initdb)?;
    std::fs::remove_file(&password).map_err(PostgresError::file("cannot remove", &password))?;
    std::fs::rename(&new, home.data()).map_err(PostgresError::file("cannot move", &new))
}

fn wait_until_ready(home: &Home, port: u16, child: &mut Child) -> Result<(), PostgresError> {
    let failed = |problem: String| PostgresError::Start { home: home.folder.clone(), problem, log: home.log_tail() };
    for _ in 0..READY_POLLS_MAX {
        if home.postmaster().is_some_and(|server| server.is_ready && server.port == Some(port)) {
            return Ok(());
        }
        // The log is read before the home may be cleared away, so that the reason is not lost with it.
        let log = home.log_tail();
        match child.try_wait() {
            Ok(None) => thread::sleep(READY_POLL),
            Ok(Some(_)) => {
                let log = if home.log().exists() { home.log_tail() } else { log };
                return Err(PostgresError::Start {
                    home: home.folder.clone(),
                    problem: "it ended at once".to_owned(),
                    log,
                });
            }
            Err(error) => return Err(failed(error.to_string())),
        }
    }
    Err(failed("it is not ready after ten minutes".to_owned()))
}
