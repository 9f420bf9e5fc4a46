//! Workloads other than the article's: every mode that announces one carries it out, and whoever cheats at it fails by name.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;

use crate::sandbox::{Foreign, Sandbox, code, signal, stderr, stdout, wait_until};

const READER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/reader.py");
const TASKER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/tasker.py");

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
fn every_shipped_mode_carries_out_every_workload_that_it_announces() {
    let drivers = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");
    let mut modes: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut announce = |workload: &str, mode: &str| {
        modes.entry(workload.to_owned()).or_default().push(mode.to_owned());
    };
    for mode in orchestrate::driver::MODES {
        mode.workloads.iter().for_each(|kind| announce(kind.name(), mode.name));
    }
    let mut includes = Vec::new();
    for entry in std::fs::read_dir(drivers).unwrap() {
        let path = entry.unwrap().path();
        let is_file = path.extension().is_some_and(|extension| extension == "toml");
        if !is_file || path.ends_with("load-generators.toml") {
            continue;
        }
        let file: toml::Table = std::fs::read_to_string(&path).unwrap().parse().unwrap();
        // One file has servers and no modes.
        for (mode, table) in file.get("mode").into_iter().flat_map(|modes| modes.as_table().unwrap()) {
            let default = toml::Value::Array(vec!["set-get".into()]);
            let workloads = table.get("workloads").unwrap_or(&default).as_array().unwrap();
            workloads.iter().for_each(|workload| announce(workload.as_str().unwrap(), mode));
        }
        includes.push(path.display().to_string());
    }
    let mut file = format!("include = {includes:?}\n[workload]\noperations = 200\n");
    for (workload, modes) in &modes {
        file += &format!("[[matrix]]\nmodes = {modes:?}\nworkers = 2\nworkload.kind = '{workload}'\n");
        file += match workload.as_str() {
            "commands" => "workload.commands = [['HSET', '{key}', 'f', '{value}'], ['HGET', '{key}', 'f']]\n",
            "queue" => "workload.structure = ['list', 'stream']\nworkload.acknowledge = true\n",
            // Who polls begins two tasks a second for each worker.
            "tasks" => "workload.operations = 20\n",
            _ => "",
        };
    }
    let sandbox = Sandbox::new();
    let rows = rows(&sandbox, &file);
    all_ok(&rows);
    let announced = modes.values().map(Vec::len).sum::<usize>() + modes["queue"].len();
    // Only of optional modes may some be missing.
    assert!(rows.len() <= announced && rows.len() > 100, "{} of {announced}", rows.len());
    assert_eq!(rows.iter().map(|row| row["workload"].as_str()).collect::<BTreeSet<_>>().len(), modes.len());
    sandbox.expect_nobody_left();
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
             [[matrix]]\nmodes = {modes:?}\nworkers = 3\nworkload.distribution = ['zipf', 'sequential']\n\
             [[matrix]]\nmodes = {pipelined:?}\nworkload.pipeline = 8\nworkload.value_bytes = 40\n"
        ),
    );
    assert_eq!(rows.len(), 2 * modes.len() + pipelined.len());
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
        ("drops", "not each of 500 tasks was delivered once"),
        ("twice", "not each of 500 tasks was delivered once"),
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
        ("drops", "not each of 500 messages was delivered once"),
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

/// An experiment on variants of a library of a few lines, each a mode by its own name.
fn doubles(variants: &[&str]) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let modes: String = variants
        .iter()
        .map(|variant| {
            format!(
                "[mode.{variant}]\ncommand = ['python3', '{root}/tests/python/double_tasks.py', \
                 '--harness={root}/drivers/python/harness.py', '{variant}']\n\
                 workloads = ['tasks']\nenv = {{ PYTHONPATH = '{root}/drivers/broker' }}\n"
            )
        })
        .collect();
    format!("{modes}[workload]\nkind = 'tasks'\noperations = 10\n[[matrix]]\nmodes = {variants:?}\n")
}

fn expect_failures(expected: &[(&str, &str)]) {
    let sandbox = Sandbox::new();
    let mut variants: Vec<&str> = expected.iter().map(|(variant, _)| *variant).collect();
    variants.dedup();
    let rows = rows(&sandbox, &doubles(&variants));
    for (variant, error) in expected {
        let row = rows.iter().find(|row| row["mode"] == *variant).unwrap();
        assert_eq!(row["status"], "failed", "{variant}");
        assert!(row["error"].contains(error), "{variant}: {}", row["error"]);
        assert_eq!(row["ops_per_s"], "", "no number comes of it");
    }
    sandbox.expect_nobody_left();
}

#[test]
fn a_task_that_was_lost_is_named_and_so_is_what_became_of_it() {
    expect_failures(&[
        (
            "drops",
            "of 10 tasks some were not executed: 3; the library has none of them on the server any more",
        ),
        ("killed-child", "of 10 tasks some were not executed: 3; begun and not ended: 3;"),
        ("drops-and-lies", "by the marks on the server 1 of 10 tasks was not executed: 3"),
    ]);
}

