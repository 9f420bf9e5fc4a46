//! The answer in two to five sentences, given only as far as the intervals support it.

use crate::analysis::interval::Interval;
use crate::report::cells::{Cell, Standing, range};
use crate::report::facet_contrast::FacetContrast;
use crate::report::facets::Layout;
use crate::report::judge::{Compared, Finding, judge, ratio_of, tied_with};
use crate::report::levels;
use crate::report::model::{Answer, Sentence};
use crate::report::numbers::{grouped, list, times};
use crate::report::open_loop;

/// Up to this many groups of cells get sentences of their own; more get a summary, and each ranking has its own sentence.
const FINDINGS: usize = 3;

/// What the cells of an experiment say. The fastest is sought within a facet; where facets differ in one setting, its effect
/// is reported as well.
#[must_use]
pub fn answer(cells: &[Cell<'_>], layout: &Layout, contrast: Option<&FacetContrast>) -> Answer {
    let facets: Vec<&[Cell<'_>]> = cells.chunk_by(|a, b| a.facet == b.facet).collect();
    let mut sentences = match facets.as_slice() {
        [] => vec![Sentence::new("There is nothing to answer with:", "no trial was found.")],
        [one] => finding(one, layout),
        several if several.len() <= FINDINGS => {
            several.iter().filter_map(|facet| named(facet, layout)).collect()
        }
        several => summary(several, layout),
    };
    sentences.extend(contrast.into_iter().flat_map(FacetContrast::sentences));
    Answer { sentences }
}

/// What one group of cells says, with its name in front and without what follows the first sentence.
fn named(facet: &[Cell<'_>], layout: &Layout) -> Option<Sentence> {
    let mut said = finding(facet, layout).into_iter();
    let first = said.next()?;
    let tied = said
        .find(|sentence| sentence.rest.starts_with(NOT_SEPARATED))
        .map(|sentence| format!(" {}", sentence.rest));
    Some(Sentence {
        lead: format!("{}: {}", facet[0].facet, first.lead),
        rest: first.rest + &tied.unwrap_or_default(),
    })
}

/// Who is ahead in how many groups.
fn summary(facets: &[&[Cell<'_>]], layout: &Layout) -> Vec<Sentence> {
    let (open, closed): (Vec<&[Cell<'_>]>, Vec<&[Cell<'_>]>) =
        facets.iter().copied().partition(|facet| open_loop::is_of(facet.iter()));
    let mut ahead: Vec<(&str, Vec<String>)> = Vec::new();
    let mut undecided = Vec::new();
    for facet in &closed {
        let ranked: Vec<&Cell<'_>> = facet.iter().filter(|cell| cell.comparability().is_none()).collect();
        match judge(&ranked) {
            Finding::Compared(found) if found.is_clear() => {
                let name = found.top.series.as_str();
                match ahead.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, places)) => places.push(facet[0].facet.clone()),
                    None => ahead.push((name, vec![facet[0].facet.clone()])),
                }
            }
            _ => undecided.push(facet[0].facet.clone()),
        }
    }
    ahead.sort_by_key(|(_, places)| std::cmp::Reverse(places.len()));
    let quoted =
        |places: &[String]| list(&places.iter().map(|place| format!("“{place}”")).collect::<Vec<_>>(), 3);
    let mut sentences: Vec<Sentence> = ahead
        .iter()
        .take(FINDINGS)
        .map(|(name, places)| {
            Sentence::new(
                format!("{name} is the fastest in {} of {} groups", places.len(), closed.len()),
                format!("({}).", quoted(places)),
            )
        })
        .collect();
    if !undecided.is_empty() {
        sentences.push(Sentence::new(
            format!("No single fastest in {} of {} groups", undecided.len(), closed.len()),
            format!("({}).", quoted(&undecided)),
        ));
    }
    sentences.extend(open.iter().take(2).filter_map(|facet| named(facet, layout)));
    sentences
}

/// What one group of cells says.
#[must_use]
pub fn finding(facet: &[Cell<'_>], layout: &Layout) -> Vec<Sentence> {
    let (comparable, differing): (Vec<&Cell<'_>>, Vec<&Cell<'_>>) =
        facet.iter().partition(|cell| cell.comparability().is_none());
    if !differing.is_empty() && comparable.iter().all(|cell| cell.standing() == Standing::NothingMeasured) {
        return vec![Sentence::new(
            "Nothing is called the fastest:",
            format!("only {} were measured, which are not like for like.", list(&series(&differing), 6)),
        )];
    }
    let mut sentences = if open_loop::is_of(comparable.iter().copied()) {
        open_loop::sentences(&comparable, layout)
    } else {
        words(&judge(&comparable), &comparable, layout)
    };
    if !differing.is_empty() {
        sentences.push(Sentence::plain(format!(
            "Not ranked, because they are not like for like: {}.",
            list(&series(&differing), 6)
        )));
    }
    let empty: Vec<String> =
        facet.iter().filter(|cell| cell.standing() == Standing::NothingMeasured).map(Cell::name).collect();
    if !empty.is_empty() && empty.len() < facet.len() {
        sentences.push(Sentence::plain(format!("No trial of {} ended well.", list(&empty, 6))));
    }
    sentences
}

/// The series of cells, each once.
fn series(cells: &[&Cell<'_>]) -> Vec<String> {
    let mut names: Vec<String> = cells.iter().map(|cell| cell.series.clone()).collect();
    names.dedup();
    names
}

/// How sentences begin about cells whose intervals overlap with that of the highest.
const NOT_SEPARATED: &str = "Not separated from ";

fn words(finding: &Finding<'_, '_>, cells: &[&Cell<'_>], layout: &Layout) -> Vec<Sentence> {
    let noun = cells.first().map_or("operations", |cell| cell.noun());
    let median = |cell: &Cell<'_>| format!("{} {noun}/s", cell.median().map(grouped).unwrap_or_default());
    match finding {
        Finding::Nothing => vec![Sentence::new("Nothing can be said:", "no trial ended well.")],
        Finding::AllBimodal => vec![Sentence::new(
            "None of these results may be quoted:",
            "the trials of every cell fall into two groups far apart. Choose a placement and repeat.",
        )],
        Finding::Alone(cell) => {
            let interval = cell.interval.map(|interval| format!(" ({})", ci(interval))).unwrap_or_default();
            vec![
                Sentence::new(
                    format!("{}: {}", cell.name(), median(cell)),
                    format!("{}.", interval.trim_start()),
                ),
                Sentence::plain("There is no other cell to compare it with."),
            ]
        }
        Finding::SingleTrial(top) => vec![
            Sentence::new("No winner is declared:", "a single trial does not tell how far a cell scatters."),
            Sentence::plain(format!("{} has the highest, {}.", top.name(), median(top))),
        ],
        Finding::TooFew(top, is_above) => vec![
            Sentence::new(
                format!("No winner is declared: {} trials per cell give no interval.", top.values.len()),
                "",
            ),
            Sentence::plain(format!(
                "{} has the highest median, {}; {}.",
                top.name(),
                median(top),
                if *is_above {
                    "each of its trials lies above each trial of every other cell"
                } else {
                    "its trials overlap with those of others"
                }
            )),
        ],
        Finding::Mixed(top) => vec![Sentence::new(
            "No winner is declared:",
            format!(
                "{} has the highest median, but its trials differ in {}.",
                top.name(),
                list(&top.sample.mixed.iter().map(|column| (*column).to_owned()).collect::<Vec<_>>(), 4)
            ),
        )],
        Finding::Void(top, doubted) => vec![Sentence::new(
            "No winner is declared:",
            format!(
                "{} has the highest median, {}, but in {} of its {} trials two clocks disagree about the elapsed time.",
                top.name(),
                median(top),
                doubted.void,
                doubted.n
            ),
        )],
        Finding::Compared(found) => compared(found, cells, layout, &median),
    }
}

fn compared(
    found: &Compared<'_, '_>,
    cells: &[&Cell<'_>],
    layout: &Layout,
    median: &dyn Fn(&Cell<'_>) -> String,
) -> Vec<Sentence> {
    let top = found.top;
    let interval = top.interval.map(|interval| format!("({})", ci(interval))).unwrap_or_default();
    let mut sentences = Vec::new();
    if !found.is_clear() {
        sentences.push(Sentence::new(
            format!("No single fastest. {} has the highest median: {}", top.name(), median(top)),
            format!("{interval}."),
        ));
        let level: Vec<String> = found.own_tied.iter().chain(&found.tied).map(|cell| cell.name()).collect();
        if !level.is_empty() {
            sentences.push(Sentence::plain(format!(
                "{NOT_SEPARATED}it, as intervals overlap: {}.",
                list(&level, 5)
            )));
        }
        sentences.extend(unranked(&found.undecided));
        sentences.extend(levels::sentence(found, cells, layout));
        return sentences;
    }
    let has_others = cells.iter().any(|cell| cell.series != top.series);
    let is_sweep = layout.x_levels.len() > 2;
    let lead = match (has_others, layout.has_x()) {
        (true, true) if is_sweep && layout.x_levels.last() == Some(&top.x) => {
            format!(
                "{} rises highest: {} with {}, where the sweep ends",
                top.series,
                median(top),
                top.x_words
            )
        }
        (true, true) if is_sweep => {
            format!("{} peaks highest: {} with {}", top.series, median(top), top.x_words)
        }
        (true, true) => format!("{} is the fastest: {} with {}", top.series, median(top), top.x_words),
        (true, false) => format!("{} is the fastest: {}", top.series, median(top)),
        (false, _) => format!("{} is fastest with {}: {}", top.series, top.x_words, median(top)),
    };
    sentences.push(Sentence::new(lead, format!("{interval}.")));
    // Before any other cell is named, to which "that" would seem to refer.
    if !found.own_tied.is_empty() {
        let places: Vec<String> = found.own_tied.iter().map(|cell| cell.x_words.clone()).collect();
        sentences.push(Sentence::plain(format!(
            "{NOT_SEPARATED}that, as intervals overlap: {}.",
            list(&places, 6)
        )));
    }
    sentences.extend(found.next.and_then(|next| lead_over(top, next, is_sweep && has_others)));
    sentences.extend(is_sweep.then(|| knees(cells, &top.series, layout)).flatten());
    sentences.extend(levels::sentence(found, cells, layout));
    sentences
}

/// The ratio to the next in words, with its interval. A factor that rounds to 1 adds nothing to "fastest".
pub(super) fn times_ahead(top: &Cell<'_>, next: &Cell<'_>) -> Option<(String, Option<Interval>)> {
    let (ratio, interval) = ratio_of(top, next)?;
    let said = times(ratio);
    (said != "1.00").then_some((said, interval))
}

/// How many times as high as the next it is.
fn lead_over(top: &Cell<'_>, next: &Cell<'_>, is_sweep: bool) -> Option<Sentence> {
    let (said, interval) = times_ahead(top, next)?;
    let interval = interval.map(|ends| {
        format!(" (95% confidence interval of the ratio {} to {})", times(ends.low), times(ends.high))
    });
    let what = if is_sweep { "the peak of the next" } else { "the next" };
    Some(Sentence::plain(format!(
        "That is {said} times {what}, {}{}.",
        next.name(),
        interval.unwrap_or_default()
    )))
}

/// The places from which on the other series are as high as they get, as far as the intervals tell.
fn knees(cells: &[&Cell<'_>], winner: &str, layout: &Layout) -> Option<Sentence> {
    let others = cells.chunk_by(|a, b| a.series == b.series).filter(|series| series[0].series != winner);
    let knee = |series: &[&Cell<'_>]| {
        let top = crate::report::judge::highest(series.iter().copied())?;
        let tied = tied_with(top, series);
        Some(tied.iter().map(|cell| cell.x).fold(top.x, f64::min))
    };
    let mut knees: Vec<f64> = others.map(knee).collect::<Option<_>>()?;
    knees.sort_by(f64::total_cmp);
    let (first, last) = (*knees.first()?, *knees.last()?);
    // A range that leaves nothing out says nothing.
    let is_everywhere = Some(&first) == layout.x_levels.first() && Some(&last) == layout.x_levels.last();
    if knees.len() < 2 || is_everywhere {
        return None;
    }
    let from = layout.x_range(first, last);
    Some(Sentence::plain(format!(
        "None of the others is measurably faster than with {from}, depending on which."
    )))
}

/// Which of these cells are not quoted, and why.
fn unranked(cells: &[&Cell<'_>]) -> Option<Sentence> {
    let told: Vec<String> = cells
        .iter()
        .filter_map(|cell| Some(format!("{} ({})", cell.name(), cell.standing().reason()?)))
        .collect();
    (!told.is_empty()).then(|| Sentence::plain(format!("Not compared with it: {}.", list(&told, 4))))
}

/// `95% confidence interval 1 to 2`.
pub(super) fn ci(interval: Interval) -> String {
    format!("95% confidence interval {} to {}", grouped(interval.low), grouped(interval.high))
}

/// How cells were judged.
#[must_use]
pub fn rule(intervals: usize, is_against: bool) -> String {
    let min = crate::analysis::interval::MIN_TRIALS;
    let mut rule = format!(
        "A cell is called the fastest only if the lower end of its 95% confidence interval lies above the upper ends of those \
         of all others. Where intervals overlap, cells are not separated here; `orchestrate compare --factor` may still find \
         a difference, since that intervals do not overlap is a stricter demand than a test of the difference at 5%. Nothing \
         more is corrected for the number of cells. {} With fewer than {min} trials there is no \
         interval and no winner, and a cell whose trials fall into two groups far apart is never quoted. Latencies are the \
         medians, over the trials, of the percentile of each trial; CPU times and memory are medians of the trials.",
        misses(intervals)
    );
    if is_against {
        rule += " Cells of different pictures are compared as `orchestrate compare` does: the Mann–Whitney test with \
                 Holm's correction for all cells of the picture, and an interval of the ratio that does not contain 1.";
    }
    rule
}

/// How many of this many intervals are to be expected to miss, or how often each does where that is less than one.
pub(super) fn misses(intervals: usize) -> String {
    match (intervals as f64 * 0.05).round() as usize {
        0 => "Each of the 95% confidence intervals misses its median with a probability of 5%.".to_owned(),
        missing => {
            format!("Of {intervals} confidence intervals of 95%, about {missing} may miss their medians.")
        }
    }
}

/// `low–high` or a dash.
pub(super) fn range_or_none(interval: Option<Interval>) -> String {
    interval.map_or_else(|| "–".to_owned(), range)
}
