//! Where passwords do not go: into no process that is not told one, and into nothing that is kept or shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use serde_json::Value;

use crate::hosts::behind_a_command;
use crate::sandbox::{Foreign, Sandbox, code, stderr, stdout, wait_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchestrate");
const VARIABLE: &str = "ORC_TEST_VAULT";

fn leaky_driver() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/leak.py")
}

/// All that descends from a process, but not that process, by what the system says of parents.
fn descendants(of: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // Behind the name, which may contain anything: state, parent.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut left) = (Vec::new(), vec![of]);
    while let Some(next) = left.pop() {
        let more = children.get(&next).cloned().unwrap_or_default();
        found.extend(&more);
        left.extend(more);
    }
    found
}

fn shown_of(pid: u32) -> String {
    ["environ", "cmdline"]
        .map(|file| {
            String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default()).into_owned()
        })
        .concat()
}

/// Every file below a directory that contains one of `needles`, but for those with these names.
fn files_with(directory: &Path, needles: &BTreeSet<String>, but: &[&str], found: &mut Vec<String>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            files_with(&path, needles, but, found);
        } else if kind.is_file() && !but.contains(&entry.file_name().to_str().unwrap()) {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            for line in text.lines().filter(|line| needles.iter().any(|needle| line.contains(needle))) {
                found.push(format!("{}: {line}", path.display()));
            }
        }
    }
}

#[test]
fn no_password_is_inherited_kept_or_shown_whatever_a_driver_does_with_it() {
    let sandbox = Sandbox::new();
    // Whatever is done to the rest of it, these letters stay.
    let core = format!("hunter2core{}", std::process::id());
    let secret = format!("pä\"s/{core}&%5c\\ 'x");
    let vault = Foreign::start(&["--requirepass", &secret]);
    let program = leaky_driver();
    let mode = |how: &str| {
        format!(
            "[mode.{how}]\ncommand = ['python3', '{}', '{how}', '{PROGRAM}']\nprepare = ['sh', '-c', 'env; env >&2']\n",
            program.display()
        )
    };
    let rest = format!(
        "{}{}[server.vault]\naddress = '127.0.0.1:{}'\npassword = {{ env = '{VARIABLE}' }}\n[workload]\noperations = 20\n\
         [[matrix]]\nservers = 'vault'\nmodes = ['raise', 'claim']\n\
         [[matrix]]\nhosts = {{ client = 'a', server = 'b' }}\nmodes = ['raise', 'claim']\n\
         [run]\nrepetitions = 1\nwarmup = 5\nretries = 0\n",
        mode("raise"),
        mode("claim"),
        vault.port
    );
    sandbox.write("pair.toml", &behind_a_command(&sandbox, &rest));
    let output = || File::options().create(true).append(true).open(sandbox.path().join("output")).unwrap();
    let mut run = sandbox
        .orchestrate(&["-vv", "pair.toml"])
        .env(VARIABLE, &secret)
        .stdout(output())
        .stderr(output())
        .spawn()
        .unwrap();

    let mut needles = BTreeSet::from([core.clone()]);
    for at in 0..4 {
        let told: Value = wait_until("a driver waits at its gate", || {
            assert!(
                run.try_wait().unwrap().is_none(),
                "it ended: {}",
                fs::read_to_string(sandbox.path().join("output")).unwrap()
            );
            let told = fs::read_to_string(sandbox.path().join("told")).ok()?;
            serde_json::from_str(told.lines().nth(at)?).ok()
        });
        let gate = sandbox.path().join(format!("gate-{}", told["pid"]));
        let gate =
            wait_until("it waits", || open(&gate, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty()).ok());
        let password = told["password"].as_str().unwrap();
        if password != secret {
            assert!(password.len() >= 32, "{password}");
            needles.insert(password.to_owned());
        }
        // The look itself is a look: whoever was asked to run this has it.
        assert!(shown_of(run.id()).contains(&core));
        let all = descendants(run.id());
        let titles: String = all.iter().map(|&pid| shown_of(pid)).collect();
        for expected in ["agent", "leak.py", "redis-server"] {
            assert!(titles.contains(expected), "no {expected} is among the processes that were looked at");
        }
        for pid in all {
            let shown = shown_of(pid);
            assert!(!needles.iter().any(|needle| shown.contains(needle)), "process {pid}: {shown}");
            assert!(!shown.contains(VARIABLE), "process {pid}: {shown}");
        }
        drop(gate);
    }
    assert_eq!(needles.len(), 2, "the second server has a password of its own");
    let status = run.wait().unwrap();
    let said = fs::read_to_string(sandbox.path().join("output")).unwrap();
    assert_eq!(code(status), 1, "{said}");
    let rows = sandbox.rows("pair", "trials.csv");
    let with = |status: &str| rows.iter().filter(|row| row["status"] == status).collect::<Vec<_>>();
    assert_eq!((with("failed").len(), with("ok").len()), (2, 2), "{said}");
    for row in with("failed") {
        assert!(row["error"].contains("ConnectionError: failed to authenticate with '***'"), "{row:?}");
    }
    for row in with("ok") {
        // A spreadsheet shows what follows the apostrophe as a text.
        assert_eq!(row["client"], "'=HYPERLINK(***) [31m");
        assert!(row["client_runtime"].starts_with("***  yyy") && row["client_runtime"].len() < 300);
        assert!(row["comparability"].starts_with("*** "), "{row:?}");
    }
    for attempt in sandbox.attempts("pair").iter().filter(|attempt| attempt["status"] == "ok") {
        assert_eq!(attempt["client"]["client"], "=HYPERLINK(***) [31m");
    }
    let run = sandbox.runs("pair").pop().unwrap();
    assert!(fs::read_to_string(run.join("run.log")).unwrap().contains("***"));
    let report = fs::read_to_string(run.join("report.html")).unwrap();
    assert!(report.contains("=HYPERLINK(***)") && !report.contains("&#39;=HYPERLINK"));

    for args in [["report", "--markdown"], ["export", "--markdown"]] {
        let again = sandbox.orchestrate(&args).arg(&run).output().unwrap();
        assert_eq!(code(again.status), 0, "{}", stderr(&again));
        fs::write(sandbox.path().join(args[0]), [again.stdout, again.stderr].concat()).unwrap();
    }
    let mut found = Vec::new();
    files_with(sandbox.path(), &needles, &["told"], &mut found);
    assert_eq!(found, [""; 0]);
    // What is left of the run is small, too: a megabyte of a client's name is no name.
    let size: u64 = fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(size < 1 << 20, "{size} bytes");
    sandbox.expect_nobody_left();
}

