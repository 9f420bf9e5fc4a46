//! One piece of a table: from bytes to numbers, row by row, with the columns found by their names.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::path::Path;

use foldhash::fast::RandomState;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;

use crate::analysis::doubt::{Doubt, Doubts};
use crate::analysis::samples::{Failure, LABELS, Label, Latencies, Trial, is_younger};
use crate::experiment::Factor;
use crate::record::{Flag, Quantities, Quantity, Status};
use crate::results::csv::meant;
use crate::results::read::csv_scanner::{Cutter, Fields};
use crate::results::read::{ReadError, newlines};
use crate::untrusted::{NAME, excerpt, one_line};

/// Columns that are read besides [`LABELS`]; their places are in [`Header`] in this order.
const VALUES: [&str; 16] = [
    "run_id",
    "repetition",
    "position",
    "attempt",
    "status",
    "error",
    "flags",
    "started_at",
    "rtt_us",
    "ops_per_s",
    "latency_mean_us",
    "latency_p50_us",
    "latency_p90_us",
    "latency_p99_us",
    "latency_p999_us",
    "latency_max_us",
];

/// Columns that give the quantities of a trial, each if present: a table of an earlier version, or from another source, may
/// lack some. Their places are in [`Header`], after those of [`OLDER`].
fn quantity_columns() -> impl Iterator<Item = &'static str> {
    OLDER.into_iter().chain(Quantity::ALL.map(|quantity| quantity.definition().column))
}

/// Columns from which the CPU times of an operation are computed where these have no column of their own.
const OLDER: [&str; 3] = ["operations", "client_cpu_s", "server_cpu_s"];

/// Separates the fields of a key; this byte never occurs in a text.
const BETWEEN: u8 = 0xff;

/// The positions of a table's columns.
pub(super) struct Header {
    width: usize,
    /// Tables of earlier versions lack the newer ones.
    labels: Vec<Option<usize>>,
    /// The same without missing ones, with neighbours merged.
    label_spans: Vec<RangeInclusive<usize>>,
    values: [usize; VALUES.len()],
    quantities: Vec<Option<usize>>,
}

impl Header {
    /// Reads the first row of a table, and returns where the second one begins.
    pub(super) fn read(path: &Path, text: &[u8]) -> Result<(Self, usize), ReadError> {
        let mark = if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
        let mut cutter = Cutter::new(&text[mark..]);
        let row = cutter.next().map_err(|error| ReadError::Row {
            path: path.to_owned(),
            line: 1,
            what: error.to_string(),
        })?;
        let Some(row) = row else { return Err(ReadError::Empty { path: path.to_owned() }) };
        let names: Vec<&[u8]> = (0..row.len()).map(|index| row.get(index)).collect();
        let mut missing = Vec::new();
        let mut find = |name: &'static str| {
            let place = names.iter().position(|field| *field == name.as_bytes());
            if place.is_none() && !is_younger(name) {
                missing.push(name);
            }
            place
        };
        let values = VALUES.map(|name| find(name).unwrap_or_default());
        let labels: Vec<Option<usize>> = LABELS.iter().map(|name| find(name)).collect();
        let place = |name: &str| names.iter().position(|field| *field == name.as_bytes());
        let quantities = quantity_columns().map(place).collect();
        let header = Self { width: names.len(), label_spans: spans(&labels), labels, values, quantities };
        if missing.is_empty() {
            return Ok((header, mark + cutter.at()));
        }
        let hint = if missing.len() < VALUES.len() + LABELS.iter().filter(|label| !is_younger(label)).count()
        {
            None
        } else if names[0].contains(&b';') || names[0].contains(&b'\t') {
            missing = vec!["run_id"];
            Some(": its columns are not separated by commas; a spreadsheet may have saved it so")
        } else {
            missing = vec!["run_id"];
            Some(", nor any other that a table of trials has")
        };
        Err(ReadError::Columns { path: path.to_owned(), missing, hint })
    }
}

/// Places, with neighbours merged.
fn spans(places: &[Option<usize>]) -> Vec<RangeInclusive<usize>> {
    let mut places: Vec<usize> = places.iter().flatten().copied().collect();
    places.sort_unstable();
    places.chunk_by(|a, b| a + 1 == *b).map(|chunk| chunk[0]..=chunk[chunk.len() - 1]).collect()
}

/// What is wrong with a row of a piece; lines are counted from 0 at the beginning of the piece.
pub(super) struct Bad {
    pub(super) line: u64,
    pub(super) what: String,
}

