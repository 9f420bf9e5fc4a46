//! The median of every sample that can be drawn, with replacement, from a sample: its distribution in closed form.
//!
//! Bootstrapping usually draws some thousands of samples at random. For a median, the probabilities of all of them are known
//! (Maritz and Jarrett, 1978), so nothing is drawn here: there is no seed, and the same values give the same interval.

/// The medians that samples drawn with replacement can have, ascending and each once, and how probable they are.
#[derive(Clone, Debug, PartialEq)]
pub struct MedianDistribution {
    medians: Vec<f64>,
    /// For each median the probability of that one or a smaller one; the last is 1.
    cumulative: Vec<f64>,
}

/// Nodes on (0, 1) and weights of Gauss and Legendre's quadrature: exact for polynomials up to degree 15, which is what
/// is integrated here up to 16 values. With more values the integrand is smoother than the rule needs.
const NODES: [(f64, f64); 8] = [
    (0.019855071751231912, 0.05061426814518853),
    (0.10166676129318664, 0.11119051722668721),
    (0.2372337950418355, 0.15685332293894344),
    (0.4082826787521751, 0.18134189168918083),
    (0.5917173212478248, 0.18134189168918083),
    (0.7627662049581645, 0.15685332293894344),
    (0.8983332387068134, 0.11119051722668721),
    (0.9801449282487681, 0.05061426814518853),
];

/// A probability too small to affect any quantile of interest.
pub(super) const NEGLIGIBLE: f64 = 1e-13;

impl MedianDistribution {
    /// The distribution for the values in `sorted`, which ascend; `None` if there are none.
    #[must_use]
    pub fn of(sorted: &[f64]) -> Option<Self> {
        if sorted.is_empty() {
            return None;
        }
        let mut atoms = if sorted.len() % 2 == 1 { odd(sorted) } else { even(sorted) };
        atoms.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        let total: f64 = atoms.iter().map(|(_, weight)| weight).sum();
        let (mut medians, mut cumulative) = (Vec::new(), Vec::new());
        let mut sum = 0.0;
        for (median, weight) in atoms {
            sum += weight / total;
            if medians.last() == Some(&median) {
                cumulative.pop();
            } else {
                medians.push(median);
            }
            cumulative.push(sum.min(1.0));
        }
        // Makes up for what rounding has lost on the way.
        if let Some(last) = cumulative.last_mut() {
            *last = 1.0;
        }
        Some(Self { medians, cumulative })
    }

    /// The medians, ascending.
    #[must_use]
    pub fn medians(&self) -> &[f64] {
        &self.medians
    }

    /// The probability of each of the medians.
    pub fn probabilities(&self) -> impl Iterator<Item = f64> + '_ {
        let before = std::iter::once(&0.0).chain(&self.cumulative);
        self.cumulative.iter().zip(before).map(|(sum, before)| sum - before)
    }

    /// The probability of a median of this rank in [`MedianDistribution::medians`] or a smaller one; ranks count from 1.
    pub(super) fn up_to(&self, rank: usize) -> f64 {
        rank.checked_sub(1).map_or(0.0, |index| self.cumulative[index])
    }
}

/// For 2m − 1 values, the m-th smallest of those drawn is the i-th value if the m-th smallest of as many uniform numbers lies
/// between (i − 1)/n and i/n, and its density is that of Beta(m, m) up to a factor.
fn odd(sorted: &[f64]) -> Vec<(f64, f64)> {
    let n = sorted.len();
    let exponent = (n / 2) as f64;
    middle(n)
        .map(|i| {
            let weight = integrate(i, n, |u| (exponent * ((2.0 * u).ln() + (2.0 - 2.0 * u).ln())).exp());
            (sorted[i - 1], weight)
        })
        .filter(|(_, weight)| *weight > NEGLIGIBLE)
        .collect()
}

