//! Whether the medians of a run are known well enough to end it: repetitions until a precision is reached.
//!
//! Looks at how much trials scatter, and never at which cell is faster: a run that ended as soon as a difference is seen
//! would see differences that are not there. A run that ends as soon as an interval happens to be narrow ends with
//! intervals that are too narrow (of those that did at a coefficient of variation of 5%, four in five held the true
//! median). So the rule distrusts a spread that is small by luck, twice: it takes the upper limit of what the spread may be,
//! and once that is small enough it asks for half as many blocks again, which nobody has looked at.

use std::collections::HashMap;

use statrs::distribution::{ChiSquared, ContinuousCDF};

use crate::analysis::stats::Throughput;
use crate::plan::CellId;
use crate::record::{Measured, TrialRecord};

/// Fewer trials say too little about how much a cell's trials scatter.
const FIRST_LOOK: usize = 6;

/// The probability with which the standard deviation lies below the limit that is taken for it.
const SPREAD_LEVEL: f64 = 0.9;

/// Standard errors from a median to either end of its 95% interval.
const STANDARD_ERRORS: f64 = 1.959_964;

/// The standard error of a median of normal values over that of their mean: the square root of π/2.
const OF_A_MEDIAN: f64 = 1.253_314;

/// What is known of the throughputs of a run's trials, cell by cell.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Precision {
    cells: HashMap<CellId, Known>,
}

/// The throughputs of a cell's trials, in their order, and what was seen in looking at them.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    values: Vec<f64>,
    /// This many of them were looked at; what that showed does not change.
    looked_at: usize,
    /// Whether the trials looked at so far were enough at some point.
    suffices: bool,
}

impl Default for Known {
    fn default() -> Self {
        Self { values: Vec::new(), looked_at: FIRST_LOOK - 1, suffices: false }
    }
}

impl Known {
    /// Looks at every number of trials that may have been enough, each once. So a resumed run decides like one that was never
    /// stopped, and decisions do not take longer as a run grows.
    fn is_known(&mut self, precision: f64) -> bool {
        while !self.suffices && self.looked_at < self.values.len() * 2 / 3 {
            self.looked_at += 1;
            self.suffices = suffices(&self.values[..self.looked_at], precision);
        }
        self.suffices
    }
}

impl Precision {
    /// Adds an attempt. One that did not end well, or whose cell is not a valid identity, adds nothing.
    pub fn observe(&mut self, record: &TrialRecord) {
        let (Some(measured), Ok(cell)) = (&record.measured, record.cell.parse()) else { return };
        self.add(cell, Measured::ops_per_s(measured));
    }

    fn add(&mut self, cell: CellId, ops_per_s: f64) {
        self.cells.entry(cell).or_default().values.push(ops_per_s);
    }

    /// Whether each cell's median is known to `precision`, a share of it that is the same each time: six or more of its trials
    /// were enough to expect that, and half as many again have followed.
    ///
    /// A cell without a trial that ended well is not waited for: it was left out, or more of the same would not help it. If
    /// there is no other cell, nothing is known, and no precision is reached.
    pub fn is_reached(&mut self, cells: impl Iterator<Item = CellId>, precision: f64) -> bool {
        let mut any = false;
        for cell in cells {
            let Some(known) = self.cells.get_mut(&cell) else { continue };
            any = true;
            if !known.is_known(precision) {
                return false;
            }
        }
        any
    }
}

/// Whether a median of as many values as these is expected to lie within `precision` of the true one, with 95%, if they scatter
/// as much as these plausibly may: the upper confidence limit of a standard deviation, from the distribution of χ².
fn suffices(values: &[f64], precision: f64) -> bool {
    let Some(Throughput { median, stdev: Some(stdev), .. }) = Throughput::of(values) else { return false };
    let freedom = (values.len() - 1) as f64;
    let Ok(chi_squared) = ChiSquared::new(freedom) else { return false };
    let spread = stdev * (freedom / chi_squared.inverse_cdf(1.0 - SPREAD_LEVEL)).sqrt();
    let standard_error = OF_A_MEDIAN * spread / (values.len() as f64).sqrt();
    STANDARD_ERRORS * standard_error <= precision * median
}

