//! Who runs the server: the present user, or, because PostgreSQL refuses root, an unprivileged one in root's place.

use std::{
    fs::Permissions,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
    process::{Command, Stdio},
};

use super::{PostgresError, process};

/// The users that root runs a server as, best first.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// The user who runs the server.
#[derive(Clone, Debug)]
pub(super) struct Account {
    /// The number of that user.
    pub uid: u32,
    /// Set when this process is root and the server must run as somebody else: that user's group.
    drop_to_gid: Option<u32>,
}

impl Account {
    /// The present user, or for root the first of `postgres` and `nobody` that exists.
    pub fn choose() -> Result<Self, PostgresError> {
        let own = id(&["-u"]).ok_or_else(|| PostgresError::Program {
            program: "id -u".to_owned(),
            output: "it gave no number".to_owned(),
        })?;
        if own != 0 {
            return Ok(Self { uid: own, drop_to_gid: None });
        }
        UNPRIVILEGED
            .iter()
            .find_map(|name| Some(Self { uid: id(&["-u", name])?, drop_to_gid: Some(id(&["-g", name])?) }))
            .ok_or(PostgresError::NoUser)
    }

    /// Whether this process is root.
    pub fn is_root(&self) -> bool {
        self.drop_to_gid.is_some()
    }

    /// A command that runs as this user, from a folder that everybody can enter, without settings of other servers.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir("/").stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            // PGDATA, PGPORT, PGOPTIONS and their like are meant for another server than ours.
            if name.to_str().is_some_and(|name| name.starts_with("PG")) {
                command.env_remove(name);
            }
        }
        if let Some(gid) = self.drop_to_gid {
            command.uid(self.uid).gid(gid).env("HOME", "/");
        }
        command
    }

    /// Gives a file or folder to this user, with these permissions.
    pub fn take(&self, path: &Path, mode: u32) -> Result<(), PostgresError> {
        if let Some(gid) = self.drop_to_gid {
            std::os::unix::fs::chown(path, Some(self.uid), Some(gid))
                .map_err(PostgresError::file("cannot change the owner of", path))?;
        }
        std::fs::set_permissions(path, Permissions::from_mode(mode))
            .map_err(PostgresError::file("cannot set the permissions of", path))
    }

    /// Whether this user can write into a folder; root must ask, because a parent may be closed to the user.
    pub fn can_write(&self, folder: &Path) -> bool {
        let mut test = self.command("/bin/sh");
        test.args(["-c", "test -w \"$1\" && test -x \"$1\"", "sh"]).arg(folder);
        test.status().is_ok_and(|status| status.success())
    }
}

fn id(arguments: &[&str]) -> Option<u32> {
    process::output(Command::new("id").args(arguments)).ok()?.trim().parse().ok()
}
