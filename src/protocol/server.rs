//! Calls about a server: to start, describe, place, reset and stop it, and to ask what it counted.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AppliedPlacement, Call, DriverDirectory, Endpoint};
use crate::experiment::{Address, Placement};
use crate::units::Nanos;

/// Makes sure that a server is up, and that it persists what its command line says and nothing else; starts or restarts
/// it if need be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerStart {
    /// The coordinator's name for this server process; any number may be up side by side.
    pub key: String,
    /// What to start, or where it is.
    pub launch: Launch,
    /// Whether a process that is already up is to be replaced.
    pub fresh: bool,
}

/// What to start, or where it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Launch {
    /// A server process of our own, on a free port of 127.0.0.1 and a Unix socket, or for clients on other hosts.
    Managed {
        /// Looked up on PATH.
        program: String,
        /// The directory from which a program with a slash is looked up; absent: the one from which the agent was started.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        directory: Option<DriverDirectory>,
        /// Command line.
        args: Vec<String>,
        /// For clients on other hosts: the only address on which it listens, asking for a random password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<Address>,
        /// Whether it also speaks TLS, on a port of its own and with a certificate made for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        tls: bool,
        /// The number of processes that form a cluster; absent: a single server that stands alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        masters: Option<u32>,
    },
    /// A server that somebody else runs.
    External {
        /// Where.
        endpoint: Endpoint,
        /// FLUSHALL is permitted if the server was empty at first sight.
        allow_flush: bool,
    },
}

/// A server that answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerUp {
    /// Its address; both TCP and Unix socket are given when both exist.
    pub endpoint: Endpoint,
    /// Where it speaks TLS, if it was asked to and we started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_endpoint: Option<Endpoint>,
    /// What it is.
    pub identity: ServerIdentity,
    /// Whether this call started a process.
    pub started: bool,
    /// Whether the server is flushed between trials; if not, drivers delete their keys.
    pub flushes: bool,
    /// How many clients it accepts, where it reports this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientLimit>,
}

/// How many clients a server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientLimit {
    /// `maxclients`, which a server lowers where the system allows it fewer open files.
    pub most: u64,
    /// The clients that were connected when it was first seen, including the one that asked.
    pub connected: u64,
}

/// What a server says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerIdentity {
    /// `redis`, `valkey` or what the server calls itself.
    pub name: String,
    /// Its own version: `valkey_version` for Valkey, which reports a Redis version for compatibility.
    pub version: String,
    /// Memory allocator, such as `jemalloc-5.3.0`.
    pub allocator: Option<String>,
    /// Whether `save` or `appendonly` is on, as the command line asked.
    pub persistence: bool,
    /// How many masters its cluster has; absent if it stands alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masters: Option<u32>,
}

impl std::fmt::Display for ServerIdentity {
    /// As in `redis 8.2.3`, or `redis 8.2.3 (cluster of 3)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.name, self.version)?;
        match self.masters {
            None => Ok(()),
            Some(masters) => write!(f, " (cluster of {masters})"),
        }
    }
}

impl ServerIdentity {
    /// How many processes serve clients: the masters of a cluster, or one.
    #[must_use]
    pub fn nodes(&self) -> u32 {
        self.masters.unwrap_or(1).max(1)
    }
}
call!(ServerStart => ServerUp, "server.start", |call| match &call.launch {
    Launch::External { endpoint, .. } => Some(endpoint),
    Launch::Managed { .. } => None,
});

/// Asks for the details of a server beyond its identity. Done once, before anything is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerDescribe {
    /// [`ServerStart::key`].
    pub key: String,
}

/// Details of a server beyond its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerDescription {
    /// SHA-256 of its program in hexadecimal digits; absent if somebody else runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program_sha256: Option<String>,
    /// Its configuration without passwords, where it reports one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<BTreeMap<String, String>>,
}
call!(ServerDescribe => ServerDescription, "server.describe");

/// Binds a server that this agent started to its side of a placement on this host, for a client on another host.
/// (A client on the same host is placed together with its server, by [`TrialPrepare::server_key`](super::TrialPrepare::server_key).)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerPlace {
    /// [`ServerStart::key`].
    pub key: String,
    /// The placement; its client side does not matter here.
    pub placement: Placement,
}
call!(ServerPlace => AppliedPlacement, "server.place");

