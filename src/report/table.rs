//! The table of the seed article: mode, workers, best, worst and standard deviation in operations per second.
//!
//! A factor that varies gets a column in front; one that does not vary is not shown. What a reader must know about a
//! row before quoting it is marked in the row and said below the table.

use std::collections::{BTreeSet, HashSet};

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

use crate::analysis::control::{Control, Difference};
use crate::analysis::interval::{Interval, MIN_TRIALS};
use crate::analysis::stats::Throughput;
use crate::analysis::summary::CellSummary;
use crate::experiment::{Factor, Level, Settings};
use crate::record::Flag;
use crate::setting::Heading;
use crate::workload::noun;

/// In the order in which printers use them.
const MARKS: [&str; 21] = [
    "†",
    "‡",
    "§",
    "¶",
    "‖",
    "#",
    "††",
    "‡‡",
    "§§",
    "¶¶",
    "‖‖",
    "##",
    "†††",
    "‡‡‡",
    "§§§",
    "¶¶¶",
    "‖‖‖",
    "###",
    "††††",
    "‡‡‡‡",
    "§§§§",
];

/// In place of a number that there is none of.
const NONE: &str = "–";

/// The table for a terminal, in the order of `cells`, with its notes; no colours. A control is no row, but a sentence below.
#[must_use]
pub fn text(cells: &[CellSummary], controls: &[Control]) -> String {
    let layout = Layout::of(cells, controls);
    let rule = LineStyle::none().fill('─').junction('─');
    let mut table = Table::new();
    table
        .load_style(TableStyle::new().header_separator(rule))
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(layout.columns.iter().map(|column| column.name))
        .add_rows(layout.rows);
    for (column, drawn) in layout.columns.iter().zip(table.column_iter_mut()) {
        drawn.set_cell_alignment(if column.number { CellAlignment::Right } else { CellAlignment::Left });
    }
    format!("{}\n\n{}\n", table.trim_fmt(), layout.notes.join("\n"))
}

/// The same in Markdown.
#[must_use]
pub fn markdown(cells: &[CellSummary], controls: &[Control]) -> String {
    let layout = Layout::of(cells, controls);
    let line = |fields: Vec<String>| format!("| {} |\n", fields.join(" | "));
    let mut text = line(layout.columns.iter().map(|column| column.name.to_owned()).collect());
    let rules = layout.columns.iter().map(|column| if column.number { "---:" } else { "---" });
    text += &line(rules.map(str::to_owned).collect());
    for row in layout.rows {
        text += &line(row.iter().map(|field| field.replace('|', "\\|")).collect());
    }
    text + "\n" + &layout.notes.join("\n\n") + "\n"
}

struct Layout {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    notes: Vec<String>,
}

struct Column {
    name: &'static str,
    number: bool,
}

impl Layout {
    fn of(all: &[CellSummary], controls: &[Control]) -> Self {
        let cells: &[&CellSummary] = &all.iter().filter(|cell| cell.control_of.is_none()).collect::<Vec<_>>();
        let notes: BTreeSet<Note> = cells.iter().flat_map(|cell| Note::about(cell)).collect();
        let marked: Vec<(Note, &str)> = notes.into_iter().zip(MARKS).collect();

        // What an open loop achieves says nothing without the rate that was asked for.
        let open_loop = cells.iter().any(|cell| cell.label.settings.workload.rate.is_some());
        let is_shown = |field: &Field| field.varies(cells) || open_loop && field.factor == Factor::Rate;
        let others = Factor::ALL.iter().filter(|factor| !ALWAYS.contains(factor));
        let mut fields: Vec<Field> = others.map(|&factor| Field::of(factor)).filter(is_shown).collect();
        fields.extend(ALWAYS.map(Field::of));
        let mut columns: Vec<Column> = fields
            .iter()
            .map(|field| Column { name: field.heading.name, number: field.heading.numeric })
            .collect();
        columns.extend(["Best", "Worst", "Stdev"].map(|name| Column { name, number: true }));
        if !marked.is_empty() {
            columns.push(Column { name: "", number: false });
        }

        let decimals = digits_after(cells.iter().filter_map(|cell| cell.throughput.map(|t| t.worst)));
        let stdev_decimals =
            decimals.max(digits_after(cells.iter().filter_map(|cell| cell.throughput?.stdev)));
        let row = |cell: &CellSummary| {
            let of = |value: fn(&Throughput) -> Option<f64>, decimals: usize| {
                let value = cell.throughput.as_ref().and_then(value);
                value.map_or_else(|| NONE.to_owned(), |value| format!("{value:.decimals$}"))
            };
            let mut row: Vec<String> = fields.iter().map(|field| field.value(cell)).collect();
            row.push(of(|t| Some(t.best), decimals));
            row.push(of(|t| Some(t.worst), decimals));
            row.push(of(|t| t.stdev, stdev_decimals));
            if !marked.is_empty() {
                let notes = Note::about(cell);
                let marks = marked.iter().filter(|(note, _)| notes.contains(note)).map(|(_, mark)| *mark);
                row.push(marks.collect::<Vec<_>>().join(" "));
            }
            row
        };
        let rows = cells.iter().map(|cell| row(cell)).collect();
        let mut notes = vec![caption(cells)];
        notes.extend(marked.iter().map(|(note, mark)| format!("{mark} {}", note.sentence(cells))));
        notes.extend(controls.iter().map(|control| about_control(control, all)));
        Self { columns, rows, notes }
    }
}

