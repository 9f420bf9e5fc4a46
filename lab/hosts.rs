//! What other hosts cost: the time and memory of a coordinator that looks after many of them, and what a trial over a
//! warm ssh connection takes more than a local one.
//!
//! `cargo bench --bench hosts` prints figures beside their targets. It needs redis-server on PATH and, for the second
//! part, OpenSSH with its sshd, which it starts on a free port of 127.0.0.1 with keys of its own. All hosts are this
//! machine, so that clients and servers of all of them share its CPUs: trials keep to a low rate. Environment: `HOSTS`
//! (default 1,10,100), `TRIALS` of each host (default 10), `PAIRS` (default 5).

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use wait4::Wait4;

/// At most, of one core, for the coordinator of 100 hosts.
const CORES: f64 = 0.2;
const MEGABYTES: f64 = 200.0;
/// At most, over ssh, in milliseconds more than the same trial on a local host.
const SSH_MS: f64 = 20.0;
/// How long each trial of the first part measures, in seconds.
const TRIAL_S: f64 = 2.0;

const SSHD: &str = "/usr/sbin/sshd";

fn main() {
    let directory = tempfile::Builder::new().prefix("orc").tempdir_in("/tmp").expect("a temporary directory");
    fleet(directory.path());
    over_ssh(directory.path());
}

fn orchestrate(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrate"));
    command.args(args).current_dir(directory).env("TMPDIR", directory);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Runs with different numbers of hosts and the same number of trials for each of them.
fn fleet(directory: &Path) {
    let trials: u32 = setting("TRIALS", "10").parse().expect("a number");
    println!("{trials} trials of {TRIAL_S} s on each host, one agent for each host on this machine");
    println!(
        "{:>6}  {:>10}  {:>18}  {:>16}  {:>9}",
        "hosts", "wall, s", "all trials, s", "coordinator, core", "peak, MB"
    );
    let mut walls = Vec::new();
    let mut pass = true;
    for hosts in setting("HOSTS", "1,10,100").split(',').map(|n| n.parse::<u32>().expect("a number")) {
        let agent = env!("CARGO_BIN_EXE_orchestrate");
        let mut text = format!("name = \"fleet{hosts}\"\n");
        for host in 0..hosts {
            let own = directory.join(format!("h{host}"));
            fs::create_dir_all(&own).expect("the directory is ours");
            text += &format!(
                "[host.h{host}]\ntransport = \"command\"\nprefix = [\"env\", \"TMPDIR={}\"]\nagent = \"{agent}\"\n",
                own.display()
            );
        }
        let names: Vec<String> = (0..hosts).map(|host| format!("\"h{host}\"")).collect();
        text += &format!(
            "[workload]\nduration = \"{TRIAL_S}s\"\nrate = 50\n[[matrix]]\nhosts = [{}]\nmodes = \"sync\"\n\
             [run]\nrepetitions = {trials}\nwarmup = 0\n",
            names.join(", ")
        );
        fs::write(directory.join("fleet.toml"), text).expect("the directory is ours");
        let begun = Instant::now();
        let child = orchestrate(directory, &["--fresh", "fleet.toml"]).spawn().expect("orchestrate starts");
        let cpu = own_cpu(&child);
        let wall = begun.elapsed().as_secs_f64();
        let usage = child.wait4().expect("orchestrate ends");
        assert!(usage.status.success(), "the run with {hosts} hosts failed");
        // The largest of it and its agents.
        let peak = usage.rusage.maxrss as f64 / 1e6;
        let all = f64::from(hosts * trials) * TRIAL_S;
        println!("{hosts:>6}  {wall:>10.1}  {all:>18.0}  {:>17.3}  {peak:>9.1}", cpu / wall);
        pass &= cpu / wall < CORES && peak < MEGABYTES;
        walls.push(wall);
    }
    let growth = walls[walls.len() - 1] / walls[0];
    println!("growth of the whole time from the fewest to the most hosts: ×{growth:.2}");
    println!(
        "target: under {CORES} cores and {MEGABYTES} MB; time grows with trials for each host: {}\n",
        verdict(pass && growth < 2.0)
    );
}

/// Waits for the end of a process; its own CPU time in seconds, without that of its children.
fn own_cpu(child: &Child) -> f64 {
    let pid = Pid::from_child(child);
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).expect("it is our child");
    let stat = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
    // The name may hold anything but ends with the last parenthesis; utime and stime are the fields 14 and 15.
    let fields: Vec<&str> =
        stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / rustix::param::clock_ticks_per_second() as f64
}

