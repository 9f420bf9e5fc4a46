//! `redis-benchmark` and `valkey-benchmark`, which take the same options and print the same table.
//!
//! Their tests `set` and `get` run one after the other: all SETs, and then all GETs. An operation's time is the sum of
//! both. Keys could be random, but then GETs would miss some; without that, all use one key.

use std::time::Duration;

use super::{Tool, address, commands_per_round_trip, value_bytes};
use crate::protocol::Job;

pub(super) const TOOL: Tool = Tool {
    options,
    multiple: commands_per_round_trip,
    elapsed,
    keys: |_| 1,
    differs: &[
        "all SETs come before all GETs",
        "one key for all operations",
        "its clock counts milliseconds",
    ],
};

fn options(job: &Job, operations: u64) -> Vec<String> {
    let mut options = address(job, "-s", "--dbnum");
    let with_values = [
        ("-t", "set,get".to_owned()),
        ("-n", operations.to_string()),
        ("-c", job.workers.to_string()),
        ("-P", commands_per_round_trip(job).to_string()),
        ("-d", value_bytes(job, operations).to_string()),
    ];
    options.extend(with_values.into_iter().flat_map(|(option, value)| [option.to_owned(), value]));
    options.push("--csv".to_owned());
    options
}

/// Reads `"SET","125249.99",…`, the requests per second of each test.
fn elapsed(printed: &str, operations: u64) -> Result<Duration, String> {
    let mut elapsed = Duration::ZERO;
    for test in ["SET", "GET"] {
        let mut rows =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(printed.as_bytes());
        let row = rows.records().flatten().find(|row| row.get(0) == Some(test));
        let rate = row.as_ref().and_then(|row| row.get(1)).ok_or_else(|| format!("no row for {test}"))?;
        let per_second: f64 = rate.parse().map_err(|_| format!("`{rate}` requests per second"))?;
        // A test that took less time than its clock can measure has infinitely many a second.
        let seconds = operations as f64 / per_second;
        elapsed +=
            Duration::try_from_secs_f64(seconds).ok().filter(|time| !time.is_zero()).ok_or_else(|| {
                format!("{test} took less time than its clock can resolve: {rate} requests per second")
            })?;
    }
    Ok(elapsed)
}

#[cfg(test)]
mod tests {
    use super::super::tests::job;
    use super::*;

    /// As redis-benchmark 7.0.15 prints it for 1000 requests.
    const PRINTED: &str = r#""test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
"SET","125000.00","0.107","0.024","0.079","0.143","0.255","2.807"
"GET","142857.14","0.078","0.016","0.079","0.127","0.183","0.215"
"#;

    #[test]
    fn the_times_of_both_tests_are_added() {
        let elapsed = elapsed(PRINTED, 1000).unwrap();
        assert!((elapsed.as_secs_f64() - 0.015).abs() < 1e-8, "{elapsed:?}");
    }

    #[test]
    fn the_table_without_a_heading_of_older_versions_is_read() {
        assert_eq!(elapsed("\"SET\",\"1000.00\"\n\"GET\",\"2000.00\"\n", 1000).unwrap().as_millis(), 1500);
    }

    #[test]
    fn what_is_no_result_is_none() {
        insta::assert_snapshot!(elapsed("", 1).unwrap_err(), @"no row for SET");
        insta::assert_snapshot!(elapsed("\"SET\",\"10\"\n", 1).unwrap_err(), @"no row for GET");
        insta::assert_snapshot!(elapsed("\"SET\",\"many\"\n", 1).unwrap_err(), @"`many` requests per second");
        insta::assert_snapshot!(
            elapsed("\"SET\",\"inf\"\n", 1).unwrap_err(),
            @"SET took less time than its clock can resolve: inf requests per second"
        );
        assert!(elapsed("\"SET\",\"-3\"\n", 1).is_err());
        assert!(elapsed("\"SET\",\"0.00\"\n", 1).is_err());
    }

    #[test]
    fn the_job_becomes_a_command_line() {
        let mut job = job();
        insta::assert_snapshot!(
            options(&job, 20_000).join(" "),
            @"-h 127.0.0.1 -p 6379 -t set,get -n 20000 -c 50 -P 1 -d 5 --csv"
        );
        job.workload.pipeline = 4;
        job.workload.value_bytes = Some(100);
        job.server.unix_socket = Some("/run/redis.sock".to_owned());
        insta::assert_snapshot!(
            options(&job, 20_000).join(" "),
            @"-s /run/redis.sock -t set,get -n 20000 -c 50 -P 8 -d 100 --csv"
        );
    }
}
