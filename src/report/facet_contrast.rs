//! The effect of the setting in which pictures differ, such as the server: the cells of each picture against the same cells
//! of the first one, judged as `orchestrate compare` judges them.

use std::collections::HashMap;

use crate::analysis::compare::{Compared, Verdict, compare};
use crate::analysis::metric::Metric;
use crate::analysis::pairs::by_factor;
use crate::analysis::samples::Sample;
use crate::report::cells::{Cell, nouns};
use crate::report::compare::{verdict, warnings_with_shares};
use crate::report::facets::Layout;
use crate::report::looks::Looks;
use crate::report::model::{DataTable, Figure, Kind, Mark, Panel, Sentence, Series};
use crate::report::numbers::{count, grouped, list};
use crate::report::scale::Axis;

/// With more levels than this, the pictures say more than a table.
const LEVELS: usize = 4;

/// The cells of each picture next to the same cells of the first.
#[derive(Clone, Debug)]
pub struct FacetContrast {
    /// The first picture.
    first: String,
    /// What the other pictures are called, and their cells: the number of each, and how it compares.
    others: Vec<(String, Vec<(usize, Compared)>)>,
}

/// Compares pictures that differ in one setting. Nothing where they differ in several settings, or in something that is not
/// a setting, or where operations were due at a rate, so that all have the same throughput.
#[must_use]
pub fn facet_contrast(cells: &[Cell<'_>], layout: &Layout) -> Option<FacetContrast> {
    let [column] = layout.facets[..] else { return None };
    if cells.iter().any(|cell| cell.rate.is_some()) {
        return None;
    }
    let mut levels = cells.chunk_by(|a, b| a.facet == b.facet).map(|picture| &picture[0]);
    let first = levels.next()?;
    let others: Vec<&Cell<'_>> = levels.collect();
    if others.is_empty() || others.len() >= LEVELS {
        return None;
    }
    let samples: Vec<&Sample> = cells.iter().map(|cell| cell.sample).collect();
    // Pairs come in an order that is not that of the cells.
    let places: HashMap<*const Sample, usize> =
        samples.iter().enumerate().map(|(place, sample)| (std::ptr::from_ref(*sample), place)).collect();
    let level = |cell: &Cell<'_>| cell.sample.label.get(column).unwrap_or_default().to_owned();
    let compared = |other: &Cell<'_>| {
        let pairs = by_factor(&samples, column, &level(first), &level(other)).ok()?;
        let place = |sample: &Sample| places.get(&std::ptr::from_ref(sample)).copied();
        let new: Vec<Option<usize>> = pairs.pairs.iter().map(|(_, new)| place(new)).collect();
        let compared = compare(&pairs, Metric::OpsPerS).cells;
        let mut rows: Vec<(usize, Compared)> =
            new.into_iter().zip(compared).filter_map(|(place, compared)| Some((place?, compared))).collect();
        rows.sort_by_key(|(place, _)| *place);
        Some((other.facet.clone(), rows))
    };
    let others: Vec<_> =
        others.into_iter().filter_map(compared).filter(|(_, rows)| !rows.is_empty()).collect();
    (!others.is_empty()).then(|| FacetContrast { first: first.facet.clone(), others })
}

impl FacetContrast {
    /// A sentence for each picture but the first one.
    #[must_use]
    pub fn sentences(&self) -> Vec<Sentence> {
        let sentence = |(facet, rows): &(String, Vec<(usize, Compared)>)| {
            let compared: Vec<&Compared> = rows.iter().map(|(_, compared)| compared).collect();
            let said = finding(&compared)?;
            Some(Sentence::plain(format!("{} against {}: {said}.", capital(facet), self.first)))
        };
        self.others.iter().filter_map(sentence).collect()
    }

