//! Trials as described by a table: the rows of `trials.csv` of any number of runs, gathered into samples. No I/O: the code that
//! reads a table fills this in.

use std::sync::LazyLock;

use crate::analysis::doubt::Doubts;
use crate::experiment::Factor;
use crate::record::{Flag, Quantities, Status};

/// The columns of `trials.csv` that say what was compared with what; the same in every trial of a sample, unless the
/// sample is mixed. Those of all settings are among them.
pub static LABELS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let settings = Factor::columns().map(|(_, column)| column.name);
    RECORDED.into_iter().chain(settings).collect()
});

/// Those that are not settings.
const RECORDED: [&str; 17] = [
    "experiment",
    "cell",
    "client_host",
    "client_os",
    "client_arch",
    "client_cpu",
    "server_host",
    "server_os",
    "server_arch",
    "server_cpu",
    "server_version",
    "client",
    "client_runtime",
    "comparability",
    "workers",
    "control_of",
    "driver_sha256",
];

/// Whether tables of earlier versions lack this one of [`LABELS`]; if so, its values are missing.
#[must_use]
pub fn is_younger(label: &str) -> bool {
    let own = || Factor::columns().any(|(factor, column)| factor.is_own() && column.name == label);
    ["control_of", "driver_sha256"].contains(&label) || own()
}

/// The trials of any number of runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// The runs, in the order in which they were read; [`Trial::run`] counts from 0 here.
    pub runs: Vec<String>,
    /// One for each cell, client host and server host of an experiment, in the order of their first rows.
    pub samples: Vec<Sample>,
    /// What a reader must know about what was read, one sentence each: a table that ends in the middle of a line, rows that
    /// appear twice.
    pub remarks: Vec<String>,
}

/// The trials of one cell between the same two machines.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// What was compared with what.
    pub label: Label,
    /// Attempts that ended well, in the order of the table.
    pub trials: Vec<Trial>,
    /// Attempts that did not.
    pub failures: Vec<Failure>,
    /// Columns of [`LABELS`] in which trials that ended well differ, such as `client` after an update: their numbers may
    /// not belong together.
    pub mixed: Vec<&'static str>,
    /// The labels of runs that differ from [`Sample::label`], each from the first trial of its run: they distinguish two
    /// machines of the same name.
    pub others: Vec<(u32, Label)>,
}

impl Sample {
    /// Whether it is the control of an experiment: the same settings as another sample, once more.
    #[must_use]
    pub fn is_control(&self) -> bool {
        self.label.get("control_of").is_some()
    }
}

/// The values of [`LABELS`] of a sample's first trial that ended well, or of its first attempt if none did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Label {
    /// As many as there are [`LABELS`], in their order; empty where a value is missing.
    pub values: Vec<String>,
}

impl Label {
    /// The value in a column of [`LABELS`]; `None` where it is missing.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        let at = LABELS.iter().position(|name| *name == column)?;
        self.values.get(at).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether `other` says something else in this column. Rows of earlier versions do not say what their driver was made of,
    /// which does not mean that it was a different one.
    #[must_use]
    pub fn differs(&self, other: &Self, column: &str) -> bool {
        let (own, others) = (self.get(column), other.get(column));
        own != others && (column != "driver_sha256" || own.is_some() && others.is_some())
    }
}

/// One attempt that ended well: one observation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// Which of [`Samples::runs`].
    pub run: u32,
    /// The block that it belongs to, from 1.
    pub repetition: u32,
    /// Place in the order of the plan, from 1.
    pub position: u64,
    /// When it began, in microseconds since 1970, UTC.
    pub started_at_us: i64,
    /// Operations per second.
    pub ops_per_s: f64,
    /// What is known about its latencies.
    pub latency: Option<Latencies>,
    /// Its other numbers.
    pub quantities: Quantities,
    /// Round-trip time between client and server in microseconds, where it was sampled.
    pub rtt_us: Option<f64>,
    /// Its warnings.
    pub flags: Vec<Flag>,
    /// Those flags that cast doubt on its number, even where this version has no other use for them.
    pub doubts: Doubts,
}

/// Latencies of one trial, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latencies {
    /// Arithmetic mean.
    pub mean_us: f64,
    /// Median.
    pub p50_us: f64,
    /// 90th percentile.
    pub p90_us: f64,
    /// 99th percentile.
    pub p99_us: f64,
    /// 99.9th percentile.
    pub p999_us: f64,
    /// The largest.
    pub max_us: f64,
}

/// One attempt that did not end well.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// Which of [`Samples::runs`].
    pub run: u32,
    /// The block that it belongs to, from 1.
    pub repetition: u32,
    /// How it ended: never [`Status::Ok`].
    pub status: Status,
    /// Why.
    pub error: String,
}
