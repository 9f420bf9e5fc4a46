//! The main job, end to end, with the real program, a real redis-server and real signals.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Child;

use crate::sandbox::{Foreign, Sandbox, code, signal, stderr, stdout, wait_until};
use rustix::process::Signal;
use serde_json::Value;

/// Forty trials of a few milliseconds.
const MANY: &str = r#"
name = "many"
[workload]
operations = 200
[[matrix]]
modes = ["sync", "async"]
workers = [1, 4]
[run]
repetitions = 10
warmup = 0
placement = "free"
"#;

/// One long trial after another.
const LONG: &str = r#"
name = "long"
[workload]
duration = "2s"
[[matrix]]
modes = ["sync"]
[run]
repetitions = 2
warmup = 0
"#;

/// Starts `many.toml` and comes back in the middle of it.
pub(crate) fn some_trials_done(sandbox: &Sandbox) -> Child {
    sandbox.write("many.toml", MANY);
    let run = sandbox.start(&["many.toml"]);
    wait_until("some trials are done", || (sandbox.attempts("many").len() >= 5).then_some(()));
    run
}

/// Starts `long.toml` and comes back in the middle of a trial.
fn a_driver_at_work(sandbox: &Sandbox) -> Child {
    sandbox.write("long.toml", LONG);
    let run = sandbox.start(&["long.toml"]);
    wait_until("a driver is at work", || sandbox.process(" driver"));
    run
}

/// What a run must look like when it is complete: every planned trial is there, and ended well, exactly once.
pub(crate) fn expect_each_trial_once(sandbox: &Sandbox, experiment: &str, trials: usize) {
    let attempts = sandbox.attempts(experiment);
    let ok: Vec<&Value> = attempts.iter().filter(|attempt| attempt["status"] == "ok").collect();
    let names: BTreeSet<(String, u64)> = ok
        .iter()
        .map(|attempt| {
            (attempt["cell"].as_str().unwrap().to_owned(), attempt["repetition"].as_u64().unwrap())
        })
        .collect();
    assert_eq!((ok.len(), names.len()), (trials, trials));
    let rows = sandbox.rows(experiment, "trials.csv");
    assert_eq!(rows.len(), attempts.len(), "a row for every attempt");
}

