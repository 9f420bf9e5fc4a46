//! Hosts other than this one: network namespaces with an sshd each, nodes of a Slurm, and hosts behind any command.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};

use crate::machines::{self, DistantWay, Machines, ip, keygen};
use crate::sandbox::{Sandbox, code, private_directory, signal, stderr, stdout, wait_until};
use crate::slurm::Cluster;
use crate::upload::builds;

const AGENT: &str = env!("CARGO_BIN_EXE_orchestrate");

/// Two hosts behind `env`, each with a lock and a temporary directory of its own.
pub(crate) fn behind_a_command(sandbox: &Sandbox, rest: &str) -> String {
    let host = |name: &str, address: &str| {
        let tmp = sandbox.path().join(name);
        private_directory(&tmp);
        format!(
            "[host.{name}]\ntransport = 'command'\nprefix = ['env', 'TMPDIR={}']\nagent = '{AGENT}'\n{address}\n",
            tmp.display()
        )
    };
    let (a, b) = (host("a", "address = '127.0.0.1'"), host("b", "address = '127.0.0.1'"));
    format!("name = 'pair'\n{a}{b}{rest}")
}

const BOTH_WAYS: &str = "[workload]\noperations = 300\n[[matrix]]\n\
     hosts = [{ client = 'a', server = 'b' }, { client = 'b', server = 'a' }, 'a']\nmodes = ['sync', 'async-pipe', 'rustis', 'fred']\n\
     workers = 2\n[run]\nrepetitions = 2\nwarmup = 10\n";

