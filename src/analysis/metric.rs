//! Which number of a trial is compared, and which direction is better.

use crate::analysis::samples::{Latencies, Trial};
use crate::record::Quantity;

/// A number of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Operations per second.
    OpsPerS,
    /// Mean latency, in microseconds like all latencies.
    LatencyMean,
    /// Median latency.
    LatencyP50,
    /// Its 90th percentile.
    LatencyP90,
    /// Its 99th percentile.
    LatencyP99,
    /// Its 99.9th percentile.
    LatencyP999,
    /// The largest latency.
    LatencyMax,
    /// Whatever else there is.
    Other(Quantity),
}

pub use crate::record::QuantityKind as MetricKind;

impl Metric {
    const OWN: [Self; 7] = [
        Self::OpsPerS,
        Self::LatencyMean,
        Self::LatencyP50,
        Self::LatencyP90,
        Self::LatencyP99,
        Self::LatencyP999,
        Self::LatencyMax,
    ];

    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        Self::OWN.into_iter().chain(Quantity::ALL.map(Self::Other))
    }

    /// Its column in `trials.csv`.
    #[must_use]
    pub const fn column(self) -> &'static str {
        match self {
            Self::OpsPerS => "ops_per_s",
            Self::LatencyMean => "latency_mean_us",
            Self::LatencyP50 => "latency_p50_us",
            Self::LatencyP90 => "latency_p90_us",
            Self::LatencyP99 => "latency_p99_us",
            Self::LatencyP999 => "latency_p999_us",
            Self::LatencyMax => "latency_max_us",
            Self::Other(quantity) => quantity.definition().column,
        }
    }

    /// What kind of number it is.
    #[must_use]
    pub const fn kind(self) -> MetricKind {
        match self {
            Self::OpsPerS => MetricKind::Throughput,
            Self::LatencyMean
            | Self::LatencyP50
            | Self::LatencyP90
            | Self::LatencyP99
            | Self::LatencyP999
            | Self::LatencyMax => MetricKind::Latency,
            Self::Other(quantity) => quantity.definition().kind,
        }
    }

    /// Its unit, as it stands in the heading of a column.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::OpsPerS => "op/s",
            Self::Other(quantity) => quantity.definition().short_unit,
            _ => "µs",
        }
    }

    /// Whether a smaller value is the better one.
    #[must_use]
    pub const fn is_less_better(self) -> bool {
        !matches!(self.kind(), MetricKind::Throughput)
    }

    /// The words for the side with the better values, and for the other one.
    #[must_use]
    pub const fn verdicts(self) -> (&'static str, &'static str) {
        match self.kind() {
            MetricKind::Throughput | MetricKind::Latency => ("faster", "slower"),
            MetricKind::Cost => ("less", "more"),
        }
    }

    /// Whether it is a latency.
    #[must_use]
    pub const fn is_latency(self) -> bool {
        matches!(self.kind(), MetricKind::Latency)
    }

    /// Its value in a trial; `None` where the mode cannot know it.
    #[must_use]
    pub fn of(self, trial: &Trial) -> Option<f64> {
        let latency = |value: fn(&Latencies) -> f64| trial.latency.as_ref().map(value);
        match self {
            Self::OpsPerS => Some(trial.ops_per_s),
            Self::LatencyMean => latency(|latency| latency.mean_us),
            Self::LatencyP50 => latency(|latency| latency.p50_us),
            Self::LatencyP90 => latency(|latency| latency.p90_us),
            Self::LatencyP99 => latency(|latency| latency.p99_us),
            Self::LatencyP999 => latency(|latency| latency.p999_us),
            Self::LatencyMax => latency(|latency| latency.max_us),
            Self::Other(quantity) => trial.quantities.get(quantity),
        }
    }
}
