//! What a driver reads and prints: its job, `go`, and its events.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{KeySpace, Keys};
use crate::setting::{Amount, Named, Own, Settings, Warmup};
use crate::units::Nanos;
use crate::workload::Kind;

/// The first line that a driver reads: everything it has to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// One of [`DRIVER_PROTOCOLS`](super::DRIVER_PROTOCOLS): [`JobWorkload::protocol`].
    pub protocol: u32,
    /// Which mode to carry out; a driver may know several.
    pub mode: String,
    /// Where the server is.
    pub server: Endpoint,
    /// What to do there.
    pub workload: JobWorkload,
    /// Workers asked for, after the split rule.
    pub workers: u32,
    /// A worker's keys are `<key_prefix><worker>:<index>`, so that no two workers meet.
    pub key_prefix: String,
    /// What to do before `ready`; keys of the warm-up also begin with the prefix.
    pub warmup: Warmup,
    /// For anything random in a driver.
    pub seed: u64,
    /// Whether the driver deletes, by name and after the measured part, every key that it wrote (warm-up
    /// included). Asked for on servers that must not be flushed.
    #[serde(default)]
    pub delete_keys: bool,
    /// The client's own options. Since version 2.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub options: Named,
}

impl Job {
    /// The keys that must exist, and no others, before a driver starts; `None` if it does not matter which keys exist then.
    #[must_use]
    pub fn keys_before(&self) -> Option<KeySpace> {
        let keys = self.workload.keys_beforehand();
        let (prefix, value_bytes) = (self.key_prefix.clone(), self.workload.value_bytes);
        (self.keys_at_go() != Keys::Flush).then_some(KeySpace { prefix, keys, value_bytes })
    }

    /// What is done about keys when a driver is ready. Whatever a library has stored by then must stay.
    #[must_use]
    pub fn keys_at_go(&self) -> Keys {
        if self.workload.kind.workload().freedom.of_commands() {
            Keys::Keep
        } else if self.workload.keys_beforehand() > 0 {
            Keys::Filled
        } else {
            Keys::Flush
        }
    }

    /// The bitmap in which its operations mark themselves, if they do.
    #[must_use]
    pub fn marks(&self) -> Option<String> {
        let marks = self.workload.kind.workload().marks.filter(|_| self.workload.verify)?;
        Some(format!("{}{marks}", self.key_prefix))
    }
}

/// Where a server is. If `unix_socket` is given, it is used instead of host and port.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Path of a Unix socket.
    pub unix_socket: Option<String>,
    /// For AUTH.
    pub password: Option<String>,
    /// For AUTH: an ACL user; `default` if absent. Since version 3 of the protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For SELECT. Since version 3 of the protocol.
    #[serde(default, skip_serializing_if = "is_first")]
    pub db: u32,
    /// Present if the server speaks TLS there. Since version 3 of the protocol.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Whether it is a node of a cluster, whose other nodes the client finds by itself. Since version 3 of the protocol.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cluster: bool,
}

impl Endpoint {
    /// A server on loopback that requires neither a password nor TLS.
    #[must_use]
    pub fn local(port: u16) -> Self {
        Self {
            host: std::net::Ipv4Addr::LOCALHOST.to_string(),
            port,
            unix_socket: None,
            password: None,
            username: None,
            db: 0,
            tls: None,
            cluster: false,
        }
    }

    /// What must not be shown to anybody: the password, and the private key.
    #[must_use]
    pub fn secrets(&self) -> Vec<&str> {
        let key = self.tls.as_ref().and_then(|tls| tls.key.as_deref());
        self.password.as_deref().into_iter().chain(key).collect()
    }

    /// The first version of the driver protocol that has everything given here.
    #[must_use]
    pub const fn protocol(&self) -> u32 {
        let needs = self.username.is_some() || self.db != 0 || self.tls.is_some() || self.cluster;
        if needs { WITH_CONNECTION } else { 1 }
    }
}

/// The first version of the driver protocol with users, database numbers, TLS and clusters.
const WITH_CONNECTION: u32 = 3;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_first(db: &u32) -> bool {
    *db == 0
}

/// What TLS needs, each in PEM. Between coordinator and agent these are the texts; a driver gets the paths of the files to
/// which the agent wrote them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tls {
    /// The certificates of the authorities that may have signed the server's; those of the system if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<String>,
    /// The client's own certificate, for a server that asks for one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// The private key of that certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

impl std::fmt::Debug for Tls {
    /// Never shows the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { ca, cert, key } = self;
        let has = |text: &Option<String>| text.as_ref().map(|_| "…");
        f.debug_struct("Tls").field("ca", &has(ca)).field("cert", &has(cert)).field("key", &has(key)).finish()
    }
}

