//! An agent believes no driver, and leaves no process behind, whatever a driver does.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agent_support;

use agent_support::*;
use orchestrate::experiment::Placement;
use orchestrate::protocol::*;
use orchestrate::units::Nanos;

/// How a driver with this script fails, by an agent of its own.
fn failure(script: &str, timeout: Nanos) -> AgentError {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let mut trial = trial(script);
    trial.timeout = timeout;
    let error = match agent.call(&trial) {
        Err(error) => error,
        Ok(_) => agent.call(&TrialGo { trial: trial.trial.clone(), timeout }).expect_err("it cannot succeed"),
    };
    assert_gone(&trial.trial);
    agent.call(&Ping {}).unwrap();
    error
}

fn failed(script: &str) -> String {
    let error = failure(script, Nanos::from_secs(20));
    assert_eq!(error.kind, AgentErrorKind::Failed, "{error}");
    error.message
}

#[test]
fn a_trial_is_measured_from_go_to_done() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let trial = trial(&good());
    let ready = agent.call(&trial).unwrap();
    assert_eq!(
        ready.ready,
        Ready { client: "sh".to_owned(), runtime: "sh".to_owned(), workers: 1, ..Ready::default() }
    );
    assert_eq!(ready.placement, AppliedPlacement::Free);
    let result = agent.call(&go(&trial)).unwrap();
    assert_eq!(result.done.operations, 1);
    assert!(result.wall_ns > Nanos(0));
    assert!(result.cpu_ns.unwrap() <= result.wall_ns);
    assert!(result.peak_rss_bytes > 100_000);
    assert!(result.foreign_cpu_ns.is_some() && result.steal_ns.is_some() && result.load1.is_some());
    assert_gone(&trial.trial);
}

#[test]
fn a_driver_with_one_thread_that_works_is_known_to_have_one() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let work = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done\n";
    let trial = trial(&[READ, READY, READ, work, DONE, "read -r line || exit 0"].concat());
    agent.call(&trial).unwrap();
    let result = agent.call(&go(&trial)).unwrap();
    let (busiest, all) = (result.busiest_thread_ns.unwrap(), result.cpu_ns.unwrap());
    // The system may count the last clock tick of a thread a moment later than that of its process.
    assert!(busiest > Nanos(all.0 / 2) && busiest.0 <= all.0 + 10_000_000, "{busiest} of {all}");
}

#[test]
fn a_python_program_that_spins_keeps_one_thread_busy_whatever_others_it_has() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let python = format!(
        "import sys, threading, time\nlock = threading.Lock(); lock.acquire()\n\
         for _ in range(3): threading.Thread(target=lock.acquire, daemon=True).start()\n\
         sys.stdin.readline()\nprint({READY:?}[6:-2], flush=True)\nsys.stdin.readline()\n\
         end = time.thread_time() + 0.2\nwhile time.thread_time() < end: pass\n\
         print({DONE:?}[6:-2], flush=True)\nsys.stdin.readline()"
    );
    let mut trial = trial("");
    let name = trial.trial.clone();
    let argv = ["python3", "-c", &python, &name].map(str::to_owned).to_vec();
    trial.program = Program::Command { argv, directory: "/".into() };
    agent.call(&trial).unwrap();
    let result = agent.call(&go(&trial)).unwrap();
    let busiest = result.busiest_thread_ns.unwrap();
    assert!(busiest >= Nanos::from_millis(180), "{busiest}");
}

#[test]
fn a_driver_of_very_many_threads_is_not_looked_through() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let sleepers = "j=0; while [ $j -lt 70 ]; do sleep 1000 & j=$((j+1)); done\n";
    let trial = trial(&[READ, sleepers, READY, READ, DONE, "read -r line || exit 0"].concat());
    agent.call(&trial).unwrap();
    assert_eq!(agent.call(&go(&trial)).unwrap().busiest_thread_ns, None);
}

#[test]
fn the_work_of_a_wrapped_driver_is_the_drivers() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let work = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done\n";
    let wrapped = [READ, READY, READ, work, DONE, "read -r line || exit 0"].concat();
    let trial = trial(&format!("sh -c '{}' \"$0\"; exit $?", wrapped.replace('\'', "'\\''")));
    agent.call(&trial).unwrap();
    let result = agent.call(&go(&trial)).unwrap();
    assert!(result.cpu_ns.unwrap() > Nanos::from_millis(1), "{result:?}");
}

