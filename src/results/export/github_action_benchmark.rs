//! The JSON of the action `benchmark-action/github-action-benchmark`: one number for each cell, all of the same metric,
//! since the action takes one direction (larger or smaller is better) for a whole file.

use serde::Serialize;

use super::{Estimate, Exported, ExportedCell};
use crate::analysis::metric::Metric;
use crate::workload::noun;

/// What the action calls a value; `range` and `extra` are shown as they are.
#[derive(Debug, Serialize)]
struct Entry<'a> {
    name: &'a str,
    unit: String,
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<String>,
    extra: String,
}

/// A list with an entry for each cell that has the metric.
#[must_use]
pub fn github_action_benchmark(exported: &Exported<'_>, metric: Metric) -> String {
    let entry = |cell| Some(entry(cell, metric, ExportedCell::estimate(cell, metric)?));
    let entries: Vec<Entry<'_>> = exported.cells.iter().filter_map(entry).collect();
    let mut text = serde_json::to_string_pretty(&entries).expect("texts and numbers are always JSON");
    text.push('\n');
    text
}

/// What the action's input `tool` must be for a file with this metric.
#[must_use]
pub const fn tool(metric: Metric) -> &'static str {
    if metric.is_less_better() { "customSmallerIsBetter" } else { "customBiggerIsBetter" }
}

fn entry<'a>(cell: &'a ExportedCell<'_>, metric: Metric, estimate: Estimate) -> Entry<'a> {
    let unit = if metric == Metric::OpsPerS {
        format!("{}/s", noun([cell.summary.label.settings.workload.kind]))
    } else {
        metric.unit().to_owned()
    };
    Entry {
        name: &cell.name,
        unit,
        value: estimate.value,
        range: estimate.interval.map(|interval| format!("{:.2} to {:.2}", interval.low, interval.high)),
        extra: extra(cell),
    }
}

/// What a reader of a chart wants to know about a point, one item per line.
fn extra(cell: &ExportedCell<'_>) -> String {
    let summary = cell.summary;
    let mut lines = vec![format!("{} trials, cell {}", summary.n, summary.cell)];
    lines
        .extend(summary.label.client.as_ref().map(|client| format!("{}, {}", client.client, client.runtime)));
    lines.extend(summary.label.server.as_ref().map(|server| format!("{} {}", server.name, server.version)));
    let mut marks: Vec<&str> = summary.flags.keys().map(|flag| flag.word()).collect();
    marks.extend(summary.mixed.then_some("mixed"));
    marks.extend(summary.drift.map(|_| "drift"));
    marks.extend((summary.failed > 0).then_some("failures"));
    if !marks.is_empty() {
        lines.push(marks.join(" "));
    }
    lines.extend(summary.comparability().map(|words| format!("differs: {words}")));
    lines.join("\n")
}
