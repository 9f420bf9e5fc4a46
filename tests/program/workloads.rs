//! Workloads other than the article's: every mode that announces one carries it out, and whoever cheats at it fails by name.

use std::collections::{BTreeMap, BTreeSet};

use crate::sandbox::{Foreign, Sandbox, stderr};

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/reader.py");

/// The rows of an experiment with these tables, by mode.
fn rows(sandbox: &Sandbox, file: &str) -> Vec<BTreeMap<String, String>> {
    let file = format!("name = 'workloads'\n{file}\n[run]\nrepetitions = 1\nretries = 0\nwarmup = 200\n");
    let path = sandbox.write("workloads.toml", &file);
    let output = sandbox.output(&[path.to_str().unwrap()]);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", stderr(&output));
    sandbox.rows("workloads", "trials.csv")
}

fn all_ok(rows: &[BTreeMap<String, String>]) {
    for row in rows {
        assert_eq!(row["status"], "ok", "{} {}: {}", row["mode"], row["workload"], row["error"]);
    }
}

#[test]
fn every_mode_of_redis_rs_reads_and_writes_keys_that_are_there() {
    let sandbox = Sandbox::new();
    let rows = rows(
        &sandbox,
        "[workload]\nkind = 'read-write'\noperations = 2000\nkeys = 500\n\
         [[matrix]]\nworkers = [1, 7]\nworkload.reads = [0, 0.5, 1]\nworkload.distribution = ['uniform', 'zipf', 'sequential']\n\
         exclude = [{ workload.reads = [0, 1], workload.distribution = ['zipf', 'sequential'] }]\n\
         [[matrix]]\nmodes = ['sync-pipe', 'async-pipe']\nworkers = 3\nworkload.value_bytes = 100\nworkload.pipeline = 20\n",
    );
    assert_eq!(rows.len(), 6 * 2 * 5 + 2);
    all_ok(&rows);
    let calls: BTreeSet<&str> = rows.iter().map(|row| row["server_calls"].as_str()).collect();
    assert_eq!(calls, BTreeSet::from(["2000"]));
    assert_eq!(rows[0]["keys"], "500");
    sandbox.expect_nobody_left();
}

#[test]
fn settings_of_a_workload_are_levels_and_columns_like_any_other() {
    let sandbox = Sandbox::new();
    let rows = rows(
        &sandbox,
        "[workload]\noperations = 500\n[[matrix]]\nmodes = 'sync'\nworkload.kind = ['set-get', 'read-write']\n",
    );
    all_ok(&rows);
    let of = |kind: &str| rows.iter().find(|row| row["workload"] == kind).unwrap();
    let own =
        |row: &BTreeMap<String, String>| ["keys", "reads", "distribution"].map(|column| row[column].clone());
    assert_eq!(own(of("set-get")), ["", "", ""]);
    assert_eq!(own(of("read-write")), ["10000", "0.9", "uniform"]);
    assert_eq!(of("set-get")["server_calls"], "1000");
}

#[test]
fn whoever_cheats_at_keys_that_are_there_fails_by_name() {
    let sandbox = Sandbox::new();
    let cheats = [
        ("honest", ""),
        ("never-reads", "which are 0 SET"),
        ("only-reads", "the job asked for a share of 0.5"),
        ("silent", "does not say how many calls of GET and SET"),
        ("new-keys", "and not the 100 that were put there"),
        ("other-values", "verification"),
        ("half", "the server counted"),
    ];
    let mut file = "[workload]\nkind = 'read-write'\noperations = 2000\nkeys = 100\nreads = 0.5\n".to_owned();
    for (cheat, _) in cheats {
        file += &format!(
            "[mode.{cheat}]\ncommand = ['python3', '{READER}', '{cheat}']\nworkloads = ['read-write']\n"
        );
    }
    let modes: Vec<&str> = cheats.iter().map(|(cheat, _)| *cheat).collect();
    file += &format!("[[matrix]]\nmodes = {modes:?}\nworkers = 2\n");
    let rows = rows(&sandbox, &file);
    for (cheat, reason) in cheats {
        let row = rows.iter().find(|row| row["mode"] == cheat).unwrap();
        assert_eq!(row["status"] == "ok", reason.is_empty(), "{cheat}: {}", row["error"]);
        if cheat != "never-reads" {
            assert!(row["error"].contains(reason), "{cheat}: {}", row["error"]);
        } else {
            assert!(row["error"].contains("the server counted 2000 SET and 0 GET"), "{}", row["error"]);
        }
    }
    sandbox.expect_nobody_left();
}

