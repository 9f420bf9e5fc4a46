//! Whether two samples differ: the Mann–Whitney test, which assumes nothing about the shape of their distributions.

use statrs::distribution::{ContinuousCDF, Normal};

/// Up to this product of the sizes the p-value is exact; that is up to 50 trials a side. Beyond it the normal
/// approximation is used, corrected for ties and for continuity.
pub const EXACT_UP_TO: usize = 2500;

/// The two-sided p-value of the hypothesis that `a` and `b` come from the same distribution.
///
/// Equal values share the mean of their ranks. If the product of the sizes is at most [`EXACT_UP_TO`], this is the exact
/// permutation distribution of the rank sum, ties included: twice the probability of the smaller tail, at most 1.
/// `None` if a sample is empty or a value is not a number.
#[must_use]
pub fn mann_whitney(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.is_empty() || b.is_empty() || a.iter().chain(b).any(|value| value.is_nan()) {
        return None;
    }
    // The distribution is the same seen from either side, and less work from that of the smaller sample.
    let (small, large) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let ranks = Ranks::of(small, large);
    let is_small = small.len() * large.len() <= EXACT_UP_TO;
    Some(if is_small { ranks.exact() } else { ranks.approximate() })
}

/// The smallest p-value that samples of these sizes can have: that of complete separation, 2 over the number of ways to
/// choose one from both; 1 if one is empty.
#[must_use]
pub fn smallest_p(a: usize, b: usize) -> f64 {
    let (few, many) = (a.min(b), a.max(b));
    let ways: f64 = (1..=few).map(|k| (many + k) as f64 / k as f64).product();
    (2.0 / ways).min(1.0)
}

/// The ranks of two samples put together, doubled so that the mean rank of a tie is a whole number.
struct Ranks {
    /// For each group of equal values its doubled rank, and how many values there are.
    groups: Vec<(usize, usize)>,
    /// The sum of the doubled ranks of the smaller sample.
    sum: usize,
    small: usize,
    large: usize,
}

impl Ranks {
    fn of(small: &[f64], large: &[f64]) -> Self {
        // Adding zero makes the two zeros equal in the order too.
        let values =
            small.iter().map(|value| (value + 0.0, true)).chain(large.iter().map(|v| (v + 0.0, false)));
        let mut values: Vec<(f64, bool)> = values.collect();
        values.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let (mut groups, mut sum, mut before) = (Vec::new(), 0, 0);
        for tie in values.chunk_by(|(a, _), (b, _)| a == b) {
            let doubled = 2 * before + tie.len() + 1;
            groups.push((doubled, tie.len()));
            sum += doubled * tie.iter().filter(|(_, is_small)| *is_small).count();
            before += tie.len();
        }
        Self { groups, sum, small: small.len(), large: large.len() }
    }

    /// Counts, for each number of chosen values, the ways to reach each sum of doubled ranks, value after value. The smallest
    /// rank is subtracted from each, which keeps the sums small.
    fn exact(&self) -> f64 {
        let base = 2;
        let most = 2 * self.small * self.large + self.small * (self.small - 1);
        let observed = self.sum - base * self.small;
        let mut ways = vec![vec![0.0_f64; most + 1]; self.small + 1];
        ways[0][0] = 1.0;
        // A choice of k of the values so far has no larger sum than k times the largest of them.
        for &(doubled, count) in &self.groups {
            let step = doubled - base;
            for _ in 0..count {
                for chosen in (1..=self.small).rev() {
                    let (fewer, more) = ways.split_at_mut(chosen);
                    let (from, to) = (&fewer[chosen - 1], &mut more[0]);
                    let reach = (chosen * step).min(most);
                    if step <= reach {
                        to[step..=reach].iter_mut().zip(from).for_each(|(to, from)| *to += from);
                    }
                }
            }
        }
        let ways = &ways[self.small];
        let all: f64 = ways.iter().sum();
        let low: f64 = ways[..=observed].iter().sum();
        let high: f64 = ways[observed..].iter().sum();
        (2.0 * low.min(high) / all).min(1.0)
    }

    fn approximate(&self) -> f64 {
        let (small, large) = (self.small as f64, self.large as f64);
        let n = small + large;
        let u = (self.sum as f64 - small * (small + 1.0)) / 2.0;
        let ties: f64 = self.groups.iter().map(|&(_, count)| (count as f64).powi(3) - count as f64).sum();
        let variance = small * large / 12.0 * (n + 1.0 - ties / (n * (n - 1.0)));
        if variance <= 0.0 {
            return 1.0;
        }
        let distance = ((u - small * large / 2.0).abs() - 0.5).max(0.0);
        2.0 * Normal::standard().sf(distance / variance.sqrt())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The numbers are printed by `tests/python/rank_reference.py`, with scipy.
    #[test]
    fn the_p_values_are_those_of_scipy() {
        let references = include_str!("../../tests/python/rank_reference.json");
        let references: serde_json::Value = serde_json::from_str(references).unwrap();
        let references = references.as_array().unwrap();
        assert!(references.len() >= 10);
        for reference in references {
            let numbers = |key: &str| -> Vec<f64> {
                reference[key].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
            };
            let (ours, theirs) =
                (mann_whitney(&numbers("a"), &numbers("b")).unwrap(), reference["p"].as_f64().unwrap());
            assert!((ours / theirs - 1.0).abs() < 1e-9, "{ours} {theirs} in {reference}");
        }
    }

    #[test]
    fn complete_separation_has_the_smallest_p() {
        for (few, many) in [(1, 1), (3, 4), (5, 5), (4, 30), (50, 50)] {
            let a: Vec<f64> = (0..few).map(f64::from).collect();
            let b: Vec<f64> = (1000..1000 + many).map(f64::from).collect();
            let (p, smallest) = (mann_whitney(&a, &b).unwrap(), smallest_p(a.len(), b.len()));
            assert!((p / smallest - 1.0).abs() < 1e-9, "{p} {smallest}");
        }
        assert!((smallest_p(5, 5) - 2.0 / 252.0).abs() < 1e-15);
        assert!((smallest_p(0, 5) - 1.0).abs() < 1e-15);
    }

    #[test]
    fn equal_samples_do_not_differ_and_nothing_is_no_sample() {
        assert_eq!(mann_whitney(&[3.0; 6], &[3.0; 7]), Some(1.0));
        assert_eq!(mann_whitney(&[3.0; 60], &[3.0; 70]), Some(1.0));
        assert_eq!(mann_whitney(&[], &[1.0]), None);
        assert_eq!(mann_whitney(&[f64::NAN], &[1.0]), None);
    }

    fn sample() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((0..12_i32).prop_map(f64::from), 1..9)
    }

    proptest! {
        #[test]
        fn the_side_does_not_matter(a in sample(), b in sample()) {
            let (there, back) = (mann_whitney(&a, &b).unwrap(), mann_whitney(&b, &a).unwrap());
            prop_assert!((there - back).abs() < 1e-12);
        }

        #[test]
        fn only_the_order_of_values_matters(a in sample(), b in sample()) {
            let cubed = |values: &[f64]| values.iter().map(|value| value.powi(3) + 7.0).collect::<Vec<_>>();
            prop_assert_eq!(mann_whitney(&a, &b), mann_whitney(&cubed(&a), &cubed(&b)));
        }
    }
}