/// The round-trip time from this host to a server: the median of PINGs sent one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathProbe {
    /// The server.
    pub endpoint: Endpoint,
    /// How many; at least 1.
    pub pings: u32,
}
call!(PathProbe => Nanos, "path.probe", |call| Some(&call.endpoint));

/// FLUSHALL SYNC and DBSIZE = 0, or, where that is not permitted, deleting the keys of an earlier call; then writing the
/// keys that a workload needs beforehand.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerFill {
    /// [`ServerStart::key`].
    pub key: String,
    /// Which keys.
    pub space: KeySpace,
}
call!(ServerFill => (), "server.fill");

/// Keys that exist before anything is measured, each with a value that follows from its index, so that anyone who knows
/// these three fields can check every reply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySpace {
    /// A key is this and its decimal index.
    pub prefix: String,
    /// How many; indexes begin at 0.
    pub keys: u64,
    /// The size of a value, which is the decimal index cut to its last digits or padded with zeros on the left; absent: the
    /// index as it is.
    pub value_bytes: Option<u32>,
}

impl KeySpace {
    /// The key of an index.
    #[must_use]
    pub fn key(&self, index: u64) -> String {
        format!("{}{index}", self.prefix)
    }

    /// Its value.
    #[must_use]
    pub fn value(&self, index: u64) -> String {
        match self.value_bytes {
            None => index.to_string(),
            Some(bytes) => {
                let bytes = bytes as usize;
                let padded = format!("{index:0bytes$}");
                padded[padded.len() - bytes..].to_owned()
            }
        }
    }
}

/// Handles the keys as asked, sends CONFIG RESETSTAT, and takes a baseline of INFO. On a server that must not be flushed,
/// only takes the baseline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerReset {
    /// [`ServerStart::key`].
    pub key: String,
    /// What is done about keys.
    #[serde(default)]
    pub keys: Keys,
    /// Bitmaps that are removed in any case: operations are going to mark themselves there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<String>,
}

/// What a reset does about keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keys {
    /// FLUSHALL SYNC, after which there must be none.
    #[default]
    Flush,
    /// Those of a [`ServerFill`] stay, and there must be no others.
    Filled,
    /// All stay: a driver needs some that it put there.
    Keep,
}
call!(ServerReset => (), "server.reset");

/// What the server counted since the last reset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerSample {
    /// [`ServerStart::key`].
    pub key: String,
    /// Bitmaps in which operations marked themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<MarkSpace>,
}

/// A bitmap in which each of a number of operations sets the bit of its own number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkSpace {
    /// Its key on the server.
    pub key: String,
    /// The number of operations.
    pub operations: u64,
}

/// What such bitmaps say when taken together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// How many of the operations have their bit set.
    pub set: u64,
    /// The numbers of the first operations whose bits are not set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<u64>,
}

/// Something that every Redis or Valkey server counts, and other servers may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Counter {
    /// Calls of each command.
    Calls,
    /// Keys, in all databases.
    Keys,
    /// Reads of keys that did not exist.
    Misses,
    /// CPU time of the process.
    Cpu,
    /// Memory in use.
    Memory,
}

impl Counter {
    /// Where INFO reports it: a section or a field.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Self::Calls => "Commandstats",
            Self::Keys => "Keyspace",
            Self::Misses => "keyspace_misses",
            Self::Cpu => "used_cpu_user",
            Self::Memory => "used_memory",
        }
    }
}

/// What the server counted since the last reset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct ServerCounts {
    /// What the server does not report: the fields for these mean nothing.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub untold: BTreeSet<Counter>,
    /// Every command that was called, by its name in lower case; without INFO, which the agent itself sends.
    pub commands: BTreeMap<String, CommandCounts>,
    /// Reads of keys that did not exist.
    pub keyspace_misses: u64,
    /// Keys now, less keys at the reset.
    pub keys_added: i64,
    /// Keys now that will expire, less such keys at the reset.
    #[serde(skip_serializing_if = "is_none_added")]
    pub expiring_added: i64,
    /// User and system CPU time of the process.
    pub cpu_ns: Nanos,
    /// The same for its main thread, where the server reports it.
    pub main_thread_cpu_ns: Option<Nanos>,
    /// `used_memory` now.
    pub memory_bytes: u64,
    /// How often it read from a connection, where it reports this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reads: Option<u64>,
    /// Bytes that it received, where it reports this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub received_bytes: Option<u64>,
    /// Bytes that it sent, where it reports this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sent_bytes: Option<u64>,
    /// Client connections at the reset, without the agent's own. Known only for a server that the agent started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// Calls of each command that it counted after the driver had said that it was done. Known only where the driver ran on
    /// the server's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after_done: Option<BTreeMap<String, u64>>,
    /// The marks of operations that mark themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marks: Option<Marks>,
}

