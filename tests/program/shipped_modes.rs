//! Every shipped mode carries out every workload that it announces, in runs.

use std::collections::{BTreeMap, BTreeSet};

use crate::sandbox::Sandbox;
use crate::workloads::{all_ok, rows};

/// What a mode's command has where only the parser of replies or the event loop differs from those of another mode.
const SAME_CODE: [&str; 2] = ["--hiredis", "--uvloop"];

/// The modes of these shipped files by workload. Of modes with the same code, one has all of its workloads, and the others the
/// first.
fn announced(files: &[&str]) -> BTreeMap<String, Vec<String>> {
    let mut modes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for file in files {
        let path = format!("{}/drivers/{file}", env!("CARGO_MANIFEST_DIR"));
        let file: toml::Table = std::fs::read_to_string(path).unwrap().parse().unwrap();
        for (mode, table) in file["mode"].as_table().unwrap() {
            let default = toml::Value::Array(vec!["set-get".into()]);
            let workloads = table.get("workloads").unwrap_or(&default).as_array().unwrap();
            let command = table["command"].as_array().unwrap();
            let has_same_code = command.iter().any(|word| SAME_CODE.contains(&word.as_str().unwrap()));
            for workload in workloads.iter().take(if has_same_code { 1 } else { usize::MAX }) {
                modes.entry(workload.as_str().unwrap().to_owned()).or_default().push(mode.clone());
            }
        }
    }
    modes
}

/// A run of each mode with each workload in the list. Only of optional modes may some be missing.
fn carry_out(files: &[&str], modes: &BTreeMap<String, Vec<String>>, at_least: usize) {
    let includes: Vec<_> =
        files.iter().map(|file| format!("{}/drivers/{file}", env!("CARGO_MANIFEST_DIR"))).collect();
    let mut file = format!("include = {includes:?}\n[workload]\noperations = 200\n");
    let mut cells = 0;
    for (workload, modes) in modes {
        file += &format!("[[matrix]]\nmodes = {modes:?}\nworkers = 2\nworkload.kind = '{workload}'\n");
        let (settings, levels) = match workload.as_str() {
            "commands" => {
                ("workload.commands = [['HSET', '{key}', 'f', '{value}'], ['HGET', '{key}', 'f']]\n", 1)
            }
            "queue" => ("workload.structure = ['list', 'stream']\nworkload.acknowledge = true\n", 2),
            // Who polls begins two tasks a second for each worker.
            "tasks" => ("workload.operations = 20\n", 1),
            _ => ("", 1),
        };
        file += settings;
        cells += levels * modes.len();
    }
    let sandbox = Sandbox::new();
    let rows = rows(&sandbox, &file);
    all_ok(&rows);
    assert!((at_least..=cells).contains(&rows.len()), "{} of {cells}", rows.len());
    assert_eq!(rows.iter().map(|row| row["workload"].as_str()).collect::<BTreeSet<_>>().len(), modes.len());
    sandbox.expect_nobody_left();
}

const PYTHON: &[&str] = &["python.toml"];
const OTHER_LANGUAGES: &[&str] = &["c.toml", "go.toml", "node.toml", "php.toml", "ruby.toml"];
const TASK_QUEUES: &[&str] = &["broker.toml"];
/// These have the workload `set-get` alone, and are checked against the protocol.
const LOAD_GENERATORS: &[&str] = &["load-generators.toml"];

#[test]
fn every_built_in_mode_carries_out_every_workload_that_it_announces() {
    let mut modes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mode in orchestrate::driver::MODES {
        for kind in mode.workloads {
            modes.entry(kind.name().to_owned()).or_default().push(mode.name.to_owned());
        }
    }
    carry_out(&[], &modes, 40);
}

#[test]
fn every_client_in_python_carries_out_every_workload_that_it_announces() {
    let mut modes = announced(PYTHON);
    // It has a test of its own, with more settings.
    modes.remove("read-write").unwrap();
    carry_out(PYTHON, &modes, 30);
}

