//! `sync`: every worker is a thread with a blocking connection; a SET, and then a GET.

use redis::{Commands as _, Connection};

use super::failure::Failure;
use super::worker::Worker;
use super::{CLIENT, Driver, threads};
use crate::experiment::{BuiltinMode, Threads};

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "sync",
        summary: "blocking connections, SET and then GET",
        client: CLIENT,
        concurrency: "a thread each",
        threads: Threads::PerWorker,
        can_pipeline: false,
        can_rate: true,
        by_default: true,
    },
    connect: |job| threads::connect(job, work),
};

fn work(connection: &mut Connection, worker: &mut Worker) -> Result<(), Failure> {
    while worker.next() {
        let () = connection.set(worker.key(), worker.value())?;
        let fetched: Option<Vec<u8>> = connection.get(worker.key())?;
        worker.finish(&[fetched])?;
    }
    Ok(())
}
