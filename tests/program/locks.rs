//! Two runs of one user on one host: the second one is told who has it, or waits.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use crate::sandbox::{Sandbox, code, signal, stderr, wait_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchestrate");

/// An experiment whose client waits as long as the file `hold` is there, which is a pipe that is opened to let it go.
fn experiment(sandbox: &Sandbox, name: &str) {
    let client = sandbox.write("client", &format!("#!/bin/sh\n[ ! -p hold ] || read -r go < hold\n\
         {{ read -r job; printf '%s\\n' \"$job\" | sed 's/\"mode\":\"sync2\"/\"mode\":\"sync\"/'; cat; }} | {PROGRAM} driver\n"));
    fs::set_permissions(client, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let text = format!(
        "name = '{name}'\n[mode.sync2]\ncommand = ['./client']\n[workload]\noperations = 10\n[[matrix]]\nmodes = 'sync'\n\
         [[matrix]]\nmodes = 'sync2'\n[run]\nrepetitions = 1\nwarmup = 0\nretries = 0\norder = 'sequential'\n"
    );
    sandbox.write(&format!("{name}.toml"), &text);
}

/// A run that has the host until it is let go.
fn holding(sandbox: &Sandbox, name: &str) -> Child {
    let hold = sandbox.path().join("hold");
    rustix::fs::mkfifoat(rustix::fs::CWD, &hold, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let run =
        sandbox.orchestrate(&[&format!("{name}.toml")]).stderr(Stdio::null()).stdout(Stdio::null()).spawn();
    wait_until("the client of the first run waits", || sandbox.process("./client"));
    run.unwrap()
}

fn let_go(sandbox: &Sandbox) {
    let hold = sandbox.path().join("hold");
    fs::write(&hold, "go\n").unwrap();
    fs::remove_file(hold).unwrap();
}

/// A run that waits: what it says is in the file.
fn waiting(sandbox: &Sandbox, args: &[&str]) -> Child {
    let said = fs::File::create(sandbox.path().join("said")).unwrap();
    let child = sandbox.orchestrate(args).stderr(said).stdout(Stdio::null()).spawn().unwrap();
    wait_until("it says that it waits", || said_in(sandbox.path()).contains("waiting: ").then_some(()));
    child
}

fn said_in(directory: &Path) -> String {
    fs::read_to_string(directory.join("said")).unwrap()
}

#[test]
fn a_host_that_another_run_has_is_told_once_with_what_to_do() {
    let sandbox = Sandbox::new();
    experiment(&sandbox, "first");
    experiment(&sandbox, "second");
    let mut first = holding(&sandbox, "first");
    let second = sandbox.output(&["second.toml"]);
    let said = stderr(&second);
    assert_eq!(code(second.status), 3, "{said}");
    assert_eq!(said.matches("host is in use by experiment `first` of coordinator pid").count(), 1, "{said}");
    assert!(said.contains("with --wait this run begins when that one is over"), "{said}");
    let_go(&sandbox);
    assert_eq!(code(first.wait().unwrap()), 0);
    sandbox.expect_nobody_left();
}

#[test]
fn a_run_that_waits_begins_when_the_other_is_over() {
    let sandbox = Sandbox::new();
    experiment(&sandbox, "first");
    experiment(&sandbox, "second");
    let mut first = holding(&sandbox, "first");
    let mut second = waiting(&sandbox, &["--wait", "second.toml"]);
    assert_eq!(sandbox.runs("second").len(), 0, "nothing is kept of a run that waits");
    let_go(&sandbox);
    let first = first.wait().unwrap();
    let second = second.wait().unwrap();
    let said = said_in(sandbox.path());
    assert_eq!((sandbox.attempts("first").len(), sandbox.attempts("second").len()), (2, 2), "{said}");
    assert_eq!((code(first), code(second)), (0, 0), "{said}");
    assert_eq!(said.matches("waiting: ").count(), 1, "{said}");
    assert!(said.contains("waiting: host `local`: host is in use by experiment `first`"), "{said}");
    sandbox.expect_nobody_left();
}

#[test]
fn a_run_that_waits_can_be_stopped() {
    let sandbox = Sandbox::new();
    experiment(&sandbox, "first");
    experiment(&sandbox, "second");
    let mut first = holding(&sandbox, "first");
    let mut second = waiting(&sandbox, &["run", "--wait", "second.toml"]);
    signal(second.id().cast_signed(), Signal::INT);
    assert_eq!(code(second.wait().unwrap()), 130);
    let_go(&sandbox);
    first.wait().unwrap();
    sandbox.expect_nobody_left();
}

#[test]
fn the_same_experiment_waits_for_itself() {
    let sandbox = Sandbox::new();
    experiment(&sandbox, "first");
    let mut first = holding(&sandbox, "first");
    let refused = sandbox.output(&["first.toml"]);
    assert_eq!(code(refused.status), 3, "{}", stderr(&refused));
    assert!(stderr(&refused).contains("; with --wait"), "{}", stderr(&refused));
    let mut second = waiting(&sandbox, &["--wait", "first.toml"]);
    let_go(&sandbox);
    assert_eq!((code(first.wait().unwrap()), code(second.wait().unwrap())), (0, 0));
    assert!(said_in(sandbox.path()).contains("is in use by process"), "{}", said_in(sandbox.path()));
    sandbox.expect_nobody_left();
}

#[test]
fn two_runs_of_one_user_exclude_each_other_wherever_they_have_their_temporary_files() {
    let sandbox = Sandbox::new();
    // Where everybody may write nobody's lock is, and a home is where both have theirs.
    for (name, mode) in [("one", 0o1777), ("two", 0o1777), ("home", 0o700)] {
        let path = sandbox.path().join(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    }
    experiment(&sandbox, "first");
    let place = |command: &mut std::process::Command, tmp: &str| {
        command.env("TMPDIR", sandbox.path().join(tmp)).env("HOME", sandbox.path().join("home"));
        command.env_remove("XDG_STATE_HOME").env_remove("XDG_RUNTIME_DIR");
    };
    let hold = sandbox.path().join("hold");
    rustix::fs::mkfifoat(rustix::fs::CWD, &hold, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let mut first = sandbox.orchestrate(&["first.toml"]);
    place(&mut first, "one");
    let mut first = first.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    wait_until("the client of the first run waits", || sandbox.process("./client"));
    // A stale file of the old name, and one that others hold, are in nobody's way.
    fs::write(sandbox.path().join("two/orchestrate.lock"), "").unwrap();
    experiment(&sandbox, "second");
    let mut second = sandbox.orchestrate(&["second.toml"]);
    place(&mut second, "two");
    let second = second.output().unwrap();
    assert_eq!(code(second.status), 3, "{}", stderr(&second));
    assert!(stderr(&second).contains("in use by experiment `first`"), "{}", stderr(&second));
    let lock = sandbox.path().join("home/.local/state/orchestrate");
    assert_eq!(fs::read_dir(lock).unwrap().count(), 1);
    let_go(&sandbox);
    first.wait().unwrap();
}
