//! `multiplexed`: as `async`, but all workers send on one connection.

use super::asynchronous::work;
use super::tasks::{self, Flavour, Sockets};
use super::{CLIENT, Driver};
use crate::experiment::{BuiltinMode, Threads};

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "multiplexed",
        summary: "one asynchronous connection for all, SET and then GET",
        client: CLIENT,
        concurrency: "a task each, one connection",
        threads: Threads::One,
        can_pipeline: false,
        can_rate: true,
        by_default: true,
    },
    connect: |job| tasks::connect(job, Flavour::CurrentThread, Sockets::Shared, work),
};
