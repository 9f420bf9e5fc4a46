//! Machines that a test makes itself: network namespaces with an sshd each, and ways between them that take time.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::sandbox::{Sandbox, private_directory, wait_until};

const AGENT: &str = env!("CARGO_BIN_EXE_orchestrate");
const SSHD: &str = "/usr/sbin/sshd";

/// Three machines as far as their networks are concerned: `c` for the coordinator, `a` and `b` with an sshd each, and a
/// cable between any two.
pub(crate) struct Machines {
    prefix: String,
    sshd: Vec<Child>,
    bin: PathBuf,
}

pub(crate) fn ip(words: &str) {
    let output = Command::new("ip").args(words.split_whitespace()).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

pub(crate) fn keygen(path: &Path) {
    let status = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
    assert!(status.unwrap().success());
}

/// Whether machines can be made here. One that checks every change must be able to.
pub(crate) fn can_be_made() -> bool {
    let root = cfg!(target_os = "linux") && rustix::process::geteuid().is_root();
    if !root || !Path::new(SSHD).exists() {
        assert!(std::env::var_os("CI").is_none(), "this test needs Linux, root and {SSHD}");
        eprintln!("network namespaces take Linux and root, and hosts in them {SSHD}: not tested here");
        return false;
    }
    true
}

impl Machines {
    /// `None` where they cannot be made.
    pub(crate) fn new(sandbox: &Sandbox) -> Option<Self> {
        if !can_be_made() {
            return None;
        }
        let path = sandbox.path();
        let prefix = path.file_name().unwrap().to_str().unwrap().replace('.', "");
        let mut machines = Self { prefix, sshd: Vec::new(), bin: path.join("bin") };
        let name = |host: &str| machines.name(host);
        for (host, own, other) in [
            ("a", "10.77.1.2 a.test", "10.77.1.1 b.test"),
            ("b", "10.77.2.2 b.test", "10.77.2.1 a.test"),
            ("c", "", ""),
        ] {
            let files = Path::new("/etc/netns").join(name(host));
            fs::create_dir_all(&files).unwrap();
            fs::write(files.join("hosts"), format!("127.0.0.1 localhost\n{own}\n{other}\n")).unwrap();
            ip(&format!("netns add {}", name(host)));
            ip(&format!("-n {} link set lo up", name(host)));
        }
        for (net, one, other) in [(1, "c", "a"), (2, "c", "b"), (3, "a", "b")] {
            let (from, to) = (name(one), name(other));
            ip(&format!("-n {from} link add to-{other} type veth peer name to-{one} netns {to}"));
            ip(&format!("-n {from} addr add 10.77.{net}.1/24 dev to-{other}"));
            ip(&format!("-n {to} addr add 10.77.{net}.2/24 dev to-{one}"));
            ip(&format!("-n {from} link set to-{other} up"));
            ip(&format!("-n {to} link set to-{one} up"));
        }
        keygen(&path.join("user"));
        fs::create_dir_all("/run/sshd").unwrap();
        let mut config = format!(
            "Host *\nUser root\nIdentityFile {0}/user\nIdentitiesOnly yes\nUserKnownHostsFile {0}/known\n\
             StrictHostKeyChecking yes\n",
            path.display()
        );
        let mut known = String::new();
        for (host, address) in [("a", "10.77.1.2"), ("b", "10.77.2.2")] {
            let own = path.join(host);
            private_directory(&own.join("tmp"));
            keygen(&own.join("key"));
            let public = fs::read_to_string(own.join("key.pub")).unwrap();
            known += &format!("{address} {public}");
            config += &format!("Host {host}\nHostName {address}\n");
            let sshd_config = format!(
                "ListenAddress {address}\nHostKey {0}/key\nAuthorizedKeysFile {1}/user.pub\nPermitRootLogin yes\n\
                 StrictModes no\nUsePAM no\nPidFile none\nSetEnv TMPDIR={0}/tmp XDG_CACHE_HOME={0}/cache\n",
                own.display(),
                path.display()
            );
            fs::write(own.join("sshd_config"), sshd_config).unwrap();
            let mut sshd = Command::new("ip");
            sshd.args(["netns", "exec", &machines.name(host), SSHD, "-D", "-e", "-f"]);
            sshd.arg(own.join("sshd_config")).stdin(Stdio::null()).stderr(Stdio::null());
            machines.sshd.push(sshd.spawn().unwrap());
        }
        for sshd in &machines.sshd {
            // The sockets of its namespace: one that listens (0A) on port 22.
            let sockets = format!("/proc/{}/net/tcp", sshd.id());
            wait_until("sshd listens", || {
                let listens = |line: &str| line.contains(":0016 00000000:0000 0A");
                fs::read_to_string(&sockets).ok()?.lines().any(listens).then_some(())
            });
        }
        fs::write(path.join("known"), known).unwrap();
        fs::write(path.join("config"), config).unwrap();
        fs::create_dir(&machines.bin).unwrap();
        let ssh = machines.bin.join("ssh");
        fs::write(&ssh, format!("#!/bin/sh\nexec /usr/bin/ssh -F {}/config \"$@\"\n", path.display()))
            .unwrap();
        fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Some(machines)
    }

    pub(crate) fn name(&self, host: &str) -> String {
        format!("{}-{host}", self.prefix)
    }

    /// The program, to be started on `c`. It takes the place of the `ip` that moves it there.
    pub(crate) fn orchestrate(&self, sandbox: &Sandbox, args: &[&str]) -> Command {
        let path = std::env::var("PATH").unwrap();
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.name("c"), AGENT])
            .args(args)
            .current_dir(sandbox.path())
            .env("PATH", format!("{}:{path}", self.bin.display()))
            .env("TMPDIR", sandbox.path().join("tmp"))
            .env("ORCHESTRATE_AGENTS", sandbox.path().join("builds"))
            .env("NO_COLOR", "1")
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn output(&self, sandbox: &Sandbox, args: &[&str]) -> Output {
        self.orchestrate(sandbox, args).output().unwrap()
    }

    /// What `redis-cli` on a host says to a PING.
    pub(crate) fn ping(&self, from: &str, address: &str, port: &str) -> String {
        let host = self.name(from);
        let words = ["netns", "exec", &host, "redis-cli", "-h", address, "-p", port, "ping"];
        let output = Command::new("ip").args(words).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }
}

impl Drop for Machines {
    fn drop(&mut self) {
        for sshd in &mut self.sshd {
            let _ = sshd.kill();
            let _ = sshd.wait();
        }
        for host in ["a", "b", "c"] {
            let _ = Command::new("ip").args(["netns", "del", &self.name(host)]).status();
            let _ = fs::remove_dir_all(Path::new("/etc/netns").join(self.name(host)));
        }
    }
}

/// A way with a distance, as `scripts/delay` makes it; it ends when this is dropped.
pub(crate) struct DistantWay(Child);

impl DistantWay {
    pub(crate) fn new(namespace: &str, near: &str, far: &str, delay: &str) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/delay");
        let mut way = Command::new("ip")
            .args(["netns", "exec", namespace, script, near, far, delay])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(way.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "listening\n");
        Self(way)
    }
}

impl Drop for DistantWay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
