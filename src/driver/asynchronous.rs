//! `async`: every worker is a task with a connection of its own, all on one thread; a SET, and then a GET.

use redis::AsyncCommands as _;
use redis::aio::MultiplexedConnection;

use super::failure::Failure;
use super::tasks::{self, Flavour, Sockets};
use super::worker::Worker;
use super::{CLIENT, Driver};
use crate::experiment::{BuiltinMode, Threads};

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "async",
        summary: "asynchronous connections on one thread, SET and then GET",
        client: CLIENT,
        concurrency: "a task each, one thread",
        threads: Threads::One,
        can_pipeline: false,
        can_rate: true,
        by_default: true,
    },
    connect: |job| tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, work),
};

pub(super) async fn work(mut connection: MultiplexedConnection, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        let () = connection.set(worker.key(), worker.value()).await?;
        let fetched: Option<Vec<u8>> = connection.get(worker.key()).await?;
        worker.finish(&[fetched])?;
    }
    Ok(())
}
