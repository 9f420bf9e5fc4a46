//! `async`: every worker is a task with a connection of its own, all on one thread; a SET, and then a GET.

use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;

use super::connect::command;
use super::failure::Failure;
use super::tasks::{self, Flavour, Sockets};
use super::worker::{NOTHING, Worker};
use super::{CLIENT, Driver};
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "async",
        summary: "asynchronous connections on one thread, SET and then GET",
        client: CLIENT,
        concurrency: "a task each, one thread",
        threads: Threads::One,
        can_pipeline: false,
        can_rate: true,
        workloads: Kind::ALL,
        by_default: true,
    },
    connect: |job| match job.workload.kind {
        Kind::SetGet => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, set_get),
        Kind::ReadWrite => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, read_write),
        Kind::Commands => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, commands),
    },
};

pub(super) async fn set_get(
    mut connection: MultiplexedConnection,
    mut worker: Worker,
) -> Result<(), Failure> {
    while worker.next_async().await? {
        let () = connection.set(worker.key(), worker.value()).await?;
        let fetched: Option<Vec<u8>> = connection.get(worker.key()).await?;
        worker.finish(&[fetched])?;
    }
    Ok(())
}

pub(super) async fn read_write(
    mut connection: MultiplexedConnection,
    mut worker: Worker,
) -> Result<(), Failure> {
    while worker.next_async().await? {
        if worker.reads() {
            let fetched: Option<Vec<u8>> = connection.get(worker.key()).await?;
            worker.finish(&[fetched])?;
        } else {
            let () = connection.set(worker.key(), worker.value()).await?;
            worker.finish(NOTHING)?;
        }
    }
    Ok(())
}

pub(super) async fn commands(
    mut connection: MultiplexedConnection,
    mut worker: Worker,
) -> Result<(), Failure> {
    while worker.next_async().await? {
        for words in worker.commands() {
            command(words).exec_async(&mut connection).await?;
        }
        worker.finish_commands();
    }
    Ok(())
}
