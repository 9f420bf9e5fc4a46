//! Best, worst, mean, median and spread of a handful of throughputs.

/// What several trials of one cell say about its throughput, in operations per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Throughput {
    /// The highest.
    pub best: f64,
    /// The lowest.
    pub worst: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// The middle one, or the mean of the two in the middle.
    pub median: f64,
    /// Sample standard deviation, with n − 1, as Python's `statistics.stdev`; absent for a single value.
    pub stdev: Option<f64>,
}

impl Throughput {
    /// The statistics of `values`, in any order; `None` if there are none.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (&worst, &best) = (sorted.first()?, sorted.last()?);
        let n = sorted.len();
        let mean = sorted.iter().sum::<f64>() / n as f64;
        let median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2.0;
        // Two passes: the textbook's one-pass formula cancels when the spread is small beside the mean.
        let squares: f64 = sorted.iter().map(|value| (value - mean).powi(2)).sum();
        let stdev = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        Some(Self { best, worst, mean, median, stdev })
    }

    /// Coefficient of variation: standard deviation over mean; absent for a single value.
    #[must_use]
    pub fn cv(&self) -> Option<f64> {
        self.stdev.map(|stdev| stdev / self.mean)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are printed by `tests/python/statistics_reference.py`.
    #[test]
    fn the_statistics_are_those_of_pythons_statistics_module() {
        let references = include_str!("../../tests/python/statistics_reference.json");
        let references: serde_json::Value = serde_json::from_str(references).unwrap();
        for reference in references.as_array().unwrap() {
            let number = |key: &str| reference[key].as_f64();
            let values: Vec<f64> =
                reference["values"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
            let ours = Throughput::of(&values).unwrap();
            let same = |name: &str, ours: Option<f64>| match (ours, number(name)) {
                (Some(ours), Some(theirs)) => {
                    assert!((ours - theirs).abs() <= 1e-12 * theirs.abs(), "{name}: {ours} {theirs}");
                }
                (ours, theirs) => assert_eq!(ours, theirs, "{name} of {values:?}"),
            };
            same("best", Some(ours.best));
            same("worst", Some(ours.worst));
            same("mean", Some(ours.mean));
            same("median", Some(ours.median));
            same("stdev", ours.stdev);
            same("cv", ours.cv());
        }
    }

    #[test]
    fn nothing_has_no_statistics() {
        assert_eq!(Throughput::of(&[]), None);
    }
}
