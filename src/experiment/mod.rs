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
pub(crate) mod grid;
mod hosts;
mod matrix;
mod modes;
mod parse;
mod read;
mod schema;
mod server_args;
mod servers;
mod show;
mod source;
mod sweep;
mod tables;
mod values;
mod workload;

pub use diagnose::{Diagnostics, Finding, Location};
pub use hosts::{Address, HostPair, HostSpec, Transport};
pub use modes::{Absent, Builtin, BuiltinMode, LoadGenerator, ModeSpec, Threads};
pub use parse::parse;
pub use read::MOST_BYTES as MAX_FILE;
pub use schema::schema;
pub use server_args::data_directory;
pub use servers::{Lifetime, ServerSpec};
pub(crate) use show::{or_absent, words};
pub use source::{Source, includes, resolved_text};
pub use workload::{Amount, Link, Split, Workload, WorkloadKind};

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

impl Experiment {
    /// What a host says of the placement of a trial that leaves it free.
    #[must_use]
    pub fn pin(&self, settings: &Settings, host: &str) -> Option<&Placement> {
        let pin = self.hosts.get(host)?.pin.as_ref()?;
        (settings.placement == Placement::Free).then_some(pin)
    }

    /// On which CPUs of a host the two sides of a trial are to run.
    #[must_use]
    pub fn placement<'a>(&'a self, settings: &'a Settings, host: &str) -> &'a Placement {
        self.pin(settings, host).unwrap_or(&settings.placement)
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

impl Matrix {
    /// What of the matrix says how many cells there are.
    pub(crate) fn grid(&self) -> grid::Grid {
        let cut = |exclude: &Exclude| {
            let axes = self.axes.iter().enumerate().filter_map(|(index, axis)| {
                let (_, excluded) = exclude.levels.iter().find(|(factor, _)| *factor == axis.factor)?;
                let levels = (0..).zip(&axis.levels).filter(|(_, level)| excluded.contains(level));
                Some((index, levels.map(|(number, _)| number).collect()))
            });
            axes.collect()
        };
        grid::Grid {
            sizes: self.axes.iter().map(|axis| axis.levels.len()).collect(),
            excludes: self.exclude.iter().map(cut).collect(),
        }
    }
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
    /// Whether one cell has a twin: the same settings once more, as a cell of its own.
    pub control: bool,
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
        /// How far from the median either end of the interval may be, over the median: 0.02 for "2%".
        precision: f64,
    },
}

impl Repetitions {
    /// The smallest number that there can be.
    #[must_use]
    pub const fn least(self) -> u32 {
        match self {
            Self::Fixed(n) | Self::Until { min: n, .. } => n,
        }
    }

    /// The largest number that there can be.
    #[must_use]
    pub const fn most(self) -> u32 {
        match self {
            Self::Fixed(n) | Self::Until { max: n, .. } => n,
        }
    }
}

impl fmt::Display for Repetitions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Fixed(n) => n.fmt(f),
            Self::Until { min, max, precision } => {
                // A percentage as one writes it: 0.07 × 100 is 7.000000000000001.
                let percent = (precision * 1e8).round() / 1e6;
                write!(f, "{min} to {max}, until every median is known to ±{percent}%")
            }
        }
    }
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
