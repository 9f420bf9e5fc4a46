//! What is folded away: quantiles of latency, what an operation costs, what clients do differently, whether the machine
//! changed during the run. Decides what to show; draws nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::f64::consts::LOG10_2;

use rayon::prelude::*;

use crate::analysis::drift::{LEVEL, drift as theil_sen};
use crate::analysis::interval::median_of;
use crate::record::Quantity;
use crate::report::cells::{Cell, Standing};
use crate::report::judge::highest;
use crate::report::looks::{By, Looks};
use crate::report::model::{DataTable, Figure, Kind, Mark, Panel, Series};
use crate::report::numbers::{count, grouped};
use crate::report::open_loop;
use crate::report::palette::{GREY, INK};
use crate::report::scale::Axis;
use crate::results::sidecar_files::Curve;

/// Dots for a run in the figure of the drift, and places on its line.
const DRIFT_DOTS: usize = 1_500;
const DRIFT_MARKS: usize = 40;

/// Panels in one figure.
const PANELS: usize = 12;

/// Where the quantile 0.1 stands on an axis of −log₁₀(1 − q).
const TENTH: f64 = 0.045_757_490_560_675_115;

/// What each client does differently from what was asked for, in the words of its driver.
#[must_use]
pub fn differs(cells: &[Cell<'_>]) -> Option<DataTable> {
    let mut table = DataTable::new(
        "In the words of their drivers",
        &[("Series", false), ("What it does differently", false)],
    );
    for cell in cells {
        let row = cell.comparability().map(|words| vec![cell.series.clone(), words.to_owned()]);
        table.rows.extend(row.filter(|row| !table.rows.contains(row)));
    }
    (!table.rows.is_empty()).then_some(table)
}

/// Quantile curves of the best cell of each series, from the merged histograms of `latency.csv`: a picture for each group.
#[must_use]
pub fn latency(id: &str, cells: &[Cell<'_>], curves: &[&Curve], looks: &Looks) -> Option<Figure> {
    let mut of: HashMap<[&str; 3], Vec<&Curve>> = HashMap::new();
    for curve in curves {
        of.entry([&curve.cell, &curve.client_host, &curve.server_host]).or_default().push(curve);
    }
    let curves_of = |cell: &Cell<'_>| {
        let label = |column| cell.sample.label.get(column).unwrap_or_default();
        of.get(&[label("cell"), label("client_host"), label("server_host")]).cloned().unwrap_or_default()
    };
    let mut panels = Vec::new();
    for facet in cells.chunk_by(|a, b| a.facet == b.facet).take(PANELS) {
        let mut series: Vec<Series> = Vec::new();
        for best in best_of_series(facet, looks) {
            let pieces: Vec<Vec<Mark>> = curves_of(best)
                .iter()
                .map(|curve| quantile_marks(best, curve))
                .filter(|piece| !piece.is_empty())
                .collect();
            if !pieces.is_empty() {
                let (name, look) = (best.name(), looks.look(&best.series));
                series.push(Series { name, look, hollow: false, is_named: true, pieces, dots: Vec::new() });
            }
        }
        if !series.is_empty() {
            panels.push(Panel { title: facet[0].facet.clone(), rows: Vec::new(), series });
        }
    }
    let places = panels.iter().flat_map(|panel| &panel.series).flat_map(|s| s.pieces.iter().flatten());
    let marks: Vec<(f64, f64)> = places.map(|mark| (mark.x, mark.y)).collect();
    if marks.is_empty() {
        return None;
    }
    let mut x = Axis::linear("percentile", marks.iter().map(|mark| mark.0));
    x.names = [(TENTH, "10"), (LOG10_2, "50"), (1.0, "90"), (2.0, "99"), (3.0, "99.9"), (4.0, "99.99")]
        .into_iter()
        .filter(|name| (x.ends.0..=x.ends.1).contains(&name.0))
        .map(|(at, name)| (at, name.to_owned()))
        .collect();
    let y = Axis::of("µs", marks.iter().map(|mark| mark.1));
    Some(Figure {
        id: format!("{id}-latency"),
        title: "Percentiles of latency".to_owned(),
        unit: format!("µs, {}", y.words()),
        caption: "Of each series, or of the best of each colour, the cell with the highest median throughput, over all operations of all \
                  its trials (one merged histogram for each run). The axis stretches the slow end. Percentiles with fewer than ten operations beyond \
                  them are not drawn."
            .to_owned(),
        kind: Kind::Curves,
        x,
        y,
        reference: None,
        panels,
    })
}

/// The best cell of each series; where several series share a look, only the best of these.
fn best_of_series<'c, 'a>(facet: &'c [Cell<'a>], looks: &Looks) -> Vec<&'c Cell<'a>> {
    let mut chosen: Vec<&Cell<'_>> = facet
        .chunk_by(|a, b| a.series == b.series)
        .filter_map(|own| {
            let is_open = open_loop::is_of(own);
            if is_open { own.last() } else { highest(own.iter()).or_else(|| own.first()) }
        })
        .collect();
    if looks.by != By::Series {
        let median = |cell: &Cell<'_>| cell.median().unwrap_or(0.0);
        chosen.sort_by(|a, b| median(b).total_cmp(&median(a)));
        let mut seen = HashSet::new();
        chosen.retain(|cell| looks.look(&cell.series) != GREY && seen.insert(looks.look(&cell.series)));
    }
    chosen
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
        says: format!("{}: percentile {} is {} µs", cell.name(), (q * 1e6).round() / 1e4, grouped(us)),
        name: String::new(),
    })
    .collect()
}

