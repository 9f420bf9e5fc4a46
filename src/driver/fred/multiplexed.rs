//! `fred-multiplexed`: as `fred`, but all workers send on one connection.

use super::CLIENT;
use super::set_get::{read_write, set_get};
use crate::driver::failure::Failure;
use crate::driver::tasks::{self, Flavour, Sockets};
use crate::driver::{Driver, SUPPORTS};
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(in crate::driver) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "fred-multiplexed",
        summary: "one asynchronous connection for all, SET and then GET",
        client: CLIENT,
        concurrency: "a task each, one connection",
        threads: Threads::One,
        can_pipeline: false,
        can_rate: true,
        workloads: &[Kind::SetGet, Kind::ReadWrite],
        supports: SUPPORTS,
        options: &[],
        by_default: false,
    },
    connect: |job| match job.workload.kind {
        Kind::SetGet => tasks::connect(job, Flavour::CurrentThread, Sockets::Shared, set_get),
        Kind::ReadWrite => tasks::connect(job, Flavour::CurrentThread, Sockets::Shared, read_write),
        _ => Err(Failure::lacks_workload(job)),
    },
};
