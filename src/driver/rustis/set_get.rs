//! `rustis`: every worker is a task with a connection of its own, all on one thread; a SET, and then a GET.

use rustis::client::Client;
use rustis::commands::StringCommands as _;
use rustis::resp::{BulkString, RefBulkString};

use super::queue::queue;
use super::{CLIENT, SUPPORTS};
use crate::driver::Driver;
use crate::driver::failure::Failure;
use crate::driver::tasks::{self, Flavour, Sockets};
use crate::driver::worker::{NOTHING, Worker};
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(in crate::driver) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "rustis",
        summary: "asynchronous connections on one thread, SET and then GET",
        client: CLIENT,
        concurrency: "a task each, one thread",
        threads: Threads::One,
        can_pipeline: false,
        can_rate: true,
        workloads: &[Kind::SetGet, Kind::ReadWrite, Kind::Queue],
        supports: SUPPORTS,
        options: &[],
        by_default: false,
    },
    connect: |job| match job.workload.kind {
        Kind::SetGet => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, set_get),
        Kind::ReadWrite => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, read_write),
        Kind::Queue => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, queue),
        _ => Err(Failure::lacks_workload(job)),
    },
};

pub(super) async fn set_get(client: Client, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        // A plain slice of bytes would be sent as an argument for each byte.
        client.set(RefBulkString::new(worker.key()), RefBulkString::new(worker.value())).await?;
        let fetched: Option<BulkString> = client.get(RefBulkString::new(worker.key())).await?;
        worker.finish(&[fetched])?;
    }
    Ok(())
}

pub(super) async fn read_write(client: Client, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        if worker.reads() {
            let fetched: Option<BulkString> = client.get(RefBulkString::new(worker.key())).await?;
            worker.finish(&[fetched])?;
        } else {
            client.set(RefBulkString::new(worker.key()), RefBulkString::new(worker.value())).await?;
            worker.finish(NOTHING)?;
        }
    }
    Ok(())
}
