//! What a group of comparable cells shows: which is the fastest, if the intervals support that, and what is tied with it.
//! Decides; the words are in `answer.rs`.

use std::cmp::Ordering;

use crate::analysis::doubt::Doubted;
use crate::analysis::interval::{Interval, MIN_TRIALS, ratio_interval};
use crate::analysis::metric::Metric;
use crate::report::cells::{Cell, Standing};

/// With more trials than this, the interval of a ratio takes longer than a reader waits; the ends of both intervals say
/// about as much.
const MOST_RESAMPLED: usize = 1_000;

/// What was found.
#[derive(Clone, Debug)]
pub enum Finding<'c, 'a> {
    /// No trial ended well.
    Nothing,
    /// No cell can be quoted.
    AllBimodal,
    /// There is only one cell.
    Alone(&'c Cell<'a>),
    /// A cell has a single trial.
    SingleTrial(&'c Cell<'a>),
    /// The highest has too few trials for an interval; and whether all of its trials lie above all others.
    TooFew(&'c Cell<'a>, bool),
    /// The trials of the highest may not belong together.
    Mixed(&'c Cell<'a>),
    /// The numbers of the highest may be wrong.
    Void(&'c Cell<'a>, Doubted),
    /// A winner, or none: see [`Compared::is_clear`].
    Compared(Compared<'c, 'a>),
}

/// The highest cell with an interval, and how the others compare with it.
#[derive(Clone, Debug)]
pub struct Compared<'c, 'a> {
    /// The highest median.
    pub top: &'c Cell<'a>,
    /// Other places of the same series that are not behind it.
    pub own_tied: Vec<&'c Cell<'a>>,
    /// Cells of other series that are not behind it.
    pub tied: Vec<&'c Cell<'a>>,
    /// Cells that are neither behind it nor level with it, since nothing about them may be quoted.
    pub undecided: Vec<&'c Cell<'a>>,
    /// The highest of the next series, or of the same one if there is no other.
    pub next: Option<&'c Cell<'a>>,
}

impl Compared<'_, '_> {
    /// Whether the series of the highest cell is called the fastest.
    #[must_use]
    pub const fn is_clear(&self) -> bool {
        self.tied.is_empty() && self.undecided.is_empty()
    }
}

/// Judges the cells that did what was asked for, except those without trials.
#[must_use]
pub fn judge<'c, 'a>(cells: &[&'c Cell<'a>]) -> Finding<'c, 'a> {
    let measured: Vec<&Cell<'_>> = cells.iter().copied().filter(|cell| !cell.values.is_empty()).collect();
    if measured.is_empty() {
        return Finding::Nothing;
    }
    let Some(top) = highest(measured.iter().copied()) else { return Finding::AllBimodal };
    if measured.len() == 1 {
        return Finding::Alone(top);
    }
    if top.values.len() == 1 {
        return Finding::SingleTrial(top);
    }
    let others: Vec<&Cell<'_>> = measured.iter().copied().filter(|cell| !std::ptr::eq(*cell, top)).collect();
    let Some(interval) = top.interval else {
        let highest = others.iter().flat_map(|cell| &cell.values).copied().fold(0.0, f64::max);
        return Finding::TooFew(top, top.throughput.is_some_and(|t| t.worst > highest));
    };
    if top.standing() == Standing::Mixed {
        return Finding::Mixed(top);
    }
    let doubted = Doubted::of(&top.sample.trials, Metric::OpsPerS);
    if doubted.is_void() {
        return Finding::Void(top, doubted);
    }
    let in_the_way = others.iter().copied().filter(|cell| !is_behind(cell, interval));
    let (level, undecided): (Vec<&Cell<'_>>, Vec<&Cell<'_>>) =
        in_the_way.partition(|cell| cell.standing() == Standing::Quotable);
    let (own_tied, tied) = level.into_iter().partition(|cell| cell.series == top.series);
    let quotable = || others.iter().copied().filter(|cell| cell.standing() == Standing::Quotable);
    let next = highest(quotable().filter(|cell| cell.series != top.series))
        .or_else(|| highest(quotable().filter(|cell| is_behind(cell, interval))));
    Finding::Compared(Compared { top, own_tied, tied, undecided, next })
}

/// Whether a cell lies below this interval. A cell without an interval of its own does if it has as many trials as an
/// interval needs, and all of them lie below.
fn is_behind(cell: &Cell<'_>, interval: Interval) -> bool {
    match (cell.standing(), cell.interval) {
        (Standing::Quotable, Some(other)) => interval.low > other.high,
        _ => cell.values.len() >= MIN_TRIALS && cell.values.iter().all(|value| *value < interval.low),
    }
}

/// The cell with the highest median that may be quoted.
#[must_use]
pub fn highest<'c, 'a: 'c>(cells: impl Iterator<Item = &'c Cell<'a>>) -> Option<&'c Cell<'a>> {
    let medians = cells.filter_map(|cell| Some((cell.median()?, cell)));
    medians
        .reduce(|best, next| if next.0.total_cmp(&best.0) == Ordering::Greater { next } else { best })
        .map(|(_, cell)| cell)
}

/// The ratio of two medians with its interval.
#[must_use]
pub fn ratio(
    of: &[f64],
    to: &[f64],
    medians: (f64, f64),
    ends: (Option<Interval>, Option<Interval>),
) -> (f64, Option<Interval>) {
    let interval = if of.len().max(to.len()) <= MOST_RESAMPLED {
        ratio_interval(of, to)
    } else {
        // Wider than a 95% interval of the ratio would be, but so close to it that the difference would not be noticed.
        ends.0.zip(ends.1).map(|(of, to)| Interval { low: of.low / to.high, high: of.high / to.low })
    };
    (medians.0 / medians.1, interval)
}

/// The ratio of the throughputs of two cells.
#[must_use]
pub fn ratio_of(cell: &Cell<'_>, to: &Cell<'_>) -> Option<(f64, Option<Interval>)> {
    let medians = (cell.median()?, to.median()?);
    Some(ratio(&cell.values, &to.values, medians, (cell.interval, to.interval)))
}

/// Places of a series that its highest place is not ahead of.
#[must_use]
pub fn tied_with<'c, 'a>(top: &Cell<'a>, series: &[&'c Cell<'a>]) -> Vec<&'c Cell<'a>> {
    let is_tied = |cell: &&&Cell<'_>| {
        let reaches = matches!((top.interval, cell.interval), (Some(a), Some(b)) if a.low <= b.high);
        !std::ptr::eq(**cell, top) && cell.standing() == Standing::Quotable && reaches
    };
    series.iter().filter(is_tied).copied().collect()
}
