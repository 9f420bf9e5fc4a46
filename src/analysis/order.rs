//! The order in which a reader expects cells: as in the file, whatever order the trials were executed in.

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
    cells.sort_by_cached_key(|cell| {
        let settings = &cell.label.settings;
        let workload = &settings.workload;
        let server = (
            settings.hosts.clone(),
            settings.server.clone(),
            settings.server_args.clone(),
            settings.lifetime.map(|lifetime| lifetime.to_string()),
            workload.link.to_string(),
            settings.placement.to_string(),
        );
        let load = (
            amount(workload.amount),
            workload.value_bytes,
            workload.pipeline,
            workload.rate,
            workload.verify,
            workload.split.to_string(),
            settings.warmup.to_string(),
        );
        let rank = modes.iter().position(|mode| *mode == settings.mode).unwrap_or(modes.len());
        let control = cell.control_of.is_some();
        (server, load, rank, settings.mode.clone(), settings.workers, control)
    });
}

/// Numbers of operations before durations, each ascending.
const fn amount(amount: Amount) -> (u8, u64) {
    match amount {
        Amount::Operations(operations) => (0, operations),
        Amount::Duration(duration) => (1, duration.0),
    }
}
