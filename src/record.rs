//! One attempt at one trial, with everything that is known about it: a line of the journal, a row of the CSV.

mod quantity;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use self::quantity::{Definition, Quantities, Quantity, QuantityKind};
use crate::experiment::Settings;
use crate::protocol::{AppliedPlacement, Latency, ServerCounts, ServerIdentity, TrialResult, WorkerUse};
use crate::units::Nanos;

/// One attempt at one trial.
///
/// What was not reached before the attempt ended is absent: a driver that never became ready has no `client`,
/// an attempt that failed has no `measured`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// The identity of its cell, 16 hexadecimal digits.
    pub cell: String,
    /// The cell of the file that this one repeats, 16 hexadecimal digits, if it is the control of the experiment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control_of: Option<String>,
    /// From 1.
    pub repetition: u32,
    /// Where it stands in the plan's order, from 1.
    pub position: u64,
    /// From 1; 2 is the first retry.
    pub attempt: u32,
    /// How it ended.
    pub status: Status,
    /// Why, when it did not end well.
    pub error: Option<String>,
    /// What a reader must know of an attempt that did end well.
    pub flags: Vec<Flag>,
    /// When the attempt began.
    pub started_at: Timestamp,
    /// From the attempt's start to the moment before this record was written.
    pub took_ns: Nanos,
    /// What was to be done.
    pub settings: Settings,
    /// The client's machine.
    pub client_host: HostLabel,
    /// The server's machine.
    pub server_host: HostLabel,
    /// `loopback`, `unix` or `network`.
    pub link: LinkKind,
    /// Round-trip time of the path between two hosts in microseconds, sampled when the block began; for several clients, the
    /// longest.
    pub rtt_us: Option<f64>,
    /// The server, once it was up.
    pub server: Option<ServerIdentity>,
    /// The client, once it was ready.
    pub client: Option<ClientLabel>,
    /// What was measured and verified. Present exactly when `status` is ok.
    pub measured: Option<Measured>,
    /// What each of several clients did, in the order of the file. Empty if there was one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Part>,
    /// SHA-256 of the files that the driver is made of, in hexadecimal digits, unless it is built in; for several clients
    /// the distinct ones. Earlier versions did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_sha256: Option<String>,
}

/// What one of several clients did in a trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Its machine.
    pub host: HostLabel,
    /// What it said about itself, and where it ran.
    pub client: ClientLabel,
    /// Round-trip time to the server in microseconds, where that is on another host.
    pub rtt_us: Option<f64>,
    /// Its claim, what its agent saw, and its machine.
    pub result: TrialResult,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Measured, and the server counted what the driver claims.
    Ok,
    /// It did not work, or the server's count disagrees.
    Failed,
    /// It took too long.
    TimedOut,
    /// The run was stopped in the middle of it.
    Interrupted,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::TimedOut => "timed-out",
            Self::Interrupted => "interrupted",
        })
    }
}

/// A mark on a row; a marked row is never dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// The client used more than 90% of the CPU that its threads can use: the number describes the client.
    ClientBound,
    /// The same for the server's main thread.
    ServerBound,
    /// Other programs used more than a tenth of one CPU on the client's host.
    #[serde(alias = "foreign-load")]
    BackgroundLoad,
    /// The hypervisor took more than a fiftieth of the host's CPU time.
    #[serde(alias = "throttled")]
    CpuSteal,
    /// Open loop: the client fell behind its schedule.
    BehindSchedule,
    /// The agent's clock and the driver's disagree about the elapsed time by more than 3% and 5 ms.
    ClockDisagrees,
    /// The server persisted to disk, as its command line asked.
    Persistence,
    /// The placement that was asked for could not be applied.
    NotPlaced,
    /// Several clients: one of them was done when the others still had more than a tenth of the time to go.
    UnevenClients,
    /// A server that somebody else runs had work to do besides ours.
    OtherClients,
    /// A server that somebody else runs does not report everything that a claim is checked against.
    Unchecked,
    /// The beginning of the trial was slower or faster than the rest.
    UnsteadyStart,
    /// Closed loop: by Little's law the latencies do not belong to the throughput.
    LatencyDoubtful,
    /// The throughput is far from that of the cell's other trials. Known only once those are known: never in a journal.
    Outlier,
}

impl Flag {
    /// The word in the CSV.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::ClientBound => "client-bound",
            Self::ServerBound => "server-bound",
            Self::BackgroundLoad => "background-load",
            Self::CpuSteal => "cpu-steal",
            Self::BehindSchedule => "behind-schedule",
            Self::ClockDisagrees => "clock-disagrees",
            Self::Persistence => "persistence",
            Self::NotPlaced => "not-placed",
            Self::UnevenClients => "uneven-clients",
            Self::OtherClients => "other-clients",
            Self::Unchecked => "unchecked",
            Self::UnsteadyStart => "unsteady-start",
            Self::LatencyDoubtful => "latency-doubtful",
            Self::Outlier => "outlier",
        }
    }
}

/// The flags that a reader of a cell must know of, given how many of its `n` trials carry each. A single trial whose
/// beginning differs from the rest is an accident; a client that was not warm shows in at least half of the trials.
#[must_use]
pub fn flags_of_cell(mut trials: BTreeMap<Flag, usize>, n: usize) -> BTreeMap<Flag, usize> {
    trials.retain(|flag, trials| *flag != Flag::UnsteadyStart || 2 * *trials >= n);
    trials
}

/// What a row says about a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostLabel {
    /// The host's own name for `local`, its name in the file otherwise.
    pub name: String,
    /// Such as `Debian GNU/Linux 12 (Linux 6.18.44)`.
    pub os: String,
    /// Such as `x86_64`.
    pub arch: String,
    /// Model and number of CPUs.
    pub cpu: String,
}