#[test]
fn a_driver_that_hangs_before_ready_is_killed() {
    let error = failure("sleep 1000", Nanos::from_millis(100));
    assert_eq!(error.kind, AgentErrorKind::TimedOut);
    insta::assert_snapshot!(error, @"driver `sh` was not ready within 100ms");
}

#[test]
fn a_driver_that_hangs_after_go_is_killed() {
    let error = failure(&[READ, READY, "echo busy >&2\nsleep 1000"].concat(), Nanos::from_millis(500));
    assert_eq!(error.kind, AgentErrorKind::TimedOut);
    // How much it used is not the same on every machine; that it hung and did not work can be seen from it.
    let said = error.to_string();
    assert!(said.starts_with("driver `sh` was not done within 500ms, in which it used 0.0"), "{said}");
    assert!(said.ends_with(" s of CPU time; its last words: busy"), "{said}");
}

#[test]
fn garbage_is_shown() {
    insta::assert_snapshot!(
        failed("echo Traceback; sleep 1000"),
        @"driver `sh` printed a line that is not an event of the protocol (standard output belongs to the protocol, all other text to standard error): Traceback"
    );
}

#[test]
fn a_line_without_end_is_not_kept_in_memory() {
    insta::assert_snapshot!(
        failed("head -c 100000000 /dev/zero | tr '\\0' x; sleep 1000"),
        @"driver `sh` printed a line longer than 16777216 bytes"
    );
}

#[test]
fn an_exit_without_done_is_a_failure() {
    insta::assert_snapshot!(
        failed(&[READ, READY, READ, "exit 0"].concat()),
        @"driver `sh` ended before it was done; exit status 0"
    );
}

#[test]
fn a_crash_is_told_with_its_last_words() {
    insta::assert_snapshot!(
        failed("echo Traceback: >&2; echo 'ImportError: no redis' >&2; exit 1"),
        @"driver `sh` ended before it was ready; exit status 1; its last words: ImportError: no redis"
    );
    insta::assert_snapshot!(failed("kill -SEGV $$"), @"driver `sh` ended before it was ready; signal 11 (SIGSEGV)");
}

#[test]
fn a_driver_that_forks_and_exits_leaves_no_process() {
    insta::assert_snapshot!(
        failed(&[READ, READY, READ, "sh -c 'sleep 1000; :' \"$0\" &\nexit 0"].concat()),
        @"driver `sh` ended before it was done; exit status 0"
    );
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let trial = trial(&[READ, READY, READ, "sh -c 'sleep 1000; :' \"$0\" &\n", DONE].concat());
    agent.call(&trial).unwrap();
    agent.call(&go(&trial)).unwrap();
    assert_gone(&trial.trial);
}

#[test]
fn a_driver_that_ignores_the_end_of_its_input_is_killed() {
    insta::assert_snapshot!(
        failed(&[READ, READY, READ, DONE, "trap '' TERM; sleep 1000; exit 0"].concat()),
        @"driver `sh` did not exit within 5s of the end of its input"
    );
}

#[test]
fn a_claim_that_cannot_be_true_is_refused() {
    let nobody = READY.replace("\"workers\":1", "\"workers\":0");
    insta::assert_snapshot!(failed(&[READ, &nobody, READ].concat()), @"driver `sh` is ready with no workers at all");
    let at_once = DONE.replace("\"elapsed_ns\":1000", "\"elapsed_ns\":0");
    insta::assert_snapshot!(
        failed(&[READ, READY, READ, &at_once, READ].concat()),
        @"driver `sh` claims 1 operations in no time at all"
    );
}

#[test]
fn everything_has_its_turn() {
    insta::assert_snapshot!(
        failed(&[READ, DONE, READ].concat()),
        @r#"driver `sh` said "done" when "ready" was due"#
    );
    insta::assert_snapshot!(
        failed(&[READ, READY, READ, READY, READ].concat()),
        @r#"driver `sh` said "ready" when "done" was due"#
    );
    insta::assert_snapshot!(
        // It stays until it is killed: whether it would have exited by then is anybody's guess.
        failed(&[READ, READY, READ, DONE, "echo more\n", "exec tail -f /dev/null"].concat()),
        @"driver `sh` went on talking after it was done: more"
    );
}

