//! What a reader must know before quoting a cell: flags, failures, groups, mixtures. And the table with their words.

use std::collections::BTreeMap;

use crate::analysis::control::{Difference, difference};
use crate::analysis::interval::MIN_TRIALS;
use crate::analysis::samples::Sample;
use crate::analysis::stats::Throughput;
use crate::record::Flag;
use crate::report::cells::{Cell, range};
use crate::report::model::{DataTable, Note};
use crate::report::numbers::{count, grouped, list};
use crate::report::table::{meaning, percent};

/// Reasons of failures that are told one by one.
const REASONS: usize = 5;

/// Everything to mind about these cells.
#[must_use]
pub fn notes(cells: &[Cell<'_>]) -> Vec<Note> {
    let mut notes = Vec::new();
    let where_ = |test: &dyn Fn(&Cell<'_>) -> bool| {
        list(&cells.iter().filter(|cell| test(cell)).map(Cell::whole_name).collect::<Vec<_>>(), 6)
    };
    let widest = cells.iter().filter_map(|cell| cell.groups).map(|groups| groups.factor).fold(0.0, f64::max);
    if widest > 0.0 {
        notes.push(Note {
            word: "bimodal".to_owned(),
            meaning: format!(
                "The trials fall into two groups far apart (up to {widest:.1} to 1), mostly because the scheduler put \
                 processes on one CPU in one trial and on two in another. No statistic of such a cell is to be quoted."
            ),
            cells: where_(&|cell| cell.groups.is_some()),
        });
    }
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for failure in cells.iter().flat_map(|cell| &cell.sample.failures) {
        *reasons.entry(format!("{}: {}", failure.status, failure.error)).or_default() += 1;
    }
    if !reasons.is_empty() {
        let total = reasons.values().sum();
        let mut often: Vec<(String, usize)> = reasons.into_iter().collect();
        often.sort_by_key(|reason| std::cmp::Reverse(reason.1));
        let told: Vec<String> = often.iter().map(|(reason, times)| format!("{reason} ({times} ×)")).collect();
        notes.push(Note {
            word: "failed".to_owned(),
            meaning: format!("{} did not end well. {}.", count(total, "attempt"), list(&told, REASONS)),
            cells: where_(&|cell| !cell.sample.failures.is_empty()),
        });
    }
    if cells.iter().any(|cell| !cell.sample.mixed.is_empty()) {
        let mut columns: Vec<String> =
            cells.iter().flat_map(|cell| &cell.sample.mixed).map(|column| (*column).to_owned()).collect();
        columns.sort();
        columns.dedup();
        notes.push(Note {
            word: "mixed".to_owned(),
            meaning: format!(
                "Trials of the same cell differ in {}: their numbers may not belong together.",
                list(&columns, 8)
            ),
            cells: where_(&|cell| !cell.sample.mixed.is_empty()),
        });
    }
    let mut differing: Vec<&str> = cells.iter().filter_map(Cell::comparability).collect();
    differing.sort_unstable();
    differing.dedup();
    notes.extend(differing.into_iter().map(|words| Note {
        word: "differs".to_owned(),
        meaning: format!(
            "The client does something other than what was asked for ({words}): it is not ranked with the others."
        ),
        cells: where_(&|cell| cell.comparability() == Some(words)),
    }));
    let outlying: usize = cells.iter().map(|cell| cell.outliers).sum();
    if outlying > 0 {
        notes.push(Note {
            word: "outlier".to_owned(),
            meaning: format!(
                "{} far from the median of the cell (modified z-score above 3.5). Kept: the median hardly minds.",
                if outlying == 1 { "1 trial lies".to_owned() } else { format!("{} lie", count(outlying, "trial")) }
            ),
            cells: where_(&|cell| cell.outliers > 0),
        });
    }
    if cells.iter().any(|cell| cell.is_drifting) {
        notes.push(Note {
            word: "drift".to_owned(),
            meaning: "Throughput changed steadily with the position in the plan: the machine was not the same throughout."
                .to_owned(),
            cells: where_(&|cell| cell.is_drifting),
        });
    }
    let mut flags: BTreeMap<Flag, usize> = BTreeMap::new();
    for (flag, times) in cells.iter().flat_map(|cell| &cell.flags) {
        *flags.entry(*flag).or_default() += times;
    }
    for (flag, times) in flags {
        notes.push(Note {
            word: flag.word().to_owned(),
            meaning: format!("In {}: {}.", count(times, "trial"), meaning(flag)),
            cells: where_(&|cell| cell.flags.contains_key(&flag)),
        });
    }
    notes
}

/// What the control of an experiment says of its noise: the same cell twice, and how far the medians are apart.
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
    })
}

/// The table of the article: best, worst, standard deviation; and what it lacked.
#[must_use]
pub fn table(cells: &[Cell<'_>], x: &str) -> DataTable {
    let columns = [
        ("Group", false),
        ("Series", false),
        (x, true),
        ("Best", true),
        ("Worst", true),
        ("Stdev", true),
        ("Median", true),
        ("95% interval", true),
        ("n", true),
        ("To mind", false),
    ];
    let mut table = DataTable::new(
        "Operations/s: best, worst, sample standard deviation and median of the trials",
        &columns,
    );
    for cell in cells {
        let none = || "–".to_owned();
        let of = |value: Option<f64>| value.map_or_else(none, grouped);
        let t = cell.throughput;
        table.rows.push(vec![
            cell.facet.clone(),
            cell.series.clone(),
            workers(cell),
            of(t.map(|t| t.best)),
            of(t.map(|t| t.worst)),
            of(t.and_then(|t| t.stdev)),
            of(cell.median()),
            cell.interval.map_or_else(none, range),
            cell.values.len().to_string(),
            words(cell),
        ]);
    }
    table.without_empty_columns()
}

/// The place on the axis, and the workers that were really used where those are others.
fn workers(cell: &Cell<'_>) -> String {
    let label = |column| cell.sample.label.get(column);
    let number = cell.x.to_string();
    match (label("workers_asked"), label("workers")) {
        (Some(asked), Some(used)) if asked != used && asked == number => format!("{asked} → {used}"),
        _ => number,
    }
}

fn words(cell: &Cell<'_>) -> String {
    let mut words: Vec<&str> = Vec::new();
    words.extend(cell.groups.map(|_| "bimodal"));
    words.extend((!cell.sample.failures.is_empty()).then_some("failed"));
    words.extend((!cell.sample.mixed.is_empty()).then_some("mixed"));
    words.extend(cell.comparability().map(|_| "differs"));
    words.extend((cell.outliers > 0).then_some("outlier"));
    words.extend(cell.is_drifting.then_some("drift"));
    words.extend(cell.flags.keys().map(|flag| flag.word()));
    words.join(", ")
}
