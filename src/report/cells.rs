//! The cells of a report: each sample with its statistics and its place in the figures.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::analysis::drift::drift;
use crate::analysis::groups::{TwoGroups, two_groups};
use crate::analysis::interval::{Interval, median_interval, median_of};
use crate::analysis::outliers::outlying_trials;
use crate::analysis::samples::Sample;
use crate::analysis::stats::Throughput;
use crate::record::{Flag, Quantity, flags_of_cell};
use crate::report::facets::{Layout, natural};
use crate::report::numbers::grouped;
use crate::workload::{Kind, noun};

/// What may be said of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No trial ended well.
    NothingMeasured,
    /// Its trials fall into two groups far apart: no statistic of it is to be quoted.
    Bimodal,
    /// It has a median, but no interval.
    TooFewTrials,
    /// It has a median and an interval, but of trials that may not belong together.
    Mixed,
    /// Its median and its interval may be quoted and compared.
    Quotable,
}

impl Standing {
    /// Why the cell is not simply quotable, in a few words for a table or a sentence.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::NothingMeasured => Some("no trial ended well"),
            Self::Bimodal => Some("bimodal, not to be quoted"),
            Self::TooFewTrials => Some("too few trials to tell"),
            Self::Mixed => Some("mixed trials"),
            Self::Quotable => None,
        }
    }
}

/// A sample with what is said of it.
#[derive(Clone, Debug)]
pub struct Cell<'a> {
    /// The trials.
    pub sample: &'a Sample,
    /// The picture that it belongs to.
    pub facet: String,
    /// The series that it belongs to.
    pub series: String,
    /// Where it stands on the horizontal axis.
    pub x: f64,
    /// In the words of the horizontal axis.
    pub x_words: String,
    /// Operations per second of each trial, in the order of the table.
    pub values: Vec<f64>,
    /// Absent if no trial ended well.
    pub throughput: Option<Throughput>,
    /// Of the median; absent if there are too few trials, or two groups of them.
    pub interval: Option<Interval>,
    /// Two groups far apart: nothing of this cell is to be quoted.
    pub groups: Option<TwoGroups>,
    /// Trials far from the others, where they are not two groups and enough to tell.
    pub outliers: usize,
    /// Whether it grew faster or slower while its run went on. Positions of different runs do not follow each other.
    pub is_drifting: bool,
    /// How many trials have which flag. That of an outlier is not among them: the trials of several runs are judged anew.
    pub flags: BTreeMap<Flag, usize>,
}

impl Cell<'_> {
    /// Of every trial that tells it.
    #[must_use]
    pub fn told(&self, quantity: Quantity) -> Vec<f64> {
        self.sample.trials.iter().filter_map(|trial| trial.quantities.get(quantity)).collect()
    }

    /// The median of the same.
    #[must_use]
    pub fn median_told(&self, quantity: Quantity) -> Option<f64> {
        Some(self.told(quantity)).filter(|told| !told.is_empty()).map(median_of)
    }

    /// Series and place, such as `async with 50 workers`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} with {}", self.series, self.x_words)
    }

    /// The same with its picture, such as `hosts a → b: async with 50 workers`, for where no picture is around it.
    #[must_use]
    pub fn whole_name(&self) -> String {
        if self.facet.is_empty() { self.name() } else { format!("{}: {}", self.facet, self.name()) }
    }

    /// The median, where it may be quoted.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        match self.standing() {
            Standing::NothingMeasured | Standing::Bimodal => None,
            _ => self.throughput.map(|throughput| throughput.median),
        }
    }

    /// What may be said of it. Every text of a report asks here, so that no two of them contradict each other.
    #[must_use]
    pub fn standing(&self) -> Standing {
        if self.values.is_empty() {
            Standing::NothingMeasured
        } else if self.groups.is_some() {
            Standing::Bimodal
        } else if self.interval.is_none() {
            Standing::TooFewTrials
        } else if !self.sample.mixed.is_empty() {
            Standing::Mixed
        } else {
            Standing::Quotable
        }
    }

    /// What its client does differently from what was asked for, in the words of the driver. Such a cell is not ranked with
    /// the others.
    #[must_use]
    pub fn comparability(&self) -> Option<&str> {
        self.sample.label.get("comparability")
    }

    /// What its operations are called.
    #[must_use]
    pub fn noun(&self) -> &'static str {
        nouns([self])
    }

    /// Everything in a sentence.
    #[must_use]
    pub fn says(&self) -> String {
        let mut text = format!("{}: ", self.name());
        match (&self.throughput, self.median()) {
            (Some(t), Some(median)) => {
                text += &format!("median {} {}/s", grouped(median), self.noun());
                if let Some(interval) = self.interval {
                    text += &format!(", 95% interval {}", range(interval));
                }
                text += &format!(
                    ", best {}, worst {}, n = {}",
                    grouped(t.best),
                    grouped(t.worst),
                    self.values.len()
                );
            }
            (Some(_), None) => text += "two groups of trials far apart, no median",
            _ => text += "no trial ended well",
        }
        text
    }
}

