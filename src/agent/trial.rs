//! The trial on this host: one at a time, from its placement to the end of its driver.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;

use tokio::sync::{Mutex, Notify};
use tokio_util::sync::CancellationToken;

use super::driver::Driver;
use super::line_writer::LineWriter;
use crate::experiment::Placement;
use crate::host::placement::{self, Sides, Topology};
use crate::protocol::{
    AgentError, AgentErrorKind, AppliedPlacement, Program, ServerPlace, TrialAbort, TrialGo, TrialPrepare,
    TrialReady, TrialResult,
};
use crate::server::Servers;

/// The one trial that may be under way.
pub(super) struct Trials {
    driver_program: PathBuf,
    servers: Rc<Mutex<Servers>>,
    writer: LineWriter,
    /// What this program may use at its start; it never binds itself.
    topology: Result<Topology, String>,
    current: RefCell<Option<Trial>>,
    /// Signals that a trial is over.
    over: Notify,
}

struct Trial {
    name: String,
    /// The server that it uses, if that is on this host.
    server: Option<String>,
    abort: CancellationToken,
    stage: Stage,
}

enum Stage {
    /// A call is at work on it, and owns the driver.
    AtWork,
    /// The driver waits for `go`.
    Ready(Box<Driver>),
}

impl Trials {
    pub(super) fn new(driver_program: PathBuf, servers: Rc<Mutex<Servers>>, writer: LineWriter) -> Self {
        let topology = Topology::here().map_err(|error| error.to_string());
        Self { driver_program, servers, writer, topology, current: RefCell::new(None), over: Notify::new() }
    }

    /// Places and starts a driver, and brings it to `ready`.
    pub(super) async fn prepare(
        &self,
        mut call: TrialPrepare,
        program: &Program<String>,
    ) -> Result<TrialReady, AgentError> {
        let work = self.begin(&call.trial, call.server_key.clone())?;
        let bring_up = async {
            let (placement, cpus) = self.place(&call).await?;
            if let Some(tls) = &mut call.job.server.tls {
                *tls = self.servers.lock().await.tls_files(tls)?;
            }
            let builtin = &self.driver_program;
            let driver = Driver::start(
                &call.trial,
                program,
                builtin,
                &call.environment,
                cpus.as_deref(),
                self.writer.clone(),
            )?;
            let (driver, ready) = driver.become_ready(&call.job, call.timeout).await?;
            Ok((driver, TrialReady { ready, placement }))
        };
        match work.abort.run_until_cancelled(bring_up).await {
            Some(Ok((driver, ready))) => {
                work.hand_over(driver);
                Ok(ready)
            }
            Some(Err(error)) => Err(self.blame_server(error, work.server.as_deref()).await),
            None => Err(aborted(&call.trial)),
        }
    }

    /// Starts the measured part, and waits for its end and the driver's.
    pub(super) async fn go(&self, call: TrialGo) -> Result<TrialResult, AgentError> {
        let (work, driver) = self.resume(&call.trial)?;
        let servers = self.servers.lock().await.pids();
        let note_done = async {
            if let Some(key) = &work.server {
                self.servers.lock().await.note_done(key).await;
            }
        };
        match work.abort.run_until_cancelled(driver.go(call.timeout, &servers, note_done)).await {
            Some(Ok(result)) => Ok(result),
            Some(Err(error)) => Err(self.blame_server(error, work.server.as_deref()).await),
            None => Err(aborted(&call.trial)),
        }
    }

    /// Kills the trial's driver, and returns when it is gone. A trial that is over is no error: the abort may have
    /// crossed its end.
    pub(super) async fn abort(&self, call: TrialAbort) -> Result<(), AgentError> {
        loop {
            let over = self.over.notified();
            match &mut *self.current.borrow_mut() {
                Some(trial) if trial.name == call.trial && matches!(trial.stage, Stage::AtWork) => {
                    trial.abort.cancel();
                }
                current => {
                    // A trial that no call works on takes its driver with it.
                    current.take_if(|trial| trial.name == call.trial);
                    return Ok(());
                }
            }
            over.await;
        }
    }

    /// Kills a driver that waits. Call it when no call is at work any more.
    pub(super) fn end(&self) {
        *self.current.borrow_mut() = None;
    }

