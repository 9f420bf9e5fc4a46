//! Whether something grew faster or slower: a verdict for each pair of samples, and only where the trials support one.

use std::collections::BTreeSet;

use rayon::prelude::*;

use crate::analysis::doubt::Doubted;
use crate::analysis::groups::two_groups;
use crate::analysis::holm;
use crate::analysis::interval::{Interval, MIN_TRIALS, median_of, ratio_interval};
use crate::analysis::metric::Metric;
use crate::analysis::pairs::Pairs;
use crate::analysis::rank::{mann_whitney, smallest_p};
use crate::analysis::samples::{LABELS, Label, Sample};
use crate::record::Status;

/// The probability with which a family without any difference may show one.
pub const ALPHA: f64 = 0.05;

/// All pairs with their verdicts.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What was compared.
    pub metric: Metric,
    /// In the order of the pairs.
    pub cells: Vec<Compared>,
    /// Cells of the base without a partner.
    pub only_base: Vec<Label>,
    /// Cells of the new side without a partner.
    pub only_new: Vec<Label>,
    /// The column in which the sides differ on purpose.
    pub factor: Option<&'static str>,
    /// How many tests the p-values were raised for.
    pub family: usize,
}

/// Two samples side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The base.
    pub base: Side,
    /// What it is compared with.
    pub new: Side,
    /// Median of the new side over that of the base; absent where there are no trials on a side.
    pub ratio: Option<f64>,
    /// Its 95% interval; absent with fewer than [`MIN_TRIALS`] trials on a side.
    pub interval: Option<Interval>,
    /// The p-value of the Mann–Whitney test; absent where the interval is.
    pub p: Option<f64>,
    /// The same, raised for the family.
    pub adjusted_p: Option<f64>,
    /// Whether both sides come from the same runs, whose shuffled blocks spread a disturbance over both.
    pub is_within_runs: bool,
    /// What follows.
    pub verdict: Verdict,
    /// Columns of [`LABELS`] in which the sides differ, other than the cell and the factor.
    pub differs: Vec<&'static str>,
}

/// One side of a pair.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// What it is.
    pub label: Label,
    /// Trials that ended well and have the metric.
    pub n: usize,
    /// Attempts that failed or timed out.
    pub failed: usize,
    /// The median of the metric; absent where there are no trials.
    pub median: Option<f64>,
    /// Whether the trials fall into two groups far apart: then the median describes nothing that happened.
    pub is_bimodal: bool,
    /// How many of the `n` trials are in doubt.
    pub doubted: Doubted,
    /// Columns in which trials of this side differ.
    pub mixed: Vec<&'static str>,
}

/// What can be said about a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The new side is faster, or costs less.
    Faster,
    /// The new side is slower, or costs more.
    Slower,
    /// The trials do not distinguish the sides, which does not mean that they are the same.
    NoDifferenceSeen,
    /// Whatever the trials had shown, it could not have been distinguished from chance.
    NotEnough {
        /// How many trials on each side could have shown something.
        need: usize,
    },
    /// There are no trials on a side.
    NothingMeasured,
    /// Too many trials of a side were disturbed: what the sides differ in may be the disturbance.
    Disturbed,
}

/// Compares all pairs. A sample is `faster` or `slower` only if both the Mann–Whitney p-value, adjusted by Holm's method for
/// all pairs together, is below [`ALPHA`] and the 95% interval of the ratio of medians does not contain 1.
///
/// Between runs, a pair gets no verdict if more than [`TOLERATED`](crate::analysis::doubt::TOLERATED) of the trials of one side
/// were disturbed. Within a run, a disturbance affects both sides alike; even there, a side whose numbers themselves are in doubt
/// does not win.
#[must_use]
pub fn compare(pairs: &Pairs<'_>, metric: Metric) -> Comparison {
    let mut cells: Vec<Compared> =
        pairs.pairs.par_iter().map(|(base, new)| measure(base, new, metric, pairs.factor)).collect();
    judge(&mut cells, metric);
    let labels = |samples: &[&Sample]| samples.iter().map(|sample| sample.label.clone()).collect();
    Comparison {
        metric,
        family: cells.iter().filter(|cell| cell.p.is_some()).count(),
        cells,
        only_base: labels(&pairs.only_base),
        only_new: labels(&pairs.only_new),
        factor: pairs.factor,
    }
}

