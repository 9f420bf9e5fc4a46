//! TOML text becomes an [`Experiment`]. Opens no file and starts nothing: parsing touches nothing but its input.
//!
//! `source` is the text, `read` turns it into the plain structs of `file` (whose richer values are in `forms`,
//! `values` and `sweep`), `parse` says what they mean, with the help of `tables` (servers, hosts, modes), `axes`
//! (levels) and `matrix`; `cells` and `grid` check what must hold of combinations. All of them note what is wrong in
//! `diagnose` and go on. The types that everybody else uses are below.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

mod axes;
mod cells;
mod diagnose;
mod file;
mod forms;
mod grid;
mod matrix;
mod parse;
mod read;
mod schema;
mod show;
mod source;
mod sweep;
mod tables;
mod values;

pub use diagnose::{Diagnostics, Finding, Location};
pub use parse::parse;
pub use read::MOST_BYTES as MAX_FILE;
pub use schema::schema;
pub(crate) use show::{or_absent, words};
pub use source::{Source, includes, resolved_text};

/// No cell has more workers than this: each has a connection, and the system a limit of them.
pub const MAX_WORKERS: u32 = 10_000;

/// One experiment, checked and resolved: every name in it exists, every default is filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Results go to `results/<name>/`.
    pub name: String,
    /// What the experiment is to answer; shown in the report.
    pub question: Option<String>,
    /// Every server that a cell may name.
    pub servers: BTreeMap<String, ServerSpec>,
    /// Every host that a cell may name; `local` is always among them.
    pub hosts: BTreeMap<String, HostSpec>,
    /// Modes with a driver of their own; built-in modes have no entry.
    pub modes: BTreeMap<String, ModeSpec>,
    /// The union of these is the experiment. Never empty.
    pub matrices: Vec<Matrix>,
    /// How the run is carried out.
    pub run: RunSpec,
}

/// A mode that needs no table in the file, and what it can do. The experiment only knows names and abilities; the
/// code behind them is in [`crate::driver`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltinMode {
    /// The name in files and tables.
    pub name: &'static str,
    /// One line for `orchestrate modes`.
    pub summary: &'static str,
    /// Client library and version.
    pub client: &'static str,
    /// How workers are carried, in a few words.
    pub concurrency: &'static str,
    /// How many threads do the work.
    pub threads: Threads,
    /// Whether more than one operation may share a round trip (`workload.pipeline` above 1).
    pub can_pipeline: bool,
    /// Whether it keeps to `workload.rate`.
    pub can_rate: bool,
    /// Whether a matrix that names no modes has it. What does not is in a plan only by its name, so that a build with
    /// one library more plans the same trials.
    pub by_default: bool,
}

/// The modes that need no table in the file.
#[derive(Clone, Copy, Debug)]
pub struct Builtin<'a> {
    /// Those of this build.
    pub modes: &'a [BuiltinMode],
    /// Those of other builds.
    pub absent: &'a [Absent],
}

impl Builtin<'_> {
    /// The cargo feature that this build lacks for a mode of this name, if there is one.
    #[must_use]
    pub fn lacks(&self, name: &str) -> Option<&'static str> {
        self.absent.iter().find(|absent| absent.modes.contains(&name)).map(|absent| absent.feature)
    }
}

/// Modes that a program has only if it was built with a cargo feature, and this one was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    /// The feature.
    pub feature: &'static str,
    /// The names of the modes.
    pub modes: &'static [&'static str],
}

/// How many threads of a client do the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// One, however many workers there are.
    One,
    /// One for each worker.
    PerWorker,
    /// One for each CPU that the client may use.
    PerCpu,
}

impl Threads {
    /// How many CPUs they can keep busy, if the client may use `cpus`.
    #[must_use]
    pub fn can_use(self, workers: u32, cpus: u32) -> u32 {
        match self {
            Self::One => 1,
            Self::PerWorker => workers.min(cpus),
            Self::PerCpu => cpus,
        }
    }
}

/// Every combination of the levels of its axes, less what is excluded.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    /// The settings before any level is applied.
    pub base: Settings,
    /// The factors of this matrix in the order of the file; the last one varies fastest. No axis is empty, no
    /// two have the same factor, no level stands twice in one axis.
    pub axes: Vec<Axis>,
    /// A cell that any of these matches does not exist.
    pub exclude: Vec<Exclude>,
}

/// A factor and its levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What varies.
    pub factor: Factor,
    /// Its values, in the order of the file. Never empty.
    pub levels: Vec<Level>,
}

/// Matches the cells that have, for every factor named here, one of the levels listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Exclude {
    /// Only factors that are axes of the matrix, only levels of those axes.
    pub levels: Vec<(Factor, Vec<Level>)>,
}