#[test]
fn somebody_elses_server_is_filled_and_left_as_it_was() {
    let sandbox = Sandbox::new();
    let server = Foreign::start(&[]);
    let mut connection = server.connection();
    redis::cmd("SET").arg("theirs").arg("1").exec(&mut connection).unwrap();
    let rows = rows(
        &sandbox,
        &format!(
            "[server.redis]\naddress = '127.0.0.1:{}'\n[workload]\nkind = 'read-write'\noperations = 2000\nkeys = 3000\n\
             [[matrix]]\nmodes = ['sync', 'async']\nworkers = 2\n",
            server.port
        ),
    );
    all_ok(&rows);
    assert!(rows.iter().all(|row| !row["flags"].contains("other-clients")), "{rows:?}");
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert_eq!(keys, ["theirs"]);
}

#[test]
fn every_shipped_client_reads_and_writes_keys_that_are_there() {
    let drivers = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");
    let mut modes = Vec::new();
    for name in ["c.toml", "node.toml", "python.toml"] {
        let file: toml::Table =
            std::fs::read_to_string(format!("{drivers}/{name}")).unwrap().parse().unwrap();
        for (mode, table) in file["mode"].as_table().unwrap() {
            if table.get("workloads").is_some_and(|workloads| workloads.to_string().contains("read-write")) {
                modes.push(mode.clone());
            }
        }
    }
    assert!(modes.len() > 15, "{modes:?}");
    let pipelined: Vec<&String> = modes.iter().filter(|mode| mode.contains("-pipe")).collect();
    let sandbox = Sandbox::new();
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{drivers}/c.toml', '{drivers}/node.toml', '{drivers}/python.toml']\n\
             [workload]\nkind = 'read-write'\noperations = 600\nkeys = 300\nreads = 0.7\n\
             [[matrix]]\nmodes = {modes:?}\nworkers = 3\nworkload.distribution = ['uniform', 'zipf', 'sequential']\n\
             [[matrix]]\nmodes = {pipelined:?}\nworkload.pipeline = 8\nworkload.value_bytes = 40\n"
        ),
    );
    assert_eq!(rows.len(), 3 * modes.len() + pipelined.len());
    all_ok(&rows);
    sandbox.expect_nobody_left();
}

/// A mode of each kind that carries out commands that a file lists.
const OF_COMMANDS: &str = "'sync', 'sync-pipe', 'async', 'async-pipe', 'async-mt', 'multiplexed', 'py-sync', 'py-sync-pipe', \
                           'py-asyncio', 'py-asyncio-pipe', 'py-uvloop', 'node-redis', 'node-redis-pipe', 'ioredis', 'ioredis-pipe'";

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
    assert_eq!(rows.len(), 3 * 15 + 6);
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

#[test]
fn a_command_that_the_server_does_not_know_fails_in_the_words_of_the_server() {
    let sandbox = Sandbox::new();
    let rows = rows(
        &sandbox,
        "[workload]\nkind = 'commands'\noperations = 10\ncommands = [['HSTE', '{key}', 'f', '1']]\n[[matrix]]\nmodes = 'sync'\n",
    );
    assert!(
        rows[0]["error"].contains("unknown command") && rows[0]["error"].contains("HSTE"),
        "{}",
        rows[0]["error"]
    );
}

#[test]
fn commands_that_leave_unknown_keys_are_not_sent_to_a_server_that_may_not_be_flushed() {
    let sandbox = Sandbox::new();
    let server = Foreign::start(&[]);
    let rows = rows(
        &sandbox,
        &format!(
            "[server.redis]\naddress = '127.0.0.1:{}'\n[workload]\nkind = 'commands'\noperations = 10\n\
             commands = [['INCR', 'n']]\n[[matrix]]\nmodes = 'sync'\n",
            server.port
        ),
    );
    assert!(rows[0]["error"].contains("may not be flushed"), "{}", rows[0]["error"]);
    let keys: u64 = redis::cmd("DBSIZE").query(&mut server.connection()).unwrap();
    assert_eq!(keys, 0);
}

#[test]
fn two_releases_of_one_library_stand_side_by_side_in_one_table() {
    let sandbox = Sandbox::new();
    let root = env!("CARGO_MANIFEST_DIR");
    let file = std::fs::read_to_string(format!("{root}/experiments/versions.toml")).unwrap();
    let tables = file.split_once("[mode.").unwrap().1.split_once("[workload]").unwrap().0;
    let tables = tables
        .replace("versions/redis", &format!("{root}/experiments/versions/redis"))
        .replace("../drivers", &format!("{root}/drivers"));
    let rows = rows(
        &sandbox,
        &format!(
            "[mode.{tables}\n[workload]\noperations = 200\n[[matrix]]\nmodes = ['redis-py-5', 'redis-py-8']\n"
        ),
    );
    all_ok(&rows);
    let clients: BTreeSet<(&str, &str)> =
        rows.iter().map(|row| (row["mode"].as_str(), row["client"].as_str())).collect();
    assert_eq!(clients, BTreeSet::from([("redis-py-5", "redis-py 5.0.1"), ("redis-py-8", "redis-py 8.1.0")]));
}
