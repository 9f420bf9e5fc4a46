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
            Level::Name(mode) => Some(mode),
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

/// Sorts by every other setting, in the order in which they are listed, then by mode in the order of `modes` (unknown ones
/// last), then by workers.
pub fn sort(cells: &mut [CellSummary], modes: &[String]) {
    cells.sort_by_cached_key(|cell| {
        let settings = &cell.label.settings;
        let others = Factor::ALL.iter().filter(|factor| !matches!(factor, Factor::Mode | Factor::Workers));
        let levels: Vec<Option<Rank>> = others.map(|factor| factor.get(settings).map(rank)).collect();
        let mode = modes.iter().position(|mode| *mode == settings.mode).unwrap_or(modes.len());
        let control = cell.control_of.is_some();
        (levels, mode, settings.mode.clone(), settings.workers, control)
    });
}

/// Numbers ascend, and so do words; numbers of operations stand before durations.
type Rank = (u8, u64, String);

fn rank(level: Level) -> Rank {
    match level {
        Level::Number(n) | Level::PerSecond(n) | Level::Amount(Amount::Operations(n)) => {
            (0, n, String::new())
        }
        Level::Amount(Amount::Duration(time)) => (1, time.0, String::new()),
        Level::Share(share) => (0, (share.as_f64() * 1e6) as u64, String::new()),
        other => (0, 0, other.to_string()),
    }
}
