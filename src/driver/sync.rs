//! `sync`: every worker is a thread with a blocking connection; a SET, and then a GET.

use redis::{Commands as _, Connection};

use super::connect::command;
use super::failure::Failure;
use super::worker::{NOTHING, Worker};
use super::{CLIENT, Driver, threads};
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "sync",
        summary: "blocking connections, SET and then GET",
        client: CLIENT,
        concurrency: "a thread each",
        threads: Threads::PerWorker,
        can_pipeline: false,
        can_rate: true,
        workloads: Kind::ALL,
        by_default: true,
    },
    connect: |job| match job.workload.kind {
        Kind::SetGet => threads::connect(job, set_get),
        Kind::ReadWrite => threads::connect(job, read_write),
        Kind::Commands => threads::connect(job, commands),
    },
};

fn set_get(connection: &mut Connection, worker: &mut Worker) -> Result<(), Failure> {
    while worker.next() {
        let () = connection.set(worker.key(), worker.value())?;
        let fetched: Option<Vec<u8>> = connection.get(worker.key())?;
        worker.finish(&[fetched])?;
    }
    Ok(())
}

fn read_write(connection: &mut Connection, worker: &mut Worker) -> Result<(), Failure> {
    while worker.next() {
        if worker.reads() {
            let fetched: Option<Vec<u8>> = connection.get(worker.key())?;
            worker.finish(&[fetched])?;
        } else {
            let () = connection.set(worker.key(), worker.value())?;
            worker.finish(NOTHING)?;
        }
    }
    Ok(())
}

fn commands(connection: &mut Connection, worker: &mut Worker) -> Result<(), Failure> {
    while worker.next() {
        for words in worker.commands() {
            command(words).exec(connection)?;
        }
        worker.finish_commands();
    }
    Ok(())
}
