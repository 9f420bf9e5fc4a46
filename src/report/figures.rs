//! Which figures an experiment gets, and what is in them. Decides; draws nothing.

use std::collections::{BTreeMap, HashMap};
use std::f64::consts::LOG10_2;

use rayon::prelude::*;

use crate::analysis::drift::{LEVEL, drift as theil_sen};
use crate::analysis::interval::{Interval, median_interval, median_of};
use crate::record::Quantity;
use crate::report::cells::{Cell, nouns, range};
use crate::report::facets::Layout;
use crate::report::model::{DataTable, Figure, Kind, Mark, Panel, Series};
use crate::report::numbers::{count, grouped, list};
use crate::report::palette::LOOKS;
use crate::report::scale::Axis;
use crate::results::beside::Curve;

/// Panels in one figure; what more there would be is in the tables.
const PANELS: usize = 12;

/// Dots that are drawn of a cell at most, and in all of a figure at about most.
const DOTS_OF_A_CELL: usize = 60;
const DOTS: usize = 6_000;

/// Dots of a run in the figure of the drift, and places on its line.
const DRIFT_DOTS: usize = 1_500;
const DRIFT_MARKS: usize = 40;

/// Where the quantile 0.1 stands on an axis of −log₁₀(1 − q).
const TENTH: f64 = 0.045_757_490_560_675_115;

/// Rows of strips in one panel.
const ROWS: usize = 60;

/// A larger part of an axis than this times the smallest value is drawn logarithmic at first.
const LOG_FROM: f64 = 12.0;

/// Figures, and what could not be drawn.
#[derive(Debug, Default)]
pub struct Drawn {
    /// In the order of reading.
    pub figures: Vec<Figure>,
    /// A sentence each.
    pub not_drawn: Vec<String>,
}