/// What an operation costs, and how a task-queue library handles its tasks. As in the ranking, nothing is quoted of a cell
/// whose trials fall into two groups.
#[must_use]
pub fn costs(cells: &[Cell<'_>]) -> Option<DataTable> {
    let names = [("Group", false), ("Series", false), ("At", false)];
    let columns: Vec<_> = names.into_iter().chain(COSTS.iter().map(|cost| (cost.heading, true))).collect();
    let not_quoted = cells.iter().any(|cell| cell.standing() == Standing::Bimodal);
    let behind = if not_quoted {
        "; dashes: not quoted, since the trials fall into two groups, or not known"
    } else {
        ""
    };
    let caption = format!("Medians per operation, and of the memory of a trial{behind}");
    let mut table = DataTable::new(&caption, &columns);
    table.rows = cells
        .iter()
        .map(|cell| {
            let place = [cell.facet.clone(), cell.series.clone(), cell.x_words.clone()];
            place.into_iter().chain(COSTS.iter().map(|cost| cost.said(cell))).collect()
        })
        .collect();
    let table = table.without_empty_columns();
    table.columns.iter().any(|column| column.1).then_some(table)
}

/// How a table shows a quantity: its heading, the factor it is multiplied by, and the number of decimals.
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
    Shown::new("Time to start, median, ms", Quantity::StartP50, 1e-3, 2),
    Shown::new("Time to start, p99, ms", Quantity::StartP99, 1e-3, 2),
    Shown::new("Cold start, s", Quantity::ColdStart, 1.0, 2),
];

/// Bytes of a mebibyte.
const MIB: f64 = 1_048_576.0;

/// Throughput against the position in the plan, each trial beside the median of its cell: a picture for each run.
#[must_use]
pub fn drift(id: &str, cells: &[Cell<'_>], runs: &[String]) -> Option<Figure> {
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
    let mut panels = Vec::new();
    let mut thinned = false;
    for (run, mut trials) in of.into_iter().take(PANELS) {
        trials.par_sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let size = trials.len().div_ceil(DRIFT_MARKS).max(trials.len().div_ceil(10).min(10)).max(1);
        let part = |part: &[(f64, f64)]| {
            let median = median_of(part.iter().map(|trial| trial.1).collect());
            let (first, last) = (part[0].0, part[part.len() - 1].0);
            let says = format!(
                "positions {first} to {last}: median deviation {median:+.2}% over {}",
                count(part.len(), "trial")
            );
            Mark { x: f64::midpoint(first, last), y: median, interval: None, says, name: String::new() }
        };
        let marks: Vec<Mark> = trials.chunks(size).map(part).collect();
        let step = trials.len().div_ceil(DRIFT_DOTS).max(1);
        thinned |= step > 1;
        let medians = Series {
            name: "medians of parts of the run".to_owned(),
            look: 0,
            hollow: false,
            is_named: false,
            pieces: vec![marks],
            dots: trials.iter().step_by(step).copied().collect(),
        };
        let series = std::iter::once(medians).chain(trend(&trials)).collect();
        let title = runs.get(run as usize).cloned().unwrap_or_default();
        panels.push(Panel { title, rows: Vec::new(), series });
    }
    if panels.is_empty() {
        return None;
    }
    let dots = || panels.iter().flat_map(|panel| &panel.series[0].dots);
    let mut caption = "Each trial relative to the median of its cell, in the order of the plan, medians of parts of the run, and \
                       the Theil–Sen line through all trials. Lines that stay near 0 say that the machine did \
                       not change during the run."
        .to_owned();
    if thinned {
        caption +=
            &format!(" At most {DRIFT_DOTS} trials of a run are drawn, evenly spaced; the lines are of all.");
    }
    let mut y = Axis::linear("%", dots().map(|dot| dot.1).chain([-1.0, 1.0]));
    y.suffix = "%";
    Some(Figure {
        id: format!("{id}-drift"),
        title: "Throughput against position".to_owned(),
        unit: "deviation from the median of the cell".to_owned(),
        caption,
        kind: Kind::Curves,
        x: Axis::linear("position in the plan", dots().map(|dot| dot.0)),
        y,
        reference: Some(0.0),
        panels,
    })
}

/// The straight line through positions and deviations in percent, if there are enough for one.
fn trend(trials: &[(f64, f64)]) -> Option<Series> {
    // Relative to their cell's median, trials lie around 1, and a change is a share of that.
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
    let at = |x: f64, says: String| Mark {
        x,
        y: (start + drift.slope * x - 1.0) * 100.0,
        interval: None,
        says,
        name: String::new(),
    };
    // It is said at one end, for both.
    let pieces = vec![vec![at(first, says), at(last, String::new())]];
    Some(Series {
        name: "trend of the whole run".to_owned(),
        look: INK,
        hollow: false,
        is_named: false,
        pieces,
        dots: Vec::new(),
    })
}