/// The rows of a piece. Runs and labels are counted within it.
#[derive(Default)]
pub(in crate::results) struct Rows {
    pub(in crate::results) runs: Vec<String>,
    /// In the order of their first rows.
    pub(in crate::results) labels: Vec<Label>,
    /// The label of each, and what was measured.
    pub(in crate::results) trials: Vec<(u32, Trial)>,
    /// The label of each, which attempt it was, and why there is nothing.
    pub(in crate::results) failures: Vec<(u32, u32, Failure)>,
    /// Words among the flags that this version does not know.
    pub(in crate::results) unknown_flags: Vec<String>,
}

impl Rows {
    pub(super) fn parse(header: &Header, chunk: &[u8]) -> Result<Self, Bad> {
        let (mut cutter, mut rows) = (Cutter::new(chunk), Self::default());
        let mut names = Names::default();
        loop {
            let bad = |at: usize, what| Bad { line: newlines(&chunk[..at]), what };
            let at = cutter.at();
            let Some(fields) = cutter.next().map_err(|error| bad(at, error.to_string()))? else {
                return Ok(rows);
            };
            let at = fields.at;
            if fields.len() != header.width {
                return Err(bad(
                    at,
                    format!("the row has {} fields and the header {}", fields.len(), header.width),
                ));
            }
            rows.add(&Row { header, fields }, &mut names).map_err(|what| bad(at, what))?;
        }
    }

    fn add(&mut self, row: &Row<'_>, names: &mut Names) -> Result<(), String> {
        let label = names.label(row, &mut self.labels)?;
        let run = names.run(row.bytes("run_id"), &mut self.runs)?;
        let repetition = row.integer("repetition")?;
        let status = word::<Status>(row.text("status")?).ok_or_else(|| {
            format!("`{}` is not a status", excerpt(&row.bytes("status").escape_ascii().to_string(), NAME))
        })?;
        if status == Status::Ok {
            let (flags, doubts) = self.flags(row)?;
            let trial = Trial {
                run,
                repetition,
                position: row.integer("position")?,
                started_at_us: row.time("started_at")?,
                ops_per_s: row
                    .number("ops_per_s")?
                    .ok_or("ops_per_s is empty, and the status is ok")
                    .and_then(|value| if value > 0.0 { Ok(value) } else { Err("ops_per_s is 0") })?,
                latency: row.latencies()?,
                quantities: row.quantities()?,
                rtt_us: row.number("rtt_us")?,
                flags,
                doubts,
            };
            self.trials.push((label, trial));
        } else {
            let failure =
                Failure { run, repetition, status, error: one_line(meant(row.text("error")?)).into_owned() };
            self.failures.push((label, row.integer("attempt")?, failure));
        }
        Ok(())
    }

    /// All flags, and the doubts that they raise. Words that earlier versions used for a flag are read as that flag.
    fn flags(&mut self, row: &Row<'_>) -> Result<(Vec<Flag>, Doubts), String> {
        let (mut flags, mut doubts) = (Vec::new(), Doubts::default());
        for text in one_line(row.text("flags")?).split_ascii_whitespace() {
            match word(text) {
                Some(flag) => {
                    flags.push(flag);
                    Doubt::of(flag).into_iter().for_each(|doubt| doubts.insert(doubt));
                }
                None if self.unknown_flags.iter().any(|known| known == text) => {}
                None => self.unknown_flags.push(excerpt(text, NAME)),
            }
        }
        Ok((flags, doubts))
    }
}

/// Labels and runs that were seen in this piece, by their bytes. A label can have more than one number: a table may have
/// quotation marks around a field in one row and not in another.
#[derive(Default)]
struct Names {
    labels: HashMap<Vec<u8>, u32, RandomState>,
    runs: HashMap<Vec<u8>, u32, RandomState>,
    key: Vec<u8>,
}

impl Names {
    fn label(&mut self, row: &Row<'_>, labels: &mut Vec<Label>) -> Result<u32, String> {
        self.key.clear();
        for span in &row.header.label_spans {
            if let Some(text) = row.fields.span(span) {
                self.key.extend_from_slice(text);
                self.key.push(BETWEEN);
            } else {
                for place in span.clone() {
                    self.key.extend_from_slice(row.fields.get(place));
                    self.key.push(BETWEEN);
                }
            }
        }
        if let Some(&known) = self.labels.get(self.key.as_slice()) {
            return Ok(known);
        }
        let text = |(&place, name): (&Option<usize>, &str)| {
            let value = text(row.label(place), name)?;
            Ok::<_, String>(Factor::current(name, &one_line(meant(value))).into_owned())
        };
        let values =
            row.header.labels.iter().zip(LABELS.iter().copied()).map(text).collect::<Result<_, _>>()?;
        let label = u32::try_from(labels.len()).map_err(|_| "there are too many cells")?;
        labels.push(Label { values });
        self.labels.insert(self.key.clone(), label);
        Ok(label)
    }

