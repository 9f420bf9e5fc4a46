//! Drivers of the test's own: what they claim is checked against what the server counted and against the agent's clock.

use crate::run::expect_each_trial_once;
use crate::sandbox::{Sandbox, code, stderr};

/// A driver in Python that answers the protocol, with a body of the test's own between `go` and `done`.
fn driver(body: &str) -> String {
    format!(
        r#"import json, socket, sys, time
job = json.loads(sys.stdin.readline())
server = socket.create_connection((job["server"]["host"], job["server"]["port"]))
prefix, n = job["key_prefix"], job["workload"]["operations"]
def command(*words):
    server.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in map(str.encode, words)))
    return server.recv(65536)
def say(**event):
    print(json.dumps(event), flush=True)
say(event="ready", client="test", runtime="test", workers=1)
sys.stdin.readline()
start = time.monotonic_ns()
elapsed, latency = None, None
{body}
elapsed = time.monotonic_ns() - start if elapsed is None else elapsed
say(event="done", elapsed_ns=elapsed, operations=n, errors=0, latency=latency)
sys.stdin.read()
"#
    )
}

const HONEST: &str = "
for i in range(n):
    command('SET', f'{prefix}0:{i}', str(i)); command('GET', f'{prefix}0:{i}')
";

fn with_driver(sandbox: &Sandbox, script: &str) -> std::process::Output {
    sandbox.write("driver.py", script);
    sandbox.write(
        "own.toml",
        "name = \"own\"\n[mode.own]\ncommand = [\"python3\", \"driver.py\"]\n[workload]\noperations = 300\n\
         [[matrix]]\nmodes = [\"own\", \"sync\"]\n[run]\nrepetitions = 2\nwarmup = 0\norder = \"sequential\"\n",
    );
    sandbox.output(&["own.toml"])
}

#[test]
fn an_honest_driver_in_another_language_stands_in_the_same_table() {
    let sandbox = Sandbox::new();
    let output = with_driver(&sandbox, &driver(HONEST));
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    expect_each_trial_once(&sandbox, "own", 4);
}

#[test]
fn whatever_a_driver_claims_the_server_has_the_last_word() {
    let script = "command('EVAL', \"for i=0,299 do redis.call('SET',ARGV[1]..i,'x') redis.call('GET',ARGV[1]..i) end\", '0', prefix)";
    for (lie, reason) in [
        ("pass", "the server counted 0 SET and 0 GET calls"),
        (script, "the server ran scripts or functions (1)"),
        (&format!("{HONEST}\nelapsed = 1000"), "the server alone spent"),
        (&format!("{HONEST}\nelapsed = 60_000_000_000"), "the agent's clock saw only"),
        (&format!("{HONEST}\nlatency = [[1000, 7]]"), "latencies count 7 operations of 300"),
        (&format!("{HONEST}\ncommand('GET', 'nobody')"), "the server counted 300 SET and 301 GET calls"),
    ] {
        let sandbox = Sandbox::new();
        let output = with_driver(&sandbox, &driver(lie));
        assert_eq!(code(output.status), 1, "{lie}: {}", stderr(&output));
        let rows = sandbox.rows("own", "trials.csv");
        let (lies, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row["mode"] == "own");
        assert!(
            lies.iter().all(|row| row["status"] == "failed" && row["error"].contains(reason)),
            "{lies:?}"
        );
        assert!(others.iter().all(|row| row["status"] == "ok"));
        assert_eq!(others.len(), 2);
    }
}

#[test]
fn a_server_that_dies_before_go_costs_one_attempt_and_no_other_trial() {
    let sandbox = Sandbox::new();
    // The driver kills the server between its own `ready` and `go`, once.
    let kill = "import os, pathlib\nonce = pathlib.Path('once')\nif not once.exists():\n    once.touch()\n    \
                command('SHUTDOWN', 'NOSAVE')\nsay(event=\"ready\"";
    let output = with_driver(&sandbox, &driver(HONEST).replacen("say(event=\"ready\"", kill, 1));
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    assert_eq!(sandbox.attempts("own").len(), 5, "{}", stderr(&output));
    expect_each_trial_once(&sandbox, "own", 4);
    sandbox.expect_nobody_left();
}
