//! The home folder of one private server: which folder it is, what is in it, and who may use it.

use std::{
    fs::File,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Binaries, PostgresError, Storage, account::Account, fetch::make_open_folders, process, roles};

/// A memory file system smaller than this, in KiB, is not used: containers often have a tiny one.
const MEMORY_KIB_MIN: u64 = 1 << 20;
/// Where the data of root go when the folder asked for is closed to the user who runs the server.
const ROOT_FALLBACK: &str = "/var/lib/chert";

/// How the names of unfinished data folders begin.
const DRAFT_PREFIX: &str = "draft-";

/// The home folder of one private server.
#[derive(Debug)]
pub(super) struct Home {
    /// The folder; only the user who runs the server, and root, may enter it.
    pub folder: PathBuf,
    /// Where its data live and for how long.
    pub storage: Storage,
    /// Who runs the server.
    pub account: Account,
}

/// What a starter leaves for those who join: it exists only while a complete server runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The port on 127.0.0.1.
    pub port: u16,
    /// The server's version.
    pub version: String,
}

/// What `postmaster.pid` says.
pub(super) struct Postmaster {
    /// The process.
    pub pid: u32,
    /// The port, once the server has opened it.
    pub port: Option<u16>,
    /// Whether it takes connections.
    pub is_ready: bool,
}

impl Home {
    /// Chooses and, if needed, creates the folder.
    pub fn prepare(storage: &Storage, binaries: Binaries, account: Account) -> Result<Self, PostgresError> {
        let folder = match storage {
            Storage::Persistent(path) => persistent(path, &account)?,
            Storage::Temporary => temporary(&shared_name(binaries, &account)?, &account)?,
            Storage::Ephemeral => {
                let name = format!("chert-{}-{}-{}", account.uid, std::process::id(), roles::random_hex()?);
                temporary(&name, &account)?
            }
        };
        Ok(Self { folder, storage: storage.clone(), account })
    }

    /// Waits until no other process starts or joins this server, and keeps them out until the file is dropped.
    pub fn lock(&self) -> Result<File, PostgresError> {
        let path = self.folder.join("lock");
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(PostgresError::file("cannot open", &path))?;
        file.lock().map_err(PostgresError::file("cannot lock", &path))?;
        Ok(file)
    }

    /// Whether the data outlive the server.
    pub fn is_persistent(&self) -> bool {
        matches!(self.storage, Storage::Persistent(_))
    }

    /// The data folder of PostgreSQL.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// A new name for a data folder that is being made.
    pub fn new_draft(&self) -> Result<PathBuf, PostgresError> {
        Ok(self.folder.join(format!("{DRAFT_PREFIX}{}", roles::random_hex()?)))
    }

