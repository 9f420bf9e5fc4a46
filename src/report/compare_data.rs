//! A comparison for programs: CSV with a row for each cell, and JSON. Nothing is rounded, and missing values are empty.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::analysis::compare::{Compared, Comparison, Side, Verdict};
use crate::analysis::gate::{Gate, Undecided};
use crate::analysis::metric::Metric;
use crate::analysis::pairs::SETTINGS;
use crate::analysis::samples::{Label, is_younger};
use crate::report::compare::warnings;
use crate::report::sides::Sides;
use crate::results::csv::defused;

/// After the columns of the cell: what was compared, and the outcome.
const RESULTS: [&str; 16] = [
    "cell_base",
    "cell_new",
    "metric",
    "n_base",
    "n_new",
    "failed_base",
    "failed_new",
    "median_base",
    "median_new",
    "ratio",
    "ratio_low",
    "ratio_high",
    "p",
    "p_holm",
    "verdict",
    "need_n",
];

/// After those: what a reader must know.
const BEHIND: [&str; 4] = ["warnings", "differs", "disturbed_base", "disturbed_new"];

/// RFC 4180 with one header; cells that are in one side only come last. The settings are those of the base.
#[must_use]
pub fn csv(comparison: &Comparison) -> Vec<u8> {
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
    let mut write = |row: Vec<String>| writer.write_record(row).expect("writing to memory does not fail");
    let header = front().chain(RESULTS).chain(BEHIND).chain(own());
    write(header.map(str::to_owned).collect());
    comparison.cells.iter().for_each(|cell| write(row(comparison, cell)));
    for (verdict, labels) in [("only-in-base", &comparison.only_base), ("only-in-new", &comparison.only_new)]
    {
        for label in labels {
            let mut row = values(label, front());
            let results = row.len();
            row.resize(results + RESULTS.len() + BEHIND.len(), String::new());
            row[results + usize::from(verdict == "only-in-new")] =
                defused(label.get("cell").unwrap_or_default()).into_owned();
            row[results + 2] = comparison.metric.column().to_owned();
            row[results + 14] = verdict.to_owned();
            row.extend(values(label, own()));
            write(row);
        }
    }
    writer.into_inner().expect("writing to memory does not fail")
}

/// The settings that tables have always had.
fn front() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().copied().filter(|column| !is_younger(column))
}

/// The settings that came later, which stand at the end.
fn own() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().copied().filter(|column| is_younger(column))
}

fn values(label: &Label, columns: impl Iterator<Item = &'static str>) -> Vec<String> {
    columns.map(|column| defused(label.get(column).unwrap_or_default()).into_owned()).collect()
}

fn row(comparison: &Comparison, cell: &Compared) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let name = |label: &Label| defused(label.get("cell").unwrap_or_default()).into_owned();
    let mut row = values(&cell.base.label, front());
    row.extend([
        name(&cell.base.label),
        name(&cell.new.label),
        comparison.metric.column().to_owned(),
        cell.base.n.to_string(),
        cell.new.n.to_string(),
        cell.base.failed.to_string(),
        cell.new.failed.to_string(),
        number(cell.base.median),
        number(cell.new.median),
        number(cell.ratio),
        number(cell.interval.map(|ends| ends.low)),
        number(cell.interval.map(|ends| ends.high)),
        number(cell.p),
        number(cell.adjusted_p),
        word(cell.verdict, comparison.metric).to_owned(),
        need(cell.verdict).map_or_else(String::new, |need| need.to_string()),
        warnings(cell).join(" "),
        cell.differs.join(" "),
        cell.base.doubted.disturbed.to_string(),
        cell.new.doubted.disturbed.to_string(),
    ]);
    row.extend(values(&cell.base.label, own()));
    row
}

const fn word(verdict: Verdict, metric: Metric) -> &'static str {
    let (better, worse) = metric.verdicts();
    match verdict {
        Verdict::Faster => better,
        Verdict::Slower => worse,
        Verdict::NoDifferenceSeen => "no-difference-seen",
        Verdict::NotEnough { .. } => "not-enough-repetitions",
        Verdict::NothingMeasured => "nothing-measured",
        Verdict::Disturbed => "disturbed",
    }
}

