//! `orchestrate plan`: what would be executed, in which order, and how long it may take.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::cli::PlanArgs;
use crate::commands::load::load;
use crate::commands::{Exit, Failure};
use crate::experiment::{Experiment, Factor, Order, Repetitions, Settings};
use crate::plan::{Plan, PlannedTrial};
use crate::units::Nanos;

/// The first line of `--json`.
#[derive(Serialize)]
struct Summary<'a> {
    experiment: &'a str,
    cells: u64,
    trials: u64,
    order: Order,
    seed: u64,
    estimated_ns: Nanos,
}

/// A further line of `--json`.
#[derive(Serialize)]
struct Line<'a> {
    position: u64,
    repetition: u32,
    cell: String,
    settings: &'a Settings,
}

pub(super) fn plan(args: &PlanArgs) -> Result<Exit, Failure> {
    let loaded = load(&args.file)?;
    let plan = Plan::new(&loaded.experiment);
    // A million lines must not be a million system calls.
    let mut out = BufWriter::new(io::stdout().lock());
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
        order: run.order,
        seed: run.seed,
        estimated_ns: plan.estimate(),
    };
    line(out, &summary)?;
    if !count {
        for PlannedTrial { cell, repetition, position } in plan.trials() {
            let cell_id = cell.id.to_string();
            line(out, &Line { position, repetition, cell: cell_id, settings: &cell.settings })?;
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
    let repetitions = match experiment.run.repetitions {
        Repetitions::Fixed(n) => n.to_string(),
        Repetitions::Until { min, max, .. } => format!("{min} to {max}"),
    };
    writeln!(out, "experiment  {}", experiment.name)?;
    if let Some(question) = &experiment.question {
        writeln!(out, "question    {question}")?;
    }
    writeln!(out, "cells       {}", plan.cell_count())?;
    writeln!(out, "repetitions {repetitions}")?;
    writeln!(out, "trials      {}", plan.trial_count())?;
    writeln!(out, "order       {}, seed {}", experiment.run.order, experiment.run.seed)?;
    writeln!(
        out,
        "estimated   {}, if a closed loop does 20,000 operations/s",
        super::progress::rough(plan.estimate().duration())
    )
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
            write!(out, "  {} {}", label(factor), cell.settings.show(factor))?;
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
