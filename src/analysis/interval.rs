//! How far a median, or the ratio of two medians, can be trusted: 95% intervals by the bias-corrected and accelerated
//! bootstrap (BCa; Efron, 1987). They are computed from the whole distribution of the [`bootstrap`], so
//! nothing is drawn at random.
//!
//! [`bootstrap`]: crate::analysis::bootstrap

use statrs::distribution::{ContinuousCDF, Normal};

use crate::analysis::bootstrap::MedianDistribution;

/// With fewer trials there is no interval. The widest that a sample can give, from its smallest to its largest value,
/// holds the median with a probability of 1 − 2^(1 − n): for four trials that is 87.5%, for five 93.75%, and an
/// interval that is called one of 95% should not be further from it than that.
pub const MIN_TRIALS: usize = 5;

/// What an interval is to hold.
pub const LEVEL: f64 = 0.95;

/// Where a value may well be; in the unit of what it is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// Whether `value` lies within, ends included.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}

/// The 95% interval of the median of `values`, in any order.
///
/// `None` for fewer than [`MIN_TRIALS`] values, or if one of them is not finite. If all are equal, the interval is that
/// one value: nothing in the sample speaks for another one.
#[must_use]
pub fn median_interval(values: &[f64]) -> Option<Interval> {
    let sorted = sorted(values, f64::is_finite)?;
    let medians = MedianDistribution::of(&sorted)?;
    let median = median(&sorted);
    let below = below(medians.medians(), median, |rank| medians.up_to(rank));
    let tails = Tails::new(below, acceleration(&[jackknife(&sorted)]));
    let cumulative = |rank: usize| medians.up_to(rank);
    let first = |is_beyond: &dyn Fn(f64) -> bool| {
        let ranks = 1..=medians.medians().len();
        ranks.into_iter().find(|&rank| is_beyond(cumulative(rank))).map(|rank| medians.medians()[rank - 1])
    };
    Some(Interval {
        low: first(&|sum| sum > tails.low)?,
        // The last sum is 1, and the tail may round to it.
        high: first(&|sum| sum >= tails.high)?,
    })
}

/// The 95% interval of the median of `new` over the median of `base`, two independent samples.
///
/// Computed for the logarithm of the ratio, so the interval of the inverse ratio is the inverse of the interval. `None`
/// for fewer than [`MIN_TRIALS`] values on a side, or if one of them is not positive and finite.
#[must_use]
pub fn ratio_interval(new: &[f64], base: &[f64]) -> Option<Interval> {
    let is_positive = |value: f64| value.is_finite() && value > 0.0;
    let (new, base) = (sorted(new, is_positive)?, sorted(base, is_positive)?);
    let ratios = Ratios { new: MedianDistribution::of(&new)?, base: MedianDistribution::of(&base)? };
    let logarithms = |sorted: &[f64]| jackknife(sorted).map(|(median, count)| (median.ln(), count));
    let (upper, lower) = (logarithms(&new), logarithms(&base));
    let minus = lower.map(|(median, count)| (-median, count));
    let ratio = median(&new) / median(&base);
    let below = (ratios.below(ratio) + ratios.up_to(ratio)) / 2.0;
    let tails = Tails::new(below, acceleration(&[upper, minus]));
    Some(Interval {
        low: ratios.first(|ratio| ratios.up_to(ratio) > tails.low),
        high: ratios.first(|ratio| ratios.up_to(ratio) >= tails.high),
    })
}

/// The middle one of values that ascend, or the mean of the two in the middle.
pub(super) fn median(sorted: &[f64]) -> f64 {
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

/// The median of values in any order, of which there must be one.
pub(crate) fn median_of(mut values: Vec<f64>) -> f64 {
    let half = values.len() / 2;
    let is_odd = values.len() % 2 == 1;
    let (below, &mut upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| !is_odd);
    (lower.unwrap_or(upper) + upper) / 2.0
}

fn sorted(values: &[f64], is_valid: impl Fn(f64) -> bool) -> Option<Vec<f64>> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted.len() >= MIN_TRIALS && sorted.iter().all(|&value| is_valid(value))).then_some(sorted)
}

/// The probability of a smaller value, and half of that of the same one.
fn below(values: &[f64], value: f64, up_to: impl Fn(usize) -> f64) -> f64 {
    let smaller = values.partition_point(|other| *other < value);
    let or_equal = values.partition_point(|other| *other <= value);
    (up_to(smaller) + up_to(or_equal)) / 2.0
}

/// The probabilities at which the bootstrap distribution is cut.
struct Tails {
    low: f64,
    high: f64,
}

