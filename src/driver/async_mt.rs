//! `async-mt`: as `async`, but the tasks run on as many threads as there are CPUs for this process.

use super::asynchronous;
use super::tasks::{Flavour, Sockets};
use super::{CLIENT, Driver, MT_OPTIONS, SUPPORTS};
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "async-mt",
        summary: "asynchronous connections on all CPUs, SET and then GET",
        client: CLIENT,
        concurrency: "a task each, a thread per CPU",
        threads: Threads::PerCpu,
        can_pipeline: false,
        can_rate: true,
        workloads: &[Kind::SetGet, Kind::ReadWrite, Kind::Commands, Kind::Queue, Kind::Pubsub, Kind::Hash],
        supports: SUPPORTS,
        options: MT_OPTIONS,
        by_default: true,
    },
    connect: |job| asynchronous::connect(job, Flavour::MultiThread, Sockets::OneEach),
};
