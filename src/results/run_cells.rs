//! The cells of a run, read from its journal. Writes nothing: code that writes tables of them, or hands them to another
//! tool, starts here.
//!
//! Histograms are large, so they are merged cell by cell, and merged again whenever one is asked for.

use std::collections::HashMap;
use std::path::Path;

use hdrhistogram::Histogram;
use jiff::Timestamp;
use rayon::prelude::*;

use crate::analysis::order;
use crate::analysis::summary::{CellAttempts, CellSummary, Cells};
use crate::latency;
use crate::record::{Flag, Status, TrialRecord};
use crate::results::error::{ResultsError, failed};
use crate::results::journal::{Event, Lookup, Reader, Span, Torn};
use crate::results::outlying::outlying;
use crate::results::provenance::Provenance;
use crate::results::run_dir::JOURNAL;
use crate::units::Nanos;

/// Everything that is known about the cells of a run.
#[derive(Debug)]
pub struct RunCells {
    /// Every cell, in the order of the file; a control follows the cell that it repeats.
    pub cells: Vec<CellSummary>,
    /// Where everything comes from.
    pub provenance: Provenance,
    /// A last line of the journal that is cut short.
    pub torn: Option<Torn>,
    measured: HashMap<String, Measured>,
    lookup: Lookup,
}

/// The attempts at a cell that ended well.
#[derive(Clone, Debug)]
struct Measured {
    spans: Vec<Span>,
    began: Timestamp,
    elapsed: Nanos,
}

impl RunCells {
    /// Reads the journal of a run.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(run: &Path) -> Result<Self, ResultsError> {
        let journal = run.join(JOURNAL);
        let mut reader = Reader::open(&journal)?;
        let mut provenance = Provenance::new(reader.heading());
        let outlying = outlying(&journal).map_err(failed("read", &journal))?;
        let mut gathering = Gathering::default();
        let mut measured: HashMap<String, Measured> = HashMap::new();
        let mut attempts = 0;
        for entry in &mut reader {
            let entry = entry?;
            provenance.observe(&entry.event);
            let Event::Trial(mut record) = entry.event else { continue };
            if outlying.contains(&attempts) {
                record.flags.push(Flag::Outlier);
            }
            attempts += 1;
            gathering.add(&record, entry.span);
            if let (Status::Ok, Some(of_trial)) = (record.status, &record.measured) {
                let began = record.started_at;
                let of_cell = measured.entry(record.cell.clone()).or_insert(Measured {
                    spans: Vec::new(),
                    began,
                    elapsed: Nanos(0),
                });
                of_cell.spans.push(entry.span);
                of_cell.began = of_cell.began.min(began);
                of_cell.elapsed.0 += of_trial.elapsed_ns.0;
            }
        }
        let mut cells = gathering.summarise(&journal)?;
        if let Some(session) = provenance.sessions.last() {
            order::sort(&mut cells, &session.modes);
        }
        Ok(Self { cells, provenance, torn: reader.torn(), measured, lookup: Lookup::open(&journal)? })
    }

    /// All latencies of a cell in one histogram; `None` if they are unknown.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn latencies(&self, cell: &str) -> Result<Option<Histogram<u64>>, ResultsError> {
        self.measured.get(cell).map_or(Ok(None), |measured| merged(&self.lookup, &measured.spans))
    }

    /// When the first of a cell's trials that ended well began, and how long all of them took from their first request to
    /// their last reply, added up.
    #[must_use]
    pub fn times(&self, cell: &str) -> Option<(Timestamp, Nanos)> {
        self.measured.get(cell).map(|measured| (measured.began, measured.elapsed))
    }
}

/// What is collected from a journal, attempt by attempt: a few numbers of each, and the position of its histogram.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    cells: Cells,
    /// For each cell, the attempts that ended well.
    spans: Vec<Vec<Span>>,
}

impl Gathering {
    /// Adds an attempt and the position of its line.
    pub(super) fn add(&mut self, record: &TrialRecord, span: Span) {
        let cell = self.cells.add(record);
        self.spans.resize_with(self.spans.len().max(cell + 1), Vec::new);
        if record.status == Status::Ok {
            self.spans[cell].push(span);
        }
    }

    /// The cells in the order of their first attempts, so that the collected data can be inspected before it is summarised.
    pub(super) fn into_parts(self) -> (Vec<CellAttempts>, Vec<Vec<Span>>) {
        (self.cells.into_cells(), self.spans)
    }

    fn summarise(self, journal: &Path) -> Result<Vec<CellSummary>, ResultsError> {
        let (cells, spans) = self.into_parts();
        summaries(journal, cells, spans)
    }
}

/// The summaries of cells whose attempts are in these lines. Memory holds as many histograms as there are threads.
pub(super) fn summaries(
    journal: &Path,
    cells: Vec<CellAttempts>,
    spans: Vec<Vec<Span>>,
) -> Result<Vec<CellSummary>, ResultsError> {
    let lookup = Lookup::open(journal)?;
    let cells = cells.into_par_iter().zip(spans);
    cells.map(|(cell, spans)| Ok(cell.summarise(merged(&lookup, &spans)?.as_ref()))).collect()
}

/// All latencies of the trials in these lines; `None` if none of them has any.
fn merged(lookup: &Lookup, spans: &[Span]) -> Result<Option<Histogram<u64>>, ResultsError> {
    let mut merged: Option<Histogram<u64>> = None;
    for &span in spans {
        let Event::Trial(record) = lookup.event(span)? else { continue };
        let Some(encoded) = record.measured.and_then(|measured| measured.latency) else { continue };
        let latencies = latency::decode(&encoded).map_err(|source| ResultsError::Latency {
            path: lookup.path().to_owned(),
            trial: format!("{}-{}", record.cell, record.repetition),
            source,
        })?;
        latency::merge(merged.get_or_insert_with(latency::empty), &latencies);
    }
    Ok(merged)
}
