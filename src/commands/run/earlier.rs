//! An earlier run of the same experiment: whether this one continues it, only writes its tables, or starts anew.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use jiff::Timestamp;

use crate::cli::TalkArgs;
use crate::commands::Failure;
use crate::commands::console::say;
use crate::commands::load::{Loaded, reload};
use crate::commands::plan::trials;
use crate::commands::stop::Rule;
use crate::plan::{CellId, Plan};
use crate::record::Status;
use crate::report::numbers::count;
use crate::results::differences::{Difference, differences};
use crate::results::journal::{self, Reader};
use crate::results::progress::{self as done, RunState};
use crate::results::rebuild::is_rebuilt;
use crate::results::run_dir::{JOURNAL, Resumed, RunDir, runs};
use crate::run::Past;

/// An earlier run that is not over.
pub(super) enum Earlier {
    /// This plan has something to add to it.
    Unfinished {
        resumed: Box<Resumed>,
        /// Trials of this plan that are done there.
        done: u64,
        /// Whether it has all trials of its own plan.
        was_through: bool,
    },
    /// Every trial of this plan is done there, but its tables do not have all of them: a disk was full, or the program was
    /// killed in between.
    Unwritten(Box<Resumed>),
}

/// The newest run of this experiment on this machine, if this plan has trials that are not done there or its tables are not
/// written.
///
/// Only the newest one: whoever finished a newer run has abandoned the older ones. And only on this machine: results travel in
/// repositories, and numbers of two machines do not belong in one run.
pub(super) fn earlier(
    results: &Path,
    file: &Path,
    loaded: &Loaded,
    plan: &Plan<'_>,
    talk: &TalkArgs,
) -> Result<Option<Earlier>, Failure> {
    let here = |run: &PathBuf| begun_on(run).is_none_or(|host| host == hostname());
    let Some(newest) = runs(results, &loaded.experiment.name)?.into_iter().find(here) else {
        return Ok(None);
    };
    let Some(before) = reload(&newest) else {
        say(talk, &format!("{}: cannot be read by this version, starting anew", newest.display()));
        return Ok(None);
    };
    let resumed = RunDir::resume(&newest, &hostname(), Timestamp::now())?;
    let state = &resumed.state;
    if let Some(torn) = resumed.torn {
        say(talk, &format!("{}: cut off a torn line {} of the journal", newest.display(), torn.line));
    }
    if resumed.journal.repeated() > 0 {
        let lines = count(resumed.journal.repeated() as usize, "line");
        let text = format!("{}: left out {lines} that the journal has twice", newest.display());
        say(talk, &text);
    }
    if let Some(prefix) = killed_with_keys(state) {
        let text = format!(
            "{}: its last session was killed; on servers that others run, keys that begin with `{prefix}` may be left",
            newest.display()
        );
        say(talk, &text);
    }
    let changes = differences(&before, &loaded.experiment);
    if is_through(plan, state) {
        let is_over = state.is_complete() && is_rebuilt(&newest, state);
        if !is_over && changes.is_empty() {
            return Ok(Some(Earlier::Unwritten(Box::new(resumed))));
        }
        if state.is_complete() {
            say(talk, &format!("{} has all of these trials: starting a new run", newest.display()));
            return Ok(None);
        }
    }
    let before = Plan::new(&before);
    let was_through = is_through(&before, state);
    // Without a cell in common this is another experiment, which happens to have the same name.
    let joins = have_a_cell_in_common(&before, plan);
    if changes.is_empty() && joins {
        let done = count_done(plan, &state.progress, plan.blocks());
        let of = trials(plan, done);
        say(talk, &format!("continuing {}: {done} of {of} trials were done", newest.display()));
        return Ok(Some(Earlier::Unfinished { resumed: Box::new(resumed), done, was_through }));
    }
    if was_through {
        let why = if joins {
            "settings that affect the measurement have changed since the last run"
        } else {
            "this file has no cell in common with the last run"
        };
        say(talk, &format!("{why}: starting anew"));
        return Ok(None);
    }
    let begun_from = state.last_session.as_ref().and_then(|session| session.file.as_deref());
    let another = begun_from.filter(|begun_from| Path::new(begun_from) != file);
    let of = another.map_or_else(String::new, |another| format!(", begun from {another},"));
    let newest = newest.display();
    if !changes.is_empty() {
        let or =
            if another.is_some() { "give this experiment another `name`" } else { "change the file back" };
        return Err(measures_something_else(&format!("{newest}{of}"), &changes, or));
    }
    Err(Failure::Wrong(anyhow!(
        "the unfinished run {newest}{of} has the name `{}`, too, and no cell in common with {}: give this \
         experiment another `name`, or use --fresh to leave that run as it is and start anew",
        loaded.experiment.name,
        file.display()
    )))
}

/// The prefix of the keys that a session may have left on servers that others run, because it was killed.
fn killed_with_keys(state: &RunState) -> Option<&str> {
    let session = state.last_session.as_ref().filter(|_| state.end.is_none())?;
    session.key_prefix.as_deref()
}

pub(super) fn measures_something_else(run: &str, changes: &[Difference], or: &str) -> Failure {
    let list: String = changes.iter().map(|change| format!("\n  {change}")).collect();
    Failure::Wrong(anyhow!(
        "the unfinished run {run} measures something else:{list}\n\
         its numbers and new ones cannot stand in one table: use --fresh to start anew, or {or}"
    ))
}

fn have_a_cell_in_common(one: &Plan<'_>, other: &Plan<'_>) -> bool {
    let cells: HashSet<u64> = one.cells().map(|cell| cell.id.as_u64()).collect();
    other.cells().any(|cell| cells.contains(&cell.id.as_u64()))
}

/// The name of the machine that `local` was when a run was begun.
fn begun_on(run: &Path) -> Option<String> {
    let first = Reader::open(&run.join(JOURNAL)).ok()?.next()?.ok()?;
    match first.event {
        journal::Event::Session(session) => session.hosts.get("local").map(|facts| facts.hostname.clone()),
        _ => None,
    }
}

/// Whether a run has all trials of its plan, or of as many blocks as are enough.
fn is_through(plan: &Plan<'_>, state: &RunState) -> bool {
    let mut rule = Rule::resumed(plan, state);
    let blocks = rule.due();
    count_done(plan, &state.progress, blocks) == plan.trials_in(blocks) && rule.is_enough(blocks)
}

/// How many trials of the first blocks ended well.
fn count_done(plan: &Plan<'_>, progress: &done::Progress, blocks: u32) -> u64 {
    if progress.attempted() == 0 {
        return 0;
    }
    let repetitions = |cell: CellId| (1..=blocks).filter(move |&r| past(progress, cell, r).done).count();
    plan.cells().map(|cell| repetitions(cell.id) as u64).sum()
}

/// A trial is done when it ended well; one that failed is tried again by the same command.
pub(super) fn past(progress: &done::Progress, cell: CellId, repetition: u32) -> Past {
    progress.of(cell.as_u64(), repetition).map_or_else(Past::default, |standing| Past {
        done: standing.last == Status::Ok,
        attempts: standing.attempts,
    })
}

pub(super) fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
