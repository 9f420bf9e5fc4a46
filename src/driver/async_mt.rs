//! `async-mt`: as `async`, but the tasks run on as many threads as there are CPUs for this process.

use super::asynchronous::work;
use super::tasks::{self, Flavour, Sockets};
use super::{CLIENT, Driver};
use crate::experiment::{BuiltinMode, Threads};

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "async-mt",
        summary: "asynchronous connections on all CPUs, SET and then GET",
        client: CLIENT,
        concurrency: "a task each, a thread per CPU",
        threads: Threads::PerCpu,
        can_pipeline: false,
        can_rate: true,
        by_default: true,
    },
    connect: |job| tasks::connect(job, Flavour::MultiThread, Sockets::OneEach, work),
};
