//! `async-mt`: as `async`, but the tasks run on as many threads as there are CPUs for this process.

use super::asynchronous::work;
use super::tasks::{self, Sockets, Threads};
use super::{CLIENT, Driver};
use crate::experiment::BuiltinMode;

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "async-mt",
        summary: "asynchronous connections on all CPUs, SET and then GET",
        client: CLIENT,
        concurrency: "a task and a connection for each worker, a thread for each CPU",
        can_pipeline: false,
        can_rate: true,
    },
    connect: |job| tasks::connect(job, Threads::All, Sockets::OneEach, work),
};
