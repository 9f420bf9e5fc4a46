//! Cells whose operations were due at a rate. All that keep it have the same throughput, so what is worth reporting is how
//! long an operation took and, where the rate varies, the highest rate that a series keeps.

use crate::analysis::groups::two_groups;
use crate::analysis::interval::Interval;
use crate::report::answer::ci;
use crate::report::cells::{Cell, Standing};
use crate::report::facets::Layout;
use crate::report::judge::ratio;
use crate::report::measure::{Measure, Stat};
use crate::report::model::Sentence;
use crate::report::numbers::{grouped, list, times};

/// Whether operations of all these cells were due at some rate.
pub(super) fn is_of<'a, 'b: 'a>(cells: impl IntoIterator<Item = &'a Cell<'b>>) -> bool {
    let mut cells = cells.into_iter().peekable();
    cells.peek().is_some() && cells.all(|cell| cell.rate.is_some())
}

/// The median latencies of the trials of a cell, or why they cannot be compared.
pub(super) fn latency<'c>(cell: &'c Cell<'_>) -> Result<&'c Stat, &'static str> {
    let stat = cell.stat(Measure::LatencyP50).ok_or("has no latency")?;
    if cell.standing() == Standing::Mixed {
        return Err("mixed trials");
    }
    if cell.comparability().is_some() {
        return Err("not like for like");
    }
    if cell.fell_behind() {
        return Err("did not keep the rate");
    }
    if two_groups(&stat.values).is_some() {
        return Err("bimodal, not quoted");
    }
    Ok(stat)
}

/// Whether the intervals separate `lower` from `higher`.
pub(super) const fn is_apart(lower: Option<Interval>, higher: Option<Interval>) -> bool {
    matches!((lower, higher), (Some(a), Some(b)) if a.high < b.low)
}

/// The highest rate that a series keeps, with its cell: no cell at this rate or a lower one fell behind.
pub(super) fn kept<'c, 'a>(series: &[&'c Cell<'a>]) -> Option<&'c Cell<'a>> {
    let mut by_rate = series.to_vec();
    by_rate.sort_by(|a, b| a.rate.unwrap_or_default().total_cmp(&b.rate.unwrap_or_default()));
    let keeps = |cell: &&&Cell<'_>| !cell.values.is_empty() && !cell.fell_behind();
    by_rate.iter().take_while(keeps).last().copied()
}

/// What cells of an open loop show.
pub(super) fn sentences(cells: &[&Cell<'_>], layout: &Layout) -> Vec<Sentence> {
    let measured: Vec<&Cell<'_>> = cells.iter().copied().filter(|cell| !cell.values.is_empty()).collect();
    if measured.is_empty() {
        return vec![Sentence::new("Nothing can be said:", "no trial ended well.")];
    }
    if layout.x == "rate" { rates(&measured) } else { latencies(&measured) }
}

/// Who keeps which rate.
fn rates(cells: &[&Cell<'_>]) -> Vec<Sentence> {
    let noun = cells[0].noun();
    let series: Vec<&[&Cell<'_>]> = cells.chunk_by(|a, b| a.series == b.series).collect();
    let mut known: Vec<&Cell<'_>> = series.iter().filter_map(|series| kept(series)).collect();
    known.sort_by(|a, b| b.rate.unwrap_or_default().total_cmp(&a.rate.unwrap_or_default()));
    let Some(best) = known.first().and_then(|cell| cell.rate) else {
        return vec![Sentence::new("No rate was kept:", "every cell fell behind at the lowest one.")];
    };
    let (first, rest): (Vec<&Cell<'_>>, Vec<&Cell<'_>>) =
        known.iter().copied().partition(|cell| cell.rate.is_some_and(|rate| rate >= best));
    let names: Vec<String> = first.iter().map(|cell| cell.series.clone()).collect();
    let keeps = if names.len() == 1 { "keeps" } else { "keep" };
    let highest = cells.iter().filter_map(|cell| cell.rate).fold(0.0, f64::max);
    let edge =
        if best >= highest { " This is the highest that was asked for: they may keep more." } else { "" };
    let mut said = vec![Sentence::new(
        format!("{} {keeps} the highest rate: {} {noun}/s.", list(&names, 4), grouped(best)),
        edge.trim_start(),
    )];
    if let Some(next) = rest.first().and_then(|cell| cell.rate) {
        let of = rest.iter().filter(|cell| cell.rate.is_some_and(|rate| rate >= next));
        let names: Vec<String> = of.map(|cell| cell.series.clone()).collect();
        let verb = if names.len() == 1 { "keeps" } else { "keep" };
        said.push(Sentence::plain(format!("Next, {} {verb} {} {noun}/s.", list(&names, 4), grouped(next))));
    }
    if let Some(lowest) = latencies(&first).into_iter().next() {
        said.push(Sentence::plain(format!("At the highest rate kept: {}", lowest.text())));
    }
    said
}

/// Who has the lowest latency.
fn latencies(cells: &[&Cell<'_>]) -> Vec<Sentence> {
    let mut left_out = Vec::new();
    let mut known: Vec<(&Cell<'_>, &Stat)> = Vec::new();
    for cell in cells {
        match latency(cell) {
            Ok(stat) => known.push((cell, stat)),
            Err(why) => left_out.push(format!("{} ({why})", cell.name())),
        }
    }
    known.sort_by(|a, b| a.1.median.total_cmp(&b.1.median));
    let mut said = match known.as_slice() {
        [] => vec![Sentence::new(
            "Nothing is called the fastest:",
            "no cell has a latency that can be compared.",
        )],
        [(lowest, stat), others @ ..] => {
            let interval = stat.interval.map(|interval| format!("({})", ci(interval))).unwrap_or_default();
            let (name, median) = (lowest.name(), format!("{} µs", grouped(stat.median)));
            let tied: Vec<String> = others
                .iter()
                .filter(|(_, other)| !is_apart(stat.interval, other.interval))
                .map(|(other, _)| other.name())
                .collect();
            match (others, tied.as_slice()) {
                ([], _) => vec![
                    Sentence::new(format!("{name} has a median latency of {median}"), format!("{interval}.")),
                    Sentence::plain("There is no other cell to compare it with."),
                ],
                ([(next, next_stat), ..], []) => {
                    let mut said = vec![Sentence::new(
                        format!("{name} has the lowest median latency at this rate: {median}"),
                        format!("{interval}."),
                    )];
                    said.extend(next_lowest(next, next_stat, stat));
                    said
                }
                _ => vec![
                    Sentence::new(
                        format!("No single lowest latency at this rate. {name} has the lowest: {median}"),
                        format!("{interval}."),
                    ),
                    Sentence::plain(format!(
                        "Not separated from it, as intervals overlap: {}.",
                        list(&tied, 6)
                    )),
                ],
            }
        }
    };
    if !left_out.is_empty() {
        said.push(Sentence::plain(format!("Left out: {}.", list(&left_out, 6))));
    }
    said
}

fn next_lowest(next: &Cell<'_>, of: &Stat, lowest: &Stat) -> Option<Sentence> {
    let medians = (of.median, lowest.median);
    let (factor, interval) = ratio(&of.values, &lowest.values, medians, (of.interval, lowest.interval));
    let said = times(factor);
    let interval = interval.map(|ends| {
        format!(" (95% confidence interval of the ratio {} to {})", times(ends.low), times(ends.high))
    });
    (said != "1.00").then(|| {
        Sentence::plain(format!(
            "The next, {}, takes {said} times as long{}.",
            next.name(),
            interval.unwrap_or_default()
        ))
    })
}
