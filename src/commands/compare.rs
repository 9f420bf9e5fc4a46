//! `orchestrate compare`: which cells grew faster or slower, as far as the trials tell.

use std::io::Write;
use std::path::PathBuf;

use anyhow::anyhow;

use crate::analysis::compare::{Comparison, compare as decide};
use crate::analysis::gate::Gate;
use crate::analysis::pairs::{Pairs, by_cell, by_factor};
use crate::analysis::samples::Samples;
use crate::cli::{CompareArgs, Contrast, TalkArgs};
use crate::commands::{Exit, Failure, console};
use crate::report::compare::{markdown, text};
use crate::report::compare_data::{csv, json};
use crate::report::gate::{may_hide, slower, undecided};
use crate::report::sides::{RunLabels, Sides};
use crate::results::read::{ReadError, samples, tables};
use crate::results::sidecar_files::labels;

pub(super) fn compare(args: &CompareArgs, talk: &TalkArgs) -> Result<Exit, Failure> {
    let (pairs, remarks): (Pairs<'_>, Vec<String>);
    let (base, new): (Samples, Samples);
    let sides: Sides;
    if let Some(contrast) = &args.factor {
        base = samples(&args.paths).map_err(unreadable)?;
        let all: Vec<_> = base.samples.iter().collect();
        pairs = by_factor(&all, &contrast.factor, &contrast.base, &contrast.new)
            .map_err(|error| Failure::Wrong(error.into()))?;
        sides = Sides::of_levels(pairs.factor.unwrap_or_default(), &contrast.base, &contrast.new);
        remarks = base.remarks.clone();
    } else {
        let [base_path, new_path] = two(&args.paths)?;
        base = samples(std::slice::from_ref(base_path)).map_err(unreadable)?;
        new = samples(std::slice::from_ref(new_path)).map_err(unreadable)?;
        pairs = by_cell(&base, &new);
        sides = Sides::of_labels(&labels_of(base_path)?, &labels_of(new_path)?);
        remarks = [base.remarks.as_slice(), &new.remarks].concat();
    }
    for remark in &remarks {
        console::say(talk, &format!("note: {remark}"));
    }
    let comparison = decide(&pairs, args.metric);
    show(args, &comparison, &sides, &remarks)?;
    if comparison.cells.is_empty() {
        return Err(Failure::Wrong(match &args.factor {
            None => anyhow!("nothing to compare: no cell is on both sides"),
            Some(Contrast { factor, base, new }) => anyhow!(
                "nothing to compare: no cell with {factor} `{base}` has exactly one partner with {factor} `{new}` \
                 that is the same in all else"
            ),
        }));
    }
    if comparison.cells.iter().all(|cell| cell.ratio.is_none()) {
        return Err(Failure::Wrong(anyhow!(
            "nothing to compare: no cell has {} on both sides",
            args.metric.column()
        )));
    }
    Ok(verdict(args, &comparison, talk))
}

fn two(paths: &[PathBuf]) -> Result<&[PathBuf; 2], Failure> {
    paths.try_into().map_err(|_| {
        Failure::Wrong(anyhow!(
            "a comparison takes BASE and NEW, not {}: put a pattern in quotation marks, or ask for two levels with \
             --factor",
            match paths.len() {
                1 => "one path".to_owned(),
                many => format!("{many} paths"),
            }
        ))
    })
}

fn unreadable(error: ReadError) -> Failure {
    Failure::Unavailable(error.into())
}

/// The labels of the runs that a path leads to.
fn labels_of(path: &PathBuf) -> Result<RunLabels, Failure> {
    Ok(labels(&tables(std::slice::from_ref(path)).map_err(unreadable)?))
}

fn show(
    args: &CompareArgs,
    comparison: &Comparison,
    sides: &Sides,
    remarks: &[String],
) -> Result<(), Failure> {
    let mut out = console::styled_stdout();
    if args.csv {
        out.write_all(&csv(comparison))?;
    } else if args.json {
        out.write_all(json(comparison, sides, remarks, args.fail_on_slower).as_bytes())?;
    } else if args.markdown {
        out.write_all(markdown(comparison, sides, args.fail_on_slower).as_bytes())?;
    } else {
        out.write_all(text(comparison, sides, console::terminal_width()).as_bytes())?;
    }
    Ok(out.flush()?)
}

/// Being slower is a failure only where that was asked for, and then so is what cannot be judged, with a status of its own.
fn verdict(args: &CompareArgs, comparison: &Comparison, talk: &TalkArgs) -> Exit {
    let Some(limit) = args.fail_on_slower else { return Exit::Complete };
    let gate = Gate::of(comparison, limit);
    let slower = slower(comparison, &gate, limit);
    let undecided = undecided(comparison, &gate, limit);
    if let Some(note) = may_hide(comparison, &gate, limit) {
        console::say(talk, &format!("note: {note}"));
    }
    if let Some(slower) = &slower {
        console::fail(talk, &console::error(&anyhow!("{slower}")));
    }
    match &undecided {
        Some(undecided) if args.allow_undecided => console::say(talk, &format!("note: {undecided}")),
        Some(undecided) => {
            let remedy = match gate.needed() {
                Some(need) => format!("measure with at least {need} repetitions"),
                None => "measure them again".to_owned(),
            };
            let or = "or pass --allow-undecided to let them pass";
            console::fail(talk, &console::error(&anyhow!("{undecided}\n  {remedy}, {or}")));
        }
        None => {}
    }
    match (slower, undecided) {
        (Some(_), _) => Exit::SLOWER,
        (None, Some(_)) if !args.allow_undecided => Exit::Undecided,
        _ => Exit::Complete,
    }
}
