//! Labels of a run: where they come from, where they go, and what they do not change.

use std::fs;

use serde_json::Value;

use crate::sandbox::{Sandbox, stderr};

fn experiment(repetitions: u32, labels: &str) -> String {
    format!(
        "name = 'labelled'\n[workload]\noperations = 10\n[[matrix]]\nmodes = 'sync'\n\
         [run]\nrepetitions = {repetitions}\nwarmup = 0\n{labels}\n"
    )
}

/// The labels of each session of the newest run.
fn sessions(sandbox: &Sandbox) -> Vec<Value> {
    let run = sandbox.runs("labelled").pop().unwrap();
    let provenance: Value = serde_json::from_slice(&fs::read(run.join("run.json")).unwrap()).unwrap();
    let sessions = provenance["sessions"].as_array().unwrap();
    sessions.iter().map(|session| session.get("labels").cloned().unwrap_or(Value::Null)).collect()
}

#[test]
fn labels_of_the_command_line_override_those_of_the_file() {
    let sandbox = Sandbox::new();
    sandbox.write("l.toml", &experiment(1, "labels = { commit = 'a1', branch = 'main', pr = 7 }"));
    let output =
        sandbox.output(&["l.toml", "--label", "commit=b2=c3\n", "--label", "pr=", "--label", "ci=yes"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let labels = serde_json::json!({ "branch": "main", "ci": "yes", "commit": "b2=c3" });
    assert_eq!(sessions(&sandbox), [labels]);
    let report = fs::read_to_string(sandbox.runs("labelled")[0].join("report.html")).unwrap();
    assert!(report.contains("branch: main; ci: yes; commit: b2=c3"), "the report shows them");

    // Neither is a cell another one, nor is a run begun anew.
    let cell = sandbox.rows("labelled", "trials.csv")[0]["cell"].clone();
    sandbox.write("l.toml", &experiment(1, ""));
    assert!(sandbox.output(&["l.toml", "--fresh"]).status.success());
    assert_eq!(sandbox.rows("labelled", "trials.csv")[0]["cell"], cell);
    assert_eq!(sessions(&sandbox), [Value::Null]);
}

#[test]
fn a_session_keeps_its_labels_when_another_one_goes_on_with_others() {
    let sandbox = Sandbox::new();
    sandbox.write("l.toml", &experiment(1, "labels = { branch = 'main' }"));
    assert!(sandbox.output(&["l.toml", "--label", "commit=a1"]).status.success());
    sandbox.write("l.toml", &experiment(2, "labels = { branch = 'main' }"));
    let output = sandbox.output(&["l.toml", "--label", "commit=b2"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let note = "note: this session is labelled branch=main, commit=b2, the one before branch=main, commit=a1";
    assert!(stderr(&output).contains(note), "{}", stderr(&output));
    assert_eq!(sandbox.runs("labelled").len(), 1, "the run goes on");
    let commits: Vec<Value> = sessions(&sandbox).iter().map(|labels| labels["commit"].clone()).collect();
    assert_eq!(commits, ["a1", "b2"]);
    let report = fs::read_to_string(sandbox.runs("labelled")[0].join("report.html")).unwrap();
    assert!(report.contains("branch: main; commit: a1 → b2"), "the report shows both");
}

#[test]
fn what_is_not_a_label_is_refused_before_anything_is_started() {
    let sandbox = Sandbox::new();
    sandbox.write("l.toml", &experiment(1, ""));
    for (label, why) in [
        ("commit", "it must be a name and a value, such as commit=1f3c9a2"),
        ("a b=c", "`a b` is not a valid label name"),
        (
            &format!("title={}", "x".repeat(201)),
            "the value of label `title` has 201 characters; the limit is 200",
        ),
    ] {
        let output = sandbox.output(&["l.toml", "--label", label]);
        assert_eq!(output.status.code(), Some(2), "{label}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
    sandbox.write("l.toml", &experiment(1, "labels = { 'a b' = 'c', commit = ['d'] }"));
    let output = sandbox.output(&["l.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    assert!(said.contains("`a b` is not a valid label name") || said.contains("run.labels.commit"), "{said}");
    assert!(sandbox.runs("labelled").is_empty());
}
