//! Others make the same numbers of the tables as we do: pandas in the notebook, R, and spreadsheets.
//!
//! The notebook needs `uv` and, the first time, the network. R and LibreOffice are used where they are; on the machine
//! that decides about a change (`CI`) they must be.

#![expect(clippy::print_stderr, reason = "a test that is left out says why")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

#[test]
fn the_notebook_says_what_stands_in_it() {
    let output = notebook(&[]);
    assert!(output.status.success(), "{}", said(&output));
}

#[test]
fn the_notebook_reads_other_runs_and_such_of_one_cell() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let one = copy_with_one_cell(directory.path());
    let executed = directory.path().join("executed.ipynb");
    let output = notebook(&[&one, &shipped("clients"), Path::new("--output"), &executed]);
    assert!(output.status.success(), "{}", said(&output));
    let text = fs::read_to_string(executed).expect("it was written");
    let (mut cells, mut trials) = (1, 3);
    let mut reader =
        csv::Reader::from_path(shipped("clients").join("summary.csv")).expect("it has a summary");
    let n = reader.headers().expect("it has a header").iter().position(|name| name == "n").expect("it has n");
    for row in reader.records() {
        let n: u32 = row.expect("it is a row")[n].parse().expect("it is a number");
        cells += u32::from(n > 0);
        trials += n;
    }
    let numbers = format!("{cells} cells and {trials} trials: the numbers are those of summary.csv");
    assert!(text.contains(&numbers), "{numbers}: {text}");
}

#[test]
fn the_notebook_finds_a_number_that_is_not_in_the_trials() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let run = copy_with_one_cell(directory.path());
    falsify_median(&run);
    let output = notebook(&[&run, Path::new("--output"), &directory.path().join("executed.ipynb")]);
    assert!(!output.status.success() && said(&output).contains("median_ops_per_s"), "{}", said(&output));
}

#[test]
fn r_finds_the_medians_of_the_summary() {
    let Some(r) = program("Rscript") else { return };
    let directory = tempfile::tempdir().expect("a directory can be made");
    let mut runs: Vec<PathBuf> =
        ["asyncio-land", "asyncio-sweep", "clients", "network", "quickstart", "sweep"].map(shipped).into();
    runs.push(copy_with_one_cell(directory.path()));
    for run in runs {
        let output = of_r(&r, &run);
        assert!(output.status.success(), "{}: {}", run.display(), said(&output));
        let found = medians(csv::Reader::from_reader(&output.stdout[..]));
        let summary = csv::Reader::from_path(run.join("summary.csv")).expect("the run has a summary");
        assert_eq!(found, medians(summary), "{}", run.display());
    }
}

