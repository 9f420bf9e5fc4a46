//! Everything that a trial is to do.

use serde::{Deserialize, Serialize};

use super::{Amount, HostPair, Lifetime, Link, Own, Placement, Split, Warmup};
use crate::units::Nanos;
use crate::workload::Kind;

/// Everything that a trial is to do. Each part of it is a possible factor.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Settings {
    /// Where the client and the server run.
    pub hosts: HostPair,
    /// The name of a server of the experiment.
    pub server: String,
    /// A built-in mode or the name of one of the experiment.
    pub mode: String,
    /// Concurrent workers asked for; at least 1.
    pub workers: u32,
    /// What each worker does.
    pub workload: Workload,
    /// In place of the server's own arguments.
    pub server_args: Option<Vec<String>>,
    /// In place of the server's own lifetime.
    pub lifetime: Option<Lifetime>,
    /// On which CPUs client and server run.
    pub placement: Placement,
    /// What is done before the measured part.
    pub warmup: Warmup,
    /// All settings that have no field here.
    #[serde(default, skip_serializing_if = "Own::is_empty")]
    pub own: Own,
}

/// What the workers do to the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Workload {
    /// What one operation is.
    pub kind: Kind,
    /// How much of it.
    pub amount: Amount,
    /// Bytes of each value; absent: the decimal index of the operation.
    pub value_bytes: Option<u32>,
    /// Operations per round trip; at least 1.
    pub pipeline: u32,
    /// Operations per second over all workers (open loop); absent: as fast as they go (closed loop).
    pub rate: Option<u64>,
    /// Whether every GET must return what its SET stored.
    pub verify: bool,
    /// How operations are shared among workers.
    pub split: Split,
    /// How the client reaches the server.
    pub link: Link,
}

impl Settings {
    /// What is done where a file says nothing about it; the mode, which has no default, is empty.
    #[must_use]
    pub fn defaults() -> Self {
        Self {
            hosts: HostPair::same("local"),
            server: "redis".to_owned(),
            mode: String::new(),
            workers: 1,
            workload: Workload {
                kind: Kind::SetGet,
                amount: Amount::Operations(20_000),
                value_bytes: None,
                pipeline: 1,
                rate: None,
                verify: true,
                split: Split::Even,
                link: Link::Tcp,
            },
            server_args: None,
            lifetime: None,
            placement: Placement::Free,
            warmup: Warmup::Duration(Nanos::from_millis(500)),
            own: Own::defaults(),
        }
    }

    /// Removes what the workload does not have, and adds the defaults of what it has. To be called after all levels have
    /// been applied, so that a default that is spelled out gives the same cell.
    pub fn complete(&mut self) {
        self.own.complete(self.workload.kind);
    }
}
