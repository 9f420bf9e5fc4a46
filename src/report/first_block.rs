//! What is said of a first block that was not like the others.

use crate::analysis::first_block::{FirstBlock, first_block};
use crate::analysis::samples::{Sample, Samples};
use crate::report::model::Note;

/// The sentence, for a table or a page; `None` if the first block was like the others.
#[must_use]
pub fn sentence(found: Option<&FirstBlock>) -> Option<String> {
    let found = found.filter(|found| found.matters())?;
    let (word, cells) = if found.ratio < 1.0 { ("slower", found.slower) } else { ("faster", found.faster) };
    Some(format!(
        "the first block was {:.1}% {word} than the others, median over cells ({word} in {cells} of {}, sign test, p {}): \
         the machine was not in the state in which the rest was measured",
        (found.ratio - 1.0).abs() * 100.0,
        found.cells,
        p_value(found.p)
    ))
}

/// With as many digits as it takes to show how small it is.
fn p_value(p: f64) -> String {
    if p < 1e-4 { "< 0.0001".to_owned() } else { format!("= {p:.4}") }
}

/// A note for each run whose first block a reader should be warned about.
pub(super) fn notes(here: &[&Sample], samples: &Samples) -> Vec<Note> {
    let of_run = |(run, name): (usize, &String)| {
        let of_sample = |sample: &&Sample| -> Vec<(u32, f64)> {
            let trials = sample.trials.iter().filter(|trial| trial.run as usize == run);
            trials.map(|trial| (trial.repetition, trial.ops_per_s)).collect()
        };
        let cells: Vec<Vec<(u32, f64)>> = here.iter().map(of_sample).collect();
        let said = sentence(first_block(cells.iter().map(Vec::as_slice)).as_ref())?;
        let meaning = format!("In run {name} {said}. Do not quote differences of that size from it.");
        Some(Note { word: "first block".to_owned(), meaning, cells: String::new(), is_of_run: true })
    };
    samples.runs.iter().enumerate().filter_map(of_run).collect()
}