    /// Every pair in numbers.
    #[must_use]
    pub fn table(&self, cells: &[Cell<'_>]) -> DataTable {
        let columns = [
            ("Group", false),
            ("Series", false),
            ("At", false),
            (self.first.as_str(), true),
            ("Here", true),
            ("Ratio", true),
            ("95% CI of the ratio", true),
            ("Verdict", false),
        ];
        let caption = format!("Against {}: medians in {}/s, and their ratio", self.first, nouns(cells));
        let mut table = DataTable::new(&caption, &columns);
        let rows = self.others.iter().flat_map(|(_, rows)| rows);
        table.rows = rows.map(|(place, compared)| row(&cells[*place], compared)).collect();
        table.without_empty_columns()
    }

    /// The ratios as a picture, a row for each cell.
    #[must_use]
    pub fn figure(&self, id: &str, cells: &[Cell<'_>], looks: &Looks) -> Option<Figure> {
        let mut ends: Vec<f64> = vec![1.0];
        let mut panels = Vec::new();
        for (facet, compared) in &self.others {
            let mut panel = Panel { title: facet.clone(), rows: Vec::new(), series: Vec::new() };
            for (place, compared) in compared.iter().filter(|(_, compared)| !compared.is_bimodal()) {
                let Some(ratio) = compared.ratio else { continue };
                let cell = &cells[*place];
                let y = panel.rows.len() as f64;
                panel.rows.push(cell.name());
                let interval = compared.interval.map(|ends| (ends.low, ends.high));
                ends.extend([ratio]);
                ends.extend(interval.into_iter().flat_map(|(low, high)| [low, high]));
                let said = verdict(compared.verdict, Metric::OpsPerS);
                let ci =
                    interval.map(|(low, high)| format!(", 95% CI {low:.3}–{high:.3}")).unwrap_or_default();
                let says = format!("{}: {ratio:.3} times {}{ci}, {said}", cell.name(), self.first);
                panel.series.push(Series {
                    name: cell.name(),
                    look: looks.look(&cell.series),
                    hollow: false,
                    is_named: false,
                    pieces: vec![vec![Mark { x: ratio, y, interval, says, name: String::new() }]],
                    dots: Vec::new(),
                });
            }
            panels.push(panel);
        }
        panels.retain(|panel| !panel.rows.is_empty());
        (!panels.is_empty()).then(|| {
            let x = Axis::of("times", ends.into_iter());
            Figure {
                id: format!("{id}-ratios"),
                title: format!("Throughput against {}", self.first),
                unit: format!("ratio of medians, {}", x.words()),
                caption: "Mark: ratio of the medians; bar: its 95% confidence interval; at 1 there is no difference.".to_owned(),
                kind: Kind::Strips,
                x,
                y: Axis::linear("", std::iter::empty()),
                reference: Some(1.0),
                panels,
            }
        })
    }
}

fn capital(facet: &str) -> String {
    let mut letters = facet.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// How many of the cells that may be quoted differ.
fn finding(compared: &[&Compared]) -> Option<String> {
    let quotable: Vec<&Compared> =
        compared.iter().copied().filter(|cell| cell.ratio.is_some() && !cell.is_bimodal()).collect();
    let all = count(quotable.len(), "cell");
    let bimodal = compared.iter().filter(|cell| cell.is_bimodal()).count();
    let left_out = match bimodal {
        0 => String::new(),
        some => format!("; {} left out as bimodal", count(some, "cell")),
    };
    let told = |wanted: Verdict, word: &str| {
        let with = quotable.iter().filter(|cell| cell.verdict == wanted);
        let mut ratios: Vec<f64> = with.filter_map(|cell| cell.ratio).collect();
        ratios.sort_by(f64::total_cmp);
        let (low, high) = (format!("{:.2}", ratios.first()?), format!("{:.2}", ratios.last()?));
        let range = if low == high { low } else { format!("{low} to {high}") };
        Some(format!("{word} in {} of {all} ({range} times as fast)", ratios.len()))
    };
    let words: Vec<String> =
        [told(Verdict::Faster, "faster"), told(Verdict::Slower, "slower")].into_iter().flatten().collect();
    if !words.is_empty() {
        return Some(list(&words, 2) + &left_out);
    }
    let needs = quotable.iter().map(|cell| match cell.verdict {
        Verdict::NotEnough { need } => Some(need),
        _ => None,
    });
    match needs.collect::<Option<Vec<usize>>>().as_deref() {
        Some([]) => (bimodal > 0).then(|| format!("nothing to quote{left_out}")),
        Some([need, ..]) => {
            Some(format!("too few trials to judge any of {all}: it takes {need} of each or more{left_out}"))
        }
        None => {
            let alike = quotable.iter().filter(|cell| cell.verdict == Verdict::NoDifferenceSeen).count();
            Some(if alike == quotable.len() {
                format!("no difference is seen in any of {all}{left_out}")
            } else {
                format!("no difference is seen in {alike} of {all}, and the others are undecided{left_out}")
            })
        }
    }
}

fn row(cell: &Cell<'_>, compared: &Compared) -> Vec<String> {
    let none = || "–".to_owned();
    let median = |median: Option<f64>| median.map_or_else(none, grouped);
    // The sentence above does not count a bimodal cell, so its row has neither medians nor a verdict.
    let is_bimodal = compared.is_bimodal();
    let judged = (!is_bimodal).then(|| verdict(compared.verdict, Metric::OpsPerS));
    let said: Vec<String> = judged.into_iter().chain(warnings_with_shares(compared)).collect();
    vec![
        cell.facet.clone(),
        cell.series.clone(),
        cell.x_words.clone(),
        median(compared.base.median.filter(|_| !compared.base.is_bimodal)),
        median(compared.new.median.filter(|_| !compared.new.is_bimodal)),
        compared.ratio.filter(|_| !is_bimodal).map_or_else(none, |ratio| format!("{ratio:.3}")),
        compared
            .interval
            .filter(|_| !is_bimodal)
            .map_or_else(none, |ends| format!("{:.3}–{:.3}", ends.low, ends.high)),
        said.join(", "),
    ]
}
