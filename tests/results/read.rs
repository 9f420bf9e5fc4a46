//! What is read of the tables of trials, and what is said of tables that are broken.

use std::fs;
use std::path::{Path, PathBuf};

use orchestrate::analysis::samples::{Sample, Samples};
use orchestrate::results::read::samples;
use tempfile::TempDir;

/// A real run of an early version.
const QUICKSTART: &str = "tests/fixtures/quickstart/trials.csv";

/// The rows of a table, to be broken.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn real() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(QUICKSTART);
        let mut reader = csv::Reader::from_path(path).unwrap();
        let header = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let rows = reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
        Self { header, rows }
    }

    fn column(&self, name: &str) -> usize {
        self.header.iter().position(|column| column == name).unwrap()
    }

    fn set(mut self, row: usize, column: &str, value: &str) -> Self {
        let column = self.column(column);
        value.clone_into(&mut self.rows[row][column]);
        self
    }

    fn without(mut self, column: &str) -> Self {
        let column = self.column(column);
        self.header.remove(column);
        self.rows.iter_mut().for_each(|row| drop(row.remove(column)));
        self
    }

    fn text(&self) -> String {
        let mut writer =
            csv::WriterBuilder::new().terminator(csv::Terminator::Any(b'\n')).from_writer(Vec::new());
        writer.write_record(&self.header).unwrap();
        self.rows.iter().for_each(|row| writer.write_record(row).unwrap());
        String::from_utf8(writer.into_inner().unwrap()).unwrap()
    }
}

/// A directory with files in it.
struct Place(TempDir);

impl Place {
    fn with(name: &str, text: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.put(name, text);
        place
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, names: &[&str]) -> Result<Samples, String> {
        let paths: Vec<PathBuf> = names.iter().map(|name| self.0.path().join(name)).collect();
        let hide = |text: String| text.replace(&format!("{}/", self.0.path().display()), "");
        let mut read = samples(&paths).map_err(|error| hide(error.to_string()))?;
        read.remarks = read.remarks.into_iter().map(hide).collect();
        Ok(read)
    }
}

fn read(text: &str) -> Result<Samples, String> {
    Place::with("trials.csv", text).read(&["trials.csv"])
}

fn trials(samples: &Samples) -> usize {
    samples.samples.iter().map(|sample| sample.trials.len()).sum()
}

#[test]
fn every_number_is_the_one_in_the_table() {
    let table = Table::real();
    let read = read(&table.text()).unwrap();
    assert_eq!(read.remarks, [""; 0]);
    assert_eq!(trials(&read), table.rows.len());
    let column = |name| table.column(name);
    for sample in &read.samples {
        let cell = sample.label.get("cell").unwrap();
        let rows: Vec<&Vec<String>> = table.rows.iter().filter(|row| row[column("cell")] == cell).collect();
        assert_eq!(rows.len(), sample.trials.len());
        for (row, trial) in rows.into_iter().zip(&sample.trials) {
            assert_eq!(read.runs[trial.run as usize], row[column("run_id")]);
            assert_eq!(trial.repetition.to_string(), row[column("repetition")]);
            assert_eq!(trial.position.to_string(), row[column("position")]);
            assert_eq!(trial.ops_per_s.to_string(), row[column("ops_per_s")]);
            let latency = trial.latency.unwrap();
            assert_eq!(latency.p99_us.to_string(), row[column("latency_p99_us")]);
            assert_eq!(latency.max_us.to_string(), row[column("latency_max_us")]);
            let words: Vec<&str> = trial.flags.iter().map(|flag| flag.word()).collect();
            assert_eq!(words.join(" "), row[column("flags")]);
            assert_eq!(sample.label.get("mode").unwrap(), row[column("mode")]);
            let time: jiff::Timestamp = row[column("started_at")].parse().unwrap();
            assert_eq!(trial.started_at_us, time.as_microsecond());
        }
    }
}

