//! Whether a cell grew faster or slower while its run went on: the slope of Theil and Sen over the position.

use statrs::distribution::{ContinuousCDF, Normal};

use crate::analysis::interval::{Interval, median_of};

/// With fewer trials there is no drift to speak of.
pub const MIN_TRIALS: usize = 5;

/// A change over the run that is smaller than this share of the median does not matter.
pub const MATTERS: f64 = 0.05;

/// The confidence level of the slope's interval. Every cell of a run is tested, so it is higher than 95%.
pub const LEVEL: f64 = 0.99;

/// With more points than this, not all pairs of them are looked at.
const MOST_POINTS: usize = 256;

/// How values change with their position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Change of the value for each step of position: the median of the slopes between all pairs of points.
    pub slope: f64,
    /// The 99% interval of the slope.
    pub interval: Interval,
    /// Change from the first to the last position, as a share of the value at the first: −0.1 is a tenth less at the end. It
    /// follows a constant rate of growth rather than a straight line, which would pass through 0, so it is above −1.
    pub change: f64,
}

impl Drift {
    /// Whether a reader should be warned: the interval of the slope does not contain 0, and the change over the run is more
    /// than [`MATTERS`].
    #[must_use]
    pub fn matters(&self) -> bool {
        !self.interval.contains(0.0) && self.change.abs() > MATTERS
    }
}

/// The drift of `points`, each a position and a value, of one run; positions of different runs have nothing to do with each
/// other.
///
/// Slope and interval are those of Theil and Sen, with Kendall's variance, corrected for ties (Sen, 1968). For more than 256
/// points, the medians of 256 groups of neighbours are taken, since the number of pairs grows with the square. `None` for fewer
/// than [`MIN_TRIALS`] points, if all have the same position, if a value is not positive, or if something is not finite.
#[must_use]
pub fn drift(points: &[(f64, f64)]) -> Option<Drift> {
    if points.len() < MIN_TRIALS || !points.iter().all(|(x, y)| x.is_finite() && y.is_finite()) {
        return None;
    }
    let mut points = points.to_vec();
    points.sort_by(|(a, v), (b, w)| a.total_cmp(b).then(v.total_cmp(w)));
    let span = points[points.len() - 1].0 - points[0].0;
    if points.iter().any(|(_, value)| *value <= 0.0) {
        return None;
    }
    let points = thinned(points);
    let mut slopes = slopes(&points);
    if slopes.is_empty() {
        return None;
    }
    let logarithms: Vec<(f64, f64)> = points.iter().map(|(x, y)| (*x, y.ln())).collect();
    let growth = median_of(self::slopes(&logarithms));
    Some(Drift {
        interval: interval(&mut slopes, &points),
        slope: median_of(slopes),
        change: (growth * span).exp_m1(),
    })
}

/// The slopes between all pairs of points that have different positions, in any order.
fn slopes(points: &[(f64, f64)]) -> Vec<f64> {
    let mut slopes = Vec::with_capacity(points.len() * points.len().saturating_sub(1) / 2);
    for (index, (x, y)) in points.iter().enumerate() {
        slopes.extend(points[index + 1..].iter().filter(|(a, _)| a > x).map(|(a, b)| (b - y) / (a - x)));
    }
    slopes
}

/// The slopes between which the true one lies, unless Kendall's statistic is further from 0 than chance allows.
///
/// Slopes are selected by rank rather than sorted: there may be tens of thousands for each cell.
fn interval(slopes: &mut [f64], points: &[(f64, f64)]) -> Interval {
    let term = |n: usize| (n * (n - 1) * (2 * n + 5)) as f64;
    let ties = |mut values: Vec<f64>| -> f64 {
        values.sort_by(f64::total_cmp);
        values.chunk_by(|a, b| a == b).map(|tie| term(tie.len())).sum()
    };
    let (positions, values) = points.iter().copied().unzip();
    let variance = (term(points.len()) - ties(positions) - ties(values)) / 18.0;
    let reach = Normal::standard().inverse_cdf(f64::midpoint(LEVEL, 1.0)) * variance.max(0.0).sqrt();
    let count = slopes.len() as f64;
    let last = slopes.len() - 1;
    let low = ((count - reach) / 2.0).round_ties_even().max(1.0) as usize - 1;
    let high = (f64::midpoint(count, reach).round_ties_even() as usize).min(last);
    let mut of_rank = |rank| *slopes.select_nth_unstable_by(rank, f64::total_cmp).1;
    Interval { low: of_rank(low.min(last)), high: of_rank(high) }
}