impl std::fmt::Debug for Endpoint {
    /// Never shows the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("unix_socket", &self.unix_socket)
            .field("password", &self.password.as_ref().map(|_| "…"))
            .field("username", &self.username)
            .field("db", &self.db)
            .field("tls", &self.tls)
            .field("cluster", &self.cluster)
            .finish()
    }
}

/// The workload as a driver sees it. Of `operations` and `duration_ns` exactly one is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct JobWorkload {
    /// What one operation is.
    pub kind: Kind,
    /// Operations over all workers.
    pub operations: Option<u64>,
    /// Or: until this much time has passed since `go`.
    pub duration_ns: Option<Nanos>,
    /// Bytes of each value; absent: the decimal index of the operation.
    pub value_bytes: Option<u32>,
    /// Operations per round trip.
    pub pipeline: u32,
    /// Operations per second over all workers; operation k is due at start + k ÷ rate.
    pub rate: Option<u64>,
    /// Whether every GET must return what its SET stored.
    pub verify: bool,
    /// The settings that only some workloads have, each under its key.
    #[serde(flatten)]
    pub own: Own,
}

impl From<&Settings> for JobWorkload {
    fn from(settings: &Settings) -> Self {
        let workload = &settings.workload;
        let (operations, duration_ns) = match workload.amount {
            Amount::Operations(n) => (Some(n), None),
            Amount::Duration(d) => (None, Some(d)),
        };
        Self {
            kind: workload.kind,
            operations,
            duration_ns,
            value_bytes: workload.value_bytes,
            pipeline: workload.pipeline,
            rate: workload.rate,
            verify: workload.verify,
            own: settings.own.of_table("workload"),
        }
    }
}

impl JobWorkload {
    /// The commands of the workload, in lower case as a server counts them.
    #[must_use]
    pub fn commands(&self) -> Vec<String> {
        (self.kind.workload().commands)(self)
    }

    /// How many clients connect besides the workers, to push what the workers take.
    #[must_use]
    pub fn pushers(&self) -> u32 {
        let pushers = self.kind.workload().pushers.and_then(|factor| self.own.number(factor));
        pushers.map_or(0, |pushers| pushers as u32)
    }

    /// How many keys must exist before a driver starts.
    #[must_use]
    pub fn keys_beforehand(&self) -> u64 {
        (self.kind.workload().fill)(self)
    }

    /// Whether each operation has a new key, `<key_prefix><worker>:<index>`.
    #[must_use]
    pub fn has_new_keys(&self) -> bool {
        let workload = self.kind.workload();
        !workload.freedom.of_keys() && workload.pushers.is_none() && self.keys_beforehand() == 0
    }

    /// The protocol version of a job with this workload: version 1 knew only one workload.
    #[must_use]
    pub fn protocol(&self) -> u32 {
        match self.kind {
            Kind::SetGet if self.own.is_empty() => 1,
            _ => 2,
        }
    }

    /// The one of operations and duration that is given; `None` if the job names both or neither.
    #[must_use]
    pub const fn amount(&self) -> Option<Amount> {
        match (self.operations, self.duration_ns) {
            (Some(operations), None) => Some(Amount::Operations(operations)),
            (None, Some(duration)) => Some(Amount::Duration(duration)),
            _ => None,
        }
    }

    /// Operations that are due in an open loop with a duration: those of every batch that is due before its end. Operation
    /// `k`, and the batch that begins with it, is due at `k` ÷ rate. `None` in a closed loop, or for a number of operations.
    #[must_use]
    pub fn due(&self) -> Option<u64> {
        let (rate, duration) = (u128::from(self.rate?), u128::from(self.duration_ns?.0));
        let pipeline = u128::from(self.pipeline.max(1));
        let batches = (rate * duration).div_ceil(pipeline * 1_000_000_000);
        Some(u64::try_from(batches * pipeline).unwrap_or(u64::MAX))
    }

    /// How many of `operations` worker number `worker` of `workers` does (even split: the first
    /// `operations % workers` workers do one more).
    #[must_use]
    pub const fn share(operations: u64, workers: u32, worker: u32) -> u64 {
        let (n, w) = (workers as u64, worker as u64);
        operations / n + if w < operations % n { 1 } else { 0 }
    }
}

/// The second line that a driver reads, `{"go":true}`. Nothing before it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Go {
    /// Always true.
    pub go: bool,
}

/// A line that a driver prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum DriverEvent {
    /// Every worker is connected and warm.
    Ready(Ready),
    /// So far; at most ten times a second.
    Progress {
        /// Operations done since `go`.
        operations: u64,
    },
    /// The work is done; the last line.
    Done(Done),
    /// The work cannot be done or was not; the last line.
    Failed {
        /// What kind of failure.
        kind: FailureKind,
        /// One sentence.
        error: String,
    },
}

