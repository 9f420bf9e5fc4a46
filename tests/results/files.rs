use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::io::{BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Instant;

use orchestrate::analysis::summary::CellSummary;
use orchestrate::record::{Flag, Status, TrialRecord};
use orchestrate::results::columns::{Column, cells, progress, trials};
use orchestrate::results::provenance::{End, EndReason, Provenance, Session, StopReason};
use orchestrate::results::rebuild::rebuild;
use proptest::prelude::*;

use crate::records::{Run, begin, end, failed, ok, session, settings, start, without_checksums};

type Row = HashMap<String, String>;

fn rows(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    reader.deserialize().map(Result::unwrap).collect()
}

fn trial_rows(run: &Run) -> Vec<Row> {
    rebuild(&run.path).unwrap();
    rows(&run.path.join("trials.csv"))
}

fn summary(run: &Run) -> CellSummary {
    let mut cells = rebuild(&run.path).unwrap().cells;
    assert_eq!(cells.len(), 1);
    cells.pop().unwrap()
}

/// What readers of `trials.csv` rely on; more may follow.
const PROMISED: &str = "run_id, experiment, cell, trial, repetition, position, attempt, status, error, flags, started_at,
client_host, client_os, client_arch, client_cpu, server_host, server_os, server_arch, link, rtt_us,
server, server_version, mode, client, client_runtime, workload, workers_asked, workers, operations, value_bytes, pipeline,
rate, elapsed_s, ops_per_s, latency_mean_us, latency_p50_us, latency_p90_us, latency_p99_us, latency_p999_us,
latency_max_us, errors, client_cpu_s, server_cpu_s, foreign_cpu_s, steal_s, placement, littles_law, client_peak_rss_bytes,
server_memory_bytes, server_calls, comparability, load1";

#[test]
fn the_promised_columns_stand_in_the_promised_order() {
    let promised: Vec<&str> = PROMISED.split(',').map(str::trim).collect();
    let columns = trials::columns();
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    assert_eq!(names[..promised.len()], promised);
}

#[test]
fn no_two_columns_of_a_table_have_the_same_name() {
    fn names<Row>(columns: &[Column<Row>]) -> Vec<&'static str> {
        columns.iter().map(|column| column.name).collect()
    }
    let tables = [
        names(&trials::columns()),
        names(&cells::summary_columns()),
        names(&cells::latency_columns()),
        names(&progress::columns()),
    ];
    for mut names in tables {
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}

#[test]
fn a_trial_is_a_row_with_everything_that_is_known_about_it() {
    let mut record = ok(&settings("async", 100), 3, 16_403.31);
    record.flags = vec![Flag::ClientBound, Flag::BackgroundLoad];
    let run = Run::of(&[record]);
    rebuild(&run.path).unwrap();
    let text = fs::read_to_string(run.path.join("trials.csv")).unwrap();
    insta::with_settings!({ filters => vec![("[0-9a-f]{16}", "[cell]")] }, {
        insta::assert_snapshot!("trials.csv", text);
    });
}

#[test]
fn a_trial_whose_progress_is_known_has_a_row_for_each_part() {
    let mut silent = ok(&settings("async", 100), 4, 16_403.31);
    silent.measured.as_mut().unwrap().progress = None;
    let run = Run::of(&[ok(&settings("async", 100), 3, 16_403.31), silent]);
    rebuild(&run.path).unwrap();
    let trial = trial_rows(&run).remove(0);
    let parts = rows(&run.path.join("progress.csv"));
    assert_eq!(parts.len(), 12);
    let number = |row: &Row, name: &str| row[name].parse::<f64>().unwrap();
    let sum: f64 = parts.iter().map(|part| number(part, "operations")).sum();
    assert_eq!(sum, number(&trial, "operations"));
    let seconds: f64 = parts.iter().map(|part| number(part, "operations") / number(part, "ops_per_s")).sum();
    assert!((seconds - number(&trial, "elapsed_s")).abs() < 1e-9, "{seconds}");
    assert!((number(&parts[11], "end_s") - number(&trial, "elapsed_s")).abs() < 1e-9);
    assert!(
        parts
            .iter()
            .zip(1..)
            .all(|(part, nth)| part["part"] == nth.to_string() && part["trial"] == trial["trial"])
    );
}

#[test]
fn a_failed_trial_is_a_row_like_any_other() {
    let settings = settings("sync", 1);
    let mut retry = ok(&settings, 1, 8_600.0);
    retry.attempt = 2;
    let run = Run::of(&[failed(&settings, 1, "the server's count disagrees"), retry]);
    let rows = trial_rows(&run);
    let fate = |row: &Row| ["trial", "attempt", "status", "error"].map(|name| row[name].clone()).join(" ");
    let trial = &rows[0]["trial"];
    assert_eq!(
        rows.iter().map(fate).collect::<Vec<_>>(),
        [format!("{trial} 1 failed the server's count disagrees"), format!("{trial} 2 ok "),]
    );
    assert!(trial.ends_with("-1"));

    let summary = summary(&run);
    assert_eq!((summary.n, summary.failed), (1, 1));
}

#[test]
fn what_is_not_known_is_empty_and_never_zero() {
    let run = Run::of(&[failed(&settings("sync", 1), 1, "no server")]);
    let row = trial_rows(&run).pop().unwrap();
    let known: Vec<&str> =
        trials::columns().iter().map(|column| column.name).filter(|name| !row[*name].is_empty()).collect();
    insta::assert_snapshot!("known_of_a_failed_trial", known.join("\n"));

    let mut record = ok(&settings("sync", 1), 1, 8_600.0);
    let measured = record.measured.as_mut().unwrap();
    (measured.latency, measured.latency_summary, measured.load1) = (None, None, Some(f64::NAN));
    let row = trial_rows(&Run::of(&[record])).pop().unwrap();
    for name in ["latency_mean_us", "latency_max_us", "littles_law", "steal_s", "rtt_us", "load1", "rate"] {
        assert_eq!(row[name], "", "{name}");
    }
    // What is known to be nothing is a 0.
    assert_eq!(row["errors"], "0");
}

#[test]
fn a_cell_without_a_good_trial_has_a_row_without_numbers() {
    let run = Run::of(&[failed(&settings("sync", 1), 1, "no server")]);
    rebuild(&run.path).unwrap();
    let row = rows(&run.path.join("summary.csv")).pop().unwrap();
    assert_eq!((row["n"].as_str(), row["failed"].as_str()), ("0", "1"));
    for column in ["best_ops_per_s", "mean_ops_per_s", "stdev_ops_per_s", "cv", "latency_p99_us", "flags"] {
        assert_eq!(row[column], "", "{column}");
    }
    assert!(rows(&run.path.join("latency.csv")).is_empty());
}

#[test]
fn an_interrupted_attempt_is_a_row_but_no_failure() {
    let mut record = failed(&settings("sync", 1), 1, "interrupted");
    record.status = Status::Interrupted;
    let run = Run::of(&[record]);
    assert_eq!(trial_rows(&run)[0]["status"], "interrupted");
    assert_eq!(summary(&run).failed, 0);
}

#[test]
fn one_trial_has_no_standard_deviation() {
    let run = Run::of(&[ok(&settings("sync", 1), 1, 8_600.0)]);
    rebuild(&run.path).unwrap();
    let row = rows(&run.path.join("summary.csv")).pop().unwrap();
    assert_eq!((row["n"].as_str(), row["stdev_ops_per_s"].as_str(), row["cv"].as_str()), ("1", "", ""));
}

#[test]
fn trials_on_two_sides_of_a_coin_are_called_bimodal() {
    let settings = settings("sync", 1);
    let run = Run::of(&[1, 2, 3].map(|i| ok(&settings, i, [70_000.0, 8_000.0, 66_000.0][i as usize - 1])));
    rebuild(&run.path).unwrap();
    assert_eq!(rows(&run.path.join("summary.csv"))[0]["flags"], "bimodal");
}

#[test]
fn a_trial_far_from_the_others_of_its_cell_is_marked_and_kept() {
    let settings = settings("sync", 1);
    let speeds = [8_600.0, 8_610.0, 7_000.0, 8_590.0, 8_605.0];
    let mut records: Vec<_> = speeds.into_iter().zip(1..).map(|(speed, i)| ok(&settings, i, speed)).collect();
    records.insert(1, failed(&settings, 9, "a row that is no observation"));
    records[3].flags = vec![Flag::BackgroundLoad];
    let run = Run::of(&records);
    let flags: Vec<String> =
        trial_rows(&run).into_iter().map(|mut row| row.remove("flags").unwrap()).collect();
    assert_eq!(flags, ["", "", "", "background-load outlier", "", ""]);
    let cell = summary(&run);
    assert_eq!((cell.n, cell.flags[&Flag::Outlier], cell.throughput.unwrap().worst.round()), (5, 1, 7_000.0));
    assert_eq!(rows(&run.path.join("summary.csv"))[0]["flags"], "background-load outlier");
}

#[test]
fn few_trials_have_no_outliers() {
    let settings = settings("sync", 1);
    let run = Run::of(
        &[1, 2, 3, 4].map(|i| ok(&settings, i, [8_600.0, 8_610.0, 7_000.0, 8_590.0][i as usize - 1])),
    );
    assert!(trial_rows(&run).iter().all(|row| row["flags"].is_empty()));
}

#[test]
fn a_cell_whose_throughput_goes_one_way_is_called_drifting() {
    let settings = settings("sync", 1);
    let run = Run::of(&[1, 2, 3, 4, 5, 6, 7, 8].map(|i| ok(&settings, i, 8_600.0 - 100.0 * f64::from(i))));
    rebuild(&run.path).unwrap();
    assert_eq!(rows(&run.path.join("summary.csv"))[0]["flags"], "drift");
}

#[test]
fn a_median_has_an_interval_from_five_trials_on() {
    let settings = settings("sync", 1);
    let summary_of = |speeds: &[f64]| {
        let trials: Vec<_> = speeds.iter().zip(1..).map(|(&speed, i)| ok(&settings, i, speed)).collect();
        let run = Run::of(&trials);
        rebuild(&run.path).unwrap();
        rows(&run.path.join("summary.csv")).pop().unwrap()
    };
    let row = summary_of(&[8_600.0, 8_610.0, 8_580.0, 8_590.0, 8_605.0]);
    let number = |name: &str| row[name].parse::<f64>().unwrap();
    let (low, median, high) =
        (number("median_low_ops_per_s"), number("median_ops_per_s"), number("median_high_ops_per_s"));
    assert!(number("worst_ops_per_s") <= low && low < median && median < high, "{low} {median} {high}");
    let few = summary_of(&[8_600.0, 8_610.0, 8_580.0, 8_590.0]);
    assert_eq!((few["median_low_ops_per_s"].as_str(), few["median_high_ops_per_s"].as_str()), ("", ""));
}

#[test]
fn a_control_is_marked_in_every_table() {
    let settings = settings("sync", 1);
    let mut twin = ok(&settings, 1, 8_700.0);
    let cell = std::mem::replace(&mut twin.cell, "00000000000000aa".to_owned());
    twin.control_of = Some(cell.clone());
    let run = Run::of(&[twin, ok(&settings, 1, 8_600.0)]);
    let rebuilt = rebuild(&run.path).unwrap();
    for table in ["trials.csv", "summary.csv", "latency.csv"] {
        for row in rows(&run.path.join(table)) {
            let of = if row["cell"] == cell { "" } else { cell.as_str() };
            assert_eq!(row["control_of"], of, "{table}");
        }
    }
    let order: Vec<bool> = rebuilt.cells.iter().map(|cell| cell.control_of.is_some()).collect();
    assert_eq!(order, [false, true], "it stands behind the cell that it repeats");
}

#[test]
fn why_a_run_ended_is_known_once_it_has() {
    let results = tempfile::tempdir().unwrap();
    let (directory, mut journal) = begin(results.path(), start());
    journal.trial(&ok(&settings("sync", 1), 1, 8_600.0)).unwrap();
    let reason = || {
        rebuild(directory.path()).unwrap();
        rows(&directory.path().join("summary.csv")).pop().unwrap().remove("stop_reason").unwrap()
    };
    assert_eq!(reason(), "");
    let stopped = End { stop_reason: Some(StopReason::Interrupted), ..end(EndReason::Interrupted) };
    journal.end(&stopped).unwrap();
    assert_eq!(reason(), "interrupted");
    let later = start() + jiff::SignedDuration::from_hours(1);
    journal.session(&Session { started_at: later, ..session(journal.run_id(), 4) }).unwrap();
    assert_eq!(reason(), "", "it goes on");
    journal.end(&End { stop_reason: Some(StopReason::Precise), ..end(EndReason::Complete) }).unwrap();
    assert_eq!(reason(), "precise");
}

#[test]
fn a_journal_of_an_earlier_version_still_makes_tables() {
    let run = Run::of(&[ok(&settings("sync", 1), 1, 8_600.0)]);
    let text = without_checksums(&fs::read_to_string(run.journal()).unwrap());
    assert!(text.contains(",\"stop_reason\":\"fixed\"") && !text.contains("control_of"));
    fs::write(run.journal(), text.replace(",\"stop_reason\":\"fixed\"", "")).unwrap();
    rebuild(&run.path).unwrap();
    let row = rows(&run.path.join("summary.csv")).pop().unwrap();
    assert_eq!((row["stop_reason"].as_str(), row["control_of"].as_str(), row["n"].as_str()), ("", "", "1"));
}

#[test]
fn a_cell_whose_trials_met_different_servers_is_called_mixed() {
    let settings = settings("sync", 1);
    let mut newer = ok(&settings, 2, 8_600.0);
    newer.server.as_mut().unwrap().version = "8.0.0".to_owned();
    let run = Run::of(&[ok(&settings, 1, 8_600.0), newer]);
    assert!(summary(&run).mixed);
}

#[test]
fn a_cell_whose_trials_had_different_drivers_is_called_mixed() {
    let settings = settings("sync", 1);
    let run = |hashes: [Option<&str>; 3]| {
        let trials = [1, 2, 3].map(|repetition| {
            let hash = hashes[repetition as usize - 1].map(str::to_owned);
            TrialRecord { driver_sha256: hash, ..ok(&settings, repetition, 8_600.0) }
        });
        let run = Run::of(&trials);
        let of_table = read_runs(&run);
        (summary(&run).mixed, of_table)
    };
    assert_eq!(run([Some("a"), Some("b"), Some("b")]), (true, vec!["driver_sha256"]));
    // What an earlier version measured does not tell, which is not to say that it was another driver.
    assert_eq!(run([None, Some("b"), Some("b")]), (false, vec![]));
    assert_eq!(run([None, Some("b"), Some("c")]), (true, vec!["driver_sha256"]));
}

/// What the one sample of a run's table is mixed of.
fn read_runs(run: &Run) -> Vec<&'static str> {
    rebuild(&run.path).unwrap();
    let read = orchestrate::results::read::samples(std::slice::from_ref(&run.path)).unwrap();
    read.samples.into_iter().next().unwrap().mixed
}

