//! `orchestrate agent`: serves on this host until its input ends. A coordinator starts it.

use std::path::PathBuf;

use tracing_subscriber::filter::LevelFilter;

use crate::agent::{self, Options};
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
    let tmp = std::env::temp_dir();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let lock = args.lock.unwrap_or_else(|| tmp.join("orchestrate.lock"));
    let environment = facts::environment(std::env::vars_os());
    agent::run(Options {
        driver_program: std::env::current_exe()?,
        lock: Some(lock),
        tmp,
        environment,
        path,
        cache: cache(),
    })
    .map_err(|error| Failure::Unavailable(anyhow::anyhow!("{error}")))?;
    Ok(Exit::Complete)
}

/// Where this user's programs keep what can be made again. A relative path is invalid (XDG Base Directory Specification).
pub(super) fn cache() -> Option<PathBuf> {
    let directory = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    directory("XDG_CACHE_HOME").or_else(|| Some(directory("HOME")?.join(".cache")))
}
