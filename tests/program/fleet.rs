//! Several hosts at work in one run: who waits for whom, who works together, and on which CPUs.

use std::fs;

use serde_json::Value;

use crate::hosts::behind_a_command;
use crate::sandbox::{Sandbox, code, stderr};

/// When an attempt began and when it was over, in milliseconds.
fn span(attempt: &Value) -> (f64, f64) {
    let began: jiff::Timestamp = attempt["started_at"].as_str().unwrap().parse().unwrap();
    let began = began.as_nanosecond() as f64 / 1e6;
    (began, began + attempt["took_ns"].as_f64().unwrap() / 1e6)
}

#[test]
fn trials_on_disjoint_hosts_run_side_by_side_and_never_two_on_one_host() {
    let sandbox = Sandbox::new();
    let rest = "[workload]\nduration = '300ms'\n[[matrix]]\nhosts = ['a', 'b', { client = 'a', server = 'b' }]\nmodes = 'sync'\n\
                [run]\nrepetitions = 3\nwarmup = 10\norder = 'sequential'\n";
    sandbox.write("pair.toml", &behind_a_command(&sandbox, rest));
    let output = sandbox.output(&["pair.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let attempts = sandbox.attempts("pair");
    assert_eq!(attempts.len(), 9);
    let hosts = |attempt: &Value| {
        let pair = &attempt["settings"]["hosts"];
        [pair["client"].as_str().unwrap().to_owned(), pair["server"].as_str().unwrap().to_owned()]
    };
    let mut side_by_side = 0;
    for (i, one) in attempts.iter().enumerate() {
        for other in &attempts[..i] {
            let (one_at, other_at) = (span(one), span(other));
            let overlap = one_at.0 < other_at.1 && other_at.0 < one_at.1;
            let shared = hosts(one).iter().any(|host| hosts(other).contains(host));
            assert!(!(overlap && shared), "{one} {other}");
            side_by_side += usize::from(overlap);
        }
    }
    assert_eq!(side_by_side, 3, "{side_by_side} pairs of trials ran at the same time");
    // On every host they ran in the order of the plan.
    for host in ["a", "b"] {
        let mut on_host: Vec<&Value> =
            attempts.iter().filter(|attempt| hosts(attempt).iter().any(|name| name == host)).collect();
        on_host.sort_by(|one, other| span(one).0.total_cmp(&span(other).0));
        let positions: Vec<u64> =
            on_host.iter().map(|attempt| attempt["position"].as_u64().unwrap()).collect();
        assert!(positions.is_sorted(), "{positions:?}");
    }
    sandbox.expect_nobody_left();
}

#[test]
fn a_block_that_may_be_the_last_ends_on_every_host_before_the_next_begins() {
    let sandbox = Sandbox::new();
    // The trials of one host take much longer than those of the other.
    let rest = "[[matrix]]\nhosts = 'a'\nmodes = 'sync'\nworkload.duration = '100ms'\n[[matrix]]\nhosts = 'b'\nmodes = 'sync'\n\
                workload.operations = 10\n[run]\nrepetitions = { min = 2, max = 4, until = '0.0001%' }\nwarmup = 10\n";
    sandbox.write("pair.toml", &behind_a_command(&sandbox, rest));
    let output = sandbox.output(&["pair.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let attempts = sandbox.attempts("pair");
    assert_eq!(attempts.len(), 8);
    for block in [2, 3] {
        let in_block = |repetition: u64| {
            attempts.iter().filter(move |attempt| attempt["repetition"].as_u64() == Some(repetition))
        };
        let over = in_block(block).map(|attempt| span(attempt).1).fold(0.0, f64::max);
        let begins = in_block(block + 1).map(|attempt| span(attempt).0).fold(f64::INFINITY, f64::min);
        assert!(over <= begins, "block {block} was over at {over}, the next one began at {begins}");
    }
    sandbox.expect_nobody_left();
}

#[test]
fn several_clients_work_on_one_server_and_make_one_row() {
    let sandbox = Sandbox::new();
    let rest = "[workload]\noperations = 301\n[host.c]\ntransport = 'local'\naddress = '127.0.0.1'\n[[matrix]]\n\
                hosts = [{ clients = ['a', 'b'], server = 'c' }, { clients = ['a', 'b'], server = 'b' }]\n\
                modes = ['sync', 'async', 'async-pipe', 'multiplexed']\nworkers = 5\n[run]\nrepetitions = 2\nwarmup = 10\n";
    sandbox.write("pair.toml", &behind_a_command(&sandbox, rest));
    let output = sandbox.output(&["pair.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let rows = sandbox.rows("pair", "trials.csv");
    assert_eq!(rows.len(), 16);
    for row in &rows {
        assert_eq!((row["client_host"].as_str(), row["link"].as_str()), ("a+b", "network"), "{row:?}");
        assert_eq!((row["operations"].as_str(), row["workers"].as_str()), ("301", "5"));
        // Both hosts' work stands in the row, as the server counted it.
        assert_eq!(row["server_calls"], "602");
        assert!(row["rtt_us"].parse::<f64>().unwrap() > 0.0);
    }
    for attempt in sandbox.attempts("pair") {
        let parts = attempt["parts"].as_array().unwrap();
        let of = |part: &Value| {
            let done = &part["result"]["done"];
            let name = part["host"]["name"].as_str().unwrap().to_owned();
            (name, part["client"]["workers"].as_u64().unwrap(), done["operations"].as_u64().unwrap())
        };
        // 301 operations of five workers are 61 and four times 60.
        assert_eq!(parts.iter().map(of).collect::<Vec<_>>(), [("a".into(), 3, 181), ("b".into(), 2, 120)]);
        let slowest = parts.iter().map(|part| part["result"]["done"]["elapsed_ns"].as_u64().unwrap()).max();
        assert_eq!(attempt["measured"]["elapsed_ns"].as_u64(), slowest);
    }
    sandbox.expect_nobody_left();
}

#[test]
fn one_of_several_clients_that_fails_fails_the_trial_by_its_name() {
    let sandbox = Sandbox::new();
    sandbox.write("driver", "#!/bin/sh\ncase $TMPDIR/ in */b/*) exit 7;; esac\nread job; sleep 60\n");
    fs::set_permissions(sandbox.path().join("driver"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let rest = "[mode.own]\ncommand = ['./driver']\n[host.c]\ntransport = 'local'\naddress = '127.0.0.1'\n[[matrix]]\n\
                hosts = { clients = ['a', 'b'], server = 'c' }\nmodes = 'own'\nworkers = 2\n\
                [run]\nrepetitions = 1\nretries = 0\n";
    sandbox.write("pair.toml", &behind_a_command(&sandbox, rest));
    let output = sandbox.output(&["pair.toml"]);
    assert_eq!(code(output.status), 1, "{}", stderr(&output));
    let [attempt] = &sandbox.attempts("pair")[..] else { panic!("one attempt") };
    let error = attempt["error"].as_str().unwrap();
    assert!(
        error.starts_with("client `b`: driver `own` ended before it was ready; exit status 7"),
        "{error}"
    );
    sandbox.expect_nobody_left();
}

#[test]
fn a_host_says_on_which_cpus_both_sides_run_there() {
    let sandbox = Sandbox::new();
    let rest = "[workload]\noperations = 50\n[[matrix]]\nhosts = ['a', { client = 'a', server = 'b' }]\nmodes = 'sync'\n\
                run.placement = ['free', 'same-core']\n[run]\nrepetitions = 1\nwarmup = 10\n";
    let text = behind_a_command(&sandbox, rest)
        .replace("[host.b]", "pin = { server = [0], client = [0] }\n[host.b]");
    sandbox.write("pair.toml", &text);
    let output = sandbox.output(&["pair.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let mut placements: Vec<String> = sandbox
        .rows("pair", "trials.csv")
        .into_iter()
        .map(|row| format!("{}: {}", row["hosts"], row["placement"]))
        .collect();
    placements.sort();
    let last = std::thread::available_parallelism().unwrap().get() - 1;
    assert_eq!(
        placements,
        [
            "a → b: pinned client=0".to_owned(),
            format!("a → b: same-core server={last} client={last}"),
            "a: pinned server=0 client=0".to_owned(),
            format!("a: same-core server={last} client={last}"),
        ]
    );
    sandbox.expect_nobody_left();
}
