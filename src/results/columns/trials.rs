//! `trials.csv`: a row for every attempt, a column for every variable.

use crate::analysis::summary::littles_law;
use crate::protocol::{Counter, JobWorkload, ServerCounts};
use crate::record::{Definition, LatencySummary, Measured, Quantity, TrialRecord};
use crate::results::columns::shared::{
    control, hosts, identity, later_settings, load, micros, other_settings, own_settings, parties, placement,
};
use crate::results::columns::{Column, Kind, Value};
use crate::units::Nanos;

type TrialColumn = Column<TrialRecord>;

/// The columns in their order. New ones are added at the end, so that programs that count columns keep working.
#[must_use]
pub fn columns() -> Vec<TrialColumn> {
    let mut columns = identity();
    columns.extend(attempt());
    columns.extend(hosts());
    columns.push(
        TrialColumn::number(
            "rtt_us",
            "Round-trip time between client and server, where it was sampled.",
            |_, row| row.rtt_us.into(),
        )
        .unit("µs"),
    );
    columns.extend(parties());
    columns.push(TrialColumn::integer(
        "operations",
        "Operations done: what the client claims and the server's own count confirms.",
        |_, row| measured(row, |measured| measured.operations),
    ));
    columns.extend(load());
    columns.extend(speed());
    columns.extend(cost());
    columns.extend(other_settings());
    columns.push(control());
    columns.push(TrialColumn::text(
        "driver_sha256",
        "SHA-256 of the files that the client's driver is made of; missing where it is built in.",
        |_, row| row.driver_sha256.as_deref().into(),
    ));
    columns.push(TrialColumn::integer(
        "connections",
        "Connections to the server when the client was ready; empty on a server that somebody else runs.",
        |_, row| server(row, |server| server.connections),
    ));
    columns.extend(COSTS_OF_AN_OPERATION.map(quantity));
    columns.extend(own_settings());
    columns.push(TrialColumn::integer(
        "server_keys_expiring",
        "Keys afterwards that will expire, less such keys before.",
        |_, row| server(row, |server| server.expiring_added.max(0).cast_unsigned()),
    ));
    columns.extend(later_settings());
    columns.extend(Quantity::OF_TASKS.map(quantity));
    columns
}

/// The memory of the client, which is not per operation, is in another place.
const COSTS_OF_AN_OPERATION: [Quantity; 4] =
    [Quantity::ClientCpu, Quantity::ServerCpu, Quantity::NetworkBytes, Quantity::ServerCalls];

fn quantity(quantity: Quantity) -> TrialColumn {
    let &Definition { column, unit, meaning, of, .. } = quantity.definition();
    let column = TrialColumn::number(column, meaning, move |_, row| measured(row, of));
    TrialColumn { unit, ..column }
}

/// Which attempt, and how it ended.
fn attempt() -> Vec<TrialColumn> {
    vec![
        TrialColumn::text("trial", "The cell and the repetition.", |_, row| {
            format!("{}-{}", row.cell, row.repetition).into()
        })
        .required(),
        TrialColumn::integer("repetition", "Which execution of the cell, from 1.", |_, row| {
            row.repetition.into()
        })
        .required(),
        TrialColumn::integer("position", "Place in the order of the plan, from 1.", |_, row| {
            row.position.into()
        })
        .required(),
        TrialColumn::integer(
            "attempt",
            "Which attempt at the trial, from 1; 2 is the first retry.",
            |_, row| row.attempt.into(),
        )
        .required(),
        TrialColumn::text("status", "How the attempt ended.", |_, row| row.status.to_string().into())
            .required()
            .one_of(&["ok", "failed", "timed-out", "interrupted"]),
        TrialColumn::text("error", "Why, where it did not end well.", |_, row| {
            row.error.as_deref().map(one_line).into()
        }),
        TrialColumn::text("flags", "Warnings about this row: words separated by spaces.", |_, row| {
            let words: Vec<&str> = row.flags.iter().map(|flag| flag.word()).collect();
            (!words.is_empty()).then(|| words.join(" ")).into()
        }),
        TrialColumn::new("started_at", Kind::Time, "When the attempt began, in UTC.", |_, row| {
            row.started_at.into()
        })
        .required(),
    ]
}