#[test]
fn a_result_before_go_is_no_result() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let trial = trial(&[READ, READY, DONE, "echo said >&2\n", READ, READ].concat());
    agent.call(&trial).unwrap();
    // Now the line that came before this notice is there, too.
    if agent.notices.is_empty() {
        agent.notice();
    }
    let error = agent.call(&go(&trial)).unwrap_err();
    assert!(
        error.message.starts_with("driver `sh` did not wait for go, but printed {\"event\":\"done\""),
        "{error}"
    );
}

#[test]
fn a_driver_that_fails_after_its_claim_is_not_believed() {
    insta::assert_snapshot!(
        failed(&[READ, READY, READ, DONE, "echo 'double free' >&2; exit 134"].concat()),
        @"driver `sh` was done, but then failed; exit status 134; its last words: double free"
    );
}

#[test]
fn what_a_driver_refuses_is_unsupported() {
    let script = "read -r line; echo '{\"event\":\"failed\",\"kind\":\"unsupported\",\"error\":\"no rate\"}'";
    let error = failure(script, Nanos::from_secs(20));
    assert_eq!(error.kind, AgentErrorKind::Unsupported);
    assert!(error.message.starts_with("driver `sh` cannot do this: no rate"), "{error}");
}

#[test]
fn a_driver_that_is_not_there_is_unsupported() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let mut trial = trial("");
    trial.program = Program::Command { argv: vec!["./no-such-driver".to_owned()], directory: "/usr".into() };
    let error = agent.call(&trial).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::Unsupported);
    insta::assert_snapshot!(
        error,
        @"cannot start driver `./no-such-driver` in /usr: No such file or directory (os error 2)"
    );
}

#[test]
fn a_relative_program_is_looked_up_where_its_file_is() {
    use std::os::unix::fs::PermissionsExt;
    let tmp = tempfile::tempdir().unwrap();
    let program = tmp.path().join("my-driver");
    std::fs::write(&program, format!("#!/bin/sh\n{}", good())).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut agent = Agent::start(tmp.path());
    let mut trial = trial("");
    let directory = tmp.path().to_str().unwrap().into();
    trial.program = Program::Command { argv: vec!["./my-driver".to_owned()], directory };
    agent.call(&trial).unwrap();
    agent.call(&go(&trial)).unwrap();
}

#[test]
fn an_abort_ends_a_trial_at_every_stage() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());

    let preparing = trial("echo here >&2; sleep 1000");
    let pending = agent.send(&preparing);
    agent.notice();
    agent.send(&TrialAbort { trial: preparing.trial.clone() });
    let error = agent.reply::<TrialPrepare>(pending).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::Aborted);
    agent.reply::<TrialAbort>(pending + 1).unwrap();
    assert_eq!(find_process(&preparing.trial), None, "an abort returns when the driver is gone");

    let ready = trial(&good());
    agent.call(&ready).unwrap();
    agent.call(&TrialAbort { trial: ready.trial.clone() }).unwrap();
    assert_eq!(find_process(&ready.trial), None);

    let going = trial(&[READ, READY, READ, "echo here >&2; sleep 1000"].concat());
    agent.call(&going).unwrap();
    let pending = agent.send(&go(&going));
    agent.notice();
    agent.call(&Ping {}).expect("a ping is answered during a trial");
    agent.send(&TrialAbort { trial: going.trial.clone() });
    assert_eq!(agent.reply::<TrialGo>(pending).unwrap_err().kind, AgentErrorKind::Aborted);
    agent.reply::<TrialAbort>(pending + 2).unwrap();
    assert_eq!(find_process(&going.trial), None);

    agent.call(&TrialAbort { trial: "over".to_owned() }).expect("an abort may come too late");
    let next = trial(&good());
    agent.call(&next).unwrap();
    agent.call(&go(&next)).unwrap();
}

