//! What accompanies the trials of a run: its question, its provenance, its latency quantiles. Any of it may be missing,
//! which is remarked and never an error.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::experiment::Labels;
use crate::results::csv::meant;
use crate::results::provenance::Provenance;
use crate::results::run_dir::EXPERIMENT;
use crate::untrusted::{NAME, excerpt, lines, one_line};

/// The files next to a `trials.csv`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SidecarFiles {
    /// The name of the experiment, if any of them gives it.
    pub experiment: Option<String>,
    /// What the experiment was to find out.
    pub question: Option<String>,
    /// Where the numbers come from.
    pub provenance: Option<Provenance>,
    /// Latency quantiles of cells.
    pub curves: Vec<Curve>,
    /// What is missing or cannot be read, one sentence each.
    pub remarks: Vec<String>,
}

/// The latency quantiles of a cell in a run, from its merged histogram.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Curve {
    /// The run.
    pub run_id: String,
    /// The experiment's name.
    pub experiment: String,
    /// The identity of the cell.
    pub cell: String,
    /// The client's machine.
    pub client_host: String,
    /// The server's machine.
    pub server_host: String,
    /// Quantiles from 0 to 1 with their latencies in microseconds.
    pub points: Vec<(f64, f64)>,
    /// Latencies in the histogram.
    pub count: u64,
}

/// The labels of the runs that these tables of trials belong to: each name with its values. A run without a `run.json` has
/// none, and neither has one of an earlier version.
#[must_use]
pub fn labels(tables: &[PathBuf]) -> BTreeMap<String, Vec<String>> {
    // Reads as little of the file as necessary: what a session says about its hosts and servers is large.
    #[derive(serde::Deserialize)]
    struct Run {
        sessions: Vec<Session>,
    }
    #[derive(serde::Deserialize)]
    struct Session {
        #[serde(default)]
        labels: Labels,
    }
    let of = |table: &PathBuf| serde_json::from_slice(&fs::read(table.with_file_name("run.json")).ok()?).ok();
    let runs: Vec<Run> = tables.iter().filter_map(of).collect();
    Labels::together(runs.iter().flat_map(|run| &run.sessions).map(|session| &session.labels))
}

/// What is in the directory of this `trials.csv`.
#[must_use]
pub fn sidecar_files(trials: &Path) -> SidecarFiles {
    let directory = trials.parent().unwrap_or_else(|| Path::new("."));
    let mut found = SidecarFiles::default();
    let file = |name: &str| directory.join(name);
    let missing = |what: &str, name: &str, error: &dyn std::fmt::Display| {
        format!("{what}: {} could not be read ({error})", file(name).display())
    };
    match fs::read_to_string(file(EXPERIMENT))
        .map_err(|error| error.to_string())
        .and_then(|text| text.parse::<toml::Table>().map_err(|error| error.message().to_owned()))
    {
        Ok(table) => {
            let text = |key| table.get(key).and_then(toml::Value::as_str);
            found.experiment = text("name").map(|name| one_line(name).into_owned());
            found.question = text("question").map(|question| lines(question).into_owned());
        }
        Err(error) => found.remarks.push(missing("No question", EXPERIMENT, &error)),
    }
    match fs::read(file("run.json"))
        .map_err(|error| error.to_string())
        .and_then(|text| serde_json::from_slice::<Provenance>(&text).map_err(|error| error.to_string()))
    {
        Ok(provenance) => {
            found.experiment = Some(provenance.experiment.clone());
            found.provenance = Some(provenance);
        }
        Err(error) => {
            found.remarks.push(missing(
                "Machines and versions are known only from the rows",
                "run.json",
                &error,
            ));
        }
    }
    match curves(&file("latency.csv")) {
        Ok(curves) => found.curves = curves,
        Err(error) => found.remarks.push(missing("No latency quantiles", "latency.csv", &error)),
    }
    found
}

fn curves(path: &Path) -> Result<Vec<Curve>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut reader = csv::Reader::from_reader(file);
    let header = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| {
        header.iter().position(|column| column == name).ok_or_else(|| format!("no column {name}"))
    };
    let names = ["run_id", "experiment", "cell", "client_host", "server_host"].map(column);
    let (quantile, latency, count) = (column("quantile")?, column("latency_us")?, column("count")?);
    let mut keys = [0; 5];
    for (key, name) in keys.iter_mut().zip(names) {
        *key = name?;
    }
    let mut curves: Vec<Curve> = Vec::new();
    let mut places: HashMap<[String; 5], usize> = HashMap::new();
    for row in reader.records() {
        let row = row.map_err(|error| error.to_string())?;
        let line = row.position().map_or(0, csv::Position::line);
        let number = |at: usize| -> Result<f64, String> {
            let text = row.get(at).unwrap_or_default();
            let value = text.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0);
            value.ok_or_else(|| format!("line {line}: `{}` is not a number", excerpt(text, NAME)))
        };
        let key = keys.map(|at| one_line(meant(row.get(at).unwrap_or_default())).into_owned());
        let place =
            *places.entry(key).or_insert_with_key(|[run_id, experiment, cell, client_host, server_host]| {
                curves.push(Curve {
                    run_id: run_id.clone(),
                    experiment: experiment.clone(),
                    cell: cell.clone(),
                    client_host: client_host.clone(),
                    server_host: server_host.clone(),
                    points: Vec::new(),
                    count: 0,
                });
                curves.len() - 1
            });
        curves[place].points.push((number(quantile)?, number(latency)?));
        curves[place].count = number(count)? as u64;
    }
    Ok(curves)
}
