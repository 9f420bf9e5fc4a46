//! How far a median, or the ratio of two medians, can be trusted: 95% intervals. That of a median lies between order
//! statistics and is interpolated (Hettmansperger and Sheather, 1986). That of a ratio is a bias-corrected and accelerated
//! bootstrap (BCa; Efron, 1987), computed from the whole distribution of the [`bootstrap`]. So nothing is drawn at random.
//!
//! [`bootstrap`]: crate::analysis::bootstrap

use statrs::distribution::{Binomial, ContinuousCDF, Discrete, DiscreteCDF, Normal};

use crate::analysis::bootstrap::{MedianDistribution, NEGLIGIBLE};

/// Fewer trials give no interval. The widest interval of a sample, from its smallest to its largest value, contains the median
/// with a probability of 1 − 2^(1 − n): 87.5% for four trials and 93.75% for five. Nothing further from 95% should be called a
/// 95% interval.
pub const MIN_TRIALS: usize = 5;

/// The confidence level of an interval.
pub const LEVEL: f64 = 0.95;

/// The range in which a value may well lie, in the unit of that value.
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
    let Depth { rank, inward } = Depth::of(sorted.len())?;
    // Written as a step from the outer value, so that equal values give that value to the last digit.
    let between = |outer: f64, inner: f64| outer + inward * (inner - outer);
    let last = sorted.len() - 1;
    Some(Interval {
        low: between(sorted[rank - 1], sorted[rank]),
        high: between(sorted[last + 1 - rank], sorted[last - rank]),
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
    Some(Interval { low: ratios.quantile(tails.low, f64::gt), high: ratios.quantile(tails.high, f64::ge) })
}

/// The middle one of values that ascend, or the mean of the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}

/// The median of values in any order; there must be at least one.
pub(crate) fn median_of(mut values: Vec<f64>) -> f64 {
    let half = values.len() / 2;
    let is_odd = values.len() % 2 == 1;
    let (below, &mut upper, _) = values.select_nth_unstable_by(half, f64::total_cmp);
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| !is_odd);
    f64::midpoint(lower.unwrap_or(upper), upper)
}

fn sorted(values: &[f64], is_valid: impl Fn(f64) -> bool) -> Option<Vec<f64>> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted.len() >= MIN_TRIALS && sorted.iter().all(|&value| is_valid(value))).then_some(sorted)
}

/// How far inside a sample the ends of the interval of its median lie.
struct Depth {
    /// The rank of the outer order statistic, from 1: the values of this rank from below and from above hold the median
    /// with 95% or more, those of the next rank with less. For five values even the first ones do so with less.
    rank: usize,
    /// How far to go from there to the value of the next rank, as a share.
    inward: f64,
}

impl Depth {
    /// For a sample of `n` values, of which there must be at least [`MIN_TRIALS`].
    fn of(n: usize) -> Option<Self> {
        // As many values as this lie below the median.
        let below = Binomial::new(0.5, n as u64).ok()?;
        let outside = (1.0 - LEVEL) / 2.0;
        let rank = below.inverse_cdf(outside).max(1);
        let share = ((outside - below.cdf(rank - 1)) / below.pmf(rank)).max(0.0);
        let (size, depth) = (n as f64, rank as f64);
        let inward = (size - depth) * share / (depth + (size - 2.0 * depth) * share);
        Some(Self { rank: usize::try_from(rank).ok()?, inward })
    }
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
    let mean = |a: usize, b: usize| f64::midpoint(sorted[a], sorted[b]);
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

/// Two ratios whose logarithms are no further apart are the same to twelve digits.
const SAME: f64 = 1e-12;

/// The ratio of two independent medians. There is one for every pair of medians, so they are never listed.
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

