//! Workloads other than the article's: every mode that announces one carries it out, and whoever cheats at it fails by name.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;

use crate::sandbox::{Foreign, Sandbox, code, signal, stderr, stdout, wait_until};

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/reader.py");
const TASKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/tasker.py");

/// The rows of an experiment with these tables, by mode.
pub(crate) fn rows(sandbox: &Sandbox, file: &str) -> Vec<BTreeMap<String, String>> {
    let file = format!("name = 'workloads'\n{file}\n[run]\nrepetitions = 1\nretries = 0\nwarmup = 200\n");
    let path = sandbox.write("workloads.toml", &file);
    let output = sandbox.output(&[path.to_str().unwrap()]);
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", stderr(&output));
    sandbox.rows("workloads", "trials.csv")
}

pub(crate) fn all_ok(rows: &[BTreeMap<String, String>]) {
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
    assert!(rows[0]["error"].contains("must not be flushed"), "{}", rows[0]["error"]);
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

/// The tables of a mode for each cheat, of a driver that takes its name.
fn cheating(script: &str, workload: &str, cheats: &[(&str, &str)]) -> String {
    let table = |cheat: &str| {
        format!("[mode.{cheat}]\ncommand = ['python3', '{script}', '{cheat}']\nworkloads = ['{workload}']\n")
    };
    cheats.iter().map(|(cheat, _)| table(cheat)).collect()
}

/// Whoever is honest is measured; whoever cheats is not, and the row has the reason.
fn found_out(rows: &[BTreeMap<String, String>], cheats: &[(&str, &str)]) {
    for (cheat, reason) in cheats {
        let row = rows.iter().find(|row| row["mode"] == *cheat).unwrap();
        assert_eq!(row["status"] == "ok", reason.is_empty(), "{cheat}: {}", row["error"]);
        assert!(row["error"].contains(reason), "{cheat}: {}", row["error"]);
    }
}

#[test]
fn every_mode_of_redis_rs_that_can_pushes_and_takes_every_task_once() {
    let sandbox = Sandbox::new();
    let rows = rows(
        &sandbox,
        "[workload]\nkind = 'queue'\n\
         [[matrix]]\nmodes = ['sync', 'async', 'async-mt']\nworkers = [1, 5]\nworkload.producers = [1, 3]\n\
         workload.operations = 1000\nworkload.structure = ['list', 'stream']\nworkload.acknowledge = [true, false]\n\
         [[matrix]]\nmodes = ['sync', 'async']\nworkers = 2\nworkload.operations = 1000\nworkload.backlog = 1\nworkload.value_bytes = 1000\n\
         [[matrix]]\nmodes = ['sync', 'async']\nworkers = 2\nworkload.rate = 5000\nworkload.duration = '200ms'\n\
         [[matrix]]\nmodes = ['sync', 'async']\nworkers = 2\nworkload.duration = '200ms'\n\
         [[matrix]]\nmodes = ['sync', 'async', 'async-mt']\nworkers = [1, 5]\nworkload.kind = 'pubsub'\nworkload.operations = 1000\n\
         workload.publishers = [1, 3]\nworkload.channels = [1, 4]\n",
    );
    assert_eq!(rows.len(), 3 * 2 * 2 * 2 * 2 + 3 * 2 + 3 * 2 * 2 * 2);
    all_ok(&rows);
    let acknowledged =
        |row: &&BTreeMap<String, String>| row["acknowledge"] == "true" && row["workers"] == "5";
    // A push, a take and an acknowledgement of each, and of the end for each worker.
    let calls: Vec<u64> =
        rows.iter().filter(acknowledged).map(|row| row["server_calls"].parse().unwrap()).collect();
    assert!(calls.iter().all(|calls| (3 * 1005..3 * 1005 + 20).contains(calls)), "{calls:?}");
    assert!(rows.iter().all(|row| row["littles_law"].is_empty() && !row["flags"].contains("latency")));
    sandbox.expect_nobody_left();
}

#[test]
fn whoever_cheats_at_tasks_fails_by_name() {
    let sandbox = Sandbox::new();
    let cheats = [
        ("honest", ""),
        ("drops", "not each of 500 tasks was delivered exactly once"),
        ("twice", "not each of 500 tasks was delivered exactly once"),
        ("fewer", "501 LPUSH and at least 501 BRPOP calls; the server counted 500 LPUSH"),
        ("leaves", "keys exist that did not exist before the trial"),
        ("silent", "`delivered` is missing"),
        ("loud", "the server counted 500 LPUSH"),
    ];
    let file =
        "[workload]\nkind = 'queue'\noperations = 500\n".to_owned() + &cheating(TASKER, "queue", &cheats);
    let modes: Vec<&str> = cheats.iter().map(|(cheat, _)| *cheat).collect();
    let more = format!("[[matrix]]\nmodes = {modes:?}\n");
    found_out(&rows(&sandbox, &(file.clone() + &more)), &cheats);
    sandbox.expect_nobody_left();
    let sandbox = Sandbox::new();
    // A task that is not acknowledged is one that another consumer would be given.
    let cheats = [("honest", ""), ("forgets", "the server counted 0 LREM, 501 LPUSH and 501 BLMOVE calls")];
    let file = file + &cheating(TASKER, "queue", &[("forgets", "")]);
    let more = "[[matrix]]\nmodes = ['honest', 'forgets']\nworkload.acknowledge = true\n";
    found_out(&rows(&sandbox, &(file + more)), &cheats);
    sandbox.expect_nobody_left();
}

#[test]
fn whoever_cheats_at_messages_fails_by_name() {
    let sandbox = Sandbox::new();
    let cheats = [
        ("honest", ""),
        ("deaf", "the server sent"),
        ("drops", "not each of 500 messages was delivered exactly once"),
        ("loud", "501 PUBLISH"),
    ];
    let modes: Vec<&str> = cheats.iter().map(|(cheat, _)| *cheat).collect();
    let file = "[workload]\nkind = 'pubsub'\noperations = 500\n".to_owned()
        + &cheating(TASKER, "pubsub", &cheats)
        + &format!("[[matrix]]\nmodes = {modes:?}\nworkers = 3\n");
    found_out(&rows(&sandbox, &file), &cheats);
    sandbox.expect_nobody_left();
}

#[test]
fn what_a_workload_cannot_do_is_refused_before_anything_runs() {
    let sandbox = Sandbox::new();
    let refused = |table: &str| {
        let path = sandbox.write("refused.toml", &format!("name = 'refused'\n{table}"));
        let output = sandbox.output(&["check", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        stderr(&output)
    };
    let says = refused("[workload]\nkind = 'queue'\n[[matrix]]\nmodes = 'multiplexed'\n");
    assert!(says.contains("the mode `multiplexed` does not have the workload `queue`"), "{says}");
    let says = refused("[workload]\nkind = 'queue'\npipeline = 5\n[[matrix]]\nmodes = 'sync'\n");
    assert!(says.contains("cannot share a round trip"), "{says}");
    let says = refused("[workload]\nkind = 'pubsub'\nvalue_bytes = 16\n[[matrix]]\nmodes = 'sync'\n");
    assert!(says.contains("messages of the workload `pubsub` have no room in 16 bytes"), "{says}");
    let says = refused("[workload]\nproducers = 2\n[[matrix]]\nmodes = 'sync'\n");
    assert!(says.contains("the workload `set-get` has no `workload.producers`"), "{says}");
}

/// Two trials of tasks that are acknowledged, long enough to be disturbed.
const TASKS: &str = "name = 'tasks'\n[workload]\nkind = 'queue'\nacknowledge = true\nproducers = 2\nduration = '1s'\n\
                     [run]\nrepetitions = 2\nwarmup = 200\n[[matrix]]\nmodes = 'sync'\nworkers = 3\n";

#[test]
fn whoever_is_killed_while_tasks_are_under_way_costs_one_attempt_with_its_reason() {
    for (victim, reason) in [(" driver", "signal 9"), ("redis-server", "signal 9")] {
        let sandbox = Sandbox::new();
        sandbox.write("tasks.toml", TASKS);
        let mut run = sandbox.start(&["tasks.toml"]);
        wait_until("a driver is at work", || sandbox.process(" driver"));
        signal(wait_until("there is somebody to kill", || sandbox.process(victim)), Signal::KILL);
        assert_eq!(code(run.wait().unwrap()), 0);
        let rows = sandbox.rows("tasks", "trials.csv");
        let failed: Vec<_> = rows.iter().filter(|row| row["status"] != "ok").collect();
        assert_eq!((rows.len(), failed.len()), (3, 1), "{rows:?}");
        assert!(failed[0]["error"].contains(reason), "{victim}: {}", failed[0]["error"]);
        sandbox.expect_nobody_left();
    }
}

#[test]
fn a_coordinator_that_is_killed_while_tasks_are_under_way_is_resumed() {
    let sandbox = Sandbox::new();
    sandbox.write("tasks.toml", TASKS);
    let mut run = sandbox.start(&["tasks.toml"]);
    wait_until("a driver is at work", || sandbox.process(" driver"));
    run.kill().unwrap();
    run.wait().unwrap();
    sandbox.expect_nobody_left();
    assert_eq!(code(sandbox.output(&["tasks.toml"]).status), 0);
    let rows = sandbox.rows("tasks", "trials.csv");
    assert_eq!(rows.iter().filter(|row| row["status"] == "ok").count(), 2, "{rows:?}");
    sandbox.expect_nobody_left();
}

#[test]
fn options_and_the_environment_of_a_client_are_levels_like_any_other() {
    let sandbox = Sandbox::new();
    let drivers = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{drivers}/python.toml', '{drivers}/node.toml']\n[workload]\noperations = 200\n\
             [[matrix]]\nmodes = ['sync', 'py-sync', 'node-redis']\nmode.options.protocol = [2, 3]\n\
             [[matrix]]\nmodes = 'async-mt'\nmode.options = [{{}}, {{ threads = [1, 2], protocol = 3 }}]\n\
             exclude = [{{ mode.options = {{ threads = 2, protocol = 3 }} }}]\n\
             [[matrix]]\nmodes = 'py-asyncio'\nmode.env.PYTHONHASHSEED = [0, 1]\n\
             [[matrix]]\nmodes = 'ioredis'\nmode.options = {{ auto_pipelining = true }}\n"
        ),
    );
    all_ok(&rows);
    let of = |mode: &str| -> BTreeSet<(&str, &str)> {
        let rows = rows.iter().filter(|row| row["mode"] == mode);
        rows.map(|row| (row["mode_options"].as_str(), row["mode_env"].as_str())).collect()
    };
    for mode in ["sync", "py-sync", "node-redis"] {
        assert_eq!(of(mode), BTreeSet::from([("protocol=2", ""), ("protocol=3", "")]), "{mode}");
    }
    assert_eq!(of("async-mt"), BTreeSet::from([("default", ""), ("protocol=3 threads=1", "")]));
    let threads = |row: &&BTreeMap<String, String>| row["mode_options"] == "protocol=3 threads=1";
    assert!(rows.iter().find(threads).unwrap()["client_runtime"].contains("multi-thread (1)"));
    assert_eq!(of("py-asyncio"), BTreeSet::from([("", "PYTHONHASHSEED=0"), ("", "PYTHONHASHSEED=1")]));
    assert_eq!(of("ioredis").len(), 1);
    let run = sandbox.runs("workloads").remove(0);
    let output =
        sandbox.output(&["compare", run.to_str().unwrap(), "--factor", "mode_options=protocol=2,protocol=3"]);
    assert!(stdout(&output).contains("node-redis"), "{}{}", stdout(&output), stderr(&output));
    sandbox.expect_nobody_left();
}

/// Says of its environment and its options what it was asked to say; knows nothing of options if it is `old`.
const TELLS: &str = r#"
import json, os, sys
job = json.loads(sys.stdin.readline())
told = {} if sys.argv[1] == "old" else {"options": job["options"]}
print(json.dumps({"event": "failed", "kind": "other", "error": os.environ["WHO"] + " " + json.dumps(job["options"])})
      if sys.argv[1] == "tells" else json.dumps({"event": "ready", "client": "c", "runtime": "r", "workers": 1, **told}), flush=True)
sys.stdin.read()
"#;

#[test]
fn an_option_that_a_client_does_not_know_is_refused_by_name_and_never_ignored() {
    let sandbox = Sandbox::new();
    sandbox.write("tells.py", TELLS);
    let rows = rows(
        &sandbox,
        "[workload]\noperations = 10\n\
         [mode.tells]\ncommand = ['python3', 'tells.py', 'tells']\noptions = { pool = 8, size = 1 }\nenv = { WHO = 'me' }\n\
         [mode.old]\ncommand = ['python3', 'tells.py', 'old']\n\
         [[matrix]]\nmodes = ['tells', 'old']\nmode.options.pool = 4\n",
    );
    let error = |mode: &str| &rows.iter().find(|row| row["mode"] == mode).unwrap()["error"];
    assert!(error("tells").contains(r#"me {"pool": 4, "size": 1}"#), "{}", error("tells"));
    assert!(
        error("old").contains("did not confirm in `ready` that it uses the option `pool` as 4"),
        "{}",
        error("old")
    );
    let file = "name = 'refused'\n[[matrix]]\nmodes = 'sync'\nmode.options.protcol = 3\n";
    let output = sandbox.output(&["check", sandbox.write("refused.toml", file).to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("`sync` knows no option `protcol`; it has `protocol`"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn keys_that_expire_are_told_by_the_server_and_a_client_that_ignores_it_fails() {
    let sandbox = Sandbox::new();
    let drivers = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{drivers}/c.toml']\n[workload]\noperations = 500\nexpire = 600\n\
             [[matrix]]\nmodes = ['sync', 'sync-pipe', 'async', 'async-pipe', 'async-mt', 'multiplexed', 'hiredis']\nworkers = 2\n"
        ),
    );
    let (ignores, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row["mode"] == "hiredis");
    all_ok(&others);
    assert!(others.iter().all(|row| row["expire_s"] == "600"));
    let error = &ignores[0]["error"];
    assert!(error.contains("0 of the new keys will expire, and 500 should"), "{error}");
    sandbox.expect_nobody_left();
}

// ------------------------------------------------------------------------------------------- task-queue libraries