/// All figures of an experiment.
#[must_use]
pub fn figures(id: &str, cells: &[Cell<'_>], layout: &Layout, runs: &[String], curves: &[&Curve]) -> Drawn {
    let mut drawn = Drawn::default();
    if cells.iter().all(|cell| cell.values.is_empty()) {
        drawn.not_drawn.push("No figure is drawn: no trial ended well.".to_owned());
        return drawn;
    }
    throughput(id, cells, layout, &mut drawn);
    latency(id, cells, curves, &mut drawn);
    strips(id, cells, &mut drawn);
    costs(id, cells, &mut drawn);
    drift(id, cells, runs, &mut drawn);
    drawn
}

/// The cells that share a picture: those of a facet, and of it only so many series as there are looks.
fn pictures<'a, 'b>(cells: &'b [Cell<'a>]) -> Vec<(String, Vec<&'b [Cell<'a>]>)> {
    let mut pictures = Vec::new();
    for facet in cells.chunk_by(|a, b| a.facet == b.facet) {
        let series: Vec<&[Cell<'a>]> = facet.chunk_by(|a, b| a.series == b.series).collect();
        let parts = series.len().div_ceil(LOOKS);
        for (part, chunk) in series.chunks(series.len().div_ceil(parts)).enumerate() {
            let part = if parts > 1 { format!("{} of {parts}", part + 1) } else { String::new() };
            let title: Vec<&str> =
                [facet[0].facet.as_str(), &part].into_iter().filter(|t| !t.is_empty()).collect();
            pictures.push((title.join(" · "), chunk.to_vec()));
        }
    }
    pictures
}

/// Keeps the first panels, and says what became of the others.
fn limited(what: &str, mut panels: Vec<Panel>, not_drawn: &mut Vec<String>) -> Vec<Panel> {
    if panels.len() > PANELS {
        let titles: Vec<String> = panels[PANELS..].iter().map(|panel| format!("“{}”", panel.title)).collect();
        not_drawn.push(format!(
            "{what}: a figure has at most {PANELS} panels. Left out: {}. Their numbers are in the tables; a report on \
             fewer runs draws them.",
            list(&titles, 8)
        ));
        panels.truncate(PANELS);
    }
    panels
}

/// At most `most` values, evenly spaced by rank, always with the lowest and the highest; the same for the same values.
fn thinned(values: &[f64], most: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.len() <= most {
        return sorted;
    }
    (0..most).map(|i| sorted[i * (sorted.len() - 1) / (most - 1)]).collect()
}

fn dots_of_a_cell(cells: &[Cell<'_>]) -> usize {
    (DOTS / cells.len().max(1)).clamp(5, DOTS_OF_A_CELL)
}

/// What is said where dots were left out.
fn thinning(cells: &[Cell<'_>], most: usize) -> String {
    if cells.iter().all(|cell| cell.values.len() <= most) {
        return String::new();
    }
    format!(
        " Of each cell at most {most} trials are drawn, evenly spaced by rank, with the lowest and the highest."
    )
}

/// Throughput against workers.
fn throughput(id: &str, cells: &[Cell<'_>], layout: &Layout, drawn: &mut Drawn) {
    if cells.iter().all(|cell| cell.x.total_cmp(&cells[0].x).is_eq()) {
        drawn.not_drawn.push(format!(
            "Throughput against {}: all cells have {}. The strips below compare them.",
            layout.x_label(),
            cells[0].x_words
        ));
        return;
    }
    let most = dots_of_a_cell(cells);
    let mut panels = Vec::new();
    for (title, series) in pictures(cells) {
        let series = series.iter().enumerate().map(|(look, cells)| Series {
            name: cells[0].series.clone(),
            look,
            pieces: cells
                .split(|cell| cell.median().is_none())
                .filter(|piece| !piece.is_empty())
                .map(|piece| piece.iter().filter_map(|cell| mark(cell, cell.x, cell.median()?)).collect())
                .collect(),
            dots: cells
                .iter()
                .flat_map(|cell| thinned(&cell.values, most).into_iter().map(|y| (cell.x, y)))
                .collect(),
        });
        panels.push(Panel { title, rows: Vec::new(), series: series.collect() });
    }
    let not_quoted: Vec<String> =
        cells.iter().filter(|cell| cell.groups.is_some()).map(Cell::whole_name).collect();
    let mut caption =
        "Line: median of the trials. Band: its 95% interval, where there are five trials or more. Dots: \
                       trials."
            .to_owned();
    caption += &thinning(cells, most);
    if !not_quoted.is_empty() {
        caption += &format!(
            " No median is drawn where trials fall into two groups far apart: {}.",
            list(&not_quoted, 6)
        );
    }
    drawn.figures.push(Figure {
        id: format!("{id}-throughput"),
        title: format!("Throughput against {}", layout.x_label()),
        caption,
        kind: Kind::Curves,
        x: Axis::of(layout.x_label(), cells.iter().map(|cell| cell.x), 8.0),
        y: Axis::of(
            &format!("{}/s", nouns(cells)),
            cells.iter().flat_map(|cell| cell.values.iter().copied()),
            LOG_FROM,
        ),
        panels: limited("Throughput", panels, &mut drawn.not_drawn),
        table: numbers(cells, &format!("Medians and their intervals, {}/s", nouns(cells))),
    });
}

fn mark(cell: &Cell<'_>, x: f64, y: f64) -> Option<Mark> {
    (x.is_finite() && y.is_finite()).then(|| Mark {
        x,
        y,
        interval: cell.interval.map(|interval| (interval.low, interval.high)),
        says: cell.says(),
    })
}

/// The numbers behind a figure of medians.
fn numbers(cells: &[Cell<'_>], caption: &str) -> DataTable {
    let columns = [
        ("Group", false),
        ("Series", false),
        ("At", false),
        ("n", true),
        ("Median", true),
        ("95% interval", true),
    ];
    let mut table = DataTable::new(caption, &columns);
    table.rows = cells
        .iter()
        .map(|cell| {
            vec![
                cell.facet.clone(),
                cell.series.clone(),
                cell.x_words.clone(),
                cell.values.len().to_string(),
                cell.median().map_or_else(|| "–".to_owned(), grouped),
                cell.interval.map_or_else(|| "–".to_owned(), range),
            ]
        })
        .collect();
    table.without_empty_columns()
}

/// Quantile curves, from the merged histograms of `latency.csv`.
fn latency(id: &str, cells: &[Cell<'_>], curves: &[&Curve], drawn: &mut Drawn) {
    if curves.is_empty() {
        drawn.not_drawn.push(
            "Latency: no latency.csv with these cells lies beside the trials. Percentiles of trials are not averaged into \
             percentiles of a cell."
                .to_owned(),
        );
        return;
    }
    let mut of: HashMap<[&str; 3], Vec<&Curve>> = HashMap::new();
    for curve in curves {
        of.entry([&curve.cell, &curve.client_host, &curve.server_host]).or_default().push(curve);
    }
    let curves_of = |cell: &Cell<'_>| {
        let label = |column| cell.sample.label.get(column).unwrap_or_default();
        of.get(&[label("cell"), label("client_host"), label("server_host")]).cloned().unwrap_or_default()
    };
    let mut table = DataTable::new(
        "Latency in µs",
        &[
            ("Group", false),
            ("Series", false),
            ("At", false),
            ("Run", false),
            ("50%", true),
            ("90%", true),
            ("99%", true),
            ("99.9%", true),
            ("Operations", true),
        ],
    );
    let named = named_by_the_answer(cells);
    let mut panels = Vec::new();
    let mut without = Vec::new();
    for (title, series) in pictures(cells) {
        let mut levels: BTreeMap<u64, String> = BTreeMap::new();
        for cell in series.iter().flat_map(|cells| cells.iter()) {
            levels.insert(cell.x.to_bits(), cell.x_words.clone());
        }
        for (level, words) in &levels {
            let at = |cells: &&[Cell<'_>], look: usize| {
                let cell = cells.iter().find(|cell| cell.x.to_bits() == *level)?;
                let curves = curves_of(cell);
                let pieces = curves
                    .iter()
                    .map(|curve| quantile_marks(cell, curve))
                    .filter(|p| !p.is_empty())
                    .collect();
                Some(Series { name: cell.series.clone(), look, pieces, dots: Vec::new() })
            };
            let here = series.iter().flat_map(|cells| cells.iter()).filter(|cell| cell.x.to_bits() == *level);
            let is_named = here.into_iter().any(|cell| named.iter().any(|named| std::ptr::eq(*named, cell)));
            let series: Vec<Series> = series
                .iter()
                .enumerate()
                .filter_map(|(look, cells)| at(cells, look))
                .filter(|series| !series.pieces.is_empty())
                .collect();
            if !series.is_empty() {
                let title: Vec<&str> =
                    [title.as_str(), words].into_iter().filter(|t| !t.is_empty()).collect();
                panels.push((Panel { title: title.join(" · "), rows: Vec::new(), series }, is_named));
            }
        }
    }
    for cell in cells {
        let curves = curves_of(cell);
        if curves.is_empty() && !cell.values.is_empty() {
            without.push(cell.whole_name());
        }
        for curve in &curves {
            let at = |q: f64| {
                let point = curve.points.iter().find(|point| (point.0 - q).abs() < 1e-9);
                point.map_or_else(|| "–".to_owned(), |point| grouped(point.1))
            };
            let run = if curves.len() > 1 { curve.run_id.clone() } else { String::new() };
            let mut row = vec![cell.facet.clone(), cell.series.clone(), cell.x_words.clone(), run];
            row.extend([
                at(0.5),
                at(0.9),
                at(0.99),
                at(0.999),
                grouped(curve.count as f64).replace(".00", ""),
            ]);
            table.rows.push(row);
        }
    }
    if !without.is_empty() {
        drawn.not_drawn.push(format!("Latency of {}: not known.", list(&without, 6)));
    }
    if panels.is_empty() {
        return;
    }
    let places = panels.iter().flat_map(|(p, _)| &p.series).flat_map(|s| s.pieces.iter().flatten());
    let marks: Vec<(f64, f64)> = places.map(|mark| (mark.x, mark.y)).collect();
    let mut x = Axis::linear("of operations were at least as fast", marks.iter().map(|mark| mark.0));
    x.names = [(TENTH, "10%"), (LOG10_2, "50%"), (1.0, "90%"), (2.0, "99%"), (3.0, "99.9%"), (4.0, "99.99%")]
        .into_iter()
        .filter(|name| (x.linear.0..=x.linear.1).contains(&name.0))
        .map(|(at, name)| (at, name.to_owned()))
        .collect();
    drawn.figures.push(Figure {
        id: format!("{id}-latency"),
        title: "Latency quantiles".to_owned(),
        caption: "How long an operation took, over all operations of all trials of a cell (one merged histogram for each \
                  run): at 99%, one in a hundred took longer. Quantiles with fewer than ten operations beyond them are not \
                  drawn."
            .to_owned(),
        kind: Kind::Curves,
        x,
        y: Axis::of("latency, µs", marks.iter().map(|mark| mark.1), 4.0),
        panels: limited("Latency", spread(panels), &mut drawn.not_drawn),
        table: table.without_empty_columns(),
    });
}

/// Of too many panels those come first that hold what the answer names, and then such as are evenly spaced, the lowest and the
/// highest among them; each with whether it holds that.
fn spread(panels: Vec<(Panel, bool)>) -> Vec<Panel> {
    let n = panels.len();
    if n <= PANELS {
        return panels.into_iter().map(|(panel, _)| panel).collect();
    }
    let mut chosen: Vec<usize> = (0..n).filter(|&index| panels[index].1).take(PANELS).collect();
    let even = |of: usize| (0..of).map(move |i| i * (n - 1) / (of - 1).max(1));
    // The fewer are evenly spaced, the fewer of them are chosen already.
    let missing =
        (0..=PANELS).rev().map(|of| even(of).filter(|index| !chosen.contains(index)).collect::<Vec<_>>());
    let fitting = missing.into_iter().find(|more| chosen.len() + more.len() <= PANELS).unwrap_or_default();
    chosen.extend(fitting);
    let others: Vec<usize> = (0..n).filter(|index| !chosen.contains(index)).collect();
    chosen.extend(others.into_iter().take(PANELS - chosen.len()));
    let (first, rest): (Vec<_>, Vec<_>) =
        panels.into_iter().enumerate().partition(|(index, _)| chosen.contains(index));
    first.into_iter().chain(rest).map(|(_, (panel, _))| panel).collect()
}

/// The cells that the answer names: of each facet the one with the highest median among those that did what was asked for.
fn named_by_the_answer<'a, 'b>(cells: &'b [Cell<'a>]) -> Vec<&'b Cell<'a>> {
    let facets = cells.chunk_by(|a, b| a.facet == b.facet);
    let top = |facet: &'b [Cell<'a>]| {
        let ranked = facet.iter().filter(|cell| cell.comparability().is_none());
        let medians = ranked.filter_map(|cell| Some((cell, cell.median()?)));
        medians.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(cell, _)| cell)
    };
    facets.filter_map(top).collect()
}

fn quantile_marks(cell: &Cell<'_>, curve: &Curve) -> Vec<Mark> {
    let seen = curve
        .points
        .iter()
        .filter(|(q, us)| *q > 0.0 && *q < 1.0 && *us > 0.0 && (1.0 - q) * curve.count as f64 >= 10.0);
    seen.map(|&(q, us)| Mark {
        x: -(1.0 - q).log10(),
        y: us,
        interval: None,
        says: format!(
            "{}: {}% of operations took at most {} µs",
            cell.name(),
            (q * 1e6).round() / 1e4,
            grouped(us)
        ),
    })
    .collect()
}

/// What strips show of a cell.
struct Strip {
    values: Vec<f64>,
    median: Option<f64>,
    interval: Option<Interval>,
    says: String,
}

/// Panels with a row for each cell: what `strip` makes of it.
fn strip_panels<'a, 'b>(
    cells: &'b [Cell<'a>],
    title: &dyn Fn(&str) -> String,
    strip: &dyn Fn(&'b Cell<'a>) -> Strip,
) -> Vec<Panel> {
    let most = dots_of_a_cell(cells);
    let mut looks: HashMap<&str, usize> = HashMap::new();
    let mut panels = Vec::new();
    for facet in cells.chunk_by(|a, b| a.facet == b.facet) {
        for series in facet.chunk_by(|a, b| a.series == b.series) {
            let next = looks.len() % LOOKS;
            looks.entry(&series[0].series).or_insert(next);
        }
        let parts = facet.len().div_ceil(ROWS);
        for rows in facet.chunks(facet.len().div_ceil(parts)) {
            let mut panel = Panel { title: title(&rows[0].facet), rows: Vec::new(), series: Vec::new() };
            for series in rows.chunk_by(|a, b| a.series == b.series) {
                let first = panel.rows.len();
                panel.rows.extend(series.iter().map(|cell| format!("{} · {}", cell.series, cell.x_words)));
                let (mut marks, mut dots) = (Vec::new(), Vec::new());
                for (i, cell) in series.iter().enumerate() {
                    let place = (first + i) as f64;
                    let Strip { values, median, interval, says } = strip(cell);
                    let interval = interval.map(|interval| (interval.low, interval.high));
                    let median = median.filter(|median| median.is_finite());
                    marks.extend(median.map(|x| Mark { x, y: place, interval, says }));
                    dots.extend(thinned(&values, most).into_iter().map(|x| (x, place)));
                }
                let look = looks[series[0].series.as_str()];
                panel.series.push(Series { name: series[0].series.clone(), look, pieces: vec![marks], dots });
            }
            panels.push(panel);
        }
    }
    panels
}

/// How strips are read.
const STRIPS: &str = "A row for each cell. Dots: trials. Mark: median. Bar: its 95% interval, where there are five trials or more.";

/// Every trial.
fn strips(id: &str, cells: &[Cell<'_>], drawn: &mut Drawn) {
    let panels = strip_panels(cells, &str::to_owned, &|cell| Strip {
        values: cell.values.clone(),
        median: cell.median(),
        interval: cell.interval,
        says: cell.says(),
    });
    drawn.figures.push(Figure {
        id: format!("{id}-trials"),
        title: "Every trial".to_owned(),
        caption: format!("{STRIPS}{}", thinning(cells, dots_of_a_cell(cells))),
        kind: Kind::Strips,
        x: Axis::of(
            &format!("{}/s", nouns(cells)),
            cells.iter().flat_map(|cell| cell.values.iter().copied()),
            LOG_FROM,
        ),
        y: Axis::linear("cell", std::iter::empty()),
        panels: limited("Every trial", panels, &mut drawn.not_drawn),
        table: numbers(cells, &format!("The trials in numbers, {}/s", nouns(cells))),
    });
}

/// CPU time of each side for each operation, and in the table what else it costs.
fn costs(id: &str, cells: &[Cell<'_>], drawn: &mut Drawn) {
    let client = [("client", Quantity::ClientCpu)];
    let of_tasks = [("producers", Quantity::ProducerCpu), ("workers", Quantity::WorkerCpu)];
    let is_told = cells.iter().any(|cell| !cell.told(Quantity::WorkerCpu).is_empty());
    let sides: Vec<(&str, Quantity)> = if is_told { of_tasks.to_vec() } else { client.to_vec() }
        .into_iter()
        .chain([("server", Quantity::ServerCpu)])
        .collect();
    let all: Vec<f64> =
        sides.iter().flat_map(|(_, quantity)| cells.iter().flat_map(|cell| cell.told(*quantity))).collect();
    if all.is_empty() {
        return;
    }
    let panels = sides.iter().flat_map(|&(side, quantity)| {
        let title =
            |facet: &str| if facet.is_empty() { side.to_owned() } else { format!("{side} · {facet}") };
        strip_panels(cells, &title, &|cell| {
            let (values, median) = (cell.told(quantity), cell.median_told(quantity));
            let says = median
                .map(|us| format!("{}: {us:.1} µs of CPU time of the {side} per operation", cell.name()));
            Strip { interval: median_interval(&values), values, median, says: says.unwrap_or_default() }
        })
    });
    let names = [("Group", false), ("Series", false), ("At", false)];
    let columns: Vec<_> = names.into_iter().chain(COSTS.iter().map(|cost| (cost.heading, true))).collect();
    let mut table = DataTable::new("Medians per operation, and of the memory of a trial", &columns);
    table.rows = cells
        .iter()
        .map(|cell| {
            let place = [cell.facet.clone(), cell.series.clone(), cell.x_words.clone()];
            place.into_iter().chain(COSTS.iter().map(|cost| cost.said(cell))).collect()
        })
        .collect();
    drawn.figures.push(Figure {
        id: format!("{id}-costs"),
        title: "What an operation costs".to_owned(),
        caption: format!(
            "{STRIPS} CPU time is user and system time.{}",
            thinning(cells, dots_of_a_cell(cells))
        ),
        kind: Kind::Strips,
        x: Axis::of("CPU time per operation, µs", all.into_iter(), LOG_FROM),
        y: Axis::linear("cell", std::iter::empty()),
        panels: limited("What an operation costs", panels.collect(), &mut drawn.not_drawn),
        table: table.without_empty_columns(),
    });
}

/// How a table has a quantity: its heading, by how much it is multiplied, and how many decimals it shows.
struct Shown {
    heading: &'static str,
    quantity: Quantity,
    factor: f64,
    digits: usize,
}

impl Shown {
    const fn new(heading: &'static str, quantity: Quantity, factor: f64, digits: usize) -> Self {
        Self { heading, quantity, factor, digits }
    }

    /// The median of a cell, or a dash.
    fn said(&self, cell: &Cell<'_>) -> String {
        let Self { quantity, factor, digits, .. } = *self;
        cell.median_told(quantity)
            .map_or_else(|| "–".to_owned(), |median| format!("{:.digits$}", median * factor))
    }
}

/// What an operation costs, in the table of the figure.
const COSTS: [Shown; 12] = [
    Shown::new("Client CPU, µs", Quantity::ClientCpu, 1.0, 1),
    Shown::new("Server CPU, µs", Quantity::ServerCpu, 1.0, 1),
    Shown::new("Bytes on the wire", Quantity::NetworkBytes, 1.0, 0),
    Shown::new("Server calls", Quantity::ServerCalls, 1.0, 2),
    Shown::new("Peak memory of the client, MiB", Quantity::ClientMemory, 1.0 / MIB, 1),
    Shown::new("Producer CPU, µs", Quantity::ProducerCpu, 1.0, 1),
    Shown::new("Worker CPU, µs", Quantity::WorkerCpu, 1.0, 1),
    Shown::new("Peak memory of the workers, MiB", Quantity::WorkerMemory, 1.0 / MIB, 1),
    Shown::new("Handed over, tasks/s", Quantity::Enqueued, 1.0, 0),
    Shown::new("Until it began, median, ms", Quantity::StartP50, 1e-3, 2),
    Shown::new("The same, p99, ms", Quantity::StartP99, 1e-3, 2),
    Shown::new("Cold start, s", Quantity::ColdStart, 1.0, 2),
];

/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

/// Throughput against the position in the plan, each trial beside the median of its cell.
fn drift(id: &str, cells: &[Cell<'_>], runs: &[String], drawn: &mut Drawn) {
    let mut of: BTreeMap<u32, Vec<(f64, f64)>> = BTreeMap::new();
    for cell in cells {
        let Some(median) = cell.median() else { continue };
        if cell.values.len() > 1 {
            for trial in cell.sample.trials.iter().filter(|trial| trial.ops_per_s.is_finite()) {
                let deviation = (trial.ops_per_s / median - 1.0) * 100.0;
                of.entry(trial.run).or_default().push((trial.position as f64, deviation));
            }
        }
    }
    let mut table = DataTable::new(
        "Median deviation of the trials of a part of the run",
        &[("Run", false), ("Positions", true), ("Trials", true), ("Median deviation, %", true)],
    );
    let mut panels = Vec::new();
    let mut thinned = false;
    for (run, mut trials) in of {
        trials.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let name = runs.get(run as usize).cloned().unwrap_or_default();
        let size = trials.len().div_ceil(DRIFT_MARKS).max(trials.len().div_ceil(10).min(10)).max(1);
        let marks: Vec<Mark> = trials
            .chunks(size)
            .map(|part| {
                let median = median_of(part.iter().map(|trial| trial.1).collect());
                let (first, last) = (part[0].0, part[part.len() - 1].0);
                table.rows.push(vec![
                    name.clone(),
                    format!("{first}–{last}"),
                    part.len().to_string(),
                    format!("{median:+.2}"),
                ]);
                let says = format!(
                    "positions {first} to {last}: median deviation {median:+.2}% over {}",
                    count(part.len(), "trial")
                );
                Mark { x: f64::midpoint(first, last), y: median, interval: None, says }
            })
            .collect();
        let step = trials.len().div_ceil(DRIFT_DOTS).max(1);
        thinned |= step > 1;
        let dots = trials.iter().step_by(step).copied().collect();
        let series = Series {
            name: "deviation from the median of the cell".to_owned(),
            look: 0,
            pieces: vec![marks],
            dots,
        };
        let series = std::iter::once(series).chain(trend(&trials)).collect();
        panels.push(Panel { title: name, rows: Vec::new(), series });
    }
    if panels.is_empty() {
        drawn.not_drawn.push("Drift: it takes more than one trial of a cell to see one.".to_owned());
        return;
    }
    let dots = || panels.iter().flat_map(|panel| &panel.series[0].dots);
    let mut caption = "Each trial beside the median of its cell, in the order of the plan, medians of parts of the run, and the \
                       straight line of Theil and Sen through all trials. Lines that stay near 0 say that the machine did \
                       not change during the run."
        .to_owned();
    if thinned {
        caption +=
            &format!(" At most {DRIFT_DOTS} trials of a run are drawn, evenly spaced; the lines are of all.");
    }
    drawn.figures.push(Figure {
        id: format!("{id}-drift"),
        title: "Throughput against position".to_owned(),
        caption,
        kind: Kind::Curves,
        x: Axis::linear("position in the plan", dots().map(|dot| dot.0)),
        y: Axis::linear("deviation, %", dots().map(|dot| dot.1).chain([-1.0, 1.0])),
        panels: limited("Drift", panels, &mut drawn.not_drawn),
        table,
    });
}

/// The straight line through positions and deviations in percent, if there are enough for one.
fn trend(trials: &[(f64, f64)]) -> Option<Series> {
    // Beside their cell's median trials lie around 1, and a change is a share of it.
    let ratios: Vec<(f64, f64)> = trials.iter().map(|(x, percent)| (*x, 1.0 + percent / 100.0)).collect();
    let drift = theil_sen(&ratios)?;
    let (first, last) = (trials.first()?.0, trials.last()?.0);
    let percent = |slope: f64| slope * (last - first) * 100.0;
    let says = format!(
        "trend of the whole run: {:+.2}%, {}% interval {:+.2}% to {:+.2}%",
        percent(drift.slope),
        LEVEL * 100.0,
        percent(drift.interval.low),
        percent(drift.interval.high),
    );
    let start = median_of(ratios.iter().map(|(x, ratio)| ratio - drift.slope * x).collect());
    let at =
        |x: f64| Mark { x, y: (start + drift.slope * x - 1.0) * 100.0, interval: None, says: says.clone() };
    let pieces = vec![vec![at(first), at(last)]];
    Some(Series { name: "trend of the whole run".to_owned(), look: 1, pieces, dots: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers of the panels that are drawn of `n`, of which some hold what the answer names.
    fn drawn(n: usize, named: &[usize]) -> Vec<String> {
        let panel = |number: usize| Panel { title: number.to_string(), rows: Vec::new(), series: Vec::new() };
        let panels = (0..n).map(|number| (panel(number), named.contains(&number))).collect();
        let panels = limited("Latency", spread(panels), &mut Vec::new());
        panels.into_iter().map(|panel| panel.title).collect()
    }

    #[test]
    fn what_the_answer_names_is_never_left_out_and_the_others_are_spread_evenly() {
        assert_eq!(drawn(12, &[]).len(), 12);
        assert_eq!(drawn(23, &[]), ["0", "2", "4", "6", "8", "10", "12", "14", "16", "18", "20", "22"]);
        for named in 0..40 {
            let drawn = drawn(40, &[named, 7]);
            assert!(drawn.contains(&named.to_string()) && drawn.contains(&"7".to_owned()), "{drawn:?}");
            assert!(drawn.len() == 12 && drawn.contains(&"39".to_owned()), "{named}: {drawn:?}");
            assert!(drawn.is_sorted_by_key(|title| title.parse::<usize>().unwrap()), "{drawn:?}");
        }
        assert_eq!(drawn(30, &(0..20).collect::<Vec<_>>()).len(), 12);
    }
}
