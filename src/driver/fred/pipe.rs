//! `fred-pipe`: every worker is a task with a connection of its own, all on one thread; SET and GET share a round trip.
//! The library writes them to the socket one by one.

use fred::bytes::Bytes;
use fred::interfaces::KeysInterface as _;

use super::{CLIENT, Connection};
use crate::driver::failure::Failure;
use crate::driver::tasks::{self, Flavour, Sockets};
use crate::driver::worker::Worker;
use crate::driver::{Driver, PIPELINE_SUPPORTS};
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(in crate::driver) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "fred-pipe",
        summary: "asynchronous connections on one thread, SET and GET in one pipeline",
        client: CLIENT,
        concurrency: "a task each, one thread",
        threads: Threads::One,
        can_pipeline: true,
        can_rate: true,
        workloads: &[Kind::SetGet, Kind::ReadWrite],
        supports: PIPELINE_SUPPORTS,
        options: &[],
        by_default: false,
    },
    connect: |job| match job.workload.kind {
        Kind::SetGet => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, set_get),
        Kind::ReadWrite => tasks::connect(job, Flavour::CurrentThread, Sockets::OneEach, read_write),
        _ => Err(Failure::lacks_workload(job)),
    },
};

async fn set_get(connection: Connection, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        let pipeline = connection.client.pipeline();
        for index in worker.batch() {
            worker.select(index);
            let () = pipeline.set(worker.key(), worker.value(), None, None, false).await?;
            let () = pipeline.get(worker.key()).await?;
        }
        connection.check()?;
        let replies: Vec<Option<Bytes>> = pipeline.all().await?;
        let fetched: Vec<_> = replies.into_iter().skip(1).step_by(2).collect();
        worker.finish(&fetched)?;
    }
    Ok(())
}

async fn read_write(connection: Connection, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        let pipeline = connection.client.pipeline();
        let mut reads = Vec::new();
        for index in worker.batch() {
            worker.select(index);
            reads.push(worker.reads());
            if worker.reads() {
                let () = pipeline.get(worker.key()).await?;
            } else {
                let () = pipeline.set(worker.key(), worker.value(), None, None, false).await?;
            }
        }
        connection.check()?;
        let replies: Vec<Option<Bytes>> = pipeline.all().await?;
        let fetched = replies.into_iter().zip(reads).filter(|(_, reads)| *reads);
        worker.finish(&fetched.map(|(reply, _)| reply).collect::<Vec<_>>())?;
    }
    Ok(())
}
