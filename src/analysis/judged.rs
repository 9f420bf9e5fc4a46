//! What the throughputs of one cell say together, decided in one place: tables, summaries and reports all ask here, so
//! that no two of them contradict each other.

use crate::analysis::drift::{Drift, drift};
use crate::analysis::groups::{TwoGroups, two_groups};
use crate::analysis::interval::{Interval, median_interval};
use crate::analysis::stats::Throughput;

/// What follows from the throughputs of a cell.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Judged {
    /// Best, worst, median, spread; absent if no trial ended well.
    pub throughput: Option<Throughput>,
    /// The 95% confidence interval of the median; absent where there are too few trials.
    pub interval: Option<Interval>,
    /// Whether the trials fall into two groups far apart; if so, no statistic of the cell is to be quoted.
    pub groups: Option<TwoGroups>,
    /// How the throughput changed with the position, where that matters. Two groups far apart have no drift: its size would
    /// be that of the gap between them.
    pub drift: Option<Drift>,
}

impl Judged {
    /// From the position and the throughput of each trial. Positions of several runs do not follow each other, so no drift can
    /// be seen in them.
    #[must_use]
    pub fn of(trials: &[(f64, f64)], is_one_run: bool) -> Self {
        let values: Vec<f64> = trials.iter().map(|(_, ops_per_s)| *ops_per_s).collect();
        let groups = two_groups(&values);
        let may_drift = is_one_run && groups.is_none();
        Self {
            throughput: Throughput::of(&values),
            interval: median_interval(&values),
            groups,
            drift: if may_drift { drift(trials).filter(Drift::matters) } else { None },
        }
    }

    /// The interval, where the median may be quoted.
    #[must_use]
    pub fn quoted_interval(&self) -> Option<Interval> {
        self.interval.filter(|_| self.groups.is_none())
    }
}
