//! `orchestrate check`: what is wrong with experiment files.

use std::io::Write;

use crate::cli::{CheckArgs, TalkArgs};
use crate::commands::load::load;
use crate::commands::plan::{too_few, trials};
use crate::commands::{Exit, Failure, console};
use crate::experiment::Experiment;
use crate::plan::Plan;
use crate::report::numbers::list;

pub(super) fn check(args: &CheckArgs, talk: &TalkArgs) -> Result<Exit, Failure> {
    let mut exit = Exit::Complete;
    for file in &args.files {
        match load(file) {
            Ok(loaded) => {
                let plan = Plan::new(&loaded.experiment);
                let (cells, trials) = (plan.cell_count(), trials(&plan, 0));
                let s = |n: u64| if n == 1 { "" } else { "s" };
                let (cs, ts) = (s(cells), s(plan.trial_count()));
                console::say(talk, &format!("{}: {cells} cell{cs}, {trials} trial{ts}", file.display()));
                for note in unnamed(&loaded.experiment) {
                    console::say(talk, &format!("note: {}: {note}", file.display()));
                }
                if let Some(note) = too_few(&plan) {
                    console::say(talk, &format!("note: {}: {note}", file.display()));
                }
            }
            // All errors of all files at once, too.
            Err(Failure::File(diagnostics)) => {
                writeln!(anstream::stderr(), "{}", diagnostics.render(console::colour()).trim_end())?;
                exit = Exit::Wrong;
            }
            Err(other) => return Err(other),
        }
    }
    Ok(exit)
}

/// What is defined and not used, because no matrix names any of its kind: easily taken for what is measured.
pub(super) fn unnamed(experiment: &Experiment) -> impl Iterator<Item = String> {
    experiment.unnamed().into_iter().map(|(kind, names)| {
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        format!(
            "no [[matrix]] names a {kind}, so {} {} not used: write `{kind}s = \"{}\"` there",
            list(&quoted, 3),
            if names.len() == 1 { "is" } else { "are" },
            names[0]
        )
    })
}