    fn run(&mut self, bytes: &[u8], runs: &mut Vec<String>) -> Result<u32, String> {
        if let Some(&known) = self.runs.get(bytes) {
            return Ok(known);
        }
        let run = u32::try_from(runs.len()).map_err(|_| "there are too many runs")?;
        runs.push(one_line(meant(text(bytes, "run_id")?)).into_owned());
        self.runs.insert(bytes.to_owned(), run);
        Ok(run)
    }
}

struct Row<'a> {
    header: &'a Header,
    fields: Fields<'a>,
}

impl<'a> Row<'a> {
    /// A column of [`LABELS`]; missing where the table does not have it.
    fn label(&self, place: Option<usize>) -> &'a [u8] {
        place.map_or(b"", |place| self.fields.get(place))
    }

    /// A column of [`VALUES`]. The position of a name is found at compile time, or nearly so.
    #[inline(always)]
    fn bytes(&self, name: &str) -> &'a [u8] {
        let index = VALUES.iter().position(|value| *value == name);
        index.map_or(b"", |index| self.fields.get(self.header.values[index]))
    }

    #[inline(always)]
    fn text(&self, name: &str) -> Result<&'a str, String> {
        text(self.bytes(name), name)
    }

    #[inline(always)]
    fn integer<T: std::str::FromStr>(&self, name: &str) -> Result<T, String> {
        let text = self.text(name)?;
        text.parse().map_err(|_| {
            format!("`{}` in column {name} is not a whole number of 0 or more", excerpt(text, NAME))
        })
    }

    /// A number that is valid as an amount or a time; `None` where it is missing.
    #[inline(always)]
    fn number(&self, name: &str) -> Result<Option<f64>, String> {
        Self::number_in(self.bytes(name), name)
    }

    fn number_in(bytes: &[u8], name: &str) -> Result<Option<f64>, String> {
        let text = text(bytes, name)?;
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(number) if number.is_finite() && number >= 0.0 => Ok(Some(number)),
            _ => Err(format!("`{}` in column {name} is not a number of 0 or more", excerpt(text, NAME))),
        }
    }

    #[inline(always)]
    fn time(&self, name: &str) -> Result<i64, String> {
        let text = self.text(name)?;
        let time: Result<Timestamp, _> = text.parse();
        time.map(Timestamp::as_microsecond)
            .map_err(|_| format!("`{}` in column {name} is not an RFC 3339 timestamp", excerpt(text, NAME)))
    }

    /// As far as the table has them.
    fn quantities(&self) -> Result<Quantities, String> {
        let value = |at: usize, name| {
            let place = self.header.quantities[at];
            Self::number_in(place.map_or(b"", |place| self.fields.get(place)), name)
        };
        let each_us = |at: usize| -> Result<Option<f64>, String> {
            let (operations, seconds) = (value(0, OLDER[0])?, value(at, OLDER[at])?);
            Ok(seconds.zip(operations).map(|(s, n)| s * 1e6 / n).filter(|each| each.is_finite()))
        };
        Quantities::try_from_each(|quantity| match quantity {
            Quantity::ClientCpu => each_us(1),
            Quantity::ServerCpu => each_us(2),
            _ => value(OLDER.len() + quantity as usize, quantity.definition().column),
        })
    }

    /// All of them or none.
    fn latencies(&self) -> Result<Option<Latencies>, String> {
        let number = |name| self.number(name);
        match (
            number("latency_mean_us")?,
            number("latency_p50_us")?,
            number("latency_p90_us")?,
            number("latency_p99_us")?,
            number("latency_p999_us")?,
            number("latency_max_us")?,
        ) {
            (Some(mean_us), Some(p50_us), Some(p90_us), Some(p99_us), Some(p999_us), Some(max_us)) => {
                Ok(Some(Latencies { mean_us, p50_us, p90_us, p99_us, p999_us, max_us }))
            }
            (None, None, None, None, None, None) => Ok(None),
            _ => Err("some of the latencies are missing and some are not".to_owned()),
        }
    }
}

fn text<'a>(bytes: &'a [u8], name: &str) -> Result<&'a str, String> {
    std::str::from_utf8(bytes).map_err(|_| format!("column {name} is not UTF-8"))
}

/// A word from a closed list, as in the journal.
fn word<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    T::deserialize(IntoDeserializer::<Error>::into_deserializer(text)).ok()
}