/// What can vary between cells. The dotted name ([`Factor::name`]) is the one used in files and tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Factor {
    /// `hosts`: where the client and the server run.
    Hosts,
    /// `servers`.
    Server,
    /// `modes`.
    Mode,
    /// `workers`.
    Workers,
    /// `workload.operations` or `workload.duration`.
    Amount,
    /// `workload.value_bytes`.
    ValueBytes,
    /// `workload.pipeline`.
    Pipeline,
    /// `workload.rate`.
    Rate,
    /// `workload.verify`.
    Verify,
    /// `workload.split`.
    Split,
    /// `workload.link`.
    Link,
    /// `server.args`.
    ServerArgs,
    /// `server.lifetime`.
    Lifetime,
    /// `run.placement`.
    Placement,
    /// `run.warmup`.
    Warmup,
}

impl Factor {
    /// The name used in files and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hosts => "hosts",
            Self::Server => "servers",
            Self::Mode => "modes",
            Self::Workers => "workers",
            Self::Amount => "workload.amount",
            Self::ValueBytes => "workload.value_bytes",
            Self::Pipeline => "workload.pipeline",
            Self::Rate => "workload.rate",
            Self::Verify => "workload.verify",
            Self::Split => "workload.split",
            Self::Link => "workload.link",
            Self::ServerArgs => "server.args",
            Self::Lifetime => "server.lifetime",
            Self::Placement => "run.placement",
            Self::Warmup => "run.warmup",
        }
    }
}

/// One value of a factor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each variant is the factor of the same name")]
pub enum Level {
    Hosts(HostPair),
    Server(String),
    Mode(String),
    Workers(u32),
    Amount(Amount),
    ValueBytes(u32),
    Pipeline(u32),
    Rate(u64),
    Verify(bool),
    Split(Split),
    Link(Link),
    ServerArgs(Vec<String>),
    Lifetime(Lifetime),
    Placement(Placement),
    Warmup(Warmup),
}

impl Level {
    /// The factor that this is a level of.
    #[must_use]
    pub const fn factor(&self) -> Factor {
        match self {
            Self::Hosts(_) => Factor::Hosts,
            Self::Server(_) => Factor::Server,
            Self::Mode(_) => Factor::Mode,
            Self::Workers(_) => Factor::Workers,
            Self::Amount(_) => Factor::Amount,
            Self::ValueBytes(_) => Factor::ValueBytes,
            Self::Pipeline(_) => Factor::Pipeline,
            Self::Rate(_) => Factor::Rate,
            Self::Verify(_) => Factor::Verify,
            Self::Split(_) => Factor::Split,
            Self::Link(_) => Factor::Link,
            Self::ServerArgs(_) => Factor::ServerArgs,
            Self::Lifetime(_) => Factor::Lifetime,
            Self::Placement(_) => Factor::Placement,
            Self::Warmup(_) => Factor::Warmup,
        }
    }

    /// Puts this level into the settings of a trial.
    pub fn apply(&self, settings: &mut Settings) {
        match self.clone() {
            Self::Hosts(hosts) => settings.hosts = hosts,
            Self::Server(server) => settings.server = server,
            Self::Mode(mode) => settings.mode = mode,
            Self::Workers(workers) => settings.workers = workers,
            Self::Amount(amount) => settings.workload.amount = amount,
            Self::ValueBytes(bytes) => settings.workload.value_bytes = Some(bytes),
            Self::Pipeline(pipeline) => settings.workload.pipeline = pipeline,
            Self::Rate(rate) => settings.workload.rate = Some(rate),
            Self::Verify(verify) => settings.workload.verify = verify,
            Self::Split(split) => settings.workload.split = split,
            Self::Link(link) => settings.workload.link = link,
            Self::ServerArgs(args) => settings.server_args = Some(args),
            Self::Lifetime(lifetime) => settings.lifetime = Some(lifetime),
            Self::Placement(placement) => settings.placement = placement,
            Self::Warmup(warmup) => settings.warmup = warmup,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosts(hosts) => hosts.fmt(f),
            Self::Server(name) | Self::Mode(name) => f.write_str(name),
            Self::Workers(n) | Self::ValueBytes(n) | Self::Pipeline(n) => n.fmt(f),
            Self::Amount(amount) => amount.fmt(f),
            Self::Rate(rate) => write!(f, "{rate}/s"),
            Self::Verify(verify) => verify.fmt(f),
            Self::Split(split) => split.fmt(f),
            Self::Link(link) => link.fmt(f),
            Self::ServerArgs(args) => f.write_str(&words(args)),
            Self::Lifetime(lifetime) => lifetime.fmt(f),
            Self::Placement(placement) => placement.fmt(f),
            Self::Warmup(warmup) => warmup.fmt(f),
        }
    }
}

