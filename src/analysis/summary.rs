//! One summary for each cell, gathered from its attempts one after the other.

use std::collections::{BTreeMap, HashMap};

use hdrhistogram::Histogram;

use crate::analysis::drift::Drift;
use crate::analysis::groups::TwoGroups;
use crate::analysis::interval::{Interval, median_of};
use crate::analysis::judged::Judged;
use crate::analysis::stats::Throughput;
use crate::experiment::Settings;
use crate::latency;
use crate::protocol::ServerIdentity;
use crate::record::{
    ClientLabel, Flag, HostLabel, LatencySummary, LinkKind, Quantities, Status, TrialRecord, flags_of_cell,
};

/// The quantiles of `latency.csv`.
pub const QUANTILES: [f64; 11] = [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0];

/// What the attempts at one cell say together.
#[derive(Clone, Debug, PartialEq)]
pub struct CellSummary {
    /// The identity of the cell, 16 hexadecimal digits.
    pub cell: String,
    /// The cell that this one repeats, if it is the control of the experiment.
    pub control_of: Option<String>,
    /// What was compared with what.
    pub label: CellLabel,
    /// Attempts that ended well; each is one observation.
    pub n: usize,
    /// Attempts that failed or timed out. An attempt that was interrupted counts nowhere.
    pub failed: usize,
    /// Over the attempts that ended well; absent if there are none.
    pub throughput: Option<Throughput>,
    /// The 95% interval of the median of the same; absent where there are too few.
    pub median_interval: Option<Interval>,
    /// Mean of [`littles_law`] over the attempts that have it.
    pub littles_law: Option<f64>,
    /// Whether the trials fall into two far-apart groups; if so, no statistic of this cell is worth quoting.
    pub groups: Option<TwoGroups>,
    /// How the throughput changed with the place in the order of the plan, if that matters. Two groups far apart have no
    /// drift: its size would be that of the gap between them.
    pub drift: Option<Drift>,
    /// Whether trials of this cell ran with different software, on different machines or on different CPUs; the label
    /// is that of the first one.
    pub mixed: bool,
    /// How many of the `n` attempts carry each flag, as [`flags_of_cell`] has them.
    pub flags: BTreeMap<Flag, usize>,
    /// Of all operations of all attempts that ended well; absent where the mode cannot know it.
    pub latency: Option<LatencyProfile>,
    /// The median of each over the attempts that report it.
    pub quantities: Quantities,
}

/// The settings of a cell, and who took part.
#[derive(Clone, Debug, PartialEq)]
pub struct CellLabel {
    /// What was to be done.
    pub settings: Settings,
    /// The client's machine.
    pub client_host: HostLabel,
    /// The server's machine.
    pub server_host: HostLabel,
    /// How the client reached the server.
    pub link: LinkKind,
    /// The server; absent if it was never up.
    pub server: Option<ServerIdentity>,
    /// The client; absent if it was never ready.
    pub client: Option<ClientLabel>,
    /// The hash of what its driver is made of, where that is known.
    pub driver_sha256: Option<String>,
}

impl CellSummary {
    /// What the client does differently from what was asked for, in its own words.
    #[must_use]
    pub fn comparability(&self) -> Option<&str> {
        self.label.client.as_ref()?.comparability.as_deref()
    }
}

impl CellLabel {
    fn of(record: &TrialRecord) -> Self {
        Self {
            settings: record.settings.clone(),
            client_host: record.client_host.clone(),
            server_host: record.server_host.clone(),
            link: record.link,
            server: record.server.clone(),
            client: record.client.clone(),
            driver_sha256: record.driver_sha256.clone(),
        }
    }

    fn fits(&self, record: &TrialRecord) -> bool {
        self.client_host == record.client_host
            && self.server_host == record.server_host
            && self.link == record.link
            && self.server == record.server
            && self.client == record.client
            // Rows of earlier versions do not say, which does not mean that it was a different one.
            && self.driver_sha256.as_ref().zip(record.driver_sha256.as_ref()).is_none_or(|(own, its)| own == its)
    }
}

/// The latencies of a cell: quantiles of one histogram merged from all trials, since a mean of quantiles is not a quantile.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyProfile {
    /// Mean, usual quantiles, largest.
    pub summary: LatencySummary,
    /// Each of [`QUANTILES`] with its latency in nanoseconds.
    pub quantiles: Vec<(f64, u64)>,
    /// Latencies in the histogram.
    pub count: u64,
}

