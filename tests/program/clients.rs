//! Clients that are not built in: the shipped ones, those that are unavailable, and those that do everything wrong.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::sandbox::Sandbox;

/// The complete driver of docs/protocols.md.
fn documented_driver(sandbox: &Sandbox) -> PathBuf {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/protocols.md")).unwrap();
    let code = docs.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    sandbox.write("plain_socket.py", code)
}

fn check(sandbox: &Sandbox, directory: &Path, options: &[&str], command: &[&str]) -> Output {
    let args = [&["driver", "check"], options, &["--"], command].concat();
    sandbox.orchestrate(&args).current_dir(directory).output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The shell scripts of drivers that do everything wrong, and what has to be said of each.
const BAD: &[(&str, &str, &str)] = &[
    ("hangs-before-ready", "read -r job; sleep 1000", "was not ready within"),
    ("hangs-after-go", "read -r job; $READY; read -r go; sleep 1000", "was not done within"),
    (
        "prints-garbage",
        "read -r job; echo 'hello there'; read -r go",
        "printed a line that is not an event of the protocol",
    ),
    (
        "prints-100-MB",
        "read -r job; head -c 100000000 /dev/zero | tr '\\0' x",
        "a line longer than 16777216 bytes",
    ),
    (
        "exits-without-done",
        "read -r job; $READY; read -r go; exit 0",
        "ended before it was done; exit status 0",
    ),
    ("forks-and-exits", "read -r job; $READY; read -r go; sleep 1000 & exit 3", "exit status 3"),
    ("leaves-its-session", "read -r job; setsid sleep 1000 & exit 4", "exit status 4"),
    (
        "ignores-the-end-of-input",
        "read -r job; $READY; read -r go; $DONE; sleep 1000",
        "did not exit within 5s of the end of its input",
    ),
];

fn script(template: &str) -> String {
    template
        .replace("$READY", r#"echo '{"event":"ready","client":"sh","runtime":"sh","workers":1}'"#)
        .replace(
            "$DONE",
            r#"echo '{"event":"done","elapsed_ns":1000,"operations":1,"errors":0,"latency":null}'"#,
        )
}

#[test]
fn whatever_a_driver_does_wrong_is_a_failed_row_with_its_own_reason_and_the_run_goes_on() {
    let sandbox = Sandbox::new();
    let mut file = "name = 'bad'\n[workload]\noperations = 10\n".to_owned();
    let mut modes = Vec::new();
    for (name, template, _) in BAD {
        let script = sandbox.write(&format!("{name}.sh"), &script(template));
        file += &format!("[mode.{name}]\ncommand = ['sh', '{}']\n", script.display());
        modes.push(format!("'{name}'"));
    }
    file += &format!("[[matrix]]\nmodes = [{}, 'sync']\n", modes.join(", "));
    file += "[run]\nrepetitions = 1\nretries = 0\norder = 'sequential'\nwarmup = 0\ntimeout = '3s'\n";
    let experiment = sandbox.write("bad.toml", &file);
    let output = sandbox.output(&[experiment.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let rows = sandbox.rows("bad", "trials.csv");
    let by_mode: BTreeMap<_, _> = rows.iter().map(|row| (row["mode"].as_str(), row)).collect();
    for (name, _, reason) in BAD {
        let row = by_mode[name];
        assert_ne!(row["status"], "ok", "{name}");
        assert!(row["error"].contains(reason), "{name}: {}", row["error"]);
    }
    assert_eq!(by_mode["sync"]["status"], "ok");
    sandbox.expect_nobody_left();
}

#[test]
fn the_check_catches_every_bad_driver() {
    let sandbox = Sandbox::new();
    for (name, template, reason) in BAD {
        let path = sandbox.write(&format!("{name}.sh"), &script(template));
        // Only the time of a driver that hangs is to run out, however busy the machine is.
        let timeout = if reason.contains("within") { "1" } else { "60" };
        let output =
            check(&sandbox, sandbox.path(), &["--timeout", timeout], &["sh", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output));
        assert!(text(&output).contains(reason), "{name}: {}", text(&output));
    }
    sandbox.expect_nobody_left();
}

#[test]
fn the_documented_driver_passes_the_check_and_one_that_believes_everything_does_not() {
    let sandbox = Sandbox::new();
    let driver = documented_driver(&sandbox);
    let output = check(&sandbox, sandbox.path(), &[], &["python3", driver.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let code = fs::read_to_string(&driver).unwrap();
    let careless = [
        (r#"work["verify"] and fetched != value"#, "False", "notices an answer", "believes everything"),
        (r#"job["protocol"] != 1"#, "False", "another version", "takes it as if nothing were wrong"),
        ("os._exit(0)", "None", "while it works", "does not end within"),
        ("while written:", "while False:", "deletes its keys", "keys"),
        // On a busy machine it is heard of before it is counted.
        ("if not sys.stdin.readline():", "if False:", "carries out a trial", "not wait for go"),
    ];
    // A check mostly waits.
    std::thread::scope(|scope| {
        for (number, (right, wrong, test, reason)) in careless.into_iter().enumerate() {
            let (sandbox, code) = (&sandbox, &code);
            scope.spawn(move || {
                assert!(code.contains(right), "{right}");
                let path = sandbox.write(&format!("careless-{number}.py"), &code.replace(right, wrong));
                let only = ["--only", test];
                let output = check(sandbox, sandbox.path(), &only, &["python3", path.to_str().unwrap()]);
                assert_eq!(output.status.code(), Some(1), "{right}: {}", text(&output));
                let said = text(&output);
                let found = said.lines().find(|line| line.starts_with("wrong")).unwrap_or_default();
                assert!(found.contains(test) && found.contains(reason), "{right}: {said}");
            });
        }
    });
    sandbox.expect_nobody_left();
}

#[test]
fn a_check_can_be_of_some_tests_only() {
    let sandbox = Sandbox::new();
    let driver = documented_driver(&sandbox);
    let only = |parts: &[&str]| {
        let options: Vec<&str> = parts.iter().flat_map(|&part| ["--only", part]).collect();
        check(&sandbox, sandbox.path(), &options, &["python3", driver.to_str().unwrap()])
    };
    let output = only(&["given size", "ends with its input"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let said = text(&output);
    let tests: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("ok      ")).collect();
    assert!(tests[0].starts_with("carries out a trial: "), "{said}");
    assert_eq!(
        tests[1..],
        [
            "stores values of a given size",
            "ends with its input before there is a job",
            "ends with its input when it is ready",
            "ends with its input while it works"
        ]
    );
    let output = only(&["unix socket"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output));
    assert!(text(&output).contains("no test has `unix socket` in its name"), "{}", text(&output));
    sandbox.expect_nobody_left();
}

/// What a mode may say that it supports, and the test that shows whether it does.
const SUPPORTS: [(&str, &str); 4] = [
    ("tls", "speaks TLS"),
    ("username", "logs in as an ACL user"),
    ("db", "selects a database"),
    ("cluster", "finds the nodes of a cluster"),
];

/// Prepares and checks the modes of a shipped file that are to be checked. A mode that is optional may be missing here.
fn check_shipped(file: &str, is_checked: fn(&str) -> bool) {
    let sandbox = Sandbox::new();
    let drivers = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/drivers"));
    let table: toml::Table = toml::from_str(&fs::read_to_string(drivers.join(file)).unwrap()).unwrap();
    let words = |value: Option<&toml::Value>| -> Vec<String> {
        let list = value.and_then(toml::Value::as_array).cloned().unwrap_or_default();
        list.iter().map(|word| word.as_str().unwrap().to_owned()).collect()
    };
    let modes = table["mode"].as_table().unwrap();
    let mut to_check = Vec::new();
    for (name, mode) in modes.iter().filter(|(name, _)| is_checked(name)) {
        let optional = mode.get("optional").and_then(toml::Value::as_bool).unwrap_or(false);
        if let [program, args @ ..] = words(mode.get("prepare")).as_slice() {
            let prepared = Command::new(program).args(args).current_dir(drivers).output().unwrap();
            if optional && !prepared.status.success() {
                continue;
            }
            assert!(prepared.status.success(), "{name}: {}", text(&prepared));
        }
        let generator = mode.get("load_generator").map(|generator| generator.as_str().unwrap().to_owned());
        let mut command = words(mode.get("command"));
        let mut options = vec!["--mode".to_owned(), name.clone()];
        if let Some(generator) = generator {
            if command.is_empty() {
                command.push(generator.clone());
            }
            let found = Command::new(&command[0]).arg("--version").output();
            if optional && found.is_err() {
                continue;
            }
            options.extend(["--load-generator".to_owned(), generator]);
        }
        let supports = match mode.get("supports") {
            None if !options.is_empty() && options.iter().any(|option| option == "--load-generator") => {
                vec!["tls".to_owned(), "db".to_owned()]
            }
            list => words(list),
        };
        to_check.push((name, options, command, supports));
    }
    let all_optional = modes.values().all(|mode| mode.get("optional").is_some());
    assert!(!to_check.is_empty() || all_optional, "nothing of {file} is available here");
    // A check mostly waits.
    for together in to_check.chunks(4) {
        std::thread::scope(|scope| {
            for (name, options, command, supports) in together {
                let sandbox = &sandbox;
                scope.spawn(move || {
                    // A client must not fail because the machine is busy with other tests.
                    let patience = ["--timeout", "60"].into_iter();
                    let options: Vec<_> = patience.chain(options.iter().map(String::as_str)).collect();
                    let command: Vec<_> = command.iter().map(String::as_str).collect();
                    let output = check(sandbox, drivers, &options, &command);
                    assert_eq!(output.status.code(), Some(0), "{name}: {}", text(&output));
                    for (support, test) in SUPPORTS {
                        let verdict =
                            if supports.iter().any(|word| word == support) { "ok" } else { "refused" };
                        let line = format!("{verdict:<8}{test}");
                        assert!(text(&output).contains(&line), "{name}, {support}: {}", text(&output));
                    }
                });
            }
        });
    }
    sandbox.expect_nobody_left();
}

/// The modes in Python and JavaScript that are checked each time: those that differ in what carries the protocol out for all
/// modes of their language. What others add, a client library and its workloads, is tried in runs.
const DISTINCT: [&str; 4] = ["py-sync", "py-asyncio-pipe", "node-redis", "ioredis-pipe"];

#[test]
fn clients_in_python_keep_the_protocol() {
    check_shipped("python.toml", |name| DISTINCT.contains(&name));
}

#[test]
fn clients_in_javascript_keep_the_protocol() {
    check_shipped("node.toml", |name| DISTINCT.contains(&name));
}

#[test]
#[ignore = "takes minutes: `make check-clients`"]
fn every_other_mode_in_python_and_javascript_keeps_the_protocol() {
    check_shipped("python.toml", |name| !DISTINCT.contains(&name));
    check_shipped("node.toml", |name| !DISTINCT.contains(&name));
}

#[test]
fn every_client_in_c_keeps_the_protocol() {
    check_shipped("c.toml", |_| true);
}

#[test]
fn every_client_in_a_language_that_is_here_keeps_the_protocol() {
    for file in ["go.toml", "php.toml", "ruby.toml"] {
        check_shipped(file, |_| true);
    }
}

#[test]
fn every_load_generator_that_is_here_keeps_the_protocol() {
    check_shipped("load-generators.toml", |_| true);
}

#[test]
fn a_mode_that_cannot_be_had_ends_the_run_before_anything_is_measured() {
    let sandbox = Sandbox::new();
    let file = sandbox.write(
        "missing.toml",
        "name = 'missing'\n[mode.a]\ncommand = ['no-such-program']\n[mode.b]\ncommand = ['sh']\nprepare = ['sh', '-c', 'echo no compiler here >&2; exit 7']\n[[matrix]]\nmodes = ['sync', 'a', 'b']\n",
    );
    let output = sandbox.output(&[file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output);
    assert!(said.contains("mode `a`: program `no-such-program` not found on PATH"), "{said}");
    assert!(
        said.contains("mode `b`") && said.contains("exit status 7; its last words: no compiler here"),
        "{said}"
    );
    assert!(sandbox.runs("missing").is_empty(), "a run was begun");
    sandbox.expect_nobody_left();
}

#[test]
fn an_optional_mode_is_skipped_and_added_by_the_same_command_once_it_is_there() {
    let sandbox = Sandbox::new();
    documented_driver(&sandbox);
    let file = sandbox.write(
        "optional.toml",
        "name = 'optional'\n[workload]\noperations = 50\n[mode.late]\ncommand = ['python3', 'plain_socket.py']\nprepare = ['test', '-e', 'installed']\noptional = true\n[[matrix]]\nmodes = ['sync', 'late']\n[run]\nrepetitions = 2\nwarmup = 0\n",
    );
    let output = sandbox.output(&[file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert!(text(&output).contains("2 trials skipped"), "{}", text(&output));
    assert_eq!(sandbox.rows("optional", "trials.csv").len(), 2);
    let run = sandbox.runs("optional").pop().unwrap();
    let provenance = fs::read_to_string(run.join("run.json")).unwrap();
    assert!(provenance.contains("mode `late`"), "{provenance}");

    sandbox.write("installed", "");
    let output = sandbox.output(&[file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    assert_eq!(sandbox.runs("optional").len(), 1, "the same run goes on");
    let rows = sandbox.rows("optional", "trials.csv");
    assert_eq!(rows.iter().filter(|row| row["mode"] == "late" && row["status"] == "ok").count(), 2);
    assert_eq!(rows.len(), 4);
    sandbox.expect_nobody_left();
}

#[test]
fn what_a_mode_refuses_is_asked_of_it_once() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "refuses.sh",
        "echo start >> starts\nread -r job\necho '{\"event\":\"failed\",\"kind\":\"unsupported\",\"error\":\"no rate\"}'\n",
    );
    let file = sandbox.write(
        "refused.toml",
        "name = 'refused'\n[workload]\noperations = 50\n[mode.shy]\ncommand = ['sh', 'refuses.sh']\n\
         [[matrix]]\nmodes = ['sync', 'shy']\n[run]\nrepetitions = 3\nwarmup = 0\n",
    );
    let output = sandbox.output(&[file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    let said = text(&output);
    assert!(said.contains("3 trials failed where the mode cannot do what the file asks for"), "{said}");
    assert!(!said.contains("the same command tries again"), "{said}");
    let starts = fs::read_to_string(file.with_file_name("starts")).unwrap();
    assert_eq!(starts.lines().count(), 1);
    let rows = sandbox.rows("refused", "trials.csv");
    let errors: Vec<&String> =
        rows.iter().filter(|row| row["mode"] == "shy").map(|row| &row["error"]).collect();
    assert_eq!(errors.len(), 3, "a row for every trial");
    assert!(
        errors.iter().all(|error| error.starts_with("driver `shy` cannot do this: no rate")),
        "{errors:?}"
    );
    sandbox.expect_nobody_left();
}

#[test]
fn the_start_of_an_interpreter_is_outside_the_measured_time() {
    let sandbox = Sandbox::new();
    documented_driver(&sandbox);
    let file = sandbox.write(
        "slow.toml",
        "name = 'slow'\n[workload]\noperations = 50\n[mode.slow]\ncommand = ['sh', '-c', 'sleep 2; exec python3 plain_socket.py']\n[[matrix]]\nmodes = 'slow'\n[run]\nrepetitions = 1\nwarmup = 0\n",
    );
    let output = sandbox.output(&[file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let trial = sandbox.attempts("slow").pop().unwrap();
    let (took, measured) =
        (trial["took_ns"].as_u64().unwrap(), trial["measured"]["wall_ns"].as_u64().unwrap());
    assert!(took > 2_000_000_000, "the driver slept for two seconds, and the attempt took {took} ns");
    assert!(measured < 1_000_000_000, "the measured part took {measured} ns");
}

#[test]
fn a_load_generator_says_what_it_does_differently() {
    let sandbox = Sandbox::new();
    let file = sandbox.write(
        "peer.toml",
        "name = 'peer'\n[workload]\noperations = 5000\n[mode.peer]\nload_generator = 'redis-benchmark'\noptional = true\n[[matrix]]\nmodes = ['sync', 'peer']\nworkers = [1, 10]\n[run]\nrepetitions = 1\nwarmup = 0\n",
    );
    let output = sandbox.output(&[file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    for row in sandbox.rows("peer", "trials.csv") {
        assert_eq!(row["status"], "ok", "{}", row["error"]);
        assert_eq!(row["comparability"].contains("one key for all operations"), row["mode"] == "peer");
        assert_eq!(row["server_calls"], "10000");
        if row["mode"] == "peer" {
            assert!(row["client"].contains("benchmark"), "{}", row["client"]);
            let cpu: f64 = row["client_cpu_s"].parse().unwrap();
            assert!(cpu > 0.0, "the load generator's work is the client's");
        }
    }
    sandbox.expect_nobody_left();
}