    /// Removes what killed starts have left half made.
    pub fn remove_drafts(&self) -> Result<(), PostgresError> {
        let entries = std::fs::read_dir(&self.folder).map_err(PostgresError::file("cannot read", &self.folder))?;
        for entry in entries.flatten() {
            if entry.file_name().to_string_lossy().starts_with(DRAFT_PREFIX) {
                // An `initdb` that still writes there can make this fail; the next start tries again.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
        Ok(())
    }

    /// The pipe that every user of the server holds open.
    pub fn pipe(&self) -> PathBuf {
        self.folder.join("presence")
    }

    /// The server's log.
    pub fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// The passwords.
    pub fn credentials(&self) -> PathBuf {
        self.folder.join("credentials.json")
    }

    /// The major version of the existing data, if there are any.
    pub fn data_major(&self) -> Option<u32> {
        super::binaries::major(&std::fs::read_to_string(self.data().join("PG_VERSION")).ok()?)
    }

    /// What the starter left, if a complete server runs.
    pub fn state(&self) -> Option<State> {
        serde_json::from_slice(&std::fs::read(self.folder.join("state.json")).ok()?).ok()
    }

    /// Tells others that a complete server runs.
    pub fn write_state(&self, state: &State) -> Result<(), PostgresError> {
        let text = serde_json::to_string(state).expect("a number and a text are JSON");
        let (path, new) = (self.folder.join("state.json"), self.folder.join("state.json.new"));
        std::fs::write(&new, text).map_err(PostgresError::file("cannot write", &new))?;
        std::fs::rename(&new, &path).map_err(PostgresError::file("cannot write", &path))
    }

    /// The living supervisor of this home, if there is one.
    pub fn supervisor(&self) -> Option<u32> {
        let text = std::fs::read_to_string(self.folder.join("supervisor.pid")).ok()?;
        text.trim().parse().ok().filter(|pid| process::is_ours(*pid, &self.folder))
    }

    /// The living server of this home, if there is one.
    pub fn postmaster(&self) -> Option<Postmaster> {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let pid = lines.first()?.parse().ok().filter(|pid| process::is_ours(*pid, &self.folder))?;
        let port = lines.get(3).and_then(|port| port.parse().ok());
        // The eighth line is written when recovery is done; an open port alone says too little.
        Some(Postmaster { pid, port, is_ready: lines.get(7) == Some(&"ready") })
    }

    /// The end of the server's log, for an error message.
    pub fn log_tail(&self) -> String {
        process::tail(&std::fs::read(self.log()).unwrap_or_default())
    }
}

fn persistent(path: &Path, account: &Account) -> Result<PathBuf, PostgresError> {
    let path = std::path::absolute(path).map_err(PostgresError::file("cannot resolve", path))?;
    let exists = path.exists();
    if let Some(parent) = path.parent().filter(|_| !exists) {
        std::fs::create_dir_all(parent).map_err(PostgresError::file("cannot create", parent))?;
    }
    own(&path, account)?;
    if !account.is_root() || account.can_write(&path) {
        return Ok(path);
    }
    if !exists {
        // Nothing is in it yet, and what stays behind unused would only confuse.
        let _ = std::fs::remove_dir(&path);
    }
    let fallback = Path::new(ROOT_FALLBACK).join(hash(&path.to_string_lossy()));
    tracing::warn!(
        asked = %path.display(),
        used = %fallback.display(),
        "PostgreSQL does not run as root, and the unprivileged user cannot enter the folder asked for"
    );
    make_open_folders(Path::new(ROOT_FALLBACK))?;
    own(&fallback, account)?;
    Ok(fallback)
}

/// The name of the temporary server that all programs of one build folder share.
fn shared_name(binaries: Binaries, account: &Account) -> Result<String, PostgresError> {
    let program = std::env::current_exe().map_err(PostgresError::file("cannot find", "this program"))?;
    let built_in = program.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    Ok(format!("chert-{}-{}", account.uid, hash(&format!("{built_in} {}", binaries.as_str()))))
}

fn hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text)[..6])
}

/// A folder in memory if there is enough of it, otherwise among the temporary files.
fn temporary(name: &str, account: &Account) -> Result<PathBuf, PostgresError> {
    let memory = PathBuf::from("/dev/shm");
    let has_memory = size_kib(&memory).is_some_and(|size| size >= MEMORY_KIB_MIN);
    let bases = [has_memory.then_some(memory), Some(std::env::temp_dir()), Some(PathBuf::from("/tmp"))];
    let usable = bases.into_iter().flatten().find(|base| account.can_write(base));
    let base = usable.ok_or_else(|| PostgresError::Unexpected {
        what: "no folder for temporary files is writable for the user who runs PostgreSQL".to_owned(),
    })?;
    let folder = base.join(name);
    own(&folder, account)?;
    Ok(folder)
}

/// The size of the file system of a folder, as `df` tells it.
fn size_kib(folder: &Path) -> Option<u64> {
    let told = process::output(Command::new("df").arg("-Pk").arg(folder)).ok()?;
    told.lines().nth(1)?.split_whitespace().nth(1)?.parse().ok()
}

/// Creates the folder for the account, or checks that it is the account's; nobody else may look into it.
fn own(folder: &Path, account: &Account) -> Result<(), PostgresError> {
    match std::fs::create_dir(folder) {
        Ok(()) => return account.take(folder, 0o700),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(PostgresError::file("cannot create", folder)(error)),
    }
    // Not followed: in a folder that everybody can write to, a link may be somebody's trap.
    let found = folder.symlink_metadata().map_err(PostgresError::file("cannot look at", folder))?;
    if found.is_dir() && found.uid() == account.uid && folder.join("lock").exists() {
        return Ok(());
    }
    let mut entries = std::fs::read_dir(folder).map_err(PostgresError::file("cannot read", folder))?;
    let is_empty = entries.next().is_none();
    if found.is_dir() && is_empty && (found.uid() == account.uid || (account.is_root() && found.uid() == 0)) {
        return account.take(folder, 0o700);
    }
    if found.is_dir() && found.uid() == account.uid {
        let what = format!("{} holds other files; choose a folder that is new or empty", folder.display());
        return Err(PostgresError::Unexpected { what });
    }
    Err(PostgresError::Foreign { path: folder.to_owned(), owner: found.uid(), expected: account.uid })
}
