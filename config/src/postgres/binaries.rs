//! Finds the programs `postgres` and `initdb`. Each candidate is tried as the user who will run it: binaries in a
//! closed folder, or with a library missing, are no use.

use std::path::{Path, PathBuf};

use super::{Binaries, PostgresError, account::Account, fetch, process};

/// The oldest major version that the SQL of this workspace is written for.
const MAJOR_MIN: u32 = 15;

/// Where distributions put `bin` folders: a folder of versions, and what follows the version.
const VERSIONED: [(&str, &str); 6] = [
    ("/usr/lib/postgresql", "bin"),
    ("/usr/lib64/postgresql", "bin"),
    ("/usr/libexec", "."),
    ("/opt/homebrew/opt", "bin"),
    ("/usr/local/opt", "bin"),
    ("/Applications/Postgres.app/Contents/Versions", "bin"),
];

/// Other usual folders of programs.
const FIXED: [&str; 4] = ["/usr/pgsql-18/bin", "/usr/pgsql-17/bin", "/usr/pgsql-16/bin", "/usr/local/pgsql/bin"];

/// What to type when nothing is found.
#[cfg(target_os = "macos")]
pub(super) const INSTALL_HINT: &str = "brew install postgresql@17";
/// What to type when nothing is found.
#[cfg(not(target_os = "macos"))]
pub(super) const INSTALL_HINT: &str = "apt-get install -y postgresql, or your system's package of that name";

/// A folder with `postgres` and `initdb` that run.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    /// The folder.
    pub folder: PathBuf,
    /// The version as `postgres --version` says it, for example `17.5`.
    pub version: String,
}

impl Programs {
    fn major(&self) -> Option<u32> {
        major(&self.version)
    }
}

/// Finds programs as `choice` allows. Data that exist already fix the major version: `needed`.
pub(super) fn find(choice: Binaries, account: &Account, needed: Option<u32>) -> Result<Programs, PostgresError> {
    let mut tried = Vec::new();
    if choice != Binaries::Fetch {
        for folder in system_folders() {
            match probe(&folder, account, needed) {
                Ok(programs) => return Ok(programs),
                Err(problem) => tried.push(format!("{}: {problem}", folder.display())),
            }
        }
        if tried.is_empty() {
            tried.push("the system: no postgres in PATH, from pg_config or in the usual folders".to_owned());
        }
    }
    if choice != Binaries::System {
        for archive in fetch::archives() {
            let fetched = fetch::fetch(&archive, account.is_root()).map_err(|error| error.to_string());
            match fetched.and_then(|folder| probe(&folder, account, needed)) {
                Ok(programs) => return Ok(programs),
                Err(problem) => tried.push(format!("{}: {problem}", archive.name())),
            }
        }
        if fetch::archives().is_empty() {
            let (os, cpu) = (std::env::consts::OS, std::env::consts::ARCH);
            tried.push(format!("fetching: no archive with a known checksum for {os} on {cpu}"));
        }
    }
    let needed = needed.map_or_else(
        || format!("{MAJOR_MIN} or newer"),
        |major| format!("{major} (the version that wrote the existing data)"),
    );
    Err(PostgresError::NotFound { needed, tried })
}

fn probe(folder: &Path, account: &Account, needed: Option<u32>) -> Result<Programs, String> {
    let says = process::output(account.command(folder.join("postgres")).arg("--version"))
        .map_err(|error| error.to_string())?;
    process::output(account.command(folder.join("initdb")).arg("--version")).map_err(|error| error.to_string())?;
    let version = says.split_whitespace().nth(2).unwrap_or_default().to_owned();
    let programs = Programs { folder: folder.to_owned(), version };
    match (programs.major(), needed) {
        (None, _) => Err(format!("it calls itself {says:?}")),
        (Some(major), Some(needed)) if major != needed => Err(format!("version {major}, but the data need {needed}")),
        (Some(major), None) if major < MAJOR_MIN => Err(format!("version {major} is older than {MAJOR_MIN}")),
        (Some(_), _) => Ok(programs),
    }
}

/// The first number of a version such as `17.5`, `18beta1` or `15`.
pub(super) fn major(version: &str) -> Option<u32> {
    let digits: String = version.trim().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The folders with a `postgres`, in the order to try them, each once.
fn system_folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let configured = process::output(std::process::Command::new("pg_config").arg("--bindir")).ok();
    let candidates = std::env::split_paths(&path)
        .chain(configured.map(|folder| PathBuf::from(folder.trim())))
        .chain(VERSIONED.iter().flat_map(|(parent, rest)| versions(Path::new(parent), rest)))
        .chain(FIXED.iter().map(PathBuf::from));
    for folder in candidates {
        // Links are followed, because `initdb` looks for `postgres` beside the file that it really is.
        let Ok(program) = folder.join("postgres").canonicalize() else { continue };
        let Some(folder) = program.parent() else { continue };
        if !folders.iter().any(|known| known == folder) {
            folders.push(folder.to_owned());
        }
    }
    folders
}

/// The subfolders of a folder of versions that have to do with PostgreSQL, newest first.
fn versions(parent: &Path, rest: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let version = name.trim_start_matches("postgresql").trim_start_matches(['@', '-']);
            Some((major(version)?, entry.path().join(rest)))
        })
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, folder)| folder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_sorted_by_number() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        for name in ["9", "postgresql@17", "postgresql15", "icu"] {
            std::fs::create_dir(parent.path().join(name)).expect("writable");
        }
        let found = versions(parent.path(), "bin");
        let names: Vec<_> = found.iter().filter_map(|path| path.parent()?.file_name()?.to_str()).collect();
        assert_eq!(names, ["postgresql@17", "postgresql15", "9"]);
        assert_eq!((major("18beta1"), major("15.3 (Debian)"), major("x")), (Some(18), Some(15), None));
    }
}
