//! Workers that are tasks of a tokio runtime, with a connection each or one for all.

use std::marker::PhantomData;
use std::num::NonZero;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinError, JoinHandle};

use super::Crew;
use super::connect::allow_open_files;
use super::failure::Failure;
use super::phase::Phase;
use super::side::Hand;
use crate::protocol::Job;
use crate::setting::Scalar;

/// Where the tasks run, in the words of tokio.
#[derive(Clone, Copy)]
pub(super) enum Flavour {
    /// All on one thread.
    CurrentThread,
    /// On one thread for every CPU that this process may use, by its affinity when it starts.
    MultiThread,
}

/// How the tasks are connected.
#[derive(Clone, Copy)]
pub(super) enum Sockets {
    /// Every worker has a connection of its own.
    OneEach,
    /// All workers send on the same connection, and the library keeps their replies apart.
    Shared,
}

/// Whose connection it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    /// A worker's.
    Worker,
    /// A pusher's.
    Pusher,
}

/// A connection of some asynchronous client library; its clones share one socket.
pub(super) trait Connection: Clone + Send + 'static {
    /// Connects at once, not at the first request. After that it never connects again: a connection that is lost
    /// fails what is sent on it.
    fn open(job: Arc<Job>, seat: Seat) -> impl Future<Output = Result<Self, Failure>> + Send;
}

struct Tasks<C, H, W> {
    runtime: Runtime,
    name: String,
    /// By the worker's number.
    connections: Vec<C>,
    work: W,
    hands: PhantomData<fn() -> H>,
}

/// Connects a task for every worker of the job, and for its pushers; `work` is what a task then does until there is nothing
/// left.
pub(super) fn connect<C, H, W, F>(
    job: &Job,
    flavour: Flavour,
    sockets: Sockets,
    work: W,
) -> Result<Box<dyn Crew>, Failure>
where
    C: Connection,
    H: Hand + 'static,
    W: Fn(C, H) -> F + 'static,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let hands = H::count(job);
    allow_open_files(hands);
    let (mut builder, name) = match flavour {
        Flavour::CurrentThread => (Builder::new_current_thread(), "current-thread".to_owned()),
        Flavour::MultiThread => {
            let count = match job.options.get("threads") {
                Some(&Scalar::Number(threads)) => usize::try_from(threads).unwrap_or(1),
                _ => available_parallelism().map_or(1, NonZero::get),
            };
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(count);
            (builder, format!("multi-thread ({count})"))
        }
    };
    // A library may look up names in threads made for that. They have to be gone before the work begins, which would
    // pay for locks that a process with one thread does without.
    let runtime = builder.enable_all().thread_keep_alive(Duration::ZERO).build()?;
    let connections = runtime.block_on(async {
        match sockets {
            Sockets::OneEach => connect_each(job, hands).await,
            Sockets::Shared => Ok(vec![C::open(Arc::new(job.clone()), Seat::Worker).await?; hands as usize]),
        }
    })?;
    Ok(Box::new(Tasks {
        runtime,
        name: format!("tokio 1.54.1 {name}"),
        connections,
        work,
        hands: PhantomData,
    }))
}

async fn connect_each<C: Connection>(job: &Job, hands: u32) -> Result<Vec<C>, Failure> {
    let shared = Arc::new(job.clone());
    let seat = |number: u32| if number < job.workers { Seat::Worker } else { Seat::Pusher };
    let open = |number| tokio::spawn(C::open(Arc::clone(&shared), seat(number)));
    let pending: Vec<JoinHandle<_>> = (0..hands).map(open).collect();
    let mut connections = Vec::with_capacity(pending.len());
    for (number, connected) in pending.into_iter().enumerate() {
        connections.push(outcome(connected.await).map_err(|failure| failure.of_worker(number as u32))?);
    }
    Ok(connections)
}

impl<C, H, W, F> Crew for Tasks<C, H, W>
where
    C: Connection,
    H: Hand,
    W: Fn(C, H) -> F,
    F: Future<Output = Result<(), Failure>> + Send + 'static,
{
    fn runtime(&self) -> String {
        self.name.clone()
    }

    fn work(&mut self, phase: &Arc<Phase>) {
        let tasks: Vec<JoinHandle<()>> = (0..)
            .zip(&self.connections)
            .map(|(number, connection)| {
                let work = (self.work)(connection.clone(), H::new(phase, number));
                let phase = Arc::clone(phase);
                self.runtime.spawn(async move {
                    if let Err(failure) = work.await {
                        phase.fail(failure.of_worker(number));
                    }
                })
            })
            .collect();
        self.runtime.block_on(async {
            for task in tasks {
                outcome(task.await);
            }
        });
    }
}

/// A task that panicked takes this thread with it.
fn outcome<T>(joined: Result<T, JoinError>) -> T {
    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))
}
