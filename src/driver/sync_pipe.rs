//! `sync-pipe`: every worker is a thread with a blocking connection; SET and GET share a round trip.

use redis::{Connection, pipe};

use super::failure::Failure;
use super::worker::Worker;
use super::{CLIENT, Driver, threads};
use crate::experiment::{BuiltinMode, Threads};

pub(super) const DRIVER: Driver = Driver {
    mode: BuiltinMode {
        name: "sync-pipe",
        summary: "blocking connections, SET and GET in one pipeline",
        client: CLIENT,
        concurrency: "a thread each",
        threads: Threads::PerWorker,
        can_pipeline: true,
        can_rate: true,
        by_default: true,
    },
    connect: |job| threads::connect(job, work),
};

fn work(connection: &mut Connection, worker: &mut Worker) -> Result<(), Failure> {
    let mut pipe = pipe();
    while worker.next() {
        pipe.clear();
        for index in worker.batch() {
            worker.select(index);
            pipe.set(worker.key(), worker.value()).ignore().get(worker.key());
        }
        let fetched: Vec<Option<Vec<u8>>> = pipe.query(connection)?;
        worker.finish(&fetched)?;
    }
    Ok(())
}
