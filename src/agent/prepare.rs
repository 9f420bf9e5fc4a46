//! Before anything is measured: what a mode needs is prepared, and its program is looked for.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use tokio::process::{ChildStderr, ChildStdout};
use tokio::time::timeout;

use super::driver::in_directory;
use super::driver_files::driver_files;
use super::line_writer::LineWriter;
use super::stderr::Stderr;
use crate::experiment::words;
use crate::host::child::{self, Child};
use crate::host::programs;
use crate::host::secrets::excerpt;
use crate::protocol::{AgentError, AgentErrorKind, DriverFiles, Program};
use crate::units::Nanos;
use crate::untrusted::SENTENCE;

/// Runs what prepares a mode, looks for the program of its driver on `path`, as a shell would, and says what the driver is made
/// of; nothing for a built-in one, which is this program.
///
/// # Errors
/// With what was tried and its last words. What was started is dead then, with its process group.
pub(super) async fn prepare(
    mode: &str,
    program: &Program<String>,
    prepare: &[String],
    within: Nanos,
    path: &OsStr,
    writer: LineWriter,
) -> Result<Option<DriverFiles>, AgentError> {
    let (Program::Command { argv, directory } | Program::LoadGenerator { argv, directory, .. }) = program
    else {
        return Ok(None);
    };
    if !prepare.is_empty() {
        let (name, mut command) = in_directory(prepare, directory)?;
        command.args(&prepare[1..]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let shown = words(prepare);
        let failed = |kind, what: String| AgentError::new(kind, format!("`{shown}` in {directory} {what}"));
        let mut child = Child::spawn(&mut command, None).map_err(|error| {
            failed(AgentErrorKind::Unsupported, format!("cannot be started: `{name}`: {error}"))
        })?;
        let what = format!("preparing {mode}");
        let [stdout, stderr] = follow(&mut child, &what, &writer)
            .map_err(|error| failed(AgentErrorKind::Failed, format!("cannot be followed: {error}")))?;
        let in_time = timeout(within.duration(), child.exited()).await.is_ok();
        let ended = child.end();
        child::end_orphans();
        let words = [stderr.last_line().await, stdout.last_line().await];
        let last = words.into_iter().find(|line| !line.is_empty());
        let last =
            last.map_or_else(String::new, |line| format!("; its last words: {}", excerpt(&line, SENTENCE)));
        match ended {
            _ if !in_time => {
                let what = format!("did not end within {within}{last}");
                return Err(failed(AgentErrorKind::TimedOut, what));
            }
            Ok(ended) if ended.status.success() => {}
            Ok(ended) => {
                let what = format!("failed: {}{last}", child::describe(ended.status));
                return Err(failed(AgentErrorKind::Failed, what));
            }
            Err(error) => {
                return Err(failed(AgentErrorKind::Failed, format!("cannot be waited for: {error}")));
            }
        }
    }
    let (name, located) = in_directory(argv, directory)?;
    match programs::find(located.get_program(), path) {
        Some(found) => match programs::obstacle(&found) {
            Some(obstacle) => Err(AgentError::new(AgentErrorKind::Unsupported, obstacle)),
            None => Ok(Some(driver_files(argv, directory, path))),
        },
        None => {
            let located = Path::new(located.get_program());
            let obstacle = programs::obstacle(located).filter(|_| name.contains('/'));
            let what = obstacle.unwrap_or_else(|| format!("program `{name}` not found on PATH"));
            Err(AgentError::new(AgentErrorKind::Unsupported, what))
        }
    }
}

fn follow(child: &mut Child, what: &str, writer: &LineWriter) -> std::io::Result<[Stderr; 2]> {
    let process = child.process().ok_or(std::io::ErrorKind::NotFound)?;
    let stdout = ChildStdout::from_std(process.stdout.take().ok_or(std::io::ErrorKind::NotFound)?)?;
    let stderr = ChildStderr::from_std(process.stderr.take().ok_or(std::io::ErrorKind::NotFound)?)?;
    Ok([
        Stderr::follow(stdout, what.to_owned(), writer.clone()),
        Stderr::follow(stderr, what.to_owned(), writer.clone()),
    ])
}
