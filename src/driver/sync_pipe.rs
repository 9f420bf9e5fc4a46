//! `sync-pipe`: every worker is a thread with a blocking connection; SET and GET share a round trip.

use redis::{Connection, Pipeline, pipe};

use super::connect::command;
use super::failure::Failure;
use super::worker::Worker;
use super::{CLIENT, Driver, OPTIONS, PIPELINE_SUPPORTS, threads};
use crate::experiment::{BuiltinMode, Threads};
use crate::workload::Kind;

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "sync-pipe",
        summary: "blocking connections, SET and GET in one pipeline",
        client: CLIENT,
        concurrency: "a thread each",
        threads: Threads::PerWorker,
        can_pipeline: true,
        can_rate: true,
        workloads: &[Kind::SetGet, Kind::ReadWrite, Kind::Commands],
        supports: PIPELINE_SUPPORTS,
        options: OPTIONS,
        by_default: true,
    },
    connect: |job| match job.workload.kind {
        Kind::SetGet => threads::connect(job, set_get),
        Kind::ReadWrite => threads::connect(job, read_write),
        Kind::Commands => threads::connect(job, commands),
        _ => Err(Failure::lacks_workload(job)),
    },
};

fn set_get(connection: &mut Connection, worker: &mut Worker) -> Result<(), Failure> {
    let mut pipe = pipe();
    while worker.next() {
        pipe.clear();
        for index in worker.batch() {
            worker.select(index);
            match worker.set_options() {
                None => pipe.set(worker.key(), worker.value()),
                Some(options) => pipe.set_options(worker.key(), worker.value(), options),
            };
            pipe.ignore().get(worker.key());
        }
        let fetched: Vec<Option<Vec<u8>>> = pipe.query(connection)?;
        worker.finish(&fetched)?;
    }
    Ok(())
}

fn read_write(connection: &mut Connection, worker: &mut Worker) -> Result<(), Failure> {
    let mut pipe = pipe();
    while worker.next() {
        pipe.clear();
        queue_reads_and_writes(&mut pipe, worker);
        let fetched: Vec<Option<Vec<u8>>> = pipe.query(connection)?;
        worker.finish(&fetched)?;
    }
    Ok(())
}

fn commands(connection: &mut Connection, worker: &mut Worker) -> Result<(), Failure> {
    let mut pipe = pipe();
    while worker.next() {
        pipe.clear();
        queue_commands(&mut pipe, worker);
        pipe.exec(connection)?;
        worker.finish_commands();
    }
    Ok(())
}

/// Puts the GETs and SETs of a batch into a pipeline.
pub(super) fn queue_reads_and_writes(pipe: &mut Pipeline, worker: &mut Worker) {
    for index in worker.batch() {
        worker.select(index);
        if worker.reads() {
            pipe.get(worker.key());
        } else {
            pipe.set(worker.key(), worker.value()).ignore();
        }
    }
}

/// Puts the commands of a batch into a pipeline.
pub(super) fn queue_commands(pipe: &mut Pipeline, worker: &mut Worker) {
    for index in worker.batch() {
        worker.select(index);
        for words in worker.commands() {
            pipe.add_command(command(words));
        }
    }
}