impl Tails {
    /// From the probability of a bootstrap value below the one of the sample, and from the acceleration.
    fn new(below: f64, acceleration: f64) -> Self {
        let normal = Normal::standard();
        let bias = normal.inverse_cdf(below);
        let tail = |p: f64| {
            let z = bias + normal.inverse_cdf(p);
            normal.cdf(bias + z / (1.0 - acceleration * z))
        };
        let outside = (1.0 - LEVEL) / 2.0;
        Self { low: tail(outside), high: tail(1.0 - outside) }
    }
}

/// The medians of a sample without each of its values in turn, and how many there are of each.
fn jackknife(sorted: &[f64]) -> [(f64, usize); 3] {
    let (n, m) = (sorted.len(), sorted.len() / 2);
    if n.is_multiple_of(2) {
        return [(sorted[m], m), (sorted[m - 1], m), (sorted[m], 0)];
    }
    let mean = |a: usize, b: usize| (sorted[a] + sorted[b]) / 2.0;
    [(mean(m, m + 1), m), (mean(m - 1, m + 1), 1), (mean(m - 1, m), m)]
}

/// Efron's acceleration of a sum of statistics of independent samples, from the jackknife values of each.
fn acceleration(samples: &[[(f64, usize); 3]]) -> f64 {
    let (mut squares, mut cubes) = (0.0, 0.0);
    for values in samples {
        let n = values.iter().map(|(_, count)| *count as f64).sum::<f64>();
        let mean = values.iter().map(|(value, count)| value * *count as f64).sum::<f64>() / n;
        for (value, count) in values {
            let influence = (n - 1.0) * (mean - value) / n;
            squares += influence.powi(2) * *count as f64;
            cubes += influence.powi(3) * *count as f64;
        }
    }
    // All values are equal: there is nothing to be skewed.
    if squares > 0.0 { cubes / (6.0 * squares.powf(1.5)) } else { 0.0 }
}

/// The ratio of two independent medians. There are as many as pairs of them, so they are never listed.
struct Ratios {
    new: MedianDistribution,
    base: MedianDistribution,
}

impl Ratios {
    /// The probability of `ratio` or a smaller one.
    fn up_to(&self, ratio: f64) -> f64 {
        self.sum(|new, base| new / base <= ratio)
    }

    /// The probability of a smaller one than `ratio`.
    fn below(&self, ratio: f64) -> f64 {
        self.sum(|new, base| new / base < ratio)
    }

    /// The probability of the pairs for which `is_in` holds. If it holds for a pair, it must for one with a smaller new
    /// or with a larger base median.
    fn sum(&self, is_in: impl Fn(f64, f64) -> bool) -> f64 {
        let mut rank = 0;
        let new = self.new.medians();
        let pairs = self.base.medians().iter().zip(self.base.probabilities());
        pairs
            .map(|(&base, probability)| {
                while rank < new.len() && is_in(new[rank], base) {
                    rank += 1;
                }
                probability * self.new.up_to(rank)
            })
            .sum()
    }

    /// The smallest ratio for which `is_beyond` holds. If it holds for one, it must for all larger ones; the largest one
    /// is the answer if it holds for none.
    fn first(&self, is_beyond: impl Fn(f64) -> bool) -> f64 {
        let (new, base) = (self.new.medians(), self.base.medians());
        // A ratio below the smallest one, and the largest one.
        let mut low = new[0] / base[base.len() - 1] * (1.0 - 1e-9);
        let mut high = new[new.len() - 1] / base[0];
        // Each step halves the distance, until two ratios between would be the same to twelve digits.
        while high / low > 1.0 + 1e-12 {
            let middle = (low * high).sqrt();
            if middle <= low || middle >= high {
                break;
            }
            if is_beyond(middle) { high = middle } else { low = middle }
        }
        self.next_after(low).unwrap_or(high)
    }

    /// The smallest ratio above `limit`.
    fn next_after(&self, limit: f64) -> Option<f64> {
        let mut rank = 0;
        let new = self.new.medians();
        let next = self.base.medians().iter().filter_map(|base| {
            while rank < new.len() && new[rank] / base <= limit {
                rank += 1;
            }
            new.get(rank).map(|new| new / base)
        });
        next.min_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn references() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/python/interval_reference.json")).unwrap()
    }

    fn numbers(value: &serde_json::Value) -> Vec<f64> {
        value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
    }

    fn assert_is(ours: Interval, reference: &serde_json::Value) {
        for (ours, key) in [(ours.low, "low"), (ours.high, "high")] {
            let theirs = reference[key].as_f64().unwrap();
            assert!((ours / theirs - 1.0).abs() < 1e-9, "{key}: {ours} {theirs} in {reference}");
        }
    }

    /// The intervals are printed by `tests/python/interval_reference.py`: scipy's BCa over a million drawn samples.
    #[test]
    fn the_interval_of_a_median_is_scipys() {
        let references = references();
        let references = references["medians"].as_array().unwrap();
        assert!(references.len() >= 6);
        for reference in references {
            assert_is(median_interval(&numbers(&reference["values"])).unwrap(), reference);
        }
    }