#[test]
fn no_worker_program_of_a_library_has_the_password_on_its_command_line() {
    let sandbox = Sandbox::new();
    let place = sandbox.path().display();
    // The password is known to whoever executes a task; one of them tells it, and waits until somebody has looked.
    sandbox.write(
        "waiter.py",
        &format!(
            "import json, os, kit\n\ndef at_three(number):\n    if number != 3:\n        return\n\
             \x20   gate = '{place}/gate-%d' % os.getpid()\n    os.mkfifo(gate)\n\
             \x20   with open('{place}/told', 'a') as told:\n\
             \x20       told.write(json.dumps({{'pid': os.getpid(), 'password': kit.job()['server']['password']}}) + '\\n')\n\
             \x20   with open(gate) as gate:\n        gate.read()\n"
        ),
    );
    let modes = ["rq", "celery-prefork", "dramatiq", "huey", "taskiq", "arq"];
    let rest = format!(
        "include = ['{}/drivers/broker.toml']\n[workload]\nkind = 'tasks'\noperations = 5\nbody = 'call waiter:at_three'\n\
         [[matrix]]\nhosts = {{ client = 'a', server = 'b' }}\nmodes = {modes:?}\nmode.env = {{ PYTHONPATH = '{place}' }}\n\
         [run]\nrepetitions = 1\nwarmup = 0\nretries = 0\norder = 'sequential'\n",
        env!("CARGO_MANIFEST_DIR")
    );
    // `include` is a key of the file and not of its last table.
    let (include, rest) = rest.split_once('\n').unwrap();
    let text =
        behind_a_command(&sandbox, rest).replace("name = 'pair'", &format!("name = 'pair'\n{include}"));
    sandbox.write("pair.toml", &text);
    let mut run = sandbox.start(&["pair.toml"]);
    let said = || fs::read_to_string(sandbox.path().join("output")).unwrap();
    for (at, mode) in modes.iter().enumerate() {
        let told: Value = wait_until("a task waits", || {
            assert!(run.try_wait().unwrap().is_none(), "{mode}: it ended: {}", said());
            serde_json::from_str(fs::read_to_string(sandbox.path().join("told")).ok()?.lines().nth(at)?).ok()
        });
        let password = told["password"].as_str().unwrap();
        assert!(password.len() >= 32, "{mode}: {password}");
        for pid in descendants(run.id()) {
            let shown = shown_of(pid);
            assert!(!shown.contains(password), "{mode}: process {pid}: {shown}");
        }
        let gate = sandbox.path().join(format!("gate-{}", told["pid"]));
        let is_gone = || !Path::new(&format!("/proc/{}", told["pid"])).exists();
        wait_until("the task goes on", || {
            let open = open(&gate, OFlags::WRONLY | OFlags::NONBLOCK, Mode::empty());
            (open.is_ok() || is_gone()).then_some(())
        });
    }
    assert_eq!(code(run.wait().unwrap()), 0, "{}", said());
    sandbox.expect_nobody_left();
}

