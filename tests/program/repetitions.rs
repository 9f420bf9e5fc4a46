//! Repetitions until a precision is reached, and the control of an experiment, with the real program and a real server.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rustix::process::Signal;
use serde_json::Value;

use crate::sandbox::{Sandbox, code, signal, stderr, stdout, wait_until};

/// Four cells in an open loop of 25 milliseconds, whose throughput is never above the rate and so never far above its
/// median; `until` is what no machine reaches, or every one.
fn experiment(min: u32, max: u32, until: &str) -> String {
    format!(
        "name = \"until\"\n[workload]\noperations = 50\nrate = 2000\n[[matrix]]\nmodes = [\"sync\", \"async\"]\n\
         workers = [1, 4]\n[run]\nrepetitions = {{ min = {min}, max = {max}, until = \"{until}\" }}\n\
         warmup = 0\nplacement = \"same-core\"\n"
    )
}

const EVERY: &str = "99%";
const NO: &str = "0.0001%";

/// How often each cell was executed well, in the order of their identities.
fn repetitions(sandbox: &Sandbox) -> Vec<usize> {
    let mut cells: BTreeMap<String, usize> = BTreeMap::new();
    for attempt in sandbox.attempts("until") {
        *cells.entry(attempt["cell"].as_str().unwrap().to_owned()).or_default() +=
            usize::from(attempt["status"] == "ok");
    }
    cells.into_values().collect()
}

/// Why the sessions of the newest run ended, as `run.json` says, and as every row of `summary.csv` says of the last one.
fn stop_reasons(sandbox: &Sandbox) -> Vec<String> {
    let run = sandbox.runs("until").pop().unwrap();
    let provenance: Value = serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
    let reasons: Vec<String> = provenance["ends"]
        .as_array()
        .unwrap()
        .iter()
        .map(|end| end["stop_reason"].as_str().unwrap().to_owned())
        .collect();
    for row in sandbox.rows("until", "summary.csv") {
        assert_eq!(Some(&row["stop_reason"]), reasons.last());
    }
    reasons
}

