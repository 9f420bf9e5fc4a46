//! Which run a command goes on with: not with one whose driver was another, and not with that of another experiment that
//! happens to have the same name. And what else a run keeps so that it can be repeated.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::sandbox::{Foreign, Sandbox, code, stderr};

/// A run that stays unfinished, since one of its modes fails in every trial.
const UNFINISHED: &str = r#"
name = "clients"
[workload]
operations = 20
[mode.good]
command = ["python3", "client.py", "--quiet"]
[mode.failing]
command = ["./failing.sh"]
[[matrix]]
modes = ["good", "failing"]
[run]
repetitions = 2
retries = 0
warmup = 0
placement = "free"
"#;

/// Writes the complete driver of docs/protocols.md, which ends with `more`, and one that does nothing.
fn write_drivers(sandbox: &Sandbox, more: &str) {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocols.md")).unwrap();
    let code = docs.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    sandbox.write("client.py", &format!("{code}{more}"));
    write_failing(sandbox, "exit 1");
}

fn write_failing(sandbox: &Sandbox, script: &str) {
    write_script(sandbox, "failing.sh", script);
}

fn write_script(sandbox: &Sandbox, name: &str, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = sandbox.write(name, &format!("#!/bin/sh\n{script}\n"));
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a file and comes back with what was said; `expected` is its exit code.
fn run(sandbox: &Sandbox, args: &[&str], expected: i32) -> String {
    let output = sandbox.output(args);
    assert_eq!(code(output.status), expected, "{args:?}: {}", stderr(&output));
    stderr(&output)
}

fn provenance(sandbox: &Sandbox) -> Value {
    let run = sandbox.runs("clients").pop().unwrap();
    serde_json::from_str(&fs::read_to_string(run.join("run.json")).unwrap()).unwrap()
}

#[test]
fn an_unfinished_run_does_not_go_on_with_a_driver_that_was_edited() {
    let sandbox = Sandbox::new();
    sandbox.write("clients.toml", UNFINISHED);
    write_drivers(&sandbox, "");
    run(&sandbox, &["clients.toml"], 1);

    let rows = sandbox.rows("clients", "trials.csv");
    let hashes: BTreeSet<(&str, &str)> =
        rows.iter().map(|row| (row["mode"].as_str(), row["driver_sha256"].as_str())).collect();
    assert_eq!(hashes.len(), 2, "{hashes:?}");
    let provenance = provenance(&sandbox);
    let session = &provenance["sessions"][0];
    assert_eq!(session["file"], "clients.toml");
    for (mode, hash) in hashes {
        assert_eq!(session["drivers"]["local"][mode]["sha256"], hash, "{provenance}");
    }
    assert_eq!(session["drivers"]["local"]["good"]["files"].as_object().unwrap().len(), 1);

    // Nothing was measured with the one that fails: to mend it is what its owner should do.
    write_failing(&sandbox, "echo not yet >&2; exit 1");
    assert!(run(&sandbox, &["clients.toml"], 1).contains("2 of 4 trials were done"));

    write_drivers(&sandbox, "# faster now\n");
    let said = run(&sandbox, &["clients.toml"], 2);
    for word in ["mode `good`", "client.py", "--fresh", "change the program back"] {
        assert!(said.contains(word), "no {word} in: {said}");
    }
    assert!(!said.contains("failing"), "{said}");

    write_drivers(&sandbox, "");
    assert!(run(&sandbox, &["clients.toml"], 1).contains("2 of 4 trials were done"));
    // A module beside the driver is a part of it.
    sandbox.write("helper.py", "");
    assert!(run(&sandbox, &["clients.toml"], 2).contains("helper.py: absent →"));
    assert_eq!(sandbox.runs("clients").len(), 1);
    run(&sandbox, &["--fresh", "clients.toml"], 1);
    assert_eq!(sandbox.runs("clients").len(), 2);
    sandbox.expect_nobody_left();
}

#[test]
fn an_unfinished_run_does_not_go_on_with_another_build_of_its_server() {
    let sandbox = Sandbox::new();
    let file = UNFINISHED.replace("[mode.good]", "[server.own]\nprogram = \"./server.sh\"\n[mode.good]");
    sandbox.write("clients.toml", &file.replace("[[matrix]]", "[[matrix]]\nservers = [\"own\"]"));
    write_drivers(&sandbox, "");
    let server = "exec redis-server \"$@\"";
    write_script(&sandbox, "server.sh", server);
    run(&sandbox, &["clients.toml"], 1);
    write_script(&sandbox, "server.sh", &format!("# patched\n{server}"));
    let said = run(&sandbox, &["clients.toml"], 2);
    for word in ["server `own`: SHA-256 of its program", "--fresh", "change the program back"] {
        assert!(said.contains(word), "no {word} in: {said}");
    }
    write_script(&sandbox, "server.sh", server);
    assert!(run(&sandbox, &["clients.toml"], 1).contains("2 of 4 trials were done"));
    sandbox.expect_nobody_left();
}

#[test]
fn a_finished_run_is_not_enlarged_with_a_driver_that_was_edited() {
    let sandbox = Sandbox::new();
    let finished = UNFINISHED.replace(", \"failing\"", "");
    sandbox.write("clients.toml", &finished);
    write_drivers(&sandbox, "");
    run(&sandbox, &["clients.toml"], 0);
    let longer = finished.replace("repetitions = 2", "repetitions = 3");
    sandbox.write("clients.toml", &longer);
    write_drivers(&sandbox, "# faster now\n");
    let said = run(&sandbox, &["clients.toml"], 0);
    assert!(said.contains("drivers or servers have changed since the last run: starting anew"), "{said}");
    assert_eq!(sandbox.runs("clients").len(), 2);
    let rows = sandbox.rows("clients", "trials.csv");
    assert_eq!(rows.len(), 3, "the new run has all of its trials");

    sandbox.write("clients.toml", &longer.replace("repetitions = 3", "repetitions = 4"));
    run(&sandbox, &["clients.toml"], 0);
    assert_eq!(sandbox.runs("clients").len(), 2, "with the same driver the run is enlarged");
    assert_eq!(sandbox.rows("clients", "trials.csv").len(), 4);
}

#[test]
fn an_unfinished_run_of_another_file_with_the_same_name_is_left_alone() {
    let sandbox = Sandbox::new();
    write_drivers(&sandbox, "");
    sandbox.write("clients.toml", UNFINISHED);
    run(&sandbox, &["clients.toml"], 1);
    let before = sandbox.attempts("clients");

    let other = UNFINISHED.replace("[[matrix]]", "[[matrix]]\nworkers = [3]");
    let other = other.replace("modes = [\"good\", \"failing\"]", "modes = [\"sync\"]");
    sandbox.write("other.toml", &other);
    let said = run(&sandbox, &["other.toml"], 2);
    for word in ["begun from clients.toml", "no cell in common with other.toml", "another `name`", "--fresh"]
    {
        assert!(said.contains(word), "no {word} in: {said}");
    }
    // One that also measures something else is told apart in the same way.
    sandbox.write("third.toml", &UNFINISHED.replace("operations = 20", "operations = 30"));
    let said = run(&sandbox, &["third.toml"], 2);
    for word in ["begun from clients.toml", "20 operations → 30 operations", "another `name`", "--fresh"] {
        assert!(said.contains(word), "no {word} in: {said}");
    }
    assert_eq!(sandbox.attempts("clients"), before);

    run(&sandbox, &["--fresh", "other.toml"], 0);
    assert_eq!(sandbox.runs("clients").len(), 2);
    // A finished run is not enlarged by what has nothing to do with it.
    sandbox.write("other.toml", &other.replace("[3]", "[2]"));
    let said = run(&sandbox, &["other.toml"], 0);
    assert!(said.contains("this file has no cell in common with the last run: starting anew"), "{said}");
    assert_eq!(sandbox.runs("clients").len(), 3);
    assert_eq!(sandbox.rows("clients", "trials.csv").len(), 2);
}

#[test]
#[cfg(target_os = "linux")]
fn a_run_keeps_what_it_takes_to_repeat_it_and_no_secret() {
    let sandbox = Sandbox::new();
    sandbox.write("clients.toml", &UNFINISHED.replace("\"good\", \"failing\"", "\"sync\""));
    let output = sandbox
        .orchestrate(&["clients.toml"])
        .env("PYTHONHASHSEED", "0")
        .env("RUST_API_KEY", "hunter2")
        .env("UV_INDEX_URL", "https://me:hunter2@example.org/simple")
        .env("SOMETHING_ELSE", "hunter2")
        .output()
        .unwrap();
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let provenance = provenance(&sandbox);
    let session = &provenance["sessions"][0];
    let host = &session["hosts"]["local"];
    assert_eq!(host["environment"]["PYTHONHASHSEED"], "0");
    assert_eq!(host["environment"]["UV_INDEX_URL"], "…");
    let huge_pages = "/sys/kernel/mm/transparent_hugepage/enabled";
    assert_eq!(host["transparent_huge_pages"].is_string(), fs::exists(huge_pages).unwrap());
    assert_eq!(host["numa_nodes"].is_u64(), fs::exists("/sys/devices/system/node/online").unwrap());
    let server = &session["servers"][0];
    assert_eq!((&server["host"], &server["server"]), (&Value::from("local"), &Value::from("redis")));
    assert_eq!(server["program_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(server["config"]["appendonly"], "no");
    assert!(server["config"].get("requirepass").is_none());
    for entry in fs::read_dir(sandbox.runs("clients").pop().unwrap()).unwrap() {
        let text = fs::read(entry.unwrap().path()).unwrap();
        assert!(!text.windows(7).any(|bytes| bytes == b"hunter2"));
    }
}

#[test]
fn the_password_of_a_server_that_somebody_else_runs_is_not_kept_with_its_configuration() {
    let sandbox = Sandbox::new();
    let server = Foreign::start(&["--requirepass", "hunter2", "--masterauth", "hunter2", "--hz", "17"]);
    let table =
        format!("[server.theirs]\naddress = '127.0.0.1:{}'\npassword = {{ env = 'THEIRS' }}\n", server.port);
    let file = UNFINISHED.replace("\"good\", \"failing\"", "\"sync\"");
    let file = file.replace("[[matrix]]", &format!("{table}[[matrix]]\nservers = ['theirs']"));
    sandbox.write("clients.toml", &file);
    let output = sandbox.orchestrate(&["clients.toml"]).env("THEIRS", "hunter2").output().unwrap();
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let provenance = provenance(&sandbox);
    let described = &provenance["sessions"][0]["servers"][0];
    assert_eq!(described["config"]["hz"], "17");
    assert!(described.get("program_sha256").is_none(), "nobody can tell which program that is");
    assert!(!provenance.to_string().contains("hunter2"));
}
