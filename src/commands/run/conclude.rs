//! The end of a run: its tables, its page, and what the console says of them.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use anyhow::anyhow;
use jiff::Timestamp;
use tracing::warn;

use super::WAIT;
use super::keeper::{Keeper, Kept};
use crate::cli::TalkArgs;
use crate::commands::console::{self, say};
use crate::commands::report::{REPORT, write_page};
use crate::commands::stop::Rule;
use crate::commands::{Exit, Failure};
use crate::plan::Plan;
use crate::report::model::Report;
use crate::report::numbers::count;
use crate::report::{of_run, terminal};
use crate::results::ResultsError;
use crate::results::provenance::{End, EndReason, StopReason};
use crate::results::rebuild::{Rebuilt, rebuild};
use crate::results::run_dir::Resumed;
use crate::run;
use crate::workload::{Kind, noun};

/// Writes down how the session ended, makes the tables, and shows the one of the article. How the run went does not depend on
/// whether anybody can read the table, but a failure to print it is reported.
pub(super) fn conclude(
    mut keeper: Keeper<'_>,
    end: Result<run::End, run::RunError>,
) -> Result<Exit, Failure> {
    keeper.progress.end();
    if let Some(refusal) = keeper.refusal.take() {
        return Err(refusal);
    }
    let Kept::Here(directory, mut journal) = std::mem::replace(&mut keeper.kept, Kept::Nothing) else {
        return match end {
            Ok(_) => Ok(Exit::Interrupted),
            Err(error) if error.is_in_use() => Err(Failure::Unavailable(anyhow!("{error}; {WAIT}"))),
            Err(error) => Err(Failure::Unavailable(error.into())),
        };
    };
    let why = match &end {
        Ok(run::End::Complete { .. }) => EndReason::Complete,
        Ok(run::End::Interrupted) => EndReason::Interrupted,
        Err(run::RunError::Keep(_)) => EndReason::NotKept,
        Err(_) => EndReason::HostLost,
    };
    let stop_reason = match &end {
        Ok(run::End::Complete { .. }) => keeper.rule.reason(),
        _ => StopReason::Interrupted,
    };
    let error = end.as_ref().err().map(ToString::to_string);
    let kept = journal
        .end(&End { why, stop_reason: Some(stop_reason), error, at: Timestamp::now() })
        .map_err(ResultsError::from)
        .and_then(|()| rebuild(directory.path()));
    let mut unprinted = None;
    match (&end, kept) {
        (_, Ok(rebuilt)) => {
            unprinted = present(keeper.plan, directory.path(), &rebuilt).err();
        }
        (Ok(end), Err(error)) => {
            let then = match end {
                run::End::Complete { .. } => "writes the tables and measures nothing again",
                run::End::Interrupted => "continues the run",
            };
            return Err(unwritten(&error, then));
        }
        // What ended the run is the cause, and that nothing more can be kept only follows from it.
        (Err(_), Err(error)) => warn!(%error, "the tables could not be written"),
    }
    if let Ok(run::End::Complete { skipped, .. }) = end
        && skipped > 0
    {
        let trials = count(skipped as usize, "trial");
        say(
            keeper.talk,
            &format!("{trials} skipped: once their modes are available, the same command adds them"),
        );
    }
    let exit = match end {
        Ok(run::End::Complete { failed: 0, .. }) => Exit::Complete,
        Ok(run::End::Complete { failed, refused, .. }) => {
            if failed > refused {
                let trials = count((failed - refused) as usize, "trial");
                say(keeper.talk, &format!("{trials} failed; the same command tries again"));
            }
            if refused > 0 {
                let trials = count(refused as usize, "trial");
                let how = "where the mode cannot do what the file asks for (see the column `error`): change that, or \
                           leave these cells out with `exclude`";
                say(keeper.talk, &format!("{trials} failed {how}"));
            }
            Exit::TrialsFailed
        }
        Ok(run::End::Interrupted) => {
            say(keeper.talk, "interrupted; the same command continues");
            Exit::Interrupted
        }
        Err(error) => return Err(Failure::Unavailable(error.into())),
    };
    unprinted.map_or(Ok(exit), Err)
}

/// Finishes a run of which only the tables are missing, without any host.
pub(super) fn write_tables(plan: &Plan<'_>, resumed: Resumed, talk: &TalkArgs) -> Result<Exit, Failure> {
    let Resumed { directory, mut journal, state, .. } = resumed;
    let path = directory.path();
    let text = format!(
        "{} has all of these trials and lacks its tables: writing them, measuring nothing",
        path.display()
    );
    say(talk, &text);
    let ended = if state.is_complete() {
        Ok(())
    } else {
        let stop_reason = Some(Rule::resumed(plan, &state).reason());
        journal.end(&End { why: EndReason::Complete, stop_reason, error: None, at: Timestamp::now() })
    };
    let rebuilt = ended.map_err(ResultsError::from).and_then(|()| rebuild(path));
    let rebuilt =
        rebuilt.map_err(|error| unwritten(&error, "writes the tables and measures nothing again"))?;
    present(plan, path, &rebuilt)?;
    Ok(Exit::Complete)
}

/// Why a run has no tables, and what to do.
fn unwritten(error: &ResultsError, then: &str) -> Failure {
    Failure::Unavailable(anyhow!(
        "{error}; every trial is in the journal: mend this (free space, make the directory writable, or move away what is \
         in the way), and the same command {then}"
    ))
}

/// Writes the page of a run whose tables are written, and prints the table of the article.
fn present(plan: &Plan<'_>, directory: &Path, rebuilt: &Rebuilt) -> Result<(), Failure> {
    let report = of_run(rebuilt, plan.experiment().question.clone());
    // The page can be made again from the tables, so a run is kept without it as well.
    if let Err(error) = write_page(&report, &directory.join(REPORT)) {
        let again = format!("orchestrate report {}", directory.display());
        warn!(error = format!("{error:#}"), "the report could not be written: `{again}` writes it");
    }
    match show(plan, directory, &report) {
        // Somebody who pipes the table into `head` has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Unavailable(anyhow!(
            "the run is kept in {}, but its table could not be printed: {error}",
            directory.display()
        ))),
        _ => Ok(()),
    }
}

/// The answer and the table, and where the files are.
fn show(plan: &Plan<'_>, directory: &Path, report: &Report) -> io::Result<()> {
    let experiment = plan.experiment();
    let mut out = console::styled_stdout();
    let kinds: BTreeSet<Kind> = plan.cells().map(|cell| cell.settings.workload.kind).collect();
    let each: Vec<&str> = kinds.iter().map(|kind| kind.workload().operation).collect();
    let each = if each.is_empty() { String::new() } else { format!(", each {}", each.join(", or ")) };
    let noun = noun(kinds.iter().copied());
    writeln!(out, "{}: {noun}/s{each}", experiment.name)?;
    if let Some(question) = &experiment.question {
        writeln!(out, "{question}")?;
    }
    for section in &report.sections {
        writeln!(out, "\n{}", terminal::text(section, console::width()))?;
    }
    writeln!(out, "{}/", directory.display())?;
    writeln!(out, "  report.html  answer, pictures, ranking    trials.csv   a row for every attempt")?;
    writeln!(out, "  summary.csv  a row for every cell         latency.csv  quantiles of every cell")?;
    writeln!(out, "  run.json     where the numbers come from")?;
    out.flush()
}
