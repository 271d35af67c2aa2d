//! Small dealings with other processes: run one and read what it says, and see whether one still lives.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use super::PostgresError;

/// The most of a program's output that an error repeats, in bytes.
const OUTPUT_BYTES_MAX: usize = 2000;

/// Runs a program to its end and returns what it wrote to standard output.
pub(super) fn output(command: &mut Command) -> Result<String, PostgresError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |output: String| PostgresError::Program { program, output };
    match command.stdin(Stdio::null()).output() {
        Err(error) => Err(failed(error.to_string())),
        Ok(output) if !output.status.success() => {
            let said = [output.stdout, output.stderr].concat();
            Err(failed(format!("{}: {}", output.status, tail(&said))))
        }
        Ok(output) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
    }
}

/// The end of what a program wrote.
pub(super) fn tail(bytes: &[u8]) -> String {
    let start = bytes.len().saturating_sub(OUTPUT_BYTES_MAX);
    String::from_utf8_lossy(&bytes[start..]).trim().to_owned()
}

/// Whether the process `pid` lives and was started with `home` in its arguments. The arguments are looked at because
/// process numbers are used again, above all after a restart of a container.
pub(super) fn is_ours(pid: u32, home: &Path) -> bool {
    arguments(pid).is_some_and(|arguments| arguments.contains(&*home.to_string_lossy()))
}

fn arguments(pid: u32) -> Option<String> {
    if Path::new("/proc/self/cmdline").exists() {
        let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).ok()?;
        return Some(String::from_utf8_lossy(&bytes).into_owned());
    }
    output(Command::new("ps").args(["-ww", "-o", "args=", "-p"]).arg(pid.to_string())).ok()
}

/// Asks a postmaster for a fast shutdown: clients are sent away, everything is written, nothing is lost.
pub(super) fn ask_to_stop(pid: u32) {
    // Failing is fine: it may have ended by itself.
    let _ = Command::new("kill").arg("-INT").arg(pid.to_string()).stderr(Stdio::null()).status();
}
