//! Results in the formats of other tools, one file for each. What must not be quoted is not exported, and every exporter
//! asks here what may be exported.

pub mod bencher;
pub mod github_action_benchmark;
pub mod hdr;
mod names;

use crate::analysis::doubt::TOLERATED;
use crate::analysis::interval::{Interval, MIN_TRIALS};
use crate::analysis::metric::Metric;
use crate::analysis::summary::CellSummary;
use crate::record::Flag;

pub use names::name;

/// The cells of a run that may be exported.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported<'a> {
    /// In the order of the run's tables.
    pub cells: Vec<ExportedCell<'a>>,
    /// What was left out and why, and what is exported with fewer numbers than the rest: one sentence each.
    pub remarks: Vec<String>,
}

/// A cell that may be exported.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportedCell<'a> {
    /// Its name in the export, which follows from its experiment and its settings alone: the same cell has the same name in
    /// every run.
    pub name: String,
    /// What is known about it.
    pub summary: &'a CellSummary,
    has_latencies: bool,
}

/// A number of a cell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// For throughput and costs, the median of the trials; for latencies, the statistic of all operations together.
    pub value: f64,
    /// The 95% confidence interval of a median throughput; absent where there are too few trials, and for everything else.
    pub interval: Option<Interval>,
}

impl<'a> Exported<'a> {
    /// Selects what may be exported. A control only repeats another cell, and is left out silently.
    #[must_use]
    pub fn of(experiment: &str, cells: &'a [CellSummary]) -> Self {
        let mut exported = Self { cells: Vec::new(), remarks: Vec::new() };
        let mut left_out =
            [(Fault::Nothing, Vec::new()), (Fault::Bimodal, Vec::new()), (Fault::Clocks, Vec::new())];
        let (mut silent, mut few) = (Vec::new(), Vec::new());
        for summary in cells.iter().filter(|cell| cell.control_of.is_none()) {
            let name = name(experiment, &summary.label.settings, &summary.cell);
            if let Some(fault) = Fault::of(summary) {
                left_out
                    .iter_mut()
                    .filter(|(other, _)| *other == fault)
                    .for_each(|(_, names)| names.push(name.clone()));
                continue;
            }
            let is_doubtful = share(summary, Flag::LatencyDoubtful) > TOLERATED;
            if is_doubtful && summary.latency.is_some() {
                silent.push(name.clone());
            }
            if summary.median_interval.is_none() {
                few.push(name.clone());
            }
            exported.cells.push(ExportedCell {
                name,
                summary,
                has_latencies: summary.latency.is_some() && !is_doubtful,
            });
        }
        let mut remark = |what: &str, names: &[String]| {
            if !names.is_empty() {
                exported.remarks.push(format!("{what}: {}", names.join(", ")));
            }
        };
        left_out.iter().for_each(|(fault, names)| remark(fault.words(), names));
        remark("without latencies, which contradict the throughput", &silent);
        remark(&format!("without a confidence interval, which takes {MIN_TRIALS} trials"), &few);
        exported
    }
}

impl ExportedCell<'_> {
    /// One of its numbers; `None` if it is unknown or must not be quoted.
    #[must_use]
    pub fn estimate(&self, metric: Metric) -> Option<Estimate> {
        if metric.is_latency() && !self.has_latencies {
            return None;
        }
        let latency = || self.summary.latency.as_ref().map(|latency| latency.summary);
        let micros = |nanos: f64| nanos / 1e3;
        let value = match metric {
            Metric::OpsPerS => self.summary.throughput?.median,
            Metric::LatencyMean => micros(latency()?.mean_ns),
            Metric::LatencyP50 => micros(latency()?.p50_ns as f64),
            Metric::LatencyP90 => micros(latency()?.p90_ns as f64),
            Metric::LatencyP99 => micros(latency()?.p99_ns as f64),
            Metric::LatencyP999 => micros(latency()?.p999_ns as f64),
            Metric::LatencyMax => micros(latency()?.max_ns as f64),
            Metric::Other(quantity) => self.summary.quantities.get(quantity)?,
        };
        let interval = if metric == Metric::OpsPerS { self.summary.median_interval } else { None };
        Some(Estimate { value, interval })
    }

    /// Whether its latencies are known and may be quoted.
    #[must_use]
    pub const fn has_latencies(&self) -> bool {
        self.has_latencies
    }
}

/// Why a cell is not exported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Nothing,
    Bimodal,
    Clocks,
}

impl Fault {
    fn of(cell: &CellSummary) -> Option<Self> {
        if cell.throughput.is_none() {
            Some(Self::Nothing)
        } else if cell.groups.is_some() {
            Some(Self::Bimodal)
        } else {
            (share(cell, Flag::ClockDisagrees) > TOLERATED).then_some(Self::Clocks)
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Nothing => "left out, because no trial ended well",
            Self::Bimodal => "left out as bimodal, because the trials fall into two groups far apart",
            Self::Clocks => "left out, because two clocks disagree about the elapsed time",
        }
    }
}

/// The share of a cell's trials that have a flag.
fn share(cell: &CellSummary, flag: Flag) -> f64 {
    cell.flags.get(&flag).map_or(0.0, |trials| *trials as f64 / cell.n as f64)
}
