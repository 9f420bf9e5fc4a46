//! Who is the fastest at each level of the horizontal axis. The highest peak says nothing about the other levels, and somebody
//! with a single worker asks about that one.

use crate::report::answer::{ci, times_ahead};
use crate::report::cells::Cell;
use crate::report::facets::Layout;
use crate::report::judge::{Compared, Finding, judge};
use crate::report::model::Sentence;
use crate::report::numbers::{grouped, list};

/// More stretches than this are counted and not listed.
const STRETCHES: usize = 4;

const NO_SINGLE: &str = "no single one";

/// A level at which at least two series were measured.
struct Level<'c, 'a> {
    x: f64,
    found: Finding<'c, 'a>,
}

impl<'c, 'a> Level<'c, 'a> {
    fn of(x: f64, cells: &[&'c Cell<'a>]) -> Option<Self> {
        let is_here = |cell: &&'c Cell<'a>| cell.x.total_cmp(&x).is_eq() && !cell.values.is_empty();
        let here: Vec<&Cell<'_>> = cells.iter().copied().filter(is_here).collect();
        let first = here.first()?;
        let has_several = here.iter().any(|cell| cell.series != first.series);
        has_several.then(|| Self { x, found: judge(&here) })
    }

    /// The series that is ahead of all others there, if one is.
    fn fastest(&self) -> Option<&'c str> {
        match &self.found {
            Finding::Compared(found) if found.is_clear() => Some(&found.top.series),
            _ => None,
        }
    }
}

/// Levels in a row with the same fastest series, or without one.
struct Stretch<'l> {
    series: Option<&'l str>,
    from: f64,
    to: f64,
}

/// What holds at the levels other than that of the highest cell of all; nothing where no series were measured together.
#[must_use]
pub fn sentence(of_all: &Compared<'_, '_>, cells: &[&Cell<'_>], layout: &Layout) -> Option<Sentence> {
    let levels: Vec<Level<'_, '_>> = layout.x_levels.iter().filter_map(|x| Level::of(*x, cells)).collect();
    let others: Vec<&Level<'_, '_>> =
        levels.iter().filter(|level| level.x.total_cmp(&of_all.top.x).is_ne()).collect();
    match others.as_slice() {
        [] => None,
        [one] => match &one.found {
            // Its peak is said to be as high there.
            Finding::Compared(found) if of_all.own_tied.iter().any(|cell| std::ptr::eq(*cell, found.top)) => {
                None
            }
            Finding::Compared(found) => Some(in_full(found)),
            _ => None,
        },
        _ => Some(in_stretches(&levels, layout)),
    }
}

fn in_full(found: &Compared<'_, '_>) -> Sentence {
    let Compared { top, next, tied, undecided, .. } = found;
    let place = &top.x_words;
    let interval = top.interval.map(|interval| format!(" ({})", ci(interval))).unwrap_or_default();
    let median = format!("{} {}/s{interval}", top.median().map(grouped).unwrap_or_default(), top.noun());
    if found.is_clear() {
        let lead = next.and_then(|next| {
            let (said, _) = times_ahead(top, next)?;
            Some(format!(", {said} times the next, {}", next.series))
        });
        return Sentence::plain(format!(
            "With {place}, {} is the fastest: {median}{}.",
            top.series,
            lead.unwrap_or_default()
        ));
    }
    let names =
        |cells: &[&Cell<'_>]| list(&cells.iter().map(|cell| cell.series.clone()).collect::<Vec<_>>(), 5);
    let mut text =
        format!("With {place}, none is clearly fastest: {} has the highest median, {median}", top.series);
    if !tied.is_empty() {
        text += &format!("; not separated from it: {}", names(tied));
    }
    if !undecided.is_empty() {
        text += &format!("; not to be quoted: {}", names(undecided));
    }
    Sentence::plain(text + ".")
}

fn in_stretches(levels: &[Level<'_, '_>], layout: &Layout) -> Sentence {
    let mut stretches: Vec<Stretch<'_>> = Vec::new();
    for level in levels {
        let series = level.fastest();
        match stretches.last_mut() {
            Some(last) if last.series == series => last.to = level.x,
            _ => stretches.push(Stretch { series, from: level.x, to: level.x }),
        }
    }
    let all = layout.x_range(levels[0].x, levels[levels.len() - 1].x);
    let text = match stretches.as_slice() {
        [Stretch { series: Some(series), .. }] => format!("{series} is the fastest all the way from {all}."),
        [Stretch { series: None, .. }] => format!("Nowhere from {all} is there a single fastest."),
        few if few.len() <= STRETCHES => {
            let parts: Vec<String> = few
                .iter()
                .map(|stretch| {
                    let place = layout.x_range(stretch.from, stretch.to);
                    format!("{} with {place}", stretch.series.unwrap_or(NO_SINGLE))
                })
                .collect();
            format!("The fastest, level by level: {}.", parts.join("; "))
        }
        _ => format!("The fastest at the {} levels from {all}: {}.", levels.len(), counts(levels)),
    };
    Sentence::plain(text)
}

/// `a (7 levels), b (3)`, the most frequent first.
fn counts(levels: &[Level<'_, '_>]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for name in levels.iter().map(|level| level.fastest().unwrap_or(NO_SINGLE)) {
        match counts.iter_mut().find(|(known, _)| *known == name) {
            Some((_, count)) => *count += 1,
            None => counts.push((name, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let part = |(i, (name, count)): (usize, &(&str, usize))| {
        let unit = if i == 0 { " levels" } else { "" };
        format!("{name} ({count}{unit})")
    };
    counts.iter().enumerate().map(part).collect::<Vec<_>>().join(", ")
}