/// Every worker is connected and warm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Client library and version, such as `redis-rs 1.8.1`.
    pub client: String,
    /// What it runs on, such as `tokio 1.54.1 current-thread`.
    pub runtime: String,
    /// Workers that will actually be used.
    pub workers: u32,
    /// What this client does differently from what the job asks for, so that a reader can judge its numbers next to those of
    /// others; absent if it does exactly what was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparability: Option<String>,
    /// The options that it uses: all of its job's, or it would have refused. Since version 2.
    #[serde(default, skip_serializing_if = "Named::is_empty")]
    pub options: Named,
    /// With tasks: the processes that execute them, each standing for all its descendants. All other processes of the driver
    /// are its producers. Since version 2.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub processes: Vec<u32>,
    /// With tasks: from the start of the first of these processes until its first task, which was already waiting, began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cold_start_ns: Option<Nanos>,
}

/// What a driver claims to have done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// From `go` to the last reply of the last operation, by the driver's monotonic clock.
    pub elapsed_ns: Nanos,
    /// Operations completed.
    pub operations: u64,
    /// Operations that failed or, with `verify`, returned something other than what was stored.
    pub errors: u64,
    /// Latency of every operation; absent when the mode cannot know it.
    pub latency: Option<Latency>,
    /// Open loop only: the largest delay between the time an operation was due and the time it was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lag_ns: Option<Nanos>,
    /// Distinct keys that were written, if not one for each operation. Only for a client that says in
    /// [`Ready::comparability`] that this is so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keys: Option<u64>,
    /// Calls of each command of the workload, by its name in lower case, where the driver chooses which of them an operation
    /// is. Since version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calls: Option<BTreeMap<String, u64>>,
    /// Evidence that each task or message was delivered once, where the job asks for verification. Since version 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Delivered>,
    /// Figures about a task-queue library. Since version 2.
    #[serde(flatten)]
    pub tasks: Option<TaskClaim>,
    /// How the work progressed: pairs of nanoseconds since `go` and operations done by then, both ascending. A driver that
    /// does not keep these may send [`DriverEvent::Progress`] while it works; its agent then puts those here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Vec<(u64, u64)>>,
}

/// What else a driver reports about tasks that a library executed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskClaim {
    /// The total time that all producers spent handing tasks over.
    pub enqueue_ns: Nanos,
    /// The time from when a task's latency starts counting until its body began, for every task that did begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_latency: Option<Latency>,
    /// Tasks that were handed over and never finished; the first hundred of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<u64>,
    /// Those of them that had begun.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub begun: Vec<u64>,
    /// Tasks that were executed again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub twice: Vec<u64>,
    /// How many tasks the library still has on the server, if some were lost and it can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<u64>,
}

/// The numbers of all tasks or messages that arrived, combined so that no set of them has to be kept: if anything was lost
/// or arrived twice, one or the other changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivered {
    /// Their sum.
    pub sum: u64,
    /// Their bitwise exclusive or.
    pub xor: u64,
}

impl Delivered {
    /// For the numbers from 0 to below `count`, each once.
    #[must_use]
    pub const fn each_once(count: u64) -> Self {
        let Some(last) = count.checked_sub(1) else { return Self { sum: 0, xor: 0 } };
        let xor = match last % 4 {
            0 => last,
            1 => 1,
            2 => count,
            _ => 0,
        };
        let (even, odd) = if count.is_multiple_of(2) { (count / 2, last) } else { (count, last / 2) };
        Self { sum: even.wrapping_mul(odd), xor }
    }

    /// Adds one.
    pub const fn add(&mut self, number: u64) {
        self.sum = self.sum.wrapping_add(number);
        self.xor ^= number;
    }
}

/// Latencies in nanoseconds, in one of two forms that any language can write.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Latency {
    /// An HDR histogram, V2 or V2 with DEFLATE, in base64.
    Hdr(String),
    /// Sorted pairs of a bucket's lower bound in nanoseconds and its count, to three significant digits.
    Buckets(Vec<(u64, u64)>),
}

/// Why a driver gave up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The mode cannot do what the job asks for; trying again is useless.
    Unsupported,
    /// The server cannot be reached or the connection broke.
    Connection,
    /// A GET returned something other than what its SET stored.
    Verification,
    /// The job is not valid in this protocol.
    Protocol,
    /// Anything else.
    Other,
}

impl std::fmt::Display for FailureKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unsupported => "unsupported",
            Self::Connection => "connection",
            Self::Verification => "verification",
            Self::Protocol => "protocol",
            Self::Other => "other",
        })
    }
}
