//! `orchestrate plan`: what would be executed, in which order, and how long it may take.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::analysis::compare::needed;
use crate::cli::PlanArgs;
use crate::commands::load::load;
use crate::commands::{Exit, Failure, console};
use crate::experiment::{Experiment, Factor, Order, Repetitions, Settings};
use crate::plan::{Plan, PlannedTrial};
use crate::units::Nanos;

/// The first line of `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    experiment: &'a str,
    cells: u64,
    /// At most.
    trials: u64,
    least_trials: u64,
    repetitions: Range,
    control: bool,
    order: Order,
    seed: u64,
    /// At most.
    estimated_ns: Nanos,
}

/// How often every cell is executed.
#[derive(Serialize)]
struct Range {
    min: u32,
    max: u32,
    /// The precision, relative to the median, at which no further block is begun.
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<f64>,
}

/// A further line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    position: u64,
    repetition: u32,
    cell: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    control_of: Option<String>,
    settings: &'a Settings,
}

pub(super) fn plan(args: &PlanArgs) -> Result<Exit, Failure> {
    let loaded = load(&args.file)?;
    let plan = Plan::new(&loaded.experiment);
    // A million lines must not be a million system calls.
    let mut out = BufWriter::new(console::stdout());
    if args.json {
        json(&mut out, &plan, args.count)?;
    } else {
        summary(&mut out, &loaded.experiment, &plan)?;
        if !args.count {
            list(&mut out, &plan)?;
        }
    }
    out.flush()?;
    Ok(Exit::Complete)
}

fn json(out: &mut impl Write, plan: &Plan<'_>, count: bool) -> io::Result<()> {
    let run = &plan.experiment().run;
    let summary = Summary {
        experiment: &plan.experiment().name,
        cells: plan.cell_count(),
        trials: plan.trial_count(),
        least_trials: plan.trials_in(plan.least_blocks()),
        repetitions: Range {
            min: plan.least_blocks(),
            max: plan.blocks(),
            until: match run.repetitions {
                Repetitions::Fixed(_) => None,
                Repetitions::Until { precision, .. } => Some(precision),
            },
        },
        control: plan.has_control(),
        order: run.order,
        seed: run.seed,
        estimated_ns: plan.estimate(plan.blocks()),
    };
    line(out, &summary)?;
    if !count {
        for PlannedTrial { cell, repetition, position } in plan.trials() {
            let settings = &cell.settings;
            let control_of = cell.control_of.map(|cell| cell.to_string());
            line(out, &Line { position, repetition, cell: cell.id.to_string(), control_of, settings })?;
        }
    }
    Ok(())
}

/// One line of JSON.
fn line<T: Serialize>(out: &mut impl Write, value: &T) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

fn summary(out: &mut impl Write, experiment: &Experiment, plan: &Plan<'_>) -> io::Result<()> {
    let control = if plan.has_control() { ", the last one the control" } else { "" };
    let estimate = |blocks| super::progress::rough(plan.estimate(blocks).duration());
    let mut estimated = estimate(plan.blocks());
    if plan.least_blocks() < plan.blocks() {
        estimated = format!("{} to {estimated}", estimate(plan.least_blocks()));
    }
    writeln!(out, "experiment  {}", experiment.name)?;
    if let Some(question) = &experiment.question {
        writeln!(out, "question    {question}")?;
    }
    writeln!(out, "cells       {}{control}", plan.cell_count())?;
    writeln!(out, "repetitions {}", experiment.run.repetitions)?;
    writeln!(out, "trials      {}", trials(plan, 0))?;
    writeln!(out, "order       {}, seed {}", experiment.run.order, experiment.run.seed)?;
    writeln!(out, "estimated   {estimated} (assuming 20,000 operations/s and clients that start quickly)")?;
    too_few(plan).map_or(Ok(()), |note| writeln!(out, "note        {note}"))
}

/// What to know before spending time on two runs of this plan to compare: without enough repetitions no cell gets a verdict,
/// however far apart the runs are. The control is not one of the cells compared.
pub(super) fn too_few(plan: &Plan<'_>) -> Option<String> {
    let cells = plan.cell_count() - u64::from(plan.has_control());
    let (has, takes) = (plan.least_blocks(), needed(usize::try_from(cells).unwrap_or(usize::MAX)));
    let are = if has == 1 { "repetition is" } else { "repetitions are" };
    let cells = if cells == 1 { "1 cell".to_owned() } else { format!("{cells} cells") };
    ((has as usize) < takes).then(|| {
        format!(
            "{has} {are} too few for a verdict between two runs of {cells}: `compare` needs {takes} or more per cell"
        )
    })
}

/// How many trials there are, `120` or `24 to 120`, in a run that has done `done` of them.
pub(super) fn trials(plan: &Plan<'_>, done: u64) -> String {
    match (plan.trials_in(plan.least_blocks()).max(done), plan.trial_count()) {
        (least, most) if least < most => format!("{least} to {most}"),
        (_, trials) => trials.to_string(),
    }
}

fn list(out: &mut impl Write, plan: &Plan<'_>) -> io::Result<()> {
    let mut shown = plan.varying();
    for always in [Factor::Workers, Factor::Mode] {
        if !shown.contains(&always) {
            shown.insert(0, always);
        }
    }
    writeln!(out)?;
    for PlannedTrial { cell, repetition, position } in plan.trials() {
        write!(out, "{position:>7}  {}  repetition {repetition:<3}", cell.id)?;
        for &factor in &shown {
            write!(out, "  {} {}", label(factor), factor.show(&cell.settings))?;
        }
        if cell.control_of.is_some() {
            write!(out, "  (control)")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// The last word of a factor's name, in the singular.
fn label(factor: Factor) -> &'static str {
    match factor {
        Factor::Mode => "mode",
        Factor::Server => "server",
        other => other.name().rsplit('.').next().unwrap_or_default(),
    }
}
