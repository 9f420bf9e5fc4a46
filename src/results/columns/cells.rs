//! `summary.csv`, a row for every cell, and `latency.csv`, a row for every cell and quantile.

use crate::analysis::stats::Throughput;
use crate::analysis::summary::{CellSummary, LatencyProfile};
use crate::record::{Definition, Quantity};
use crate::results::columns::shared::{
    AboutCell, Subject, control, hosts, identity, later_settings, load, micros, other_settings, own_settings,
    parties, placement,
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
        SummaryColumn::text("flags", "Warnings about this cell: words separated by spaces.", |_, row| {
            flags(row).into()
        }),
        SummaryColumn::number(
            "median_low_ops_per_s",
            "Lower end of the 95% interval of median_ops_per_s (Hettmansperger–Sheather); missing where n is under 5.",
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
    let (costs, of_tasks) = Quantity::ALL.split_at(Quantity::ALL.len() - Quantity::OF_TASKS.len());
    columns.extend(costs.iter().copied().map(quantity));
    columns.extend(own_settings());
    columns.extend(later_settings());
    columns.extend(of_tasks.iter().copied().map(quantity));
    columns
}

/// Under the names that they have in `trials.csv`.
fn quantity(quantity: Quantity) -> SummaryColumn {
    let Definition { column, unit, meaning, .. } = quantity.definition();
    let column = SummaryColumn::number(column, meaning, move |_, row| row.quantities.get(quantity).into());
    let described = format!("{} Median of the n.", column.description);
    SummaryColumn { unit: *unit, description: described.into(), ..column }
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