/// A column that says which cell a row is.
#[derive(Clone, Copy)]
struct Field {
    factor: Factor,
    heading: Heading,
}

impl Field {
    const fn of(factor: Factor) -> Self {
        Self { factor, heading: factor.setting().heading }
    }

    fn value(&self, cell: &CellSummary) -> String {
        let asked = match self.factor.get(&cell.label.settings) {
            // Its heading says what it is.
            Some(Level::PerSecond(rate)) => rate.to_string(),
            Some(level) => level.to_string(),
            None => self.heading.absent.to_owned(),
        };
        match (&cell.label.client, self.factor) {
            (Some(client), Factor::Workers) if client.workers != cell.label.settings.workers => {
                format!("{asked} → {}", client.workers)
            }
            _ => asked,
        }
    }

    fn varies(&self, cells: &[&CellSummary]) -> bool {
        cells.iter().map(|cell| self.value(cell)).collect::<HashSet<_>>().len() > 1
    }
}

/// Those that are shown whether they vary or not.
const ALWAYS: [Factor; 2] = [Factor::Mode, Factor::Workers];

/// So many that the smallest number shows three digits or more, and never more than two: one trial does not repeat
/// another to the hundredth.
fn digits_after(values: impl Iterator<Item = f64>) -> usize {
    match values.fold(f64::INFINITY, f64::min) {
        smallest if smallest >= 100.0 => 0,
        smallest if smallest >= 10.0 => 1,
        _ => 2,
    }
}

/// What the numbers are.
fn caption(cells: &[&CellSummary]) -> String {
    let counts: BTreeSet<usize> = cells.iter().map(|cell| cell.n).collect();
    let trials = match (counts.first(), counts.last()) {
        (Some(1), Some(1)) => "1 trial".to_owned(),
        (Some(least), Some(most)) if least < most => format!("{least} to {most} trials"),
        (_, most) => format!("{} trials", most.copied().unwrap_or_default()),
    };
    let noun = noun(cells.iter().map(|cell| cell.label.settings.workload.kind));
    format!("{noun}/s; best, worst and sample standard deviation of {trials} in each row")
}

/// By how much two cells differ that are the same.
fn about_control(control: &Control, cells: &[CellSummary]) -> String {
    let cell = cells.iter().find(|cell| cell.cell == control.cell || cell.cell == control.twin);
    let which = cell.map_or_else(String::new, |cell| {
        let Settings { mode, workers, .. } = &cell.label.settings;
        let plural = if *workers == 1 { "" } else { "s" };
        format!(" ({mode}, {workers} worker{plural})")
    });
    match control.difference {
        None => {
            format!("control: nothing is known of two cells that are the same{which}; trials.csv says why")
        }
        Some(Difference { ratio, interval }) => {
            let differed =
                format!("control: two cells that are the same{which} differed by {}", percent(ratio - 1.0));
            match interval {
                Some(Interval { low, high }) => {
                    format!("{differed} [{}, {}]", percent(low - 1.0), percent(high - 1.0))
                }
                None => format!("{differed}; for an interval of 95% each needs {MIN_TRIALS} trials"),
            }
        }
    }
}

