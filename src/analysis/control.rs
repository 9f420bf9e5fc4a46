//! What the control of an experiment says: by how much two cells differ that are the same (A/A). A difference between
//! two other cells that is no larger may well be nothing.

use crate::analysis::interval::{Interval, ratio_interval};
use crate::analysis::stats::Throughput;
use crate::analysis::summary::CellAttempts;

/// A cell and its control.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// The cell of the file.
    pub cell: String,
    /// Its control.
    pub twin: String,
    /// By how much they differ; absent if one of them has no trial that ended well.
    pub difference: Option<Difference>,
}

/// The difference of two cells that are the same.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// Median throughput of the control over that of the cell.
    pub ratio: f64,
    /// Its 95% interval; absent where there are too few trials.
    pub interval: Option<Interval>,
}

/// Every control among `cells` with the cell that it repeats.
#[must_use]
pub fn controls(cells: &[CellAttempts]) -> Vec<Control> {
    let pair = |twin: &CellAttempts| {
        let cell = twin.control_of()?;
        let of_cell = cells.iter().find(|other| other.cell() == cell).map(CellAttempts::throughputs);
        Some(Control {
            cell: cell.to_owned(),
            twin: twin.cell().to_owned(),
            difference: of_cell.and_then(|of_cell| difference(&twin.throughputs(), &of_cell)),
        })
    };
    cells.iter().filter_map(pair).collect()
}

/// By how much a control differs from the cell that it repeats; `None` if one of them has no trial.
#[must_use]
pub fn difference(twin: &[f64], cell: &[f64]) -> Option<Difference> {
    let ratio = Throughput::of(twin)?.median / Throughput::of(cell)?.median;
    Some(Difference { ratio, interval: ratio_interval(twin, cell) })
}
