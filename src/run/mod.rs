//! Takes trials from a plan, carries them out through agents, and tells an [`Observer`] what happened. Never prints and
//! never writes files: callers that want a journal or a progress line provide an observer.

mod agents;
mod attempt;
mod flags;
mod multi_client;
mod preflight;
mod room;
mod schedule;

use std::cell::Cell;
use std::collections::HashMap;
use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::host::agent_connect::ReachError;
use crate::plan::{CellId, NeededServer, Plan, PlannedTrial};
use crate::protocol::{DriverFiles, HostFacts, ServerDescription, ServerIdentity};
use crate::record::{Status, TrialRecord};

use agents::Agents;
pub use agents::Equipment;
use attempt::Prospect;
pub use preflight::{Check, Preflight, preflight};
use schedule::{Next, Schedule, Task};

/// How long a run waits, at first and at most, before it asks again whether a host is free. Asking costs a little CPU time,
/// which the run that holds the host sees as background load.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// What happens in a run, in the order in which it happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// Another run holds a host, and this one waits until it is free.
    Waiting {
        /// Which host, and who holds it.
        error: &'a RunError,
    },
    /// An agent answers on a host.
    HostReady {
        /// The host's name in the file.
        host: &'a str,
        /// Facts about it.
        facts: &'a HostFacts,
        /// Where this program is on the host, if it had to be copied there.
        brought: Option<&'a str>,
    },
    /// A server answers on a host.
    ServerReady {
        /// The host's name in the file.
        host: &'a str,
        /// The server's name in the file.
        server: &'a str,
        /// What it is.
        identity: &'a ServerIdentity,
    },
    /// Details of a server beyond its identity, where its agent reports them.
    ServerDescribed {
        /// The server, and where it is.
        needed: &'a NeededServer,
        /// What it is.
        description: ServerDescription,
    },
    /// A mode is being prepared on a host, which may take minutes the first time.
    Preparing {
        /// The host's name in the file.
        host: &'a str,
        /// The mode, or the first of several that are prepared in the same way.
        mode: &'a str,
        /// What is run; empty if there is only a program to look for.
        command: &'a [String],
    },
    /// The driver of a mode is available.
    ModeReady {
        /// The host's name in the file.
        host: &'a str,
        /// The mode.
        mode: &'a str,
        /// What its driver is made of.
        driver: &'a DriverFiles,
    },
    /// An optional mode is unavailable: its trials are left out.
    ModeSkipped(&'a MissingMode),
    /// Everything that the plan needs is available: trials begin.
    Begin,
    /// An attempt begins.
    AttemptBegins {
        /// At which trial.
        trial: &'a PlannedTrial,
        /// From 1.
        attempt: u32,
    },
    /// An attempt ended; it counts once the observer has returned.
    AttemptEnded {
        /// All that is known about it.
        record: &'a TrialRecord,
        /// Whether the same trial will be tried again.
        again: bool,
    },
}

/// Is told everything that happens in a run, and decides when there is enough data.
pub trait Observer {
    /// Receives one event.
    ///
    /// # Errors
    /// If what happened cannot be stored; the run ends then, because a trial that is not stored does not count.
    fn on(&mut self, event: Event<'_>) -> io::Result<()>;

    /// For a run whose repetitions depend on what was measured: whether this many blocks are enough. Asked when every trial
    /// of the last block has ended, from the smallest allowed number of blocks on, but not at the largest.
    fn enough(&mut self, blocks: u32) -> bool;
}

/// What earlier sessions of the same run did for a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Whether it needs no more attempts.
    pub done: bool,
    /// Attempts so far.
    pub attempts: u32,
}