#[test]
fn r_finds_a_number_that_is_not_in_the_trials() {
    let Some(r) = program("Rscript") else { return };
    let directory = tempfile::tempdir().expect("a directory can be made");
    let run = copy_with_one_cell(directory.path());
    falsify_median(&run);
    let output = of_r(&r, &run);
    assert!(
        !output.status.success() && said(&output).contains("median_ops_per_s is not"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_spreadsheet_keeps_every_value_if_it_is_told_what_the_manual_says() {
    if program("soffice").is_none() {
        return;
    }
    // With every table that a run may have.
    let output = uv(Path::new("tests/python/check_spreadsheet.py"), &[&shipped("quickstart")]);
    assert!(output.status.success() && said(&output).contains(", 0 differ"), "{}", said(&output));
}

#[test]
fn a_spreadsheet_that_is_left_to_guess_takes_a_dot_for_nothing() {
    if program("soffice").is_none() {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory can be made");
    let run = copy_with_one_cell(directory.path());
    let guess = ["--locale", "de-DE", "--filter", "CSV:44,34,76,1"].map(Path::new);
    let script = Path::new("tests/python/check_spreadsheet.py");
    let output = uv(script, &[&[run.as_path()], &guess[..]].concat());
    let said = said(&output);
    assert!(!output.status.success(), "{said}");
    assert!(said.contains("latency_p50_us: '28.415' became '28415'"), "{said}");
}

#[test]
fn verdicts_are_counted_family_by_family() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    // Ten blocks of one cell in three modes: two families of five, or one of ten.
    let mut reader = csv::Reader::from_path(shipped("quickstart").join("trials.csv")).expect("it has trials");
    let header = reader.headers().expect("it has a header").clone();
    let row = reader.records().next().expect("it has a row").expect("it is a row");
    let mut writer = csv::Writer::from_path(directory.path().join("trials.csv")).expect("it can be made");
    writer.write_record(&header).expect("it can be written");
    for repetition in 1..=10 {
        for (mode, ops_per_s) in [("plain", 10_000), ("twin", 10_001), ("slowed", 9_500)] {
            let speed = ops_per_s + 2 * repetition;
            let changed = header.iter().zip(&row).map(|(name, value)| match name {
                "mode" => mode.to_owned(),
                "cell" => format!("{:0>16}", mode.len()),
                "trial" => format!("{:0>16}-{repetition}", mode.len()),
                "repetition" => repetition.to_string(),
                "ops_per_s" => speed.to_string(),
                _ => value.to_owned(),
            });
            writer.write_record(changed).expect("it can be written");
        }
    }
    writer.flush().expect("it can be written");

    let arguments = ["--orchestrate", env!("CARGO_BIN_EXE_orchestrate"), "--run"].map(Path::new);
    let output = uv(Path::new("lab/false_alarms.py"), &[&arguments[..], &[directory.path()]].concat());
    assert!(output.status.success(), "{}", said(&output));
    let table = fs::read_to_string(directory.path().join("false_alarms.csv")).expect("it was written");
    let rows: Vec<Vec<&str>> = table.lines().skip(1).map(|row| row.split(',').collect()).collect();
    // What, then repetitions, families, decisions and verdicts among them.
    let found: Vec<String> = rows.iter().map(|row| [&row[..1], &row[2..6]].concat().join(" ")).collect();
    assert_eq!(
        found,
        ["false alarms 5 2 2 0", "false alarms 10 1 1 0", "5% slower 5 2 2 2", "5% slower 10 1 1 1"]
    );
}

/// The notebook, executed with these arguments.
fn notebook(arguments: &[&Path]) -> Output {
    uv(Path::new("notebooks/execute.py"), arguments)
}

fn of_r(r: &Path, run: &Path) -> Output {
    Command::new(r).arg(root().join("notebooks/analysis.R")).arg(run).output().expect("R can be started")
}

fn uv(script: &Path, arguments: &[&Path]) -> Output {
    Command::new("uv")
        .args(["run", "--quiet", "--script"])
        .arg(root().join(script))
        .args(arguments)
        .output()
        .expect("`uv` is on the PATH: scripts/setup installs it")
}

/// Where a program is that not every machine has.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").expect("there is a PATH");
    let found =
        std::env::split_paths(&path).map(|directory| directory.join(name)).find(|file| file.is_file());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "{name} is not installed");
        eprintln!("{name} is not installed: not tested here");
    }
    found
}

/// The only run of an experiment that comes with this repository.
fn shipped(experiment: &str) -> PathBuf {
    let directory = root().join("results").join(experiment);
    let mut runs = fs::read_dir(directory).expect("the experiment was run");
    runs.next().expect("there is a run").expect("the directory can be listed").path()
}

/// A copy of the tables of tests/fixtures/quickstart with the first cell only.
fn copy_with_one_cell(directory: &Path) -> PathBuf {
    let (from, to) = (root().join("tests/fixtures/quickstart"), directory.join("run"));
    fs::create_dir(&to).expect("a directory can be made");
    fs::copy(from.join("datapackage.json"), to.join("datapackage.json")).expect("it can be copied");
    let summary = fs::read_to_string(from.join("summary.csv")).expect("the run has a summary");
    let first = summary.lines().nth(1).and_then(|row| row.split(',').nth(2)).expect("it has a cell");
    for table in ["trials.csv", "summary.csv", "latency.csv"] {
        let text = fs::read_to_string(from.join(table)).expect("the run has this table");
        let rows = text.lines().enumerate().filter(|(line, row)| *line == 0 || row.contains(first));
        let kept: String = rows.flat_map(|(_, row)| [row, "\n"]).collect();
        fs::write(to.join(table), kept).expect("it can be written");
    }
    to
}

/// Changes the median of the one cell in the summary.
fn falsify_median(run: &Path) {
    let path = run.join("summary.csv");
    let mut reader = csv::Reader::from_path(&path).expect("the run has a summary");
    let header = reader.headers().expect("it has a header").clone();
    let row = reader.records().next().expect("it has a row").expect("it is a row");
    let mut writer = csv::Writer::from_path(&path).expect("it can be written");
    writer.write_record(&header).expect("it can be written");
    let changed = header.iter().zip(&row).map(|(name, value)| match name {
        "median_ops_per_s" => "12345.678",
        _ => value,
    });
    writer.write_record(changed).expect("it can be written");
    writer.flush().expect("it can be written");
}

/// The median of each cell that has one, to 12 digits: not every R reads the last one of a number as it was written.
fn medians<R: std::io::Read>(mut table: csv::Reader<R>) -> BTreeMap<String, String> {
    let rows = table.deserialize().map(|row| row.expect("it is a row"));
    let measured = rows.filter(|row: &BTreeMap<String, String>| !row["median_ops_per_s"].is_empty());
    measured
        .map(|row| {
            let median: f64 = row["median_ops_per_s"].parse().expect("a median is a number");
            (row["cell"].clone(), format!("{median:.11e}"))
        })
        .collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
