//! The series of a group of cells, best first, with what is not separated under one heading.

use crate::analysis::doubt::Doubted;
use crate::analysis::interval::Interval;
use crate::analysis::metric::Metric;
use crate::report::answer::{finding, range_or_none};
use crate::report::cells::{Cell, Standing, range};
use crate::report::facets::Layout;
use crate::report::glance::{dots_of_a_cell, thinned};
use crate::report::judge::{highest, ratio, tied_with};
use crate::report::looks::Looks;
use crate::report::measure::Measure;
use crate::report::model::{Group, Lane, RankRow, Ranking, Sentence};
use crate::report::numbers::{counted, grouped, list};
use crate::report::open_loop;
use crate::report::scale::Axis;

/// The measures that have a column.
const COLUMNS: [Measure; 5] =
    [Measure::LatencyP50, Measure::LatencyP99, Measure::ClientCpu, Measure::ServerCpu, Measure::Memory];

/// Shown in place of a missing number.
const NONE: &str = "–";

/// What a group is ranked by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The highest throughput.
    Throughput,
    /// The lowest median latency, since all have the same throughput.
    Latency,
    /// The highest rate that is kept, and then the lowest latency there.
    Rate,
}

/// A ranking for each group of cells that can be compared.
#[must_use]
pub fn rankings(cells: &[Cell<'_>], layout: &Layout, looks: &Looks) -> Vec<Ranking> {
    let facets: Vec<&[Cell<'_>]> = cells.chunk_by(|a, b| a.facet == b.facet).collect();
    let several = facets.len() > 1;
    facets.iter().map(|facet| ranking(facet, layout, looks, several, cells.len())).collect()
}

/// A series with the cell that it is ranked by.
struct Entry<'c, 'a> {
    series: &'c [Cell<'a>],
    best: &'c Cell<'a>,
    /// The larger the better.
    value: f64,
    interval: Option<Interval>,
    /// The highest value that any interval of the series reaches.
    reach: Option<f64>,
    /// From the lowest trial to the highest, with signs such that larger is better.
    trials: (f64, f64),
}

fn ranking(facet: &[Cell<'_>], layout: &Layout, looks: &Looks, several: bool, all: usize) -> Ranking {
    let by = match (open_loop::is_of(facet), layout.x) {
        (true, "rate") => By::Rate,
        (true, _) => By::Latency,
        _ => By::Throughput,
    };
    let series: Vec<&[Cell<'_>]> = facet.chunk_by(|a, b| a.series == b.series).collect();
    let (mut ranked, mut left_out, mut differing) = (Vec::new(), Vec::new(), Vec::new());
    for series in series {
        let best = best(series, by);
        match best {
            _ if series.iter().any(|cell| cell.comparability().is_some()) => differing.push((series, best)),
            Some(best) if best.standing() != Standing::Mixed => ranked.push(entry(series, best, by)),
            best => left_out.push((series, best)),
        }
    }
    ranked.sort_by(|a, b| b.value.total_cmp(&a.value));
    let painter = Painter {
        layout,
        looks,
        by,
        first: ranked.first().map(|entry| entry.best),
        all,
        about: about(facet),
    };
    let mut groups = groups(&ranked, by, &painter);
    let rows = |series: Vec<(&[Cell<'_>], Option<&Cell<'_>>)>| -> Vec<RankRow> {
        let mut series = series;
        let value = |best: Option<&Cell<'_>>| best.and_then(Cell::median).unwrap_or(0.0);
        series.sort_by(|a, b| value(b.1).total_cmp(&value(a.1)));
        series.into_iter().map(|(series, best)| painter.row(series, best, String::new())).collect()
    };
    if !differing.is_empty() {
        let heading = "Not ranked: not like for like".to_owned();
        groups.push(Group { heading, rows: rows(differing) });
    }
    if !left_out.is_empty() {
        let heading = "Not ranked: see their warnings".to_owned();
        groups.push(Group { heading, rows: rows(left_out) });
    }
    let finding = if several {
        finding(facet, layout).iter().map(Sentence::text).collect::<Vec<_>>().join(" ")
    } else {
        String::new()
    };
    Ranking {
        title: facet[0].facet.clone(),
        finding,
        caption: caption(by, layout, facet),
        result: result(by, facet),
        at: if layout.has_x() { layout.x_label().to_owned() } else { String::new() },
        axis: axis(facet, by),
        groups,
    }
}

/// The cell that a series is ranked by.
fn best<'c, 'a>(series: &'c [Cell<'a>], by: By) -> Option<&'c Cell<'a>> {
    let all: Vec<&Cell<'_>> = series.iter().collect();
    match by {
        By::Throughput => highest(series.iter()),
        By::Rate => open_loop::kept(&all).filter(|cell| cell.stat(Measure::LatencyP50).is_some()),
        By::Latency => {
            let told = series.iter().filter_map(|cell| Some((open_loop::latency(cell).ok()?.median, cell)));
            told.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, cell)| cell)
        }
    }
}

fn entry<'c, 'a>(series: &'c [Cell<'a>], best: &'c Cell<'a>, by: By) -> Entry<'c, 'a> {
    let measure = measure(by);
    let stat = best.stat(measure);
    let ends = |values: &[f64]| {
        values.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)))
    };
    let (low, high) = stat.map_or((0.0, 0.0), |stat| ends(&stat.values));
    let median = stat.map_or(0.0, |stat| stat.median);
    // Of two that keep the same rate, the one with the lower latency is better.
    let rate = if by == By::Rate { best.rate.unwrap_or_default() * 1e12 } else { 0.0 };
    match by {
        By::Throughput => {
            let quoted = series.iter().filter(|cell| cell.standing() == Standing::Quotable);
            let reach = quoted.filter_map(|cell| Some(cell.interval?.high)).reduce(f64::max);
            Entry { series, best, value: median, interval: best.interval, reach, trials: (low, high) }
        }
        _ => {
            let turned = |ends: Interval| Interval { low: rate - ends.high, high: rate - ends.low };
            let interval = stat.and_then(|stat| stat.interval).map(turned);
            let reach = interval.map(|ends| ends.high);
            Entry { series, best, value: rate - median, interval, reach, trials: (rate - high, rate - low) }
        }
    }
}