#[test]
fn a_library_that_executes_twice_or_dies_and_a_driver_that_lies_fail_by_name() {
    expect_failures(&[
        // How many tasks had been handed over by then depends on the moment.
        ("killed-program", "a worker program of the double was ended by signal 9; of "),
        ("killed-program", " tasks 3 had ended, and 3 was begun and not ended"),
        ("again", "tasks that were executed more than once: 3"),
        ("again-and-lies", "by the marks on the server 10 tasks were executed 11 times"),
        ("silent", "`enqueue_ns` is missing"),
        ("stranger", "says that process 1 executes its tasks, which is not one of its own"),
        ("instant", "none that ended later than 1000 ns"),
    ]);
}

#[test]
fn what_tasks_cost_is_told_apart_by_who_hands_them_over_and_who_executes_them() {
    let sandbox = Sandbox::new();
    let file = doubles(&["honest"]) + "workload.body = ['noop', 'cpu 5ms', 'sleep 5ms']\n";
    let rows = rows(&sandbox, &file);
    all_ok(&rows);
    let of = |body: &str, column: &str| -> f64 {
        rows.iter().find(|row| row["body"] == body).unwrap()[column].parse().unwrap()
    };
    assert!(of("cpu 5ms", "worker_cpu_us_per_op") >= 5_000.0);
    assert!(of("sleep 5ms", "worker_cpu_us_per_op") < of("cpu 5ms", "worker_cpu_us_per_op"));
    for body in ["noop", "cpu 5ms", "sleep 5ms"] {
        assert_eq!(of(body, "server_calls_per_op"), 2.0, "LPUSH and BRPOP; marks do not count");
        let both = of(body, "worker_cpu_us_per_op") + of(body, "producer_cpu_us_per_op");
        assert!((both / of(body, "client_cpu_us_per_op") - 1.0).abs() < 1e-9);
        assert!(of(body, "start_latency_p50_us") <= of(body, "latency_p50_us"));
        assert!(of(body, "cold_start_s") > 0.0 && of(body, "enqueued_per_s") > of(body, "ops_per_s"));
        assert!(of(body, "worker_peak_rss_bytes") > 1e6);
    }
    assert!(of("sleep 5ms", "latency_p50_us") >= 5_000.0);
    sandbox.expect_nobody_left();
}

#[test]
fn what_tasks_cannot_be_is_refused_before_anything_runs() {
    let sandbox = Sandbox::new();
    let file = "name = 'refused'\n[mode.mine]\ncommand = ['true']\nworkloads = ['tasks']\n[workload]\nkind = 'tasks'\n\
                body = 'echo'\nprocesses = 3\n[[matrix]]\nmodes = ['mine', 'sync']\nworkers = 2\n";
    let path = sandbox.write("refused.toml", file);
    let said = stderr(&sandbox.output(&["check", path.to_str().unwrap()]));
    for refusal in [
        "the mode `sync` does not have the workload `tasks`",
        "the result of an `echo` is waited for, so it has to be stored",
        "3 worker programs cannot share 2 workers",
    ] {
        assert!(said.contains(refusal), "{refusal}: {said}");
    }
    let path = sandbox.write("refused.toml", &file.replace("'echo'", "'sleep'"));
    let said = stderr(&sandbox.output(&["check", path.to_str().unwrap()]));
    assert!(said.contains("`body` cannot be `sleep`; it may be `noop`, `sleep 10ms`"), "{said}");
}

#[test]
fn a_library_of_a_few_lines_on_the_kit_passes_the_check() {
    let root = env!("CARGO_MANIFEST_DIR");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_orchestrate"))
        .args(["driver", "check", "--", "python3"])
        .arg(format!("{root}/tests/python/double_tasks.py"))
        .args([format!("--harness={root}/drivers/python/harness.py"), "honest".to_owned()])
        .env("PYTHONPATH", format!("{root}/drivers/broker"))
        .output()
        .unwrap();
    let said = stdout(&output);
    assert!(output.status.success(), "{said}{}", stderr(&output));
    for test in ["executes tasks in several programs", "waits for the result of a task", "gives a password"] {
        assert!(said.contains(test), "{said}");
    }
    let refused: Vec<&str> = said.lines().filter(|line| line.contains("cannot")).collect();
    let is_of_a_connection = |line: &&str| line.contains("this client does not support `");
    assert!(refused.len() == 4 && refused.iter().all(is_of_a_connection), "nothing else is refused: {said}");
}

#[test]
fn what_becomes_of_a_task_whose_worker_is_killed_stands_in_the_row_of_a_real_library() {
    let sandbox = Sandbox::new();
    let drivers = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");
    sandbox.write(
        "deadly.py",
        "import os, signal\n\ndef at_three(number):\n    if number == 3:\n        os.kill(os.getpid(), signal.SIGKILL)\n",
    );
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{drivers}/broker.toml']\n[workload]\nkind = 'tasks'\noperations = 20\n\
             body = 'call deadly:at_three'\n[[matrix]]\nmodes = ['celery-prefork', 'huey']\n\
             mode.env = {{ PYTHONPATH = '{}' }}\n",
            sandbox.path().display()
        ),
    );
    let of = |mode: &str| rows.iter().find(|row| row["mode"] == mode).unwrap();
    // A child of its pool died and was replaced; the task had been acknowledged before it began.
    let celery = &of("celery-prefork")["error"];
    assert!(celery.contains("of 20 tasks some were not executed: 3; begun and not ended: 3"), "{celery}");
    // Its workers are threads of one program.
    let huey = &of("huey")["error"];
    assert!(huey.contains("a worker program of Huey was ended by signal 9"), "{huey}");
    sandbox.expect_nobody_left();
}