impl LatencyProfile {
    /// The profile of `histogram`; `None` if it is empty.
    #[must_use]
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        (!histogram.is_empty()).then(|| Self {
            summary: latency::summary(histogram),
            quantiles: QUANTILES.iter().map(|&q| (q, latency::quantile(histogram, q))).collect(),
            count: histogram.len(),
        })
    }
}

/// Little's law as a self-check: throughput × mean latency ÷ operations in flight. Near 1 for a client that keeps its
/// connections busy and stamps its latencies where it should; absent for an open loop, which does not keep them busy,
/// and where the latency is unknown.
#[must_use]
pub fn littles_law(record: &TrialRecord) -> Option<f64> {
    let (measured, client) = (record.measured.as_ref()?, record.client.as_ref()?);
    let workload = &record.settings.workload;
    let applies = workload.rate.is_none() && workload.kind.workload().is_back_to_back;
    measured.littles_law(client.workers, workload.pipeline).filter(|_| applies)
}

/// Gathers the attempts of all cells. Holds a few numbers for each attempt and no histogram.
#[derive(Debug, Default)]
pub struct Cells {
    cells: Vec<CellAttempts>,
    by_name: HashMap<String, usize>,
}

impl Cells {
    /// Adds an attempt; the result is the index of its cell in [`Cells::into_cells`].
    pub fn add(&mut self, record: &TrialRecord) -> usize {
        let index = self.by_name.get(&record.cell).copied().unwrap_or_else(|| {
            self.by_name.insert(record.cell.clone(), self.cells.len());
            self.cells.push(CellAttempts::new(record));
            self.cells.len() - 1
        });
        self.cells[index].add(record);
        index
    }

    /// The cells in the order of their first attempts.
    #[must_use]
    pub fn into_cells(self) -> Vec<CellAttempts> {
        self.cells
    }
}

/// What is kept of the attempts at one cell.
#[derive(Debug)]
pub struct CellAttempts {
    cell: String,
    control_of: Option<String>,
    label: CellLabel,
    /// Position and throughput of each attempt that ended well.
    good: Vec<(f64, f64)>,
    littles: Vec<f64>,
    quantities: Vec<Quantities>,
    failed: usize,
    mixed: bool,
    flags: BTreeMap<Flag, usize>,
}

impl CellAttempts {
    fn new(record: &TrialRecord) -> Self {
        Self {
            cell: record.cell.clone(),
            control_of: record.control_of.clone(),
            label: CellLabel::of(record),
            good: Vec::new(),
            littles: Vec::new(),
            quantities: Vec::new(),
            failed: 0,
            mixed: false,
            flags: BTreeMap::new(),
        }
    }

    fn add(&mut self, record: &TrialRecord) {
        match (record.status, &record.measured) {
            (Status::Ok, Some(measured)) => {
                if self.good.is_empty() {
                    self.label = CellLabel::of(record);
                }
                self.mixed |= !self.label.fits(record);
                if self.label.driver_sha256.is_none() {
                    self.label.driver_sha256.clone_from(&record.driver_sha256);
                }
                self.good.push((record.position as f64, measured.ops_per_s()));
                self.littles.extend(littles_law(record));
                self.quantities.push(Quantities::of(measured));
                for &flag in &record.flags {
                    *self.flags.entry(flag).or_default() += 1;
                }
            }
            (Status::Interrupted, _) => {}
            _ => self.failed += 1,
        }
    }

    /// The summary; `latencies` is the merged histogram of the attempts that ended well.
    #[must_use]
    pub fn summarise(self, latencies: Option<&Histogram<u64>>) -> CellSummary {
        let Judged { throughput, interval, groups, drift } = Judged::of(&self.good, true);
        CellSummary {
            n: self.good.len(),
            failed: self.failed,
            throughput,
            median_interval: interval,
            littles_law: Throughput::of(&self.littles).map(|littles| littles.mean),
            groups,
            drift,
            mixed: self.mixed,
            flags: flags_of_cell(self.flags, self.good.len()),
            latency: latencies.and_then(LatencyProfile::of),
            quantities: Quantities::over(&self.quantities, median_of),
            cell: self.cell,
            control_of: self.control_of,
            label: self.label,
        }
    }
}