const fn measure(by: By) -> Measure {
    match by {
        By::Throughput => Measure::Throughput,
        By::Latency | By::Rate => Measure::LatencyP50,
    }
}

/// Cuts the ranked series into groups: each holds the series that reach into the interval of its first.
fn groups(ranked: &[Entry<'_, '_>], by: By, painter: &Painter<'_, '_>) -> Vec<Group> {
    let (mut groups, mut from) = (Vec::new(), 0);
    while from < ranked.len() {
        let first = &ranked[from];
        let is_level = |other: &&Entry<'_, '_>| match (first.interval, other.reach) {
            (Some(own), Some(reach)) => reach >= own.low,
            _ => other.trials.1 >= first.trials.0,
        };
        let size = 1 + ranked[from + 1..].iter().take_while(is_level).count();
        let to = from + size;
        let (place, heading) = if ranked.len() == 1 {
            // A series without competitors has no place.
            (String::new(), String::new())
        } else if size == 1 {
            ((from + 1).to_string(), String::new())
        } else {
            let has_intervals = ranked[from..to].iter().all(|entry| entry.interval.is_some());
            let why = match (has_intervals, by) {
                (false, _) => "their trials overlap; with so few, gaps may be chance too",
                (true, By::Throughput) => "not separated, as their 95% confidence intervals overlap",
                (true, _) => "not separated, as the 95% confidence intervals of their latencies overlap",
            };
            let and = if size == 2 { "and" } else { "to" };
            (format!("{}–{to}", from + 1), format!("Places {} {and} {to}: {why}", from + 1))
        };
        let rows = ranked[from..to].iter();
        let rows = rows.map(|entry| painter.row(entry.series, Some(entry.best), place.clone())).collect();
        groups.push(Group { heading, rows });
        from = to;
    }
    groups
}

/// What rows of a ranking have in common.
struct Painter<'p, 'a> {
    layout: &'p Layout,
    looks: &'p Looks,
    by: By,
    /// What ratios are relative to.
    first: Option<&'p Cell<'a>>,
    /// Cells of the whole experiment.
    all: usize,
    /// Whichever column, library or runtime, distinguishes the series better.
    about: &'static str,
}