/// How fast, and how long each operation took.
fn speed() -> Vec<TrialColumn> {
    vec![
        TrialColumn::number(
            "elapsed_s",
            "From the first request to the last reply, by the client's monotonic clock.",
            |_, row| measured(row, |measured| measured.elapsed_ns.as_secs_f64()),
        )
        .unit("s"),
        TrialColumn::number("ops_per_s", "Operations divided by elapsed time.", |_, row| {
            measured(row, Measured::ops_per_s)
        })
        .unit("operations/s"),
        TrialColumn::number(
            "latency_mean_us",
            "Mean latency: time from the request to the last reply of an operation.",
            |_, row| latency(row, |latency| latency.mean_ns / 1e3),
        )
        .unit("µs"),
        TrialColumn::number("latency_p50_us", "Median latency of an operation.", |_, row| {
            latency(row, |latency| micros(latency.p50_ns))
        })
        .unit("µs"),
        TrialColumn::number("latency_p90_us", "90th percentile of the latency of an operation.", |_, row| {
            latency(row, |latency| micros(latency.p90_ns))
        })
        .unit("µs"),
        TrialColumn::number("latency_p99_us", "99th percentile of the latency of an operation.", |_, row| {
            latency(row, |latency| micros(latency.p99_ns))
        })
        .unit("µs"),
        TrialColumn::number(
            "latency_p999_us",
            "99.9th percentile of the latency of an operation.",
            |_, row| latency(row, |latency| micros(latency.p999_ns)),
        )
        .unit("µs"),
        TrialColumn::number("latency_max_us", "Largest latency of an operation.", |_, row| {
            latency(row, |latency| micros(latency.max_ns))
        })
        .unit("µs"),
        TrialColumn::integer("errors", "Operations that failed or returned the wrong value.", |_, row| {
            measured(row, |measured| measured.errors)
        }),
    ]
}

/// What it used, and what the other witnesses report.
fn cost() -> Vec<TrialColumn> {
    vec![
        TrialColumn::number(
            "client_cpu_s",
            "User and system CPU time of the client during the measured part, where the system tells.",
            |_, row| measured(row, |measured| measured.client_cpu_ns.map(Nanos::as_secs_f64)),
        )
        .unit("s"),
        TrialColumn::number(
            "server_cpu_s",
            "User and system CPU time of the server since its last reset.",
            |_, row| server(row, |server| server.cpu_ns.as_secs_f64()),
        )
        .unit("s"),
        TrialColumn::number(
            "foreign_cpu_s",
            "CPU time on the client's machine that neither client nor server used, where the system tells.",
            |_, row| measured(row, |measured| measured.foreign_cpu_ns.map(Nanos::as_secs_f64)),
        )
        .unit("s"),
        TrialColumn::number(
            "steal_s",
            "CPU time that the hypervisor gave to others, over all CPUs, where the system tells.",
            |_, row| measured(row, |measured| measured.steal_ns.map(Nanos::as_secs_f64)),
        )
        .unit("s"),
        placement(),
        TrialColumn::number(
            "littles_law",
            "Throughput × mean latency ÷ operations in flight: near 1 if the latencies are honest; closed loop only.",
            |_, row| littles_law(row).into(),
        ),
        TrialColumn::integer("client_peak_rss_bytes", "Peak resident memory of the client.", |_, row| {
            measured(row, |measured| measured.client_peak_rss_bytes)
        })
        .unit("bytes"),
        TrialColumn::integer(
            "server_memory_bytes",
            "Memory that the server says it uses, at the end.",
            |_, row| server(row, |server| server.tells(Counter::Memory).then_some(server.memory_bytes)),
        )
        .unit("bytes"),
        TrialColumn::integer(
            "server_calls",
            "Calls of the commands of the workload that the server counted.",
            |_, row| {
                let calls =
                    |server: &ServerCounts| server.sum(JobWorkload::from(&row.settings).commands()).calls;
                server(row, |server| server.tells(Counter::Calls).then(|| calls(server)))
            },
        ),
        TrialColumn::text(
            "comparability",
            "What this client does differently from what was asked for, in its own words; empty if nothing.",
            |_, row| row.client.as_ref().and_then(|client| client.comparability.as_ref()).into(),
        ),
        TrialColumn::number(
            "load1",
            "Load average over one minute of the client's machine, at the end.",
            |_, row| measured(row, |measured| measured.load1),
        ),
    ]
}

fn measured<'a, T: Into<Value<'a>>>(row: &'a TrialRecord, value: impl Fn(&'a Measured) -> T) -> Value<'a> {
    row.measured.as_ref().map(value).into()
}

fn latency(row: &TrialRecord, value: impl Fn(&LatencySummary) -> f64) -> Value<'_> {
    measured(row, |measured| measured.latency_summary.as_ref().map(&value))
}

fn server<'a, T: Into<Value<'a>>>(row: &'a TrialRecord, value: impl Fn(&'a ServerCounts) -> T) -> Value<'a> {
    measured(row, |measured| value(&measured.server).into())
}

/// Errors quote what other programs printed; a row must stay on one line for readers who use `grep`.
pub(in crate::results) fn one_line(error: &str) -> String {
    let lines: Vec<&str> =
        error.split(|c: char| c.is_control()).map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ")
}
