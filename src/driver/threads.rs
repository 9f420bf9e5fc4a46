//! Workers that are threads: one blocking connection each. The main thread, which has nothing else to do, is one of them, so
//! that one worker needs no second thread.
//!
//! The threads are ours and not those of a pool: an idle thread of a pool looks for work among all the others, which with
//! hundreds of threads takes more CPU time than the requests do. Ours sleep until the next phase begins.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, Mutex, PoisonError, RwLock};
use std::thread::Builder;

use super::Crew;
use super::connect::{Blocking, allow_open_files, not_connected};
use super::failure::Failure;
use super::phase::Phase;
use super::side::Hand;
use crate::protocol::{FailureKind, Job};

/// Sends requests on its connection until the worker has no more.
type Work<C, H> = fn(&mut C, &mut H) -> Result<(), Failure>;

/// Enough for a request and its reply, and little enough for ten thousand threads.
const STACK_BYTES: usize = 256 * 1024;

/// How many threads connect at the same time.
const CONNECTING: usize = 64;

/// The workers. Threads end with the process: a driver carries out one job.
struct Threads<C, H> {
    /// The connection of the worker on the main thread.
    connection: C,
    common: Arc<Common>,
    work: Work<C, H>,
}

/// What all threads share.
struct Common {
    /// Where they meet: once when all are connected, and then at the beginning and at the end of every phase.
    barrier: Barrier,
    /// What the phase is, between its beginning and its end.
    phase: RwLock<Option<Arc<Phase>>>,
    /// A thread holds one of these while it connects: the queue in which a server's socket keeps new connections is short.
    connecting: [Mutex<()>; CONNECTING],
    /// The first failure to connect.
    failure: Mutex<Option<Failure>>,
}

/// Starts and connects a thread for every worker of the job, and for its pushers. They are all up when this returns.
pub(super) fn connect<C: Blocking, H: Hand + 'static>(
    job: &Job,
    work: Work<C, H>,
) -> Result<Box<dyn Crew>, Failure> {
    let count = H::count(job);
    allow_open_files(count);
    let client = C::client(job)?;
    let endpoint = job.server.clone();
    let open = move || C::connect(&client).map_err(|error| not_connected(&endpoint, error));
    // Before there is any other thread: a server that is not there is told at once.
    let connection = open().map_err(|failure| failure.of_worker(0))?;
    let common = Arc::new(Common {
        barrier: Barrier::new(count as usize),
        phase: RwLock::default(),
        connecting: [const { Mutex::new(()) }; CONNECTING],
        failure: Mutex::default(),
    });
    for number in 1..count {
        let (open, theirs) = (open.clone(), Arc::clone(&common));
        Builder::new().stack_size(STACK_BYTES).spawn(move || theirs.serve(open, number, work)).map_err(
            |error| {
                let error = format!(
                    "failed to start thread {} of {}: {error}; allow more processes (`ulimit -u`, `pids.max` of the \
                     cgroup), or ask for fewer workers",
                    number + 1,
                    count
                );
                Failure::new(FailureKind::Other, error)
            },
        )?;
    }
    common.barrier.wait();
    let failure = common.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    failure.map_or_else(|| Ok(Box::new(Threads { connection, common, work }) as Box<dyn Crew>), Err)
}

impl Common {
    /// The life of a thread.
    fn serve<C, H: Hand>(&self, open: impl FnOnce() -> Result<C, Failure>, number: u32, work: Work<C, H>) {
        let connected = {
            let turn = &self.connecting[number as usize % CONNECTING];
            let _turn = turn.lock().unwrap_or_else(PoisonError::into_inner);
            open()
        };
        if let Err(failure) = &connected {
            let failure = failure.clone().of_worker(number);
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        }
        self.barrier.wait();
        let Ok(mut connection) = connected else { return };
        loop {
            self.barrier.wait();
            let phase = self.phase.read().unwrap_or_else(PoisonError::into_inner).clone();
            if let Some(phase) = phase {
                // The others wait for this thread at the end of the phase, so it comes there whatever happens.
                let ended =
                    catch_unwind(AssertUnwindSafe(|| carry_out(&phase, number, &mut connection, work)));
                if ended.is_err() {
                    phase.fail(Failure::new(FailureKind::Other, "its thread panicked").of_worker(number));
                }
            }
            self.barrier.wait();
        }
    }
}

impl<C, H: Hand> Crew for Threads<C, H> {
    fn runtime(&self) -> String {
        "std::thread".to_owned()
    }

    fn work(&mut self, phase: &Arc<Phase>) {
        *self.common.phase.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(phase));
        self.common.barrier.wait();
        carry_out(phase, 0, &mut self.connection, self.work);
        self.common.barrier.wait();
        *self.common.phase.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// One worker's share of a phase.
fn carry_out<C, H: Hand>(phase: &Arc<Phase>, number: u32, connection: &mut C, work: Work<C, H>) {
    let mut worker = H::new(phase, number);
    if let Err(failure) = work(connection, &mut worker) {
        phase.fail(failure.of_worker(number));
    }
}
