//! Calls about the driver of a trial: to prepare its mode, to bring it to `ready`, to send it `go`, to abort it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Call, Done, Job, Ready};
use crate::experiment::{LoadGenerator, Placement};
use crate::units::Nanos;

/// Starts a driver and brings it to `ready`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialPrepare {
    /// Names this attempt.
    pub trial: String,
    /// What to start.
    pub program: Program,
    /// What it is to do.
    pub job: Job,
    /// Environment variables in addition to the agent's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
    /// On which CPUs.
    pub placement: Placement,
    /// The server to be placed too, if it is on this same host.
    pub server_key: Option<String>,
    /// How long it may take to become `ready`.
    pub timeout: Nanos,
}

/// The program of a driver. `D` is what is known of its directory: in a message to a host, that may be one that only the
/// host can find.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program<D = DriverDirectory> {
    /// This program's own `driver` command.
    BuiltIn,
    /// Somebody else's.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// Where a relative program with a slash is looked up, and the driver's working directory.
        directory: D,
    },
    /// This program's own driver for a load generator.
    LoadGenerator {
        /// Which one.
        generator: LoadGenerator,
        /// Program and arguments.
        argv: Vec<String>,
        /// As for a command.
        directory: D,
    },
}

/// Where the files of a driver are on its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum DriverDirectory {
    /// In this directory.
    Path(String),
    /// Where the host has unpacked the files that are inside its own program.
    Builtin {
        /// Their hash, since the program there may have others:
        /// [`identity`](crate::experiment::shipped::identity).
        builtin: String,
    },
}

impl From<&str> for DriverDirectory {
    fn from(path: &str) -> Self {
        Self::Path(path.to_owned())
    }
}

impl Program {
    /// The same, once the host has found the directory.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn locate<E>(
        self,
        find: impl FnOnce(DriverDirectory) -> Result<String, E>,
    ) -> Result<Program<String>, E> {
        Ok(match self {
            Self::BuiltIn => Program::BuiltIn,
            Self::Command { argv, directory } => Program::Command { argv, directory: find(directory)? },
            Self::LoadGenerator { generator, argv, directory } => {
                Program::LoadGenerator { generator, argv, directory: find(directory)? }
            }
        })
    }
}

/// Makes sure, before anything is measured, that the driver of a mode can be started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModePrepare {
    /// The mode, for the log.
    pub mode: String,
    /// What is to be started later.
    pub program: Program,
    /// What is to be run first, in the program's directory; empty if there is nothing to prepare.
    pub prepare: Vec<String>,
    /// How long that may take.
    pub timeout: Nanos,
}
call!(ModePrepare => Option<DriverFiles>, "mode.prepare");

/// What a driver is made of, as far as files can tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DriverFiles {
    /// Of all files and their names: SHA-256 in hexadecimal digits.
    pub sha256: String,
    /// The SHA-256 of each, by its name from the directory of the file that names the mode.
    pub files: BTreeMap<String, String>,
}

/// A driver that waits for `go`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialReady {
    /// What the driver said.
    pub ready: Ready,
    /// What was done about its placement.
    pub placement: AppliedPlacement,
}
call!(TrialPrepare => TrialReady, "trial.prepare", |call| Some(&call.job.server));

/// What was actually done about a placement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppliedPlacement {
    /// Nothing was asked for.
    Free,
    /// Bound to these CPUs, each side to those of its own host.
    Pinned {
        /// The server's CPUs; none if it is not ours to bind.
        server: Vec<u32>,
        /// The client's CPUs; none if the server was placed alone.
        client: Vec<u32>,
    },
    /// This system cannot do it.
    NotApplied {
        /// Why.
        reason: String,
    },
}

/// Starts the measured part and waits for its end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialGo {
    /// [`TrialPrepare::trial`].
    pub trial: String,
    /// How long it may take until `done`.
    pub timeout: Nanos,
}

/// What a driver claims and what its host saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(Default))]
pub struct TrialResult {
    /// The driver's claim.
    pub done: Done,
    /// From `go` to `done` by the agent's monotonic clock: a cross-check.
    pub wall_ns: Nanos,
    /// User and system CPU time of the driver between `go` and `done`, where the system reports it.
    pub cpu_ns: Option<Nanos>,
    /// The same for the busiest thread, where the system reports it, of a driver that is not built in and has few threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busiest_thread_ns: Option<Nanos>,
    /// User and system CPU time of the driver over its whole life, from `wait4`.
    pub total_cpu_ns: Nanos,
    /// Peak resident memory of the driver, from `wait4`.
    pub peak_rss_bytes: u64,
    /// The use of the processes of a task-queue library that execute tasks, where the driver named some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<WorkerUse>,
    /// CPU time on this host between `go` and `done` that neither the driver nor a server of this agent used, where the
    /// system reports it.
    pub foreign_cpu_ns: Option<Nanos>,
    /// Time stolen by the hypervisor between `go` and `done`, over all CPUs.
    pub steal_ns: Option<Nanos>,
    /// Load average over one minute, at `done`.
    pub load1: Option<f64>,
}
call!(TrialGo => TrialResult, "trial.go");

/// What the processes that execute a library's tasks used: a part of what their driver used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkerUse {
    /// User and system CPU time between `go` and `done`, where the system reports it.
    pub cpu_ns: Option<Nanos>,
    /// The sum of the peak resident memory of those that are alive at `done`. Memory that they share is counted once for
    /// each.
    pub peak_rss_bytes: Option<u64>,
}

/// Kills a driver, whatever it does. A pending `trial.prepare` or `trial.go` is answered with `aborted`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialAbort {
    /// [`TrialPrepare::trial`].
    pub trial: String,
}
call!(TrialAbort => (), "trial.abort");
