//! Modes: those that are built in, those with a driver of their own, and load generators. Only names and abilities; the
//! code behind them is in [`crate::driver`].

use std::fmt;

use serde::{Deserialize, Serialize};

use super::source::Directory;
use crate::setting::{Named, Scalar};
use crate::workload::Kind;

/// A mode that needs no table in the file, and what it can do. The experiment only knows names and abilities; the
/// code behind them is in [`crate::driver`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltinMode {
    /// The name in files and tables.
    pub name: &'static str,
    /// One line for `orchestrate modes`.
    pub summary: &'static str,
    /// Client library and version.
    pub client: &'static str,
    /// How workers are carried, in a few words.
    pub concurrency: &'static str,
    /// How many threads do the work.
    pub threads: Threads,
    /// Whether more than one operation may share a round trip (`workload.pipeline` above 1).
    pub can_pipeline: bool,
    /// Whether it keeps to `workload.rate`.
    pub can_rate: bool,
    /// The workloads that it has.
    pub workloads: &'static [Kind],
    /// What of a connection it supports.
    pub supports: &'static [Support],
    /// The options that it knows.
    pub options: &'static [BuiltinOption],
    /// Whether a matrix that names no modes includes it. Any other mode is in a plan only if it is named, so that a build with
    /// one library more plans the same trials.
    pub by_default: bool,
}

/// What a client may or may not support of a connection, beside a host, a port and a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    /// TLS.
    Tls,
    /// An ACL user.
    Username,
    /// A database other than the first.
    Db,
    /// A cluster: it finds the nodes, and sends each key to the one that has it.
    Cluster,
}

impl Support {
    /// All of them.
    pub(crate) const ALL: &'static [Self] = &[Self::Tls, Self::Username, Self::Db, Self::Cluster];

    /// The word in files.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tls => "tls",
            Self::Username => "username",
            Self::Db => "db",
            Self::Cluster => "cluster",
        }
    }

    /// What a client without this support cannot do.
    pub(super) const fn does(self) -> &'static str {
        match self {
            Self::Tls => "speak TLS",
            Self::Username => "log in as an ACL user",
            Self::Db => "select a database",
            Self::Cluster => "talk to a cluster",
        }
    }
}

/// An option of a built-in mode.
#[derive(Clone, Copy, Debug)]
pub struct BuiltinOption {
    /// Its name.
    pub name: &'static str,
    /// What its value may be, in words.
    pub values: &'static str,
    /// Whether its value may be this one.
    pub admits: fn(&Scalar) -> bool,
}

impl PartialEq for BuiltinOption {
    /// An option is identified by its name.
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for BuiltinOption {}

impl BuiltinMode {
    /// Why it cannot have these options, if it cannot.
    #[must_use]
    pub fn refuses(&self, options: &Named) -> Option<String> {
        options.0.iter().find_map(|(name, value)| {
            let Some(option) = self.options.iter().find(|option| option.name == name) else {
                let known: Vec<_> = self.options.iter().map(|option| format!("`{}`", option.name)).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                return Some(format!("`{}` knows no option `{name}`; it has {known}", self.name));
            };
            let says = || format!("the option `{name}` of `{}` is {}, not {value}", self.name, option.values);
            (!(option.admits)(value)).then(says)
        })
    }
}

/// The modes that need no table in the file.
#[derive(Clone, Copy, Debug)]
pub struct Builtin<'a> {
    /// Those of this build.
    pub modes: &'a [BuiltinMode],
    /// Those of other builds.
    pub absent: &'a [Absent],
}

impl Builtin<'_> {
    /// The cargo feature that this build lacks for a mode of this name, if there is one.
    #[must_use]
    pub fn lacks(&self, name: &str) -> Option<&'static str> {
        self.absent.iter().find(|absent| absent.modes.contains(&name)).map(|absent| absent.feature)
    }
}

/// Modes that a program has only if it was built with a cargo feature, and this one was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    /// The feature.
    pub feature: &'static str,
    /// The names of the modes.
    pub modes: &'static [&'static str],
}

/// How many threads of a client do the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// One, however many workers there are.
    One,
    /// One for each worker.
    PerWorker,
    /// One for each CPU that the client may use.
    PerCpu,
}

