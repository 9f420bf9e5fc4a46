//! `fred`: every worker is a task with a connection of its own, all on one thread; a SET, and then a GET.

use fred::bytes::Bytes;
use fred::interfaces::KeysInterface as _;

use super::queue::queue;
use super::{CLIENT, Connection};
use crate::driver::failure::Failure;
use crate::driver::tasks::{self, Flavour, Sockets};
use crate::driver::worker::{NOTHING, Worker};
use crate::driver::{Driver, SUPPORTS};
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(in crate::driver) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "fred",
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

pub(super) async fn set_get(connection: Connection, mut worker: Worker) -> Result<(), Failure> {
    let client = &connection.client;
    while worker.next_async().await? {
        connection.check()?;
        let () = client.set(worker.key(), worker.value(), None, None, false).await?;
        connection.check()?;
        let fetched: Option<Bytes> = client.get(worker.key()).await?;
        worker.finish(&[fetched])?;
    }
    Ok(())
}

pub(super) async fn read_write(connection: Connection, mut worker: Worker) -> Result<(), Failure> {
    let client = &connection.client;
    while worker.next_async().await? {
        connection.check()?;
        if worker.reads() {
            let fetched: Option<Bytes> = client.get(worker.key()).await?;
            worker.finish(&[fetched])?;
        } else {
            let () = client.set(worker.key(), worker.value(), None, None, false).await?;
            worker.finish(NOTHING)?;
        }
    }
    Ok(())
}
