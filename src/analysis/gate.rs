//! What a limit on slowdowns makes of a comparison: what is slower than allowed, what cannot be judged, and what could still
//! hide such a slowdown.
//!
//! A pair that cannot be judged has not been shown to be safe, so it does not pass. A pair in which no difference is seen does:
//! an interval has a width, and a limit that demanded all of it would fail on noise alone. The number of intervals that are too
//! wide to exclude such a slowdown is reported all the same.

use crate::analysis::compare::{Compared, Comparison, Verdict};
use crate::analysis::samples::Label;

/// A comparison checked against a limit. Each pair is in at most one of these lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate<'a> {
    /// Slower by more than the limit.
    pub slower: Vec<&'a Compared>,
    /// What could not be judged.
    pub undecided: Vec<Undecided<'a>>,
    /// Judged, and not found to be slower by more than the limit; but their intervals reach beyond it.
    pub may_hide: Vec<&'a Compared>,
}

/// What could not be judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Undecided<'a> {
    /// A pair without a verdict.
    Pair(&'a Compared),
    /// A cell of the base that the new side does not have.
    Gone(&'a Label),
}

impl<'a> Undecided<'a> {
    /// What it is about, on the side of the base.
    #[must_use]
    pub const fn label(self) -> &'a Label {
        match self {
            Self::Pair(pair) => &pair.base.label,
            Self::Gone(label) => label,
        }
    }
}

impl<'a> Gate<'a> {
    /// Trials on each side with which every pair that has too few could have been judged; `None` if no pair has too few.
    #[must_use]
    pub fn needed(&self) -> Option<usize> {
        let need = |undecided: &Undecided<'_>| match undecided {
            Undecided::Pair(Compared { verdict: Verdict::NotEnough { need }, .. }) => Some(*need),
            _ => None,
        };
        self.undecided.iter().filter_map(need).max()
    }

    /// Checks a comparison against a limit, such as 0.05. Where two levels of a factor are compared, a cell without a partner
    /// is not gone: the experiment never had one.
    #[must_use]
    pub fn of(comparison: &'a Comparison, limit: f64) -> Self {
        let slower: Vec<&Compared> = comparison.slower_by(limit).collect();
        let (undecided, decided): (Vec<&Compared>, Vec<&Compared>) =
            comparison.cells.iter().partition(|cell| !cell.verdict.is_decided());
        let gone = comparison.only_base.iter().filter(|_| comparison.factor.is_none());
        let reaches = |cell: &&Compared| {
            cell.interval.is_some_and(|interval| {
                if comparison.metric.is_less_better() {
                    interval.high > 1.0 + limit
                } else {
                    interval.low < 1.0 - limit
                }
            })
        };
        let is_slower = |cell: &&Compared| slower.iter().any(|other| std::ptr::eq(*other, *cell));
        Self {
            undecided: undecided.into_iter().map(Undecided::Pair).chain(gone.map(Undecided::Gone)).collect(),
            may_hide: decided.into_iter().filter(reaches).filter(|cell| !is_slower(cell)).collect(),
            slower,
        }
    }
}

impl Verdict {
    /// Whether the trials were enough, and good enough, to say something.
    #[must_use]
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::Faster | Self::Slower | Self::NoDifferenceSeen)
    }
}