const fn need(verdict: Verdict) -> Option<usize> {
    if let Verdict::NotEnough { need } = verdict { Some(need) } else { None }
}

#[derive(Serialize)]
struct Document<'a> {
    metric: &'a str,
    factor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sides: Option<Value>,
    family: usize,
    cells: Vec<Value>,
    only_in_base: Vec<Value>,
    only_in_new: Vec<Value>,
    remarks: &'a [String],
    slower_by_more: Option<Vec<Value>>,
    undecided: Option<Vec<Value>>,
    may_be_slower_by_more: Option<Vec<Value>>,
}

/// One object: what the `sides` are called, if they have names; `cells`; the cells that are in one side only; what is odd
/// about the files that were read; and, where a limit was given, which cells are slower by more than the limit, which could
/// not be judged, and which pass although their intervals reach beyond it.
#[must_use]
pub fn json(comparison: &Comparison, sides: &Sides, remarks: &[String], limit: Option<f64>) -> String {
    let named = |labels: &[Label]| labels.iter().map(|label| label_json(label).into()).collect();
    let gate = limit.map(|limit| Gate::of(comparison, limit));
    let names = |cells: &[&Compared]| -> Vec<Value> {
        cells.iter().map(|cell| json!(cell.new.label.get("cell").unwrap_or_default())).collect()
    };
    let undecided = |undecided: &Undecided<'_>| {
        let why = match undecided {
            Undecided::Pair(pair) => word(pair.verdict, comparison.metric),
            Undecided::Gone(_) => "only-in-base",
        };
        json!({ "cell": undecided.label().get("cell").unwrap_or_default(), "why": why })
    };
    let document = Document {
        metric: comparison.metric.column(),
        factor: comparison.factor,
        sides: (!sides.are_unnamed()).then(|| json!({ "base": sides.base, "new": sides.new })),
        family: comparison.family,
        cells: comparison.cells.iter().map(|cell| cell_json(cell, comparison.metric)).collect(),
        only_in_base: named(&comparison.only_base),
        only_in_new: named(&comparison.only_new),
        remarks,
        slower_by_more: gate.as_ref().map(|gate| names(&gate.slower)),
        undecided: gate.as_ref().map(|gate| gate.undecided.iter().map(undecided).collect()),
        may_be_slower_by_more: gate.as_ref().map(|gate| names(&gate.may_hide)),
    };
    let mut text = serde_json::to_string_pretty(&document).expect("texts and numbers are always JSON");
    text.push('\n');
    text
}

fn label_json(label: &Label) -> Map<String, Value> {
    let values =
        ["cell"].iter().chain(SETTINGS.iter()).map(|column| ((*column).to_owned(), json!(label.get(column))));
    values.collect()
}

fn cell_json(cell: &Compared, metric: Metric) -> Value {
    let doubts = |side: &Side| -> Map<String, Value> {
        side.doubted.by_doubt.iter().map(|(doubt, trials)| (doubt.word().to_owned(), json!(trials))).collect()
    };
    let side = |side: &Side| {
        json!({
            "cell": side.label.get("cell"),
            "n": side.n,
            "failed": side.failed,
            "median": side.median,
            "bimodal": side.is_bimodal,
            "mixed": side.mixed,
            "disturbed": side.doubted.disturbed,
            "doubts": doubts(side),
        })
    };
    let differs: Map<String, Value> = cell
        .differs
        .iter()
        .map(|column| {
            ((*column).to_owned(), json!([cell.base.label.get(column), cell.new.label.get(column)]))
        })
        .collect();
    json!({
        "settings": label_json(&cell.base.label).into_iter().filter(|(name, _)| name != "cell").collect::<Map<_, _>>(),
        "base": side(&cell.base),
        "new": side(&cell.new),
        "ratio": cell.ratio,
        "interval": cell.interval.map(|ends| [ends.low, ends.high]),
        "p": cell.p,
        "p_holm": cell.adjusted_p,
        "verdict": word(cell.verdict, metric),
        "need_n": need(cell.verdict),
        "warnings": warnings(cell),
        "differs": differs,
    })
}
