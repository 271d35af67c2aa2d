//! The supervisor: a small shell process that holds the server and stops it when its last user has gone.
//!
//! Every user holds a named pipe open for writing and writes one line when it comes. The supervisor reads the pipe;
//! the end of file means that nobody is left, however they ended, because the kernel closes files of the dead. There
//! are no process numbers to trust and nothing to clean up in the users.

use std::{
    fs::File,
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Stdio},
};

use super::{PostgresError, Storage, home::Home, process};

/// How long the server waits for the next user, in seconds: one test program after the other joins the same server.
const GRACE_SECONDS: &str = "2";

/// The supervisor. When nobody has come during the grace, it first takes the state away, so that nobody new joins, and
/// then looks once more: whoever wrote a line before may have seen the state, so for them the server stays.
const SCRIPT: &str = r#"
home=$1 grace=$2 ending=$3
shift 3
cd "$home" || exit 1
echo $$ > supervisor.pid
exec 3< presence
"$@" 3<&- &
server=$!
(
  while :; do
    while read -r _ <&3; do :; done
    sleep "$grace" 3<&-
    if read -r _ <&3; then continue; fi
    mv -f state.json leaving.json 2>/dev/null
    if read -r _ <&3; then
      mv -f leaving.json state.json 2>/dev/null
      continue
    fi
    kill -INT "$server" 2>/dev/null
    exit 0
  done
) &
watcher=$!
trap 'kill -INT "$server" 2>/dev/null' TERM INT HUP
while kill -0 "$server" 2>/dev/null; do wait "$server"; done
kill "$watcher" 2>/dev/null
rm -f state.json leaving.json
case $ending in
  keep) rm -f supervisor.pid ;;
  data) rm -rf data; rm -f supervisor.pid ;;
  home) cd / && rm -rf "$home" ;;
esac
"#;

/// Makes the pipe anew and opens it, so that this process counts as a user before the supervisor looks.
pub(super) fn open_new_pipe(home: &Home) -> Result<File, PostgresError> {
    let pipe = home.pipe();
    // A pipe of an earlier server may have its own listeners; it may also be missing.
    let _ = std::fs::remove_file(&pipe);
    process::output(home.account.command("mkfifo").args(["-m", "600"]).arg(&pipe))?;
    announce(&pipe)
}

/// Opens the pipe and writes the line that tells the supervisor of a new user.
pub(super) fn announce(pipe: &Path) -> Result<File, PostgresError> {
    // For reading too, although nobody here reads: otherwise opening would wait for a supervisor, even a dead one.
    let mut file =
        File::options().read(true).write(true).open(pipe).map_err(PostgresError::file("cannot open", pipe))?;
    file.write_all(b"\n").map_err(PostgresError::file("cannot write to", pipe))?;
    Ok(file)
}

/// Starts the supervisor, and with it the server on `port`.
pub(super) fn spawn(home: &Home, postgres: &Path, port: u16) -> Result<Child, PostgresError> {
    let path = home.log();
    let log = File::create(&path).map_err(PostgresError::file("cannot create", &path))?;
    home.account.take(&path, 0o600)?;
    let errors = log.try_clone().map_err(PostgresError::file("cannot use", &path))?;
    let ending = match home.storage {
        Storage::Persistent(_) => "keep",
        Storage::Temporary => "data",
        Storage::Ephemeral => "home",
    };
    let mut command = home.account.command("/bin/sh");
    command.args(["-c", SCRIPT, "chert-postgres"]).arg(&home.folder).args([GRACE_SECONDS, ending]);
    command.arg(postgres).arg("-D").arg(home.data()).arg("-p").arg(port.to_string());
    for setting in settings(&home.storage) {
        command.arg("-c").arg(setting);
    }
    // Its own process group: Ctrl-C at the terminal is for the program, the server follows in good order.
    command.process_group(0).stdin(Stdio::null()).stdout(log).stderr(errors);
    command.spawn().map_err(|error| PostgresError::Program { program: "/bin/sh".to_owned(), output: error.to_string() })
}

fn settings(storage: &Storage) -> Vec<&'static str> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "max_connections=200",
        "timezone=UTC",
        "log_timezone=UTC",
        "jit=off",
    ];
    settings.extend_from_slice(match storage {
        Storage::Persistent(_) => &["shared_buffers=256MB", "max_wal_size=2GB"],
        // Nothing of these two is ever recovered, so nothing has to reach a disk.
        Storage::Ephemeral => {
            &["shared_buffers=256MB", "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_wal_size=1GB"]
        }
        Storage::Temporary => &[
            "shared_buffers=64MB",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "wal_level=minimal",
            "max_wal_senders=0",
            "autovacuum=off",
            "max_wal_size=1GB",
            "checkpoint_timeout=1h",
            // Each copy of a database is two checkpoints, and nobody wants to read of them.
            "log_checkpoints=off",
        ],
    });
    settings
}
