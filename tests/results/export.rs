//! Results in the formats of other tools: what is exported, under which names, and what is not.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use base64::Engine as _;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;
use hdrhistogram::serialization::interval_log::{IntervalLogHistogram, IntervalLogIterator, LogEntry};
use orchestrate::record::{Flag, TrialRecord};
use orchestrate::results::rebuild::rebuild;
use serde_json::Value;

use crate::records::{Run, failed, ok, settings};

fn export(run: &PathBuf, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrate"));
    command.arg("export").arg(run).args(args).env("NO_COLOR", "1").output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(run: &PathBuf, args: &[&str]) -> Value {
    let output = export(run, args);
    assert!(output.status.success(), "{}", err(&output));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Six trials of a cell, around so many operations per second.
fn six(mode: &str, ops_per_s: f64) -> Vec<TrialRecord> {
    let speeds = [1.00, 1.01, 0.99, 1.02, 0.98, 1.00];
    (1..).zip(speeds).map(|(n, factor)| ok(&settings(mode, 10), n, ops_per_s * factor)).collect()
}

fn small() -> Run {
    let mut records = six("async", 30_000.0);
    records.extend(six("sync", 10_000.0));
    records.truncate(9);
    records.push(failed(&settings("multiplexed", 10), 1, "the server's count disagrees"));
    Run::of(&records)
}

#[test]
fn github_action_benchmark_gets_one_metric_of_each_cell() {
    let run = small();
    let output = export(&run.path, &["--format", "github-action-benchmark"]);
    insta::with_settings!({ filters => vec![("cell [0-9a-f]{16}", "cell [cell]")] }, {
        insta::assert_snapshot!("github-action-benchmark", out(&output) + &err(&output));
    });
    let latency = ["--format", "github-action-benchmark", "--metric", "latency_p99_us"];
    let output = export(&run.path, &latency);
    assert!(err(&output).contains("tool: customSmallerIsBetter"), "{}", err(&output));
    let entries = json(&run.path, &latency);
    assert_eq!((entries[0]["unit"].as_str(), entries[0].get("range")), (Some("µs"), None));
}

#[test]
fn bencher_gets_every_metric_of_each_cell() {
    let output = export(&small().path, &["--format", "bencher"]);
    insta::assert_snapshot!("bencher", out(&output) + &err(&output));
}

#[test]
fn what_must_not_be_quoted_is_not_exported_and_that_is_said() {
    let mut records = Vec::new();
    for (n, ops_per_s) in (1..).zip([10_000.0, 10_010.0, 10_020.0, 90_000.0, 90_010.0, 90_020.0]) {
        records.push(ok(&settings("bimodal", 10), n, ops_per_s));
    }
    let mut flagged = |mode: &str, flag: Flag| {
        let trials = six(mode, 20_000.0).into_iter().map(|trial| TrialRecord { flags: vec![flag], ..trial });
        records.extend(trials);
    };
    flagged("clocks", Flag::ClockDisagrees);
    flagged("doubtful", Flag::LatencyDoubtful);
    records.extend(six("sync", 10_000.0));
    let mut twin = six("sync", 10_000.0);
    twin.iter_mut().for_each(|trial| {
        trial.control_of = Some(std::mem::replace(&mut trial.cell, "00c0ffee00c0ffee".to_owned()));
    });
    records.extend(twin);
    let run = Run::of(&records);

    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let benchmarks = json(&run.path, &["--format", "bencher"]);
    let of = |mode: &str| format!("article/{mode}/workers=10/placement=same-core/value_bytes=16");
    assert_eq!(names(&benchmarks), [of("sync"), of("doubtful")]);
    assert!(benchmarks[of("sync")].get("latency-p50-us").is_some());
    assert!(benchmarks[of("doubtful")].get("latency-p50-us").is_none());
    let said = err(&export(&run.path, &["--format", "bencher"]));
    assert!(said.contains(&format!("fall into two groups far apart: {}\n", of("bimodal"))), "{said}");
    assert!(
        said.contains(&format!("two clocks disagree about the elapsed time: {}\n", of("clocks"))),
        "{said}"
    );
    assert!(said.contains(&format!("which contradict the throughput: {}\n", of("doubtful"))), "{said}");
    assert_eq!(intervals(&run.path).into_keys().collect::<Vec<_>>(), [of("sync")]);
}

#[test]
fn nothing_to_export_and_several_runs_are_errors_and_nothing_is_written() {
    let run = Run::of(&[failed(&settings("sync", 10), 1, "the server's count disagrees")]);
    let output = export(&run.path, &["--format", "bencher"]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(2), ""));
    assert!(err(&output).contains("nothing to export in this format"), "{}", err(&output));
    let run = small();
    let output = export(&run.path, &[run.path.to_str().unwrap(), "--format", "hdr"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!run.path.join("trials.csv").exists(), "an export for another tool writes no tables");

    let file = run.path.join("bencher.json");
    let output = export(&run.path, &["--format", "bencher", "--output", file.to_str().unwrap()]);
    assert_eq!((output.status.code(), out(&output).as_str()), (Some(0), ""));
    let written: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    assert_eq!(written, json(&run.path, &["--format", "bencher"]));
}

#[test]
fn the_directory_of_an_experiment_stands_for_its_runs() {
    let run = small();
    let experiment = run.path.parent().unwrap().to_owned();
    let output = export(&experiment, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert_eq!(out(&output), format!("{}: 10 rows, 3 cells\n", run.path.display()));
    assert_eq!(json(&experiment, &["--format", "bencher"]), json(&run.path, &["--format", "bencher"]));
    let empty = tempfile::tempdir().unwrap();
    let output = export(&empty.path().to_owned(), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        err(&output).contains("is not a run: neither it nor any directory in it has a journal.jsonl"),
        "{}",
        err(&output)
    );
}

/// The histograms of a log by their tags, as the library's own reader has them, with their intervals.
fn intervals(run: &PathBuf) -> BTreeMap<String, (Histogram<u64>, f64, f64)> {
    let output = export(run, &["--format", "hdr"]);
    assert!(output.status.success(), "{}", err(&output));
    let entries: Result<Vec<LogEntry<'_>>, _> = IntervalLogIterator::new(&output.stdout).collect();
    let decoded = |interval: IntervalLogHistogram<'_>| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(interval.encoded_histogram()).unwrap();
        let histogram = Deserializer::new().deserialize(&mut bytes.as_slice()).unwrap();
        let times = (interval.start_timestamp().as_secs_f64(), interval.duration().as_secs_f64());
        (interval.tag().unwrap().as_str().to_owned(), (histogram, times.0, times.1))
    };
    let of = |entry| if let LogEntry::Interval(interval) = entry { Some(decoded(interval)) } else { None };
    entries.unwrap().into_iter().filter_map(of).collect()
}

#[test]
fn a_log_has_an_interval_for_each_cell_in_the_order_in_which_they_began() {
    let run = small();
    let output = export(&run.path, &["--format", "hdr"]);
    let text = out(&output);
    let lines: Vec<&str> = text.lines().map(|line| line.split(",HISTFA").next().unwrap()).collect();
    insta::assert_snapshot!("hdr", lines.join("\n"));
    assert_eq!(
        intervals(&run.path).values().map(|(histogram, ..)| histogram.len()).collect::<Vec<_>>(),
        [120_000, 60_000]
    );
}

/// A run that is kept in this repository, in a directory of its own where its tables can be made.
fn committed(name: &str) -> (tempfile::TempDir, PathBuf) {
    let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("results").join(name);
    let run = std::fs::read_dir(kept).unwrap().next().unwrap().unwrap().path();
    let directory = tempfile::tempdir().unwrap();
    std::fs::copy(run.join("journal.jsonl"), directory.path().join("journal.jsonl")).unwrap();
    let path = directory.path().to_owned();
    (directory, path)
}

#[test]
fn the_quantiles_of_a_log_are_those_of_the_table_of_latencies() {
    for name in ["quickstart", "versions"] {
        let (_directory, run) = committed(name);
        let rebuilt = rebuild(&run).unwrap();
        let histograms = intervals(&run);
        let mut compared = 0;
        for row in csv::Reader::from_path(run.join("latency.csv")).unwrap().deserialize() {
            let row: BTreeMap<String, String> = row.unwrap();
            let start = format!("{}/{}/workers={}/", row["experiment"], row["mode"], row["workers_asked"]);
            // What is bimodal is in the table, with a flag, and not in the log.
            let Some((_, (histogram, ..))) = histograms.iter().find(|(tag, _)| tag.starts_with(&start))
            else {
                let cell = rebuilt.cells.iter().find(|cell| cell.cell == row["cell"]).unwrap();
                assert!(cell.groups.is_some(), "{start}");
                continue;
            };
            let quantile: f64 = row["quantile"].parse().unwrap();
            let nanos = if quantile == 0.0 { histogram.min() } else { histogram.value_at_quantile(quantile) };
            assert_eq!((nanos as f64 / 1e3).to_string(), row["latency_us"], "{start} at {quantile}");
            assert_eq!(histogram.len().to_string(), row["count"]);
            compared += 1;
        }
        assert!(compared >= 22, "{name}: {compared}");
    }
}

#[test]
fn the_numbers_of_a_committed_run_are_those_of_its_summary() {
    let (_directory, run) = committed("quickstart");
    rebuild(&run).unwrap();
    let throughput = json(&run, &["--format", "github-action-benchmark"]);
    let benchmarks = json(&run, &["--format", "bencher"]);
    assert_eq!(throughput.as_array().unwrap().len(), benchmarks.as_object().unwrap().len());
    let rows: Vec<BTreeMap<String, String>> =
        csv::Reader::from_path(run.join("summary.csv")).unwrap().deserialize().map(Result::unwrap).collect();
    let is_of = |entry: &&Value, cell: &str| entry["extra"].as_str().unwrap().contains(cell);
    let mut compared = 0;
    for row in rows.iter().filter(|row| !row["flags"].contains("bimodal")) {
        let entry = throughput.as_array().unwrap().iter().find(|entry| is_of(entry, &row["cell"])).unwrap();
        let number = |column: &str| row[column].parse::<f64>().ok();
        assert_eq!(entry["value"].as_f64(), number("median_ops_per_s"));
        let measures = &benchmarks[entry["name"].as_str().unwrap()];
        let bencher = |measure: &str, which: &str| measures[measure][which].as_f64();
        assert_eq!(bencher("throughput", "value"), number("median_ops_per_s"));
        assert_eq!(bencher("throughput", "lower_value"), number("median_low_ops_per_s"));
        assert_eq!(bencher("throughput", "upper_value"), number("median_high_ops_per_s"));
        for column in
            ["latency_mean_us", "latency_p50_us", "latency_p99_us", "latency_p999_us", "client_cpu_us_per_op"]
        {
            assert_eq!(bencher(&column.replace('_', "-"), "value"), number(column), "{column}");
        }
        compared += 1;
    }
    assert!(compared >= 10, "{compared}");
}
