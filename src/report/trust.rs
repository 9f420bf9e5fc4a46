//! How far the numbers can be trusted: what speaks against them, the most serious first, and no more than a reader takes in.

use std::collections::BTreeMap;

use rayon::prelude::*;

use crate::analysis::blocks::{Blocks, blocks};
use crate::analysis::interval::{MIN_TRIALS, median_of};
use crate::analysis::samples::Trial;
use crate::record::Flag;
use crate::report::answer::misses;
use crate::report::cells::{Cell, Standing};
use crate::report::judge::{Finding, highest, judge};
use crate::report::model::{Figure, Kind, Mark, Panel, Sentence, Series, Trust};
use crate::report::numbers::{count, counted, list};
use crate::report::open_loop;
use crate::report::palette::WARNING;
use crate::report::scale::Axis;
use crate::report::words::said;

/// The most points that a reader takes in.
const POINTS: usize = 5;

/// The most trials that are drawn in the order of the run.
const DOTS: usize = 1_200;

/// The most blocks that are named, and the most that get a bar.
const NAMES: usize = 12;
const BARS: usize = 100;

/// Beyond this deviation, in percent, dots are drawn at the edge.
const MOST_PERCENT: f64 = 60.0;

/// What speaks against the numbers of these cells.
#[must_use]
pub fn trust(id: &str, cells: &[Cell<'_>], beforehand: Vec<Sentence>, first_block: Option<String>) -> Trust {
    let placed = placed(cells);
    let disturbance = disturbance(cells);
    let mut points = beforehand;
    points.extend(few(cells));
    points.extend(disturbance.as_ref().map(|blocks| disturbed_blocks(blocks, cells)));
    if disturbance.is_none() {
        points
            .extend(first_block.map(|said| Sentence::new("The first block was not like the others:", said)));
    }
    points.extend(of_the_winner(cells));
    points.extend(failed(cells));
    points.extend(not_like_for_like(cells));
    points.extend(disturbed_trials(cells));
    points.extend(not_quoted(cells));
    points.extend(queueing(cells));
    let intervals = cells.iter().filter(|cell| cell.interval.is_some()).count();
    let looked_at = (intervals > 1).then(|| misses(intervals));
    let otherwise = if points.is_empty() {
        let mut text =
            "Nothing speaks against these numbers: no warning, no failed attempt, no disturbed block."
                .to_owned();
        text += &looked_at.map(|said| format!(" {said}")).unwrap_or_default();
        text
    } else {
        points.truncate(POINTS - usize::from(looked_at.is_some()));
        points.extend(looked_at.map(Sentence::plain));
        String::new()
    };
    Trust { points, otherwise, order: order(id, &placed, disturbance.as_ref()) }
}

/// A trial relative to the median of its own cell. The values it is ordered by are copied: there may be a million of them.
struct Placed {
    run: u32,
    position: u64,
    repetition: u32,
    deviation: f64,
    is_flagged: bool,
}

/// All trials of cells that can be quoted and have several, in the order in which they were executed.
fn placed(cells: &[Cell<'_>]) -> Vec<Placed> {
    let mut placed = Vec::new();
    for cell in cells {
        let Some(median) = cell.median().filter(|_| cell.values.len() > 1) else { continue };
        for trial in cell.sample.trials.iter().filter(|trial| trial.ops_per_s.is_finite()) {
            placed.push(Placed {
                run: trial.run,
                position: trial.position,
                repetition: trial.repetition,
                deviation: trial.ops_per_s / median - 1.0,
                is_flagged: is_flagged(trial),
            });
        }
    }
    placed.par_sort_by_key(|placed| (placed.run, placed.position));
    placed
}

/// Whether something from outside disturbed a trial, or the trial lies far from the others.
fn is_flagged(trial: &Trial) -> bool {
    let disturbs = |flag: &Flag| {
        matches!(
            flag,
            Flag::Outlier
                | Flag::BackgroundLoad
                | Flag::CpuSteal
                | Flag::ClockDisagrees
                | Flag::OtherClients
                | Flag::UnevenClients
        )
    };
    trial.flags.iter().any(disturbs)
}

/// The disturbed blocks of the run, if there is only one run: blocks of different runs have nothing to do with each other.
fn disturbance(cells: &[Cell<'_>]) -> Option<Blocks> {
    let trials = || cells.iter().flat_map(|cell| &cell.sample.trials);
    let run = trials().next()?.run;
    if trials().any(|trial| trial.run != run) {
        return None;
    }
    let of_cell = |cell: &Cell<'_>| -> Vec<(u32, f64)> {
        cell.sample.trials.iter().map(|trial| (trial.repetition, trial.ops_per_s)).collect()
    };
    let quoted = cells.iter().filter(|cell| cell.groups.is_none() && cell.rate.is_none());
    let all: Vec<Vec<(u32, f64)>> = quoted.map(of_cell).collect();
    Some(blocks(all.iter().map(Vec::as_slice))).filter(|blocks| !blocks.disturbed.is_empty())
}

fn disturbed_blocks(blocks: &Blocks, cells: &[Cell<'_>]) -> Sentence {
    let of = blocks.low.len();
    let numbers: Vec<String> = blocks.disturbed.iter().map(ToString::to_string).collect();
    let sum = |is_in: bool| {
        let those = blocks.low.iter().filter(|(block, _)| blocks.disturbed.contains(block) == is_in);
        those.fold((0, 0), |(low, n), (_, (a, b))| (low + a, n + b))
    };
    let ((low, n), (low_others, n_others)) = (sum(true), sum(false));
    // Where most blocks have low trials, the few others do not show what the machine does when it is left alone.
    if 2 * numbers.len() > of {
        let affected = if numbers.len() == of {
            "every block".to_owned()
        } else {
            format!("{} of {of} blocks", numbers.len())
        };
        return Sentence::new(
            "Trials scatter widely:",
            format!(
                "in {affected} more than a tenth of them, {low} of {n}, lie more than 10% below the median of their cell."
            ),
        );
    }
    let lead = format!("The machine was disturbed in {} of {of} blocks.", numbers.len());
    let named = if numbers.len() == 1 { "block" } else { "blocks" };
    let rest = format!(
        "In {named} {}, {low} of {n} trials lie more than 10% below the median of their cell, where a tenth would be tolerated; in \
         the others, {low_others} of {n_others}. {}",
        list(&numbers, 6),
        without(blocks, cells)
    );
    Sentence::new(lead, rest)
}

/// Whether the series keep their order, by their highest medians, when the disturbed blocks are left out.
fn without(blocks: &Blocks, cells: &[Cell<'_>]) -> &'static str {
    let order = |median: &dyn Fn(&Cell<'_>) -> Option<f64>| {
        let facets = cells.chunk_by(|a, b| a.facet == b.facet);
        let of_facet = facets.map(|facet| {
            let series = facet.chunk_by(|a, b| a.series == b.series);
            let peak = |series: &[Cell<'_>]| series.iter().filter_map(median).fold(0.0, f64::max);
            let mut peaks: Vec<(f64, String)> =
                series.map(|series| (peak(series), series[0].series.clone())).collect();
            peaks.sort_by(|a, b| b.0.total_cmp(&a.0));
            peaks.into_iter().map(|(_, name)| name).collect::<Vec<_>>()
        });
        of_facet.collect::<Vec<_>>()
    };
    let rest = |cell: &Cell<'_>| {
        let kept = cell.sample.trials.iter().filter(|trial| !blocks.disturbed.contains(&trial.repetition));
        let values: Vec<f64> = kept.map(|trial| trial.ops_per_s).collect();
        cell.median()?;
        (!values.is_empty()).then(|| median_of(values))
    };
    let (all, rest) = (order(&|cell: &Cell<'_>| cell.median()), order(&rest));
    if all == rest {
        return "The other blocks alone give the same order.";
    }
    // Tied series may change places; a winner must not.
    let facets = cells.chunk_by(|a, b| a.facet == b.facet);
    let winners = facets.zip(all.iter().zip(&rest)).filter(|(facet, _)| has_winner(facet));
    let kept: Vec<bool> = winners.map(|(_, (all, rest))| all.first() == rest.first()).collect();
    match kept.as_slice() {
        [] => "The other blocks alone give another order.",
        [true] => "The other blocks alone have the same winner, and others in another order.",
        kept if kept.iter().all(|kept| *kept) => {
            "The other blocks alone have the same winners, and others in another order."
        }
        _ => "The other blocks alone have another winner.",
    }
}

/// Whether a series of this group is called the fastest.
fn has_winner(facet: &[Cell<'_>]) -> bool {
    let comparable: Vec<&Cell<'_>> = facet.iter().filter(|cell| cell.comparability().is_none()).collect();
    matches!(judge(&comparable), Finding::Compared(found) if found.is_clear())
}

/// Too few trials, which is the most serious point of all.
fn few(cells: &[Cell<'_>]) -> Option<Sentence> {
    let measured: Vec<usize> =
        cells.iter().map(|cell| cell.values.len()).filter(|trials| *trials > 0).collect();
    let few = measured.iter().filter(|trials| **trials < MIN_TRIALS).count();
    let least = *measured.iter().min()?;
    if few == 0 {
        return None;
    }
    let rest = format!(
        "({MIN_TRIALS} are needed). Places follow the medians, and neighbours may swap them in the next run."
    );
    Some(if few == measured.len() {
        Sentence::new(format!("{} per cell: too few for a confidence interval", count(least, "trial")), rest)
    } else {
        let cells = count(few, "cell");
        let have = if few == 1 { "has" } else { "have" };
        Sentence::new(format!("{cells} {have} too few trials for a confidence interval"), rest)
    })
}

/// The warnings of the highest cell of each group; if there are many groups, those of the highest cell overall.
fn of_the_winner(cells: &[Cell<'_>]) -> Option<Sentence> {
    let facets = || cells.chunk_by(|a, b| a.facet == b.facet).filter(|facet| !open_loop::is_of(facet.iter()));
    let ranked = cells.iter().filter(|cell| cell.comparability().is_none() && cell.rate.is_none());
    let top = highest(ranked)?;
    let warnings: Vec<String> = top
        .warnings()
        .iter()
        .filter(|warning| warning.word != said(Flag::Outlier) && warning.word != said(Flag::UnsteadyStart))
        .map(super::model::Warning::text)
        .collect();
    if warnings.is_empty() {
        return None;
    }
    let of_top = facets().find(|facet| facet[0].facet == top.facet)?;
    let is_winner = has_winner(of_top);
    let lead = if is_winner { "Warnings of the winner" } else { "Warnings of the highest" };
    // A median is what most trials say.
    let bound = |flag| top.flags.get(&flag).is_some_and(|flagged| 2 * flagged > top.values.len());
    let what = match (bound(Flag::ClientBound), bound(Flag::ServerBound)) {
        (true, false) => " Its number is what this client can do, and not what the server can.",
        (false, true) => " Its number is what the server can do, and not what this client can.",
        _ => "",
    };
    Some(Sentence::new(format!("{lead}, {}:", top.whole_name()), format!("{}.{what}", list(&warnings, 4))))
}

fn failed(cells: &[Cell<'_>]) -> Option<Sentence> {
    let failed: usize = cells.iter().map(Cell::failed).sum();
    let of = cells.iter().filter(|cell| cell.failed() > 0).count();
    let rest = format!("in {}; the reasons are below, under the warnings.", count(of, "cell"));
    (failed > 0).then(|| Sentence::new(format!("{} failed", count(failed, "attempt")), rest))
}

fn not_like_for_like(cells: &[Cell<'_>]) -> Option<Sentence> {
    let mut names: Vec<String> =
        cells.iter().filter(|cell| cell.comparability().is_some()).map(|cell| cell.series.clone()).collect();
    names.sort();
    names.dedup();
    let mut series: Vec<&str> = cells.iter().map(|cell| cell.series.as_str()).collect();
    series.sort_unstable();
    series.dedup();
    (!names.is_empty()).then(|| {
        Sentence::new(
            format!("{} of {} are not like for like", names.len(), counted(series.len(), "series", "series")),
            format!(
                "({}): they do something other than what was asked for, and are not ranked.",
                list(&names, 6)
            ),
        )
    })
}

fn disturbed_trials(cells: &[Cell<'_>]) -> Option<Sentence> {
    let mut by_word: BTreeMap<&str, usize> = BTreeMap::new();
    let (mut disturbed, mut all) = (0, 0);
    for cell in cells {
        all += cell.sample.trials.len();
        let words = cell.flags.iter().filter(|(flag, _)| {
            !matches!(flag, Flag::ClientBound | Flag::ServerBound | Flag::Persistence | Flag::UnsteadyStart)
        });
        for (flag, trials) in words {
            *by_word.entry(said(*flag)).or_default() += trials;
        }
        if cell.outliers > 0 {
            *by_word.entry(said(Flag::Outlier)).or_default() += cell.outliers;
        }
        let is_doubted = |flag: &Flag| {
            !matches!(
                flag,
                Flag::ClientBound
                    | Flag::ServerBound
                    | Flag::Persistence
                    | Flag::UnsteadyStart
                    | Flag::Outlier
            )
        };
        let flagged = cell.sample.trials.iter().filter(|trial| trial.flags.iter().any(is_doubted)).count();
        // An outlier may also carry a flag; how many do is not known exactly, so the larger number is taken and none is
        // counted twice.
        disturbed += flagged.max(cell.outliers);
    }
    let words: Vec<String> = by_word.iter().map(|(word, trials)| format!("{word}: {trials}")).collect();
    (disturbed > 0).then(|| {
        Sentence::new(
            format!("{disturbed} of {} are flagged as disturbed or outlying", count(all, "trial")),
            format!("({}). They are kept and counted.", list(&words, 5)),
        )
    })
}

/// Cells that may not be quoted, and those that drift.
fn not_quoted(cells: &[Cell<'_>]) -> Option<Sentence> {
    let with = |is: &dyn Fn(&Cell<'_>) -> bool| -> Vec<String> {
        cells.iter().filter(|cell| is(cell)).map(Cell::whole_name).collect()
    };
    let bimodal = with(&|cell| cell.standing() == Standing::Bimodal);
    let drifting = with(&|cell| cell.is_drifting);
    let drifts =
        if drifting.is_empty() { String::new() } else { format!("Drifting: {}.", list(&drifting, 4)) };
    match (bimodal.is_empty(), drifting.is_empty()) {
        (true, true) => None,
        (true, false) => Some(Sentence::new("Drifting:", format!("{}.", list(&drifting, 4)))),
        _ => Some(Sentence::new(
            "Not quoted:",
            format!("{}, whose trials fall into two groups. {drifts}", list(&bimodal, 4))
                .trim_end()
                .to_owned(),
        )),
    }
}

/// Without a rate, tasks and messages are handed over as fast as the backlog allows and wait in it, which their latency includes.
fn queueing(cells: &[Cell<'_>]) -> Option<Sentence> {
    let waits = |cell: &Cell<'_>| {
        let label = &cell.sample.label;
        let is_measured = cell.sample.trials.iter().any(|trial| trial.latency.is_some());
        is_measured && label.get("backlog").is_some() && label.get("rate").is_none()
    };
    cells.iter().any(waits).then(|| {
        Sentence::new(
            "Latencies include queueing:",
            "without a `rate`, work is submitted as fast as the backlog allows, and waits in it.",
        )
    })
}

/// Each trial in the order of the run, relative to the median of its own cell.
fn order(id: &str, placed: &[Placed], blocks: Option<&Blocks>) -> Option<Figure> {
    if placed.len() < 2 {
        return None;
    }
    let step = placed.len().div_ceil(DOTS).max(1);
    let clamp = |percent: f64| percent.clamp(-MOST_PERCENT, MOST_PERCENT);
    let (mut quiet, mut loud, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    for (place, trial) in placed.iter().enumerate().step_by(step) {
        let is_low = trial.deviation < -0.1
            && blocks.is_some_and(|blocks| blocks.disturbed.contains(&trial.repetition));
        let dots = if trial.is_flagged || is_low { &mut loud } else { &mut quiet };
        dots.push((place as f64, clamp(trial.deviation * 100.0)));
    }
    let is_one_run = placed.windows(2).all(|pair| pair[0].run == pair[1].run);
    let parts = placed.chunk_by(|a, b| (a.run, a.repetition) == (b.run, b.repetition));
    let (mut begin, mut names) = (0, Vec::new());
    for part in parts {
        let end = begin + part.len() - 1;
        let median = median_of(part.iter().map(|placed| placed.deviation * 100.0).collect());
        let block = part[0].repetition;
        let says =
            format!("block {block}: median deviation {median:+.1}% over {}", count(part.len(), "trial"));
        let mark = |x: usize, says: String| Mark {
            x: x as f64,
            y: clamp(median),
            interval: None,
            says,
            name: String::new(),
        };
        // It is said at one end, for both.
        marks.push(vec![mark(begin, says), mark(end, String::new())]);
        names.push((f64::midpoint(begin as f64, end as f64), block.to_string()));
        begin = end + 1;
    }
    // Names of many blocks would be illegible, and those of several runs ambiguous.
    if !is_one_run || names.len() > NAMES {
        names.clear();
    }
    let bars = if marks.len() > BARS { "" } else { " Bars: medians of the blocks." };
    if bars.is_empty() {
        marks.clear();
    }
    let all = || quiet.iter().chain(&loud).map(|dot: &(f64, f64)| dot.1);
    let label = if names.is_empty() { "" } else { "block" };
    let mut x = Axis::linear(label, [0.0, (placed.len() - 1) as f64].into_iter());
    x.names = if names.is_empty() {
        vec![(0.0, "first".to_owned()), ((placed.len() - 1) as f64, "last".to_owned())]
    } else {
        names
    };
    let mut y = Axis::linear("%", all().chain([-10.0, 10.0]));
    y.suffix = "%";
    let series = |name: &str, look, hollow, pieces, dots| Series {
        name: name.to_owned(),
        look,
        hollow,
        is_named: false,
        pieces,
        dots,
    };
    let is_cut = placed.iter().any(|trial| (trial.deviation * 100.0).abs() > MOST_PERCENT);
    let cut =
        if is_cut { format!(" Beyond ±{MOST_PERCENT}% they are drawn at the edge.") } else { String::new() };
    let thinned = if step > 1 { format!(" One in {step} trials is drawn.") } else { String::new() };
    Some(Figure {
        id: format!("{id}-order"),
        title: "Each trial in the order of the run".to_owned(),
        unit: "% above or below the median of its own cell".to_owned(),
        caption: format!(
            "Red: flagged, or more than 10% below in a block where over a tenth are.{cut}{bars}{thinned}"
        ),
        kind: Kind::Curves,
        x,
        y,
        reference: Some(0.0),
        panels: vec![Panel {
            title: String::new(),
            rows: Vec::new(),
            series: vec![
                series("trials", crate::report::palette::GREY, false, Vec::new(), quiet),
                series("disturbed trials", WARNING, false, Vec::new(), loud),
                series("medians of the blocks", crate::report::palette::INK, false, marks, Vec::new()),
            ],
        }],
    })
}
