//! `orchestrate modes`: the ways of talking to Redis that a file may name, and what each can do.

use std::io::{self, Write};

use comfy_table::{Table, TableStyle};
use serde::Serialize;

use crate::cli::ModesArgs;
use crate::commands::load::load;
use crate::commands::{Exit, Failure, console};
use crate::driver::{BUILTIN, MODES};
use crate::experiment::{Absent, shipped};
use crate::report::terminal::fit;
use crate::workload::Kind;

/// What is said about a mode. `None`: only its driver knows.
#[derive(Serialize)]
struct Row {
    name: String,
    client: Option<&'static str>,
    concurrency: Option<&'static str>,
    pipeline: Option<bool>,
    rate: Option<bool>,
    workloads: Vec<&'static str>,
    /// Whether a matrix that names no modes includes it.
    default: bool,
    summary: String,
}

pub(super) fn modes(args: &ModesArgs) -> Result<Exit, Failure> {
    let mut rows: Vec<Row> = MODES
        .iter()
        .map(|mode| Row {
            name: mode.name.to_owned(),
            client: Some(mode.client),
            concurrency: Some(mode.concurrency),
            pipeline: Some(mode.can_pipeline),
            rate: Some(mode.can_rate),
            workloads: names(mode.workloads),
            default: mode.by_default,
            summary: mode.summary.to_owned(),
        })
        .collect();
    if let Some(file) = &args.file {
        rows.extend(load(file)?.experiment.modes.into_iter().map(|(name, mode)| Row {
            name,
            client: None,
            concurrency: None,
            pipeline: None,
            rate: None,
            workloads: names(&mode.workloads),
            default: false,
            summary: mode.command.join(" "),
        }));
    }
    let mut out = console::stdout();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &rows).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        writeln!(out, "{}", table(&rows))?;
        if rows.iter().any(|row| row.client.is_none()) {
            writeln!(out, "\n?: only the driver knows, and it is asked when a run begins")?;
        }
        writeln!(
            out,
            "\nModes and servers in files inside this program, which an experiment includes at its top:"
        )?;
        for (include, modes) in shipped::includes() {
            writeln!(out, "  {:<39} {}", format!("include = [\"{include}\"]"), modes.join(", "))?;
        }
        for Absent { feature, modes } in BUILTIN.absent {
            writeln!(out, "\nnot in this build: {} (build it with --features {feature})", modes.join(", "))?;
        }
    }
    Ok(Exit::Complete)
}

fn names(workloads: &[Kind]) -> Vec<&'static str> {
    workloads.iter().map(|kind| kind.name()).collect()
}

/// As wide as the terminal, if it goes there: a wider table wraps the texts of its columns.
fn table(rows: &[Row]) -> Table {
    let able = |can: Option<bool>| match can {
        Some(true) => "yes",
        Some(false) => "no",
        None => "?",
    };
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_header([
        "Mode",
        "Client",
        "Workers are",
        "Pipeline",
        "Rate",
        "Workloads",
        "Default",
        "What it does",
    ]);
    for row in rows {
        table.add_row([
            row.name.as_str(),
            row.client.unwrap_or("?"),
            row.concurrency.unwrap_or("?"),
            able(row.pipeline),
            able(row.rate),
            &row.workloads.join(", "),
            able(Some(row.default)),
            row.summary.as_str(),
        ]);
    }
    fit(&mut table, console::terminal_width(), &["Workers are", "Workloads", "What it does"]);
    table
}