    fn begin(&self, name: &str, server: Option<String>) -> Result<Work<'_>, AgentError> {
        let mut current = self.current.borrow_mut();
        if let Some(trial) = &*current {
            return Err(AgentError::new(
                AgentErrorKind::Protocol,
                format!("trial `{name}` cannot begin: trial `{}` is under way on this host", trial.name),
            ));
        }
        let abort = CancellationToken::new();
        let name = name.to_owned();
        *current = Some(Trial { name, server: server.clone(), abort: abort.clone(), stage: Stage::AtWork });
        Ok(Work { trials: self, server, abort, handed_over: false })
    }

    fn resume(&self, name: &str) -> Result<(Work<'_>, Driver), AgentError> {
        match &mut *self.current.borrow_mut() {
            Some(trial) if trial.name == name => match std::mem::replace(&mut trial.stage, Stage::AtWork) {
                Stage::Ready(driver) => {
                    let (server, abort) = (trial.server.clone(), trial.abort.clone());
                    Ok((Work { trials: self, server, abort, handed_over: false }, *driver))
                }
                Stage::AtWork => Err(AgentError::new(
                    AgentErrorKind::Protocol,
                    format!("trial `{name}` cannot go: another call is at work on it"),
                )),
            },
            _ => Err(AgentError::new(
                AgentErrorKind::Protocol,
                format!("trial `{name}` cannot go: it was not prepared, or is over"),
            )),
        }
    }

    /// Binds the server now, and says to which CPUs the driver is to be bound when it starts.
    async fn place(&self, call: &TrialPrepare) -> Result<(AppliedPlacement, Option<Vec<u32>>), AgentError> {
        let (applied, sides) = self.sides(&call.placement)?;
        let Some(sides) = sides else { return Ok((applied, None)) };
        let server = self.bind(call.server_key.as_deref(), sides.server).await?;
        if call.placement == Placement::Free {
            return Ok((AppliedPlacement::Free, None));
        }
        Ok((AppliedPlacement::Pinned { server, client: sides.client.clone() }, Some(sides.client)))
    }

    /// Binds the server of a client that is on another host.
    pub(super) async fn place_server(&self, call: ServerPlace) -> Result<AppliedPlacement, AgentError> {
        let (applied, sides) = self.sides(&call.placement)?;
        let Some(sides) = sides else { return Ok(applied) };
        let server = self.bind(Some(&call.key), sides.server).await?;
        if call.placement == Placement::Free {
            return Ok(AppliedPlacement::Free);
        }
        Ok(AppliedPlacement::Pinned { server, client: Vec::new() })
    }

    /// Where the two sides go here, or what there is to say if nothing can be bound.
    fn sides(&self, placement: &Placement) -> Result<(AppliedPlacement, Option<Sides>), AgentError> {
        let obstacle = match (placement::OBSTACLE, &self.topology) {
            (None, Ok(topology)) => {
                let sides = placement::plan(placement, topology)
                    .map_err(|why| AgentError::new(AgentErrorKind::Unsupported, why))?;
                return Ok((AppliedPlacement::Free, Some(sides)));
            }
            (Some(reason), _) => reason.to_owned(),
            (None, Err(reason)) => reason.clone(),
        };
        let free = *placement == Placement::Free;
        Ok((
            if free { AppliedPlacement::Free } else { AppliedPlacement::NotApplied { reason: obstacle } },
            None,
        ))
    }

    /// Binds a server, if there is one here that is ours. Returns the CPUs that it is bound to.
    async fn bind(&self, server: Option<&str>, cpus: Vec<u32>) -> Result<Vec<u32>, AgentError> {
        match server {
            Some(key) if self.servers.lock().await.bind(key, &cpus)? => Ok(cpus),
            _ => Ok(Vec::new()),
        }
    }

    /// A driver usually fails when its server dies; the server is then given as the reason.
    async fn blame_server(&self, mut error: AgentError, server: Option<&str>) -> AgentError {
        if let Some(key) = server
            && let Some(death) = self.servers.lock().await.death(key).await
        {
            error.message.push_str("; ");
            error.message.push_str(&death);
        }
        error
    }
}

/// A call at work on the trial. However it ends, the trial is over then, unless the driver was handed over.
struct Work<'a> {
    trials: &'a Trials,
    server: Option<String>,
    abort: CancellationToken,
    handed_over: bool,
}

impl Work<'_> {
    /// The driver waits for `go`.
    fn hand_over(mut self, driver: Driver) {
        if let Some(trial) = &mut *self.trials.current.borrow_mut() {
            trial.stage = Stage::Ready(Box::new(driver));
        }
        self.handed_over = true;
        // An abort that came at this moment finds a driver that it can kill.
        self.trials.over.notify_waiters();
    }
}

impl Drop for Work<'_> {
    fn drop(&mut self) {
        if !self.handed_over {
            *self.trials.current.borrow_mut() = None;
            self.trials.over.notify_waiters();
        }
    }
}

fn aborted(trial: &str) -> AgentError {
    AgentError::new(AgentErrorKind::Aborted, format!("trial `{trial}` was aborted"))
}