#[test]
fn a_run_leaves_tidy_files_a_table_and_nobody_behind() {
    let sandbox = Sandbox::new();
    sandbox.write("many.toml", MANY);
    let output = sandbox.output(&["many.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    expect_each_trial_once(&sandbox, "many", 40);
    sandbox.expect_nobody_left();

    let run = sandbox.runs("many").pop().unwrap();
    for file in [
        "experiment.toml",
        "run.json",
        "trials.csv",
        "summary.csv",
        "latency.csv",
        "progress.csv",
        "datapackage.json",
        "run.log",
    ] {
        assert!(run.join(file).is_file(), "{file} is missing");
    }
    for row in sandbox.rows("many", "trials.csv") {
        assert_eq!(row["status"], "ok");
        assert_eq!(row["operations"], "200");
        assert_eq!(row["server_calls"], "400");
        let (ops, elapsed): (f64, f64) =
            (row["ops_per_s"].parse().unwrap(), row["elapsed_s"].parse().unwrap());
        assert!((ops * elapsed - 200.0).abs() < 1e-6);
        let littles_law: f64 = row["littles_law"].parse().unwrap();
        // Below 1 by what a busy machine kept the workers waiting between two operations; never above.
        assert!(0.0 < littles_law && littles_law < 1.05, "Little's law gives {littles_law}");
    }
    let summary = sandbox.rows("many", "summary.csv");
    assert_eq!(summary.len(), 4);
    assert!(summary.iter().all(|row| row["n"] == "10"));
    let table = stdout(&output);
    for word in ["Mode", "Workers", "Median", "95% CI", "operations/s", "trials.csv"] {
        assert!(table.contains(word), "no {word} in:\n{table}");
    }
}

#[test]
fn ctrl_c_keeps_what_is_done_and_the_same_command_does_the_rest() {
    let sandbox = Sandbox::new();
    let mut first = some_trials_done(&sandbox);
    signal(first.id().cast_signed(), Signal::INT);
    assert_eq!(code(first.wait().unwrap()), 130);
    sandbox.expect_nobody_left();
    let done = sandbox.attempts("many").iter().filter(|attempt| attempt["status"] == "ok").count();
    assert!((5..40).contains(&done), "{done} trials were done");

    let second = sandbox.output(&["many.toml"]);
    assert_eq!(code(second.status), 0, "{}", stderr(&second));
    let said = format!("{done} of 40 trials were done");
    assert!(stderr(&second).contains(&said), "{}", stderr(&second));
    assert_eq!(sandbox.runs("many").len(), 1);
    expect_each_trial_once(&sandbox, "many", 40);
    sandbox.expect_nobody_left();
}

#[test]
fn an_interrupted_trial_is_a_row_and_is_done_again() {
    let sandbox = Sandbox::new();
    let mut first = a_driver_at_work(&sandbox);
    signal(first.id().cast_signed(), Signal::INT);
    assert_eq!(code(first.wait().unwrap()), 130);
    sandbox.expect_nobody_left();
    let statuses: Vec<String> =
        sandbox.rows("long", "trials.csv").into_iter().map(|mut row| row.remove("status").unwrap()).collect();
    assert_eq!(statuses, ["interrupted"]);

    assert_eq!(code(sandbox.output(&["long.toml"]).status), 0);
    expect_each_trial_once(&sandbox, "long", 2);
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_still_leaves_nobody() {
    let sandbox = Sandbox::new();
    let mut first = a_driver_at_work(&sandbox);
    signal(first.id().cast_signed(), Signal::INT);
    signal(first.id().cast_signed(), Signal::TERM);
    assert_eq!(code(first.wait().unwrap()), 130);
    sandbox.expect_nobody_left();
}

#[test]
fn a_killed_coordinator_leaves_nobody_and_the_same_command_does_the_rest() {
    let sandbox = Sandbox::new();
    let mut first = some_trials_done(&sandbox);
    first.kill().unwrap();
    first.wait().unwrap();
    sandbox.expect_nobody_left();

    let second = sandbox.output(&["many.toml"]);
    assert_eq!(code(second.status), 0, "{}", stderr(&second));
    assert_eq!(sandbox.runs("many").len(), 1);
    expect_each_trial_once(&sandbox, "many", 40);
    sandbox.expect_nobody_left();
}

#[test]
fn a_killed_server_costs_one_attempt_and_the_run_completes() {
    let sandbox = Sandbox::new();
    let mut run = a_driver_at_work(&sandbox);
    let server = wait_until("the server is up", || sandbox.process("redis-server"));
    signal(server, Signal::KILL);
    assert_eq!(code(run.wait().unwrap()), 0);

    let rows = sandbox.rows("long", "trials.csv");
    let failed: Vec<&BTreeMap<String, String>> = rows.iter().filter(|row| row["status"] != "ok").collect();
    assert_eq!((rows.len(), failed.len()), (3, 1), "{rows:?}");
    assert!(failed[0]["error"].contains("signal 9"), "{}", failed[0]["error"]);
    assert_eq!(failed[0]["ops_per_s"], "", "nothing is invented for a failed attempt");
    expect_each_trial_once(&sandbox, "long", 2);
    sandbox.expect_nobody_left();
}

#[test]
fn a_killed_agent_costs_one_attempt_and_the_run_completes() {
    let sandbox = Sandbox::new();
    let mut run = a_driver_at_work(&sandbox);
    signal(sandbox.process(" agent").unwrap(), Signal::KILL);
    assert_eq!(code(run.wait().unwrap()), 0);
    expect_each_trial_once(&sandbox, "long", 2);
    sandbox.expect_nobody_left();
}

#[test]
fn two_coordinators_cannot_share_a_host_and_the_second_says_who_holds_it() {
    let sandbox = Sandbox::new();
    sandbox.write("long.toml", LONG);
    sandbox.write("other.toml", &LONG.replace("\"long\"", "\"other\""));
    let mut first = sandbox.start(&["long.toml"]);
    wait_until("a driver is at work", || sandbox.process(" driver"));
    let same = sandbox.output(&["long.toml"]);
    assert_eq!(code(same.status), 3, "{}", stderr(&same));
    assert!(stderr(&same).contains(&format!("process {}", first.id())), "{}", stderr(&same));
    let other = sandbox.output(&["other.toml"]);
    assert_eq!(code(other.status), 3, "{}", stderr(&other));
    assert!(stderr(&other).contains("long"), "{}", stderr(&other));
    signal(first.id().cast_signed(), Signal::INT);
    first.wait().unwrap();
    sandbox.expect_nobody_left();
}

#[test]
fn a_longer_list_joins_the_run_and_a_changed_setting_asks_for_a_fresh_one() {
    let sandbox = Sandbox::new();
    let mut first = some_trials_done(&sandbox);
    signal(first.id().cast_signed(), Signal::INT);
    assert_eq!(code(first.wait().unwrap()), 130);

    sandbox.write("many.toml", &MANY.replace("operations = 200", "operations = 300"));
    let refused = sandbox.output(&["many.toml"]);
    assert_eq!(code(refused.status), 2, "{}", stderr(&refused));
    for word in ["operations", "200", "300", "--fresh"] {
        assert!(stderr(&refused).contains(word), "no {word} in: {}", stderr(&refused));
    }

    sandbox.write("many.toml", &MANY.replace("workers = [1, 4]", "workers = [1, 4, 8]"));
    let longer = sandbox.output(&["many.toml"]);
    assert_eq!(code(longer.status), 0, "{}", stderr(&longer));
    expect_each_trial_once(&sandbox, "many", 60);

    let fresh = sandbox.output(&["--fresh", "many.toml"]);
    assert_eq!(code(fresh.status), 0, "{}", stderr(&fresh));
    assert_eq!(sandbox.runs("many").len(), 2);
    expect_each_trial_once(&sandbox, "many", 60);
}

#[test]
fn the_csv_files_can_be_written_anew_from_the_journal() {
    let sandbox = Sandbox::new();
    sandbox.write("many.toml", MANY);
    assert_eq!(code(sandbox.output(&["many.toml"]).status), 0);
    let run = sandbox.runs("many").pop().unwrap();
    let files = ["trials.csv", "summary.csv", "latency.csv", "progress.csv", "datapackage.json"];
    let before: Vec<Vec<u8>> = files.map(|file| fs::read(run.join(file)).unwrap()).into();
    for file in files {
        fs::remove_file(run.join(file)).unwrap();
    }
    let export = sandbox.output(&["export", run.to_str().unwrap()]);
    assert_eq!(code(export.status), 0, "{}", stderr(&export));
    let after: Vec<Vec<u8>> = files.map(|file| fs::read(run.join(file)).unwrap()).into();
    assert!(before == after);
}

#[test]
fn a_mode_that_always_fails_is_rows_with_reasons_and_exit_code_1() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "broken.toml",
        "name = \"broken\"\n[mode.liar]\ncommand = [\"false\"]\n[[matrix]]\nmodes = [\"liar\", \"sync\"]\n\
         workload.operations = 50\n[run]\nrepetitions = 1\nwarmup = 0\nretries = 2\n",
    );
    let output = sandbox.output(&["broken.toml"]);
    assert_eq!(code(output.status), 1, "{}", stderr(&output));
    let rows = sandbox.rows("broken", "trials.csv");
    let failed: Vec<_> = rows.iter().filter(|row| row["mode"] == "liar").collect();
    assert_eq!(failed.len(), 3);
    assert!(failed.iter().all(|row| row["status"] == "failed" && !row["error"].is_empty()));
    assert_eq!(rows.iter().filter(|row| row["status"] == "ok").count(), 1);
    sandbox.expect_nobody_left();
}

#[test]
fn a_server_that_is_not_there_is_exit_code_3_before_anything_runs() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "gone.toml",
        "name = \"gone\"\n[server.redis]\nprogram = \"no-such-server\"\n[[matrix]]\nmodes = \"sync\"\n",
    );
    let output = sandbox.output(&["gone.toml"]);
    assert_eq!(code(output.status), 3);
    assert!(stderr(&output).contains("no-such-server"), "{}", stderr(&output));
    assert_eq!(sandbox.attempts("gone").len(), 0);
    sandbox.expect_nobody_left();
}

