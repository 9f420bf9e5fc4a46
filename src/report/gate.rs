//! What is said where a comparison is checked against a limit.

use crate::analysis::compare::Comparison;
use crate::analysis::gate::{Gate, Undecided};
use crate::analysis::metric::MetricKind;
use crate::report::compare::{named, shown, verdict};
use crate::report::numbers::list;

/// Up to this many cells are named one by one.
const NAMED: usize = 10;

/// The outcome of checking a comparison against a limit, in Markdown: one line that says whether the limit was kept, and the
/// details.
#[must_use]
pub fn outcome(comparison: &Comparison, limit: f64) -> String {
    let gate = Gate::of(comparison, limit);
    let worse = worse_by_more(comparison);
    let mut text = String::new();
    if let Some(slower) = slower(comparison, &gate, limit) {
        text += &format!("**Failed**: {slower}.\n\n");
    }
    if let Some(undecided) = undecided(comparison, &gate, limit) {
        text += &format!(
            "**Undecided**: {}\n\n",
            undecided.replacen("\n  ", "\n\n- ", 1).replace("\n  ", "\n- ")
        );
    }
    if text.is_empty() {
        text += &format!("**Passed**: no cell was found to be {worse} than {}%.\n\n", limit * 100.0);
    }
    if let Some(note) = may_hide(comparison, &gate, limit) {
        text += &format!("Note: {note}.\n\n");
    }
    text
}

/// What is slower than the limit allows.
#[must_use]
pub fn slower(comparison: &Comparison, gate: &Gate<'_>, limit: f64) -> Option<String> {
    let cells = match gate.slower.len() {
        0 => return None,
        1 => "1 cell is".to_owned(),
        count => format!("{count} cells are"),
    };
    Some(format!("{cells} {} than {}%, judging by the intervals", worse_by_more(comparison), limit * 100.0))
}

/// What could not be judged, each with the reason.
#[must_use]
pub fn undecided(comparison: &Comparison, gate: &Gate<'_>, limit: f64) -> Option<String> {
    let of = comparison.cells.len() + comparison.only_base.len();
    let cells = match gate.undecided.len() {
        0 => return None,
        1 => format!("1 of {of} cells is"),
        count => format!("{count} of {of} cells are"),
    };
    let settings = shown(comparison);
    let line = |undecided: &Undecided<'_>| {
        let why = match undecided {
            Undecided::Pair(pair) => verdict(pair.verdict, comparison.metric),
            Undecided::Gone(_) => "missing from NEW".to_owned(),
        };
        format!("\n  {}: {why}", named(undecided.label(), &settings))
    };
    let lines: String = gate.undecided.iter().take(NAMED).map(line).collect();
    let more = match gate.undecided.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    let worse = worse_by_more(comparison);
    Some(format!("{cells} undecided, and may be {worse} than {}%:{lines}{more}", limit * 100.0))
}

/// The subject of the limit, placed before "than 5%".
const fn worse_by_more(comparison: &Comparison) -> &'static str {
    match comparison.metric.kind() {
        MetricKind::Throughput | MetricKind::Latency => "slower by more",
        MetricKind::Cost => "higher by more",
    }
}

/// What passes although its interval is too wide to rule out such a slowdown.
#[must_use]
pub fn may_hide(comparison: &Comparison, gate: &Gate<'_>, limit: f64) -> Option<String> {
    let settings = shown(comparison);
    let names: Vec<String> =
        gate.may_hide.iter().map(|cell| format!("({})", named(&cell.base.label, &settings))).collect();
    let (of, limit) = (comparison.cells.len(), limit * 100.0);
    let what = match comparison.metric.kind() {
        MetricKind::Throughput | MetricKind::Latency => "a slowdown",
        MetricKind::Cost => "a rise",
    };
    match names.len() {
        0 => None,
        1 => Some(format!(
            "in 1 of {of} cells {what} of more than {limit}% may have gone unseen, since its interval reaches that far: {}",
            names[0]
        )),
        count => Some(format!(
            "in {count} of {of} cells {what} of more than {limit}% may have gone unseen, since their intervals reach that \
             far: {}",
            list(&names, 5)
        )),
    }
}
