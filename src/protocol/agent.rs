//! The messages between coordinator and agent that do not depend on the subject: requests, answers, notices, errors; also
//! the first call, and the one that renews the lease.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Call;
use crate::units::Nanos;

/// A request to an agent. Requests may overlap; each is answered once, by its number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Chosen by the coordinator.
    pub id: u64,
    /// [`Call::NAME`].
    pub call: String,
    /// The [`Call`] itself.
    pub args: serde_json::Value,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// The request's number.
    pub id: u64,
    /// [`Call::Reply`], or why not.
    #[serde(flatten)]
    pub result: Outcome,
}

/// Success or failure of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The reply.
    Ok(serde_json::Value),
    /// The reason.
    Error(AgentError),
}

/// What an agent says unasked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "kebab-case")]
pub enum Notice {
    /// A driver's progress.
    Progress {
        /// The trial.
        trial: String,
        /// Operations since `go`.
        operations: u64,
    },
    /// A line that a child wrote to its standard error, for the run's log.
    Stderr {
        /// The trial.
        trial: String,
        /// The line.
        line: String,
    },
}

/// A line from an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AgentLine {
    /// An answer.
    Response(Response),
    /// Something unasked.
    Notice(Notice),
}

/// Why an agent could not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct AgentError {
    /// What kind of failure.
    pub kind: AgentErrorKind,
    /// What was tried, on what, and what came back.
    pub message: String,
}

impl AgentError {
    /// An error of this kind.
    pub fn new(kind: AgentErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// What follows from an agent's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentErrorKind {
    /// The host or its server is unavailable: the run cannot go on there.
    Unavailable,
    /// Another run has the host: it is available later.
    InUse,
    /// The mode cannot do what was asked: trying again is useless.
    Unsupported,
    /// This attempt failed: another may succeed.
    Failed,
    /// This attempt took too long.
    TimedOut,
    /// This attempt was aborted by the coordinator.
    Aborted,
    /// The request itself is wrong.
    Protocol,
}

/// The first call: versions, and the lease under which the agent works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`](super::PROTOCOL).
    pub protocol: u32,
    /// The coordinator's version.
    pub version: String,
    /// What the run is called, for the lock's message.
    pub holder: String,
    /// An agent that has heard nothing for this long stops everything and exits.
    pub lease: Nanos,
    /// Variables of the environment that hold secrets: no process that the agent starts inherits them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub withheld: Vec<String>,
}

/// Who is answering.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`PROTOCOL`](super::PROTOCOL).
    pub protocol: u32,
    /// The agent's version.
    pub version: String,
    /// The machine.
    pub facts: HostFacts,
}
call!(Hello => Welcome, "hello");

/// Facts about a machine. What cannot be determined is absent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Its own name.
    pub hostname: String,
    /// Name and version, such as `Debian GNU/Linux 12`.
    pub os: String,
    /// Such as `Linux 6.18.44`.
    pub kernel: String,
    /// Such as `x86_64`.
    pub arch: String,
    /// Model name.
    pub cpu: Option<String>,
    /// CPUs that this process may use.
    pub cpus: u32,
    /// Physical cores of the whole machine, each of which may be several CPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Physical memory.
    pub memory_bytes: Option<u64>,
    /// Such as `kvm`, `docker`; absent on bare metal or when unknown.
    pub virtualisation: Option<String>,
    /// How the frequency of its CPUs is chosen, in the words of its system: `performance, boost off` on Linux,
    /// `low power mode` on macOS, `hwpstate_intel, energy preference 50` on FreeBSD.
    pub governor: Option<String>,
    /// The kernel's clock source, such as `tsc`.
    pub clock: Option<String>,
    /// Load average over one minute, at `hello`.
    pub load1: Option<f64>,
    /// Whether processes can be bound to CPUs here.
    pub can_pin: bool,
    /// [`REVISION`](super::REVISION) of the program there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// How the program there was built, including its built-in clients. Earlier versions did not report it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    /// Linux: when the kernel uses huge pages unasked: `always`, `madvise` or `never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transparent_huge_pages: Option<String>,
    /// The version of the CPU's microcode, where the system reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microcode: Option<String>,
    /// The number of NUMA nodes: parts of the memory, each nearer to some CPUs than to others. Where the system reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numa_nodes: Option<u32>,
    /// Variables in the agent's environment that change how programs run, and that drivers and servers inherit. No secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

/// What determines how fast a program is, besides its sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Cargo's profile, by the directory that it builds into: `release`, `quick`, `debug`.
    pub profile: String,
    /// The compiler's `opt-level`.
    pub opt_level: String,
    /// Such as `x86_64-unknown-linux-gnu`.
    pub target: String,
    /// Cargo features, in the order of their names.
    pub features: Vec<String>,
}

impl Build {
    /// How this program was built.
    #[must_use]
    pub fn of_this_program() -> Self {
        let features = [
            ("fred", cfg!(feature = "fred")),
            ("png", cfg!(feature = "png")),
            ("rustis", cfg!(feature = "rustis")),
        ];
        Self {
            profile: env!("ORCHESTRATE_PROFILE").to_owned(),
            opt_level: env!("ORCHESTRATE_OPT_LEVEL").to_owned(),
            target: env!("ORCHESTRATE_TARGET").to_owned(),
            features: features.into_iter().filter(|(_, on)| *on).map(|(name, _)| name.to_owned()).collect(),
        }
    }
}

/// Renews the lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ping {}
call!(Ping => (), "ping");
