//! What a trial does, how much of it, and who does which part.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::MAX_WORKERS;
use crate::units::Nanos;

/// What the workers do to the server.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Workload {
    /// What one operation is.
    pub kind: WorkloadKind,
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

/// What one operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadKind {
    /// A SET followed by a GET of the same key, as in the seed article.
    SetGet,
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SetGet => "set-get",
        })
    }
}

/// When a trial ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// After this many operations, over all workers.
    Operations(u64),
    /// When this much time has passed.
    #[serde(rename = "duration_ns")]
    Duration(Nanos),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operations(n) => write!(f, "{n} operations"),
            Self::Duration(d) => d.fmt(f),
        }
    }
}

/// How operations are shared among workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// As evenly as possible: the first `operations % workers` workers do one more.
    Even,
    /// The article's rule: the next larger worker count that divides the operations.
    Divisor,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Even => "even",
            Self::Divisor => "divisor",
        })
    }
}

impl Split {
    /// The number of workers that really work: with [`Split::Divisor`] the smallest divisor of `operations` that
    /// is no smaller than `workers` (the seed article's `closest_divistor`). In a checked experiment that is at most
    /// [`MAX_WORKERS`].
    #[must_use]
    pub fn workers(self, amount: Amount, workers: u32) -> u32 {
        match (self, amount) {
            (Self::Divisor, Amount::Operations(operations)) => {
                smallest_divisor(operations, workers).unwrap_or(workers)
            }
            _ => workers,
        }
    }
}

/// The smallest divisor of `n` that is no smaller than `from`, if it fits. Divisors come in pairs, one of which is at
/// most the square root.
fn smallest_divisor(n: u64, from: u32) -> Option<u32> {
    // What a checked experiment asks for is found here, in as many steps as there may be workers.
    if let Some(near) = (from.max(1)..=MAX_WORKERS).find(|&divisor| n.is_multiple_of(u64::from(divisor))) {
        return Some(near);
    }
    (1..=n.isqrt())
        .filter(|&small| n.is_multiple_of(small))
        .flat_map(|small| [small, n / small])
        .filter(|&divisor| divisor >= u64::from(from))
        .min()
        .and_then(|divisor| u32::try_from(divisor).ok())
}

/// The largest divisor of `n` that is at most `limit`, which is at least 1.
pub(super) fn largest_divisor(n: u64, limit: u32) -> u32 {
    (1..=limit).rev().find(|&divisor| n.is_multiple_of(u64::from(divisor))).unwrap_or(1)
}

/// How the client reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// TCP, over loopback or a network.
    Tcp,
    /// A Unix socket; client and server on one host.
    Unix,
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
        })
    }
}
