//! TOML text becomes an [`Experiment`]. Opens no file and starts nothing: parsing touches nothing but its input.
//!
//! `source` is the text (`shipped` what of it is inside this program). `syntax` makes a TOML tree of it, and `deserialize` turns that
//! into the plain structs of `file`; its settings are in `given` (by the list in [`crate::setting`]), its richer values in
//! `spanned`, `literals` and `sweep`. `resolve` says what they mean, with the help of `tables` (servers, hosts, modes), `axes`
//! (levels) and `matrix`; `constraints` and `grid` check what must hold of combinations. All of them note what is wrong in
//! `diagnose` and go on. The types that everybody else uses are below.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::Nanos;

mod address;
mod axes;
mod constraints;
mod deserialize;
mod diagnose;
mod file;
mod given;
pub(crate) mod grid;
mod hosts;
mod labels;
mod list_literals;
mod literals;
mod matrix;
mod misplaced;
mod modes;
mod resolve;
mod schema;
mod secrets;
mod server_args;
mod server_constraints;
mod server_literals;
mod server_tables;
mod servers;
pub mod shipped;
mod source;
mod spanned;
mod sweep;
mod syntax;
mod tables;
mod workloads;

pub use crate::setting::{
    Amount, Factor, HostPair, Level, Lifetime, Link, MAX_WORKERS, Own, Placement, Settings, Share, Split,
    Warmup, Workload,
};
pub(crate) use crate::setting::{or_absent, words};
pub(crate) use diagnose::suggest;
pub use diagnose::{Diagnostics, Finding, Location};
pub use hosts::{Address, HostSpec, Transport};
pub use labels::{LabelError, Labels};
pub use modes::{Absent, Builtin, BuiltinMode, BuiltinOption, LoadGenerator, ModeSpec, Support, Threads};
pub use resolve::parse;
pub use schema::schema;
pub use server_args::data_directory;
pub use servers::{Preparation, ServerSpec, TlsFiles};
pub use source::{Directory, Include, Source, includes, resolved_text};
pub use syntax::MOST_BYTES as MAX_FILE;

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
    /// The variables of the coordinator's environment that hold passwords.
    pub fn password_variables(&self) -> impl Iterator<Item = &String> {
        self.servers.values().filter_map(|server| match server {
            ServerSpec::External { password_env, .. } => password_env.as_ref(),
            ServerSpec::Managed { .. } => None,
        })
    }

    /// Servers and hosts that are defined where no matrix names any, so that others are used: the word for the kind, and the
    /// names.
    #[must_use]
    pub fn unnamed(&self) -> Vec<(&'static str, Vec<&str>)> {
        let names_any = |factor| {
            let mut axes = self.matrices.iter().flat_map(|matrix| &matrix.axes);
            axes.any(|axis: &Axis| axis.factor == factor)
        };
        let servers = self.servers.keys().map(String::as_str).filter(|name| *name != "redis");
        let hosts = self.hosts.keys().map(String::as_str).filter(|name| *name != "local");
        let kinds: [(&str, Factor, Vec<&str>); 2] =
            [("server", Factor::Server, servers.collect()), ("host", Factor::Hosts, hosts.collect())];
        let is_unnamed =
            |(_, factor, names): &(&str, Factor, Vec<&str>)| !names.is_empty() && !names_any(*factor);
        kinds.into_iter().filter(is_unnamed).map(|(kind, _, names)| (kind, names)).collect()
    }

    /// What a host says about the placement of a trial that leaves it free.
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
    /// two have the same factor, no level appears twice in one axis.
    pub axes: Vec<Axis>,
    /// A cell that any of these matches does not exist.
    pub exclude: Vec<Exclude>,
}

impl Matrix {
    /// The part of the matrix that says how many cells there are.
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
    /// What the owner of the run calls it. Changes nothing about the run.
    pub labels: Labels,
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
                // A percentage as people write it: 0.07 × 100 is 7.000000000000001.
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
