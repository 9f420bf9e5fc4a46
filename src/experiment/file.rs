//! The experiment file, field for field, as serde reads it and as the JSON Schema describes it. What is absent is
//! `None` here; what a value means is decided elsewhere. The comments are the descriptions that an editor shows.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::given::{Constants, Factors};
use super::literals::{PlacementForm, RepetitionsForm, Time, WarmupForm};
use super::server_literals::{ClusterForm, Password, TlsForm};
use super::spanned::{At, Table};
use super::{Lifetime, LoadGenerator, Order, Support};
use crate::setting::{Named, Scalar};

/// An experiment on ways of talking to Redis: what is varied, what is measured, and how the run is carried out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(title = "Experiment of orchestrate", extend("required" = ["name", "matrix"]))]
pub(super) struct File {
    /// The name of the experiment; results go to `results/<name>/`. Letters, digits, `.`, `_` and `-`.
    pub(super) name: Option<At<String>>,
    /// What the experiment is to answer; shown in the report.
    pub(super) question: Option<At<String>>,
    /// Files with more `[mode.*]`, `[server.*]` and `[host.*]` tables; paths relative to this file, or
    /// `builtin:NAME` for one inside the program.
    pub(super) include: Option<At<Vec<At<String>>>>,
    /// What every trial does, where no matrix says otherwise.
    pub(super) workload: Option<At<Table<Constants>>>,
    /// Servers by name. `redis` always exists.
    pub(super) server: BTreeMap<String, At<Table<Server>>>,
    /// Hosts by name. `local` always exists.
    pub(super) host: BTreeMap<String, At<Table<Host>>>,
    /// Modes with a driver of their own, by name. Built-in modes need no table.
    pub(super) mode: BTreeMap<String, At<Table<Mode>>>,
    /// Every combination of the lists of a matrix is a cell; several matrices are a union.
    pub(super) matrix: Vec<At<Table<Factors<true>>>>,
    /// How the run is carried out.
    pub(super) run: Option<At<Table<Run>>>,
}

/// A file that experiments include: modes, servers and hosts, nothing else.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Included {
    pub(super) server: BTreeMap<String, At<Table<Server>>>,
    pub(super) host: BTreeMap<String, At<Table<Host>>>,
    pub(super) mode: BTreeMap<String, At<Table<Mode>>>,
}

/// A server: one that orchestrate starts (`program`) or one that somebody else runs (`address`).
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Server {
    /// The program, looked up on the server host's PATH; "redis-server" if absent.
    pub(super) program: Option<At<String>>,
    /// Its arguments, without port, sockets and directory; no persistence if absent.
    pub(super) args: Option<At<Vec<At<String>>>>,
    /// A command that is run in the directory of this file before anything is measured, such as a download; a `program` with a
    /// slash is then looked up from there.
    pub(super) prepare: Option<At<Vec<At<String>>>>,
    /// How long one process serves; "run" if absent.
    pub(super) lifetime: Option<At<Lifetime>>,
    /// For a server that orchestrate starts: of how many masters to make a cluster, without replicas. For one that somebody else
    /// runs: whether `address` is that of a node of a cluster.
    pub(super) cluster: Option<At<ClusterForm>>,
    /// HOST:PORT of a server that somebody else runs, or a URL such as rediss://user@host:6380/2. It is never configured or
    /// stopped.
    pub(super) address: Option<At<String>>,
    /// The password of a server that somebody else runs, by the environment variable that holds it.
    pub(super) password: Option<At<Password>>,
    /// The ACL user of a server that somebody else runs.
    pub(super) username: Option<At<String>>,
    /// The number of the database on a server that somebody else runs; 0 if absent.
    pub(super) db: Option<At<u32>>,
    /// Whether a server that somebody else runs speaks TLS, or by which files the two know each other.
    pub(super) tls: Option<At<TlsForm>>,
    /// Whether FLUSHALL is permitted on a server that somebody else runs, if it was empty at first sight.
    pub(super) allow_flush: Option<At<bool>>,
}

