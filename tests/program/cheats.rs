//! Drivers that cheat: each fails its trial by a message that names what it did, or stands out in its row, or is found by
//! `driver check`; and the same program without a cheat passes everything. docs/measurement.md has the table.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::sandbox::{Foreign, Sandbox, stderr, stdout};

const CHEAT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/cheat.py");

/// What the row of a cheat's trial has in its error; for those whose trial ends well, nothing.
const IN_A_TRIAL: &[(&str, &str)] = &[
    ("small-values", "bytes: the keys and values of 2000 operations take"),
    ("no-pipeline", "the driver sent less in one round trip than was asked for"),
    ("own-pipeline", "the driver sent more in one round trip than was asked for"),
    ("mset", "commands that the job did not ask for: 1 MSET"),
    ("after-done", "after the driver had said that it was done"),
    ("endless-latency", "longer than the whole trial"),
    ("all-at-once", "before the last one was due: at 500/s"),
    ("closed-loop", "though no operation is said to have taken longer than"),
    ("from-the-send", "latencies are not counted from when operations were due"),
];

/// What `driver check` says of a cheat, and in which of its tests.
const BY_THE_CHECK: &[(&str, &str, &str)] = &[
    ("small-values", "stores values", "bytes: the keys and values of 500 operations take"),
    ("uneven-values", "stores values", "where 100 were asked for"),
    ("no-pipeline", "sends several", "the driver sent less in one round trip than was asked for"),
    ("own-pipeline", "a trial", "the driver sent more in one round trip than was asked for"),
    ("mset", "a trial", "commands that the job did not ask for: 1 MSET"),
    ("after-done", "a trial", "after the driver had said that it was done"),
    ("one-connection", "shares", "has only 1 of 3 connections when it is ready"),
    ("one-worker", "names", "wrote 500 keys that begin with `check:0:`: worker 0 has 167 operations"),
    ("microseconds", "latencies", "by Little's law"),
    ("no-latency", "latencies", "by Little's law"),
    ("half-latency", "latencies", "by Little's law"),
    ("endless-latency", "a trial", "longer than the whole trial"),
    // On a busy machine this client is slower than the rate, and found by that.
    ("all-at-once", "keeps to a rate", ""),
    ("closed-loop", "keeps to a rate", "though no operation is said to have taken longer than"),
    ("from-the-send", "keeps to a rate", "latencies are not counted from when operations were due"),
    (
        "sets-then-gets",
        "sets each",
        "sends SET `check:0:1` after SET `check:0:0`, and GET `check:0:0` was due",
    ),
];

/// An experiment in which cheats are modes, each matrix with modes and settings of its own.
fn experiment(sandbox: &Sandbox, server: &str, matrices: &[(&[&str], &str)]) -> std::process::Output {
    let mut file = format!("name = 'cheats'\n[workload]\noperations = 2000\n{server}");
    let mut named = std::collections::BTreeSet::new();
    for mode in matrices.iter().flat_map(|(modes, _)| *modes).filter(|mode| **mode != "sync") {
        if named.insert(mode) {
            file += &format!("[mode.{mode}]\ncommand = ['python3', '{CHEAT}', '{mode}']\n");
        }
    }
    for (modes, settings) in matrices {
        file += &format!("[[matrix]]\nmodes = {modes:?}\n{settings}\n");
    }
    file += "[run]\nrepetitions = 1\nretries = 0\nwarmup = 20\n";
    let path = sandbox.write("cheats.toml", &file);
    sandbox.output(&[path.to_str().unwrap()])
}

