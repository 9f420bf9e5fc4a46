//! What a reader sees at a glance: a picture for each measure, as curves where the horizontal axis has three places or more,
//! as strips otherwise. Decides what to show; draws nothing.

use std::collections::HashMap;

use crate::record::Quantity;
use crate::report::cells::{Cell, Standing, nouns};
use crate::report::facet_contrast::FacetContrast;
use crate::report::facets::Layout;
use crate::report::judge::highest;
use crate::report::looks::{By, Looks, kin};
use crate::report::measure::Measure;
use crate::report::model::{Figure, Glance, Kind, Mark, Panel, Series};
use crate::report::numbers::list;
use crate::report::open_loop;
use crate::report::palette::GREY;
use crate::report::scale::Axis;

/// Panels in one figure; anything beyond that is in the tables.
const PANELS: usize = 12;

/// The most dots that are drawn for one cell, and roughly the most in a whole figure.
const DOTS_OF_A_CELL: usize = 40;
const DOTS: usize = 3_000;

/// Up to this many series have a row each; with more, a row holds all series that run on the same runtime.
const ROWS: usize = 20;

/// Up to this many groups of cells are drawn with several measures side by side.
const SEVERAL: usize = 4;

/// Whether the cells are drawn as lines: the horizontal axis has three places or more, and some series has as many.
#[must_use]
pub fn is_lines(cells: &[Cell<'_>], layout: &Layout) -> bool {
    let longest = cells.chunk_by(|a, b| (&a.facet, &a.series) == (&b.facet, &b.series)).map(<[_]>::len).max();
    layout.x_levels.len() > 2 && longest.is_some_and(|cells| cells > 2)
}

/// All pictures of an experiment.
#[must_use]
pub fn glance(
    id: &str,
    cells: &[Cell<'_>],
    layout: &Layout,
    looks: &Looks,
    contrast: Option<&FacetContrast>,
) -> Glance {
    let mut glance = Glance::default();
    if cells.iter().all(|cell| cell.values.is_empty()) {
        glance.not_drawn.push("No picture is drawn: no trial ended well.".to_owned());
        return glance;
    }
    let lines = is_lines(cells, layout);
    let facets: Vec<&[Cell<'_>]> = cells.chunk_by(|a, b| a.facet == b.facet).collect();
    let draw = |measure: Measure, facets: &[&[Cell<'_>]]| {
        let painter = Painter { id, measure, layout, looks, cells };
        if lines { painter.lines(facets) } else { painter.strips(facets) }
    };
    let (open, closed): (Vec<&[Cell<'_>]>, Vec<&[Cell<'_>]>) =
        facets.iter().copied().partition(|facet| open_loop::is_of(facet.iter()));
    let mut add = |measure: Measure, facets: &[&[Cell<'_>]], is_first: bool| {
        let chosen = limited(facets, measure, &mut glance.not_drawn);
        if let Some(figure) = draw(measure, &chosen) {
            if is_first { glance.figures.push(figure) } else { glance.more.push(figure) }
        }
    };
    for measure in Measure::ALL {
        match (measure, facets.len()) {
            // Where operations were due at a rate, the throughput is that rate.
            (Measure::Throughput, _) if closed.is_empty() => {}
            (Measure::Throughput, _) => add(measure, &closed, true),
            (_, 1) => add(measure, &facets, true),
            (Measure::LatencyP99 | Measure::ClientCpu, 2..=SEVERAL) => add(measure, &facets, true),
            (Measure::LatencyP50, _) if !open.is_empty() && facets.len() > SEVERAL => {
                add(measure, &open, true);
                add(measure, &closed, false);
            }
            _ => add(measure, &facets, false),
        }
    }
    // Two figures of one measure need two names.
    for figure in &mut glance.more {
        if glance.figures.iter().any(|known| known.id == figure.id) {
            figure.id += "-closed";
        }
    }
    if cells.iter().all(|cell| cell.stat(Measure::LatencyP50).is_none()) {
        glance.not_drawn.push("Latency is not drawn: no trial reports it.".to_owned());
    }
    glance.ratios = contrast.and_then(|contrast| contrast.figure(id, cells, looks));
    glance.key = key(cells, layout, looks, lines);
    glance.hint = hint(cells, layout, looks, lines);
    glance
}

/// The key, for pictures in which names do not stand next to what they name.
fn key(cells: &[Cell<'_>], layout: &Layout, looks: &Looks, lines: bool) -> Vec<crate::report::model::Key> {
    let has_rows = !lines && looks.by == By::Series;
    let is_one = cells.iter().all(|cell| cell.series == cells[0].series);
    if is_one || has_rows && layout.x_levels.len() < 2 { Vec::new() } else { looks.key.clone() }
}

fn hint(cells: &[Cell<'_>], layout: &Layout, looks: &Looks, lines: bool) -> String {
    let mut hint = if lines {
        let scale = Axis::of_levels(layout.x_label(), &layout.x_levels).words();
        let scale = if scale == "log scale" { " (log scale)" } else { "" };
        format!(
            "All against {}{scale}. Line: median of the trials; band: its 95% confidence interval.",
            layout.x_label()
        )
    } else {
        let levels: Vec<String> = layout.x_levels.iter().map(|x| layout.x_words(*x)).collect();
        let lanes = match levels.as_slice() {
            [first, second] => format!(" Hollow: {first}; filled: {second}."),
            _ => String::new(),
        };
        format!("Mark: median of the trials; bar: its 95% confidence interval.{lanes}")
    };
    if cells.iter().any(|cell| cell.values.len() > 1) {
        hint += &dots_said(cells, lines).map(|said| format!(" Small dots: {said}.")).unwrap_or_default();
    }
    match looks.by {
        By::Series => {}
        By::Kin => {
            hint += " Colours are what the clients run on, since there are too many series for one each.";
        }
        By::Highest => hint += " The eight highest are coloured.",
    }
    if !lines && rows_are_kin(cells) {
        hint += " A mark is one series; the best of each row has its name.";
    }
    hint
}

/// What small dots are. In lines, those of a cell that is not quoted are hollow; in strips, hollow marks are the first of two
/// places, so such a cell is recognized by its missing mark.
fn dots_said(cells: &[Cell<'_>], lines: bool) -> Option<&'static str> {
    let all_quoted = cells.iter().all(|cell| cell.standing() != Standing::Bimodal);
    match (lines, all_quoted) {
        (false, true) if rows_are_kin(cells) => None,
        (false, false) if rows_are_kin(cells) => Some("trials of a cell that is not quoted and has no mark"),
        (_, true) => Some("trials"),
        (true, false) => Some("trials, hollow where a cell is not quoted"),
        (false, false) => Some("trials; a cell without a mark is not quoted"),
    }
}

/// Whether a row holds several series.
fn rows_are_kin(cells: &[Cell<'_>]) -> bool {
    let mut series: Vec<&str> = cells.iter().map(|cell| cell.series.as_str()).collect();
    series.sort_unstable();
    series.dedup();
    series.len() > ROWS
}

/// If there are too many groups, the one with the highest cell and the first of the others; says what became of the rest.
fn limited<'c, 'a>(
    facets: &[&'c [Cell<'a>]],
    measure: Measure,
    not_drawn: &mut Vec<String>,
) -> Vec<&'c [Cell<'a>]> {
    if facets.len() <= PANELS {
        return facets.to_vec();
    }
    let top = highest(facets.iter().copied().flatten()).map(|cell| cell.facet.clone());
    let is_top = |facet: &&&[Cell<'_>]| Some(&facet[0].facet) == top.as_ref();
    let winner = facets.iter().find(is_top).copied();
    let others = facets.iter().filter(|facet| !is_top(facet)).copied();
    let chosen: Vec<&[Cell<'_>]> = winner.into_iter().chain(others).take(PANELS).collect();
    let is_out = |facet: &&&[Cell<'_>]| chosen.iter().all(|chosen| chosen[0].facet != facet[0].facet);
    let titles: Vec<String> =
        facets.iter().filter(is_out).map(|facet| format!("“{}”", facet[0].facet)).collect();
    let what = format!("{}: a figure has at most {PANELS} panels.", measure.title());
    not_drawn.push(format!("{what} Left out: {}. Their numbers are in the tables.", list(&titles, 8)));
    chosen
}

/// At most `most` values, evenly spaced by rank, always including the lowest and the highest. Deterministic.
#[must_use]
pub fn thinned(values: &[f64], most: usize) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.len() <= most {
        return sorted;
    }
    (0..most).map(|i| sorted[i * (sorted.len() - 1) / (most - 1)]).collect()
}

/// How many dots a cell gets.
#[must_use]
pub fn dots_of_a_cell(cells: usize) -> usize {
    (DOTS / cells.max(1)).clamp(3, DOTS_OF_A_CELL)
}

/// What the pictures of a measure have in common.
struct Painter<'p> {
    id: &'p str,
    measure: Measure,
    layout: &'p Layout,
    looks: &'p Looks,
    /// All cells of the experiment: what is drawn together must look alike.
    cells: &'p [Cell<'p>],
}

impl Painter<'_> {
    fn axis(&self, facets: &[&[Cell<'_>]]) -> Option<Axis> {
        let stats = facets.iter().copied().flatten().filter_map(|cell| cell.stat(self.measure));
        let values: Vec<f64> = stats.flat_map(|stat| stat.values.iter().copied()).collect();
        if values.is_empty() {
            return None;
        }
        let unit = self.measure.unit(nouns(facets.iter().copied().flatten()));
        Some(match self.measure {
            Measure::Memory => Axis::from_zero(&unit, values.into_iter()),
            _ => Axis::of(&unit, values.into_iter()),
        })
    }

    fn mark(&self, cell: &Cell<'_>, at: impl Fn(f64) -> (f64, f64)) -> Option<Mark> {
        let stat = cell.quoted(self.measure)?;
        let (x, y) = at(stat.median);
        Some(Mark {
            x,
            y,
            interval: stat.interval.map(|interval| (interval.low, interval.high)),
            says: cell.says(self.measure),
            name: String::new(),
        })
    }

    fn dots(&self, cell: &Cell<'_>) -> Vec<f64> {
        let values = cell.stat(self.measure).map(|stat| stat.values.as_slice()).unwrap_or_default();
        if values.len() < 2 && cell.median().is_some() {
            // The mark already is the trial.
            return Vec::new();
        }
        thinned(values, dots_of_a_cell(self.cells.len()))
    }

    fn figure(&self, kind: Kind, x: Axis, y: Axis, panels: Vec<Panel>) -> Figure {
        let value = if kind == Kind::Curves { &y } else { &x };
        let behind = facets_not_quoted(self.cells);
        let thinned = self.cells.iter().any(|cell| cell.values.len() > dots_of_a_cell(self.cells.len()));
        let how = match kind {
            Kind::Curves => "Line: median of the trials; band: its 95% confidence interval",
            Kind::Strips => "Mark: median of the trials; bar: its 95% confidence interval",
        };
        let small = dots_said(self.cells, kind == Kind::Curves);
        let small = small.map(|said| format!("; small dots: {said}")).unwrap_or_default();
        let lanes = match self.layout.x_levels.as_slice() {
            [first, second] if kind == Kind::Strips => {
                format!(" Hollow: {}; filled: {}.", self.layout.x_words(*first), self.layout.x_words(*second))
            }
            _ => String::new(),
        };
        let dots = if thinned {
            format!(
                " At most {} trials of a cell are drawn, evenly spaced by rank, with the lowest and the highest.",
                dots_of_a_cell(self.cells.len())
            )
        } else {
            String::new()
        };
        Figure {
            id: format!("{}-{}", self.id, self.measure.id()),
            title: self.title(),
            unit: format!("{}, {}", value.label, value.words()),
            caption: format!("{how}{small}.{lanes}{dots}{behind}"),
            kind,
            x,
            y,
            reference: None,
            panels,
        }
    }

    fn title(&self) -> String {
        let mut trials = self.cells.iter().flat_map(|cell| &cell.sample.trials);
        let is_of_workers = self.measure == Measure::Memory
            && trials.any(|trial| trial.quantities.get(Quantity::WorkerMemory).is_some());
        if is_of_workers { "Peak memory of the workers".to_owned() } else { self.measure.title().to_owned() }
    }

    /// A line for each series.
    fn lines(&self, facets: &[&[Cell<'_>]]) -> Option<Figure> {
        let y = self.axis(facets)?;
        let mut panels = Vec::new();
        for facet in facets {
            let mut series: Vec<Series> = Vec::new();
            for cells in facet.chunk_by(|a, b| a.series == b.series) {
                let look = self.looks.look(&cells[0].series);
                let is_gap = |cell: &Cell<'_>| cell.quoted(self.measure).is_none();
                let pieces: Vec<Vec<Mark>> = cells
                    .split(is_gap)
                    .filter(|piece| !piece.is_empty())
                    .map(|piece| piece.iter().filter_map(|cell| self.mark(cell, |y| (cell.x, y))).collect())
                    .map(|piece| if look == GREY { plain(piece) } else { piece })
                    .collect();
                let dots = |is_quoted: bool| -> Vec<(f64, f64)> {
                    let of = cells.iter().filter(|cell| (cell.standing() != Standing::Bimodal) == is_quoted);
                    of.flat_map(|cell| self.dots(cell).into_iter().map(|y| (cell.x, y))).collect()
                };
                let hollow = dots(false);
                if !hollow.is_empty() {
                    series.push(Series {
                        name: cells[0].series.clone(),
                        look,
                        hollow: true,
                        is_named: false,
                        pieces: Vec::new(),
                        dots: hollow,
                    });
                }
                series.push(Series {
                    name: cells[0].series.clone(),
                    look,
                    hollow: false,
                    is_named: look != GREY,
                    pieces,
                    dots: if look == GREY { Vec::new() } else { dots(true) },
                });
            }
            // Grey lines are drawn first, so that they never cover coloured ones.
            series.sort_by_key(|series| series.look != GREY);
            panels.push(Panel { title: facet[0].facet.clone(), rows: Vec::new(), series });
        }
        let x = Axis::of_levels(self.layout.x_label(), &self.layout.x_levels);
        Some(self.figure(Kind::Curves, x, y, panels))
    }

    /// A row for each series, or for all that run on the same runtime; a lane for each of two places on the horizontal axis.
    fn strips(&self, facets: &[&[Cell<'_>]]) -> Option<Figure> {
        let x = self.axis(facets)?;
        let is_kin = rows_are_kin(self.cells);
        let row_of = |cell: &Cell<'_>| if is_kin { kin(cell) } else { cell.series.clone() };
        let order = best_first(self.cells, &row_of);
        let is_lanes = self.layout.x_levels.len() == 2;
        let mut panels = Vec::new();
        for facet in facets {
            let mut rows: Vec<String> = facet.iter().map(row_of).collect();
            rows.sort_by_key(|row| order.get(row).copied());
            rows.dedup();
            let best = if is_kin { self.best_of_rows(facet, &row_of) } else { HashMap::new() };
            let mut series: Vec<Series> = Vec::new();
            for cells in facet.chunk_by(|a, b| a.series == b.series) {
                for cell in cells {
                    let row = rows.iter().position(|row| *row == row_of(cell)).unwrap_or_default() as f64;
                    let is_first = is_lanes && cell.x.total_cmp(&self.layout.x_levels[0]).is_eq();
                    // In rows that hold several series, the upper part is for a name.
                    let lane = match (is_lanes, is_first, is_kin) {
                        (false, _, false) => 0.0,
                        (true, true, false) => -0.2,
                        (true, false, false) => 0.2,
                        (false, _, true) => 0.15,
                        (true, true, true) => 0.04,
                        (true, false, true) => 0.3,
                    };
                    let mut mark = self.mark(cell, |x| (x, row + lane));
                    if let Some(mark) = &mut mark
                        && best.get(&row_of(cell)).is_some_and(|best| std::ptr::eq(*best, cell))
                    {
                        mark.name.clone_from(&cell.series);
                    }
                    series.push(Series {
                        name: cell.name(),
                        look: self.looks.look(&cell.series),
                        hollow: is_first,
                        is_named: false,
                        pieces: vec![mark.into_iter().collect()],
                        // A row with many series would be hidden behind all their trials.
                        dots: if is_kin && cell.median().is_some() {
                            Vec::new()
                        } else {
                            self.dots(cell).into_iter().map(|x| (x, row + lane)).collect()
                        },
                    });
                }
            }
            panels.push(Panel { title: facet[0].facet.clone(), rows, series });
        }
        let y = Axis::linear("", std::iter::empty());
        Some(self.figure(Kind::Strips, x, y, panels))
    }

    /// The best cell of each row, at the last place on the horizontal axis.
    fn best_of_rows<'c, 'a>(
        &self,
        facet: &'c [Cell<'a>],
        row_of: &dyn Fn(&Cell<'_>) -> String,
    ) -> HashMap<String, &'c Cell<'a>> {
        let mut best: HashMap<String, (f64, &Cell<'_>)> = HashMap::new();
        let last = self.layout.x_levels.last().copied().unwrap_or_default();
        for cell in facet.iter().filter(|cell| !self.layout.has_x() || cell.x.total_cmp(&last).is_eq()) {
            let Some(stat) = cell.quoted(self.measure) else { continue };
            let value = if self.measure == Measure::Throughput { stat.median } else { -stat.median };
            let entry = best.entry(row_of(cell)).or_insert((value, cell));
            if value > entry.0 {
                *entry = (value, cell);
            }
        }
        best.into_iter().map(|(row, (_, cell))| (row, cell)).collect()
    }
}

/// Marks that are only part of a line: grey ones are there for comparison, and their numbers are in the tables.
fn plain(piece: Vec<Mark>) -> Vec<Mark> {
    piece.into_iter().map(|mark| Mark { interval: None, says: String::new(), ..mark }).collect()
}

/// The position of each row: by the highest throughput, or by the lowest latency where nothing else differs.
fn best_first(cells: &[Cell<'_>], row_of: &dyn Fn(&Cell<'_>) -> String) -> HashMap<String, usize> {
    let mut best: Vec<(String, f64)> = Vec::new();
    let is_open = open_loop::is_of(cells);
    for cell in cells {
        let value = if is_open {
            cell.stat(Measure::LatencyP50).map_or(f64::NEG_INFINITY, |stat| -stat.median)
        } else {
            cell.median().filter(|_| cell.rate.is_none()).unwrap_or(0.0)
        };
        let row = row_of(cell);
        match best.iter_mut().find(|(known, _)| *known == row) {
            Some((_, known)) => *known = known.max(value),
            None => best.push((row, value)),
        }
    }
    best.sort_by(|a, b| b.1.total_cmp(&a.1));
    best.into_iter().enumerate().map(|(place, (row, _))| (row, place)).collect()
}

/// What a caption says about cells that are not quoted.
fn facets_not_quoted(cells: &[Cell<'_>]) -> String {
    let names: Vec<String> =
        cells.iter().filter(|cell| cell.groups.is_some()).map(Cell::whole_name).collect();
    if names.is_empty() {
        return String::new();
    }
    format!(" Without a median, since their trials fall into two groups far apart: {}.", list(&names, 6))
}
