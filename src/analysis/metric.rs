//! What of a trial is compared, and which way is better.

use crate::analysis::samples::{Latencies, Trial};

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
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::OpsPerS,
        Self::LatencyMean,
        Self::LatencyP50,
        Self::LatencyP90,
        Self::LatencyP99,
        Self::LatencyP999,
        Self::LatencyMax,
    ];

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
        }
    }

    /// Whether a smaller value is the faster one.
    #[must_use]
    pub const fn is_latency(self) -> bool {
        !matches!(self, Self::OpsPerS)
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
        }
    }
}
