//! `orchestrate agent`: serves on this host until its input ends. A coordinator starts it.

use std::path::PathBuf;

use tracing_subscriber::filter::LevelFilter;

use crate::agent::{self, LockPlace, Options};
use crate::cli::AgentArgs;
use crate::commands::{Exit, Failure};
use crate::host::facts;

pub(super) fn agent(args: AgentArgs) -> Result<Exit, Failure> {
    // The coordinator keeps what an agent says on its standard error in the log of the run.
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .without_time()
        .with_max_level(LevelFilter::WARN)
        .init();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let lock = match args.lock {
        Some(file) => LockPlace::File(file),
        None => LockPlace::Directories { tmp: std::env::var_os("TMPDIR").map(PathBuf::from), own: own() },
    };
    let environment = facts::environment(std::env::vars_os());
    agent::run(Options {
        driver_program: std::env::current_exe()?,
        lock,
        tmp: std::env::temp_dir(),
        environment,
        path,
        cache: cache(),
    })
    .map_err(|error| Failure::Unavailable(anyhow::anyhow!("{error}")))?;
    Ok(Exit::Complete)
}

/// Where this user's programs keep what can be recreated.
pub(super) fn cache() -> Option<PathBuf> {
    directory("XDG_CACHE_HOME").or_else(|| Some(directory("HOME")?.join(".cache")))
}

/// Directories that only this user may touch: the one of a session, which goes away with it, and the permanent one.
fn own() -> Vec<PathBuf> {
    let state = directory("XDG_STATE_HOME").or_else(|| Some(directory("HOME")?.join(".local/state")));
    let runtime = directory("XDG_RUNTIME_DIR");
    // Always in this order, so that no two wait for each other.
    [state, runtime].into_iter().flatten().map(|directory| directory.join("orchestrate")).collect()
}

/// A directory that the environment names. A relative path is invalid (XDG Base Directory Specification).
fn directory(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}
