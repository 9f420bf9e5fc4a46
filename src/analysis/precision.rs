//! Whether the medians of a run are known well enough to end it: repetitions until a precision is reached.
//!
//! Looks at how wide intervals are, and never at which cell is faster: a run that ended as soon as a difference is seen
//! would see differences that are not there.

use std::collections::HashMap;

use crate::analysis::interval::median_interval;
use crate::analysis::stats::Throughput;
use crate::plan::CellId;
use crate::record::{Measured, TrialRecord};

/// The throughputs of a run's trials, cell by cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Precision {
    cells: HashMap<CellId, Vec<f64>>,
}

impl Precision {
    /// Adds an attempt. One that did not end well, or whose cell is no cell's identity, adds nothing.
    pub fn observe(&mut self, record: &TrialRecord) {
        let (Some(measured), Ok(cell)) = (&record.measured, record.cell.parse()) else { return };
        self.add(cell, Measured::ops_per_s(measured));
    }

    fn add(&mut self, cell: CellId, ops_per_s: f64) {
        self.cells.entry(cell).or_default().push(ops_per_s);
    }

    /// Whether both ends of the 95% interval of each cell's median are at most `precision` times that median away from
    /// it.
    ///
    /// A cell of which no trial ended well is not waited for: it was left out, or more of the same would not help it. If
    /// there is no other one, nothing is known, and no precision is reached.
    #[must_use]
    pub fn is_reached(&self, cells: impl Iterator<Item = CellId>, precision: f64) -> bool {
        let mut known = cells.filter_map(|cell| self.cells.get(&cell)).peekable();
        known.peek().is_some() && known.all(|values| is_narrow(values, precision))
    }
}

fn is_narrow(values: &[f64], precision: f64) -> bool {
    let (Some(interval), Some(Throughput { median, .. })) = (median_interval(values), Throughput::of(values))
    else {
        return false;
    };
    (interval.high - median).max(median - interval.low) <= precision * median
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run of cells with these throughputs, and whether its medians are known to ±2%.
    fn is_reached(cells: &[&[f64]]) -> bool {
        let mut run = Precision::default();
        let id = |number: usize| format!("{number:x}").parse::<CellId>().unwrap();
        for (number, values) in cells.iter().enumerate() {
            values.iter().for_each(|&value| run.add(id(number), value));
        }
        run.is_reached((0..cells.len()).map(id), 0.02)
    }

    const STEADY: &[f64] = &[100.0, 100.5, 101.0, 99.5, 99.0, 100.0];
    const UNSTEADY: &[f64] = &[100.0, 110.0, 90.0, 105.0, 95.0, 100.0];

    #[test]
    fn every_cell_has_to_be_known_well_enough() {
        assert!(is_reached(&[STEADY]));
        assert!(is_reached(&[STEADY, STEADY]));
        assert!(!is_reached(&[UNSTEADY]));
        assert!(!is_reached(&[STEADY, UNSTEADY]));
    }

    #[test]
    fn either_end_counts_and_not_their_mean() {
        // Nothing lies below the median, but a tail above: half of the width would be 1.75%.
        let skewed = [100.0, 100.0, 100.0, 100.0, 103.5, 103.5, 103.5];
        assert!(!is_reached(&[&skewed]));
    }

    #[test]
    fn few_trials_are_never_enough_however_alike() {
        assert!(!is_reached(&[&[100.0, 100.0, 100.0, 100.0]]));
        assert!(is_reached(&[&[100.0, 100.0, 100.0, 100.0, 100.0]]));
    }

    #[test]
    fn a_cell_without_a_good_trial_is_not_waited_for_but_does_not_count_as_known() {
        assert!(is_reached(&[STEADY, &[]]));
        assert!(!is_reached(&[&[], &[]]));
        assert!(!is_reached(&[]));
    }

    #[test]
    fn the_unit_does_not_matter() {
        let thousandth: Vec<f64> = STEADY.iter().map(|value| value / 1e3).collect();
        assert!(is_reached(&[&thousandth]));
    }
}