#[test]
fn any_command_that_carries_a_pipe_leads_to_a_host() {
    let sandbox = Sandbox::new();
    sandbox.write("pair.toml", &behind_a_command(&sandbox, BOTH_WAYS));
    let output = sandbox.output(&["pair.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    expect_both_ways(&sandbox, 24);
    sandbox.expect_nobody_left();
}

#[test]
fn a_program_of_other_sources_is_told_and_recorded() {
    let sandbox = Sandbox::new();
    let elsewhere =
        r#"s/"can_pin":\([a-z]*\)\(,"revision":"[^"]*"\)\{0,1\}/"can_pin":\1,"revision":"elsewhere"/"#;
    let rest =
        "[workload]\noperations = 10\n[[matrix]]\nhosts = 'h'\nmodes = 'sync'\n[run]\nrepetitions = 1\n";
    let file = sandbox.write(
        "other.toml",
        &format!(
            "name = 'other'\n[host.h]\ntransport = 'command'\nagent = '{AGENT}'\n\
             prefix = ['sh', '-c', '''\"$0\" \"$@\" | sed -u '{elsewhere}' ''']\n{rest}"
        ),
    );
    let output = sandbox.output(&[file.to_str().unwrap()]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let note = "note: the program on host `h` was built from other sources than this one (revision elsewhere there, ";
    assert!(stderr(&output).contains(note), "{}", stderr(&output));
    let run = sandbox.runs("other").pop().unwrap();
    let provenance = fs::read_to_string(run.join("run.json")).unwrap();
    assert!(provenance.contains("\"revision\": \"elsewhere\""), "{provenance}");
    sandbox.expect_nobody_left();
}

#[test]
fn two_hosts_on_one_machine_are_made_by_a_script_and_go_with_it() {
    if !machines::can_be_made() {
        return;
    }
    let sandbox = Sandbox::new();
    let script = sandbox.path().join("scripts/two-hosts");
    fs::create_dir(sandbox.path().join("scripts")).unwrap();
    // A copy, so that it finds this build and no release build.
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/two-hosts"), &script).unwrap();
    let host = |name: &str, address: &str| {
        format!("[host.{name}]\ntransport = 'ssh'\ntarget = '{name}'\naddress = '{address}'\n")
    };
    let hosts = host("a", "10.0.7.11") + &host("b", "10.0.7.12");
    sandbox.write("pair.toml", &format!("name = 'pair'\n{hosts}{BOTH_WAYS}"));
    let path = std::env::var("PATH").unwrap();
    let child = Command::new(&script)
        .arg("pair.toml")
        .current_dir(sandbox.path())
        .env("PATH", format!("{}:{path}", Path::new(AGENT).parent().unwrap().display()))
        .env("TMPDIR", sandbox.path().join("tmp"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let namespaces = format!("two-hosts-{}-", child.id());
    let output = child.wait_with_output().unwrap();
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    expect_both_ways(&sandbox, 24);
    let left = Command::new("ip").args(["netns", "list"]).output().unwrap();
    assert!(!String::from_utf8_lossy(&left.stdout).contains(&namespaces));
    sandbox.expect_nobody_left();
}

/// Rows of [`BOTH_WAYS`], each from the client to the server that it names.
fn expect_both_ways(sandbox: &Sandbox, trials: usize) {
    let rows = sandbox.rows("pair", "trials.csv");
    assert_eq!(rows.len(), trials);
    for row in &rows {
        assert_eq!(row["status"], "ok", "{row:?}");
        let far = row["client_host"] != row["server_host"];
        assert_eq!(row["link"], if far { "network" } else { "loopback" });
        assert_eq!(row["rtt_us"].parse::<f64>().is_ok_and(|rtt| rtt > 0.0), far, "{row:?}");
        assert_eq!(row["server_calls"], "600");
    }
    let count = |client: &str, server: &str| {
        rows.iter().filter(|row| row["client_host"] == client && row["server_host"] == server).count()
    };
    assert_eq!([count("a", "b"), count("b", "a"), count("a", "a")], [trials / 3; 3]);
}

#[test]
fn a_host_that_cannot_be_had_is_told_before_anything_runs() {
    let somebody = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = somebody.local_addr().unwrap().port();
    let ssh = |host: &str| format!("name = 'x'\n[host.h]\n{host}\n[[matrix]]\nhosts = 'h'\nmodes = 'sync'\n");
    let cases = [
        (ssh("transport = 'command'\nprefix = ['/no/such/program']"), "failed to start the agent on host `h`"),
        (
            ssh("transport = 'command'\nprefix = ['sh', '-c', 'echo no such box >&2; exit 1']"),
            "says: no such box",
        ),
        (
            ssh("transport = 'command'\nprefix = ['env']\nagent = '/no/such/orchestrate'"),
            "/no/such/orchestrate",
        ),
        (
            "name = 'x'\n[host.h]\ntransport = 'local'\n[[matrix]]\nhosts = { client = 'h', server = 'h2' }\nmodes = 'sync'\n[host.h2]\ntransport = 'command'\nprefix = ['env', 'TMPDIR=.']\nagent = 'AGENT'".replace("AGENT", AGENT),
            "the host has no `address` where `h` could reach a server",
        ),
        (
            "name = 'x'\n[host.h]\ntransport = 'local'\n[[matrix]]\nhosts = { client = 'h', server = 'h2' }\nmodes = 'sync'\n[host.h2]\ntransport = 'command'\naddress = '192.0.2.1'\nprefix = ['env', 'TMPDIR=.']\nagent = 'AGENT'".replace("AGENT", AGENT),
            "no server can listen on 192.0.2.1: it is not an address of this host",
        ),
        (
            ssh(&format!("transport = 'command'\nprefix = ['env', 'PATH=/no/such/directory']\nagent = '{AGENT}'")),
            "redis-server",
        ),
        (
            format!("name = 'x'\n[host.h]\ntransport = 'local'\naddress = '127.0.0.1:{taken}'\n[host.h2]\ntransport = 'command'\nprefix = ['env', 'TMPDIR=.']\nagent = '{AGENT}'\n[[matrix]]\nhosts = {{ client = 'h2', server = 'h' }}\nmodes = 'sync'\n"),
            "is taken by another program",
        ),
    ];
    for (text, expected) in cases {
        let sandbox = Sandbox::new();
        sandbox.write("x.toml", &text);
        let output = sandbox.output(&["x.toml"]);
        assert_eq!(code(output.status), 3, "{text}{}", stderr(&output));
        assert!(stderr(&output).contains(expected), "{expected} in {}", stderr(&output));
        sandbox.expect_nobody_left();
    }
}

#[test]
fn an_agent_of_another_version_is_told_from_this_one() {
    let sandbox = Sandbox::new();
    // A real agent, but for what it says of its version.
    let older = r#"\"$0\" \"$@\" | sed -u 's/\"version\":\"[0-9.]*\"/\"version\":\"0.0.9\"/'"#;
    sandbox.write(
        "x.toml",
        &format!(
            "name = 'x'\n[host.h]\ntransport = 'command'\nprefix = ['sh', '-c', \"{older}\"]\nagent = '{AGENT}'\n\
             [[matrix]]\nhosts = 'h'\nmodes = 'sync'\n"
        ),
    );
    let output = sandbox.output(&["x.toml"]);
    assert_eq!(code(output.status), 3, "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("the agent on host `h` is orchestrate 0.0.9, this program is"), "{said}");
    sandbox.expect_nobody_left();
}

fn over_ssh(rest: &str) -> String {
    let host = |name: &str, address: &str| {
        format!(
            "[host.{name}]\ntransport = 'ssh'\ntarget = '{name}'\nagent = '{AGENT}'\naddress = '{address}'\n"
        )
    };
    format!("name = 'pair'\n{}{}{rest}", host("a", "10.77.3.1"), host("b", "10.77.3.2"))
}

#[test]
fn client_and_server_on_two_machines_over_ssh() {
    let sandbox = Sandbox::new();
    let Some(machines) = Machines::new(&sandbox) else { return };
    sandbox.write("pair.toml", &over_ssh(BOTH_WAYS));
    let output = machines.output(&sandbox, &["pair.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    expect_both_ways(&sandbox, 24);

    let output = machines.output(&sandbox, &["doctor", "pair.toml"]);
    let said = stdout(&output);
    assert_eq!(code(output.status), 0, "{said}{}", stderr(&output));
    assert!(said.contains("there and back from `a`") && said.contains("there and back from `b`"), "{said}");

    // A host key that is not the one that is known.
    let known = fs::read_to_string(sandbox.path().join("known")).unwrap();
    keygen(&sandbox.path().join("other"));
    let other = fs::read_to_string(sandbox.path().join("other.pub")).unwrap();
    sandbox.write("known", &format!("10.77.1.2 {other}10.77.2.2 {other}"));
    let output = machines.output(&sandbox, &["pair.toml", "--fresh"]);
    assert_eq!(code(output.status), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("Host key verification failed"), "{}", stderr(&output));
    sandbox.write("known", &known);

    sandbox.write("pair.toml", &over_ssh(BOTH_WAYS).replace(AGENT, "/no/such/orchestrate"));
    let output = machines.output(&sandbox, &["pair.toml", "--fresh"]);
    assert_eq!(code(output.status), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("/no/such/orchestrate"), "{}", stderr(&output));

    // With a build at hand, the program is brought to both.
    builds(&sandbox);
    let output = machines.output(&sandbox, &["pair.toml", "--fresh"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    for host in ["a", "b"] {
        let cache = sandbox.path().join(host).join("cache/orchestrate");
        assert_eq!(fs::read_dir(cache).unwrap().count(), 1);
    }
    expect_both_ways(&sandbox, 24);
    fs::remove_dir_all(sandbox.path().join("builds")).unwrap();

    for needle in ["requirepass", "\"password\":\""] {
        for file in ["journal.jsonl", "run.log", "run.json", "trials.csv"] {
            let text = fs::read_to_string(sandbox.runs("pair")[0].join(file)).unwrap();
            assert!(!text.contains(needle), "{needle} in {file}");
        }
    }
    let output = machines.output(&sandbox, &["doctor", "pair.toml"]);
    assert_eq!(code(output.status), 3, "{}", stdout(&output));
    for host in ["a", "b"] {
        assert!(stdout(&output).contains(&format!("missing {host}: ")), "{}", stdout(&output));
    }

    drop(machines);
    sandbox.expect_nobody_left();
}

/// Whether a process was started over ssh on a host.
fn is_on(sandbox: &Sandbox, host: &str, pid: i32) -> bool {
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    String::from_utf8_lossy(&environment).contains(&format!("TMPDIR={}/{host}/", sandbox.path().display()))
}

/// The agent on a host that is reached over ssh.
fn agent_on(sandbox: &Sandbox, host: &str) -> Option<i32> {
    let mut all = sandbox.processes().into_iter();
    all.find(|(pid, title)| title.contains("orchestrate agent") && is_on(sandbox, host, *pid))
        .map(|(pid, _)| pid)
}

/// Files below a directory that contain `needle`.
fn files_with(directory: &Path, needle: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files_with(&path, needle, found),
            Ok(kind) if kind.is_file() => {
                let text = fs::read(&path).unwrap_or_default();
                if text.windows(needle.len()).any(|window| window == needle.as_bytes()) {
                    found.push(path);
                }
            }
            _ => {}
        }
    }
}

#[test]
fn the_password_of_a_server_is_seen_nowhere_and_nobody_gets_in_without_it() {
    let sandbox = Sandbox::new();
    let Some(machines) = Machines::new(&sandbox) else { return };
    // The only one who is told is the client: one that gives away what it was told, and else does its work.
    let client = sandbox.write(
        "client",
        &format!(
            "#!/bin/sh\nread -r job; printf '%s' \"$job\" > {0}/told\n\
             {{ printf '%s\\n' \"$job\" | sed 's/\"mode\":\"own\"/\"mode\":\"sync\"/'; cat; }} | {AGENT} driver\n",
            sandbox.path().display()
        ),
    );
    fs::set_permissions(&client, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let rest = "[workload]\nduration = '2s'\n[mode.own]\ncommand = ['./client']\n[[matrix]]\nhosts = { client = 'a', server = 'b' }\n\
                modes = 'own'\n[run]\nrepetitions = 1\nwarmup = 10\nretries = 0\n";
    sandbox.write("pair.toml", &over_ssh(rest));
    let output = fs::File::create(sandbox.path().join("output")).unwrap();
    let mut run = machines.orchestrate(&sandbox, &["-vv", "pair.toml"]).stderr(output).spawn().unwrap();
    let told = wait_until("the client was told", || {
        assert!(run.try_wait().unwrap().is_none(), "it ended before");
        let told = fs::read(sandbox.path().join("told")).ok()?;
        let job: serde_json::Value = serde_json::from_slice(&told).ok()?;
        Some(job["server"].clone())
    });
    let (password, port) = (told["password"].as_str().unwrap(), told["port"].as_u64().unwrap());
    assert!(password.len() >= 32);
    // c has no cable to that network, but knows the way.
    ip(&format!("-n {} route add 10.77.3.2/32 via 10.77.2.2", machines.name("c")));
    for from in ["a", "c"] {
        let said = machines.ping(from, "10.77.3.2", &port.to_string());
        assert!(said.contains("NOAUTH"), "{from}: {said}");
    }
    // What `ps` could show, to anybody on any of the hosts.
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        for file in ["cmdline", "environ"] {
            let shown = fs::read(entry.path().join(file)).unwrap_or_default();
            let shown = String::from_utf8_lossy(&shown);
            assert!(!shown.contains(password), "{file}: {shown}");
        }
    }
    let status = run.wait().unwrap();
    assert_eq!(code(status), 0, "{}", fs::read_to_string(sandbox.path().join("output")).unwrap());
    let mut found = Vec::new();
    files_with(sandbox.path(), password, &mut found);
    assert_eq!(found, [sandbox.path().join("told")]);
    drop(machines);
    sandbox.expect_nobody_left();
}

#[test]
fn whoever_is_killed_nothing_is_left_on_any_host_and_nobody_else_gets_at_the_server() {
    for victim in ["coordinator", "ssh", "agent of a", "agent of b"] {
        let sandbox = Sandbox::new();
        let Some(machines) = Machines::new(&sandbox) else { return };
        let rest = "[workload]\nduration = '50s'\n[[matrix]]\nhosts = { client = 'a', server = 'b' }\nmodes = 'async'\n\
                    [run]\nrepetitions = 2\nwarmup = 10\nretries = 0\n";
        sandbox.write("pair.toml", &over_ssh(rest));
        let output = fs::File::create(sandbox.path().join("output")).unwrap();
        let mut run = machines.orchestrate(&sandbox, &["pair.toml"]).stderr(output).spawn().unwrap();
        wait_until("a driver works", || {
            assert!(
                run.try_wait().unwrap().is_none(),
                "{}",
                fs::read_to_string(sandbox.path().join("output")).unwrap()
            );
            sandbox.process("orchestrate driver")
        });
        let (_, server) =
            sandbox.processes().into_iter().find(|(_, title)| title.contains("redis-server")).unwrap();
        let port = server.split(':').nth(1).unwrap().split_whitespace().next().unwrap();
        let said = machines.ping("a", "10.77.3.2", port);
        assert!(said.contains("NOAUTH"), "{said}");

        let pid = match victim {
            "coordinator" => run.id().cast_signed(),
            "ssh" => sandbox
                .process("/usr/bin/ssh")
                .unwrap_or_else(|| sandbox.process("ServerAliveInterval").unwrap()),
            agent => agent_on(&sandbox, &agent["agent of ".len()..]).expect("an agent there"),
        };
        signal(pid, Signal::KILL);
        if victim != "coordinator" {
            wait_until("the loss is told", || {
                let told = |attempt: &serde_json::Value| {
                    attempt["error"].as_str().is_some_and(|e| e.contains("went away"))
                };
                sandbox.attempts("pair").iter().any(told).then_some(())
            });
            signal(run.id().cast_signed(), Signal::INT);
        }
        run.wait().unwrap();
        sandbox.expect_nobody_left();
    }
}

#[test]
fn a_link_that_is_cut_fails_trials_and_when_it_is_back_the_run_goes_on() {
    let sandbox = Sandbox::new();
    let Some(machines) = Machines::new(&sandbox) else { return };
    let rest = "[workload]\nduration = '3s'\nrate = 100\n[[matrix]]\nhosts = ['a', 'b']\nmodes = 'async'\n\
                [run]\nrepetitions = 2\nwarmup = 10\nretries = 20\norder = 'sequential'\n";
    sandbox.write("pair.toml", &over_ssh(rest));
    let mut run = machines.orchestrate(&sandbox, &["pair.toml"]).stderr(Stdio::null()).spawn().unwrap();
    wait_until("a driver works on a", || sandbox.process("orchestrate driver"));
    let agent = agent_on(&sandbox, "a").expect("an agent on a");
    let gone = pidfd_open(Pid::from_raw(agent).unwrap(), PidfdFlags::empty()).unwrap();
    let cut = |state: &str| ip(&format!("-n {} link set to-a {state}", machines.name("c")));
    cut("down");
    // Neither end can tell the other. The agent has a lease, after which nothing of it is left.
    let patience = Timespec { tv_sec: 60, tv_nsec: 0 };
    assert_eq!(
        poll(&mut [PollFd::new(&gone, PollFlags::IN)], Some(&patience)).unwrap(),
        1,
        "the agent is still there"
    );
    wait_until("nothing is left on a", || {
        (!sandbox.processes().iter().any(|&(pid, _)| is_on(&sandbox, "a", pid))).then_some(())
    });
    cut("up");
    assert_eq!(code(run.wait().unwrap()), 0);
    let rows = sandbox.rows("pair", "trials.csv");
    let ok =
        |host: &str| rows.iter().filter(|row| row["client_host"] == host && row["status"] == "ok").count();
    assert_eq!((ok("a"), ok("b")), (2, 2));
    let reasons: Vec<_> =
        rows.iter().filter(|row| row["status"] == "failed").map(|row| &row["error"]).collect();
    assert!(reasons.iter().any(|reason| reason.contains("went away")), "{reasons:?}");
    drop(machines);
    sandbox.expect_nobody_left();
}

#[test]
fn nodes_of_a_slurm_are_hosts() {
    let sandbox = Sandbox::new();
    let Some(cluster) = Cluster::new(&sandbox) else { return };
    // Both nodes are this machine; each must take itself for one of its own.
    let agent = sandbox.write(
        "agent",
        &format!("#!/bin/sh\nTMPDIR={}/$SLURMD_NODENAME exec {AGENT} \"$@\"\n", sandbox.path().display()),
    );
    fs::set_permissions(&agent, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let host = |name: &str, node: &str| {
        fs::create_dir(sandbox.path().join(node)).unwrap();
        let agent = agent.display();
        format!(
            "[host.{name}]\ntransport = 'slurm'\noptions = ['--nodelist={node}']\nagent = '{agent}'\naddress = '127.0.0.1'\n"
        )
    };
    let hosts = host("a", "n1") + &host("b", "n2");
    sandbox.write("pair.toml", &format!("name = 'pair'\n{hosts}{BOTH_WAYS}"));
    let output =
        sandbox.orchestrate(&["pair.toml"]).env("SLURM_CONF", &cluster.configuration).output().unwrap();
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    expect_both_ways(&sandbox, 24);
    sandbox.expect_nobody_left();
}

#[test]
fn how_far_two_machines_are_apart_stands_in_every_row() {
    let sandbox = Sandbox::new();
    let Some(machines) = Machines::new(&sandbox) else { return };
    // Each knows itself by its own address and the other one by that of the way to it. The ways are not equally long.
    let _ways = [("10.77.1.1:7002", "10.77.2.2:7002", "2ms"), ("10.77.2.1:7001", "10.77.1.2:7001", "6ms")]
        .map(|(near, far, delay)| DistantWay::new(&machines.name("c"), near, far, delay));
    let rest = "[workload]\nduration = '500ms'\nrate = 20\n[[matrix]]\n\
                hosts = [{ client = 'a', server = 'b' }, { client = 'b', server = 'a' }, 'a']\nmodes = 'sync'\n\
                [run]\nrepetitions = 3\nwarmup = 10\n";
    let text = over_ssh(rest).replace("10.77.3.1", "a.test:7001").replace("10.77.3.2", "b.test:7002");
    sandbox.write("pair.toml", &text);
    let output = machines.orchestrate(&sandbox, &["pair.toml"]).output().unwrap();
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let rows = sandbox.rows("pair", "trials.csv");
    assert_eq!(rows.len(), 9);
    for row in rows {
        let told = row["rtt_us"].parse::<f64>();
        let delay = match row["hosts"].as_str() {
            "a → b" => 2_000.0,
            "b → a" => 6_000.0,
            _ => {
                assert_eq!((row["link"].as_str(), told.is_err()), ("loopback", true));
                continue;
            }
        };
        assert_eq!(row["link"], "network");
        // Nothing is faster than the delay. How much slower it is depends on how busy this machine is.
        let told = told.unwrap();
        assert!((delay..10.0 * delay).contains(&told), "{told} µs with a delay of {delay} µs");
    }
    drop(machines);
    sandbox.expect_nobody_left();
}

/// A file whose one host is behind this shell script, which finds the agent's own command in its arguments.
fn behind_a_script(script: &str, more: &str) -> String {
    format!(
        "name = 'rude'\n[host.far]\ntransport = 'command'\nagent = '{AGENT}'\nprefix = ['sh', '-c', '''{script}''']\n{more}\n\
         [workload]\noperations = 20\n[[matrix]]\nhosts = 'far'\nmodes = 'sync'\n[run]\nrepetitions = 1\nwarmup = 0\n"
    )
}

#[test]
fn a_greeting_before_the_agent_answers_is_quoted_and_left_out() {
    let sandbox = Sandbox::new();
    let script = "echo Welcome to far; echo; echo \"{ 3 users }\"; exec \"$0\" \"$@\"";
    sandbox.write("rude.toml", &behind_a_script(script, ""));
    let output = sandbox.output(&["rude.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    assert!(stderr(&output).contains("host `far` printed `Welcome to far`"), "{}", stderr(&output));
    sandbox.expect_nobody_left();
}

#[test]
fn what_is_printed_between_answers_is_quoted_in_the_row() {
    let sandbox = Sandbox::new();
    // Behind the greeting and the first answers comes something else.
    let script = "\"$0\" \"$@\" | sed -u '6i\\Message of the day'";
    sandbox.write("rude.toml", &behind_a_script(script, ""));
    let output = sandbox.output(&["rude.toml"]);
    let said = stderr(&output) + &stdout(&output);
    assert_ne!(code(output.status), 0, "{said}");
    assert!(said.contains("it printed `Message of the day`, which is not an answer"), "{said}");
    sandbox.expect_nobody_left();
}

#[test]
fn a_host_that_prints_without_end_is_not_listened_to_without_end() {
    let sandbox = Sandbox::new();
    sandbox.write("rude.toml", &behind_a_script("exec yes no", ""));
    let output = sandbox.output(&["rude.toml"]);
    assert_eq!(code(output.status), 3, "{}", stderr(&output));
    assert!(stderr(&output).contains("it printed `no`, which is not an answer"), "{}", stderr(&output));
    sandbox.expect_nobody_left();
}

#[test]
fn a_host_that_never_answers_is_given_up_when_the_file_says_and_nothing_of_it_is_left() {
    let sandbox = Sandbox::new();
    let silent = "echo the queue is long >&2; trap \"\" TERM; while :; do sleep 1; done";
    sandbox.write("rude.toml", &behind_a_script(silent, "connect_timeout = '1s'"));
    let output = sandbox.output(&["rude.toml"]);
    assert_eq!(code(output.status), 3, "{}", stderr(&output));
    for part in ["no agent answered within 1s", "the queue is long", "`connect_timeout` in [host.far]"] {
        assert!(stderr(&output).contains(part), "{part}: {}", stderr(&output));
    }
    sandbox.expect_nobody_left();
}

#[test]
fn a_host_that_takes_its_time_is_waited_for_and_the_console_says_so() {
    let sandbox = Sandbox::new();
    let gate = sandbox.path().join("gate");
    assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
    let script = format!("read -r line < \"{}\"; exec \"$0\" \"$@\"", gate.display());
    sandbox.write("rude.toml", &behind_a_script(&script, ""));
    let mut run = sandbox.start(&["rude.toml"]);
    let said = || fs::read_to_string(sandbox.path().join("output")).unwrap();
    wait_until("the console says what is waited for", || {
        said().contains("waiting for host `far`").then_some(())
    });
    assert!(
        said().contains("up to 2m (`connect_timeout`)") || said().contains("up to 120s (`connect_timeout`)"),
        "{}",
        said()
    );
    fs::write(&gate, "go\n").unwrap();
    assert_eq!(code(run.wait().unwrap()), 0, "{}", said());
    sandbox.expect_nobody_left();
}

#[test]
fn whoever_interrupts_a_run_that_waits_for_a_host_leaves_no_command_behind() {
    let sandbox = Sandbox::new();
    sandbox.write("rude.toml", &behind_a_script("while :; do sleep 1; done", ""));
    let mut run = sandbox.start(&["rude.toml"]);
    wait_until("the host's command runs", || sandbox.process("while :"));
    signal(run.id().cast_signed(), Signal::INT);
    assert_eq!(code(run.wait().unwrap()), 130);
    sandbox.expect_nobody_left();
}
