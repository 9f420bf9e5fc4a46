//! `async-mt`: as `async`, but the tasks run on as many threads as there are CPUs for this process.

use super::asynchronous::{commands, hash, pubsub, queue, read_write, set_get};
use super::failure::Failure;
use super::tasks::{self, Flavour, Sockets};
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
    connect: |job| match job.workload.kind {
        Kind::SetGet => tasks::connect(job, Flavour::MultiThread, Sockets::OneEach, set_get),
        Kind::ReadWrite => tasks::connect(job, Flavour::MultiThread, Sockets::OneEach, read_write),
        Kind::Commands => tasks::connect(job, Flavour::MultiThread, Sockets::OneEach, commands),
        Kind::Queue => tasks::connect(job, Flavour::MultiThread, Sockets::OneEach, queue),
        Kind::Pubsub => tasks::connect(job, Flavour::MultiThread, Sockets::OneEach, pubsub),
        Kind::Hash => tasks::connect(job, Flavour::MultiThread, Sockets::OneEach, hash),
        Kind::Tasks => Err(Failure::lacks_workload(job)),
    },
};