#[test]
fn quantiles_come_from_all_operations_together() {
    let settings = settings("sync", 1);
    let slow = ok(&settings, 2, 1_000.0);
    let run = Run::of(&[ok(&settings, 1, 10_000.0), slow.clone(), ok(&settings, 3, 10_000.0)]);
    let latency = summary(&run).latency.unwrap();
    assert_eq!(latency.count, 60_000);
    let at = |quantile: f64| {
        let (_, nanos) = latency.quantiles.iter().find(|(q, _)| *q == quantile).unwrap();
        *nanos as f64 / 1e3
    };
    // Two thirds of the operations took 100 µs, one third 1 ms.
    let near =
        |value: f64, expected: f64| assert!((value / expected - 1.0).abs() < 1e-3, "{value} {expected}");
    for (quantile, expected) in [(0.0, 100.0), (0.5, 100.0), (0.75, 1_000.0), (1.0, 1_000.0)] {
        near(at(quantile), expected);
    }
    near(latency.summary.mean_ns, 400_000.0);
}

#[test]
fn littles_law_holds_for_a_client_that_keeps_its_connections_busy() {
    let closed = summary(&Run::of(&[ok(&settings("async", 100), 1, 16_000.0)]));
    assert!((closed.littles_law.unwrap() - 1.0).abs() < 1e-3);

    let mut open = settings("async", 100);
    open.workload.rate = Some(16_000);
    assert_eq!(summary(&Run::of(&[ok(&open, 1, 16_000.0)])).littles_law, None);
}

