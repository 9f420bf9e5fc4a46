//! A comparison for people: a table for a terminal and the same in Markdown, with the necessary remarks below it.

use std::collections::{BTreeMap, BTreeSet};

use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};

use crate::analysis::compare::{Compared, Comparison, Side, Verdict};
use crate::analysis::doubt::{Doubt, TOLERATED};
use crate::analysis::metric::Metric;
use crate::analysis::pairs::SETTINGS;
use crate::analysis::samples::Label;
use crate::report::gate::outcome;
use crate::report::numbers::grouped;
use crate::report::sides::Sides;
use crate::report::terminal::fit;

/// Shown in place of a missing number.
const NONE: &str = "–";

/// Columns that name a cell even where they do not vary.
const ALWAYS: [&str; 2] = ["mode", "workers_asked"];

/// The table for a terminal, below the names of the sides and above its notes; no colours. A table wider than `width` wraps the
/// texts of its columns; without one it is as wide as it needs to be.
#[must_use]
pub fn text(comparison: &Comparison, sides: &Sides, width: Option<u16>) -> String {
    let layout = Layout::of(comparison);
    let mut text = sides.text();
    if !comparison.cells.is_empty() {
        let rule = LineStyle::none().fill('─').junction('─');
        let mut table = Table::new();
        table
            .load_style(TableStyle::new().header_separator(rule))
            .set_header(layout.columns.iter().map(|column| column.name.as_str()))
            .add_rows(layout.rows);
        for (column, drawn) in layout.columns.iter().zip(table.column_iter_mut()) {
            drawn.set_cell_alignment(if column.number { CellAlignment::Right } else { CellAlignment::Left });
        }
        fit(&mut table, width, &["Verdict", "Warnings"]);
        text += &format!("{}\n\n", table.trim_fmt());
    }
    text + &layout.notes.join("\n") + "\n"
}

/// The same in Markdown, preceded by the outcome of a limit, where there is one: a summary is read from the top.
#[must_use]
pub fn markdown(comparison: &Comparison, sides: &Sides, limit: Option<f64>) -> String {
    let layout = Layout::of(comparison);
    let line = |fields: Vec<String>| format!("| {} |\n", fields.join(" | "));
    let outcome = limit.map(|limit| outcome(comparison, limit));
    let mut text = outcome.unwrap_or_default() + &sides.markdown();
    if !comparison.cells.is_empty() {
        text += &line(layout.columns.iter().map(|column| column.name.clone()).collect());
        let rules = layout.columns.iter().map(|column| if column.number { "---:" } else { "---" });
        text += &line(rules.map(str::to_owned).collect());
        for row in layout.rows {
            text += &line(row.iter().map(|field| field.replace('|', "\\|")).collect());
        }
        text += "\n";
    }
    text + &layout.notes.join("\n\n") + "\n"
}

/// A verdict on a metric in words.
#[must_use]
pub fn verdict(verdict: Verdict, metric: Metric) -> String {
    let (better, worse) = metric.verdicts();
    match verdict {
        Verdict::Faster => better.to_owned(),
        Verdict::Slower => worse.to_owned(),
        Verdict::NoDifferenceSeen => "no difference seen".to_owned(),
        Verdict::NotEnough { need } => format!("not enough repetitions (need n ≥ {need})"),
        Verdict::NothingMeasured => "nothing measured".to_owned(),
        Verdict::Disturbed => "undecided (disturbed)".to_owned(),
    }
}

/// What a reader must know about a pair before quoting it, in words that are explained below the table.
#[must_use]
pub fn warnings(cell: &Compared) -> Vec<&'static str> {
    let doubts = Doubt::ALL.into_iter().filter(|doubt| has(cell, *doubt)).map(Doubt::word);
    marks(cell).into_iter().chain(doubts).collect()
}

/// The same; each doubt also has the share of trials that it affects, on the base side and on the new side.
#[must_use]
pub fn warnings_with_shares(cell: &Compared) -> Vec<String> {
    let share = |side: &Side, doubt| percentage(side.doubted.with(doubt), side.doubted.n);
    let doubts = Doubt::ALL.into_iter().filter(|doubt| has(cell, *doubt));
    let doubts = doubts
        .map(|doubt| format!("{} {}/{}", doubt.word(), share(&cell.base, doubt), share(&cell.new, doubt)));
    marks(cell).into_iter().map(str::to_owned).chain(doubts).collect()
}

fn has(cell: &Compared, doubt: Doubt) -> bool {
    cell.base.doubted.with(doubt) + cell.new.doubted.with(doubt) > 0
}

