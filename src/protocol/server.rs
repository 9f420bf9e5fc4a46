//! Calls about a server: to start, describe, place, reset and stop it, and to ask what it counted.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{AppliedPlacement, Call, Endpoint};
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
        /// Command line.
        args: Vec<String>,
        /// For clients on other hosts: it listens there alone and asks for a random password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<Address>,
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
    /// Where; both TCP and Unix socket are given when both are there.
    pub endpoint: Endpoint,
    /// What it is.
    pub identity: ServerIdentity,
    /// Whether this call started a process.
    pub started: bool,
    /// Whether the server is flushed between trials; if not, drivers delete their keys.
    pub flushes: bool,
    /// How many clients it takes, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientLimit>,
}

/// How many clients a server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientLimit {
    /// `maxclients`, which a server lowers where the system allows it fewer open files.
    pub most: u64,
    /// Those that were connected when it was first seen, the one that asked among them.
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
}
call!(ServerStart => ServerUp, "server.start");

/// What a server is beyond its identity. Asked once, before anything is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerDescribe {
    /// [`ServerStart::key`].
    pub key: String,
}

/// What a server is beyond its identity.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerDescription {
    /// SHA-256 of its program in hexadecimal digits; absent if somebody else runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program_sha256: Option<String>,
    /// Its configuration without passwords, where it tells.
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
    /// Of which the client's side does not matter here.
    pub placement: Placement,
}
call!(ServerPlace => AppliedPlacement, "server.place");

/// How long the way to a server and back takes, from this host: the median of PINGs one after the other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathProbe {
    /// The server.
    pub endpoint: Endpoint,
    /// How many; at least 1.
    pub pings: u32,
}
call!(PathProbe => Nanos, "path.probe");

/// FLUSHALL SYNC, DBSIZE = 0, CONFIG RESETSTAT, and a baseline of INFO. On a server that is not to be flushed
/// only the baseline is taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerReset {
    /// [`ServerStart::key`].
    pub key: String,
}
call!(ServerReset => (), "server.reset");

/// What the server counted since the last reset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerSample {
    /// [`ServerStart::key`].
    pub key: String,
}

/// What the server counted since the last reset.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ServerCounts {
    /// Calls of SET.
    pub set_calls: u64,
    /// Calls of GET.
    pub get_calls: u64,
    /// Calls of SET and GET that the server failed or rejected.
    pub failed_calls: u64,
    /// Calls of scripts and functions, within which a driver could have SETs and GETs counted that cross no wire.
    #[serde(default)]
    pub script_calls: u64,
    /// Time that the server spent in executing SET and GET: the least that any client can have taken.
    #[serde(default)]
    pub executing_ns: Nanos,
    /// Reads of keys that were not there.
    pub keyspace_misses: u64,
    /// Keys now, less keys at the reset.
    pub keys_added: i64,
    /// User and system CPU time of the process.
    pub cpu_ns: Nanos,
    /// The same for its main thread, where the server tells.
    pub main_thread_cpu_ns: Option<Nanos>,
    /// `used_memory` now.
    pub memory_bytes: u64,
    /// How often it read from a connection, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reads: Option<u64>,
    /// Bytes that it received, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_bytes: Option<u64>,
    /// Bytes that it sent, where it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent_bytes: Option<u64>,
    /// Connections of clients at the reset, the agent's own left out. Known only of a server that the agent started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u64>,
    /// Calls of SET and GET that it counted after the driver had said that it was done. Known only where the driver ran
    /// on the server's host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls_after_done: Option<u64>,
    /// Every other command that was called, by its name in lower case; INFO, which the agent itself asks, left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub others: BTreeMap<String, OtherCalls>,
}

/// Calls of a command that is neither SET nor GET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherCalls {
    /// How many.
    pub calls: u64,
    /// Time that the server spent in executing them.
    pub executing_ns: Nanos,
}
call!(ServerSample => ServerCounts, "server.sample");

/// Stops a server that this agent started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerStop {
    /// [`ServerStart::key`].
    pub key: String,
}
call!(ServerStop => (), "server.stop");