#[test]
fn rebuilding_twice_makes_the_same_files_that_everybody_may_read() {
    let run = Run::of(&[ok(&settings("sync", 1), 1, 8_600.0), failed(&settings("async", 9), 1, "no")]);
    let names = ["trials.csv", "summary.csv", "latency.csv", "progress.csv", "datapackage.json", "run.json"];
    let contents = || {
        rebuild(&run.path).unwrap();
        names.map(|name| fs::read_to_string(run.path.join(name)).unwrap())
    };
    assert_eq!(contents(), contents());
    for name in names {
        let mode = fs::metadata(run.path.join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "{name}");
    }
    let files: Vec<_> = fs::read_dir(&run.path).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files.len(), names.len() + [".lock", "experiment.toml", "journal.jsonl"].len(), "{files:?}");
}

#[test]
fn who_took_part_is_written_down_apart_from_the_numbers() {
    let run = Run::of(&[ok(&settings("sync", 1), 1, 8_600.0), ok(&settings("async", 9), 1, 8_600.0)]);
    let provenance = rebuild(&run.path).unwrap().provenance;
    let text = fs::read_to_string(run.path.join("run.json")).unwrap();
    assert_eq!(serde_json::from_str::<Provenance>(&text).unwrap(), provenance);
    insta::assert_snapshot!("run.json", text);
}