/// For 2m values, the middle two of those drawn are the i-th and the j-th. If i < j, then m of them were drawn up to i and at
/// least one was i, and m from j upwards and at least one was j. If i = j, the m-th uniform number u lies in the i-th part, and
/// the m above it do not all lie above that part. All weights are probabilities up to the same factor, the binomial coefficient
/// of 2m over m times 4 to the power of −m.
fn even(sorted: &[f64]) -> Vec<(f64, f64)> {
    let n = sorted.len();
    let m = (n / 2) as f64;
    let power = |base: f64| (m * (2.0 * base).ln()).exp();
    // All of m in the first i of n parts and one of them in the i-th; seen from above it is the same.
    let reaching = |i: usize| power(i as f64 / n as f64) - power((i - 1) as f64 / n as f64);
    let reaching: Vec<f64> = (1..=n).map(reaching).collect();
    let mut atoms = Vec::new();
    for i in middle(n) {
        let above = power((n - i) as f64 / n as f64);
        let same = integrate(i, n, |u| m * power(u) / u * (power(1.0 - u) - above));
        atoms.push((sorted[i - 1], same));
        let first = reaching[i - 1];
        for j in i + 1..=n {
            let weight = first * reaching[n - j];
            if weight <= NEGLIGIBLE {
                break;
            }
            atoms.push((f64::midpoint(sorted[i - 1], sorted[j - 1]), weight));
        }
    }
    atoms.retain(|(_, weight)| *weight > NEGLIGIBLE);
    atoms
}

/// The ranks, from 1, that may be in the middle of a drawn sample: all within nine standard deviations, √n ÷ 2 each.
fn middle(n: usize) -> std::ops::RangeInclusive<usize> {
    let reach = (4.5 * (n as f64).sqrt()).ceil() as usize + 1;
    (n / 2).saturating_sub(reach).max(1)..=(n / 2 + reach).min(n)
}

/// The integral of `density` over the i-th of n equal parts of (0, 1).
fn integrate(i: usize, n: usize, density: impl Fn(f64) -> f64) -> f64 {
    let width = 1.0 / n as f64;
    let start = (i - 1) as f64 * width;
    NODES.iter().map(|(node, weight)| weight * density(start + node * width)).sum::<f64>() * width
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The probabilities are printed by `tests/python/interval_reference.py`, which draws every sample there is.
    #[test]
    fn the_probabilities_are_those_of_all_samples_that_can_be_drawn() {
        let references = include_str!("../../tests/python/interval_reference.json");
        let references: serde_json::Value = serde_json::from_str(references).unwrap();
        let references = references["distributions"].as_array().unwrap();
        assert!(references.len() >= 6);
        let numbers = |value: &serde_json::Value| -> Vec<f64> {
            value.as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect()
        };
        for reference in references {
            let ours = MedianDistribution::of(&numbers(&reference["values"])).unwrap();
            assert_eq!(ours.medians(), numbers(&reference["medians"]), "{reference}");
            for (ours, theirs) in ours.probabilities().zip(numbers(&reference["probabilities"])) {
                assert!((ours - theirs).abs() < 1e-14, "{ours} {theirs} in {reference}");
            }
        }
    }

    #[test]
    fn the_median_of_many_spreads_as_a_binomial_says() {
        let values: Vec<f64> = (1..=100_001).map(f64::from).collect();
        let distribution = MedianDistribution::of(&values).unwrap();
        let mean: f64 =
            distribution.medians().iter().zip(distribution.probabilities()).map(|(x, p)| x * p).sum();
        let variance: f64 = distribution
            .medians()
            .iter()
            .zip(distribution.probabilities())
            .map(|(x, p)| (x - mean).powi(2) * p)
            .sum();
        assert!((mean - 50_001.0).abs() < 1e-6, "{mean}");
        // Of a uniform order statistic: n ÷ 4 to the first order.
        assert!((variance / (100_001.0 / 4.0) - 1.0).abs() < 1e-4, "{variance}");
    }

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(MedianDistribution::of(&[]), None);
    }
}