    /// The smallest ratio whose probability, together with that of all smaller ones, is beyond `level`: above it or, with
    /// [`f64::ge`], at it. The largest one if there is none.
    ///
    /// Found between two logarithms by the ITP method (Oliveira and Takahashi, 2020), which follows the line between the
    /// ends and takes one step more than bisection at most: each step costs a sum over all medians. The line is one of
    /// probits, since the logarithm of a ratio of medians is nearly normal.
    fn quantile(&self, level: f64, is_beyond: fn(&f64, &f64) -> bool) -> f64 {
        let (new, base) = (self.new.medians(), self.base.medians());
        let normal = Normal::standard();
        let probit = |sum: f64| normal.inverse_cdf(sum.clamp(NEGLIGIBLE, 1.0 - NEGLIGIBLE));
        let wanted = probit(level);
        // Each with its probit, less the one that is wanted: a ratio below the smallest one, and the largest one.
        // Logarithms are subtracted, since a ratio of numbers that nobody measures may overflow.
        let (first, last) = (|of: &[f64]| of[0].ln(), |of: &[f64]| of[of.len() - 1].ln());
        let mut low = (first(new) - last(base) - 1e-9, probit(0.0) - wanted);
        let mut high = (last(new) - first(base), probit(1.0) - wanted);
        let all = high.0 - low.0;
        // How wide bisection would have left it, one step behind.
        let mut reach = SAME * (all / SAME).log2().ceil().exp2();
        while high.0 - low.0 > SAME {
            let (width, middle) = (high.0 - low.0, f64::midpoint(low.0, high.0));
            // Both may be at the level.
            let share = (low.1 / (low.1 - high.1)).max(0.0);
            let crossing = low.0 + share * width;
            let inward = 0.2 / all * width.powi(2);
            let to_middle = middle - crossing;
            let slack = (reach - width / 2.0).max(0.0);
            let at = crossing + inward.min(to_middle.abs()).copysign(to_middle);
            let at = at.max(middle - slack).min(middle + slack);
            reach /= 2.0;
            let sum = self.up_to(at.exp());
            let end = if is_beyond(&sum, &level) { &mut high } else { &mut low };
            *end = (at, probit(sum) - wanted);
        }
        self.next_after(low.0.exp()).unwrap_or(new[new.len() - 1] / base[0])
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

    /// The references are printed by `tests/python/interval_reference.py`: this one in exact fractions.
    #[test]
    fn the_interval_of_a_median_is_that_of_hettmansperger_and_sheather() {
        let references = references();
        let references = references["medians"].as_array().unwrap();
        assert!(references.len() >= 12);
        for reference in references {
            assert_is(median_interval(&numbers(&reference["values"])).unwrap(), reference);
        }
    }

    /// scipy's BCa over a million drawn samples.
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

    #[test]
    fn numbers_that_nobody_measures_have_an_interval_all_the_same() {
        let (edges, usual) =
            ([5e-324, 1e-300, 1e-300, 1e300, f64::MAX, f64::MAX], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        for (new, base) in [(edges, usual), (usual, edges), (edges, edges)] {
            let interval = ratio_interval(&new, &base).unwrap();
            assert!(interval.low <= interval.high, "{interval:?}");
        }
    }

    /// The value that this share of all values lies below.
    type Quantile = fn(f64) -> f64;

    /// Values whose median is known: they scatter evenly, on one side, or as a normal distribution does.
    fn distributions() -> [(&'static str, Quantile); 3] {
        [
            ("even", |u| 100.0 + u),
            ("skewed", |u| 1.0 - u.ln()),
            ("normal", |u| 100.0 + Normal::standard().inverse_cdf(u)),
        ]
    }

    /// The same numbers between 0 and 1 each time.
    fn uniform() -> impl FnMut() -> f64 {
        let mut random = ChaCha8Rng::seed_from_u64(1987);
        move || ((random.next_u64() >> 11) as f64 + 0.5) / 2.0_f64.powi(53)
    }

    #[test]
    fn intervals_of_medians_hold_the_truth_as_often_as_they_say_for_every_number_of_trials() {
        let (samples, mut uniform) = (2_000, uniform());
        for (name, of) in distributions() {
            for n in 5..=30 {
                let held = (0..samples).filter(|_| {
                    let values: Vec<f64> = (0..n).map(|_| of(uniform())).collect();
                    median_interval(&values).unwrap().contains(of(0.5))
                });
                let share = held.count() as f64 / f64::from(samples);
                // Between 93.7% and 95.2% in longer simulations; a standard error is half a point.
                assert!((0.92..0.97).contains(&share), "{name}, {n} values: {share}");
            }
        }
    }

    #[test]
    fn intervals_of_ratios_hold_the_truth_about_as_often_as_they_say() {
        let (samples, mut uniform) = (1_000, uniform());
        for (name, of) in &distributions()[..2] {
            for n in [5, 6, 10, 20] {
                let held = (0..samples).filter(|_| {
                    let base: Vec<f64> = (0..n).map(|_| of(uniform())).collect();
                    let new: Vec<f64> = (0..n).map(|_| of(uniform())).collect();
                    ratio_interval(&new, &base).unwrap().contains(1.0)
                });
                let share = held.count() as f64 / f64::from(samples);
                assert!((0.91..0.975).contains(&share), "{name}, ratios of {n}: {share}");
            }
        }
    }

    #[test]
    fn a_sample_of_any_size_has_an_interval_about_its_median() {
        for n in [1_000_usize, 1_075, 20_000, 500_000] {
            let values: Vec<f64> = (1..=n).map(|value| value as f64).collect();
            let interval = median_interval(&values).unwrap();
            // Where the normal approximation of the binomial distribution has the ends, to a rank.
            let half = 1.959_964 * (n as f64).sqrt() / 2.0;
            let middle = (n as f64 + 1.0) / 2.0;
            assert!((interval.low - (middle - half)).abs() < 1.0, "{n}: {interval:?}");
            assert!((interval.high - (middle + half)).abs() < 1.0, "{n}: {interval:?}");
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
        fn the_interval_of_a_median_is_the_same_seen_from_above(values in sample()) {
            let negative: Vec<f64> = values.iter().map(|value| -value).collect();
            let (there, back) = (median_interval(&values).unwrap(), median_interval(&negative).unwrap());
            prop_assert_eq!((there.low, there.high), (-back.high, -back.low));
        }

        /// Compared with the sorted list of all ratios.
        #[test]
        fn a_quantile_of_ratios_is_that_of_all_pairs(new in sample(), base in sample(), level in 0.001..0.999) {
            let of = |values: &[f64]| MedianDistribution::of(&sorted(values, f64::is_finite).unwrap()).unwrap();
            let ratios = Ratios { new: of(&new), base: of(&base) };
            let mut pairs = Vec::new();
            for (new, p) in ratios.new.medians().iter().zip(ratios.new.probabilities()) {
                let with = ratios.base.medians().iter().zip(ratios.base.probabilities());
                pairs.extend(with.map(|(base, q)| (new / base, p * q)));
            }
            pairs.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            // Summing in another order ends on another side of the level only where the sum is next to it.
            let at = |level: f64| {
                let mut sum = 0.0;
                let beyond = pairs.iter().find(|(_, probability)| { sum += probability; sum > level });
                beyond.unwrap_or(&pairs[pairs.len() - 1]).0
            };
            let found = ratios.quantile(level, f64::gt);
            prop_assert!((at(level - 1e-12) * (1.0 - 1e-11)..=at(level + 1e-12) * (1.0 + 1e-11)).contains(&found));
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