#[cfg(test)]
mod tests {
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;
    use statrs::distribution::Normal;

    use super::*;
    use crate::analysis::interval::median_interval;

    /// A run of cells with these throughputs, and whether its medians are known to ±2%.
    fn is_reached(cells: &[&[f64]]) -> bool {
        let mut run = Precision::default();
        let id = |number: usize| format!("{number:x}").parse::<CellId>().unwrap();
        for (number, values) in cells.iter().enumerate() {
            values.iter().for_each(|&value| run.add(id(number), value));
        }
        run.is_reached((0..cells.len()).map(id), 0.02)
    }

    const STEADY: &[f64] = &[100.0, 100.5, 101.0, 99.5, 99.0, 100.0, 99.8, 100.2, 100.0];
    const UNSTEADY: &[f64] = &[100.0, 110.0, 90.0, 105.0, 95.0, 100.0, 92.0, 108.0, 100.0];

    #[test]
    fn every_cell_has_to_be_known_well_enough() {
        assert!(is_reached(&[STEADY]));
        assert!(is_reached(&[STEADY, STEADY]));
        assert!(!is_reached(&[UNSTEADY]));
        assert!(!is_reached(&[STEADY, UNSTEADY]));
    }

    #[test]
    fn what_was_enough_has_to_be_followed_by_half_as_much() {
        for few in 1..STEADY.len() {
            assert!(!is_reached(&[&STEADY[..few]]), "{few} trials");
        }
        // What comes after the look does not undo it: going on until it does would be one look too many.
        let mut later_unsteady = STEADY[..6].to_vec();
        later_unsteady.extend([110.0, 90.0, 100.0]);
        assert!(is_reached(&[&later_unsteady]));
    }

    #[test]
    fn few_trials_are_never_enough_however_alike() {
        assert!(!is_reached(&[&[100.0; 8]]));
        assert!(is_reached(&[&[100.0; 9]]));
    }

    /// A run that is ended as soon as it looks precise must still have intervals that contain the truth. Runs of one cell with
    /// normal throughputs, from 6 blocks to 30 or 100, until ±2%.
    #[test]
    fn a_run_that_ends_early_has_intervals_that_hold_the_truth() {
        let (runs, truth) = (1_000_u32, 100.0);
        let normal = Normal::standard();
        for max in [30, 100] {
            for cv in [0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1] {
                let mut random = ChaCha8Rng::seed_from_u64(1945);
                let mut uniform = move || ((random.next_u64() >> 11) as f64 + 0.5) / 2.0_f64.powi(53);
                let mut held = 0;
                for _ in 0..runs {
                    let mut run = Known::default();
                    while run.values.len() < max && !run.is_known(0.02) {
                        run.values.push(truth * (1.0 + cv * normal.inverse_cdf(uniform())));
                    }
                    held += u32::from(median_interval(&run.values).unwrap().contains(truth));
                }
                // 93%, less twice the standard error of a share of so many runs.
                let least = 0.93 - 2.0 * (0.93 * 0.07 / f64::from(runs)).sqrt();
                let share = f64::from(held) / f64::from(runs);
                println!("CV {cv}, at most {max} blocks: {share}");
                assert!(share >= least, "CV {cv}, at most {max} blocks: only {share} held the truth");
            }
        }
    }

    #[test]
    fn a_run_that_is_asked_after_every_block_decides_as_one_that_is_asked_once() {
        let mut random = ChaCha8Rng::seed_from_u64(1738);
        let values: Vec<f64> = (0..60).map(|_| 100.0 + f64::from(random.next_u32() % 1000) / 100.0).collect();
        let mut asked_each_time = Known::default();
        for most in 0..=values.len() {
            let mut asked_once = Known { values: values[..most].to_vec(), ..Known::default() };
            asked_each_time.values.clone_from(&asked_once.values);
            assert_eq!(asked_each_time.is_known(0.02), asked_once.is_known(0.02), "{most} trials");
        }
        assert!(asked_each_time.suffices, "the question is one with two answers");
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