#[test]
fn a_run_ends_with_the_block_in_which_every_median_is_known_well_enough() {
    let sandbox = Sandbox::new();
    sandbox.write("until.toml", &experiment(6, 30, EVERY));
    let output = sandbox.output(&["until.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    assert_eq!(repetitions(&sandbox), [9; 4]);
    assert_eq!(stop_reasons(&sandbox), ["precise"]);
    assert!(stderr(&output).contains("/≤120]"), "{}", stderr(&output));

    // It is finished, so the same command begins another one; and it is not once the file asks for more.
    let again = sandbox.output(&["until.toml"]);
    assert!(stderr(&again).contains("has all of these trials"), "{}", stderr(&again));
    assert_eq!(sandbox.runs("until").len(), 2);
    sandbox.write("until.toml", &experiment(6, 12, NO));
    let more = sandbox.output(&["until.toml"]);
    assert!(stderr(&more).contains("36 of 36 to 48 trials were done"), "{}", stderr(&more));
    assert_eq!(sandbox.runs("until").len(), 2);
    assert_eq!(repetitions(&sandbox), [12; 4]);
    assert_eq!(stop_reasons(&sandbox), ["precise", "max-reached"]);
}

#[test]
fn a_run_ends_at_the_most_repetitions_however_little_is_known() {
    let sandbox = Sandbox::new();
    sandbox.write("until.toml", &experiment(2, 7, NO));
    assert_eq!(code(sandbox.output(&["until.toml"]).status), 0);
    assert_eq!(repetitions(&sandbox), [7; 4]);
    assert_eq!(stop_reasons(&sandbox), ["max-reached"]);
}

#[test]
fn a_number_of_repetitions_is_a_rule_of_its_own() {
    let sandbox = Sandbox::new();
    let text = experiment(1, 1, NO).replace("{ min = 1, max = 1, until = \"0.0001%\" }", "2");
    sandbox.write("until.toml", &text);
    assert_eq!(code(sandbox.output(&["until.toml"]).status), 0);
    assert_eq!(repetitions(&sandbox), [2; 4]);
    assert_eq!(stop_reasons(&sandbox), ["fixed"]);
}

/// Stops a run that would go on for long in the middle of a block beyond the least, and says in which.
fn stopped_beyond_the_least(sandbox: &Sandbox) -> usize {
    sandbox.write("until.toml", &experiment(2, 1_000, NO));
    let mut run = sandbox.start(&["until.toml"]);
    wait_until("some blocks are done", || (sandbox.attempts("until").len() > 13).then_some(()));
    signal(run.id().cast_signed(), Signal::INT);
    assert_eq!(code(run.wait().unwrap()), 130);
    assert_eq!(stop_reasons(sandbox), ["interrupted"]);
    let last = sandbox.attempts("until").iter().map(|attempt| attempt["repetition"].as_u64().unwrap()).max();
    last.unwrap() as usize
}

#[test]
fn a_stopped_run_finishes_the_block_that_it_was_in_and_asks_the_rule_again() {
    let sandbox = Sandbox::new();
    let begun = stopped_beyond_the_least(&sandbox);
    // With nine trials of each the rule could be met in the middle of a block.
    sandbox.write("until.toml", &experiment(2, 1_000, EVERY));
    let second = sandbox.output(&["until.toml"]);
    assert_eq!(code(second.status), 0, "{}", stderr(&second));
    assert_eq!(sandbox.runs("until").len(), 1);
    assert_eq!(repetitions(&sandbox), [begun.max(9); 4]);
    assert_eq!(stop_reasons(&sandbox), ["interrupted", "precise"]);
    let rows = sandbox.rows("until", "trials.csv");
    let ok: Vec<_> = rows.iter().filter(|row| row["status"] == "ok").map(|row| &row["position"]).collect();
    assert_eq!(
        ok.len(),
        ok.iter().collect::<std::collections::BTreeSet<_>>().len(),
        "no trial is done twice"
    );
}

#[test]
fn a_stopped_run_goes_on_to_the_most_repetitions() {
    let sandbox = Sandbox::new();
    let begun = stopped_beyond_the_least(&sandbox) as u32;
    sandbox.write("until.toml", &experiment(2, begun + 2, NO));
    assert_eq!(code(sandbox.output(&["until.toml"]).status), 0);
    assert_eq!(repetitions(&sandbox), [begun as usize + 2; 4]);
    assert_eq!(stop_reasons(&sandbox), ["interrupted", "max-reached"]);
}

#[test]
fn a_mode_that_always_fails_or_is_not_there_is_not_waited_for() {
    let sandbox = Sandbox::new();
    let text = experiment(5, 1_000, EVERY)
        .replace("[\"sync\", \"async\"]", "[\"sync\", \"liar\", \"absent\"]")
        + "retries = 0\n[mode.liar]\ncommand = [\"false\"]\n[mode.absent]\ncommand = [\"no-such-program\"]\noptional = true\n";
    sandbox.write("until.toml", &text);
    let output = sandbox.output(&["until.toml"]);
    assert_eq!(code(output.status), 1, "{}", stderr(&output));
    assert_eq!(repetitions(&sandbox).iter().sum::<usize>(), 18);
    assert_eq!(sandbox.attempts("until").len(), 36);
    assert_eq!(stop_reasons(&sandbox), ["precise"]);
}

#[test]
fn a_control_has_rows_of_its_own_and_a_sentence_in_place_of_a_row() {
    let sandbox = Sandbox::new();
    sandbox.write("until.toml", &(experiment(5, 5, NO) + "control = true\n"));
    let plan = stdout(&sandbox.output(&["plan", "until.toml"]));
    assert!(plan.contains("cells       5, the last one the control"), "{plan}");
    assert_eq!(plan.lines().filter(|line| line.ends_with("(control)")).count(), 5);

    let output = sandbox.output(&["until.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    assert_eq!(repetitions(&sandbox), [5; 5]);
    let summary = sandbox.rows("until", "summary.csv");
    let control: Vec<_> = summary.iter().filter(|row| !row["control_of"].is_empty()).collect();
    assert_eq!(control.len(), 1);
    let cell = summary.iter().find(|row| row["cell"] == control[0]["control_of"]).unwrap();
    for setting in ["mode", "workers", "operations_asked", "placement"] {
        assert_eq!(cell[setting], control[0][setting]);
    }
    let trials = sandbox.rows("until", "trials.csv");
    assert_eq!(trials.iter().filter(|row| row["control_of"] == cell["cell"]).count(), 5);

    let table = stdout(&output);
    let rows = |mode: &str| {
        let is_of = |line: &&str| line.split_whitespace().take(2).eq(["2000", mode]);
        table.lines().filter(is_of).count()
    };
    assert_eq!((rows("sync"), rows("async")), (2, 2), "{table}");
    let sentence = "This cell was measured a second time as if it were another one";
    assert!(table.replace('\n', " ").contains(&format!("control: {sentence}")), "{table}");
    let run = sandbox.runs("until").pop().unwrap();
    let markdown = stdout(&sandbox.output(&["export", "--markdown", run.to_str().unwrap()]));
    assert!(markdown.contains(&format!("- *control*: {sentence}")), "{markdown}");
}

#[test]
fn a_control_survives_a_stop() {
    let sandbox = Sandbox::new();
    sandbox.write("until.toml", &(experiment(20, 20, NO) + "control = true\n"));
    let mut run = sandbox.start(&["until.toml"]);
    wait_until("some trials are done", || (sandbox.attempts("until").len() > 7).then_some(()));
    signal(run.id().cast_signed(), Signal::INT);
    assert_eq!(code(run.wait().unwrap()), 130);
    assert_eq!(code(sandbox.output(&["until.toml"]).status), 0);
    assert_eq!(sandbox.runs("until").len(), 1);
    assert_eq!(repetitions(&sandbox), [20; 5]);
}

#[test]
fn plan_and_check_say_how_many_trials_there_may_be() {
    let sandbox = Sandbox::new();
    sandbox.write("until.toml", &experiment(6, 30, "2.5%"));
    let check = stderr(&sandbox.output(&["check", "until.toml"]));
    assert!(check.contains("4 cells, 24 to 120 trials"), "{check}");
    insta::assert_snapshot!(stdout(&sandbox.output(&["plan", "--count", "until.toml"])), @r"
    experiment  until
    cells       4
    repetitions 6 to 30, until every median is known to ±2.5%
    trials      24 to 120
    order       shuffled-blocks, seed 20170309
    estimated   1s to 4s (assuming 20,000 operations/s and clients that start quickly)
    ");
    let json = stdout(&sandbox.output(&["plan", "--count", "--json", "until.toml"]));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["least_trials"].as_u64(), json["trials"].as_u64()), (Some(24), Some(120)));
    assert_eq!(json["repetitions"], serde_json::json!({ "min": 6, "max": 30, "until": 0.025 }));
}

#[test]
fn a_run_of_an_earlier_version_can_still_be_exported() {
    let sandbox = Sandbox::new();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quickstart");
    fs::copy(kept.join("journal.jsonl"), sandbox.path().join("journal.jsonl")).unwrap();
    let export = sandbox.output(&["export", "."]);
    assert_eq!(code(export.status), 0, "{}", stderr(&export));
    for table in ["trials.csv", "summary.csv", "latency.csv"] {
        let read = |directory: &Path| -> Vec<BTreeMap<String, String>> {
            let mut reader = csv::Reader::from_path(directory.join(table)).unwrap();
            reader.deserialize().map(Result::unwrap).collect()
        };
        let (before, after) = (read(&kept), read(sandbox.path()));
        assert_eq!(before.len(), after.len());
        for (before, after) in before.iter().zip(&after) {
            for (column, value) in before.iter().filter(|(column, _)| *column != "flags") {
                assert_eq!(&after[column], value, "{column} of {table}");
            }
            assert_eq!(after["control_of"], "");
        }
    }
}