/// A mode that is unavailable on a host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("host `{host}`: mode `{mode}`: {reason}")]
pub struct MissingMode {
    /// The host's name in the file.
    pub host: String,
    /// The mode.
    pub mode: String,
    /// What came back.
    pub reason: String,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every trial of the plan was executed, or those of as many blocks as were enough, except for optional modes that are
    /// unavailable.
    Complete {
        /// Trials of this session that failed in every attempt.
        failed: u64,
        /// Those among them whose mode cannot do what the file asks for.
        refused: u64,
        /// Trials that were left out.
        skipped: u64,
    },
    /// Somebody asked it to stop.
    Interrupted,
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no agent on a host.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// A server is unavailable.
    #[error("host `{host}`: server `{server}`: {reason}")]
    Server {
        /// The host's name in the file.
        host: String,
        /// The server's name in the file.
        server: String,
        /// What came back.
        reason: String,
    },
    /// Modes are unavailable, and they are not optional.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Modes(Vec<MissingMode>),
    /// More than one host or server is unavailable.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several(Vec<RunError>),
    /// What happened cannot be stored.
    #[error("failed to keep a result: {0}")]
    Keep(#[from] io::Error),
}

impl RunError {
    /// Whether the only problem is that another run holds a host.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        match self {
            Self::Reach(error) => error.is_in_use(),
            Self::Several(all) => all.iter().all(Self::is_in_use),
            Self::Server { .. } | Self::Modes(_) | Self::Keep(_) => false,
        }
    }

    /// All errors as one, if there are any.
    fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        match errors.pop() {
            None => Ok(()),
            Some(only) if errors.is_empty() => Err(only),
            Some(last) => {
                errors.push(last);
                Err(Self::Several(errors))
            }
        }
    }
}

/// Executes every trial of `plan` that `past` does not call done, in parallel on disjoint hosts.
///
/// If the plan leaves open how many blocks there are, no trial of a further block begins until every trial of the previous
/// one has ended on every host, and the observer has said that it is not enough. So all cells have equally many repetitions,
/// and which ones they are does not depend on how fast a host is.
///
/// `stop` becomes true when somebody asks for the run to end: running attempts are then abandoned and recorded as
/// interrupted. However the run ends, agents are told to stop what they started before this returns.
///
/// # Errors
/// See [`RunError`]. What was observed before is as valid as in a run that completes.
pub async fn run(
    plan: &Plan<'_>,
    equipment: Equipment,
    past: &dyn Fn(CellId, u32) -> Past,
    observer: &mut dyn Observer,
    stop: watch::Receiver<bool>,
) -> Result<End, RunError> {
    let mut pause = FIRST_WAIT;
    let (agents, ready) = loop {
        let agents = Agents::new(plan, equipment.clone());
        let ready = tokio::select! {
            biased;
            () = stop_requested(stop.clone()) => Ok(false),
            ready = agents.connect_all(plan, observer) => ready.map(|()| true),
        };
        match ready {
            Err(error) if equipment.wait && error.is_in_use() => {
                // All hosts or none: two runs that each held one and waited for the other's would wait for ever.
                agents.shutdown().await;
                observer.on(Event::Waiting { error: &error })?;
                tokio::select! {
                    biased;
                    () = stop_requested(stop.clone()) => return Ok(End::Interrupted),
                    () = sleep(pause) => {}
                }
                pause = (pause * 2).min(LONGEST_WAIT);
            }
            ready => break (agents, ready),
        }
    };
    let end = match ready {
        Ok(true) => execute(plan, &agents, past, observer, stop).await,
        Ok(false) => Ok(End::Interrupted),
        Err(error) => Err(error),
    };
    agents.shutdown().await;
    end
}