#[test]
fn a_check_of_a_driver_shows_no_password_that_the_driver_was_told() {
    let sandbox = Sandbox::new();
    let only_password = ["driver", "check", "--only", "password", "--", "python3"];
    let mut check = sandbox.orchestrate(&only_password);
    let output = check.arg(leaky_driver()).args(["check", PROGRAM]).output().unwrap();
    let said = stdout(&output);
    let password = said.lines().find(|line| line.ends_with("gives a password"));
    assert!(password.is_some_and(|line| line.starts_with("ok")), "{said}{}", stderr(&output));
    assert!(said.contains("=HYPERLINK((there is none)) [31m") && !said.contains('\u{1b}'), "{said}");

    // One that fails tells why, with what it was told.
    let script = sandbox.write(
        "fails.py",
        "import json, sys\njob = json.loads(sys.stdin.readline())\npassword = job['server']['password']\n\
         if password:\n    open('told', 'w').write(password)\n    raise ValueError(password)\n\
         import subprocess\nsys.exit(subprocess.run([sys.argv[1], 'driver'], \
         input=json.dumps({**job, 'mode': 'sync'}) + '\\n{\"go\":true}\\n', text=True).returncode)\n",
    );
    let mut check = sandbox.orchestrate(&only_password);
    let output = check.arg(script).arg(PROGRAM).output().unwrap();
    let said = stdout(&output);
    if let Ok(told) = fs::read_to_string(sandbox.path().join("told")) {
        assert!(said.contains("ValueError: ***") && !said.contains(&told), "{said}");
    } else {
        // A driver that cannot carry out its simplest trial is asked for nothing else.
        assert!(said.contains("wrong"), "{said}");
    }
    sandbox.expect_nobody_left();
}

#[test]
fn what_a_server_refuses_is_told_without_the_password_that_it_was_to_have() {
    let sandbox = Sandbox::new();
    // It quotes the words of a command that it does not know.
    let rest = "[server.redis]\nargs = ['--save', '', '--appendonly', 'no', '--rename-command', 'CONFIG', '']\n\
                [[matrix]]\nhosts = { client = 'a', server = 'b' }\nmodes = 'sync'\n[run]\nrepetitions = 1\n";
    sandbox.write("pair.toml", &behind_a_command(&sandbox, rest).replace("'127.0.0.1'", "'127.0.0.2'"));
    let output = sandbox.output(&["-vv", "pair.toml"]);
    let said = stderr(&output);
    assert_eq!(code(output.status), 3, "{said}");
    assert!(said.contains("did not answer CONFIG SET requirepass") && said.contains("'***'"), "{said}");
    sandbox.expect_nobody_left();
}

#[test]
fn an_experiment_is_executed_only_by_whoever_runs_it() {
    let sandbox = Sandbox::new();
    let trap = sandbox.write("trap", "#!/bin/sh\necho sprung >> sprung\nexit 1\n");
    fs::set_permissions(&trap, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let trap = trap.display();
    // Whatever a file can have executed, and a server that would hear of it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    sandbox.write(
        "x.toml",
        &format!(
            "name = 'x'\n[host.h]\ntransport = 'command'\nprefix = ['{trap}']\naddress = '127.0.0.1'\n\
             [server.own]\nprogram = '{trap}'\n[server.vault]\naddress = '127.0.0.1:{}'\npassword = {{ env = '{VARIABLE}' }}\n\
             [mode.m]\ncommand = ['{trap}']\nprepare = ['{trap}']\n\
             [[matrix]]\nhosts = ['local', 'h']\nservers = ['own', 'vault']\nmodes = ['m', 'sync']\n",
            listener.local_addr().unwrap().port()
        ),
    );
    for args in
        [&["check", "x.toml"][..], &["plan", "x.toml"], &["plan", "--json", "x.toml"], &["modes", "x.toml"]]
    {
        let output = sandbox.output(args);
        assert_eq!(code(output.status), 0, "{args:?}: {}", stderr(&output));
        assert!(!sandbox.path().join("sprung").exists(), "{args:?} executed something");
    }
    assert!(listener.accept().is_err(), "somebody connected");
    // So that the trap is one.
    let run = sandbox.orchestrate(&["x.toml"]).env(VARIABLE, "hunter2").output().unwrap();
    assert_eq!(code(run.status), 3, "{}", stderr(&run));
    assert!(sandbox.path().join("sprung").exists());
    sandbox.expect_nobody_left();
}

#[test]
fn whoever_looks_at_what_is_needed_is_told_no_password_either() {
    let sandbox = Sandbox::new();
    let server = sandbox.write("redis-server", "#!/bin/sh\nenv > seen\necho Redis server v=1\n");
    fs::set_permissions(&server, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.write(
        "x.toml",
        &format!(
            "name = 'x'\n[server.own]\nprogram = '{}'\n[server.vault]\naddress = '127.0.0.1:1'\npassword = {{ env = '{VARIABLE}' }}\n\
             [[matrix]]\nservers = 'own'\nmodes = 'sync'\n",
            server.display()
        ),
    );
    let looked = sandbox.orchestrate(&["doctor", "x.toml"]).env(VARIABLE, "hunter2").output().unwrap();
    assert!(stdout(&looked).contains("Redis server v=1"), "{}{}", stdout(&looked), stderr(&looked));
    let seen = fs::read_to_string(sandbox.path().join("seen")).unwrap();
    assert!(seen.contains("PATH=") && !seen.contains(VARIABLE), "{seen}");
}