/// At most [`MOST_POINTS`] points, each the median of a group of neighbours; all groups but one are of the same size.
fn thinned(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points;
    }
    let at = |group: usize| group * points.len() / MOST_POINTS;
    let groups = (0..MOST_POINTS).map(|group| &points[at(group)..at(group + 1)]);
    let middle = |group: &[(f64, f64)]| {
        let (positions, values): (Vec<f64>, Vec<f64>) = group.iter().copied().unzip();
        (median_of(positions), median_of(values))
    };
    groups.map(middle).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The numbers are printed by `tests/python/drift_reference.py`, with scipy.
    #[test]
    fn slope_and_interval_are_those_of_scipy() {
        let references = include_str!("../../tests/python/drift_reference.json");
        let references: Vec<serde_json::Value> = serde_json::from_str(references).unwrap();
        assert!(references.len() >= 5);
        for reference in references {
            let points: Vec<(f64, f64)> = serde_json::from_value(reference["points"].clone()).unwrap();
            let drift = drift(&points).unwrap();
            for (ours, key) in
                [(drift.slope, "slope"), (drift.interval.low, "low"), (drift.interval.high, "high")]
            {
                let theirs = reference[key].as_f64().unwrap();
                assert!(
                    (ours - theirs).abs() <= 1e-12 * theirs.abs(),
                    "{key}: {ours} {theirs} in {reference}"
                );
            }
        }
    }

    fn line(n: u32, change: f64) -> Vec<(f64, f64)> {
        (0..n).map(|i| (f64::from(i), 100.0 * (1.0 + change * f64::from(i) / f64::from(n - 1)))).collect()
    }

    #[test]
    fn a_drift_matters_if_it_is_both_certain_and_large() {
        assert!(drift(&line(30, -0.1)).unwrap().matters());
        assert!(!drift(&line(30, -0.04)).unwrap().matters());
        let zigzag: Vec<(f64, f64)> =
            (0..30).map(|i| (f64::from(i), [80.0, 120.0][i as usize % 2])).collect();
        assert!(!drift(&zigzag).unwrap().matters());
    }

    #[test]
    fn a_long_run_drifts_like_a_short_one() {
        let drift = drift(&line(20_000, -0.1)).unwrap();
        assert!((drift.change + 0.1).abs() < 1e-3, "{drift:?}");
        assert!(drift.matters());
    }

    #[test]
    fn nothing_loses_more_than_all_of_its_throughput() {
        let values = [9000.0, 8000.0, 7000.0, 200.0, 150.0, 100.0, 90.0, 80.0];
        let points: Vec<(f64, f64)> = (0..).map(f64::from).zip(values).collect();
        let drift = drift(&points).unwrap();
        assert!(drift.matters() && drift.change > -1.0 && drift.change < -0.9, "{drift:?}");
    }

    #[test]
    fn nothing_drifts_with_too_few_points_or_in_one_place() {
        assert_eq!(drift(&line(4, 1.0)), None);
        assert_eq!(drift(&[(1.0, 2.0); 9]), None);
        assert_eq!(drift(&[(1.0, 0.0), (2.0, 0.0), (3.0, 0.0), (4.0, 0.0), (5.0, 0.0)]), None);
    }

    proptest! {
        #[test]
        fn the_order_of_points_does_not_matter(
            (points, shuffled) in prop::collection::vec((0.0_f64..99.0, 1.0_f64..9.0), 0..20)
                .prop_flat_map(|points| (Just(points.clone()), Just(points).prop_shuffle()))
        ) {
            prop_assert_eq!(drift(&points), drift(&shuffled));
        }
    }
}
