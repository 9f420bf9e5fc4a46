//! The messages between coordinator, agent and driver, versioned. Nothing but types and their rules.
//!
//! JSON lines in UTF-8, one object a line, at most [`MAX_LINE`] bytes, over standard input and output.
//!
//! A driver reads one [`Job`], prints [`DriverEvent`]s, and starts measuring at [`Go`].
//! An agent reads [`Request`]s and prints [`Response`]s (and [`Notice`]s), matched by number.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::experiment::{Address, Amount, LoadGenerator, Placement, Warmup, WorkloadKind};
use crate::units::Nanos;

/// The version of both protocols. A mismatch is an error that names both.
pub const PROTOCOL: u32 = 1;

/// The git revision of the sources that this program was built from, where that was known.
pub const REVISION: Option<&str> = option_env!("ORCHESTRATE_REVISION");

/// A line longer than this, in bytes and without its newline, is an error.
pub const MAX_LINE: usize = 16 * 1024 * 1024;

// ---------------------------------------------------------------------------------------------- driver

/// The first line that a driver reads: all it has to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Which mode to carry out; a driver may know several.
    pub mode: String,
    /// Where the server is.
    pub server: Endpoint,
    /// What to do there.
    pub workload: JobWorkload,
    /// Workers asked for, after the split rule.
    pub workers: u32,
    /// A worker's keys are `<key_prefix><worker>:<index>`, so that no two workers meet.
    pub key_prefix: String,
    /// What to do before `ready`; keys of the warm-up also begin with the prefix.
    pub warmup: Warmup,
    /// For anything random in a driver.
    pub seed: u64,
    /// Whether the driver deletes, by name and after the measured part, every key that it wrote (warm-up
    /// included). Asked for on servers that must not be flushed.
    #[serde(default)]
    pub delete_keys: bool,
}

/// Where a server is. If `unix_socket` is given it is to be used in place of host and port.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path of a Unix socket.
    pub unix_socket: Option<String>,
    /// For AUTH.
    pub password: Option<String>,
}

impl std::fmt::Debug for Endpoint {
    /// Never shows the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("unix_socket", &self.unix_socket)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .finish()
    }
}

/// The workload as a driver sees it. Of `operations` and `duration_ns` exactly one is given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JobWorkload {
    /// What one operation is.
    pub kind: WorkloadKind,
    /// Operations over all workers.
    pub operations: Option<u64>,
    /// Or: until this much time has passed since `go`.
    pub duration_ns: Option<Nanos>,
    /// Bytes of each value; absent: the decimal index of the operation.
    pub value_bytes: Option<u32>,
    /// Operations per round trip.
    pub pipeline: u32,
    /// Operations per second over all workers; operation k is due at start + k ÷ rate.
    pub rate: Option<u64>,
    /// Whether every GET must return what its SET stored.
    pub verify: bool,
}

impl JobWorkload {
    /// The one of operations and duration that is given; `None` if the job names both or neither.
    #[must_use]
    pub const fn amount(&self) -> Option<Amount> {
        match (self.operations, self.duration_ns) {
            (Some(operations), None) => Some(Amount::Operations(operations)),
            (None, Some(duration)) => Some(Amount::Duration(duration)),
            _ => None,
        }
    }

    /// Operations that are due in an open loop with a duration: those of every batch that is due before its end. Operation
    /// `k`, and the batch that begins with it, is due at `k` ÷ rate. `None` in a closed loop, or for a number of operations.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        let (rate, duration) = (u128::from(self.rate?), u128::from(self.duration_ns?.0));
        let pipeline = u128::from(self.pipeline.max(1));
        let batches = (rate * duration).div_ceil(pipeline * 1_000_000_000);
        Some(u64::try_from(batches * pipeline).unwrap_or(u64::MAX))
    }

    /// How many of `operations` worker number `worker` of `workers` does (even split: the first
    /// `operations % workers` workers do one more).
    #[must_use]
    pub const fn share(operations: u64, workers: u32, worker: u32) -> u64 {
        let (n, w) = (workers as u64, worker as u64);
        operations / n + if w < operations % n { 1 } else { 0 }
    }
}