/// A machine and the way to reach it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("required" = ["transport"]))]
pub(super) struct Host {
    /// How to reach an agent there.
    pub(super) transport: Option<At<TransportWord>>,
    /// ssh: the destination; user, port and key live in ~/.ssh/config.
    pub(super) target: Option<At<String>>,
    /// Where other hosts reach a server started here: an IP address, and with ":7001" or ":7001-7010" the ports that it
    /// may have.
    pub(super) address: Option<At<String>>,
    /// On which CPUs the two sides of a trial run here where the placement is "free", such as
    /// { server = [0], client = [1] }.
    pub(super) pin: Option<At<PlacementForm>>,
    /// This program there: a path, or a name on PATH; "orchestrate" if absent.
    pub(super) agent: Option<At<String>>,
    /// slurm: options for srun.
    pub(super) options: Option<At<Vec<At<String>>>>,
    /// command: the words that stand before the agent's own command, such as ["docker", "exec", "-i", "box"].
    pub(super) prefix: Option<At<Vec<At<String>>>>,
    /// How long it may take until an agent answers there, such as the time that a job waits in a queue; "2m", or "1h" for
    /// slurm, if absent.
    pub(super) connect_timeout: Option<At<Time>>,
}

/// A way to reach an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TransportWord {
    /// A child process.
    Local,
    /// The system's OpenSSH.
    Ssh,
    /// srun.
    Slurm,
    /// Any program that hands over a standard input and output.
    Command,
}

/// A mode with a driver of its own, or a load generator.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("anyOf" = [{"required": ["command"]}, {"required": ["load_generator"]}]))]
pub(super) struct Mode {
    /// Program and arguments of the driver. A program with a slash is looked up from the directory of this file.
    pub(super) command: Option<At<Vec<At<String>>>>,
    /// The command is no driver but this load generator; without `command` it is looked up on PATH.
    pub(super) load_generator: Option<At<LoadGenerator>>,
    /// A command that is run in the directory of this file before anything is measured, such as an installation.
    pub(super) prepare: Option<At<Vec<At<String>>>>,
    /// Whether a run goes on without this mode where it is unavailable; false if absent.
    pub(super) optional: Option<At<bool>>,
    /// What the client is told in words of its own, such as { pool = 8 }.
    pub(super) options: Option<At<Named>>,
    /// Variables of its environment, such as { MALLOC_ARENA_MAX = 1 }.
    pub(super) env: Option<At<Named>>,
    /// The workloads that it has; ["set-get"] if absent.
    pub(super) workloads: Option<At<Vec<At<String>>>>,
    /// What its driver supports of a connection beside a host, a port and a password; nothing if absent.
    pub(super) supports: Option<At<Vec<Support>>>,
}

/// How the run is carried out.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Run {
    /// How often every cell is executed; 5 if absent.
    pub(super) repetitions: Option<At<RepetitionsForm>>,
    /// The order of trials; "shuffled-blocks" if absent.
    pub(super) order: Option<At<Order>>,
    /// Everything random follows from it; 20170309 if absent.
    pub(super) seed: Option<At<u64>>,
    /// On which CPUs client and server run; "free" if absent.
    pub(super) placement: Option<At<PlacementForm>>,
    /// What is done before the measured part and not counted; "500ms" if absent.
    pub(super) warmup: Option<At<WarmupForm>>,
    /// How long one trial may take; "60s" if absent.
    pub(super) timeout: Option<At<Time>>,
    /// How often a failed trial is tried again; 1 if absent.
    pub(super) retries: Option<At<u32>>,
    /// Whether the first cell is measured twice, as two cells, to see what the same differs by; false if absent.
    pub(super) control: Option<At<bool>>,
    /// What this run is called in reports and comparisons, such as { commit = "1f3c9a2" }; `--label` sets more.
    pub(super) labels: BTreeMap<String, At<Scalar>>,
}
