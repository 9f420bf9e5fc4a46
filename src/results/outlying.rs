//! Which attempts of a journal are far from the others of their cell. That is known only when the last of them is, so a
//! journal is scanned once before its table is written. Looks only at speeds, and leaves errors in the journal to those who
//! then read it in full.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::Path;

use serde::Deserialize;

use crate::analysis::outliers::outlying_trials;
use crate::results::journal::Seen;
use crate::units::Nanos;

/// The part of a line that is looked at.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow)]
    trial: Option<Trial<'a>>,
}

#[derive(Deserialize)]
struct Trial<'a> {
    #[serde(borrow)]
    cell: Cow<'a, str>,
    measured: Option<Speed>,
}

#[derive(Deserialize)]
struct Speed {
    elapsed_ns: Nanos,
    operations: u64,
}

/// The numbers of the outliers among the attempts of a journal, counted from 0.
///
/// # Errors
/// When the file cannot be read.
pub(super) fn outlying(journal: &Path) -> io::Result<HashSet<u64>> {
    let mut input = BufReader::new(File::open(journal)?);
    let mut cells: HashMap<String, Vec<(u64, f64)>> = HashMap::new();
    let mut attempts = 0;
    let mut seen = Seen::default();
    let mut buffer = Vec::new();
    while input.read_until(b'\n', &mut buffer)? > 0 {
        if let Ok(Line { trial: Some(trial) }) = serde_json::from_slice(&buffer)
            && seen.is_new(&buffer)
        {
            if let Some(Speed { elapsed_ns, operations }) = trial.measured {
                let cell = cells.entry(trial.cell.into_owned()).or_default();
                cell.push((attempts, operations as f64 / elapsed_ns.as_secs_f64()));
            }
            attempts += 1;
        }
        buffer.clear();
    }
    Ok(cells.into_values().flat_map(far_ones).collect())
}

/// The attempts at one cell that are far from the others.
fn far_ones(cell: Vec<(u64, f64)>) -> impl Iterator<Item = u64> {
    let speeds: Vec<f64> = cell.iter().map(|(_, speed)| *speed).collect();
    cell.into_iter().zip(outlying_trials(&speeds)).filter(|(_, far)| *far).map(|((attempt, _), _)| attempt)
}