/// `low–high`.
#[must_use]
pub fn range(interval: Interval) -> String {
    format!("{}–{}", grouped(interval.low), grouped(interval.high))
}

/// The cells of an experiment, in the order of pictures, series (as `modes` has them) and the horizontal axis.
#[must_use]
pub fn cells<'a>(samples: &[&'a Sample], layout: &Layout, modes: &[String]) -> Vec<Cell<'a>> {
    let mut cells: Vec<Cell<'a>> = samples.par_iter().map(|sample| cell(sample, layout)).collect();
    let rank = |cell: &Cell<'_>| {
        let mode = cell.sample.label.get("mode").unwrap_or_default();
        modes.iter().position(|name| name == mode).unwrap_or(modes.len())
    };
    cells.sort_by(|a, b| {
        let keys = natural(&a.facet).cmp(&natural(&b.facet)).then(rank(a).cmp(&rank(b)));
        let keys = keys.then_with(|| natural(&a.series).cmp(&natural(&b.series)));
        match keys {
            Ordering::Equal => a.x.total_cmp(&b.x),
            other => other,
        }
    });
    cells
}

fn cell<'a>(sample: &'a Sample, layout: &Layout) -> Cell<'a> {
    let values: Vec<f64> =
        sample.trials.iter().map(|t| t.ops_per_s).filter(|v| v.is_finite() && *v > 0.0).collect();
    let groups = two_groups(&values);
    let is_one_run = sample.trials.windows(2).all(|pair| pair[0].run == pair[1].run);
    let points =
        || sample.trials.iter().map(|trial| (trial.position as f64, trial.ops_per_s)).collect::<Vec<_>>();
    let mut flags = BTreeMap::new();
    for flag in sample.trials.iter().flat_map(|trial| &trial.flags).filter(|flag| **flag != Flag::Outlier) {
        *flags.entry(*flag).or_default() += 1;
    }
    let flags = flags_of_cell(flags, sample.trials.len());
    let x = layout.x_of(sample);
    Cell {
        facet: layout.facet(sample),
        series: layout.name(sample),
        x,
        x_words: layout.x_words(x),
        throughput: Throughput::of(&values),
        interval: if groups.is_some() { None } else { median_interval(&values) },
        outliers: outlying_trials(&values).into_iter().filter(|odd| *odd).count(),
        is_drifting: groups.is_none() && is_one_run && drift(&points()).is_some_and(|drift| drift.matters()),
        flags,
        groups,
        values,
        sample,
    }
}
/// What the operations of cells are called together.
pub(super) fn nouns<'a, 'b: 'a>(cells: impl IntoIterator<Item = &'a Cell<'b>>) -> &'static str {
    let kinds = cells.into_iter().map(|cell| cell.sample.label.get("workload").and_then(Kind::of));
    noun(kinds.map(Option::unwrap_or_default))
}