/// Runs of trials of one operation on a local host and on the same machine behind ssh, interleaved.
fn over_ssh(directory: &Path) {
    let Some(mut sshd) = sshd(directory) else {
        println!("no {SSHD}: what ssh costs was not measured");
        return;
    };
    let pairs: usize = setting("PAIRS", "5").parse().expect("a number");
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").expect("PATH"));
    let agent = env!("CARGO_BIN_EXE_orchestrate");
    for (name, host) in [("local", "transport = \"local\""), ("ssh", "transport = \"ssh\"\ntarget = \"far\"")]
    {
        let text = format!(
            "name = \"{name}\"\n[host.h]\n{host}\nagent = \"{agent}\"\n[workload]\noperations = 1\n[[matrix]]\nhosts = \"h\"\n\
             modes = \"sync\"\n[run]\nrepetitions = 200\nwarmup = 0\n"
        );
        fs::write(directory.join(format!("{name}.toml")), text).expect("the directory is ours");
    }
    let (mut local, mut ssh, mut more) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..pairs {
        for (name, all) in [("local", &mut local), ("ssh", &mut ssh)] {
            let status =
                orchestrate(directory, &["--fresh", &format!("{name}.toml")]).env("PATH", &path).status();
            assert!(status.expect("orchestrate starts").success(), "the run over {name} failed");
            all.push(median_trial(&directory.join("results").join(name)));
        }
        more.push(ssh[ssh.len() - 1] - local[local.len() - 1]);
    }
    sshd.kill().expect("it is ours");
    sshd.wait().expect("it is ours");
    let (local, ssh, more) = (median(&mut local), median(&mut ssh), median(&mut more));
    println!(
        "a trial of one operation: local {local:.2} ms, over warm ssh {ssh:.2} ms, {more:+.2} ms (medians of {pairs} interleaved pairs)"
    );
    println!("target: at most {SSH_MS} ms more: {}", verdict(more <= SSH_MS));
}

/// An sshd of our own, and beside it an `ssh` that knows the way to it as `far`.
fn sshd(directory: &Path) -> Option<Child> {
    if !Path::new(SSHD).exists() {
        return None;
    }
    let at = directory.display();
    for key in ["host_key", "user_key"] {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(directory.join(key));
        assert!(keygen.status().ok()?.success(), "ssh-keygen makes no key");
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").ok()?.local_addr().ok()?.port();
    let user = Command::new("id").arg("-un").output().ok()?.stdout;
    let user = String::from_utf8_lossy(&user).trim().to_owned();
    let write =
        |name: &str, text: String| fs::write(directory.join(name), text).expect("the directory is ours");
    write(
        "sshd_config",
        format!(
            "ListenAddress 127.0.0.1:{port}\nHostKey {at}/host_key\nAuthorizedKeysFile {at}/user_key.pub\nStrictModes no\n\
             UsePAM no\nPidFile none\nPermitRootLogin yes\nSetEnv TMPDIR={at}\n"
        ),
    );
    let public = fs::read_to_string(directory.join("host_key.pub")).ok()?;
    write("known", format!("[127.0.0.1]:{port} {public}"));
    write(
        "config",
        format!(
            "Host far\nHostName 127.0.0.1\nPort {port}\nUser {user}\nIdentityFile {at}/user_key\nIdentitiesOnly yes\n\
             UserKnownHostsFile {at}/known\n"
        ),
    );
    write("ssh", format!("#!/bin/sh\nexec /usr/bin/ssh -F {at}/config \"$@\"\n"));
    fs::set_permissions(directory.join("ssh"), fs::Permissions::from_mode(0o755)).ok()?;
    // Only root's sshd needs it.
    let _ = fs::create_dir_all("/run/sshd");
    let mut command = Command::new(SSHD);
    command.args(["-D", "-f"]).arg(directory.join("sshd_config"));
    let sshd = command.stdin(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::yield_now();
    }
    Some(sshd)
}

/// The median time between the beginnings of successive trials in the newest run, in milliseconds.
fn median_trial(runs: &Path) -> f64 {
    let newest =
        fs::read_dir(runs).expect("runs").map(|entry| entry.expect("an entry").path()).max().expect("a run");
    let journal = BufReader::new(fs::File::open(newest.join("journal.jsonl")).expect("a journal"));
    let starts: Vec<jiff::Timestamp> = journal
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(&line.expect("a line")).expect("JSON"))
        .filter_map(|line| {
            line.get("trial").map(|trial| trial["started_at"].as_str().expect("a time").parse())
        })
        .map(|time| time.expect("a time"))
        .collect();
    let mut gaps: Vec<f64> = starts
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).total(jiff::Unit::Millisecond).expect("a span"))
        .collect();
    median(&mut gaps)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn verdict(pass: bool) -> &'static str {
    if pass { "PASS" } else { "FAIL" }
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