impl Painter<'_, '_> {
    fn row(&self, series: &[Cell<'_>], best: Option<&Cell<'_>>, place: String) -> RankRow {
        let is_best = |cell: &Cell<'_>| best.is_some_and(|best| std::ptr::eq(best, cell));
        // Two places on the axis are both shown; of more, only the best.
        let two = self.layout.x_levels.len() == 2 && self.by == By::Throughput;
        let mut lanes: Vec<Lane> = if two {
            series.iter().map(|cell| self.lane(cell, series, is_best(cell))).collect()
        } else {
            let shown = best.or_else(|| series.first());
            shown.into_iter().map(|cell| self.lane(cell, series, true)).collect()
        };
        if lanes.iter().all(|lane| !lane.is_best)
            && let Some(last) = lanes.last_mut()
        {
            last.is_best = true;
        }
        let about = series[0].sample.label.get(self.about).unwrap_or_default();
        RankRow {
            place,
            name: series[0].series.clone(),
            about: about.to_owned(),
            look: self.looks.look(&series[0].series),
            lanes,
        }
    }

    fn lane(&self, cell: &Cell<'_>, series: &[Cell<'_>], is_best: bool) -> Lane {
        let measure = measure(self.by);
        let stat = cell.quoted(measure);
        let interval = stat.and_then(|stat| stat.interval);
        let none = || NONE.to_owned();
        let (ratio, ratio_interval) = self.ratio(cell).unwrap_or_else(|| (none(), String::new()));
        let number = |measure: Measure| cell.quoted(measure).map(|stat| stat.median);
        let mut keys = vec![stat.map(|stat| stat.median)];
        keys.extend(COLUMNS.map(number));
        let dots = cell.stat(measure).map(|stat| thinned(&stat.values, dots_of_a_cell(self.all)));
        let mut warnings: Vec<String> = merged(cell);
        if self.by != By::Throughput
            && let Err(why) = open_loop::latency(cell)
            && !warnings.iter().any(|warning| warning.starts_with(why))
        {
            warnings.insert(0, why.to_owned());
        }
        Lane {
            at: if self.layout.has_x() { at(cell) } else { String::new() },
            tied: if is_best { self.tied(cell, series) } else { String::new() },
            is_best,
            median: stat.map_or_else(none, |stat| grouped(stat.median)),
            interval: interval.map_or_else(String::new, range),
            ratio,
            ratio_interval,
            measures: COLUMNS.map(|measure| number(measure).map_or_else(none, grouped)).to_vec(),
            keys,
            dots: dots.unwrap_or_default(),
            mark: stat.map(|stat| (stat.median, interval.map(|ends| (ends.low, ends.high)))),
            warnings,
        }
    }

    /// The share of the first, and its interval.
    fn ratio(&self, cell: &Cell<'_>) -> Option<(String, String)> {
        let first = self.first?;
        let (own, of) = (cell.quoted(measure(self.by))?, first.stat(measure(self.by))?);
        if std::ptr::eq(first, cell) {
            return Some(("1".to_owned(), String::new()));
        }
        let (share, interval) =
            ratio(&own.values, &of.values, (own.median, of.median), (own.interval, of.interval));
        let said = |share: f64| format!("{share:.2}");
        let interval =
            interval.map(|ends| format!("{}–{}", said(ends.low), said(ends.high))).unwrap_or_default();
        Some((said(share), interval))
    }