/// A share as a percentage with one decimal and a true minus; never −0.0%.
pub(super) fn percent(share: f64) -> String {
    let tenths = (share * 1e3).round();
    let minus = if tenths < 0.0 { "−" } else { "" };
    format!("{minus}{:.1}%", tenths.abs() / 10.0)
}

/// What a reader must know about a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Note {
    Bimodal,
    Failed,
    Mixed,
    Drift,
    Differs,
    Flagged(Flag),
}

impl Note {
    fn about(cell: &CellSummary) -> Vec<Self> {
        let mut notes = Vec::new();
        notes.extend(cell.groups.map(|_| Self::Bimodal));
        notes.extend((cell.failed > 0).then_some(Self::Failed));
        notes.extend(cell.mixed.then_some(Self::Mixed));
        notes.extend(cell.drift.map(|_| Self::Drift));
        notes.extend(cell.comparability().map(|_| Self::Differs));
        notes.extend(cell.flags.keys().copied().map(Self::Flagged));
        notes
    }

    fn sentence(self, cells: &[&CellSummary]) -> String {
        match self {
            Self::Bimodal => {
                let factors = cells.iter().filter_map(|cell| cell.groups).map(|groups| groups.factor);
                let widest = factors.fold(1.0, f64::max);
                format!(
                    "bimodal: the trials fall into two groups far apart (up to {widest:.1} to 1); do not quote this row"
                )
            }
            Self::Failed => match cells.iter().map(|cell| cell.failed).sum() {
                1_usize => "1 attempt failed; trials.csv says why".to_owned(),
                failed => format!("{failed} attempts failed; trials.csv says why"),
            },
            Self::Mixed => "mixed: not all trials ran with the same software, machines and CPUs".to_owned(),
            Self::Drift => {
                let changes = cells.iter().filter_map(|cell| cell.drift).map(|drift| drift.change);
                let most = changes.max_by(|one, other| one.abs().total_cmp(&other.abs())).unwrap_or_default();
                format!(
                    "drift: throughput changed steadily while the run went on ({} at most); early and late trials are not alike",
                    percent(most)
                )
            }
            Self::Differs => {
                let mut told: Vec<(&str, &str)> = cells
                    .iter()
                    .filter_map(|cell| Some((cell.label.settings.mode.as_str(), cell.comparability()?)))
                    .collect();
                told.sort_unstable();
                told.dedup();
                let told: Vec<String> = told.iter().map(|(mode, words)| format!("{mode}: {words}")).collect();
                format!(
                    "differs: the client does something other than what was asked for; do not rank this row with the others \
                     ({})",
                    told.join(" | ")
                )
            }
            Self::Flagged(flag) => {
                let trials: usize = cells.iter().filter_map(|cell| cell.flags.get(&flag)).sum();
                let plural = if trials == 1 { "trial" } else { "trials" };
                format!("{}, in {trials} {plural}: {}", flag.word(), meaning(flag))
            }
        }
    }
}

/// What a flag says of a trial.
pub(super) const fn meaning(flag: Flag) -> &'static str {
    match flag {
        Flag::ClientBound => {
            "the client, or one thread of it, used over 90% of the CPU it can have; the number is about the client"
        }
        Flag::ServerBound => {
            "the server's main thread used over 90% of a CPU; the number is about the server"
        }
        Flag::BackgroundLoad => "other programs used more than a tenth of a CPU on the client's machine",
        Flag::CpuSteal => "the hypervisor took more than a fiftieth of the machine's CPU time",
        Flag::BehindSchedule => "the client fell behind the rate that it was to keep",
        Flag::ClockDisagrees => "two clocks disagree about the elapsed time by more than 3% and 5 ms",
        Flag::Persistence => "the server wrote to disk, as its arguments asked",
        Flag::UnevenClients => {
            "one of several clients was done long before the others; for a while not all worked"
        }
        Flag::UnsteadyStart => {
            "the beginning of the trial was not like the rest of it; a longer `warmup` may help"
        }
        Flag::LatencyDoubtful => {
            "latencies do not belong to the throughput (Little's law): they are wrong, or not all of them are told"
        }
        Flag::OtherClients => "other clients were at work on the server, which somebody else runs",
        Flag::Outlier => {
            "far from the other trials of the row (modified z-score above 3.5); kept all the same"
        }
        Flag::NotPlaced => "client and server could not be bound to the CPUs asked for",
    }
}