/// All that a trial is to do. Every field is a possible factor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// Where the client and the server run.
    pub hosts: HostPair,
    /// A name in [`Experiment::servers`].
    pub server: String,
    /// A built-in mode or a name in [`Experiment::modes`].
    pub mode: String,
    /// Concurrent workers asked for; at least 1.
    pub workers: u32,
    /// What each worker does.
    pub workload: Workload,
    /// In place of the server's own arguments.
    pub server_args: Option<Vec<String>>,
    /// In place of the server's own lifetime.
    pub lifetime: Option<Lifetime>,
    /// On which CPUs client and server run.
    pub placement: Placement,
    /// What is done before the measured part.
    pub warmup: Warmup,
}

/// Client and server host of a trial, by their names in the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPair {
    /// Where the driver runs.
    pub client: String,
    /// Where the server runs.
    pub server: String,
}

impl HostPair {
    /// Client and server on the same host.
    #[must_use]
    pub fn same(name: &str) -> Self {
        Self { client: name.to_owned(), server: name.to_owned() }
    }
}

impl fmt::Display for HostPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.client == self.server {
            f.write_str(&self.client)
        } else {
            write!(f, "{} → {}", self.client, self.server)
        }
    }
}

/// What the workers do to the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Workload {
    /// What one operation is.
    pub kind: WorkloadKind,
    /// How much of it.
    pub amount: Amount,
    /// Bytes of each value; absent: the decimal index of the operation.
    pub value_bytes: Option<u32>,
    /// Operations per round trip; at least 1.
    pub pipeline: u32,
    /// Operations per second over all workers (open loop); absent: as fast as they go (closed loop).
    pub rate: Option<u64>,
    /// Whether every GET must return what its SET stored.
    pub verify: bool,
    /// How operations are shared among workers.
    pub split: Split,
    /// How the client reaches the server.
    pub link: Link,
}

/// What one operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadKind {
    /// A SET followed by a GET of the same key, as in the seed article.
    SetGet,
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SetGet => "set-get",
        })
    }
}

/// When a trial ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// After this many operations, over all workers.
    Operations(u64),
    /// When this much time has passed.
    #[serde(rename = "duration_ns")]
    Duration(Nanos),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operations(n) => write!(f, "{n} operations"),
            Self::Duration(d) => d.fmt(f),
        }
    }
}

/// How operations are shared among workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// As evenly as possible: the first `operations % workers` workers do one more.
    Even,
    /// The article's rule: the next larger worker count that divides the operations.
    Divisor,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Even => "even",
            Self::Divisor => "divisor",
        })
    }
}

impl Split {
    /// The number of workers that really work: with [`Split::Divisor`] the smallest divisor of `operations` that
    /// is no smaller than `workers` (the seed article's `closest_divistor`). In a checked experiment that is at most
    /// [`MAX_WORKERS`].
    #[must_use]
    pub fn workers(self, amount: Amount, workers: u32) -> u32 {
        match (self, amount) {
            (Self::Divisor, Amount::Operations(operations)) => {
                smallest_divisor(operations, workers).unwrap_or(workers)
            }
            _ => workers,
        }
    }
}

/// The smallest divisor of `n` that is no smaller than `from`, if it fits. Divisors come in pairs, one of which is at
/// most the square root.
fn smallest_divisor(n: u64, from: u32) -> Option<u32> {
    // What a checked experiment asks for is found here, in as many steps as there may be workers.
    if let Some(near) = (from.max(1)..=MAX_WORKERS).find(|&divisor| n.is_multiple_of(u64::from(divisor))) {
        return Some(near);
    }
    (1..=n.isqrt())
        .filter(|&small| n.is_multiple_of(small))
        .flat_map(|small| [small, n / small])
        .filter(|&divisor| divisor >= u64::from(from))
        .min()
        .and_then(|divisor| u32::try_from(divisor).ok())
}

/// The largest divisor of `n` that is at most `limit`, which is at least 1.
fn largest_divisor(n: u64, limit: u32) -> u32 {
    (1..=limit).rev().find(|&divisor| n.is_multiple_of(u64::from(divisor))).unwrap_or(1)
}

/// How the client reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// TCP, over loopback or a network.
    Tcp,
    /// A Unix socket; client and server on one host.
    Unix,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
        })
    }
}

/// On which CPUs client and server run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Wherever the scheduler puts them.
    Free,
    /// Both on one CPU.
    SameCore,
    /// The server on one CPU, the client on the others.
    Split,
    /// On these CPUs, by their numbers.
    Cpus {
        /// The server's CPUs.
        server: Vec<u32>,
        /// The client's CPUs.
        client: Vec<u32>,
    },
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => f.write_str("free"),
            Self::SameCore => f.write_str("same-core"),
            Self::Split => f.write_str("split"),
            Self::Cpus { server, client } => write!(f, "cpus server={server:?} client={client:?}"),
        }
    }
}

