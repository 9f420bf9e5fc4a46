//! What an experiment file may say, and what is said of one that is wrong.

#[cfg(test)]
mod accepted;
#[cfg(test)]
mod built_in_files;
#[cfg(test)]
mod invariants;
#[cfg(test)]
mod mistakes;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orchestrate::experiment::{
    Absent, Amount, Builtin, BuiltinMode, Diagnostics, Directory, Experiment, Factor, Include, Level,
    ServerSpec, Source, Split, Support, Threads, data_directory, includes, parse, resolved_text, schema,
    shipped,
};
use orchestrate::plan::Plan;
use orchestrate::units::Nanos;
use orchestrate::workload::Kind;
use proptest::prelude::*;

/// The example of the documentation.
const COMPLETE: &str = include_str!("complete.toml");
const PYTHON: &str = include_str!("python.toml");

const fn mode(name: &'static str, can_pipeline: bool, can_rate: bool, by_default: bool) -> BuiltinMode {
    BuiltinMode {
        name,
        summary: "",
        client: "",
        concurrency: "",
        threads: Threads::One,
        can_pipeline,
        can_rate,
        workloads: Kind::ALL,
        supports: &[Support::Tls, Support::Username],
        options: &[],
        by_default,
    }
}

const MODES: Builtin<'_> = Builtin {
    modes: &[
        mode("sync", false, true, true),
        mode("sync-pipe", true, false, true),
        mode("async", false, true, true),
        mode("async-pipe", true, false, true),
        mode("multiplexed", false, true, true),
        mode("other", true, true, false),
    ],
    absent: &[Absent { feature: "rare", modes: &["rare", "rare-pipe"] }],
};

fn source(name: &str, text: impl AsRef<[u8]>) -> Source {
    let directory = PathBuf::from("/experiments").into();
    Source { name: name.to_owned(), directory, bytes: text.as_ref().to_vec() }
}

fn read(text: &str) -> Result<Experiment, Diagnostics> {
    parse(&source("sweep.toml", text), &[], &MODES)
}

fn good(text: &str) -> Experiment {
    read(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// What is said of a file that is wrong.
fn complaint(text: &str) -> String {
    read(text).expect_err("the file is wrong").to_string()
}

/// What is said of files that would be right but for one part each.
fn complaints(parts: &[&str]) -> String {
    let mut out = String::new();
    for part in parts {
        let name = if part.contains("name =") { "" } else { "name = \"n\"\n" };
        let matrix = if part.contains("[[matrix]]") { "" } else { "\n[[matrix]]\n" };
        let text = format!("{name}{part}{matrix}");
        out += &format!("{}\n{}\n\n", "=".repeat(80), complaint(&text));
    }
    out
}

fn complaint_with_include(main: &str, included: &str) -> String {
    let (main, included) = (source("sweep.toml", main), source("../drivers/python.toml", included));
    parse(&main, &[included], &MODES).expect_err("the files are wrong").to_string()
}

fn complete() -> (Source, Source) {
    let python =
        Source { directory: PathBuf::from("/drivers").into(), ..source("../drivers/python.toml", PYTHON) };
    (source("experiments/sweep.toml", COMPLETE), python)
}

const EVERY_KEY: &str = r#"
name = "every-key.1"
question = "Is every key read?"
[workload]
kind = "set-get"
duration = "1m 30s"
value_bytes = 0
pipeline = 2
rate = 1_000
verify = false
split = "even"
link = "unix"
[server.theirs]
address = "[::1]:6380"
password = { env = "THEIR_PASSWORD" }
allow_flush = true
[server.redis]
lifetime = "trial"
[server.mine]
program = "/opt/redis/redis-server"
args = ["--io-threads", "4"]
[host.near]
transport = "local"
[host.far]
transport = "ssh"
target = "me@far"
address = "10.0.0.2:7001-7010"
agent = "~/bin/orchestrate"
pin = { server = [0], client = [1, 2] }
[host.node]
transport = "slurm"
options = ["--partition=short", "-w", "n1"]
connect_timeout = "30m"
[host.box]
transport = "command"
prefix = ["docker", "exec", "-i", "box"]
[mode.own]
command = ["./driver", ""]
[[matrix]]
hosts = ["near", { client = "far", server = "node" }]
servers = ["redis", "mine"]
modes = ["own"]
workers = { from = 1, to = 9, step = 4 }
workload.duration = ["10s", "20s"]
workload.value_bytes = [1, 2]
workload.pipeline = { from = 1, to = 100, points = 3, scale = "log" }
workload.rate = 7
workload.verify = [true, false]
workload.split = "even"
workload.link = "tcp"
server.args = ["--save", ""]
server.lifetime = ["run", "trial"]
run.placement = ["free", "same-core", "separate-cpus", { server = [0], client = [2, 1] }]
run.warmup = ["0s", 100]
exclude = [{ workers = [1, 5], run.warmup = 100 }, { hosts = { client = "far", server = "node" }, servers = "mine" }]
[run]
repetitions = { min = 6, max = 30, until = "2.5%" }
order = "sequential"
seed = 18_446_744_073_709_551_615
placement = { server = [3], client = [2, 2] }
warmup = 50
timeout = "5m"
retries = 0
control = true
labels = { branch = " main\n", pr = 7, tag = "" }
"#;