impl Compared {
    /// Whether the trials of a side fall into two groups far apart.
    #[must_use]
    pub const fn is_bimodal(&self) -> bool {
        self.base.is_bimodal || self.new.is_bimodal
    }

    /// What is left of a verdict if trials were disturbed.
    fn undisturbed(&self, verdict: Verdict) -> Verdict {
        let is_disturbed =
            !self.is_within_runs && (self.base.doubted.is_disturbed() || self.new.doubted.is_disturbed());
        match verdict {
            Verdict::Faster if is_disturbed || self.new.doubted.is_void() => Verdict::Disturbed,
            Verdict::Slower if is_disturbed || self.base.doubted.is_void() => Verdict::Disturbed,
            Verdict::NoDifferenceSeen if is_disturbed => Verdict::Disturbed,
            other => other,
        }
    }
}

impl Comparison {
    /// The pairs whose new side is slower by more than this share: the verdict is `slower`, and even the more favourable end of
    /// the interval is beyond it.
    pub fn slower_by(&self, share: f64) -> impl Iterator<Item = &Compared> {
        let is_beyond = move |interval: Interval| {
            if self.metric.is_less_better() {
                interval.low > 1.0 + share
            } else {
                interval.high < 1.0 - share
            }
        };
        self.cells
            .iter()
            .filter(move |cell| cell.verdict == Verdict::Slower && cell.interval.is_some_and(is_beyond))
    }
}

/// Everything about a pair except the verdict, which depends on the whole family.
fn measure(base: &Sample, new: &Sample, metric: Metric, factor: Option<&'static str>) -> Compared {
    let (base_values, new_values) = (values(base, metric), values(new, metric));
    let (base_side, new_side) = (Side::of(base, &base_values, metric), Side::of(new, &new_values, metric));
    let is_enough = base_values.len() >= MIN_TRIALS && new_values.len() >= MIN_TRIALS;
    let ratio = match (base_side.median, new_side.median) {
        (Some(base), Some(new)) if base > 0.0 && new > 0.0 => Some(new / base),
        _ => None,
    };
    let expected = [Some("cell"), factor];
    let differs = LABELS
        .iter()
        .copied()
        .filter(|column| !expected.contains(&Some(column)) && base.label.differs(&new.label, column))
        .collect();
    Compared {
        ratio,
        interval: ratio_interval(&new_values, &base_values),
        p: is_enough.then(|| mann_whitney(&new_values, &base_values)).flatten(),
        adjusted_p: None,
        is_within_runs: factor.is_some() && runs(base) == runs(new),
        verdict: Verdict::NothingMeasured,
        base: base_side,
        new: new_side,
        differs,
    }
}

/// The runs that the trials of a sample come from. The numbers of runs mean the same only where both samples were read
/// together.
fn runs(sample: &Sample) -> BTreeSet<u32> {
    sample.trials.iter().map(|trial| trial.run).collect()
}

fn values(sample: &Sample, metric: Metric) -> Vec<f64> {
    sample.trials.iter().filter_map(|trial| metric.of(trial)).collect()
}

impl Side {
    fn of(sample: &Sample, values: &[f64], metric: Metric) -> Self {
        Self {
            label: sample.label.clone(),
            n: values.len(),
            failed: sample.failures.iter().filter(|failure| failure.status != Status::Interrupted).count(),
            median: (!values.is_empty()).then(|| median_of(values.to_vec())),
            is_bimodal: two_groups(values).is_some(),
            doubted: Doubted::of(&sample.trials, metric),
            mixed: sample.mixed.clone(),
        }
    }
}