async fn execute(
    plan: &Plan<'_>,
    agents: &Agents<'_>,
    past: &dyn Fn(CellId, u32) -> Past,
    observer: &mut dyn Observer,
    stop: watch::Receiver<bool>,
) -> Result<End, RunError> {
    observer.on(Event::Begin)?;
    let retries = plan.experiment().run.retries;
    let skipped = Cell::new(0);
    let coming = |trial: PlannedTrial| {
        let Past { done, attempts } = past(trial.cell.id, trial.repetition);
        if done {
            return None;
        }
        if agents.skips(&trial.cell.settings) {
            skipped.set(skipped.get() + 1);
            return None;
        }
        let attempt = attempts.saturating_add(1);
        Some(Task { trial, attempt, last: attempt.saturating_add(retries), not_before: None })
    };
    let hosts = plan.hosts();
    let schedule_of = |blocks: RangeInclusive<u32>| {
        Schedule::new(&hosts, blocks.flat_map(|repetition| plan.block(repetition)).filter_map(coming))
    };
    let mut blocks = plan.least_blocks();
    let mut schedule = schedule_of(1..=blocks);
    let mut running = FuturesUnordered::new();
    // What stops running attempts: somebody who asks for the run to end, or an error that ends it.
    let (halt, halted) = watch::channel(false);
    let mut end: Option<Result<End, RunError>> = None;
    let (mut failed, mut refused) = (0, 0);
    // For each cell, the message with which its first trial was refused because the mode cannot do it.
    let mut refusals: HashMap<CellId, String> = HashMap::new();
    loop {
        let mut wake = None;
        while end.is_none() {
            match schedule.next(Instant::now(), |host| agents.away(host)) {
                Next::Begin(task) => {
                    if let Err(error) =
                        observer.on(Event::AttemptBegins { trial: &task.trial, attempt: task.attempt })
                    {
                        end = Some(Err(error.into()));
                        break;
                    }
                    let halted = halted.clone();
                    let refusal = refusals.get(&task.trial.cell.id).cloned();
                    running.push(async move {
                        let ended = match refusal {
                            Some(refusal) => attempt::not_made(agents, &task.trial, task.attempt, &refusal),
                            None => attempt::attempt(agents, &task.trial, task.attempt, halted).await,
                        };
                        (task, ended)
                    });
                }
                Next::Wait(until) => {
                    wake = until;
                    break;
                }
            }
        }
        if end.is_some() {
            halt.send_replace(true);
        }
        if running.is_empty() && (end.is_some() || wake.is_none()) {
            if end.is_some() || blocks == plan.blocks() || observer.enough(blocks) {
                break;
            }
            blocks += 1;
            schedule = schedule_of(blocks..=blocks);
            continue;
        }
        tokio::select! {
            biased;
            () = stop_requested(stop.clone()), if end.is_none() => end = Some(Ok(End::Interrupted)),
            Some((task, ended)) = running.next(), if !running.is_empty() => {
                let ok = ended.record.status == Status::Ok;
                let again = !ok && ended.prospect == Prospect::Better && task.attempt < task.last;
                let kept = observer.on(Event::AttemptEnded { record: &ended.record, again });
                failed += u64::from(!ok && !again);
                if ended.prospect == Prospect::Refused {
                    refused += 1;
                    let refusal = ended.record.error.clone().unwrap_or_default();
                    refusals.entry(task.trial.cell.id).or_insert(refusal);
                }
                let not_before = Some(Instant::now() + pause(task.attempt, task.last, retries));
                let Task { trial, attempt, last, .. } = *task;
                schedule.ended(&trial.clone(), again.then_some(Task { trial, attempt: attempt + 1, last, not_before }));
                // The first error is the cause, and later ones follow from it.
                if let Some(error) = kept.err().map(RunError::from).or(ended.fatal) {
                    end.get_or_insert(Err(error));
                }
            }
            () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
        }
    }
    end.unwrap_or(Ok(End::Complete { failed, refused, skipped: skipped.get() }))
}

/// Gives a server or a host time to recover before the next attempt: a tenth of a second, then twice as long each time, up
/// to a few seconds.
fn pause(attempt: u32, last: u32, retries: u32) -> Duration {
    let failures = attempt.saturating_add(retries).saturating_sub(last);
    Duration::from_millis(100 << failures.min(6))
}

/// Returns when somebody asks for the run to end; never returns once nobody can any more.
async fn stop_requested(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
