//! What programs that know nothing of us make of the tables. Needs `uv` and, the first time, the network.

use std::fs;
use std::path::Path;
use std::process::Command;

use jiff::SignedDuration;
use orchestrate::record::Flag;
use orchestrate::results::rebuild::rebuild;

use crate::records::{Run, begin, failed, ok, settings, start};

/// Whether csv, pandas and Frictionless are content, and what they say.
fn check(run: &Path) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/check_package.py");
    let output = Command::new("uv")
        .args(["run", "--quiet", "--script"])
        .arg(script)
        .arg(run)
        .output()
        .expect("`uv` is on the PATH: scripts/setup installs it");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

fn a_bit_of_everything() -> Run {
    let (sync, mut open) = (settings("sync", 1), settings("async", 100));
    (open.workload.rate, open.workload.value_bytes) = (Some(10_000), None);
    open.server_args = Some(vec!["--save".to_owned(), String::new()]);
    let mut flagged = ok(&open, 1, 10_000.0);
    flagged.flags = vec![Flag::BehindSchedule, Flag::NotPlaced];
    Run::of(&[
        ok(&sync, 1, 8_655.07),
        failed(&sync, 2, "redis-server said, \"no\",\r\nand then:\n\tnothing"),
        ok(&sync, 3, 8_565.18),
        flagged,
    ])
}

#[test]
fn others_read_the_tables_as_they_are_described() {
    let run = a_bit_of_everything();
    rebuild(&run.path).unwrap();
    let (content, said) = check(&run.path);
    assert!(content, "{said}");
}

#[test]
fn a_table_that_is_not_as_described_is_noticed() {
    let run = a_bit_of_everything();
    rebuild(&run.path).unwrap();
    let path = run.path.join("trials.csv");
    let table = fs::read_to_string(&path).unwrap();
    fs::write(&path, table.replacen(",ok,", ",splendid,", 1)).unwrap();
    let (content, said) = check(&run.path);
    assert!(!content && said.contains("status"), "{said}");
}

#[test]
fn the_tables_of_two_runs_make_one_table() {
    let results = tempfile::tempdir().unwrap();
    let mut tables = Vec::new();
    let mut last = None;
    for hours in 0..2 {
        let (directory, mut journal) = begin(results.path(), start() + SignedDuration::from_hours(hours));
        journal.trial(&ok(&settings("sync", 1), 1, 8_600.0)).unwrap();
        rebuild(directory.path()).unwrap();
        tables.push(fs::read_to_string(directory.path().join("trials.csv")).unwrap());
        last = Some(directory);
    }
    let (header, rows) = tables[0].split_once('\n').unwrap();
    assert!(tables[1].starts_with(header));
    let directory = last.unwrap();
    // The one's description holds for both: every key still occurs once.
    fs::write(directory.path().join("trials.csv"), tables[1].clone() + rows).unwrap();
    let (content, said) = check(directory.path());
    assert!(content, "{said}");
}

#[test]
fn every_column_says_what_it_means() {
    let run = a_bit_of_everything();
    rebuild(&run.path).unwrap();
    let package = fs::read_to_string(run.path.join("datapackage.json")).unwrap();
    let package: serde_json::Value = serde_json::from_str(&package).unwrap();
    let mut text = String::new();
    for resource in package["resources"].as_array().unwrap() {
        let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        text += &format!("{}: {}\n", word(&resource["path"]), word(&resource["description"]));
        for field in resource["schema"]["fields"].as_array().unwrap() {
            let unit = field.get("unit").map(|unit| format!(" in {}", word(unit))).unwrap_or_default();
            let required =
                field.get("constraints").map(|constraints| format!(" {constraints}")).unwrap_or_default();
            let (name, kind) = (word(&field["name"]), word(&field["type"]));
            text += &format!("- {name}: {kind}{unit}{required}. {}\n", word(&field["description"]));
        }
    }
    insta::assert_snapshot!("columns", text);
}