/// A share that is not 0 is never shown as 0%, and one that is not all never as 100%.
fn percentage(part: usize, all: usize) -> String {
    let share = 100.0 * part as f64 / all as f64;
    match (part, all) {
        (_, 0) => NONE.to_owned(),
        (part, _) if part > 0 && share < 1.0 => "<1%".to_owned(),
        (part, all) if part < all => format!("{:.0}%", share.min(99.0)),
        _ => "100%".to_owned(),
    }
}

fn marks(cell: &Compared) -> Vec<&'static str> {
    let any = |is: fn(&Side) -> bool| is(&cell.base) || is(&cell.new);
    let marks = [
        (cell.is_bimodal(), "bimodal"),
        (any(|side| !side.mixed.is_empty()), "mixed"),
        (any(|side| side.failed > 0), "failures"),
        (any(|side| side.label.get("comparability").is_some()), "differs"),
    ];
    marks.into_iter().filter(|(is_so, _)| *is_so).map(|(_, mark)| mark).collect()
}

/// What a doubt says about a trial.
const fn meaning(doubt: Doubt) -> &'static str {
    match doubt {
        Doubt::BackgroundLoad => "other programs used the client's machine",
        Doubt::CpuSteal => "the hypervisor took CPU time from the machine",
        Doubt::BehindSchedule => "the client fell behind the rate that it was to keep",
        Doubt::ClockDisagrees => "two clocks disagree about the elapsed time",
        Doubt::NotPlaced => "client and server could not be bound to the CPUs asked for",
        Doubt::UnevenClients => "one of several clients was done long before the others",
        Doubt::LatencyDoubtful => "the latencies contradict what else is known of the trial",
        Doubt::OtherClients => "somebody else talked to the server",
    }
}

struct Layout {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

struct Column {
    name: String,
    number: bool,
}

impl Layout {
    fn of(comparison: &Comparison) -> Self {
        let settings = shown(comparison);
        let mut columns: Vec<Column> = settings
            .iter()
            .map(|column| Column { name: heading(column), number: is_number(column) })
            .collect();
        let unit = comparison.metric.unit();
        for (name, number) in [
            ("n".to_owned(), true),
            (format!("Base {unit}"), true),
            (format!("New {unit}"), true),
            ("Ratio".to_owned(), true),
            ("95% interval".to_owned(), true),
            ("p (Holm)".to_owned(), true),
            ("Verdict".to_owned(), false),
        ] {
            columns.push(Column { name, number });
        }
        let is_marked = comparison.cells.iter().any(|cell| !warnings(cell).is_empty());
        if is_marked {
            columns.push(Column { name: "Warnings".to_owned(), number: false });
        }
        let row = |cell: &Compared| {
            let mut row: Vec<String> =
                settings.iter().map(|column| value(&cell.base.label, column)).collect();
            row.extend(numbers(cell, comparison.metric));
            if is_marked {
                row.push(warnings_with_shares(cell).join(", "));
            }
            row
        };
        Self {
            rows: by_size(&comparison.cells).into_iter().map(row).collect(),
            columns,
            notes: notes(comparison, &settings),
        }
    }
}

/// In the order in which a reader wants them: first the cells that differ, then all others, each with the largest effect
/// first. Cells without a ratio come last; cells that are equal in all this keep the order of their settings.
fn by_size(cells: &[Compared]) -> Vec<&Compared> {
    let mut cells: Vec<&Compared> = cells.iter().collect();
    let size = |cell: &Compared| cell.ratio.map_or(f64::NEG_INFINITY, |ratio| ratio.ln().abs());
    let differs = |cell: &Compared| matches!(cell.verdict, Verdict::Faster | Verdict::Slower);
    cells.sort_by(|one, other| {
        differs(other).cmp(&differs(one)).then_with(|| size(other).total_cmp(&size(one)))
    });
    cells
}

/// The columns that tell the cells apart, mode and workers last.
pub(super) fn shown(comparison: &Comparison) -> Vec<&'static str> {
    let labels = comparison
        .cells
        .iter()
        .map(|cell| &cell.base.label)
        .chain(&comparison.only_base)
        .chain(&comparison.only_new);
    let labels: Vec<&Label> = labels.collect();
    let varies =
        |column: &str| labels.iter().map(|label| label.get(column)).collect::<BTreeSet<_>>().len() > 1;
    let is_shown = |column: &&'static str| {
        Some(*column) != comparison.factor && (ALWAYS.contains(column) || varies(column))
    };
    SETTINGS.iter().copied().filter(is_shown).collect()
}

