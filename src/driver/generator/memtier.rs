//! `memtier_benchmark`. With a ratio of 1:1 and parallel key patterns every client walks through keys of its own, and
//! each SET is followed by a GET of the same key: almost exactly what is asked for.

use std::time::Duration;

use serde::Deserialize;

use super::{Tool, address, commands_per_round_trip, value_bytes};
use crate::protocol::Job;

pub(super) const TOOL: Tool = Tool {
    options,
    // Every client does as many requests as every other.
    multiple: |job| u64::from(job.workers),
    elapsed,
    keys: |operations| operations,
    differs: &["all values alike"],
};

fn options(job: &Job, operations: u64) -> Vec<String> {
    let mut options = address(job, "-S", "--select-db");
    options.extend([
        "--threads=1".to_owned(),
        format!("--clients={}", job.workers),
        format!("--requests={}", 2 * operations / u64::from(job.workers)),
        format!("--pipeline={}", commands_per_round_trip(job)),
        "--ratio=1:1".to_owned(),
        "--key-pattern=P:P".to_owned(),
        format!("--key-prefix={}", job.key_prefix),
        "--key-minimum=1".to_owned(),
        format!("--key-maximum={operations}"),
        format!("--data-size={}", value_bytes(job, operations)),
        "--hide-histogram".to_owned(),
        "--out-file=/dev/null".to_owned(),
        "--json-out-file=/dev/stdout".to_owned(),
    ]);
    options
}

/// What is read of its report.
#[derive(Deserialize)]
struct Report {
    #[serde(rename = "ALL STATS")]
    all: Stats,
}

#[derive(Deserialize)]
struct Stats {
    #[serde(rename = "Totals")]
    totals: Totals,
}

#[derive(Deserialize)]
struct Totals {
    #[serde(rename = "Count")]
    requests: u64,
    #[serde(rename = "Ops/sec")]
    per_second: f64,
}

/// Reads the totals, in which a SET and a GET are two.
fn elapsed(printed: &str, operations: u64) -> Result<Duration, String> {
    let report: Report = serde_json::from_str(printed).map_err(|error| error.to_string())?;
    let Totals { requests, per_second } = report.all.totals;
    if requests != 2 * operations {
        return Err(format!("it counts {requests} requests, and {} were asked for", 2 * operations));
    }
    Duration::try_from_secs_f64(requests as f64 / per_second)
        .map_err(|_| format!("{per_second} requests per second"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::job;
    use super::*;

    fn report(count: u64, per_second: &str) -> String {
        format!(
            r#"{{"ALL STATS":{{"Totals":{{"Count":{count},"Ops/sec":{per_second},"Misses/sec":0.00}}}}}}"#
        )
    }

    #[test]
    fn the_time_follows_from_the_totals() {
        assert_eq!(elapsed(&report(6000, "60000.00"), 3000).unwrap().as_millis(), 100);
    }

    #[test]
    fn what_is_no_result_is_none() {
        insta::assert_snapshot!(elapsed("{}", 1).unwrap_err(), @"missing field `ALL STATS` at line 1 column 2");
        insta::assert_snapshot!(
            elapsed(&report(5, "10.0"), 3).unwrap_err(),
            @"it counts 5 requests, and 6 were asked for"
        );
        insta::assert_snapshot!(elapsed(&report(6, "0.0"), 3).unwrap_err(), @"0 requests per second");
    }

    #[test]
    fn the_job_becomes_a_command_line() {
        let mut job = job();
        job.workload.pipeline = 2;
        insta::assert_snapshot!(
            options(&job, 20_000).join(" "),
            @"-h 127.0.0.1 -p 6379 --threads=1 --clients=50 --requests=800 --pipeline=4 --ratio=1:1 --key-pattern=P:P --key-prefix=t: --key-minimum=1 --key-maximum=20000 --data-size=5 --hide-histogram --out-file=/dev/null --json-out-file=/dev/stdout"
        );
    }
}
