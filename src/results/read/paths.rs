//! Finds the tables that paths on a command line refer to.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::results::read::ReadError;
use crate::results::run_dir::JOURNAL;

/// The table of trials in a run's directory.
pub const TRIALS: &str = "trials.csv";

/// How deep below a directory runs are searched for: the results hold experiments, and these hold runs.
const DEPTH: usize = 2;

/// Tables, each once, and anything odd that was noticed while finding them.
pub(super) struct Found {
    pub(super) tables: Vec<PathBuf>,
    pub(super) remarks: Vec<String>,
}

/// The tables that `paths` lead to, in their order.
pub(super) fn tables(paths: &[PathBuf]) -> Result<Found, ReadError> {
    let mut found = Found { tables: Vec::new(), remarks: Vec::new() };
    let mut seen = HashSet::new();
    for path in paths {
        for path in matches(path)? {
            for table in below(&path, &mut found.remarks)? {
                if seen.insert(fs::canonicalize(&table).map_err(failed(&table))?) {
                    found.tables.push(table);
                } else {
                    found.remarks.push(format!("{} is named twice and was read once", table.display()));
                }
            }
        }
    }
    Ok(found)
}

/// The path itself if it exists, or what matches it as a pattern.
fn matches(path: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let pattern = path.to_string_lossy();
    if path.exists() || !pattern.contains(['*', '?', '[']) {
        return Ok(vec![path.to_owned()]);
    }
    let pattern = pattern.into_owned();
    let matches = match glob::glob(&pattern) {
        Ok(matches) => matches,
        Err(source) => return Err(ReadError::Pattern { pattern, source }),
    };
    let mut paths = Vec::new();
    for found in matches {
        let path =
            found.map_err(|error| ReadError::Io { path: error.path().to_owned(), source: error.into() })?;
        // A pattern such as `results/*/*` also matches what lies beside runs.
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "csv") {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(ReadError::NoMatch { pattern });
    }
    Ok(paths)
}

/// A table stands for itself; a directory contains one, or others below it do.
fn below(path: &Path, remarks: &mut Vec<String>) -> Result<Vec<PathBuf>, ReadError> {
    if !fs::metadata(path).map_err(failed(path))?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    if path.join(TRIALS).exists() {
        return Ok(vec![path.join(TRIALS)]);
    }
    if path.join(JOURNAL).exists() {
        return Err(ReadError::NotExported { path: path.to_owned() });
    }
    let mut tables = Vec::new();
    search(path, DEPTH, &mut tables, remarks)?;
    if tables.is_empty() {
        return Err(ReadError::NoTable { path: path.to_owned() });
    }
    Ok(tables)
}

fn search(
    directory: &Path,
    depth: usize,
    tables: &mut Vec<PathBuf>,
    remarks: &mut Vec<String>,
) -> Result<(), ReadError> {
    let mut inner = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed(directory))? {
        inner.push(entry.map_err(failed(directory))?.path());
    }
    inner.sort();
    for path in inner.iter().filter(|path| path.is_dir()) {
        if path.join(TRIALS).exists() {
            tables.push(path.join(TRIALS));
        } else if path.join(JOURNAL).exists() {
            remarks.push(format!("{} has no {TRIALS} yet: it was left out", path.display()));
        } else if depth > 1 {
            search(path, depth - 1, tables, remarks)?;
        }
    }
    Ok(())
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> ReadError {
    move |source| ReadError::Io { path: path.to_owned(), source }
}
