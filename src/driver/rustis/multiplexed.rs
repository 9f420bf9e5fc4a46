//! `rustis-multiplexed`: as `rustis`, but all workers send on one connection.

use super::CLIENT;
use super::set_get::work;
use crate::driver::Driver;
use crate::driver::tasks::{self, Flavour, Sockets};
use crate::experiment::{BuiltinMode, Threads};

pub(in crate::driver) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "rustis-multiplexed",
        summary: "one asynchronous connection for all, SET and then GET",
        client: CLIENT,
        concurrency: "a task each, one connection",
        threads: Threads::One,
        can_pipeline: false,
        can_rate: true,
        by_default: false,
    },
    connect: |job| tasks::connect(job, Flavour::CurrentThread, Sockets::Shared, work),
};
