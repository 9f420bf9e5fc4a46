//! What a reader must know before quoting a cell: failures, groups, mixtures, flags. Every warning word of a table, with its
//! meaning.

use std::collections::BTreeMap;

use crate::analysis::control::{Difference, difference};
use crate::analysis::interval::MIN_TRIALS;
use crate::analysis::samples::Sample;
use crate::analysis::stats::Throughput;
use crate::record::{Flag, Status};
use crate::report::cells::{BIMODAL, Cell, DIFFERS, DRIFTS, FAILED, MIXED};
use crate::report::model::Note;
use crate::report::numbers::{count, grouped, list, percent};
use crate::report::words::{meaning, said};

/// Up to this many reasons of failures are listed one by one.
const REASONS: usize = 5;

/// Every warning about these cells, with its meaning.
#[must_use]
pub fn notes(cells: &[Cell<'_>]) -> Vec<Note> {
    let mut notes = Vec::new();
    let where_ = |test: &dyn Fn(&Cell<'_>) -> bool| {
        list(&cells.iter().filter(|cell| test(cell)).map(Cell::whole_name).collect::<Vec<_>>(), 6)
    };
    let widest = cells.iter().filter_map(|cell| cell.groups).map(|groups| groups.factor).fold(0.0, f64::max);
    if widest > 0.0 {
        // Only where it may choose.
        let is_scheduled = |cell: &Cell<'_>| {
            cell.groups.is_some() && cell.sample.label.get("placement").is_some_and(|placed| placed == "free")
        };
        let cause = if cells.iter().any(is_scheduled) {
            "With placement `free`, the scheduler often puts client and server on one CPU in one trial and on two in another."
        } else {
            "Something other than chance differed between trials, such as other load on the machine."
        };
        notes.push(Note {
            word: BIMODAL.to_owned(),
            meaning: format!(
                "The trials fall into two groups far apart (up to {widest:.1} to 1). {cause} Do not quote such a cell."
            ),
            cells: where_(&|cell| cell.groups.is_some()),
            is_of_run: false,
        });
    }
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    let failures = cells.iter().flat_map(|cell| &cell.sample.failures);
    for failure in failures.filter(|failure| failure.status != Status::Interrupted) {
        *reasons.entry(format!("{}: {}", failure.status, failure.error)).or_default() += 1;
    }
    if !reasons.is_empty() {
        let total = reasons.values().sum();
        let mut often: Vec<(String, usize)> = reasons.into_iter().collect();
        often.sort_by_key(|reason| std::cmp::Reverse(reason.1));
        let told: Vec<String> = often.iter().map(|(reason, times)| format!("{reason} ({times} ×)")).collect();
        notes.push(Note {
            word: FAILED.to_owned(),
            meaning: format!("{} did not end well. {}.", count(total, "attempt"), list(&told, REASONS)),
            cells: where_(&|cell| cell.failed() > 0),
            is_of_run: false,
        });
    }
    if cells.iter().any(|cell| !cell.sample.mixed.is_empty()) {
        let mut columns: Vec<String> =
            cells.iter().flat_map(|cell| &cell.sample.mixed).map(|column| (*column).to_owned()).collect();
        columns.sort();
        columns.dedup();
        notes.push(Note {
            word: MIXED.to_owned(),
            meaning: format!(
                "Trials of the same cell differ in {}: their numbers may not belong together.",
                list(&columns, 8)
            ),
            cells: where_(&|cell| !cell.sample.mixed.is_empty()),
            is_of_run: false,
        });
    }
    let differing: Vec<&Cell<'_>> = cells.iter().filter(|cell| cell.comparability().is_some()).collect();
    if !differing.is_empty() {
        let mut words: Vec<String> = differing
            .iter()
            .filter_map(|cell| Some(format!("{}: {}", cell.series, cell.comparability()?)))
            .collect();
        words.dedup();
        notes.push(Note {
            word: DIFFERS.to_owned(),
            meaning: format!(
                "The client does something other than what was asked for, and is not ranked with the others ({}).",
                words.join(" | ")
            ),
            cells: where_(&|cell| cell.comparability().is_some()),
            is_of_run: false,
        });
    }
    let outlying: usize = cells.iter().map(|cell| cell.outliers).sum();
    if outlying > 0 {
        notes.push(Note {
            word: said(Flag::Outlier).to_owned(),
            meaning: format!(
                "{} far from the median of the cell (modified z-score above 3.5). Kept: a median is robust against them.",
                if outlying == 1 { "1 trial lies".to_owned() } else { format!("{} lie", count(outlying, "trial")) }
            ),
            cells: where_(&|cell| cell.outliers > 0),
            is_of_run: false,
        });
    }
    if cells.iter().any(|cell| cell.is_drifting) {
        notes.push(Note {
            word: DRIFTS.to_owned(),
            meaning: "Throughput changed steadily with the position in the plan: the machine was not the same throughout."
                .to_owned(),
            cells: where_(&|cell| cell.is_drifting),
            is_of_run: false,
        });
    }
    let mut flags: BTreeMap<Flag, usize> = BTreeMap::new();
    for (flag, times) in cells.iter().flat_map(|cell| &cell.flags) {
        *flags.entry(*flag).or_default() += times;
    }
    for (flag, times) in flags {
        notes.push(Note {
            word: said(flag).to_owned(),
            meaning: format!("In {}: {}.", count(times, "trial"), meaning(flag)),
            cells: where_(&|cell| cell.flags.contains_key(&flag)),
            is_of_run: false,
        });
    }
    notes
}

/// What the control of an experiment says about its noise: the same cell measured twice, and how far apart the medians are.
#[must_use]
pub fn control(control: &Sample, cells: &[Cell<'_>]) -> Option<Note> {
    let of = control.label.get("control_of")?;
    let twin = cells.iter().find(|cell| cell.sample.label.get("cell") == Some(of))?;
    let values: Vec<f64> = control.trials.iter().map(|trial| trial.ops_per_s).collect();
    let (median, own) = (twin.median()?, Throughput::of(&values)?.median);
    let Difference { ratio, interval } = difference(&values, &twin.values)?;
    let noise = match interval {
        Some(ends) => format!(
            "95% interval {} to {}. A difference between other cells that lies within this range may be noise",
            percent(ends.low - 1.0),
            percent(ends.high - 1.0)
        ),
        None => format!(
            "without an interval, which takes {MIN_TRIALS} trials of each: how large the noise is, they do not tell"
        ),
    };
    Some(Note {
        word: "control".to_owned(),
        meaning: format!(
            "This cell was measured a second time as if it were another one: medians of {} and {} {}/s, a difference of {}, \
             {noise}.",
            grouped(median),
            grouped(own),
            twin.noun(),
            percent(ratio - 1.0)
        ),
        cells: twin.whole_name(),
        is_of_run: true,
    })
}
