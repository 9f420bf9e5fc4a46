//! Every cell with what is known about its throughput: the table for a terminal, for a README and for the page.

use std::collections::HashSet;

use crate::report::answer::range_or_none;
use crate::report::cells::{Cell, nouns};
use crate::report::facets::{Layout, absent, heading, level};
use crate::report::glance::{dots_of_a_cell, thinned};
use crate::report::looks::Looks;
use crate::report::measure::Measure;
use crate::report::model::{CellsColumn, CellsRow, CellsTable};
use crate::report::numbers::grouped;
use crate::report::open_loop;
use crate::report::ranking::at;
use crate::report::scale::Axis;

/// Shown in place of a missing number.
const NONE: &str = "–";

/// The table, in the order of the cells.
#[must_use]
pub fn cells_table(cells: &[Cell<'_>], layout: &Layout, looks: &Looks) -> CellsTable {
    let column = |name: &str, number: bool, spare: u8| CellsColumn { name: name.to_owned(), number, spare };
    let mut columns = Vec::new();
    // What an open loop achieves is meaningless without the rate that was asked for.
    let has_rate = layout.x == "rate" || layout.facets.contains(&"rate");
    let shows_rate = cells.iter().any(|cell| cell.rate.is_some()) && !has_rate;
    let facets: Vec<&str> = layout.facets.iter().copied().chain(shows_rate.then_some("rate")).collect();
    for facet in &facets {
        let (name, number) = heading(facet);
        columns.push(column(&name, number, 0));
    }
    let (name, _) = if layout.series == "mode" { ("Mode".to_owned(), false) } else { heading(layout.series) };
    columns.push(column(&name, false, 0));
    let is_workers = layout.x == "workers_asked";
    columns.push(column(&heading(layout.x).0, true, if layout.has_x() { 0 } else { 7 }));
    columns.push(column("Median", true, 0));
    columns.push(column("95% CI", true, 0));
    columns.push(column("Best", true, 4));
    columns.push(column("Worst", true, 5));
    columns.push(column("Stdev", true, 6));
    columns.push(column("n", true, 3));
    columns.push(column("p50, µs", true, 1));
    columns.push(column("p99, µs", true, 2));
    let none = || NONE.to_owned();
    let of = |value: Option<f64>| value.map_or_else(none, grouped);
    let row = |cell: &Cell<'_>| {
        let label = |column: &str| level(cell.sample, column).unwrap_or_else(|| absent(column)).to_owned();
        let mut fields: Vec<String> = facets.iter().map(|facet| label(facet)).collect();
        fields.push(cell.series.clone());
        fields.push(if is_workers || cell.sample.label.get(layout.x).is_some() { at(cell) } else { none() });
        let t = cell.throughput;
        let latency = |measure| cell.quoted(measure).map(|stat| stat.median);
        fields.extend([
            of(cell.median()),
            range_or_none(cell.interval),
            of(t.map(|t| t.best)),
            of(t.map(|t| t.worst)),
            of(t.and_then(|t| t.stdev)),
            cell.values.len().to_string(),
            of(latency(Measure::LatencyP50)),
            of(latency(Measure::LatencyP99)),
        ]);
        let ends = cell.interval.map(|ends| (ends.low, ends.high));
        CellsRow {
            fields,
            warnings: cell.warnings(),
            look: looks.look(&cell.series),
            dots: thinned(&cell.values, dots_of_a_cell(cells.len())),
            mark: cell.median().map(|median| (median, ends)),
        }
    };
    let rows: Vec<CellsRow> = cells.iter().map(row).collect();
    let mut table = CellsTable {
        caption: caption(cells),
        columns,
        rows,
        best_first: best_first(cells),
        axis: Axis::of("", cells.iter().flat_map(|cell| cell.values.iter().copied())),
    };
    // A column that is empty in every row, such as latencies that no trial reports, or that is the same in all rows.
    for at in (0..table.columns.len()).rev() {
        let values: HashSet<&str> = table.rows.iter().map(|row| row.fields[at].as_str()).collect();
        let is_empty = !table.rows.is_empty() && values.iter().all(|value| *value == NONE);
        if is_empty && table.columns[at].spare > 0 {
            table.columns.remove(at);
            for row in &mut table.rows {
                row.fields.remove(at);
            }
        }
    }
    table
}

fn caption(cells: &[Cell<'_>]) -> String {
    let noun = nouns(cells);
    format!(
        "{}/s of the trials: median with its 95% confidence interval, best, worst, sample standard deviation, and how many \
         trials there are; latencies are medians of the trials",
        capital(noun)
    )
}

fn capital(noun: &str) -> String {
    let mut letters = noun.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The numbers of the cells, the highest first; for an open loop, the one with the lowest latency first.
fn best_first(cells: &[Cell<'_>]) -> Vec<usize> {
    let is_open = open_loop::is_of(cells);
    let value = |cell: &Cell<'_>| {
        if is_open {
            open_loop::latency(cell).map_or(f64::NEG_INFINITY, |stat| -stat.median)
        } else {
            cell.median().unwrap_or(f64::NEG_INFINITY)
        }
    };
    let mut order: Vec<usize> = (0..cells.len()).collect();
    order.sort_by(|a, b| value(&cells[*b]).total_cmp(&value(&cells[*a])));
    order
}
