//! The answer of cells whose operations were due at a rate. All that keep it have the same throughput, so what there is to
//! tell is how long an operation took.

use crate::analysis::groups::two_groups;
use crate::analysis::interval::{Interval, median_interval, median_of};
use crate::record::{Flag, Quantity};
use crate::report::answer::price;
use crate::report::cells::{Cell, Standing, nouns, range};
use crate::report::model::DataTable;
use crate::report::numbers::{grouped, list};

/// The rate at which the operations of a cell were due, if they were.
fn rate(cell: &Cell<'_>) -> Option<f64> {
    cell.sample.label.get("rate")?.parse().ok()
}

/// Whether operations of all these cells were due at some rate.
pub(super) fn is_of<'a>(cells: impl IntoIterator<Item = &'a Cell<'a>>) -> bool {
    let mut cells = cells.into_iter().peekable();
    cells.peek().is_some() && cells.all(|cell| rate(cell).is_some())
}

/// The median latencies of the trials of a cell.
struct Medians<'a> {
    cell: &'a Cell<'a>,
    /// The median of them, in microseconds.
    median: f64,
    /// Of that median; `None` if there are too few trials.
    interval: Option<Interval>,
}

/// What is known of a cell, or why it cannot be compared.
fn medians<'a>(cell: &'a Cell<'a>) -> Result<Medians<'a>, &'static str> {
    let values: Vec<f64> =
        cell.sample.trials.iter().filter_map(|trial| Some(trial.latency?.p50_us)).collect();
    if values.is_empty() {
        return Err("tells no latency");
    }
    if cell.standing() == Standing::Mixed {
        return Err("trials that ran with different software, machines or CPUs");
    }
    if cell.comparability().is_some() {
        return Err("does something other than what was asked for");
    }
    if cell.flags.get(&Flag::BehindSchedule).is_some_and(|late| late * 2 > values.len()) {
        return Err("did not keep the rate");
    }
    if two_groups(&values).is_some() {
        return Err("trials in two groups far apart");
    }
    Ok(Medians { cell, interval: median_interval(&values), median: median_of(values) })
}

/// Which cell has the lowest latency, if the intervals tell; `None` if nothing was due at a rate.
pub(super) fn sentence(cells: &[&Cell<'_>]) -> Option<String> {
    if !is_of(cells.iter().copied()) {
        return None;
    }
    let mut left_out = Vec::new();
    let mut known = Vec::new();
    for cell in cells {
        match medians(cell) {
            Ok(medians) => known.push(medians),
            Err(why) => left_out.push(format!("{} ({why})", cell.name())),
        }
    }
    known.sort_by(|a, b| a.median.total_cmp(&b.median));
    let mut said = match known.as_slice() {
        [] => "no cell tells a latency that can be compared.".to_owned(),
        [lowest, others @ ..] => {
            let lowest_said = format!("median {} µs{}", grouped(lowest.median), interval(lowest));
            let name = lowest.cell.name();
            let close: Vec<String> = others
                .iter()
                .filter(|other| !matches!((lowest.interval, other.interval), (Some(a), Some(b)) if a.high < b.low))
                .map(|other| other.cell.name())
                .collect();
            let all = known.len();
            match (others, close.as_slice()) {
                ([], _) => format!(
                    "{name} has a latency of {lowest_said}. There is no other cell to compare it with."
                ),
                (_, []) => {
                    format!("{name} has the lowest latency of {all} cells at this rate: {lowest_said}.")
                }
                _ => format!(
                    "no single lowest latency at this rate. The lowest is that of {name} ({lowest_said}); {} cannot be told \
                     apart from it.",
                    list(&close, 6)
                ),
            }
        }
    };
    if !left_out.is_empty() {
        said += &format!(" Left out: {}.", list(&left_out, 6));
    }
    Some(said)
}

/// The latencies of all cells of an open loop; `None` if there are none.
pub(super) fn table(cells: &[Cell<'_>]) -> Option<DataTable> {
    let cells: Vec<&Cell<'_>> = cells.iter().filter(|cell| rate(cell).is_some()).collect();
    let due = format!("Due, {}/s", nouns(cells.iter().copied()));
    let columns = [
        ("Group", false),
        ("Series", false),
        ("At", false),
        (due.as_str(), true),
        ("Median latency, µs", true),
        ("95% interval", true),
        ("p99, µs", true),
        ("Until it began, µs", true),
        ("Each costs", false),
        ("Not compared", false),
    ];
    let mut table =
        DataTable::new("How long each took at the rate that was asked for: medians of the trials", &columns);
    let none = || "–".to_owned();
    table.rows = cells
        .iter()
        .map(|cell| {
            let p99: Vec<f64> =
                cell.sample.trials.iter().filter_map(|trial| Some(trial.latency?.p99_us)).collect();
            let p99 = Some(p99).filter(|all| !all.is_empty()).map(median_of);
            let (median, interval, why) = match medians(cell) {
                Ok(medians) => {
                    (grouped(medians.median), medians.interval.map_or_else(none, range), String::new())
                }
                Err(why) => (none(), none(), why.to_owned()),
            };
            vec![
                cell.facet.clone(),
                cell.series.clone(),
                cell.x_words.clone(),
                rate(cell).map_or_else(none, grouped),
                median,
                interval,
                p99.map_or_else(none, grouped),
                cell.median_told(Quantity::StartP50).map_or_else(String::new, grouped),
                price(cell),
                why,
            ]
        })
        .collect();
    (!table.rows.is_empty()).then(|| table.without_empty_columns())
}

fn interval(medians: &Medians<'_>) -> String {
    medians.interval.map(|interval| format!(", 95% interval {}", range(interval))).unwrap_or_default()
}