/// The verdicts. Only pairs with enough trials for an interval belong to the family: which these are does not depend on
/// what was measured.
fn judge(cells: &mut [Compared], metric: Metric) {
    let family: Vec<usize> = (0..cells.len()).filter(|&index| cells[index].p.is_some()).collect();
    let p_values: Vec<f64> = family.iter().filter_map(|&index| cells[index].p).collect();
    let adjusted = holm::adjust(&p_values);
    for (&index, adjusted) in family.iter().zip(&adjusted) {
        cells[index].adjusted_p = Some(*adjusted);
    }
    let need = needed(cells.iter().filter(|cell| cell.ratio.is_some()).count());
    let mut sorted = p_values;
    sorted.sort_by(f64::total_cmp);
    for cell in cells {
        let verdict = match (cell.p, cell.adjusted_p, cell.interval) {
            _ if cell.ratio.is_none() => Verdict::NothingMeasured,
            (Some(_), Some(adjusted), Some(interval)) if adjusted < ALPHA && !interval.contains(1.0) => {
                if (interval.low > 1.0) == metric.is_less_better() {
                    Verdict::Slower
                } else {
                    Verdict::Faster
                }
            }
            (Some(p), ..) if could_show(smallest_p(cell.base.n, cell.new.n), p, &sorted) => {
                Verdict::NoDifferenceSeen
            }
            _ => Verdict::NotEnough { need },
        };
        cell.verdict = cell.undisturbed(verdict);
    }
}

/// Whether a pair with the p-value `p` in the family could have got a verdict if it had had the p-value `best`. Holm multiplies
/// it by the number of p-values that are not below it, and raises it to what those below became.
fn could_show(best: f64, p: f64, sorted: &[f64]) -> bool {
    let others = sorted.len() - 1;
    // Without this pair's own p-value, which is never below the best one.
    let below = sorted.partition_point(|other| *other < best.min(p));
    let steps = sorted[..below].iter().enumerate().map(|(rank, p)| p * (sorted.len() - rank) as f64);
    steps.chain([best * (others + 1 - below) as f64]).all(|step| step < ALPHA)
}

