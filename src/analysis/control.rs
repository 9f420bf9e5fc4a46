//! What the control of an experiment says: by how much two identical cells differ (A/A). A difference of that size
//! between two other cells may be noise.

use crate::analysis::interval::{Interval, ratio_interval};
use crate::analysis::stats::Throughput;

/// The difference between two identical cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Median throughput of the control over that of the cell.
    pub ratio: f64,
    /// Its 95% interval; absent where there are too few trials.
    pub interval: Option<Interval>,
}

/// By how much a control differs from the cell that it repeats; `None` if one of them has no trial.
#[must_use]
pub fn difference(twin: &[f64], cell: &[f64]) -> Option<Difference> {
    let ratio = Throughput::of(twin)?.median / Throughput::of(cell)?.median;
    Some(Difference { ratio, interval: ratio_interval(twin, cell) })
}
