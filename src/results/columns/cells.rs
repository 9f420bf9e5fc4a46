//! `summary.csv`, a row for every cell, and `latency.csv`, a row for every cell and quantile.

use crate::analysis::stats::Throughput;
use crate::analysis::summary::{CellSummary, LatencyProfile};
use crate::results::columns::shared::{
    AboutCell, Subject, control, hosts, identity, load, micros, other_settings, own_settings, parties,
    placement,
};
use crate::results::columns::{Column, Value};
use crate::results::provenance::StopReason;

/// A row of `latency.csv`.
#[derive(Clone, Copy)]
pub struct QuantileRow<'s> {
    cell: &'s CellSummary,
    quantile: f64,
    nanos: u64,
    count: u64,
}

impl<'s> QuantileRow<'s> {
    /// The rows of a cell; none if its latency is unknown.
    pub fn of(cell: &'s CellSummary) -> impl Iterator<Item = Self> {
        cell.latency.iter().flat_map(move |latency| {
            latency.quantiles.iter().map(move |&(quantile, nanos)| Self {
                cell,
                quantile,
                nanos,
                count: latency.count,
            })
        })
    }
}

impl AboutCell for QuantileRow<'_> {
    fn subject(&self) -> Subject<'_> {
        self.cell.subject()
    }
}

type SummaryColumn = Column<CellSummary>;

fn settings<Row: AboutCell>() -> Vec<Column<Row>> {
    let mut columns = identity();
    columns.extend(hosts());
    columns.extend(parties());
    columns.extend(load());
    columns.push(placement());
    columns.extend(other_settings());
    columns
}

/// The columns of `latency.csv`.
#[must_use]
pub fn latency_columns<'s>() -> Vec<Column<QuantileRow<'s>>> {
    let mut columns = settings();
    columns.extend([
        Column::<QuantileRow<'_>>::number(
            "quantile",
            "Share of the operations that took at most this long, from 0 (the smallest) to 1 (the largest).",
            |_, row| row.quantile.into(),
        )
        .required(),
        Column::<QuantileRow<'_>>::number(
            "latency_us",
            "Time from the request to the last reply of an operation; from one histogram over all trials of the cell.",
            |_, row| micros(row.nanos).into(),
        )
        .unit("µs")
        .required(),
        Column::<QuantileRow<'_>>::integer("count", "Operations in that histogram.", |_, row| row.count.into()).required(),
        control(),
    ]);
    columns.extend(own_settings());
    columns
}

/// The columns of `summary.csv`.
#[must_use]
pub fn summary_columns() -> Vec<SummaryColumn> {
    let mut columns = settings();
    columns.extend(throughput());
    columns.extend(latency());
    columns.extend([
        SummaryColumn::number(
            "littles_law",
            "Mean of the trials' littles_law: near 1 if the latencies are honest; closed loop only.",
            |_, row| row.littles_law.into(),
        ),
        SummaryColumn::text("flags", "What to mind about this cell: words separated by spaces.", |_, row| {
            flags(row).into()
        }),
        SummaryColumn::number(
            "median_low_ops_per_s",
            "Lower end of the 95% interval of median_ops_per_s (Hettmansperger and Sheather); missing where n is under 5.",
            |_, row| row.median_interval.map(|interval| interval.low).into(),
        )
        .unit("operations/s"),
        SummaryColumn::number("median_high_ops_per_s", "Upper end of the same interval.", |_, row| {
            row.median_interval.map(|interval| interval.high).into()
        })
        .unit("operations/s"),
        control(),
        SummaryColumn::text(
            "stop_reason",
            "Why the run ended: fixed, it had all its repetitions; precise, the medians were known as well as was asked \
             for; max-reached, they were not; interrupted. Missing where the run did not come to write it down.",
            |context, _| context.stop_reason.map(StopReason::word).into(),
        )
        .one_of(&StopReason::WORDS),
        SummaryColumn::text(
            "comparability",
            "What this client does differently from what was asked for, in its own words; empty if nothing.",
            |_, row| row.comparability().into(),
        ),
    ]);
    columns.extend(cost());
    columns.extend(own_settings());
    columns
}

