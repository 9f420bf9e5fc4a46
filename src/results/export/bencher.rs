//! Bencher Metric Format: JSON with the measures of each benchmark. Here a benchmark is a cell, and its measures are all the
//! numbers known about it.

use serde_json::{Map, Value, json};

use super::{Estimate, Exported, ExportedCell};
use crate::analysis::metric::Metric;

/// An object with an entry for each cell.
#[must_use]
pub fn bencher(exported: &Exported<'_>) -> String {
    let benchmarks: Map<String, Value> =
        exported.cells.iter().map(|cell| (cell.name.clone(), measures(cell).into())).collect();
    let mut text = serde_json::to_string_pretty(&benchmarks).expect("texts and numbers are always JSON");
    text.push('\n');
    text
}

fn measures(cell: &ExportedCell<'_>) -> Map<String, Value> {
    let measure = |metric: Metric| Some((slug(metric), value(cell.estimate(metric)?)));
    Metric::all().filter_map(measure).collect()
}

/// Bencher has a measure of its own for operations per second. Every other one is named after its column, which ends in its
/// unit.
fn slug(metric: Metric) -> String {
    if metric == Metric::OpsPerS { "throughput".to_owned() } else { metric.column().replace('_', "-") }
}

fn value(estimate: Estimate) -> Value {
    match estimate.interval {
        Some(interval) => {
            json!({ "value": estimate.value, "lower_value": interval.low, "upper_value": interval.high })
        }
        None => json!({ "value": estimate.value }),
    }
}