#[test]
fn an_agent_has_one_trial_at_a_time() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let first = trial(&good());
    agent.call(&first).unwrap();
    assert_eq!(agent.call(&trial(&good())).unwrap_err().kind, AgentErrorKind::Protocol);
    let unknown = TrialGo { trial: "unknown".to_owned(), timeout: Nanos::from_secs(1) };
    assert_eq!(agent.call(&unknown).unwrap_err().kind, AgentErrorKind::Protocol);
    agent.call(&go(&first)).expect("the first is not disturbed");
}

#[test]
fn a_talkative_driver_does_not_flood_the_log() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let noise = "i=0; while [ $i -lt 3000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1";
    let error = agent.call(&trial(noise)).unwrap_err();
    assert!(error.message.ends_with("its last words: line 2999"), "{error}");
    assert!(agent.notices.len() <= 201, "{}", agent.notices.len());
}

#[test]
fn progress_is_passed_on() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let progress = "echo '{\"event\":\"progress\",\"operations\":7}'\n";
    let trial = trial(&[READ, READY, READ, progress, DONE].concat());
    agent.call(&trial).unwrap();
    agent.call(&go(&trial)).unwrap();
    assert_eq!(agent.notices, [Notice::Progress { trial: trial.trial, operations: 7 }]);
}

#[test]
fn a_flood_of_progress_is_not_passed_on() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let flood = "yes '{\"event\":\"progress\",\"operations\":7}' | head -n 200000\n";
    let trial = trial(&[READ, READY, READ, flood, DONE].concat());
    agent.call(&trial).unwrap();
    let begun = std::time::Instant::now();
    let result = agent.call(&go(&trial)).unwrap();
    let most = 2 + begun.elapsed().as_millis() as usize / 90;
    assert!((1..=most).contains(&agent.notices.len()), "{} of at most {most}", agent.notices.len());
    assert!(result.done.progress.unwrap().len() <= 1_000);
}

#[test]
fn what_a_driver_calls_itself_is_one_short_line() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let name = "name=$(head -c 3000000 /dev/zero | tr '\\0' x)\n";
    let ready = "printf '{\"event\":\"ready\",\"client\":\"a\\\\u001b[31m\\\\nb%s\",\"runtime\":\"\\\\u202er\",\"workers\":1}\\n' \"$name\"\n";
    let trial = trial(&[READ, name, ready, READ].concat());
    let Ready { client, runtime, .. } = agent.call(&trial).unwrap().ready;
    assert!(client.starts_with("a [31m bxxx") && client.chars().count() == 201, "{client}");
    assert_eq!(runtime, " r");
}

#[test]
fn no_child_of_an_agent_inherits_what_is_withheld_even_from_its_own_environment() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent =
        Agent::silent_with(tmp.path(), &[("ORC_VAULT", "hunter2hunter2"), ("ORC_OTHER", "stays")]);
    agent.call(&Hello { withheld: vec!["ORC_VAULT".to_owned()], ..hello(Nanos::from_secs(30)) }).unwrap();
    agent.call(&redis("redis")).unwrap();
    let mut given = trial(&[READ, "env >&2\n", READY, READ, DONE].concat());
    given.environment.insert("ORC_GIVEN".to_owned(), "too".to_owned());
    agent.call(&given).unwrap();
    agent.call(&go(&given)).unwrap();
    let prepare = ModePrepare {
        mode: "m".to_owned(),
        program: Program::Command { argv: vec!["sh".to_owned()], directory: "/".into() },
        prepare: ["sh", "-c", "env >&2"].map(str::to_owned).to_vec(),
        timeout: Nanos::from_secs(20),
    };
    agent.call(&prepare).unwrap();
    let said: Vec<&str> = agent
        .notices
        .iter()
        .map(|notice| match notice {
            Notice::Stderr { line, .. } => line.as_str(),
            Notice::Progress { .. } => "",
        })
        .collect();
    assert_eq!(said.iter().filter(|line| **line == "ORC_OTHER=stays").count(), 2, "{said:?}");
    assert!(
        said.contains(&"ORC_GIVEN=too") && !said.iter().any(|line| line.contains("ORC_VAULT")),
        "{said:?}"
    );
}