/// What is done before the measured part, and not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warmup {
    /// Operations over all workers; may be 0.
    Operations(u64),
    /// For this long.
    #[serde(rename = "duration_ns")]
    Duration(Nanos),
}

impl fmt::Display for Warmup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operations(n) => write!(f, "{n} operations"),
            Self::Duration(d) => d.fmt(f),
        }
    }
}

/// A server that cells may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerSpec {
    /// One that orchestrate starts and stops.
    Managed {
        /// Looked up on the server host's PATH.
        program: String,
        /// Its command line, without what orchestrate adds itself (port, sockets, directory).
        args: Vec<String>,
        /// How long one process serves.
        lifetime: Lifetime,
    },
    /// One that somebody else runs: never flushed (unless allowed), configured or stopped.
    External {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
        /// The environment variable of the coordinator that holds the password.
        password_env: Option<String>,
        /// FLUSHALL is permitted if the server was empty at first sight.
        allow_flush: bool,
    },
}

/// How long one server process serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lifetime {
    /// One process for the run, FLUSHALL between trials.
    Run,
    /// A fresh process for every trial.
    Trial,
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "run",
            Self::Trial => "trial",
        })
    }
}

/// A machine and the way to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostSpec {
    /// How to reach an agent there.
    pub transport: Transport,
    /// Where other hosts reach a server started here.
    pub address: Option<String>,
    /// This program there; `None` for the one that runs, if the host is `local`, and else for `orchestrate` on PATH.
    pub agent: Option<String>,
}

/// How to reach an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// A child process.
    Local,
    /// The system's OpenSSH.
    Ssh {
        /// The destination as `ssh` takes it.
        target: String,
    },
    /// `srun`.
    Slurm {
        /// Options for `srun`.
        options: Vec<String>,
    },
    /// Any program that hands over a standard input and output.
    Command {
        /// The words that stand before the agent's own command.
        prefix: Vec<String>,
    },
}

/// A mode that is not built in: a driver of its own, or a load generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModeSpec {
    /// Program and arguments, as written in the file. A program with a slash that is not absolute is looked up
    /// from `directory`.
    pub command: Vec<String>,
    /// Which load generator the command starts; absent if it starts a driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_generator: Option<LoadGenerator>,
    /// What is run in `directory` before anything is measured, such as the installation of a client library; empty
    /// if there is nothing to prepare. Never part of a cell's identity, and neither is what follows.
    #[serde(skip)]
    pub prepare: Vec<String>,
    /// Whether a run goes on without this mode where it cannot be had.
    #[serde(skip)]
    pub optional: bool,
    /// The directory of the file that names the mode.
    #[serde(skip)]
    pub directory: std::path::PathBuf,
}

/// A program that makes load by itself and speaks no driver protocol. How each is told what to do, and what it says,
/// is known to [`crate::driver`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum LoadGenerator {
    /// Comes with Redis.
    #[serde(rename = "redis-benchmark")]
    RedisBenchmark,
    /// Comes with Valkey.
    #[serde(rename = "valkey-benchmark")]
    ValkeyBenchmark,
    /// Redis Ltd.'s other one.
    #[serde(rename = "memtier_benchmark")]
    Memtier,
}

impl LoadGenerator {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::RedisBenchmark, Self::ValkeyBenchmark, Self::Memtier];

    /// The word in files, which is also what the program is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RedisBenchmark => "redis-benchmark",
            Self::ValkeyBenchmark => "valkey-benchmark",
            Self::Memtier => "memtier_benchmark",
        }
    }
}

impl fmt::Display for LoadGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a run is carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSpec {
    /// How often every cell is executed.
    pub repetitions: Repetitions,
    /// In which order.
    pub order: Order,
    /// Everything random follows from it.
    pub seed: u64,
    /// A trial that takes longer, from its driver's start to its last line, has failed.
    pub timeout: Nanos,
    /// How often a failed trial is tried again.
    pub retries: u32,
}

/// How often every cell is executed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Repetitions {
    /// Exactly this often; at least once.
    Fixed(u32),
    /// In whole blocks until the 95% interval of every cell's median is narrow enough.
    Until {
        /// At least this often.
        min: u32,
        /// At most this often.
        max: u32,
        /// Half the width of the interval over the median: 0.02 for "2%".
        precision: f64,
    },
}

/// The order of trials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// Each repetition runs every cell once, in a newly shuffled order.
    ShuffledBlocks,
    /// Each repetition runs every cell once, in the order of the file.
    Sequential,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShuffledBlocks => "shuffled-blocks",
            Self::Sequential => "sequential",
        })
    }
}
