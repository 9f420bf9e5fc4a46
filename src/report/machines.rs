//! Runs of one experiment on machines that differ but share a name, such as a committed run and one's own: their numbers do
//! not belong in the same cell. Only those of one machine are shown, and the report says which.

use crate::analysis::samples::{Label, Sample, Samples};
use crate::report::model::Sentence;
use crate::report::numbers::list;

/// Columns that tell machines apart.
const MACHINE: [&str; 6] =
    ["client_os", "client_arch", "client_cpu", "server_os", "server_arch", "server_cpu"];

/// The samples of the newest machine, where runs on several are mixed in a cell; `None` where no cell is mixed.
#[must_use]
pub fn one_machine(here: &[&Sample], samples: &Samples) -> Option<(Vec<Sample>, Sentence)> {
    let is_mixed = |sample: &&Sample| sample.mixed.iter().any(|column| MACHINE.contains(column));
    if !here.iter().any(is_mixed) {
        return None;
    }
    let mut newest: Option<(i64, u32)> = None;
    for trial in here.iter().flat_map(|sample| &sample.trials) {
        newest = newest.max(Some((trial.started_at_us, trial.run)));
    }
    let (_, newest) = newest?;
    let machine = |label: &Label| MACHINE.map(|column| label.get(column).unwrap_or_default().to_owned());
    let of_run = |sample: &Sample, run: u32| -> [String; 6] {
        let own = sample.others.iter().find(|(other, _)| *other == run).map(|(_, label)| label);
        machine(own.unwrap_or(&sample.label))
    };
    let shown = here.iter().find(|sample| sample.trials.iter().any(|trial| trial.run == newest))?;
    let shown = of_run(shown, newest);
    let mut left_out: Vec<u32> = Vec::new();
    let mut kept = Vec::new();
    for sample in here {
        let mut one = (*sample).clone();
        one.trials.retain(|trial| {
            let is_shown = of_run(sample, trial.run) == shown;
            if !is_shown && !left_out.contains(&trial.run) {
                left_out.push(trial.run);
            }
            is_shown
        });
        one.failures.retain(|failure| of_run(sample, failure.run) == shown);
        if let Some(first) = one.trials.first() {
            let label = sample.others.iter().find(|(run, _)| *run == first.run).map(|(_, label)| label);
            if let Some(label) = label {
                one.label = label.clone();
            }
        }
        one.mixed.retain(|column| !MACHINE.contains(column));
        if !one.trials.is_empty() || !one.failures.is_empty() {
            kept.push(one);
        }
    }
    let runs: Vec<String> =
        left_out.iter().filter_map(|run| samples.runs.get(*run as usize).cloned()).collect();
    let those = if runs.len() == 1 { "those of run" } else { "those of the runs" };
    let differs: Vec<String> = MACHINE
        .iter()
        .filter(|column| here.iter().any(|sample| sample.mixed.contains(column)))
        .map(|column| (*column).to_owned())
        .collect();
    let said = Sentence::new(
        "Runs on different machines:",
        format!(
            "only the trials of the newest run's machine are shown; {those} {} are left out ({} differ).",
            list(&runs, 4),
            list(&differs, 3)
        ),
    );
    Some((kept, said))
}