#[test]
fn columns_are_found_by_name_in_any_order_and_more_of_them_are_fine() {
    let table = Table::real();
    let expected = read(&table.text()).unwrap();
    let mut turned = table;
    turned.header.push("remark of mine".to_owned());
    turned.rows.iter_mut().for_each(|row| row.push("a, \"quoted\"\nremark".to_owned()));
    turned.header.reverse();
    turned.rows.iter_mut().for_each(|row| row.reverse());
    assert_eq!(read(&turned.text()).unwrap(), expected);
    // As a spreadsheet saves it.
    let windows = format!("\u{feff}{}", Table::real().text().replace('\n', "\r\n"));
    assert_eq!(read(&windows).unwrap(), expected);
}

#[test]
fn a_row_that_is_cut_off_is_left_out_and_told() {
    let text = Table::real().text();
    for cut in [2, 9, 300] {
        let read = read(&text[..text.len() - cut]).unwrap();
        assert_eq!(trials(&read), 35);
        assert_eq!(
            read.remarks,
            ["trials.csv:37: the table ends in the middle of this row: it was left out"]
        );
    }
}

#[test]
fn what_is_broken_is_named_with_its_file_and_line() {
    let real = Table::real;
    let said = |table: Table| read(&table.text()).unwrap_err();
    let mut all = vec![
        read("").unwrap_err(),
        read("run_id,exp").unwrap_err(),
        read("a,b\n1,2\n").unwrap_err(),
        read(&real().text().replace(',', ";")).unwrap_err(),
        said(real().without("mode")),
        said(real().without("ops_per_s").without("cell")),
        said(real().set(3, "status", "done")),
        said(real().set(3, "started_at", "23.11.26 11:02")),
        said(real().set(3, "repetition", "-1")),
        said(real().set(3, "latency_p99_us", "")),
    ];
    for value in ["NaN", "inf", "-1", "0", "", "fast", "1,5"] {
        all.push(said(real().set(3, "ops_per_s", value)));
    }
    let mut short = real();
    short.rows[5].pop();
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    writer.write_record(&short.header).unwrap();
    short.rows.iter().for_each(|row| writer.write_record(row).unwrap());
    all.push(read(&String::from_utf8(writer.into_inner().unwrap()).unwrap()).unwrap_err());
    let header = real().text().lines().next().unwrap().to_owned() + "\n";
    all.push(read(&header).unwrap_err());
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn a_path_is_a_table_a_run_what_lies_above_runs_or_a_pattern() {
    let text = Table::real().text();
    let place = Place::with("results/one/a/trials.csv", &text);
    let other = text.replace("20261123T110200Z-vm", "20261124T110200Z-vm");
    place.put("results/two/b/trials.csv", &other);
    place.put("results/two/c/journal.jsonl", "");
    for paths in [
        &["results"][..],
        &["results/one", "results/two"],
        &["results/one/a", "results/two/b"],
        &["results/one/a/trials.csv", "results/two/b/trials.csv"],
        &["results/*/[ab]"],
        &["results/*/*/trials.csv"],
    ] {
        let read = place.read(paths).unwrap();
        assert_eq!((read.runs.len(), trials(&read)), (2, 72), "{paths:?}");
    }
    let remarks = ["results/two/c has no trials.csv yet: it was left out"];
    assert_eq!(place.read(&["results"]).unwrap().remarks, remarks);
    place.put("empty/x/readme", "");
    let said =
        ["nothing", "results/two/c", "empty", "results/x*"].map(|path| place.read(&[path]).unwrap_err());
    insta::assert_snapshot!(said.join("\n"));
    assert!(place.read(&["results/["]).unwrap_err().starts_with("failed to read the pattern results/["));
}

#[test]
fn a_trial_counts_once_however_often_it_is_given() {
    let text = Table::real().text();
    let place = Place::with("a/trials.csv", &text);
    place.put("copy/trials.csv", &text);
    let once = place.read(&["a"]).unwrap();
    let named_twice = place.read(&["a", "a/trials.csv"]).unwrap();
    assert_eq!(named_twice.samples, once.samples);
    assert_eq!(named_twice.remarks, ["a/trials.csv is named twice and was read once"]);
    let copied = place.read(&["a", "copy"]).unwrap();
    assert_eq!(copied.samples, once.samples);
    assert_eq!(
        copied.remarks,
        ["36 rows of run 20261123T110200Z-vm appeared more than once: each counts once"]
    );

    place.put("b/trials.csv", &Table::real().set(3, "ops_per_s", "12345").text());
    let error = place.read(&["a", "b"]).unwrap_err();
    assert!(error.ends_with("appears twice, with different numbers: two runs share a name"), "{error}");
}

#[test]
fn a_sample_says_what_it_is_mixed_of() {
    let table = Table::real();
    let cell = table.rows[0][table.column("cell")].clone();
    let last = table.rows.iter().rposition(|row| row[table.column("cell")] == cell).unwrap();
    let read =
        read(&table.set(last, "client", "redis-rs 2.0").set(last, "server_version", "redis 8.0").text())
            .unwrap();
    let of = |sample: &Sample| (sample.label.get("cell") == Some(&cell)).then(|| sample.mixed.clone());
    assert_eq!(read.samples.iter().find_map(of).unwrap(), ["server_version", "client"]);
    assert_eq!(read.samples.iter().filter(|sample| !sample.mixed.is_empty()).count(), 1);
}

#[test]
fn a_table_says_which_sample_is_a_control_and_one_of_an_earlier_version_has_none() {
    let all = samples_of(&Table::real());
    assert!(all.iter().all(|sample| !sample.is_control()));
    assert_eq!(samples_of(&Table::real().without("control_of")), all);

    let cell = all[0].label.get("cell").unwrap().to_owned();
    let mut table = Table::real();
    let column = table.column("cell");
    let twins: Vec<usize> = (0..table.rows.len()).filter(|&row| table.rows[row][column] == cell).collect();
    for row in twins {
        table = table.set(row, "cell", "00000000000000aa").set(row, "control_of", &cell);
    }
    let controls: Vec<Sample> = samples_of(&table).into_iter().filter(Sample::is_control).collect();
    assert_eq!(controls.len(), 1);
    assert_eq!(controls[0].trials, all[0].trials);
    assert_eq!(controls[0].label.get("control_of"), Some(cell.as_str()));
}

fn samples_of(table: &Table) -> Vec<Sample> {
    read(&table.text()).unwrap().samples
}

#[test]
fn an_attempt_that_failed_is_no_trial_but_is_kept() {
    let mut table = Table::real();
    let (numbers, status, error) = (table.column("ops_per_s"), table.column("status"), table.column("error"));
    for row in &mut table.rows {
        row[numbers].clear();
        "timed-out".clone_into(&mut row[status]);
        "it took longer than 5s".clone_into(&mut row[error]);
    }
    let read = read(&table.text()).unwrap();
    assert_eq!(trials(&read), 0);
    assert_eq!(read.samples.iter().map(|sample| sample.failures.len()).sum::<usize>(), 36);
    assert_eq!(read.samples[0].failures[0].error, "it took longer than 5s");
    assert!(read.samples.iter().all(|sample| sample.label.get("mode").is_some()));
}

#[test]
fn the_apostrophe_before_what_a_spreadsheet_would_execute_is_no_part_of_the_text() {
    let column = |value: &str, name: &str| {
        let all = samples_of(&Table::real().set(0, "client", value).set(0, "run_id", value));
        all.iter().map(|sample| sample.label.get(name).unwrap_or_default().to_owned()).next().unwrap()
    };
    for (field, text) in [("'=1+1", "=1+1"), ("''=1", "'=1"), ("=1", "=1"), ("'quoted'", "'quoted'")] {
        assert_eq!(column(field, "client"), text);
    }
    assert_eq!(column("a\u{1b}[31m\r", "client"), "a [31m ");
}