impl Threads {
    /// How many CPUs they can keep busy, if the client may use `cpus`.
    #[must_use]
    pub fn can_use(self, workers: u32, cpus: u32) -> u32 {
        match self {
            Self::One => 1,
            Self::PerWorker => workers.min(cpus),
            Self::PerCpu => cpus,
        }
    }
}

/// A mode that is not built in: a driver of its own, or a load generator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ModeSpec {
    /// Program and arguments, as written in the file. A program with a slash that is not absolute is looked up
    /// from `directory`.
    pub command: Vec<String>,
    /// Which load generator the command starts; absent if it starts a driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_generator: Option<LoadGenerator>,
    /// What the client is told in words of its own, where the matrix does not say otherwise.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub options: Named,
    /// Variables of its environment, likewise.
    #[serde(skip_serializing_if = "Named::is_empty")]
    pub env: Named,
    /// The workloads that it has; never empty. Like everything below, not part of a cell's identity.
    #[serde(skip)]
    pub workloads: Vec<Kind>,
    /// What of a connection it supports.
    #[serde(skip)]
    pub supports: Vec<Support>,
    /// What is run in `directory` before anything is measured, such as the installation of a client library; empty
    /// if there is nothing to prepare.
    #[serde(skip)]
    pub prepare: Vec<String>,
    /// Whether a run goes on without this mode where it is unavailable.
    #[serde(skip)]
    pub optional: bool,
    /// The directory of the file that names the mode.
    #[serde(skip)]
    pub directory: Directory,
}

impl ModeSpec {
    /// How many threads do the work, where the command line tells: redis-benchmark has one unless it says otherwise.
    #[must_use]
    pub fn threads(&self) -> Option<Threads> {
        match self.load_generator? {
            LoadGenerator::RedisBenchmark | LoadGenerator::ValkeyBenchmark => {
                let many = self.command.iter().any(|word| word == "--threads");
                (!many).then_some(Threads::One)
            }
            LoadGenerator::Memtier => None,
        }
    }
}

/// A program that makes load by itself and speaks no driver protocol. How each is told what to do, and what it says,
/// is known to [`crate::driver`].
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub enum LoadGenerator {
    /// Comes with Redis.
    #[serde(rename = "redis-benchmark")]
    RedisBenchmark,
    /// Comes with Valkey.
    #[serde(rename = "valkey-benchmark")]
    ValkeyBenchmark,
    /// Redis Ltd.'s other one.
    #[serde(rename = "memtier_benchmark")]
    Memtier,
}

impl LoadGenerator {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::RedisBenchmark, Self::ValkeyBenchmark, Self::Memtier];

    /// What they support of a connection. A password would be visible on their command line.
    pub(super) const SUPPORTS: &'static [Support] = &[Support::Tls, Support::Db];

    /// The word in files, which is also what the program is called.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RedisBenchmark => "redis-benchmark",
            Self::ValkeyBenchmark => "valkey-benchmark",
            Self::Memtier => "memtier_benchmark",
        }
    }
}

impl fmt::Display for LoadGenerator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_benchmark_has_one_thread_unless_its_command_asks_for_more() {
        let threads = |load_generator, command: &[&str]| {
            let command = command.iter().map(|&word| word.to_owned()).collect();
            let directory = std::path::PathBuf::new().into();
            let workloads = vec![Kind::SetGet];
            let mode = ModeSpec {
                options: Named::default(),
                env: Named::default(),
                command,
                load_generator,
                workloads,
                supports: Vec::new(),
                prepare: Vec::new(),
                optional: false,
                directory,
            };
            mode.threads()
        };
        let generator = Some(LoadGenerator::RedisBenchmark);
        assert_eq!(threads(generator, &["redis-benchmark"]), Some(Threads::One));
        assert_eq!(threads(generator, &["redis-benchmark", "--threads", "4"]), None);
        assert_eq!(threads(Some(LoadGenerator::Memtier), &["memtier_benchmark"]), None);
        assert_eq!(threads(None, &["./my_client.py"]), None);
    }
}