#[test]
fn a_server_that_somebody_else_runs_loses_nothing() {
    let sandbox = Sandbox::new();
    let server = Foreign::start(&[]);
    let mut connection = server.connection();
    let () = redis::cmd("SET").arg("theirs").arg("precious").query(&mut connection).unwrap();
    let commands = |connection: &mut redis::Connection| -> String {
        redis::cmd("INFO").arg("commandstats").query(connection).unwrap()
    };
    sandbox.write(
        "foreign.toml",
        &format!(
            "name = \"foreign\"\n[server.redis]\naddress = \"127.0.0.1:{}\"\n[workload]\noperations = 500\n\
             [[matrix]]\nmodes = [\"sync\", \"async-pipe\"]\nworkers = [1, 5]\n\
             [run]\nrepetitions = 2\nwarmup = \"20ms\"\n",
            server.port
        ),
    );
    let output = sandbox.output(&["foreign.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    expect_each_trial_once(&sandbox, "foreign", 8);
    let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert_eq!(keys, ["theirs"]);
    let commands = commands(&mut connection);
    for never in ["flushall", "flushdb", "config|set", "config|resetstat", "shutdown"] {
        assert!(!commands.contains(&format!("cmdstat_{never}:")), "{never} was called:\n{commands}");
    }
}

#[test]
fn keys_that_may_be_left_on_a_foreign_server_are_named() {
    let sandbox = Sandbox::new();
    let server = Foreign::start(&[]);
    sandbox.write("long.toml", &format!("{LONG}\n[server.redis]\naddress = \"127.0.0.1:{}\"\n", server.port));
    let mut run = sandbox.start(&["long.toml"]);
    let mut connection = server.connection();
    let keys = || redis::cmd("DBSIZE").query::<u64>(&mut connection).is_ok_and(|keys| keys > 0).then_some(());
    wait_until("the driver writes", keys);
    signal(run.id().cast_signed(), Signal::INT);
    assert_eq!(code(run.wait().unwrap()), 130);
    let error = sandbox.rows("long", "trials.csv").remove(0).remove("error").unwrap();
    let prefix = error.split('`').nth(1).unwrap_or_else(|| panic!("no prefix in: {error}"));
    let left: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    assert!(!left.is_empty() && left.iter().all(|key| key.starts_with(prefix)), "{prefix}: {left:?}");
}

#[test]
fn a_password_is_read_from_the_environment_and_stands_nowhere() {
    let sandbox = Sandbox::new();
    let secret = "correct-horse-battery-staple";
    let server = Foreign::start(&["--requirepass", secret]);
    sandbox.write(
        "secret.toml",
        &format!(
            "name = \"secret\"\n[server.redis]\naddress = \"127.0.0.1:{}\"\npassword = {{ env = \"ORC_TEST_PASSWORD\" }}\n\
             [workload]\noperations = 100\n[[matrix]]\nmodes = \"sync\"\n[run]\nrepetitions = 1\nwarmup = 0\n",
            server.port
        ),
    );
    let without = sandbox.output(&["secret.toml"]);
    assert_eq!(code(without.status), 2, "{}", stderr(&without));
    assert!(stderr(&without).contains("ORC_TEST_PASSWORD"), "{}", stderr(&without));

    let with =
        sandbox.orchestrate(&["-vv", "secret.toml"]).env("ORC_TEST_PASSWORD", secret).output().unwrap();
    assert_eq!(code(with.status), 0, "{}", stderr(&with));
    assert!(!stderr(&with).contains(secret) && !stdout(&with).contains(secret));
    let run = sandbox.runs("secret").pop().unwrap();
    for file in fs::read_dir(run).unwrap() {
        let path = file.unwrap().path();
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains(secret), "the password stands in {}", path.display());
    }
}

#[test]
fn every_setting_may_be_a_factor_and_stands_in_its_row() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "factors.toml",
        r#"
name = "factors"
[server.second]
args = ["--save", "", "--appendonly", "no", "--io-threads", "1"]
[[matrix]]
modes = ["sync-pipe", "async-pipe"]
workload.operations = 120
servers = ["redis", "second"]
workload.pipeline = [1, 4]
workload.link = ["tcp", "unix"]
workload.value_bytes = [1, 1024]
[[matrix]]
modes = ["sync", "multiplexed"]
workers = 4
workload.duration = "100ms"
workload.rate = 2_000
[[matrix]]
modes = "async"
workers = 7
workload.operations = 120
workload.split = "divisor"
server.lifetime = "trial"
[run]
repetitions = 1
warmup = 0
"#,
    );
    let output = sandbox.output(&["factors.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let rows = sandbox.rows("factors", "trials.csv");
    assert_eq!(rows.len(), 2 * 2 * 2 * 2 * 2 + 2 + 1);
    let having = |column: &str, value: &str| rows.iter().filter(|row| row[column] == value).count();
    assert_eq!((having("server", "second"), having("link", "unix"), having("pipeline", "4")), (16, 16, 16));
    assert_eq!((having("value_bytes", "1024"), having("rate", "2000")), (16, 2));
    let divided = rows.iter().find(|row| row["workers_asked"] == "7").unwrap();
    assert_eq!(divided["workers"], "8", "120 operations divide among 8 workers, not among 7");
    for row in rows.iter().filter(|row| row["rate"] == "2000") {
        let ops_per_s: f64 = row["ops_per_s"].parse().unwrap();
        assert!(ops_per_s < 2_200.0, "an open loop at 2000/s reached {ops_per_s}");
    }
}

#[test]
fn a_run_that_was_killed_before_its_tables_gets_them() {
    let sandbox = Sandbox::new();
    sandbox.write("many.toml", MANY);
    assert_eq!(code(sandbox.output(&["many.toml"]).status), 0);
    let run = sandbox.runs("many").pop().unwrap();
    let journal = fs::read_to_string(run.join("journal.jsonl")).unwrap();
    let without_end: String = journal
        .lines()
        .filter(|line| !line.starts_with("{\"end\""))
        .map(|line| format!("{line}\n"))
        .collect();
    fs::write(run.join("journal.jsonl"), without_end).unwrap();
    fs::remove_file(run.join("summary.csv")).unwrap();

    assert_eq!(code(sandbox.output(&["many.toml"]).status), 0);
    assert_eq!(sandbox.runs("many").len(), 1);
    expect_each_trial_once(&sandbox, "many", 40);
    assert_eq!(sandbox.rows("many", "summary.csv").len(), 4);

    let third = sandbox.output(&["many.toml"]);
    assert!(stderr(&third).contains("starting a new run"), "{}", stderr(&third));
    assert_eq!(sandbox.runs("many").len(), 2);
}

#[test]
fn a_run_of_another_machine_is_not_gone_on_with() {
    let sandbox = Sandbox::new();
    let mut first = some_trials_done(&sandbox);
    signal(first.id().cast_signed(), Signal::INT);
    assert_eq!(code(first.wait().unwrap()), 130);
    let journal = sandbox.runs("many").pop().unwrap().join("journal.jsonl");
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = fs::read_to_string(&journal).unwrap();
    // Without checksums, as earlier versions wrote it.
    let plain = |line: &str| {
        line.rsplit_once(",\"crc32\"").map_or_else(String::new, |(words, _)| format!("{words}}}}}\n"))
    };
    let text: String = text.lines().map(plain).collect();
    let elsewhere = text.replace(&format!("\"hostname\":\"{name}\""), "\"hostname\":\"elsewhere\"");
    assert_ne!(text, elsewhere);
    fs::write(&journal, &elsewhere).unwrap();

    let second = sandbox.output(&["many.toml"]);
    assert_eq!(code(second.status), 0, "{}", stderr(&second));
    assert_eq!(fs::read_to_string(&journal).unwrap(), elsewhere);
    assert_eq!(sandbox.runs("many").len(), 2);
    expect_each_trial_once(&sandbox, "many", 40);
}

#[test]
fn nohup_is_respected() {
    let sandbox = Sandbox::new();
    sandbox.write("long.toml", LONG);
    let program = sandbox.orchestrate(&[]);
    let mut nohup = std::process::Command::new("sh");
    nohup
        .args(["-c", "trap '' HUP; exec \"$0\" long.toml"])
        .arg(program.get_program())
        .current_dir(sandbox.path())
        .env("TMPDIR", sandbox.path().join("tmp"))
        .stdout(std::process::Stdio::null());
    let mut run = nohup.spawn().unwrap();
    wait_until("a driver is at work", || sandbox.process(" driver"));
    signal(run.id().cast_signed(), Signal::HUP);
    assert_eq!(code(run.wait().unwrap()), 0);
    expect_each_trial_once(&sandbox, "long", 2);
}

#[test]
fn a_table_that_cannot_be_printed_is_said_and_the_run_is_kept() {
    let sandbox = Sandbox::new();
    sandbox.write("many.toml", MANY);
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output = sandbox.orchestrate(&["many.toml"]).stdout(full).output().unwrap();
    assert_eq!(code(output.status), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("its table could not be printed"), "{}", stderr(&output));
    expect_each_trial_once(&sandbox, "many", 40);
    // Whoever closes the pipe has seen enough.
    let mut child = sandbox
        .orchestrate(&["--fresh", "many.toml"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(code(child.wait().unwrap()), 0);
}

#[test]
fn every_line_of_json_logs_is_json() {
    let sandbox = Sandbox::new();
    sandbox.write("many.toml", MANY);
    let output = sandbox.output(&["--json-logs", "many.toml"]);
    let wrong = sandbox.output(&["--json-logs", "nothing.toml"]);
    for line in stderr(&output).lines().chain(stderr(&wrong).lines()) {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert!(stderr(&output).lines().count() > 40);
}

#[test]
fn a_server_that_does_not_take_so_many_clients_is_refused_before_anything_runs() {
    let sandbox = Sandbox::new();
    let server = Foreign::start(&["--maxclients", "50"]);
    let text = |modes: &str, workers: u32| {
        format!(
            "name = \"few\"\n[server.theirs]\naddress = \"127.0.0.1:{}\"\n[workload]\noperations = 500\n[[matrix]]\n\
             modes = {modes}\nservers = \"theirs\"\nworkers = [1, {workers}]\n[run]\nrepetitions = 1\nwarmup = 0\n",
            server.port
        )
    };
    sandbox.write("few.toml", &text("\"sync\"", 60));
    let refused = sandbox.output(&["few.toml"]);
    assert_eq!(code(refused.status), 3, "{}", stderr(&refused));
    let doctor = sandbox.output(&["doctor", "few.toml"]);
    assert_eq!(code(doctor.status), 3, "{}", stdout(&doctor));
    for said in [stderr(&refused), stdout(&doctor)] {
        for part in ["`theirs`", "it accepts at most 50 clients", "no room for 60 workers", "maxclients"] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    // Workers that share a connection need no more than that one.
    for (modes, workers) in [("\"sync\"", 20), ("\"multiplexed\"", 60)] {
        sandbox.write("few.toml", &text(modes, workers));
        let output = sandbox.output(&["--fresh", "few.toml"]);
        assert_eq!(code(output.status), 0, "{modes}: {}", stderr(&output));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn the_largest_number_of_workers_can_be_run() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).maximum;
    if limit.is_some_and(|limit| limit < 10_200) {
        eprintln!("no process may have 10200 open files here (`ulimit -Hn`): 10000 workers are not tested");
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write(
        "most.toml",
        "name = \"most\"\n[workload]\noperations = 10_000\n[[matrix]]\nmodes = \"async\"\nworkers = 10_000\n\
         [run]\nrepetitions = 1\nwarmup = 0\n",
    );
    let doctor = sandbox.output(&["doctor", "most.toml"]);
    assert!(stdout(&doctor).contains("takes 10064 clients"), "{}", stdout(&doctor));
    let output = sandbox.output(&["most.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    assert_eq!(sandbox.rows("most", "trials.csv")[0]["workers"], "10000");
}
