//! `orchestrate check`: what is wrong with experiment files.

use std::io::Write;

use crate::cli::{CheckArgs, TalkArgs};
use crate::commands::load::load;
use crate::commands::plan::{too_few, trials};
use crate::commands::{Exit, Failure, console};
use crate::plan::Plan;

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