/// Under the names that they have in `trials.csv`.
fn cost() -> Vec<SummaryColumn> {
    vec![
        SummaryColumn::number(
            "client_cpu_us_per_op",
            "CPU time of the client for each operation: median of the n, like the others that follow.",
            |_, row| row.cost.client_cpu_us.into(),
        )
        .unit("µs"),
        SummaryColumn::number(
            "server_cpu_us_per_op",
            "CPU time of the server for each operation.",
            |_, row| row.cost.server_cpu_us.into(),
        )
        .unit("µs"),
        SummaryColumn::number(
            "network_bytes_per_op",
            "Bytes that the server received and sent for each operation, by its own count.",
            |_, row| row.cost.network_bytes.into(),
        )
        .unit("bytes"),
        SummaryColumn::number(
            "server_calls_per_op",
            "Calls of whatever command that the server counted for each operation.",
            |_, row| row.cost.server_calls.into(),
        ),
        SummaryColumn::number("client_peak_rss_bytes", "Peak resident memory of the client.", |_, row| {
            row.cost.client_peak_rss_bytes.into()
        })
        .unit("bytes"),
    ]
}

fn throughput() -> Vec<SummaryColumn> {
    vec![
        SummaryColumn::integer("n", "Attempts that ended well; each is one observation.", |_, row| {
            row.n.into()
        })
        .required(),
        SummaryColumn::integer("failed", "Attempts that failed or timed out.", |_, row| row.failed.into())
            .required(),
        SummaryColumn::number("best_ops_per_s", "Highest throughput of the n.", |_, row| of(row, |t| t.best))
            .unit("operations/s"),
        SummaryColumn::number("worst_ops_per_s", "Lowest throughput of the n.", |_, row| {
            of(row, |t| t.worst)
        })
        .unit("operations/s"),
        SummaryColumn::number("mean_ops_per_s", "Arithmetic mean of the throughput of the n.", |_, row| {
            of(row, |t| t.mean)
        })
        .unit("operations/s"),
        SummaryColumn::number("median_ops_per_s", "Median of the throughput of the n.", |_, row| {
            of(row, |t| t.median)
        })
        .unit("operations/s"),
        SummaryColumn::number(
            "stdev_ops_per_s",
            "Sample standard deviation (n − 1) of the throughput of the n; missing where n is 1.",
            |_, row| of(row, |t| t.stdev),
        )
        .unit("operations/s"),
        SummaryColumn::number("cv", "Coefficient of variation: standard deviation ÷ mean.", |_, row| {
            of(row, Throughput::cv)
        }),
    ]
}

fn latency() -> Vec<SummaryColumn> {
    vec![
        SummaryColumn::number(
            "latency_mean_us",
            "Mean latency: time from the request to the last reply of an operation; over all trials of the cell.",
            |_, row| profile(row, |latency| latency.summary.mean_ns / 1e3),
        )
        .unit("µs"),
        SummaryColumn::number("latency_p50_us", "Median of the same latencies.", |_, row| {
            profile(row, |latency| micros(latency.summary.p50_ns))
        })
        .unit("µs"),
        SummaryColumn::number("latency_p90_us", "90th percentile of the same latencies.", |_, row| {
            profile(row, |latency| micros(latency.summary.p90_ns))
        })
        .unit("µs"),
        SummaryColumn::number("latency_p99_us", "99th percentile of the same latencies.", |_, row| {
            profile(row, |latency| micros(latency.summary.p99_ns))
        })
        .unit("µs"),
        SummaryColumn::number("latency_p999_us", "99.9th percentile of the same latencies.", |_, row| {
            profile(row, |latency| micros(latency.summary.p999_ns))
        })
        .unit("µs"),
    ]
}

fn of<T: Into<Value<'static>>>(row: &CellSummary, value: impl Fn(&Throughput) -> T) -> Value<'static> {
    row.throughput.as_ref().map(value).into()
}

fn profile(row: &CellSummary, value: impl Fn(&LatencyProfile) -> f64) -> Value<'static> {
    row.latency.as_ref().map(value).into()
}

/// `bimodal`, `mixed`, `drift`, and every flag that a trial of the cell carries.
fn flags(row: &CellSummary) -> Option<String> {
    let mut words = Vec::new();
    words.extend(row.groups.map(|_| "bimodal"));
    words.extend(row.mixed.then_some("mixed"));
    words.extend(row.drift.map(|_| "drift"));
    words.extend(row.flags.keys().map(|flag| flag.word()));
    (!words.is_empty()).then(|| words.join(" "))
}