/// The second line that a driver reads, `{"go":true}`. Nothing before it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Go {
    /// Always true.
    pub go: bool,
}

/// A line that a driver prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum DriverEvent {
    /// Every worker is connected and warm.
    Ready(Ready),
    /// So far; at most ten times a second.
    Progress {
        /// Operations done since `go`.
        operations: u64,
    },
    /// The work is done; the last line.
    Done(Done),
    /// The work cannot be done or was not; the last line.
    Failed {
        /// What kind of failure.
        kind: FailureKind,
        /// One sentence.
        error: String,
    },
}

/// Every worker is connected and warm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Client library and version, such as `redis-rs 1.8.1`.
    pub client: String,
    /// What it runs on, such as `tokio 1.54.1 current-thread`.
    pub runtime: String,
    /// Workers that will really be used.
    pub workers: u32,
    /// What this client does differently from what the job asks for, so that a reader can judge its numbers beside
    /// others; absent if it does exactly that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparability: Option<String>,
}

/// What a driver claims to have done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// From `go` to the last reply of the last operation, by the driver's monotonic clock.
    pub elapsed_ns: Nanos,
    /// Operations completed.
    pub operations: u64,
    /// Operations that failed or, with `verify`, returned something else than was stored.
    pub errors: u64,
    /// Latency of every operation; absent when the mode cannot know it.
    pub latency: Option<Latency>,
    /// Open loop only: how long after it was due the most belated operation was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lag_ns: Option<Nanos>,
    /// Distinct keys that were written, if not one for each operation. Only for a client that says in
    /// [`Ready::comparability`] that this is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// How far the work had come: pairs of nanoseconds since `go` and operations done by then, both ascending. A driver that
    /// does not count them may send [`DriverEvent::Progress`] while it works, which its agent puts here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Vec<(u64, u64)>>,
}

/// Latencies in nanoseconds, in one of two forms that any language can write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Latency {
    /// An HDR histogram, V2 or V2 with DEFLATE, in base64.
    Hdr(String),
    /// Sorted pairs of a bucket's lower bound in nanoseconds and its count, to three significant digits.
    Buckets(Vec<(u64, u64)>),
}

/// Why a driver gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The mode cannot do what the job asks for; trying again is useless.
    Unsupported,
    /// The server cannot be reached or the connection broke.
    Connection,
    /// A GET returned something else than its SET stored.
    Verification,
    /// The job is no job of this protocol.
    Protocol,
    /// Anything else.
    Other,
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unsupported => "unsupported",
            Self::Connection => "connection",
            Self::Verification => "verification",
            Self::Protocol => "protocol",
            Self::Other => "other",
        })
    }
}

// ----------------------------------------------------------------------------------------------- agent

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
    /// The host or its server cannot be had: the run cannot go on there.
    Unavailable,
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

/// A request's arguments, tied to its reply.
pub trait Call: Serialize + DeserializeOwned {
    /// The name on the wire.
    const NAME: &'static str;
    /// What comes back.
    type Reply: Serialize + DeserializeOwned;
}

macro_rules! call {
    ($request:ty => $reply:ty, $name:literal) => {
        impl Call for $request {
            const NAME: &'static str = $name;
            type Reply = $reply;
        }
    };
}

/// The first call: versions, and the lease under which the agent works.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The coordinator's version.
    pub version: String,
    /// What the run is called, for the lock's message.
    pub holder: String,
    /// An agent that has heard nothing for this long stops everything and exits.
    pub lease: Nanos,
}

/// Who answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Welcome {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// The agent's version.
    pub version: String,
    /// The machine.
    pub facts: HostFacts,
}
call!(Hello => Welcome, "hello");

/// What a machine is. What cannot be found out is absent.
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
    /// [`REVISION`] of the program there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Linux: when the kernel uses huge pages unasked: `always`, `madvise` or `never`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transparent_huge_pages: Option<String>,
    /// The version of the CPU's microcode, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub microcode: Option<String>,
    /// How many parts the memory has, each of which is nearer to some CPUs than to others, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numa_nodes: Option<u32>,
    /// Those variables of the agent's environment, which drivers and servers inherit, that change how programs run. No
    /// secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

