//! `async-pipe`: every worker is a task with a connection of its own, all on one thread; SET and GET share a round
//! trip.

use redis::aio::MultiplexedConnection;
use redis::pipe;

use super::failure::Failure;
use super::sync_pipe::{queue_commands, queue_reads_and_writes};
use super::tasks::{self, Flavour, Sockets};
use super::worker::Worker;
use super::{CLIENT, Driver, OPTIONS, PIPELINE_SUPPORTS};
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "async-pipe",
        summary: "asynchronous connections on one thread, SET and GET in one pipeline",
        client: CLIENT,
        concurrency: "a task each, one thread",
        threads: Threads::One,
        can_pipeline: true,
        can_rate: true,
        workloads: &[Kind::SetGet, Kind::ReadWrite, Kind::Commands],
        supports: PIPELINE_SUPPORTS,
        options: OPTIONS,
        by_default: true,
    },
    connect: |job| match job.workload.kind {
        Kind::SetGet => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, set_get),
        Kind::ReadWrite => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, read_write),
        Kind::Commands => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, commands),
        _ => Err(Failure::lacks_workload(job)),
    },
};

async fn set_get(mut connection: MultiplexedConnection, mut worker: Worker) -> Result<(), Failure> {
    let mut pipe = pipe();
    while worker.next_async().await? {
        pipe.clear();
        for index in worker.batch() {
            worker.select(index);
            match worker.set_options() {
                None => pipe.set(worker.key(), worker.value()),
                Some(options) => pipe.set_options(worker.key(), worker.value(), options),
            };
            pipe.ignore().get(worker.key());
        }
        let fetched: Vec<Option<Vec<u8>>> = pipe.query_async(&mut connection).await?;
        worker.finish(&fetched)?;
    }
    Ok(())
}

async fn read_write(mut connection: MultiplexedConnection, mut worker: Worker) -> Result<(), Failure> {
    let mut pipe = pipe();
    while worker.next_async().await? {
        pipe.clear();
        queue_reads_and_writes(&mut pipe, &mut worker);
        let fetched: Vec<Option<Vec<u8>>> = pipe.query_async(&mut connection).await?;
        worker.finish(&fetched)?;
    }
    Ok(())
}

async fn commands(mut connection: MultiplexedConnection, mut worker: Worker) -> Result<(), Failure> {
    let mut pipe = pipe();
    while worker.next_async().await? {
        pipe.clear();
        queue_commands(&mut pipe, &mut worker);
        pipe.exec_async(&mut connection).await?;
        worker.finish_commands();
    }
    Ok(())
}
