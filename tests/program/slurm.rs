//! A Slurm that a test makes itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::sandbox::{Sandbox, wait_until};

/// A Slurm of one machine with two nodes, `n1` and `n2`. Ends with the test.
pub(crate) struct Cluster {
    daemons: Vec<Child>,
    pub(crate) configuration: PathBuf,
}

impl Cluster {
    /// `None` where there is no Slurm. A machine that checks every change must have it.
    pub(crate) fn new(sandbox: &Sandbox) -> Option<Self> {
        let there = ["munged", "slurmctld", "slurmd"].map(|name| Path::new("/usr/sbin").join(name));
        if !rustix::process::geteuid().is_root() || !there.iter().all(|path| path.exists()) {
            assert!(std::env::var_os("CI").is_none(), "this test needs root, slurm-wlm and munge");
            eprintln!("a Slurm takes root, slurm-wlm and munge: not tested here");
            return None;
        }
        let place = sandbox.path().join("slurm");
        for directory in ["state", "n1", "n2"] {
            fs::create_dir_all(place.join(directory)).unwrap();
        }
        let host = Command::new("hostname").arg("-s").output().unwrap();
        let host = String::from_utf8(host.stdout).unwrap();
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let [controller, one, two] =
            [free(), free(), free()].map(|listener| listener.local_addr().unwrap().port());
        let configuration = place.join("slurm.conf");
        let text = format!(
            "ClusterName=test\nSlurmctldHost={host}(127.0.0.1)\nSlurmctldPort={controller}\nSlurmUser=root\nSlurmdUser=root\n\
             AuthType=auth/munge\nAuthInfo=socket={place}/munge.sock\nCredType=cred/munge\nMpiDefault=none\n\
             StateSaveLocation={place}/state\nSlurmdSpoolDir={place}/%n\nSlurmctldPidFile={place}/ctld.pid\n\
             SlurmdPidFile={place}/%n.pid\nSlurmctldLogFile={place}/ctld.log\nSlurmdLogFile={place}/%n.log\n\
             ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nSelectType=select/linear\nReturnToService=2\n\
             NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={one}\n\
             NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={two}\n\
             PartitionName=all Nodes=n1,n2 Default=YES State=UP\n",
            host = host.trim(),
            place = place.display(),
        );
        fs::write(&configuration, text).unwrap();
        let mut key = fs::File::create(place.join("munge.key")).unwrap();
        std::io::copy(&mut std::io::Read::take(fs::File::open("/dev/urandom").unwrap(), 1024), &mut key)
            .unwrap();
        fs::set_permissions(place.join("munge.key"), std::os::unix::fs::PermissionsExt::from_mode(0o400))
            .unwrap();
        let mut cluster = Self { daemons: Vec::new(), configuration };
        let file = |option: &str, name: &str| format!("--{option}-file={}/munge.{name}", place.display());
        let socket = format!("--socket={}/munge.sock", place.display());
        cluster.start(
            "munged",
            &[
                "--foreground",
                "--force",
                &socket,
                &file("key", "key"),
                &file("pid", "pid"),
                &file("log", "log"),
                &file("seed", "seed"),
            ],
        );
        wait_until("munged listens", || place.join("munge.sock").exists().then_some(()));
        cluster.start("slurmctld", &["-D", "-c"]);
        cluster.start("slurmd", &["-D", "-N", "n1"]);
        cluster.start("slurmd", &["-D", "-N", "n2"]);
        wait_until("both nodes are idle", || {
            let mut states = Command::new("sinfo");
            states.args(["-h", "-N", "-o", "%t"]).env("SLURM_CONF", &cluster.configuration);
            let output = states.output().unwrap();
            (output.stdout == b"idle\nidle\n").then_some(())
        });
        Some(cluster)
    }

    fn start(&mut self, daemon: &str, args: &[&str]) {
        let mut command = Command::new(Path::new("/usr/sbin").join(daemon));
        command.args(args).env("SLURM_CONF", &self.configuration);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.daemons.push(command.spawn().unwrap());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for daemon in self.daemons.iter_mut().rev() {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
