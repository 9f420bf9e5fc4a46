//! `multiplexed`: as `async`, but all workers send on one connection.

use super::asynchronous::{commands, hash, read_write, set_get};
use super::failure::Failure;
use super::tasks::{self, Flavour, Sockets};
use super::{CLIENT, Driver, OPTIONS, SUPPORTS};
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "multiplexed",
        summary: "one asynchronous connection for all, SET and then GET",
        client: CLIENT,
        concurrency: "a task each, one connection",
        threads: Threads::One,
        can_pipeline: false,
        can_rate: true,
        workloads: &[Kind::SetGet, Kind::ReadWrite, Kind::Commands, Kind::Hash],
        supports: SUPPORTS,
        options: OPTIONS,
        by_default: true,
    },
    connect: |job| match job.workload.kind {
        Kind::SetGet => tasks::connect(job, Flavour::CurrentThread, Sockets::Shared, set_get),
        Kind::ReadWrite => tasks::connect(job, Flavour::CurrentThread, Sockets::Shared, read_write),
        Kind::Commands => tasks::connect(job, Flavour::CurrentThread, Sockets::Shared, commands),
        Kind::Hash => tasks::connect(job, Flavour::CurrentThread, Sockets::Shared, hash),
        _ => Err(Failure::lacks_workload(job)),
    },
};
