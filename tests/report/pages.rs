//! `orchestrate report` on tables of runs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn orchestrate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orchestrate"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("orchestrate can be started")
}

#[test]
fn a_table_alone_is_enough_and_the_page_says_what_it_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let table = directory.path().join("mailed.csv");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quickstart/trials.csv"), &table)
        .unwrap();
    let page = directory.path().join("page.html");
    let output = orchestrate(&["report", table.to_str().unwrap(), "-o", page.to_str().unwrap(), "--figures"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(page).unwrap();
    for said in ["No latency quantiles", "No question", "redis 7.0.15"] {
        assert!(text.contains(said), "{said}");
    }
    let picture = fs::read(directory.path().join("figures/quickstart-throughput.png"));
    assert_eq!(picture.is_ok_and(|picture| picture.starts_with(b"\x89PNG")), cfg!(feature = "png"));
}

#[test]
fn many_runs_make_one_page_with_a_section_each() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("all.html");
    let output = orchestrate(&["report", "results", "-o", page.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(page).unwrap();
    for id in ["e-sweep", "e-clients", "e-asyncio-land", "e-asyncio-sweep", "e-quickstart"] {
        assert!(text.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    assert!(text.contains("At how many workers does each access mode peak?"));
    let runs = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/results")).unwrap();
    let runs = runs.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert!(text.len() < runs * 480_000, "{} of {runs} runs", text.len());
}

#[test]
fn the_page_of_a_single_run_goes_to_the_run_also_where_the_experiment_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let run = directory.path().join("quickstart/20260101T000000Z-one");
    fs::create_dir_all(&run).unwrap();
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quickstart/trials.csv");
    fs::copy(fixture, run.join("trials.csv")).unwrap();
    let output = orchestrate(&["report", directory.path().join("quickstart").to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(run.join("report.html").exists());
}

#[test]
fn what_cannot_be_read_is_a_sentence_and_makes_no_page() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    let output = orchestrate(&["report", "no/such/run", "-o", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such/run"));
    assert!(!page.exists());
}
