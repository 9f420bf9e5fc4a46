//! Trials that lie far from the others of their cell. They are marked and never dropped.

use crate::analysis::groups::two_groups;
use crate::analysis::interval::{MIN_TRIALS, median_of};

/// A value is an outlier if its modified z-score is beyond this (Iglewicz and Hoaglin, 1993).
pub const LIMIT: f64 = 3.5;

/// What makes the median absolute deviation of a normal sample its standard deviation.
const MAD_TO_SIGMA: f64 = 1.482_602_218_505_602;

/// The same for the mean absolute deviation: √(π ÷ 2).
const MEAN_TO_SIGMA: f64 = 1.253_314_137_315_5;

/// For each of `values`, in their order, whether it is an outlier among them.
///
/// The modified z-score is the distance to the median over the median absolute deviation, scaled to a standard deviation.
/// Where more than half of the values are equal that deviation is 0, and the mean absolute deviation stands in for it.
/// Nothing is an outlier where all are equal, or where one is not finite.
#[must_use]
pub fn outliers(values: &[f64]) -> Vec<bool> {
    let nothing = vec![false; values.len()];
    if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
        return nothing;
    }
    let middle = median_of(values.to_vec());
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    let mad = median_of(distances.clone());
    let sigma = if mad > 0.0 {
        MAD_TO_SIGMA * mad
    } else {
        MEAN_TO_SIGMA * distances.iter().sum::<f64>() / distances.len() as f64
    };
    if sigma > 0.0 { distances.iter().map(|distance| distance / sigma > LIMIT).collect() } else { nothing }
}

/// The same for the trials of a cell, as a reader is shown them. No trial is marked where there are fewer than [`MIN_TRIALS`],
/// too few to say what is far, and none where they fall into two groups: the smaller one is then part of what happened.
#[must_use]
pub fn outlying_trials(values: &[f64]) -> Vec<bool> {
    let can_tell = values.len() >= MIN_TRIALS && two_groups(values).is_none();
    if can_tell { outliers(values) } else { vec![false; values.len()] }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The marks are printed by `tests/python/outliers_reference.py`, with scipy.
    #[test]
    fn the_outliers_are_those_of_scipys_deviations() {
        let references = include_str!("../../tests/python/outliers_reference.json");
        let references: Vec<serde_json::Value> = serde_json::from_str(references).unwrap();
        assert!(references.len() >= 6);
        for reference in references {
            let values: Vec<f64> =
                reference["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
            let marks: Vec<bool> = reference["outliers"]
                .as_array()
                .unwrap()
                .iter()
                .map(|mark| mark.as_bool().unwrap())
                .collect();
            assert_eq!(outliers(&values), marks, "{values:?}");
        }
    }

    #[test]
    fn nothing_lies_apart_where_there_is_nothing_to_lie_apart_from() {
        assert_eq!(outliers(&[]), [false; 0]);
        assert_eq!(outliers(&[5.0]), [false]);
        assert_eq!(outliers(&[5.0, 500.0]), [false; 2]);
        assert_eq!(outliers(&[5.0; 4]), [false; 4]);
        assert_eq!(outliers(&[5.0, 5.0, f64::NAN]), [false; 3]);
    }

    #[test]
    fn three_trials_are_too_few_to_call_one_of_them_an_outlier() {
        assert_eq!(outlying_trials(&[1000.0, 1001.0, 1100.0]), [false; 3]);
        assert_eq!(
            outlying_trials(&[1000.0, 1001.0, 1002.0, 1003.0, 1100.0]),
            [false, false, false, false, true]
        );
    }

    proptest! {
        /// Powers of two, because with them no digit is lost.
        #[test]
        fn the_unit_does_not_matter(values in prop::collection::vec(1.0_f64..100.0, 0..20), exponent in -9..9_i32) {
            let scaled: Vec<f64> = values.iter().map(|value| value * 2.0_f64.powi(exponent)).collect();
            prop_assert_eq!(outliers(&values), outliers(&scaled));
        }
    }
}
