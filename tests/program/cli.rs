//! The face: what each subcommand prints, and with which exit code.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::sandbox::{Sandbox, stderr, stdout};

const TWO_BY_TWO: &str = r#"
name = "two-by-two"
[workload]
operations = 100
[[matrix]]
modes = ["sync", "async"]
workers = [1, 10]
[run]
repetitions = 3
warmup = "100ms"
"#;

#[test]
fn plan_shows_cells_trials_order_and_a_duration() {
    let sandbox = Sandbox::new();
    sandbox.write("x.toml", TWO_BY_TWO);
    let output = sandbox.output(&["plan", "x.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    insta::assert_snapshot!(stdout(&output));
    // The same file and seed give the same order, on every machine.
    assert_eq!(stdout(&output), stdout(&sandbox.output(&["plan", "x.toml"])));
}

#[test]
fn plan_speaks_json_to_machines() {
    let sandbox = Sandbox::new();
    sandbox.write("x.toml", TWO_BY_TWO);
    let text = stdout(&sandbox.output(&["plan", "--json", "x.toml"]));
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["cells"].as_u64(), lines[0]["trials"].as_u64()), (Some(4), Some(12)));
    assert_eq!(lines.len(), 13);
    assert_eq!(lines[12]["position"], 12);
    assert_eq!(lines[12]["settings"]["workload"]["amount"]["operations"], 100);
}

#[test]
fn a_listing_that_is_cut_off_by_head_is_no_error() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "big.toml",
        "name = \"big\"\n[workload]\noperations = 20_000\n[[matrix]]\nmodes = \"sync\"\n\
         workers = { from = 1, to = 1_000, step = 1 }\n[run]\nrepetitions = 1000\nwarmup = 0\n",
    );
    let mut plan = sandbox.orchestrate(&["plan", "big.toml"]).stdout(Stdio::piped()).spawn().unwrap();
    let first = BufReader::new(plan.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(first.contains("big"));
    assert_eq!(plan.wait().unwrap().code(), Some(0));
}

#[test]
fn check_reports_every_error_of_every_file_and_runs_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("good.toml", TWO_BY_TWO);
    sandbox.write("bad.toml", "name = \"bad\"\n[wrokload]\n[[matrix]]\nmodes = [\"sink\"]\nworkers = 0\n");
    let output = sandbox.output(&["check", "bad.toml", "good.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for word in
        ["bad.toml:2:2", "workload", "bad.toml:4:", "sync", "bad.toml:5:", "good.toml: 4 cells, 12 trials"]
    {
        assert!(said.contains(word), "no `{word}` in:\n{said}");
    }
    assert!(sandbox.runs("bad").is_empty());
}

#[test]
fn a_wrong_file_does_not_run() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.toml", "name = \"bad\"\n[[matrix]]\nmodes = [\"sink\"]\n");
    let output = sandbox.output(&["bad.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("sink"));
    assert!(!sandbox.path().join("results").exists());
}

#[test]
fn a_file_that_is_not_there_is_a_plain_sentence() {
    let sandbox = Sandbox::new();
    let output = sandbox.output(&["nothing.toml"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output), @"error: failed to read the experiment file `nothing.toml`: No such file or directory (os error 2)");
}

#[test]
fn init_writes_a_file_that_is_right_and_replaces_nothing() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.output(&["init", "mine.toml"]).status.code(), Some(0));
    let check = sandbox.output(&["check", "mine.toml"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let again = sandbox.output(&["init", "mine.toml"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--force"));
    assert_eq!(sandbox.output(&["init", "--force", "mine.toml"]).status.code(), Some(0));
}

#[test]
fn too_few_repetitions_for_a_verdict_are_said_beforehand() {
    let sandbox = Sandbox::new();
    let file = |repetitions: &str, control: bool| {
        sandbox.write(
            "x.toml",
            &format!(
                "name = \"x\"\n[workload]\noperations = 100\n[[matrix]]\nmodes = \"sync\"\nworkers = {{ from = 1, to = 6, step = 1 \
                 }}\n[run]\nrepetitions = {repetitions}\ncontrol = {control}\n"
            ),
        );
        let (check, plan) =
            (sandbox.output(&["check", "x.toml"]), sandbox.output(&["plan", "--count", "x.toml"]));
        assert_eq!((check.status.code(), plan.status.code()), (Some(0), Some(0)), "{}", stderr(&check));
        let said =
            stderr(&check).lines().find_map(|line| line.strip_prefix("note: x.toml: ").map(str::to_owned));
        let planned =
            stdout(&plan).lines().find_map(|line| line.strip_prefix("note        ").map(str::to_owned));
        assert_eq!(said, planned);
        said
    };
    let few =
        "4 repetitions are too few to tell two runs of 6 cells apart: `compare` needs 5 or more of each";
    assert_eq!(file("4", false).as_deref(), Some(few));
    // The run may end after its fewest repetitions.
    assert_eq!(file("{ min = 4, max = 30, until = \"2%\" }", false).as_deref(), Some(few));
    assert_eq!(file("5", false), None);
    // The control is no seventh cell.
    assert_eq!(file("5", true), None);
}

#[test]
fn what_ships_has_enough_repetitions_for_verdicts() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.output(&["init", "mine.toml"]).status.code(), Some(0));
    let experiments = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let shipped = fs::read_dir(experiments).unwrap().map(|entry| entry.unwrap().path());
    let shipped = shipped.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let files: Vec<PathBuf> = shipped.chain([sandbox.path().join("mine.toml")]).collect();
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        let output = sandbox.output(&["check", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(!stderr(&output).contains("note:"), "{}", stderr(&output));
    }
}

#[test]
fn modes_lists_what_each_mode_can_do() {
    let output = Sandbox::new().output(&["modes"]);
    for mode in ["sync", "sync-pipe", "async", "async-pipe", "async-mt", "multiplexed"] {
        assert!(
            stdout(&output).lines().any(|line| line.split_whitespace().next() == Some(mode)),
            "no {mode}"
        );
    }
}

#[test]
fn doctor_names_the_command_that_mends_what_is_missing() {
    let sandbox = Sandbox::new();
    let output = sandbox.orchestrate(&["doctor"]).env("PATH", sandbox.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = stdout(&output);
    assert!(said.contains("no `redis-server` on PATH"), "{said}");
    assert!(said.contains("install"), "{said}");
    assert_eq!(sandbox.output(&["doctor"]).status.code(), Some(0));
}

#[test]
fn schema_completions_and_man_page_can_be_had() {
    let sandbox = Sandbox::new();
    assert!(stdout(&sandbox.output(&["schema"])).contains("http://json-schema.org/draft-07/schema#"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&sandbox.output(&["completions", shell])).contains("orchestrate"), "{shell}");
    }
    let man = stdout(&sandbox.output(&["man"]));
    assert!(man.contains(".TH orchestrate") && man.contains("ORCHESTRATE PLAN"));
}

#[test]
fn no_escape_reaches_what_is_no_terminal() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.toml", "name = 3\n");
    for args in [&["check", "bad.toml"][..], &["doctor"], &["modes"], &["--help"], &["init", "x.toml"]] {
        let output = sandbox.orchestrate(args).env_remove("NO_COLOR").output().unwrap();
        let escapes = |text: &[u8]| text.contains(&0x1b);
        assert!(!escapes(&output.stdout) && !escapes(&output.stderr), "{args:?}");
    }
}
