//! `multiplexed`: as `async`, but all workers send on one connection.

use super::asynchronous::work;
use super::tasks::{self, Sockets, Threads};
use super::{CLIENT, Driver};
use crate::experiment::BuiltinMode;

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "multiplexed",
        summary: "one asynchronous connection for all, SET and then GET",
        client: CLIENT,
        concurrency: "a task for each worker, one connection, one thread",
        can_pipeline: false,
        can_rate: true,
    },
    connect: |job| tasks::connect(job, Threads::One, Sockets::Shared, work),
};