#[test]
fn a_cheat_that_shows_in_what_the_server_counts_fails_its_trial_by_name() {
    let sandbox = Sandbox::new();
    let output = experiment(
        &sandbox,
        "",
        &[
            (
                &["honest", "small-values", "no-pipeline", "mset", "after-done"],
                "workers = 2\nworkload.pipeline = 50\nworkload.value_bytes = 1000",
            ),
            (&["own-pipeline"], "workers = 2\nworkload.pipeline = 2\nworkload.value_bytes = 16"),
            (&["honest", "own-pipeline", "one-connection", "short-time"], "workers = 4"),
        ],
    );
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let rows = sandbox.rows("cheats", "trials.csv");
    assert_eq!(rows.len(), 10);
    for row in &rows {
        let mode = row["mode"].as_str();
        match IN_A_TRIAL.iter().find(|(cheat, _)| *cheat == mode) {
            Some((_, reason)) => assert!(row["error"].contains(reason), "{mode}: {}", row["error"]),
            None => {
                assert_eq!(row["status"], "ok", "{mode}: {}", row["error"]);
                let connections = if mode == "one-connection" { "1" } else { row["workers"].as_str() };
                assert_eq!(row["connections"], connections, "{mode}");
            }
        }
    }
    sandbox.expect_nobody_left();
}

