//! `rustis-pipe`: every worker is a task with a connection of its own, all on one thread; SET and GET share a round
//! trip.

use rustis::client::{BatchPreparedCommand as _, Client};
use rustis::commands::StringCommands as _;
use rustis::resp::{BulkString, RefBulkString};

use super::{CLIENT, PIPELINE_SUPPORTS};
use crate::driver::Driver;
use crate::driver::failure::Failure;
use crate::driver::tasks::{self, Flavour, Sockets};
use crate::driver::worker::Worker;
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(in crate::driver) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "rustis-pipe",
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

async fn set_get(client: Client, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        let mut pipeline = client.create_pipeline();
        for index in worker.batch() {
            worker.select(index);
            let key = RefBulkString::new(worker.key());
            // Not `forget`: that would also forget an error.
            pipeline.set(&key, RefBulkString::new(worker.value())).queue();
            pipeline.get::<()>(&key).queue();
        }
        let replies: Vec<Option<BulkString>> = pipeline.execute().await?;
        let fetched: Vec<_> = replies.into_iter().skip(1).step_by(2).collect();
        worker.finish(&fetched)?;
    }
    Ok(())
}

async fn read_write(client: Client, mut worker: Worker) -> Result<(), Failure> {
    while worker.next_async().await? {
        let mut pipeline = client.create_pipeline();
        let mut reads = Vec::new();
        for index in worker.batch() {
            worker.select(index);
            reads.push(worker.reads());
            let key = RefBulkString::new(worker.key());
            if worker.reads() {
                pipeline.get::<()>(&key).queue();
            } else {
                pipeline.set(&key, RefBulkString::new(worker.value())).queue();
            }
        }
        let replies: Vec<Option<BulkString>> = pipeline.execute().await?;
        let fetched = replies.into_iter().zip(reads).filter(|(_, reads)| *reads);
        worker.finish(&fetched.map(|(reply, _)| reply).collect::<Vec<_>>())?;
    }
    Ok(())
}
