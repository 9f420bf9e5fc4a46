//! Takes trials from a plan, carries them out through agents, and tells an [`Observer`] what happened. Never prints
//! and never writes files: who wants a journal or a progress line observes.

mod attempt;
mod flags;
mod fleet;
mod survey;

use std::io;
use std::time::Duration;

use tokio::sync::watch;

use crate::host::client::ConnectError;
use crate::plan::{CellId, Plan, PlannedTrial};
use crate::protocol::{HostFacts, ServerIdentity};
use crate::record::{Status, TrialRecord};

pub use fleet::Equipment;
use fleet::Fleet;
pub use survey::{Sight, Survey, survey};

/// What happens in a run, in the order in which it happens.
#[derive(Debug)]
pub enum Event<'a> {
    /// An agent answers on a host.
    HostReady {
        /// The host's name in the file.
        host: &'a str,
        /// What it is.
        facts: &'a HostFacts,
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
    /// A mode is being prepared on a host, which may take minutes the first time.
    Preparing {
        /// The host's name in the file.
        host: &'a str,
        /// The mode, or the first of several that are prepared in the same way.
        mode: &'a str,
        /// What is run; empty if nothing but the program is looked for.
        command: &'a [String],
    },
    /// An optional mode cannot be had: its trials are left out.
    ModeSkipped(&'a MissingMode),
    /// Everything that the plan needs is there: trials begin.
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

/// Hears of everything that happens in a run.
pub trait Observer {
    /// Hears of one event.
    ///
    /// # Errors
    /// If what happened cannot be kept; the run ends then, because a trial that is not kept does not count.
    fn on(&mut self, event: Event<'_>) -> io::Result<()>;
}

/// What earlier sessions of the same run did for a trial.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// Whether it needs no more attempts.
    pub done: bool,
    /// Attempts so far.
    pub attempts: u32,
}

/// A mode that cannot be had on a host.
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
    /// Every trial of the plan was executed, but for those of optional modes that cannot be had.
    Complete {
        /// Trials of this session that failed in every attempt.
        failed: u64,
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
    Connect(#[from] ConnectError),
    /// A server cannot be had.
    #[error("host `{host}`: server `{server}`: {reason}")]
    Server {
        /// The host's name in the file.
        host: String,
        /// The server's name in the file.
        server: String,
        /// What came back.
        reason: String,
    },
    /// Modes cannot be had, and they are not optional.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Modes(Vec<MissingMode>),
    /// What happened cannot be kept.
    #[error("failed to keep a result: {0}")]
    Keep(#[from] io::Error),
}

/// Executes every trial of `plan` that `past` does not call done.
///
/// `stop` turns true when somebody asks for an end: the running attempt is abandoned then and recorded as
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
    let mut fleet = Fleet::new(plan.experiment(), equipment);
    let end = tokio::select! {
        biased;
        () = stop_requested(stop.clone()) => Ok(false),
        ready = fleet.muster(plan, observer) => ready.map(|()| true),
    };
    let end = match end {
        Ok(true) => execute(plan, &mut fleet, past, observer, &stop).await,
        Ok(false) => Ok(End::Interrupted),
        Err(error) => Err(error),
    };
    fleet.disband().await;
    end
}

async fn execute(
    plan: &Plan<'_>,
    fleet: &mut Fleet<'_>,
    past: &dyn Fn(CellId, u32) -> Past,
    observer: &mut dyn Observer,
    stop: &watch::Receiver<bool>,
) -> Result<End, RunError> {
    observer.on(Event::Begin)?;
    let retries = plan.experiment().run.retries;
    let (mut failed, mut skipped) = (0, 0);
    for trial in plan.trials() {
        let Past { done, attempts } = past(trial.cell.id, trial.repetition);
        if done {
            continue;
        }
        if fleet.skips(&trial.cell.settings) {
            skipped += 1;
            continue;
        }
        let last = attempts.saturating_add(1).saturating_add(retries);
        for attempt in attempts.saturating_add(1)..=last {
            if *stop.borrow() {
                return Ok(End::Interrupted);
            }
            observer.on(Event::AttemptBegins { trial: &trial, attempt })?;
            let ended = attempt::attempt(fleet, &trial, attempt, stop).await;
            let ok = ended.record.status == Status::Ok;
            let again = !ok && ended.may_succeed_again && attempt < last;
            observer.on(Event::AttemptEnded { record: &ended.record, again })?;
            if let Some(fatal) = ended.fatal {
                return Err(fatal);
            }
            if ended.record.status == Status::Interrupted {
                return Ok(End::Interrupted);
            }
            if !again {
                failed += u64::from(!ok);
                break;
            }
            pause(attempt - attempts, stop).await;
        }
    }
    Ok(End::Complete { failed, skipped })
}

/// Lets a server or a host come to itself before the next attempt: a tenth of a second, and twice as long each time up
/// to some seconds.
async fn pause(failures: u32, stop: &watch::Receiver<bool>) {
    let pause = Duration::from_millis(100 << failures.saturating_sub(1).min(6));
    tokio::select! {
        () = stop_requested(stop.clone()) => {}
        () = tokio::time::sleep(pause) => {}
    }
}

/// Returns when somebody asks for an end; never, when nobody can any more.
async fn stop_requested(mut stop: watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
