//! The cells of a report: each sample with its statistics and its place in the figures.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::analysis::groups::TwoGroups;
use crate::analysis::interval::{Interval, median_of};
use crate::analysis::judged::Judged;
use crate::analysis::outliers::outlying_trials;
use crate::analysis::samples::Sample;
use crate::analysis::stats::Throughput;
use crate::record::{Flag, Quantity, Status, flags_of_cell};
use crate::report::facets::{Layout, natural};
use crate::report::measure::{Measure, Stat};
use crate::report::model::Warning;
use crate::report::numbers::grouped;
use crate::report::words::said;
use crate::workload::{Kind, noun};

/// What may be said about a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No trial ended well.
    NothingMeasured,
    /// Its trials fall into two groups far apart: no statistic of it may be quoted.
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
            Self::Bimodal => Some("bimodal, not quoted"),
            Self::TooFewTrials => Some("too few trials to tell"),
            Self::Mixed => Some("mixed trials"),
            Self::Quotable => None,
        }
    }
}

/// A sample with what is said about it.
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
    /// In the words of the horizontal axis; empty if all cells stand at the same place.
    pub x_words: String,
    /// Operations per second of each trial, in the order of the table.
    pub values: Vec<f64>,
    /// Absent if no trial ended well.
    pub throughput: Option<Throughput>,
    /// Of the median; absent if there are too few trials, or two groups of them.
    pub interval: Option<Interval>,
    /// Two groups far apart: nothing about this cell may be quoted.
    pub groups: Option<TwoGroups>,
    /// Trials far from the others, unless they form two groups or are too few to tell.
    pub outliers: usize,
    /// Whether it became faster or slower in the course of its run. Positions of different runs do not follow each other.
    pub is_drifting: bool,
    /// How many trials have which flag. The flag of an outlier is not among them: trials of several runs are judged again
    /// together.
    pub flags: BTreeMap<Flag, usize>,
    /// The rate at which its operations were due, if they were.
    pub rate: Option<f64>,
    /// One for each measure, in the order of the measures.
    stats: [Option<Stat>; Measure::ALL.len()],
}

impl Cell<'_> {
    /// What its trials together say about a measure.
    #[must_use]
    pub const fn stat(&self, measure: Measure) -> Option<&Stat> {
        self.stats[measure as usize].as_ref()
    }

    /// The same, where it may be quoted. That is judged by the throughput: if it has two groups of trials, the machine worked
    /// in two ways, and a median of anything else mixes them too.
    #[must_use]
    pub fn quoted(&self, measure: Measure) -> Option<&Stat> {
        self.stat(measure).filter(|_| self.median().is_some())
    }

    /// The median over all trials that report a quantity, where it may be quoted.
    #[must_use]
    pub fn median_told(&self, quantity: Quantity) -> Option<f64> {
        self.median()?;
        let told: Vec<f64> =
            self.sample.trials.iter().filter_map(|trial| trial.quantities.get(quantity)).collect();
        Some(told).filter(|told| !told.is_empty()).map(median_of)
    }

    /// Series and place, such as `async with 50 workers`.
    #[must_use]
    pub fn name(&self) -> String {
        if self.x_words.is_empty() {
            self.series.clone()
        } else {
            format!("{} with {}", self.series, self.x_words)
        }
    }

    /// The same preceded by its picture, such as `hosts a → b: async with 50 workers`, for places outside the picture.
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

    /// What may be said about it. Every text of a report asks here, so that no two of them contradict each other.
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

    /// Attempts that failed or timed out. An interrupted attempt says nothing about the cell.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.sample.failures.iter().filter(|failure| failure.status != Status::Interrupted).count()
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

    /// Whether more than half of its trials fell behind their schedule.
    #[must_use]
    pub fn fell_behind(&self) -> bool {
        self.flags.get(&Flag::BehindSchedule).is_some_and(|late| late * 2 > self.sample.trials.len())
    }

    /// What a reader must know before quoting it, the most serious first.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        let of_cell = |word: &str| Warning { word: word.to_owned(), trials: None };
        let n = self.sample.trials.len();
        let mut warnings = Vec::new();
        warnings.extend(self.groups.map(|_| of_cell(BIMODAL)));
        warnings.extend(
            (self.failed() > 0).then(|| Warning {
                word: FAILED.to_owned(),
                trials: Some((self.failed(), n + self.failed())),
            }),
        );
        warnings.extend((!self.sample.mixed.is_empty()).then(|| of_cell(MIXED)));
        warnings.extend(self.comparability().map(|_| of_cell(DIFFERS)));
        let of_flag = |(flag, trials): (&Flag, &usize)| Warning {
            word: said(*flag).to_owned(),
            trials: Some((*trials, n)),
        };
        warnings.extend(self.flags.iter().map(of_flag));
        warnings.extend(
            (self.outliers > 0)
                .then(|| Warning { word: said(Flag::Outlier).to_owned(), trials: Some((self.outliers, n)) }),
        );
        warnings.extend(self.is_drifting.then(|| of_cell(DRIFTS)));
        warnings
    }

    /// One of its measures, in a sentence.
    #[must_use]
    pub fn says(&self, measure: Measure) -> String {
        let unit = measure.unit(self.noun());
        let text = format!("{}: ", self.name());
        match (self.stat(measure), self.standing()) {
            (None, _) => text + "no trial ended well",
            (_, Standing::Bimodal) => text + "two groups of trials far apart, no median",
            (Some(stat), _) => {
                let interval =
                    stat.interval.map(|ends| format!(", 95% CI {}", range(ends))).unwrap_or_default();
                format!(
                    "{text}median {} {unit}{interval}, {} trials",
                    grouped(stat.median),
                    stat.values.len()
                )
            }
        }
    }
}

/// The words of warnings that are not flags.
pub const BIMODAL: &str = "bimodal: two groups of trials, not quoted";
/// Attempts failed.
pub const FAILED: &str = "failed";
/// Trials that may not belong together.
pub const MIXED: &str = "mixed trials";
/// The client does something else.
pub const DIFFERS: &str = "not like for like";
/// It changed in the course of the run.
pub const DRIFTS: &str = "drifts";

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
    let is_value = |value: &f64| value.is_finite() && *value > 0.0;
    let trials = || sample.trials.iter().filter(|trial| is_value(&trial.ops_per_s));
    let values: Vec<f64> = trials().map(|trial| trial.ops_per_s).collect();
    let points: Vec<(f64, f64)> = trials().map(|trial| (trial.position as f64, trial.ops_per_s)).collect();
    let is_one_run = sample.trials.windows(2).all(|pair| pair[0].run == pair[1].run);
    let judged = Judged::of(&points, is_one_run);
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
        x_words: if layout.has_x() { layout.x_words(x) } else { String::new() },
        throughput: judged.throughput,
        interval: judged.quoted_interval(),
        groups: judged.groups,
        outliers: outlying_trials(&values).into_iter().filter(|odd| *odd).count(),
        is_drifting: judged.drift.is_some(),
        flags,
        rate: sample.label.get("rate").and_then(|rate| rate.parse().ok()),
        stats: Measure::ALL.map(|measure| Stat::of(measure, &sample.trials)),
        values,
        sample,
    }
}

/// What the operations of cells are called together.
pub(super) fn nouns<'a, 'b: 'a>(cells: impl IntoIterator<Item = &'a Cell<'b>>) -> &'static str {
    let kinds = cells.into_iter().map(|cell| cell.sample.label.get("workload").and_then(Kind::of));
    noun(kinds.map(Option::unwrap_or_default))
}
