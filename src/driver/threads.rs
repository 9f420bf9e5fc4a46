//! Workers that are threads: one blocking connection each, on a pool of exactly as many threads. The thread that has
//! nothing else to do is one of them, so that one worker needs no second thread.

use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};
use redis::Connection;

use super::Crew;
use super::connect::{Server, allow_open_files};
use super::failure::Failure;
use super::phase::Phase;
use super::worker::Worker;
use crate::protocol::{FailureKind, Job};

/// Sends requests on its connection until the worker has no more.
type Work = fn(&mut Connection, &mut Worker) -> Result<(), Failure>;

struct Threads {
    pool: ThreadPool,
    /// By the number of the thread, which is the worker's; locked once a phase and by that thread alone.
    connections: Vec<Mutex<Connection>>,
    work: Work,
}

/// Starts and connects a thread for every worker of the job.
pub(super) fn connect(job: &Job, work: Work) -> Result<Box<dyn Crew>, Failure> {
    allow_open_files(job.workers);
    let server = Server::new(&job.server)?;
    let pool =
        ThreadPoolBuilder::new().num_threads(job.workers as usize).use_current_thread().build().map_err(
            |error| Failure::new(FailureKind::Other, format!("failed to start the threads: {error}")),
        )?;
    let connections = pool
        .broadcast(|thread| {
            server.connect().map(Mutex::new).map_err(|failure| failure.of_worker(thread.index() as u32))
        })
        .into_iter()
        .collect::<Result<_, _>>()?;
    Ok(Box::new(Threads { pool, connections, work }))
}

impl Crew for Threads {
    fn runtime(&self) -> String {
        "rayon 1.12.0".to_owned()
    }

    fn work(&mut self, phase: &Arc<Phase>) {
        self.pool.broadcast(|thread| {
            let mut connection =
                self.connections[thread.index()].lock().unwrap_or_else(PoisonError::into_inner);
            let number = thread.index() as u32;
            let mut worker = Worker::new(phase, number);
            if let Err(failure) = (self.work)(&mut connection, &mut worker) {
                phase.fail(failure.of_worker(number));
            }
        });
    }
}
