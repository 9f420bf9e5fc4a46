//! `multiplexed`: as `async`, but all workers send on one connection.

use super::asynchronous;
use super::tasks::{Flavour, Sockets};
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
    connect: |job| asynchronous::connect(job, Flavour::CurrentThread, Sockets::Shared),
};