/// Sees to it that a server is up and persists what its command line says and nothing else; starts or restarts
/// it if need be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerStart {
    /// The coordinator's name for this server process; any number may be up side by side.
    pub key: String,
    /// What to start, or where it is.
    pub launch: Launch,
    /// Whether a process that is already up is to be replaced.
    pub fresh: bool,
}

/// What to start, or where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Launch {
    /// A server process of our own, on a free port of 127.0.0.1 and a Unix socket, or for clients on other hosts.
    Managed {
        /// Looked up on PATH.
        program: String,
        /// Command line.
        args: Vec<String>,
        /// For clients on other hosts: it listens there alone and asks for a random password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<Address>,
    },
    /// A server that somebody else runs.
    External {
        /// Where.
        endpoint: Endpoint,
        /// FLUSHALL is permitted if the server was empty at first sight.
        allow_flush: bool,
    },
}

/// A server that answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerUp {
    /// Where; both TCP and Unix socket are given when both are there.
    pub endpoint: Endpoint,
    /// What it is.
    pub identity: ServerIdentity,
    /// Whether this call started a process.
    pub started: bool,
    /// Whether the server is flushed between trials; if not, drivers delete their keys.
    pub flushes: bool,
    /// How many clients it takes, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientLimit>,
}

/// How many clients a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientLimit {
    /// `maxclients`, which a server lowers where the system allows it fewer open files.
    pub most: u64,
    /// Those that were connected when it was first seen, the one that asked among them.
    pub connected: u64,
}

/// What a server says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerIdentity {
    /// `redis`, `valkey` or what the server calls itself.
    pub name: String,
    /// Its own version: `valkey_version` for Valkey, which reports a Redis version for compatibility.
    pub version: String,
    /// Memory allocator, such as `jemalloc-5.3.0`.
    pub allocator: Option<String>,
    /// Whether `save` or `appendonly` is on, as the command line asked.
    pub persistence: bool,
}
call!(ServerStart => ServerUp, "server.start");

/// What a server is beyond its identity. Asked once, before anything is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerDescribe {
    /// [`ServerStart::key`].
    pub key: String,
}

/// What a server is beyond its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerDescription {
    /// SHA-256 of its program in hexadecimal digits; absent if somebody else runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program_sha256: Option<String>,
    /// Its configuration without passwords, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<BTreeMap<String, String>>,
}
call!(ServerDescribe => ServerDescription, "server.describe");

/// Binds a server that this agent started to its side of a placement on this host, for a client on another host.
/// (A client on the same host is placed together with its server, by [`TrialPrepare::server_key`].)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerPlace {
    /// [`ServerStart::key`].
    pub key: String,
    /// Of which the client's side does not matter here.
    pub placement: Placement,
}
call!(ServerPlace => AppliedPlacement, "server.place");

/// How long the way to a server and back takes, from this host: the median of PINGs one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathProbe {
    /// The server.
    pub endpoint: Endpoint,
    /// How many; at least 1.
    pub pings: u32,
}
call!(PathProbe => Nanos, "path.probe");

/// FLUSHALL SYNC, DBSIZE = 0, CONFIG RESETSTAT, and a baseline of INFO. On a server that is not to be flushed
/// only the baseline is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerReset {
    /// [`ServerStart::key`].
    pub key: String,
}
call!(ServerReset => (), "server.reset");

/// What the server counted since the last reset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerSample {
    /// [`ServerStart::key`].
    pub key: String,
}