/// Trials on each side with which complete separation would count even as the first of so many tests.
#[must_use]
pub fn needed(tests: usize) -> usize {
    (MIN_TRIALS..)
        .find(|&n| smallest_p(n, n) * tests.max(1) as f64 <= ALPHA * (1.0 - f64::EPSILON))
        .unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::analysis::samples::Trial;

    fn sample(values: &[f64]) -> Sample {
        let trials = values.iter().map(|&ops_per_s| Trial { ops_per_s, ..Trial::default() }).collect();
        Sample { trials, ..Sample::default() }
    }

    fn compared(sides: &[(Vec<f64>, Vec<f64>)]) -> Comparison {
        let samples: Vec<_> = sides.iter().map(|(base, new)| (sample(base), sample(new))).collect();
        let pairs = samples.iter().map(|(base, new)| (base, new)).collect();
        compare(&Pairs { pairs, ..Pairs::default() }, Metric::OpsPerS)
    }

    fn verdicts(sides: &[(Vec<f64>, Vec<f64>)]) -> Vec<Verdict> {
        compared(sides).cells.into_iter().map(|cell| cell.verdict).collect()
    }

    fn around(middle: f64, n: u32) -> Vec<f64> {
        (0..n).map(|i| middle * (1.0 + 0.001 * f64::from(i))).collect()
    }

    #[test]
    fn a_verdict_takes_trials_that_support_it() {
        let slower = (around(100.0, 10), around(90.0, 10));
        let same = (around(100.0, 10), around(100.05, 10));
        assert_eq!(verdicts(std::slice::from_ref(&slower)), [Verdict::Slower]);
        assert_eq!(verdicts(&[(slower.1, slower.0)]), [Verdict::Faster]);
        assert_eq!(verdicts(&[same]), [Verdict::NoDifferenceSeen]);
    }

    #[test]
    fn too_few_repetitions_are_said_with_how_many_it_takes() {
        let few = |n| (around(100.0, n), around(50.0, n));
        assert_eq!(verdicts(&[few(1)]), [Verdict::NotEnough { need: 5 }]);
        assert_eq!(verdicts(&[few(4)]), [Verdict::NotEnough { need: 5 }]);
        assert_eq!(verdicts(&[few(5)]), [Verdict::Slower]);
        // 2 in 252 is too much for one of seven.
        assert_eq!(verdicts(&vec![few(5); 7]), [Verdict::NotEnough { need: 6 }; 7]);
        assert_eq!(verdicts(&vec![few(6); 7]), [Verdict::Slower; 7]);
    }

    #[test]
    fn so_many_repetitions_are_enough_for_so_many_cells_and_not_for_one_more() {
        for (repetitions, cells) in [(5, 6), (6, 23), (7, 85), (8, 321)] {
            assert_eq!((needed(cells), needed(cells + 1)), (repetitions, repetitions + 1));
        }
        assert_eq!(needed(0), MIN_TRIALS);
    }

    #[test]
    fn a_cell_that_could_not_count_beside_others_is_told_from_one_that_did_not() {
        // Six of many trials count; then the last one has the 5% to itself, and five trials could have shown something.
        let mut sides = vec![(around(100.0, 20), around(50.0, 20)); 6];
        sides.push((around(100.0, 5), around(100.05, 5)));
        assert_eq!(verdicts(&sides)[6], Verdict::NoDifferenceSeen);
        // Beside six that show nothing it could not.
        let mut sides = vec![(around(100.0, 20), around(100.0, 20)); 6];
        sides.push((around(100.0, 5), around(50.0, 5)));
        assert_eq!(verdicts(&sides)[6], Verdict::NotEnough { need: 6 });
    }

    #[test]
    fn where_nothing_was_measured_nothing_is_said() {
        let cell = compared(&[(Vec::new(), around(50.0, 9))]).cells.remove(0);
        assert_eq!(cell.verdict, Verdict::NothingMeasured);
        assert_eq!((cell.ratio, cell.interval, cell.p, cell.base.median), (None, None, None, None));
    }

    #[test]
    fn slower_by_more_than_a_share_is_judged_on_the_interval() {
        let comparison = compared(&[(around(100.0, 20), around(92.0, 20))]);
        let ends = comparison.cells[0].interval.unwrap();
        assert!(ends.low < 0.92 && ends.high > 0.92 && ends.high < 0.95, "{ends:?}");
        assert_eq!(comparison.slower_by(0.05).count(), 1);
        // The point would say so, the interval does not.
        assert_eq!(comparison.slower_by(0.079).count(), 0);
        assert_eq!(compared(&[(around(92.0, 20), around(100.0, 20))]).slower_by(0.0).count(), 0);
    }

    fn side() -> impl Strategy<Value = Vec<f64>> {
        (0.8_f64..1.2).prop_flat_map(|shift| {
            prop::collection::vec((90.0_f64..110.0).prop_map(move |v| v * shift), 0..15)
        })
    }

    fn mirrored(verdict: Verdict) -> Verdict {
        match verdict {
            Verdict::Faster => Verdict::Slower,
            Verdict::Slower => Verdict::Faster,
            other => other,
        }
    }

    proptest! {
        #[test]
        fn the_comparison_from_the_other_side_is_the_mirror_of_it(sides in prop::collection::vec((side(), side()), 1..6)) {
            let back: Vec<_> = sides.iter().cloned().map(|(base, new)| (new, base)).collect();
            for (there, back) in verdicts(&sides).into_iter().zip(verdicts(&back)) {
                prop_assert_eq!(there, mirrored(back));
            }
        }

        #[test]
        fn neither_the_order_of_rows_nor_the_unit_matters(
            (base, shuffled) in side().prop_flat_map(|v| (Just(v.clone()), Just(v).prop_shuffle())),
            new in side(),
            exponent in -9..9_i32,
        ) {
            let scaled = |values: &[f64]| values.iter().map(|v| v * 2.0_f64.powi(exponent)).collect::<Vec<_>>();
            let plain = compared(&[(base, new.clone())]).cells.remove(0);
            let other = compared(&[(scaled(&shuffled), scaled(&new))]).cells.remove(0);
            prop_assert_eq!((plain.verdict, plain.ratio, plain.interval, plain.p),
                (other.verdict, other.ratio, other.interval, other.p));
        }
    }
}
