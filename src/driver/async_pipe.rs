//! `async-pipe`: every worker is a task with a connection of its own, all on one thread; SET and GET share a round
//! trip.

use redis::aio::MultiplexedConnection;
use redis::pipe;

use super::failure::Failure;
use super::tasks::{self, Flavour, Sockets};
use super::worker::Worker;
use super::{CLIENT, Driver};
use crate::experiment::{BuiltinMode, Threads};

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "async-pipe",
        summary: "asynchronous connections on one thread, SET and GET in one pipeline",
        client: CLIENT,
        concurrency: "a task each, one thread",
        threads: Threads::One,
        can_pipeline: true,
        can_rate: true,
        by_default: true,
    },
    connect: |job| tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, work),
};

async fn work(mut connection: MultiplexedConnection, mut worker: Worker) -> Result<(), Failure> {
    let mut pipe = pipe();
    while worker.next_async().await? {
        pipe.clear();
        for index in worker.batch() {
            worker.select(index);
            pipe.set(worker.key(), worker.value()).ignore().get(worker.key());
        }
        let fetched: Vec<Option<Vec<u8>>> = pipe.query_async(&mut connection).await?;
        worker.finish(&fetched)?;
    }
    Ok(())
}