/// What the server counted since the last reset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerCounts {
    /// Calls of SET.
    pub set_calls: u64,
    /// Calls of GET.
    pub get_calls: u64,
    /// Calls of SET and GET that the server failed or rejected.
    pub failed_calls: u64,
    /// Calls of scripts and functions, within which a driver could have SETs and GETs counted that cross no wire.
    #[serde(default)]
    pub script_calls: u64,
    /// Time that the server spent in executing SET and GET: the least that any client can have taken.
    #[serde(default)]
    pub executing_ns: Nanos,
    /// Reads of keys that were not there.
    pub keyspace_misses: u64,
    /// Keys now, less keys at the reset.
    pub keys_added: i64,
    /// User and system CPU time of the process.
    pub cpu_ns: Nanos,
    /// The same for its main thread, where the server tells.
    pub main_thread_cpu_ns: Option<Nanos>,
    /// `used_memory` now.
    pub memory_bytes: u64,
    /// How often it read from a connection, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<u64>,
    /// Bytes that it received, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_bytes: Option<u64>,
    /// Bytes that it sent, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_bytes: Option<u64>,
    /// Connections of clients at the reset, the agent's own left out. Known only of a server that the agent started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// Calls of SET and GET that it counted after the driver had said that it was done. Known only where the driver ran
    /// on the server's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_after_done: Option<u64>,
    /// Every other command that was called, by its name in lower case; INFO, which the agent itself asks, left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<String, OtherCalls>,
}

/// Calls of a command that is neither SET nor GET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherCalls {
    /// How many.
    pub calls: u64,
    /// Time that the server spent in executing them.
    pub executing_ns: Nanos,
}
call!(ServerSample => ServerCounts, "server.sample");

/// Stops a server that this agent started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerStop {
    /// [`ServerStart::key`].
    pub key: String,
}
call!(ServerStop => (), "server.stop");

/// Starts a driver and brings it to `ready`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialPrepare {
    /// Names this attempt.
    pub trial: String,
    /// What to start.
    pub program: Program,
    /// What it is to do.
    pub job: Job,
    /// On which CPUs.
    pub placement: Placement,
    /// The server on this same host, if it is on this host, to be placed too.
    pub server_key: Option<String>,
    /// How long until `ready`.
    pub timeout: Nanos,
}

/// The program of a driver.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Program {
    /// This program's own `driver` command.
    BuiltIn,
    /// Somebody else's.
    Command {
        /// Program and arguments.
        argv: Vec<String>,
        /// Where a relative program with a slash is looked up, and the driver's working directory.
        directory: String,
    },
    /// This program's own driver for a load generator.
    LoadGenerator {
        /// Which one.
        generator: LoadGenerator,
        /// Program and arguments.
        argv: Vec<String>,
        /// As for a command.
        directory: String,
    },
}

/// Sees to it, before anything is measured, that the driver of a mode can be started.
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
call!(TrialPrepare => TrialReady, "trial.prepare");

/// What was really done about a placement.
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
    /// How long until `done`.
    pub timeout: Nanos,
}

/// What a driver claims and what its host saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialResult {
    /// The driver's claim.
    pub done: Done,
    /// From `go` to `done` by the agent's monotonic clock: a cross-check.
    pub wall_ns: Nanos,
    /// User and system CPU time of the driver between `go` and `done`, where the system tells.
    pub cpu_ns: Option<Nanos>,
    /// The same for the thread that used most, where the system tells, of a driver with few threads that is not built in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busiest_thread_ns: Option<Nanos>,
    /// User and system CPU time of the driver over its whole life, from `wait4`.
    pub total_cpu_ns: Nanos,
    /// Peak resident memory of the driver, from `wait4`.
    pub peak_rss_bytes: u64,
    /// CPU time on this host between `go` and `done` that neither the driver nor a server of this agent used,
    /// where the system tells.
    pub foreign_cpu_ns: Option<Nanos>,
    /// Time stolen by the hypervisor between `go` and `done`, over all CPUs.
    pub steal_ns: Option<Nanos>,
    /// Load average over one minute, at `done`.
    pub load1: Option<f64>,
}
call!(TrialGo => TrialResult, "trial.go");

/// Kills a driver, whatever it does. A pending `trial.prepare` or `trial.go` is answered with `aborted`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialAbort {
    /// [`TrialPrepare::trial`].
    pub trial: String,
}
call!(TrialAbort => (), "trial.abort");

/// Renews the lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ping {}
call!(Ping => (), "ping");
