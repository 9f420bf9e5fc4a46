//! The answer in a sentence, given only when the intervals support one.

use crate::analysis::doubt::{Doubt, Doubted};
use crate::analysis::interval::MIN_TRIALS;
use crate::analysis::metric::Metric;
use crate::record::Quantity;
use crate::report::against::against;
use crate::report::cells::{Cell, Standing, nouns, range};
use crate::report::facets::Layout;
use crate::report::model::{Answer, DataTable};
use crate::report::numbers::{grouped, list};
use crate::report::open_loop;

/// Sentences about so many groups of cells; more are left to the table.
const FINDINGS: usize = 12;

/// What keeps a cell with trials from being ranked.
const UNRANKED: [Standing; 3] = [Standing::Bimodal, Standing::TooFewTrials, Standing::Mixed];

/// What the cells of an experiment say. The fastest is looked for within a facet; where facets differ in one setting, what
/// that does is told as well.
#[must_use]
pub fn answer(cells: &[Cell<'_>], layout: &Layout) -> Answer {
    let facets: Vec<&[Cell<'_>]> = cells.chunk_by(|a, b| a.facet == b.facet).collect();
    let mut findings: Vec<String> =
        facets.iter().take(FINDINGS).map(|facet| finding(facet, facets.len() > 1)).collect();
    if facets.len() > FINDINGS {
        findings.push(format!("{} more groups of cells are in the table.", facets.len() - FINDINGS));
    }
    if facets.is_empty() {
        findings.push("There is nothing to answer with: no trial was found.".to_owned());
    }
    let (mut rule, mut beside) = (rule(cells.len()), None);
    if let Some((said, table)) = against(cells, layout) {
        findings.extend(said);
        rule += " Cells of different pictures are compared as `orchestrate compare` does: the test of Mann and Whitney, \
                 corrected by Holm for all cells of the picture, and an interval of the ratio that does not hold 1.";
        beside = Some(table);
    }
    Answer { findings, peaks: peaks(&facets), latencies: open_loop::table(cells), beside, rule }
}

fn rule(cells: usize) -> String {
    format!(
        "A cell is called faster only where the lower end of its interval lies above the upper ends of those of all \
         others. Each interval is one of 95% for the median of its own cell, so of {cells} intervals about {} may miss; \
         that two do not overlap is a stricter demand than a test of their difference at 5%, and no further correction \
         for the number of cells is made. Cells with fewer than {MIN_TRIALS} trials have no interval, and cells whose \
         trials fall into two groups far apart are never quoted.",
        (cells as f64 * 0.05).ceil()
    )
}

fn finding(cells: &[Cell<'_>], several: bool) -> String {
    let mut sentence = among_comparable(cells);
    let empty: Vec<String> =
        cells.iter().filter(|cell| cell.standing() == Standing::NothingMeasured).map(Cell::name).collect();
    if !empty.is_empty() && empty.len() < cells.len() {
        sentence += &format!(" Left out, because no trial of it ended well: {}.", list(&empty, 6));
    }
    sentence += &disturbed(cells);
    if several && !cells[0].facet.is_empty() { format!("{}: {sentence}", cells[0].facet) } else { sentence }
}

/// The sentence about the cells that did what was asked for, and who else was measured. A client that does something else is
/// not ranked with them.
fn among_comparable(cells: &[Cell<'_>]) -> String {
    let names = |cells: &[Cell<'_>]| {
        let mut names: Vec<String> = cells.iter().map(|cell| cell.series.clone()).collect();
        names.dedup();
        list(&names, 6)
    };
    let (comparable, differing): (Vec<Cell<'_>>, Vec<Cell<'_>>) =
        cells.iter().cloned().partition(|cell| cell.comparability().is_none());
    if differing.is_empty() {
        return sentence(cells);
    }
    let why = "the notes below the table say what (`differs`)";
    if comparable.iter().all(|cell| cell.standing() == Standing::NothingMeasured) {
        return format!(
            "no cell that did exactly what was asked for has a result, so none is called the fastest. Measured were {}, which \
             do something else: {why}.",
            names(&differing)
        );
    }
    format!(
        "{} Not ranked with these, because they do something other than what was asked for: {}; {why}.",
        sentence(&comparable),
        names(&differing)
    )
}

fn sentence(cells: &[Cell<'_>]) -> String {
    let with_trials: Vec<&Cell<'_>> = cells.iter().filter(|cell| !cell.values.is_empty()).collect();
    if with_trials.is_empty() {
        return "no trial ended well, so nothing can be said.".to_owned();
    }
    if let Some(said) = open_loop::sentence(&with_trials) {
        return said;
    }
    let quotable = with_trials.iter().copied().filter(|cell| cell.median().is_some());
    let highest =
        quotable.max_by(|a, b| a.median().partial_cmp(&b.median()).unwrap_or(std::cmp::Ordering::Equal));
    let Some(top) = highest else {
        return "the trials of every cell fall into two groups far apart: nothing here is to be quoted. Choose a placement \
                and repeat."
            .to_owned();
    };
    let (median, noun) = (top.median().map(grouped).unwrap_or_default(), top.noun());
    if with_trials.len() == 1 {
        let interval = top.interval.map(|i| format!(" (95% interval {})", range(i))).unwrap_or_default();
        return format!(
            "{}: median {median} {noun}/s{interval}. There is no other cell to compare it with.{}",
            top.name(),
            unranked(&with_trials, &[Standing::Mixed])
        );
    }
    if top.values.len() == 1 {
        return format!(
            "a single trial of a cell does not tell how far it scatters, so no cell is called the fastest. The highest is that \
             of {}, {median} {noun}/s.{}",
            top.name(),
            unranked(&with_trials, &[Standing::Bimodal, Standing::Mixed])
        );
    }
    let Some(interval) = top.interval else {
        let rest = with_trials.iter().filter(|cell| cell.sample != top.sample).flat_map(|cell| &cell.values);
        let others = rest.copied().fold(0.0, f64::max);
        let worst = top.throughput.map_or(0.0, |t| t.worst);
        let seen = if worst > others {
            "Every trial of it lies above every trial of all others in this run"
        } else {
            "Its trials overlap with those of others"
        };
        return format!(
            "{} trials are too few for an interval, so no cell is called the fastest. The highest median is that of {}, \
             {median} {noun}/s. {seen}.{}",
            top.values.len(),
            top.name(),
            unranked(&with_trials, &[Standing::Bimodal, Standing::Mixed])
        );
    };
    let others: Vec<&Cell<'_>> =
        with_trials.iter().copied().filter(|cell| cell.sample != top.sample).collect();
    if top.standing() == Standing::Mixed {
        return format!(
            "the highest median is that of {}, but its trials differ in {}: no cell is called the fastest.{}",
            top.name(),
            list(&top.sample.mixed.iter().map(|column| (*column).to_owned()).collect::<Vec<_>>(), 4),
            unranked(&others, &UNRANKED)
        );
    }
    let doubted = Doubted::of(&top.sample.trials, Metric::OpsPerS);
    if doubted.is_void() {
        return format!(
            "the highest median is that of {}, {median} {noun}/s, but in {} of its {} trials two clocks disagree about the \
             elapsed time: no cell is called the fastest.{}",
            top.name(),
            doubted.void,
            doubted.n,
            unranked(&others, &UNRANKED)
        );
    }
    let ahead_of = |cell: &Cell<'_>| match (cell.standing(), cell.interval) {
        (Standing::Quotable, Some(other)) => interval.low > other.high,
        _ => cell.values.len() >= MIN_TRIALS && cell.values.iter().all(|value| *value < interval.low),
    };
    // A factor that rounds to 1 says nothing that "fastest" does not say.
    let behind = |cells: &[&Cell<'_>], than: &str| {
        let ends = cells.iter().map(|cell| match (cell.standing(), cell.interval) {
            (Standing::Quotable, Some(interval)) => interval.high,
            _ => cell.values.iter().copied().fold(0.0, f64::max),
        });
        let factor = interval.low / ends.fold(0.0, f64::max);
        let factor = (factor * 100.0).floor() / 100.0;
        if factor > 1.0 { format!(", at least {factor:.2} times as fast as {than}") } else { String::new() }
    };
    let in_the_way = others.iter().copied().filter(|cell| !ahead_of(cell));
    let (rivals, left_out): (Vec<&Cell<'_>>, Vec<&Cell<'_>>) =
        in_the_way.partition(|cell| cell.standing() == Standing::Quotable);
    let says = format!("median {median} {noun}/s, 95% interval {}", range(interval));
    if !left_out.is_empty() {
        let names: Vec<String> = rivals.iter().map(|cell| cell.name()).collect();
        let close = match rivals.len() {
            0 => String::new(),
            _ => format!("; {} cannot be told apart from it", list(&names, 5)),
        };
        return format!(
            "no single fastest. Of the cells that can be compared, the highest median is that of {} ({says}){close}.{}",
            top.name(),
            unranked(&left_out, &UNRANKED)
        );
    }
    if rivals.is_empty() {
        return format!(
            "{} is the fastest of {} cells: {says}{}.",
            top.name(),
            with_trials.len(),
            behind(&others, "any other")
        );
    }
    let words: Vec<String> = rivals.iter().map(|cell| cell.x_words.clone()).collect();
    if rivals.iter().all(|cell| cell.series == top.series) {
        let foreign: Vec<&Cell<'_>> =
            others.iter().copied().filter(|cell| cell.series != top.series).collect();
        let lead = if foreign.is_empty() { String::new() } else { behind(&foreign, "anything else") };
        return format!(
            "{} is the fastest: highest with {} ({says}){lead}. With {} it is not told apart from that.",
            top.series,
            top.x_words,
            list(&words, 6)
        );
    }
    let names: Vec<String> = rivals.iter().map(|cell| cell.name()).collect();
    format!(
        "no single fastest. The highest median is that of {} ({says}); {} cannot be told apart from it.",
        top.name(),
        list(&names, 5)
    )
}

/// Cells of which so many trials were disturbed that an answer must not be read without it.
fn disturbed(cells: &[Cell<'_>]) -> String {
    let told = |cell: &Cell<'_>| {
        let doubted = Doubted::of(&cell.sample.trials, Metric::OpsPerS);
        let doubts = doubted.by_doubt.iter().map(|(doubt, _)| *doubt).filter(|doubt| doubt.disturbs());
        let words: Vec<&str> = doubts.map(Doubt::word).collect();
        let (disturbed, n) = (doubted.disturbed, doubted.n);
        let say = || format!("{disturbed} of {n} trials of {} ({})", cell.name(), words.join(", "));
        doubted.is_disturbed().then(say)
    };
    match cells.iter().filter_map(told).collect::<Vec<String>>().as_slice() {
        [] => String::new(),
        told => format!(" Warning: disturbed were {}.", list(told, 4)),
    }
}

/// Which of these cells have one of these standings, and what that means: they are neither behind the others nor level with
/// them.
fn unranked(cells: &[&Cell<'_>], standings: &[Standing]) -> String {
    let sentence = |standing: &Standing| {
        let of = cells.iter().filter(|cell| cell.standing() == *standing);
        let names: Vec<String> = of.map(|cell| cell.name()).collect();
        let (one, many) = match standing {
            Standing::Bimodal => (
                "is not quoted: its trials fall into two groups far apart",
                "are not quoted: the trials of each fall into two groups far apart",
            ),
            Standing::TooFewTrials => {
                ("has too few trials for an interval", "have too few trials for an interval")
            }
            Standing::Mixed => (
                "is not ranked: its trials ran with different software, machines or CPUs",
                "are not ranked: the trials of each ran with different software, machines or CPUs",
            ),
            Standing::NothingMeasured | Standing::Quotable => return String::new(),
        };
        match names.len() {
            0 => String::new(),
            1 => format!(" {} {one}.", names[0]),
            _ => format!(" {} {many}.", list(&names, 5)),
        }
    };
    standings.iter().map(sentence).collect()
}

/// Where each series is highest, if the horizontal axis varies. Every series has a row, also one of which nothing is quoted.
fn peaks(facets: &[&[Cell<'_>]]) -> Option<DataTable> {
    let heading = format!("Median, {}/s", nouns(facets.iter().copied().flatten()));
    let place = [("Group", false), ("Series", false), ("Highest with", false)];
    let height = [(heading.as_str(), true), ("95% interval", true)];
    let others = [("Each costs", false), ("Not told apart", false), ("Left out", false)];
    let columns: Vec<_> = place.into_iter().chain(height).chain(others).collect();
    let mut table = DataTable::new(
        "Where each is highest, what that costs, and what its intervals do not tell apart from it",
        &columns,
    );
    // At a rate none is higher than another.
    let closed = || facets.iter().filter(|facet| !open_loop::is_of(facet.iter()));
    let all = || closed().flat_map(|facet| facet.chunk_by(|a, b| a.series == b.series));
    let varies = all().any(|series| series.len() > 1);
    table.rows.extend(all().map(peak));
    varies.then(|| table.without_empty_columns())
}

/// What an operation costs, as far as the trials tell: CPU time of client and server together, calls and bytes.
pub(super) fn price(cell: &Cell<'_>) -> String {
    let cpu = cell.median_told(Quantity::ClientCpu).zip(cell.median_told(Quantity::ServerCpu));
    let told = [
        cpu.map(|(client, server)| format!("{} µs CPU", grouped(client + server))),
        cell.median_told(Quantity::ServerCalls).map(|calls| format!("{calls:.1} calls")),
        cell.median_told(Quantity::NetworkBytes).map(|bytes| format!("{} bytes", grouped(bytes.round()))),
    ];
    told.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// The row of one series.
fn peak(series: &[Cell<'_>]) -> Vec<String> {
    let none = || "–".to_owned();
    let quotable: Vec<&Cell<'_>> = series.iter().filter(|cell| cell.median().is_some()).collect();
    let top = quotable
        .iter()
        .max_by(|a, b| a.median().partial_cmp(&b.median()).unwrap_or(std::cmp::Ordering::Equal));
    // Neither those that are not quoted nor those whose trials may not belong together are held against the highest.
    let is_left_out = |cell: &&Cell<'_>| {
        let is_top = top.is_some_and(|top| std::ptr::eq(*top, *cell));
        cell.median().is_none() || cell.standing() == Standing::Mixed && !is_top
    };
    let left_out: Vec<String> = series
        .iter()
        .filter(is_left_out)
        .filter_map(|cell| Some(format!("{} ({})", cell.x, cell.standing().reason()?)))
        .collect();
    let left_out = list(&left_out, 4);
    let Some(top) = top else {
        // Of place, median, interval and what is not told apart; nothing is said of a price.
        let [facet, name] = [series[0].facet.clone(), series[0].series.clone()];
        return vec![facet, name, none(), none(), none(), String::new(), none(), left_out];
    };
    let close: Vec<String> = quotable
        .iter()
        .filter(|cell| !is_left_out(cell))
        .filter(|cell| cell.x.total_cmp(&top.x).is_ne())
        .filter(|cell| !matches!((top.interval, cell.interval), (Some(a), Some(b)) if a.low > b.high))
        .map(|cell| match cell.standing().reason() {
            None => cell.x.to_string(),
            Some(reason) => format!("{} ({reason})", cell.x),
        })
        .collect();
    let is_edge = |ends: fn(f64, f64) -> f64| {
        series.iter().map(|cell| cell.x).reduce(ends).is_some_and(|end| end.total_cmp(&top.x).is_eq())
    };
    let is_void = Doubted::of(&top.sample.trials, Metric::OpsPerS).is_void();
    let close = match top.standing() {
        _ if is_void => "not judged: its clocks disagree".to_owned(),
        _ if quotable.len() == 1 => "nothing to compare it with".to_owned(),
        standing @ (Standing::TooFewTrials | Standing::Mixed) => {
            standing.reason().unwrap_or_default().to_owned()
        }
        _ if !close.is_empty() => list(&close, 8),
        _ if is_edge(f64::min) || is_edge(f64::max) => {
            "nothing, but it is at the edge of the range: the peak may lie beyond".to_owned()
        }
        _ => "nothing: a clear peak".to_owned(),
    };
    let height = [top.median().map_or_else(none, grouped), top.interval.map_or_else(none, range)];
    let place = [top.facet.clone(), top.series.clone(), top.x_words.clone()];
    place.into_iter().chain(height).chain([price(top), close, left_out]).collect()
}