/// How the client reached the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkKind {
    /// TCP within one host.
    Loopback,
    /// A Unix socket.
    Unix,
    /// TCP between hosts.
    Network,
    /// TLS over TCP within one host.
    LoopbackTls,
    /// TLS over TCP between hosts.
    NetworkTls,
}

impl LinkKind {
    /// Of a connection over TCP.
    #[must_use]
    pub const fn tcp(network: bool, tls: bool) -> Self {
        match (network, tls) {
            (false, false) => Self::Loopback,
            (false, true) => Self::LoopbackTls,
            (true, false) => Self::Network,
            (true, true) => Self::NetworkTls,
        }
    }
}

impl std::fmt::Display for LinkKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Loopback => "loopback",
            Self::Unix => "unix",
            Self::Network => "network",
            Self::LoopbackTls => "loopback-tls",
            Self::NetworkTls => "network-tls",
        })
    }
}

/// What a driver said about itself, and what was done about its placement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientLabel {
    /// Client library and version.
    pub client: String,
    /// What it runs on.
    pub runtime: String,
    /// Workers that were actually used.
    pub workers: u32,
    /// What was done about the placement.
    pub placement: AppliedPlacement,
    /// What it does differently from what was asked for, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparability: Option<String>,
}

/// What was measured in an attempt that ended well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// By the driver's monotonic clock.
    pub elapsed_ns: Nanos,
    /// Operations done, as claimed by the driver and confirmed by the server.
    pub operations: u64,
    /// Operations that failed.
    pub errors: u64,
    /// All latencies, re-encoded as an HDR histogram (V2 with DEFLATE, base64); absent where the mode cannot know them.
    pub latency: Option<Latency>,
    /// Exact to the histogram's three digits; absent together with `latency`.
    pub latency_summary: Option<LatencySummary>,
    /// CPU time of the client, or of all of them, between `go` and `done`, where the system reports it.
    pub client_cpu_ns: Option<Nanos>,
    /// The same for the client's busiest thread, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub busiest_thread_ns: Option<Nanos>,
    /// Peak resident memory of the client.
    pub client_peak_rss_bytes: u64,
    /// What the server counted.
    pub server: ServerCounts,
    /// CPU time on the client's host that neither client nor server used.
    pub foreign_cpu_ns: Option<Nanos>,
    /// Time stolen by the hypervisor.
    pub steal_ns: Option<Nanos>,
    /// By the agent's clock; for several clients, from the first go to the last answer by the coordinator's clock.
    pub wall_ns: Nanos,
    /// Open loop only.
    pub max_lag_ns: Option<Nanos>,
    /// Load average over one minute, at the end.
    pub load1: Option<f64>,
    /// Operations in each of [`PARTS`](crate::verify::progress::PARTS) equal parts of the elapsed time, where every client
    /// reports them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Vec<u64>>,
    /// Figures about a task-queue library.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<TaskFigures>,
}

impl Measured {
    /// Operations per second.
    #[must_use]
    pub fn ops_per_s(&self) -> f64 {
        self.operations as f64 / self.elapsed_ns.as_secs_f64()
    }

    /// Operations that `workers` have in flight in a closed loop.
    fn in_flight(&self, workers: u32, pipeline: u32) -> u64 {
        // A worker cannot have more operations in flight than it has in total.
        let share = self.operations.div_ceil(u64::from(workers.max(1))).max(1);
        u64::from(workers) * u64::from(pipeline).min(share)
    }

    /// Little's law of a closed loop: throughput × mean latency ÷ operations in flight, which is 1 whatever the system.
    /// Absent where the latency is unknown.
    #[must_use]
    pub fn littles_law(&self, workers: u32, pipeline: u32) -> Option<f64> {
        let mean_s = self.latency_summary?.mean_ns / 1e9;
        Some(self.ops_per_s() * mean_s / self.in_flight(workers, pipeline) as f64)
    }
}

/// What was measured about the tasks of a library.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskFigures {
    /// How many producers handed tasks over.
    pub producers: u32,
    /// The total time that all of them spent doing so.
    pub enqueue_ns: Nanos,
    /// The time from when a task's latency starts counting until its body began, in the form of [`Measured::latency`].
    pub start_latency: Option<Latency>,
    /// The summary of the same.
    pub start_summary: Option<LatencySummary>,
    /// From the start of a worker program until its first task began; for several clients, the longest.
    pub cold_start_ns: Option<Nanos>,
    /// What the processes that execute tasks used: a part of what the client used.
    pub workers: Option<WorkerUse>,
    /// The part of the server's counts that the marks account for; absent if tasks had none.
    pub marks: Option<MarkTraffic>,
}

/// Traffic of the marks by which operations prove that they were done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarkTraffic {
    /// Calls.
    pub calls: u64,
    /// Bytes, of requests and of replies.
    pub bytes: u64,
}

/// A histogram's summary, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LatencySummary {
    /// Arithmetic mean.
    pub mean_ns: f64,
    /// Median.
    pub p50_ns: u64,
    /// 90th percentile.
    pub p90_ns: u64,
    /// 99th percentile.
    pub p99_ns: u64,
    /// 99.9th percentile.
    pub p999_ns: u64,
    /// Largest.
    pub max_ns: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_begins_otherwise_if_half_of_its_trials_do() {
        let of =
            |unsteady, n| flags_of_cell([(Flag::UnsteadyStart, unsteady), (Flag::CpuSteal, 1)].into(), n);
        assert_eq!(of(2, 5), [(Flag::CpuSteal, 1)].into());
        assert_eq!(of(3, 6).len(), 2);
        assert_eq!(of(1, 1).len(), 2);
    }
}
