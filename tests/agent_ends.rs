//! However an agent ends, its servers and drivers end with it; and one host has one coordinator.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod agent_support;

use std::path::Path;

use agent_support::*;
use orchestrate::protocol::*;
use orchestrate::units::Nanos;
use rustix::process::Signal;

/// An agent with a server, and with a driver in the middle of its work; the string is in the driver's command line.
///
/// The driver has no child of its own: a killed agent takes its children along, but their children have only the end
/// of their input to go by.
fn busy(tmp: &Path, lease: Nanos) -> (Agent, String) {
    let mut agent = Agent::silent(tmp);
    agent.call(&hello(lease)).unwrap();
    agent.call(&redis("redis")).unwrap();
    assert_eq!(leftovers(tmp).len(), 1);
    let trial = trial(
        &[READ, READY, READ, "mkfifo \"$TMPDIR/$0\"; echo here >&2; read -r line < \"$TMPDIR/$0\""].concat(),
    );
    agent.call(&trial).unwrap();
    agent.send(&go(&trial));
    agent.notice();
    (agent, trial.trial)
}

/// A server's title is its address, so it is found by its working directory.
fn servers_in(tmp: &Path) -> usize {
    let entries = std::fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(tmp)))
        .count()
}

fn assert_nothing_left(tmp: &Path, driver: &str) {
    assert_gone(driver);
    assert_eq!(servers_in(tmp), 0);
    assert_eq!(leftovers(tmp), [] as [std::path::PathBuf; 0]);
}

#[test]
fn the_end_of_its_input_is_the_end_of_everything() {
    let tmp = tempfile::tempdir().unwrap();
    let (mut agent, driver) = busy(tmp.path(), Nanos::from_secs(30));
    assert_eq!(servers_in(tmp.path()), 1);
    agent.hang_up();
    assert!(agent.end().success());
    assert_nothing_left(tmp.path(), &driver);
}

#[test]
fn a_silent_coordinator_loses_its_lease() {
    let tmp = tempfile::tempdir().unwrap();
    let (mut agent, driver) = busy(tmp.path(), Nanos::from_secs(2));
    assert!(!agent.end().success());
    assert_nothing_left(tmp.path(), &driver);
}

#[test]
fn a_signal_is_the_end_of_everything() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let tmp = tempfile::tempdir().unwrap();
        let (mut agent, driver) = busy(tmp.path(), Nanos::from_secs(30));
        agent.signal(signal);
        assert!(agent.end().success());
        assert_nothing_left(tmp.path(), &driver);
    }
}

#[test]
fn a_killed_agent_takes_its_children_along_and_the_next_one_sweeps() {
    let tmp = tempfile::tempdir().unwrap();
    let (mut agent, driver) = busy(tmp.path(), Nanos::from_secs(30));
    agent.signal(Signal::KILL);
    agent.end();
    assert_gone(&driver);
    let deadline = std::time::Instant::now() + SOON;
    while servers_in(tmp.path()) > 0 {
        assert!(std::time::Instant::now() < deadline, "the server lives on");
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert_eq!(leftovers(tmp.path()).len(), 1);
    let _next = Agent::start(tmp.path());
    assert_eq!(leftovers(tmp.path()).len(), 0);
}

#[test]
fn one_host_has_one_coordinator() {
    let tmp = tempfile::tempdir().unwrap();
    let first = Agent::start(tmp.path());
    let mut second = Agent::silent(tmp.path());
    let error = second.call(&hello(Nanos::from_secs(30))).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::InUse);
    let who = format!("host is in use by test (pid {}, since ", first.process.id());
    assert!(error.message.starts_with(&who), "{error}");
    drop(first);
    second.call(&hello(Nanos::from_secs(30))).expect("the host is free again");
}

#[test]
fn hello_comes_first_and_versions_must_agree() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::silent(tmp.path());
    insta::assert_snapshot!(agent.call(&Ping {}).unwrap_err(), @"the first call must be `hello`, not `ping`");
    let newer = Hello { protocol: 99, version: "9.9.9".to_owned(), ..hello(Nanos::from_secs(30)) };
    let error = agent.call(&newer).unwrap_err();
    assert_eq!(error.kind, AgentErrorKind::Protocol);
    insta::assert_snapshot!(
        error.message.replace(env!("CARGO_PKG_VERSION"), "VERSION"),
        @"the coordinator (orchestrate 9.9.9) speaks protocol 99, the agent on this host (orchestrate VERSION) protocol 2: install the same version on both"
    );
    let welcome = agent.call(&hello(Nanos::from_secs(30))).unwrap();
    assert_eq!(welcome.protocol, PROTOCOL);
    assert!(welcome.facts.cpus > 0);
}

#[test]
fn what_is_no_request_ends_the_conversation() {
    let tmp = tempfile::tempdir().unwrap();
    let mut agent = Agent::start(tmp.path());
    agent.call(&redis("redis")).unwrap();
    agent.say("nonsense\n");
    assert!(!agent.end().success());
    assert_nothing_left(tmp.path(), tmp.path().to_str().unwrap());
}