    /// The places where the series is equally high, or that it may be higher beyond the measured range.
    fn tied(&self, top: &Cell<'_>, series: &[Cell<'_>]) -> String {
        let is_quoted = top.median().is_some() && series.len() > 1;
        if self.by == By::Throughput
            && is_quoted
            && Doubted::of(&top.sample.trials, Metric::OpsPerS).is_void()
        {
            return "not judged: its clocks disagree".to_owned();
        }
        if self.by != By::Throughput || self.layout.x_levels.len() < 3 || !is_quoted {
            return String::new();
        }
        let all: Vec<&Cell<'_>> = series.iter().collect();
        let mut tied: Vec<f64> = tied_with(top, &all).iter().map(|cell| cell.x).collect();
        tied.sort_by(f64::total_cmp);
        let levels: Vec<f64> = series.iter().map(|cell| cell.x).collect();
        let is_edge = [levels.first(), levels.last()].contains(&Some(&top.x));
        match tied.as_slice() {
            [] if is_edge => "at the edge of the range".to_owned(),
            [] => String::new(),
            [one] => format!("overlaps: {one}"),
            [low, .., high] => {
                // A range includes the highest place itself, and every place in between.
                let within = levels.iter().filter(|level| (*low..=*high).contains(*level));
                let is_whole =
                    within.clone().count() == tied.len() + usize::from((*low..=*high).contains(&top.x));
                if is_whole {
                    format!("overlaps: {low} to {high}")
                } else {
                    format!(
                        "overlaps: {}",
                        list(&tied.iter().map(ToString::to_string).collect::<Vec<_>>(), 4)
                    )
                }
            }
        }
    }
}

/// Whichever column, library or runtime, distinguishes the series better.
fn about(facet: &[Cell<'_>]) -> &'static str {
    let levels = |column: &str| {
        facet.iter().map(|cell| cell.sample.label.get(column)).collect::<std::collections::HashSet<_>>().len()
    };
    if levels("client") > levels("client_runtime") { "client" } else { "client_runtime" }
}

/// The warnings of a cell, with those about the two CPUs combined.
fn merged(cell: &Cell<'_>) -> Vec<String> {
    let mut warnings: Vec<String> = cell.warnings().iter().map(super::model::Warning::text).collect();
    if warnings.iter().any(|w| w == "client CPU saturated")
        && warnings.iter().any(|w| w == "server CPU saturated")
    {
        let at = warnings.iter().position(|w| w == "client CPU saturated").unwrap_or_default();
        "both CPUs saturated".clone_into(&mut warnings[at]);
        warnings.retain(|w| w != "server CPU saturated");
    }
    warnings
}

/// The place on the axis, and the number of workers actually used where that differs.
#[must_use]
pub fn at(cell: &Cell<'_>) -> String {
    let label = |column| cell.sample.label.get(column);
    let number = cell.x.to_string();
    match (label("workers_asked"), label("workers")) {
        (Some(asked), Some(used)) if asked != used && asked == number => format!("{asked} → {used}"),
        _ => number,
    }
}

fn result(by: By, facet: &[Cell<'_>]) -> String {
    match by {
        By::Throughput => format!("median, {}/s", crate::report::cells::nouns(facet)),
        By::Latency => "median latency, µs".to_owned(),
        By::Rate => "median latency at that rate, µs".to_owned(),
    }
}

fn caption(by: By, layout: &Layout, facet: &[Cell<'_>]) -> String {
    let series = facet.chunk_by(|a, b| a.series == b.series).count();
    let what = match (by, layout.x_levels.len()) {
        (By::Throughput, 0 | 1) => "Sorted by the median.".to_owned(),
        (By::Throughput, 2) => {
            let x = |at: usize| layout.x_words(layout.x_levels[at]);
            format!("Sorted by the higher of the two medians, in bold. Hollow: {}; filled: {}.", x(0), x(1))
        }
        (By::Throughput, _) => {
            format!("Each at the {} where its median is highest.", singular(layout.x_label()))
        }
        (By::Latency, _) => "Sorted by the lowest median latency: the throughput was prescribed.".to_owned(),
        (By::Rate, _) => {
            "Each at the highest rate that it keeps, and sorted by that; latencies are those at that rate."
                .to_owned()
        }
    };
    format!(
        "{}: {what} Dot: median; bar: its 95% confidence interval; small dots: trials. A group holds those whose interval \
         overlaps that of its first. CPU and memory are medians of the trials, latencies medians of their percentiles.",
        counted(series, "series", "series")
    )
}

fn singular(label: &str) -> String {
    if label == "workers" { "number of workers".to_owned() } else { label.to_owned() }
}

fn axis(facet: &[Cell<'_>], by: By) -> Axis {
    let stats = facet.iter().filter_map(|cell| cell.stat(measure(by)));
    Axis::of("", stats.flat_map(|stat| stat.values.iter().copied()))
}

/// For a table of one column: median and interval.
#[must_use]
pub fn said(interval: Option<Interval>) -> String {
    range_or_none(interval)
}