#[test]
fn every_client_in_another_language_carries_out_every_workload_that_it_announces() {
    carry_out(OTHER_LANGUAGES, &announced(OTHER_LANGUAGES), 20);
}

#[test]
fn every_task_queue_carries_out_tasks() {
    carry_out(TASK_QUEUES, &announced(TASK_QUEUES), 8);
}

#[test]
fn the_modes_of_every_shipped_file_are_tried() {
    let drivers = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");
    let mut with_modes = BTreeSet::new();
    for entry in std::fs::read_dir(drivers).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let file: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
            if file.contains_key("mode") {
                with_modes.insert(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    let tried = [PYTHON, OTHER_LANGUAGES, TASK_QUEUES, LOAD_GENERATORS].concat();
    assert_eq!(with_modes, tried.into_iter().map(str::to_owned).collect());
}

#[test]
fn every_shipped_client_reads_and_writes_keys_that_are_there() {
    let drivers = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");
    let modes = announced(&["c.toml", "node.toml", "python.toml"]).remove("read-write").unwrap();
    assert!(modes.len() > 8, "{modes:?}");
    let pipelined: Vec<&String> = modes.iter().filter(|mode| mode.contains("-pipe")).collect();
    let sandbox = Sandbox::new();
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{drivers}/c.toml', '{drivers}/node.toml', '{drivers}/python.toml']\n\
             [workload]\nkind = 'read-write'\noperations = 600\nkeys = 300\nreads = 0.7\n\
             [[matrix]]\nmodes = {modes:?}\nworkers = 3\nworkload.distribution = 'zipf'\n\
             [[matrix]]\nmodes = {pipelined:?}\nworkload.distribution = 'sequential'\nworkload.pipeline = 8\nworkload.value_bytes = 40\n"
        ),
    );
    assert_eq!(rows.len(), modes.len() + pipelined.len());
    all_ok(&rows);
    sandbox.expect_nobody_left();
}

/// A mode of each kind that carries out commands that a file lists.
const OF_COMMANDS: &str = "'sync', 'sync-pipe', 'async', 'async-pipe', 'async-mt', 'multiplexed', 'py-sync', 'py-asyncio-pipe', \
                           'node-redis', 'ioredis-pipe'";

#[test]
fn commands_of_a_file_are_sent_as_they_are_listed_and_as_often() {
    let sandbox = Sandbox::new();
    let drivers = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{drivers}/python.toml', '{drivers}/node.toml']\n[workload]\nkind = 'commands'\noperations = 600\nvalue_bytes = 20\n\
             [[matrix]]\nmodes = [{OF_COMMANDS}]\nworkers = 3\n\
             workload.commands = [[['HSET', '{{key}}', 'f{{index}}', '{{value}}'], ['HLEN', '{{key}}']], [['LPUSH', 'l{{worker}}', '{{value}}']]]\n\
             [[matrix]]\nmodes = [{OF_COMMANDS}]\nworkers = 3\nworkload.weights = [1, 3]\n\
             workload.commands = [['SADD', 's', '{{random:100}}'], ['SCARD', 's']]\n\
             [[matrix]]\nmodes = ['sync-pipe', 'async-pipe', 'py-sync-pipe', 'py-asyncio-pipe', 'node-redis-pipe', 'ioredis-pipe']\nworkload.pipeline = 10\n\
             workload.commands = [['INCRBY', 'n', '{{random:9}}'], ['CONFIG', 'GET', 'maxclients']]\n"
        ),
    );
    assert_eq!(rows.len(), 3 * 10 + 6);
    all_ok(&rows);
    for row in &rows {
        let expected =
            if row["commands"].starts_with("LPUSH") || !row["weights"].is_empty() { "600" } else { "1200" };
        assert_eq!(row["server_calls"], expected, "{row:?}");
    }
    let listed: BTreeSet<&str> = rows.iter().map(|row| row["commands"].as_str()).collect();
    assert!(listed.contains("HSET {key} f{index} {value}; HLEN {key}"), "{listed:?}");
    sandbox.expect_nobody_left();
}
