//! The log format of HdrHistogram, version 1.3, which its own tools read: one interval for each cell, with the latencies of all
//! of its trials, in nanoseconds.

use std::time::{Duration, SystemTime};

use hdrhistogram::serialization::V2DeflateSerializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};
use jiff::Timestamp;

use super::Exported;
use crate::results::error::ResultsError;
use crate::results::run_cells::RunCells;

/// The log states the largest latencies in milliseconds, as other tools do.
const NANOS_PER_MILLI: f64 = 1e6;

/// The log, with the intervals in the order in which they began, as readers expect. The tag of an interval is the name of its
/// cell. Cells without latencies are left out.
///
/// # Errors
/// When the journal cannot be read.
pub fn hdr(exported: &Exported<'_>, run: &RunCells) -> Result<Vec<u8>, ResultsError> {
    let known = exported.cells.iter().filter(|cell| cell.has_latencies());
    let mut cells: Vec<_> = known
        .filter_map(|cell| run.times(&cell.summary.cell).map(|(began, elapsed)| (began, elapsed, cell)))
        .collect();
    cells.sort_by_key(|(began, ..)| *began);

    let (mut log, mut serializer) = (Vec::new(), V2DeflateSerializer::new());
    let mut builder = IntervalLogWriterBuilder::new();
    builder
        .add_comment("[Histogram log format version 1.3]")
        .add_comment(&format!("[Latencies in nanoseconds of run {}]", run.provenance.run_id))
        .with_max_value_divisor(NANOS_PER_MILLI);
    if let Some((first, ..)) = cells.first() {
        builder.with_start_time(SystemTime::from(*first));
    }
    let fits = "a log in memory takes every histogram whose counts are below 2^63";
    let mut writer = builder.begin_log_with(&mut log, &mut serializer).expect(fits);
    for (began, elapsed, cell) in cells {
        let Some(latencies) = run.latencies(&cell.summary.cell)? else { continue };
        let tag = Tag::new(&cell.name);
        writer
            .write_histogram(&latencies, since_1970(began), Duration::from_nanos(elapsed.0), tag)
            .expect(fits);
    }
    Ok(log)
}

fn since_1970(moment: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(moment.as_nanosecond()).unwrap_or_default())
}
