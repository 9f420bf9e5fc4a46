//! The numbers of a trial that a page draws and ranks by: throughput, latency, CPU time, memory. Each is defined once, with
//! its title and its unit.

use serde::Serialize;

use crate::analysis::interval::{Interval, median_interval, median_of};
use crate::analysis::samples::Trial;
use crate::record::Quantity;

/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

/// A number of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Measure {
    /// Operations per second.
    Throughput,
    /// The median latency.
    LatencyP50,
    /// Its 99th percentile.
    LatencyP99,
    /// CPU time of the client for each operation.
    ClientCpu,
    /// CPU time of the server for each operation.
    ServerCpu,
    /// Peak memory of the client; for a task-queue library, of its workers.
    Memory,
}

impl Measure {
    /// In the order in which they are drawn.
    pub const ALL: [Self; 6] = [
        Self::Throughput,
        Self::LatencyP50,
        Self::LatencyP99,
        Self::ClientCpu,
        Self::ServerCpu,
        Self::Memory,
    ];

    /// How the names of its figures end.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::LatencyP50 => "latency-p50",
            Self::LatencyP99 => "latency-p99",
            Self::ClientCpu => "client-cpu",
            Self::ServerCpu => "server-cpu",
            Self::Memory => "memory",
        }
    }

    /// What its figures are called.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Throughput => "Throughput",
            Self::LatencyP50 => "Median latency",
            Self::LatencyP99 => "99th percentile of latency",
            Self::ClientCpu => "CPU time of the client",
            Self::ServerCpu => "CPU time of the server",
            Self::Memory => "Peak memory of the client",
        }
    }

    /// Its unit, where operations are called `noun`.
    #[must_use]
    pub fn unit(self, noun: &str) -> String {
        match self {
            Self::Throughput => format!("{noun}/s"),
            Self::LatencyP50 | Self::LatencyP99 => "µs".to_owned(),
            Self::ClientCpu | Self::ServerCpu => "µs/op".to_owned(),
            Self::Memory => "MiB".to_owned(),
        }
    }

    /// Its value in a trial; `None` where it is unknown.
    #[must_use]
    pub fn of(self, trial: &Trial) -> Option<f64> {
        let told = |quantity| trial.quantities.get(quantity);
        let value = match self {
            Self::Throughput => Some(trial.ops_per_s),
            Self::LatencyP50 => trial.latency.map(|latency| latency.p50_us),
            Self::LatencyP99 => trial.latency.map(|latency| latency.p99_us),
            Self::ClientCpu => told(Quantity::ClientCpu),
            Self::ServerCpu => told(Quantity::ServerCpu),
            Self::Memory => {
                told(Quantity::WorkerMemory).or_else(|| told(Quantity::ClientMemory)).map(|bytes| bytes / MIB)
            }
        };
        value.filter(|value| value.is_finite() && *value > 0.0)
    }
}

/// What the trials of a cell together say about a measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Stat {
    /// The value of every trial that has one, ascending.
    pub values: Vec<f64>,
    /// Their median.
    pub median: f64,
    /// The interval of the median; `None` for too few trials.
    pub interval: Option<Interval>,
}

impl Stat {
    /// For these trials; `None` if none has a value.
    #[must_use]
    pub fn of(measure: Measure, trials: &[Trial]) -> Option<Self> {
        let mut values: Vec<f64> = trials.iter().filter_map(|trial| measure.of(trial)).collect();
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then(|| Self {
            interval: median_interval(&values),
            median: median_of(values.clone()),
            values,
        })
    }
}
