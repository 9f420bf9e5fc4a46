//! Reads the tables of trials that runs left behind, from any number of runs, into samples for analysis. Never writes, and
//! never reads a journal: a table that somebody sent by mail is enough.
//!
//! A table may be far larger than memory should be: it is read piece by piece, pieces are parsed in parallel, and all that
//! is kept of a row is its numbers and a reference to its label.

mod chunks;
pub(super) mod collect;
mod csv_scanner;
mod paths;
pub(super) mod table;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;

use crate::analysis::samples::Samples;
use crate::results::read::chunks::Chunks;
use crate::results::read::collect::Gathered;
use crate::results::read::table::{Bad, Header, Rows};

pub use crate::results::read::paths::TRIALS;

/// Why trials cannot be read. Each is one sentence that names the file, and the line where there is one.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file system returned an error.
    #[error("failed to read {}: {source}", path.display())]
    Io {
        /// On which file.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// A directory that is not a run's and has no runs below it.
    #[error("no {TRIALS} in {} or any directory below it", path.display())]
    NoTable {
        /// The directory.
        path: PathBuf,
    },
    /// A run that was never exported.
    #[error("{} has a journal but no {TRIALS}: `orchestrate export {}` writes it", path.display(), path.display())]
    NotExported {
        /// The run's directory.
        path: PathBuf,
    },
    /// A pattern without a match.
    #[error("no file or directory matches {pattern}")]
    NoMatch {
        /// As it was given.
        pattern: String,
    },
    /// An invalid pattern.
    #[error("failed to read the pattern {pattern}: {source}")]
    Pattern {
        /// As it was given.
        pattern: String,
        /// What is wrong.
        source: glob::PatternError,
    },
    /// Not even a header.
    #[error("{} is empty: a table of trials begins with the names of its columns", path.display())]
    Empty {
        /// The table.
        path: PathBuf,
    },
    /// Columns that are required but missing.
    #[error("{} has no column {}{}", path.display(), missing.join(", "), hint.unwrap_or_default())]
    Columns {
        /// The table.
        path: PathBuf,
        /// All of them.
        missing: Vec<&'static str>,
        /// What may have happened to the table.
        hint: Option<&'static str>,
    },
    /// A row that cannot be right.
    #[error("{}:{line}: {what}", path.display())]
    Row {
        /// The table.
        path: PathBuf,
        /// Where the row begins, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// One trial recorded in two different ways.
    #[error(
        "repetition {repetition} of cell {cell} in run {run} appears twice, with different numbers: two runs share a name"
    )]
    Contradiction {
        /// The run.
        run: String,
        /// The cell.
        cell: String,
        /// The repetition.
        repetition: u32,
    },
    /// Headers without rows.
    #[error("no rows in {}", list(paths))]
    NoRows {
        /// All tables.
        paths: Vec<PathBuf>,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The tables that paths lead to, as [`samples`] finds them.
///
/// # Errors
/// When nothing is found.
pub fn tables(paths: &[PathBuf]) -> Result<Vec<PathBuf>, ReadError> {
    paths::tables(paths).map(|found| found.tables)
}

/// The trials of all tables that `paths` lead to. A path is a table, a run's directory, a directory with runs below it (an
/// experiment's, or all results), all of which are read, or a pattern such as `results/sweep/*`.
///
/// What was left out or is odd is listed in [`Samples::remarks`]: a last row that is cut off, a row that occurs twice, a
/// table without rows.
///
/// # Errors
/// When nothing is found, a file cannot be read, a column is missing, or a row is wrong.
pub fn samples(paths: &[PathBuf]) -> Result<Samples, ReadError> {
    let found = paths::tables(paths)?;
    let mut gathered = Gathered::default();
    found.remarks.into_iter().for_each(|remark| gathered.remark(remark));
    for path in &found.tables {
        read(path, &mut gathered)?;
    }
    let samples = gathered.finish()?;
    if samples.samples.is_empty() {
        return Err(ReadError::NoRows { paths: found.tables });
    }
    Ok(samples)
}

/// Reads one table. While a batch of pieces is parsed, the next one is read, and the rows of the previous one are collected.
fn read(path: &Path, gathered: &mut Gathered) -> Result<(), ReadError> {
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    let wrong = |line, what| ReadError::Row { path: path.to_owned(), line, what };
    let file = File::open(path).map_err(failed)?;
    let mut chunks = Chunks::new(file);
    let Some(mut first) = chunks.next().map_err(failed)? else {
        if chunks.rest().iter().all(u8::is_ascii_whitespace) {
            return Err(ReadError::Empty { path: path.to_owned() });
        }
        return Err(wrong(1, "the header is cut off: the table ends in the middle of it".to_owned()));
    };
    let (header, begin) = Header::read(path, &first)?;
    let mut line = 1 + newlines(&first[..begin]);
    first.drain(..begin);
    let rows_before = gathered.rows();
    let (mut batch, mut parsed) = (vec![first], Vec::new());
    while !batch.is_empty() || !parsed.is_empty() {
        let parse = || -> Vec<_> {
            batch.par_iter().map(|chunk| (Rows::parse(&header, chunk), newlines(chunk))).collect()
        };
        let mut add = |parsed: Vec<(Result<Rows, Bad>, u64)>| {
            parsed.into_iter().try_for_each(|(rows, lines)| {
                gathered.add(rows.map_err(|bad| wrong(line + bad.line, bad.what))?);
                line += lines;
                Ok(())
            })
        };
        let more = || chunks.batch(2 * rayon::current_num_threads());
        let earlier = std::mem::take(&mut parsed);
        let (now, (next, added)) = rayon::join(parse, || rayon::join(more, || add(earlier)));
        added?;
        parsed = now;
        chunks.give_back(std::mem::replace(&mut batch, next.map_err(failed)?));
    }
    if !chunks.rest().is_empty() {
        gathered.remark(format!(
            "{}:{line}: the table ends in the middle of this row: it was left out",
            path.display()
        ));
    } else if gathered.rows() == rows_before {
        gathered.remark(format!("{} has no rows", path.display()));
    }
    Ok(())
}

fn newlines(text: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', text).count() as u64
}