fn heading(column: &str) -> String {
    let words = column.trim_end_matches("_asked").replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn is_number(column: &str) -> bool {
    matches!(
        column,
        "workers_asked"
            | "operations_asked"
            | "duration_asked_s"
            | "value_bytes"
            | "pipeline"
            | "rate"
            | "warmup_operations"
            | "warmup_s"
    )
}

fn value(label: &Label, column: &str) -> String {
    label.get(column).unwrap_or(NONE).to_owned()
}

fn numbers(cell: &Compared, metric: Metric) -> [String; 7] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| NONE.to_owned());
    let (base, new) = (cell.base.n, cell.new.n);
    [
        if base == new { base.to_string() } else { format!("{base}, {new}") },
        or_none(cell.base.median.map(grouped)),
        or_none(cell.new.median.map(grouped)),
        or_none(cell.ratio.map(|ratio| format!("{ratio:.3}"))),
        or_none(cell.interval.map(|ends| format!("{:.3} to {:.3}", ends.low, ends.high))),
        or_none(cell.adjusted_p.map(probability)),
        verdict(cell.verdict, metric),
    ]
}

fn probability(p: f64) -> String {
    if p < 0.0001 { "<0.0001".to_owned() } else { format!("{p:.4}") }
}

fn notes(comparison: &Comparison, settings: &[&str]) -> Vec<String> {
    let mut notes = Vec::new();
    if !comparison.cells.is_empty() {
        let side = if comparison.metric.is_less_better() { "below" } else { "above" };
        let (better, _) = comparison.metric.verdicts();
        let tested = match comparison.family {
            0 => String::new(),
            1 => "; p by the Mann–Whitney test".to_owned(),
            tests => format!("; p by the Mann–Whitney test, adjusted for {tests} tests"),
        };
        notes.push(format!(
            "{}: medians of n trials; ratio is new over base, and {side} 1 is {better}{tested}",
            comparison.metric.column()
        ));
    }
    for (mark, meaning) in [
        ("bimodal", "the trials of a side fall into two groups far apart; do not quote this row"),
        ("mixed", "not all trials of a side ran with the same software, machines and CPUs"),
        ("failures", "attempts failed or timed out; trials.csv says why"),
    ] {
        if comparison.cells.iter().any(|cell| marks(cell).contains(&mark)) {
            notes.push(format!("{mark}: {meaning}"));
        }
    }
    for doubt in Doubt::ALL {
        if comparison.cells.iter().any(|cell| has(cell, doubt)) {
            notes.push(format!("{}: {} (share of the trials of base/new)", doubt.word(), meaning(doubt)));
        }
    }
    if comparison.cells.iter().any(|cell| cell.verdict == Verdict::Disturbed) {
        notes.push(format!(
            "disturbed: more than {:.0}% of the trials of a side are in doubt, and a difference may come from what disturbed \
             them; repeat that side on a quiet machine",
            TOLERATED * 100.0
        ));
    }
    let sides = comparison.cells.iter().flat_map(|cell| [&cell.base, &cell.new]);
    let differing: BTreeSet<(&str, &str)> = sides
        .filter_map(|side| Some((side.label.get("mode").unwrap_or(NONE), side.label.get("comparability")?)))
        .collect();
    notes.extend(differing.into_iter().map(|(mode, words)| {
        format!("differs: {mode} does something other than what was asked for ({words}); do not rank it with the others")
    }));
    notes.extend(differences(comparison));
    for (side, labels) in [("base", &comparison.only_base), ("new", &comparison.only_new)] {
        notes.extend(labels.iter().map(|label| format!("only in {side}: {}", named(label, settings))));
    }
    notes
}

/// A cell as its row names it.
pub(super) fn named(label: &Label, settings: &[&str]) -> String {
    let words =
        settings.iter().map(|column| format!("{} {}", heading(column).to_lowercase(), value(label, column)));
    words.collect::<Vec<_>>().join(", ")
}

/// What differs between the sides besides what was asked about: a difference between two hosts or versions also shows up as
/// a difference between the sides.
fn differences(comparison: &Comparison) -> Vec<String> {
    let mut found: BTreeMap<&str, BTreeSet<(String, String)>> = BTreeMap::new();
    for cell in &comparison.cells {
        for column in &cell.differs {
            let values = (value(&cell.base.label, column), value(&cell.new.label, column));
            found.entry(column).or_default().insert(values);
        }
    }
    let sentence = |(column, values): (&str, BTreeSet<(String, String)>)| {
        let shown: Vec<String> = values.iter().take(3).map(|(base, new)| format!("{base} → {new}")).collect();
        let more = if values.len() > 3 { format!(" and {} more", values.len() - 3) } else { String::new() };
        format!("{column} differs: {}{more}", shown.join("; "))
    };
    found.into_iter().map(sentence).collect()
}
