//! `orchestrate export`: every other file of a run, anew from its journal.

use std::io::Write;

use crate::cli::ExportArgs;
use crate::commands::{Exit, Failure};
use crate::report::table;
use crate::results::rebuild::rebuild;

pub(super) fn export(args: &ExportArgs) -> Result<Exit, Failure> {
    for run in &args.runs {
        let rebuilt = rebuild(run)?;
        let mut out = anstream::stdout();
        if args.markdown {
            writeln!(out, "{}", table::markdown(&rebuilt.cells, &rebuilt.controls))?;
        } else {
            writeln!(out, "{}: {} rows, {} cells", run.display(), rebuilt.attempts, rebuilt.cells.len())?;
        }
        if let Some(torn) = rebuilt.torn {
            writeln!(anstream::stderr(), "{}: line {} of the journal is torn", run.display(), torn.line)?;
        }
    }
    Ok(Exit::Complete)
}
