//! `orchestrate export`: every other file of a run, anew from its journal.

use std::io::Write;

use crate::cli::ExportArgs;
use crate::commands::{Exit, Failure};
use crate::report::{markdown, of_run};
use crate::results::rebuild::rebuild;

pub(super) fn export(args: &ExportArgs) -> Result<Exit, Failure> {
    for run in &args.runs {
        let rebuilt = rebuild(run)?;
        let mut out = anstream::stdout();
        if args.markdown {
            for section in of_run(&rebuilt, None).sections {
                writeln!(out, "{}", markdown::cells(&section.cells, &section.details.notes))?;
            }
        } else {
            writeln!(out, "{}: {} rows, {} cells", run.display(), rebuilt.attempts, rebuilt.cells.len())?;
        }
        if let Some(torn) = rebuilt.torn {
            writeln!(anstream::stderr(), "{}: line {} of the journal is torn", run.display(), torn.line)?;
        }
    }
    Ok(Exit::Complete)
}
