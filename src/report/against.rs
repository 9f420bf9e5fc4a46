//! What the setting does by which pictures differ: the cells of each picture beside the same cells of the first one, judged
//! as `orchestrate compare` judges them.

use std::collections::HashMap;

use crate::analysis::compare::{Compared, Verdict, compare};
use crate::analysis::metric::Metric;
use crate::analysis::pairs::by_factor;
use crate::analysis::samples::Sample;
use crate::report::cells::{Cell, nouns};
use crate::report::compare::{verdict, warnings_with_shares};
use crate::report::facets::Layout;
use crate::report::model::DataTable;
use crate::report::numbers::{count, grouped, list};

/// Of more levels the pictures tell more than a table.
const LEVELS: usize = 4;

/// A sentence for each level but the first one, and the pairs. Nothing where pictures differ in several settings, or in
/// what is no setting.
#[must_use]
pub fn against(cells: &[Cell<'_>], layout: &Layout) -> Option<(Vec<String>, DataTable)> {
    let [column] = layout.facets[..] else { return None };
    let mut levels = cells.chunk_by(|a, b| a.facet == b.facet).map(|picture| &picture[0]);
    let first = levels.next()?;
    let others: Vec<&Cell<'_>> = levels.collect();
    if others.len() >= LEVELS {
        return None;
    }
    let columns = [
        ("Group", false),
        ("Series", false),
        ("At", false),
        (first.facet.as_str(), true),
        ("Here", true),
        ("Ratio", true),
        ("95% interval", true),
        ("Verdict", false),
    ];
    let caption = format!("Beside {}: medians in {}/s, and their ratio", first.facet, nouns(cells));
    let (mut findings, mut table) = (Vec::new(), DataTable::new(&caption, &columns));
    let samples: Vec<&Sample> = cells.iter().map(|cell| cell.sample).collect();
    // Pairs come in an order of their own.
    let places: HashMap<*const Sample, usize> =
        samples.iter().enumerate().map(|(place, sample)| (std::ptr::from_ref(*sample), place)).collect();
    let level = |cell: &Cell<'_>| cell.sample.label.get(column).unwrap_or_default().to_owned();
    for other in others {
        let Ok(pairs) = by_factor(&samples, column, &level(first), &level(other)) else { continue };
        let compared = compare(&pairs, Metric::OpsPerS).cells;
        let place = |sample: &Sample| places.get(&std::ptr::from_ref(sample)).copied();
        let new = pairs.pairs.iter().map(|(_, new)| place(new));
        let mut rows: Vec<(usize, &Compared)> =
            new.zip(&compared).filter_map(|(place, compared)| Some((place?, compared))).collect();
        rows.sort_by_key(|(place, _)| *place);
        if let Some(said) = finding(&compared) {
            findings.push(format!("{} beside {}: {said}.", other.facet, first.facet));
        }
        table.rows.extend(rows.into_iter().map(|(place, compared)| row(&cells[place], compared)));
    }
    (!table.rows.is_empty()).then_some((findings, table))
}

/// How many cells are told apart, of those that may be quoted.
fn finding(compared: &[Compared]) -> Option<String> {
    let quotable: Vec<&Compared> =
        compared.iter().filter(|cell| cell.ratio.is_some() && !cell.is_bimodal()).collect();
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
        Some([need, ..]) => Some(format!(
            "too few trials to tell any of {all} apart, which takes {need} of each or more{left_out}"
        )),
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