#[test]
fn what_a_driver_was_told_is_masked_in_all_that_it_says() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let mut trial = trial("read -r job; echo \"$job\" >&2; echo \"$job\"; sleep 1000");
    trial.job.server.password = Some("hun\"ter two".to_owned());
    let error = agent.call(&trial).unwrap_err();
    assert!(error.message.contains("***") && !error.message.contains("ter two"), "{error}");
    let said = format!("{:?}", agent.notices);
    assert!(said.contains("***") && !said.contains("ter two"), "{said}");
}

#[test]
fn server_and_driver_run_where_they_are_put_and_are_set_free_again() {
    let cpus = orchestrate::host::placement::Topology::here().unwrap().allowed;
    let last = *cpus.last().unwrap();
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let server = agent.call(&redis("redis")).unwrap();
    let process: u32 = {
        let info: redis::InfoDict = redis::cmd("INFO").query(&mut connect(&server.endpoint)).unwrap();
        info.get("process_id").unwrap()
    };
    let server_threads = || {
        let mut lists: Vec<String> = std::fs::read_dir(format!("/proc/{process}/task"))
            .unwrap()
            .map(|thread| allowed(&std::fs::read_to_string(thread.unwrap().path().join("status")).unwrap()))
            .collect();
        lists.dedup();
        lists
    };
    let free = server_threads();

    let mut pinned = trial(&["grep ^Cpus_allowed_list /proc/self/status >&2\n", &good()].concat());
    pinned.placement = Placement::SameCore;
    pinned.server_key = Some("redis".to_owned());
    let ready = agent.call(&pinned).unwrap();
    assert_eq!(ready.placement, AppliedPlacement::Pinned { server: vec![last], client: vec![last] });
    assert_eq!(server_threads(), [last.to_string()]);
    agent.call(&go(&pinned)).unwrap();
    let Notice::Stderr { line, .. } = &agent.notices[0] else { panic!("{:?}", agent.notices) };
    assert_eq!(allowed(line), last.to_string());

    let mut unbound = trial(&good());
    unbound.server_key = Some("redis".to_owned());
    assert_eq!(agent.call(&unbound).unwrap().placement, AppliedPlacement::Free);
    assert_eq!(server_threads(), free);
    agent.call(&go(&unbound)).unwrap();

    let mut nowhere = trial(&good());
    nowhere.placement = Placement::Cpus { server: vec![last], client: vec![1023] };
    assert_eq!(agent.call(&nowhere).unwrap_err().kind, AgentErrorKind::Unsupported);
}

fn allowed(status: &str) -> String {
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap().trim().to_owned()
}

#[test]
fn a_server_that_dies_in_a_trial_is_the_reason_and_is_started_again() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    let first = agent.call(&redis("redis")).unwrap();
    assert!(first.started);
    let port = first.endpoint.port;
    let info: String = redis::Client::open(("127.0.0.1", port))
        .and_then(|client| redis::cmd("INFO").arg("server").query(&mut client.get_connection()?))
        .unwrap();
    let pid = info.lines().find_map(|line| line.strip_prefix("process_id:")).unwrap();
    // Until it is gone, or only waits to be reaped.
    let kill =
        format!("kill -9 {pid}\nwhile grep -q '^State:.[^Z]' /proc/{pid}/status 2>/dev/null; do :; done\n");
    let mut trial = trial(&[READ, READY, READ, &kill, "echo 'connection reset' >&2; exit 1"].concat());
    trial.server_key = Some("redis".to_owned());
    agent.call(&trial).unwrap();
    let error = agent.call(&go(&trial)).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::Failed);
    assert!(
        error.message.starts_with(
            "driver `sh` ended before it was done; exit status 1; its last words: connection reset; \
             server `redis` died: signal 9 (SIGKILL); its log ends: "
        ),
        "{error}"
    );
    let dead = agent.call(&ServerSample { key: "redis".to_owned(), marks: Vec::new() }).unwrap_err();
    assert!(dead.message.starts_with("server `redis` died: signal 9 (SIGKILL)"), "{dead}");
    let second = agent.call(&redis("redis")).unwrap();
    assert!(second.started);
    agent.call(&ServerReset { key: "redis".to_owned(), keys: Keys::Flush, marks: Vec::new() }).unwrap();
}