#[test]
fn cells_stand_in_the_order_of_the_file_whatever_was_executed_first() {
    let records = [("async", 100), ("sync", 1), ("async", 9), ("later", 1), ("async", 20)]
        .map(|(mode, workers)| ok(&settings(mode, workers), 1, 8_600.0));
    let cells = rebuild(&Run::of(&records).path).unwrap().cells;
    let order: Vec<String> = cells
        .iter()
        .map(|cell| format!("{} {}", cell.label.settings.mode, cell.label.settings.workers))
        .collect();
    assert_eq!(order, ["sync 1", "async 9", "async 20", "async 100", "later 1"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_reason_of_any_shape_stays_in_its_field_and_on_its_line(
        error in "[a-z ,;\"'\n\r\t|\u{0}é=+]{0,40}", client in "[a-z ,\"]{0,12}"
    ) {
        let mut record = failed(&settings("sync", 1), 1, &error);
        record.client_host.cpu = client.clone();
        let run = Run::of(&[record]);
        rebuild(&run.path).unwrap();
        let text = fs::read_to_string(run.path.join("trials.csv")).unwrap();
        prop_assert_eq!(text.lines().count(), 2);
        prop_assert!(!text.contains('\r'));
        let row = rows(&run.path.join("trials.csv")).pop().unwrap();
        let words = |text: &str| -> String { text.chars().filter(|c| c.is_alphanumeric()).collect() };
        prop_assert_eq!(words(&row["error"]), words(&error));
        prop_assert_eq!(&row["client_cpu"], &client);
        prop_assert_eq!(&row["status"], "failed");
    }

    #[test]
    fn a_number_reads_back_as_the_same_number(load in prop::num::f64::NORMAL, ops_per_s in 0.1_f64..1e7) {
        let mut record = ok(&settings("sync", 1), 1, ops_per_s);
        let measured = record.measured.as_mut().unwrap();
        measured.load1 = Some(load);
        let exact = measured.ops_per_s();
        let row = trial_rows(&Run::of(&[record])).pop().unwrap();
        prop_assert_eq!(row["load1"].parse::<f64>().unwrap(), load);
        prop_assert_eq!(row["ops_per_s"].parse::<f64>().unwrap(), exact);
    }
}

/// `cargo test --release --test results -- --ignored`
#[test]
#[ignore = "a promise about release builds"]
fn ten_thousand_trials_are_rebuilt_within_two_seconds() {
    let run = Run::of(&[]);
    let mut journal = BufWriter::new(OpenOptions::new().append(true).open(run.journal()).unwrap());
    for i in 0..10_000_u32 {
        let mut record = ok(&settings("async", 1 + i % 200), 1 + i / 200, 8_000.0 + f64::from(i));
        let mut latencies = hdrhistogram::Histogram::<u64>::new(3).unwrap();
        for k in 0..5_000_u64 {
            latencies.record(20_000 + (k * k * u64::from(i + 7)) % 900_000).unwrap();
        }
        record.measured.as_mut().unwrap().latency = Some(orchestrate::latency::encode(&latencies));
        // Not through the journal's own writer, whose promise is that each line is on the disk.
        writeln!(journal, "{{\"trial\":{}}}", serde_json::to_string(&record).unwrap()).unwrap();
    }
    journal.into_inner().unwrap();
    let begun = Instant::now();
    assert_eq!(rebuild(&run.path).unwrap().attempts, 10_000);
    let took = begun.elapsed();
    println!("{} bytes in {took:?}", fs::metadata(run.journal()).unwrap().len());
    assert!(took.as_secs_f64() < 2.0, "{took:?}");
}