    #[test]
    fn the_interval_of_a_ratio_is_scipys() {
        let references = references();
        let references = references["ratios"].as_array().unwrap();
        assert!(references.len() >= 5);
        for reference in references {
            let (new, base) = (numbers(&reference["new"]), numbers(&reference["base"]));
            assert_is(ratio_interval(&new, &base).unwrap(), reference);
        }
    }

    #[test]
    fn fewer_than_five_trials_have_no_interval() {
        for n in 0..5 {
            assert_eq!(median_interval(&vec![1.0; n]), None);
            assert_eq!(ratio_interval(&vec![1.0; n], &[1.0; 9]), None);
            assert_eq!(ratio_interval(&[1.0; 9], &vec![1.0; n]), None);
        }
        let range = Some(Interval { low: 1.0, high: 5.0 });
        assert_eq!(median_interval(&[4.0, 1.0, 3.0, 5.0, 2.0]), range);
    }

    #[test]
    fn equal_trials_have_an_interval_of_no_width() {
        assert_eq!(median_interval(&[7.0; 6]), Some(Interval { low: 7.0, high: 7.0 }));
        assert_eq!(ratio_interval(&[6.0; 7], &[3.0; 5]), Some(Interval { low: 2.0, high: 2.0 }));
    }

    #[test]
    fn what_is_no_throughput_has_no_interval() {
        assert_eq!(median_interval(&[1.0, 2.0, 3.0, 4.0, f64::NAN]), None);
        assert_eq!(ratio_interval(&[1.0, 2.0, 3.0, 4.0, 0.0], &[1.0; 5]), None);
        assert_eq!(ratio_interval(&[1.0; 5], &[1.0, 2.0, 3.0, 4.0, f64::INFINITY]), None);
    }

    /// Samples whose median is known, of values that scatter evenly and of such that lie on one side.
    #[test]
    fn intervals_hold_the_truth_about_as_often_as_they_say() {
        let mut random = ChaCha8Rng::seed_from_u64(1987);
        let mut uniform = move || ((random.next_u64() >> 11) as f64 + 0.5) / 2.0_f64.powi(53);
        let samples = 1_000;
        for (name, of) in [("even", (|u| 100.0 + u) as fn(f64) -> f64), ("skewed", |u: f64| 1.0 - u.ln())] {
            let (truth, mut draw) = (of(0.5), || of(uniform()));
            for n in [5, 6, 10, 20] {
                let (mut medians, mut ratios) = (0, 0);
                for _ in 0..samples {
                    let base: Vec<f64> = (0..n).map(|_| draw()).collect();
                    let new: Vec<f64> = (0..n).map(|_| draw()).collect();
                    medians += usize::from(median_interval(&base).unwrap().contains(truth));
                    ratios += usize::from(ratio_interval(&new, &base).unwrap().contains(1.0));
                }
                for (what, count) in [("medians", medians), ("ratios", ratios)] {
                    let share = count as f64 / f64::from(samples);
                    println!("{name}, {what} of {n}: {share}");
                    assert!((0.91..0.975).contains(&share), "{name}, {what} of {n}: {share}");
                }
            }
        }
    }

    #[test]
    fn the_middle_is_found_in_any_order() {
        for values in [vec![3.0], vec![9.0, 1.0], vec![5.0, -1.0, 2.0], vec![4.0, 1.0, 3.0, 2.0]] {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            assert_eq!(median_of(values), median(&sorted));
        }
    }

    fn sample() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(50.0_f64..150.0, 5..25)
    }

    proptest! {
        #[test]
        fn order_does_not_matter((values, shuffled) in sample().prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle()))) {
            prop_assert_eq!(median_interval(&values), median_interval(&shuffled));
        }

        #[test]
        fn the_median_lies_within(values in sample()) {
            let interval = median_interval(&values).unwrap();
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            prop_assert!(interval.contains(median(&sorted)));
        }

        #[test]
        fn the_ratio_seen_from_the_other_side_is_its_inverse(new in sample(), base in sample()) {
            let (there, back) = (ratio_interval(&new, &base).unwrap(), ratio_interval(&base, &new).unwrap());
            prop_assert!((there.low * back.high - 1.0).abs() < 1e-12, "{:?} {:?}", there, back);
            prop_assert!((there.high * back.low - 1.0).abs() < 1e-12, "{:?} {:?}", there, back);
        }

        /// Powers of two, because with them no digit is lost and equality is exact.
        #[test]
        fn the_unit_does_not_matter(new in sample(), base in sample(), exponent in -20..20_i32) {
            let scaled = |values: &[f64]| values.iter().map(|v| v * 2.0_f64.powi(exponent)).collect::<Vec<_>>();
            prop_assert_eq!(ratio_interval(&new, &base), ratio_interval(&scaled(&new), &scaled(&base)));
        }
    }
}
