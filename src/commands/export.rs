//! `orchestrate export`: rewrites every other file of a run from its journal, or its results in the format of another tool.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::anyhow;

use crate::cli::{ExportArgs, ExportFormat, TalkArgs};
use crate::commands::report::write_whole;
use crate::commands::{Exit, Failure, console};
use crate::report::{markdown, of_run};
use crate::results::export::bencher::bencher;
use crate::results::export::github_action_benchmark::{github_action_benchmark, tool};
use crate::results::export::hdr::hdr;
use crate::results::export::{Exported, ExportedCell};
use crate::results::journal::Torn;
use crate::results::rebuild::rebuild;
use crate::results::run_cells::RunCells;
use crate::results::run_dir::named_runs;

pub(super) fn export(args: &ExportArgs, talk: &TalkArgs) -> Result<Exit, Failure> {
    let mut runs = Vec::new();
    for path in &args.runs {
        let named = named_runs(path)?;
        if named.is_empty() {
            return Err(Failure::Wrong(anyhow!(
                "{} is not a run: neither it nor any directory in it has a journal.jsonl",
                path.display()
            )));
        }
        runs.extend(named);
    }
    if let Some(format) = args.format {
        return for_another_tool(args, format, &runs, talk);
    }
    for run in &runs {
        let rebuilt = rebuild(run)?;
        let mut out = console::styled_stdout();
        if args.markdown {
            for section in of_run(&rebuilt, None).sections {
                writeln!(out, "{}", markdown::cells(&section.cells, &section.details.notes))?;
            }
        } else {
            writeln!(out, "{}: {} rows, {} cells", run.display(), rebuilt.attempts, rebuilt.cells.len())?;
        }
        say_torn(run, rebuilt.torn)?;
    }
    Ok(Exit::Complete)
}

fn for_another_tool(
    args: &ExportArgs,
    format: ExportFormat,
    runs: &[PathBuf],
    talk: &TalkArgs,
) -> Result<Exit, Failure> {
    let [run] = runs else {
        return Err(Failure::Wrong(anyhow!(
            "--format takes one run: a cell has the same name in each, and this format could not distinguish them"
        )));
    };
    let cells = RunCells::read(run)?;
    say_torn(run, cells.torn)?;
    let exported = Exported::of(&cells.provenance.experiment, &cells.cells);
    for remark in &exported.remarks {
        console::say(talk, &format!("note: {remark}"));
    }
    let is_exported = |cell: &ExportedCell<'_>| match format {
        ExportFormat::GithubActionBenchmark => cell.estimate(args.metric).is_some(),
        ExportFormat::Bencher => true,
        ExportFormat::Hdr => cell.has_latencies(),
    };
    if !exported.cells.iter().any(is_exported) {
        return Err(Failure::Wrong(anyhow!("{}: nothing to export in this format", run.display())));
    }
    let text = match format {
        ExportFormat::GithubActionBenchmark => {
            console::say(talk, &format!("note: the action's input is `tool: {}`", tool(args.metric)));
            github_action_benchmark(&exported, args.metric).into_bytes()
        }
        ExportFormat::Bencher => bencher(&exported).into_bytes(),
        ExportFormat::Hdr => hdr(&exported, &cells)?,
    };
    match &args.output {
        Some(path) => write_whole(path, &text)?,
        None => console::styled_stdout().write_all(&text)?,
    }
    Ok(Exit::Complete)
}

fn say_torn(run: &Path, torn: Option<Torn>) -> Result<(), Failure> {
    if let Some(torn) = torn {
        writeln!(anstream::stderr(), "{}: line {} of the journal is torn", run.display(), torn.line)?;
    }
    Ok(())
}