#[test]
fn a_time_that_is_a_tenth_too_short_is_flagged() {
    let sandbox = Sandbox::new();
    // Long enough for a tenth of it to be more than messages may cost, on a fast machine too.
    let output = experiment(&sandbox, "", &[(&["short-time"], "workload.operations = 20_000")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows = sandbox.rows("cheats", "trials.csv");
    assert!(rows[0]["flags"].contains("clock-disagrees"), "{:?}", rows[0]);
}

#[test]
fn latencies_that_do_not_belong_to_the_throughput_are_flagged_and_impossible_ones_fail() {
    let sandbox = Sandbox::new();
    let cheats = &["honest", "microseconds", "no-latency", "half-latency", "endless-latency"];
    let output = experiment(&sandbox, "", &[(cheats, "workers = 1")]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    for row in sandbox.rows("cheats", "trials.csv") {
        let (mode, is_flagged) = (row["mode"].as_str(), row["flags"].contains("latency-doubtful"));
        match IN_A_TRIAL.iter().find(|(cheat, _)| *cheat == mode) {
            Some((_, reason)) => assert!(row["error"].contains(reason), "{mode}: {}", row["error"]),
            None => assert_eq!(is_flagged, mode != "honest", "{mode}: {row:?}"),
        }
    }
}

#[test]
fn a_trial_that_begins_otherwise_than_it_goes_on_is_flagged_and_its_parts_are_kept() {
    let sandbox = Sandbox::new();
    let output = experiment(&sandbox, "", &[(&["honest", "slow-start", "sync"], "workers = 1")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let slow =
        sandbox.rows("cheats", "trials.csv").into_iter().find(|row| row["mode"] == "slow-start").unwrap();
    assert!(slow["flags"].contains("unsteady-start"), "{slow:?}");
    let parts = sandbox.rows("cheats", "progress.csv");
    for row in sandbox.rows("cheats", "trials.csv") {
        let parts: Vec<u64> = parts
            .iter()
            .filter(|part| part["trial"] == row["trial"])
            .map(|part| part["operations"].parse().unwrap())
            .collect();
        let told = row["mode"] != "honest";
        assert_eq!(parts.len(), if told { 12 } else { 0 }, "{}", row["mode"]);
        assert_eq!(parts.iter().sum::<u64>(), if told { 2000 } else { 0 }, "{}", row["mode"]);
    }
}

#[test]
fn a_rate_that_was_not_kept_fails_the_trial() {
    let sandbox = Sandbox::new();
    let cheats = &["honest", "all-at-once", "closed-loop", "from-the-send"];
    let output =
        experiment(&sandbox, "", &[(cheats, "workers = 2\nworkload.rate = 500\nworkload.operations = 500")]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    for row in sandbox.rows("cheats", "trials.csv") {
        let mode = row["mode"].as_str();
        match IN_A_TRIAL.iter().find(|(cheat, _)| *cheat == mode) {
            Some((_, reason)) => assert!(row["error"].contains(reason), "{mode}: {}", row["error"]),
            None => assert_eq!(row["status"], "ok", "{mode}: {}", row["error"]),
        }
    }
}

#[test]
fn the_check_of_drivers_finds_nothing_in_an_honest_driver() {
    let sandbox = Sandbox::new();
    let output = sandbox.output(&["driver", "check", "--", "python3", CHEAT, "honest"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    sandbox.expect_nobody_left();
}

#[test]
fn the_check_of_drivers_finds_every_cheat() {
    let sandbox = Sandbox::new();
    for together in BY_THE_CHECK.chunks(3) {
        std::thread::scope(|scope| {
            for (cheat, test, reason) in together {
                let sandbox = &sandbox;
                scope.spawn(move || {
                    let args = ["driver", "check", "--only", test, "--", "python3", CHEAT, cheat];
                    let output = sandbox.orchestrate(&args).output().unwrap();
                    let said = stdout(&output);
                    assert_eq!(output.status.code(), Some(1), "{cheat}: {said}");
                    let found = said.lines().find(|line| line.starts_with("wrong")).unwrap();
                    assert!(found.contains(test) && found.contains(reason), "{cheat}: {said}");
                });
            }
        });
    }
    sandbox.expect_nobody_left();
}

/// The rows of a run against a server on which somebody repeats a command until it is over.
fn beside(command: &[&str]) -> Vec<std::collections::BTreeMap<String, String>> {
    let sandbox = Sandbox::new();
    let server = Foreign::start(&[]);
    let (mut connection, over) = (server.connection(), AtomicBool::new(false));
    let address = format!("[server.redis]\naddress = '127.0.0.1:{}'\n", server.port);
    let output = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                redis::cmd(command[0]).arg(&command[1..]).exec(&mut connection).unwrap();
            }
        });
        let output = experiment(&sandbox, &address, &[(&["sync"], "workers = [1, 4]")]);
        over.store(true, Ordering::Relaxed);
        output
    });
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    sandbox.rows("cheats", "trials.csv")
}

#[test]
fn whoever_else_works_on_the_server_of_somebody_is_noticed_whatever_they_do_there() {
    for command in [&["INCR", "theirs"][..], &["LPUSH", "theirs", "x"], &["KEYS", "*"], &["PING"], &["INFO"]]
    {
        for row in beside(command) {
            assert!(row["flags"].contains("other-clients"), "{command:?}: {row:?}");
            assert_eq!(row["connections"], "", "whose they are is not known");
        }
    }
}

#[test]
fn whoever_is_alone_on_the_server_of_somebody_is_not_told_of_others() {
    let sandbox = Sandbox::new();
    let server = Foreign::start(&[]);
    let address = format!("[server.redis]\naddress = '127.0.0.1:{}'\n", server.port);
    let matrices: &[(&[&str], &str)] =
        &[(&["sync", "honest"], "workers = [1, 20]"), (&["honest"], "workload.pipeline = 50")];
    let output = experiment(&sandbox, &address, matrices);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows = sandbox.rows("cheats", "trials.csv");
    assert_eq!(rows.len(), 5);
    assert!(rows.iter().all(|row| !row["flags"].contains("other-clients")), "{rows:?}");
}

#[test]
fn a_monitor_that_was_there_before_is_noticed_by_what_it_is_sent() {
    use std::io::{Read, Write};
    let sandbox = Sandbox::new();
    let server = Foreign::start(&[]);
    let mut monitor = std::net::TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    monitor.write_all(b"MONITOR\r\n").unwrap();
    monitor.read_exact(&mut [0; 5]).unwrap();
    let mut rest = monitor.try_clone().unwrap();
    let listener = std::thread::spawn(move || std::io::copy(&mut rest, &mut std::io::sink()));
    let address = format!("[server.redis]\naddress = '127.0.0.1:{}'\n", server.port);
    let output = experiment(&sandbox, &address, &[(&["sync"], "workload.operations = 5000")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows = sandbox.rows("cheats", "trials.csv");
    assert!(rows[0]["flags"].contains("other-clients"), "{:?}", rows[0]);
    monitor.shutdown(std::net::Shutdown::Both).unwrap();
    listener.join().unwrap().unwrap();
}