/// What a server counted for one command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandCounts {
    /// How often it was called.
    pub calls: u64,
    /// Time that the server spent executing it.
    pub executing_ns: Nanos,
    /// How many of the calls the server failed or rejected.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub failed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_none_added(added: &i64) -> bool {
    *added == 0
}

impl ServerCounts {
    /// Whether the server reports this.
    #[must_use]
    pub fn tells(&self, counter: Counter) -> bool {
        !self.untold.contains(&counter)
    }

    /// How often a command was called, in any form: `config` includes `config|get`.
    #[must_use]
    pub fn calls(&self, command: &str) -> u64 {
        self.sum([command]).calls
    }

    /// What was counted for several commands together, in any form.
    pub fn sum<C: AsRef<str>>(&self, commands: impl IntoIterator<Item = C>) -> CommandCounts {
        let names: BTreeSet<String> =
            commands.into_iter().map(|command| command.as_ref().to_owned()).collect();
        let counts =
            self.commands.iter().filter(|(name, _)| names.contains(whole(name))).map(|(_, counts)| counts);
        counts.fold(CommandCounts::default(), |sum, one| CommandCounts {
            calls: sum.calls + one.calls,
            executing_ns: Nanos(sum.executing_ns.0 + one.executing_ns.0),
            failed: sum.failed + one.failed,
        })
    }

    /// What was counted for all other commands.
    pub fn others<'a>(
        &'a self,
        commands: &'a [String],
    ) -> impl Iterator<Item = (&'a String, &'a CommandCounts)> {
        self.commands.iter().filter(move |(name, _)| !commands.iter().any(|own| own == whole(name)))
    }
}

/// The command of which this is a form: `config` for `config|get`.
fn whole(name: &str) -> &str {
    name.split('|').next().unwrap_or(name)
}

/// The form that journals have. Those of earlier versions knew two commands by name, and only the number of calls of all
/// others.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Written {
    untold: BTreeSet<Counter>,
    commands: BTreeMap<String, CommandCounts>,
    set_calls: u64,
    get_calls: u64,
    failed_calls: u64,
    executing_ns: Nanos,
    others: BTreeMap<String, CommandCounts>,
    keyspace_misses: u64,
    keys_added: i64,
    expiring_added: i64,
    cpu_ns: Nanos,
    main_thread_cpu_ns: Option<Nanos>,
    memory_bytes: u64,
    reads: Option<u64>,
    received_bytes: Option<u64>,
    sent_bytes: Option<u64>,
    connections: Option<u64>,
    after_done: Option<BTreeMap<String, u64>>,
    marks: Option<Marks>,
}

impl From<Written> for ServerCounts {
    fn from(written: Written) -> Self {
        let mut commands = written.commands;
        commands.extend(written.others);
        // Their time and failures were counted together, and nothing that is read tells them apart.
        let (executing_ns, failed) = (written.executing_ns, written.failed_calls);
        for (name, counts) in [
            ("set", CommandCounts { calls: written.set_calls, executing_ns, failed }),
            ("get", CommandCounts { calls: written.get_calls, ..CommandCounts::default() }),
        ] {
            if counts != CommandCounts::default() {
                commands.insert(name.to_owned(), counts);
            }
        }
        Self {
            untold: written.untold,
            commands,
            keyspace_misses: written.keyspace_misses,
            keys_added: written.keys_added,
            expiring_added: written.expiring_added,
            cpu_ns: written.cpu_ns,
            main_thread_cpu_ns: written.main_thread_cpu_ns,
            memory_bytes: written.memory_bytes,
            reads: written.reads,
            received_bytes: written.received_bytes,
            sent_bytes: written.sent_bytes,
            connections: written.connections,
            after_done: written.after_done,
            marks: written.marks,
        }
    }
}
call!(ServerSample => ServerCounts, "server.sample");

/// Stops a server that this agent started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerStop {
    /// [`ServerStart::key`].
    pub key: String,
}
call!(ServerStop => (), "server.stop");
