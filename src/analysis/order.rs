//! The order in which a reader expects cells: as in the file, whatever order the trials were executed in.

use std::cmp::Ordering;

use crate::analysis::summary::CellSummary;
use crate::experiment::{Amount, Experiment, Factor, Level};

/// The modes of an experiment, each once, in the order of the file.
#[must_use]
pub fn modes(experiment: &Experiment) -> Vec<String> {
    let mut modes: Vec<String> = Vec::new();
    for matrix in &experiment.matrices {
        let axis = matrix.axes.iter().find(|axis| axis.factor == Factor::Mode);
        let levels = axis.into_iter().flat_map(|axis| &axis.levels).filter_map(|level| match level {
            Level::Mode(mode) => Some(mode),
            _ => None,
        });
        let constant = axis.is_none().then_some(&matrix.base.mode);
        for mode in levels.chain(constant) {
            if !modes.contains(mode) {
                modes.push(mode.clone());
            }
        }
    }
    modes
}

/// Sorts by everything else that may vary, then by mode in the order of `modes` (unknown ones last), then by workers.
pub fn sort(cells: &mut [CellSummary], modes: &[String]) {
    cells.sort_by(|a, b| compare(a, b, modes));
}

fn compare(a: &CellSummary, b: &CellSummary, modes: &[String]) -> Ordering {
    let rank = |cell: &CellSummary| {
        let mode = &cell.label.settings.mode;
        modes.iter().position(|known| known == mode).unwrap_or(modes.len())
    };
    let (x, y) = (&a.label.settings, &b.label.settings);
    x.hosts
        .cmp(&y.hosts)
        .then_with(|| x.server.cmp(&y.server))
        .then_with(|| x.server_args.cmp(&y.server_args))
        .then_with(|| a.label.link.to_string().cmp(&b.label.link.to_string()))
        .then_with(|| x.placement.to_string().cmp(&y.placement.to_string()))
        .then_with(|| amount(x.workload.amount).cmp(&amount(y.workload.amount)))
        .then_with(|| x.workload.value_bytes.cmp(&y.workload.value_bytes))
        .then_with(|| x.workload.pipeline.cmp(&y.workload.pipeline))
        .then_with(|| x.workload.rate.cmp(&y.workload.rate))
        .then_with(|| rank(a).cmp(&rank(b)))
        .then_with(|| x.mode.cmp(&y.mode))
        .then_with(|| x.workers.cmp(&y.workers))
        // What is left are settings without a natural order; the identity keeps the result the same every time.
        .then_with(|| a.cell.cmp(&b.cell))
}

/// Numbers of operations before durations, each ascending.
const fn amount(amount: Amount) -> (u8, u64) {
    match amount {
        Amount::Operations(operations) => (0, operations),
        Amount::Duration(duration) => (1, duration.0),
    }
}
