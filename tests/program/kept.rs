//! What becomes of a run when what it wrote cannot stay, or cannot be written: nothing is lost, nothing is measured twice, and
//! the same command goes on where it can.

use std::fs;
use std::path::Path;

use crate::run::{expect_each_trial_once, some_trials_done};
use crate::sandbox::{Sandbox, code, stderr};

/// A finished run of `many.toml` whose tables could not be written, since something is in their way.
fn unwritten(sandbox: &Sandbox) -> std::path::PathBuf {
    let mut run = some_trials_done(sandbox);
    let directory = sandbox.runs("many").pop().unwrap();
    fs::create_dir(directory.join("trials.csv")).unwrap();
    assert_eq!(code(run.wait().unwrap()), 3);
    let said = fs::read_to_string(sandbox.path().join("output")).unwrap();
    for part in ["trials.csv", "every trial is in the journal", "the same command writes the tables"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    directory
}

fn journal(run: &Path) -> Vec<u8> {
    fs::read(run.join("journal.jsonl")).unwrap()
}

#[test]
fn the_same_command_only_writes_the_tables_that_could_not_be_written() {
    let sandbox = Sandbox::new();
    let run = unwritten(&sandbox);
    let measured = journal(&run);
    // As long as it is in the way, the same is said again, and still nothing is measured.
    let again = sandbox.output(&["many.toml"]);
    assert_eq!(code(again.status), 3, "{}", stderr(&again));
    assert!(stderr(&again).contains("the same command writes the tables"), "{}", stderr(&again));

    fs::remove_dir(run.join("trials.csv")).unwrap();
    // Neither servers nor agents are needed.
    let third = sandbox.orchestrate(&["many.toml"]).env("PATH", "/nowhere").output().unwrap();
    assert_eq!(code(third.status), 0, "{}", stderr(&third));
    assert!(stderr(&third).contains("measuring nothing"), "{}", stderr(&third));
    assert!(journal(&run) == measured, "something was measured");
    assert_eq!(sandbox.runs("many").len(), 1);
    expect_each_trial_once(&sandbox, "many", 40);
    assert_eq!(sandbox.rows("many", "summary.csv").len(), 4);
    sandbox.expect_nobody_left();

    let fourth = sandbox.output(&["many.toml"]);
    assert!(stderr(&fourth).contains("starting a new run"), "{}", stderr(&fourth));
    assert_eq!(sandbox.runs("many").len(), 2);
}

#[test]
fn a_run_with_another_label_is_another_run_even_if_the_one_before_lacks_its_tables() {
    let sandbox = Sandbox::new();
    let run = unwritten(&sandbox);
    fs::remove_dir(run.join("trials.csv")).unwrap();
    let labelled = sandbox.output(&["--label", "commit=1f3c9a2", "many.toml"]);
    assert_eq!(code(labelled.status), 0, "{}", stderr(&labelled));
    assert!(run.join("trials.csv").is_file() && run.join("run.json").is_file());
    assert_eq!(sandbox.runs("many").len(), 2);
    expect_each_trial_once(&sandbox, "many", 40);
}

#[test]
fn a_run_directory_that_is_taken_away_is_noticed_at_the_next_trial_and_loses_nothing() {
    let sandbox = Sandbox::new();
    let mut run = some_trials_done(&sandbox);
    let (directory, away) = (sandbox.runs("many").pop().unwrap(), sandbox.path().join("away"));
    fs::rename(&directory, &away).unwrap();
    assert_eq!(code(run.wait().unwrap()), 3);
    let said = fs::read_to_string(sandbox.path().join("output")).unwrap();
    for part in ["is no longer the file that this run writes", "renamed", "put it back"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(said.matches("failed to keep a result").count(), 1, "{said}");
    assert!(!directory.exists(), "something was written to where the run no longer is");
    sandbox.expect_nobody_left();

    fs::rename(&away, &directory).unwrap();
    let second = sandbox.output(&["many.toml"]);
    assert_eq!(code(second.status), 0, "{}", stderr(&second));
    assert!(stderr(&second).contains("continuing"), "{}", stderr(&second));
    expect_each_trial_once(&sandbox, "many", 40);
}

#[test]
fn a_journal_that_is_replaced_under_a_run_is_not_written_to() {
    let sandbox = Sandbox::new();
    let mut run = some_trials_done(&sandbox);
    let directory = sandbox.runs("many").pop().unwrap();
    let path = directory.join("journal.jsonl");
    fs::write(directory.join("copy"), "somebody else's").unwrap();
    fs::rename(directory.join("copy"), &path).unwrap();
    assert_eq!(code(run.wait().unwrap()), 3);
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else's");
    let again = sandbox.output(&["many.toml"]);
    assert_eq!(code(again.status), 3);
    assert!(stderr(&again).contains("--fresh"), "{}", stderr(&again));
    assert_eq!(code(sandbox.output(&["--fresh", "many.toml"]).status), 0);
    expect_each_trial_once(&sandbox, "many", 40);
}

#[test]
fn a_second_coordinator_does_not_write_to_a_run_whose_lock_was_removed() {
    let sandbox = Sandbox::new();
    let mut run = some_trials_done(&sandbox);
    fs::remove_file(sandbox.runs("many").pop().unwrap().join(".lock")).unwrap();
    let second = sandbox.output(&["many.toml"]);
    assert_eq!(code(second.status), 3, "{}", stderr(&second));
    assert!(stderr(&second).contains("is in use by another process"), "{}", stderr(&second));
    assert_eq!(code(run.wait().unwrap()), 0);
    expect_each_trial_once(&sandbox, "many", 40);
}
