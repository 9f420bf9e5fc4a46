//! Makes every other file of a run from its journal. Can be repeated at any time and as often as desired.
//!
//! Three passes. The first looks for outliers only. The second writes the rows of the trials and collects what cells need,
//! except for their histograms, which are large. The third merges those cell by cell. So memory holds a few numbers for each
//! attempt, and as many histograms as there are threads.

use std::path::{Path, PathBuf};

use atomic_write_file::AtomicWriteFile;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::analysis::order;
use crate::analysis::samples::Samples;
use crate::analysis::summary::CellSummary;
use crate::record::Flag;
use crate::results::columns::cells::{QuantileRow, latency_columns, summary_columns};
use crate::results::columns::progress::PartRow;
use crate::results::columns::{Column, Context, progress, trials};
use crate::results::csv::Table;
use crate::results::datapackage;
use crate::results::error::{ResultsError, failed};
use crate::results::journal::{Event, Reader, Torn};
use crate::results::outlying::outlying;
use crate::results::progress::RunState;
use crate::results::provenance::Provenance;
use crate::results::run_cells::{Gathering, summaries};
use crate::results::run_dir::{JOURNAL, write_whole};
use crate::results::sampled::{Sampler, curves};
use crate::results::sidecar_files::Curve;

/// What [`rebuild`] writes before `run.json`.
const TABLES: [&str; 5] = ["trials.csv", "progress.csv", "summary.csv", "latency.csv", "datapackage.json"];

/// What was found on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebuilt {
    /// Every cell, in the order of the file; a control follows the cell that it repeats.
    pub cells: Vec<CellSummary>,
    /// The attempts as a reader of `trials.csv` would find them: what a report is made from.
    pub samples: Samples,
    /// The quantiles of latency as a reader of `latency.csv` would find them.
    pub curves: Vec<Curve>,
    /// Rows of `trials.csv`.
    pub attempts: u64,
    /// Where everything comes from.
    pub provenance: Provenance,
    /// A last line of the journal that is cut short: a run that was killed, or one that is writing at this moment.
    pub torn: Option<Torn>,
}

/// Writes `trials.csv`, `progress.csv`, `summary.csv`, `latency.csv`, `datapackage.json` and `run.json` into a run's
/// directory, each atomically.
///
/// # Errors
/// When the journal cannot be read or a file cannot be written.
pub fn rebuild(run: &Path) -> Result<Rebuilt, ResultsError> {
    let journal = run.join(JOURNAL);
    let mut reader = Reader::open(&journal)?;
    let heading = reader.heading().clone();
    let mut provenance = Provenance::new(&heading);
    let mut context = Context { run_id: heading.run_id, experiment: heading.experiment, stop_reason: None };

    let outlying = outlying(&journal).map_err(failed("read", &journal))?;
    let mut stop_reason = None;
    let mut gathering = Gathering::default();
    let mut attempts = 0;
    let mut sampler = Sampler::new();
    let mut trials = Output::open(run.join("trials.csv"), trials::columns(), &context)?;
    let mut parts = Output::open(run.join("progress.csv"), progress::columns(), &context)?;
    for entry in &mut reader {
        let entry = entry?;
        provenance.observe(&entry.event);
        let mut record = match entry.event {
            Event::Trial(record) => record,
            Event::Session(_) => {
                stop_reason = None;
                continue;
            }
            Event::End(end) => {
                stop_reason = end.stop_reason;
                continue;
            }
        };
        if outlying.contains(&attempts) {
            record.flags.push(Flag::Outlier);
        }
        trials.write(&record)?;
        sampler.add(&context, &record);
        PartRow::of(&record).try_for_each(|row| parts.write(&row))?;
        attempts += 1;
        gathering.add(&record, entry.span);
    }
    trials.finish()?;
    parts.finish()?;

    context.stop_reason = stop_reason;
    let (cells, spans) = gathering.into_parts();
    let mut cells = summaries(&journal, cells, spans)?;
    if let Some(session) = provenance.sessions.last() {
        order::sort(&mut cells, &session.modes);
    }
    let mut summary = Output::open(run.join("summary.csv"), summary_columns(), &context)?;
    cells.iter().try_for_each(|cell| summary.write(cell))?;
    summary.finish()?;
    let mut quantiles = Output::open(run.join("latency.csv"), latency_columns(), &context)?;
    cells.iter().flat_map(QuantileRow::of).try_for_each(|row| quantiles.write(&row))?;
    quantiles.finish()?;
    write_json(&run.join("datapackage.json"), &datapackage::describe(&context))?;
    write_json(&run.join("run.json"), &provenance)?;
    let samples =
        sampler.finish(&context).map_err(|error| failed("read", &journal)(std::io::Error::other(error)))?;
    let curves = curves(&context, &cells);
    Ok(Rebuilt { cells, samples, curves, attempts, provenance, torn: reader.torn() })
}

/// Whether the files of a run contain everything that its journal does: [`rebuild`] finished after the last event.
#[must_use]
pub fn is_rebuilt(run: &Path, state: &RunState) -> bool {
    // Reads as little of the file as necessary: what a session says about its hosts and servers is large.
    #[derive(Deserialize)]
    struct Run {
        sessions: Vec<IgnoredAny>,
        ends: Vec<IgnoredAny>,
    }
    // This file is written last.
    let last = std::fs::read(run.join("run.json")).ok();
    let told = last.and_then(|text| serde_json::from_slice::<Run>(&text).ok());
    told.is_some_and(|told| (told.sessions.len(), told.ends.len()) == (state.sessions, state.ends))
        && TABLES.iter().all(|table| run.join(table).is_file())
}

/// A table that is being written; it appears in a run's directory all at once when it is finished.
struct Output<'c, Row> {
    path: PathBuf,
    table: Table<'c, AtomicWriteFile, Row>,
}

impl<'c, Row> Output<'c, Row> {
    fn open(path: PathBuf, columns: Vec<Column<Row>>, context: &'c Context) -> Result<Self, ResultsError> {
        let table = AtomicWriteFile::open(&path).and_then(|file| Table::new(file, columns, context));
        Ok(Self { table: table.map_err(failed("write", &path))?, path })
    }

    fn write(&mut self, row: &Row) -> Result<(), ResultsError> {
        self.table.write(row).map_err(failed("write", &self.path))
    }

    fn finish(self) -> Result<(), ResultsError> {
        self.table.finish().and_then(AtomicWriteFile::commit).map_err(failed("write", &self.path))
    }
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), ResultsError> {
    let mut text =
        serde_json::to_string_pretty(value).map_err(|error| failed("write", path)(error.into()))?;
    text.push('\n');
    write_whole(path, text.as_bytes())
}
