//! Tests that are trials: each is carried out step by step as in a run, and checked against what the server counted.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::sleep;

use super::relay::relay;
use super::{
    Base, Bench, LEAST_OF_LITTLES_LAW, OPEN, Options, Outcome, PROTECTED, Start, Stop, VALUE_BYTES, WORKERS,
    ask_for, connections, server_probe, start, wrong,
};
use crate::agent::driver::Driver;
use crate::experiment::{Address, Factor, Level};
use crate::protocol::{
    AgentError, Job, JobWorkload, Keys, MarkSpace, Ready, ServerCounts, ServerFill, ServerReset,
    ServerSample, TrialResult,
};
use crate::verify::{self, Circumstances, timing};
use crate::workload::Kind;

/// How long a driver is watched for work that it does before `go`.
const BEFORE_GO: Duration = Duration::from_millis(100);

/// A trial that went well.
pub(super) struct Trial {
    ready: Ready,
    result: TrialResult,
    /// What Little's law gives, where it says anything.
    law: Option<f64>,
}

impl Bench<'_> {
    pub(super) async fn simplest(&mut self) -> Outcome {
        let trial = self.carry_out(self.job(), OPEN).await?;
        let Ready { client, runtime, comparability, .. } = trial.ready;
        let differs = comparability.map(|text| format!("; differs: {text}")).unwrap_or_default();
        Ok(Some(format!("{client}, {runtime}{differs}")))
    }

    pub(super) async fn trial(
        &mut self,
        change: impl FnOnce(&mut Job),
        judge: fn(&Trial) -> Outcome,
    ) -> Outcome {
        let mut job = self.job();
        change(&mut job);
        judge(&self.carry_out(job, OPEN).await?)
    }

    /// A trial of another workload than the one that every driver has.
    pub(super) async fn workload(&mut self, kind: Kind, change: impl FnOnce(&mut Job)) -> Outcome {
        let mut job = self.job();
        ask_for(&mut job, kind);
        change(&mut job);
        match self.carry_out(job, OPEN).await {
            Err(stop @ Stop::Wrong(_)) if stop.is_refusal() => {
                Err(Stop::Refused("it speaks version 1 of the protocol, which has one workload".to_owned()))
            }
            trial => trial.map(|_| None),
        }
    }

    /// A trial on the server without a password; `None` for a driver that has said that it does something else.
    async fn exact_trial(&mut self, change: impl FnOnce(&mut Job)) -> Result<Option<Job>, Stop> {
        let mut job = self.job();
        change(&mut job);
        let trial = self.carry_out(job.clone(), OPEN).await?;
        Ok(trial.ready.comparability.is_none().then_some(job))
    }

    pub(super) async fn kept_rate(&mut self) -> Outcome {
        let &Base { timed, rate, .. } = self.base;
        let mut job = self.job();
        job.workload.operations = Some(timed);
        job.workload.rate = Some(rate);
        kept_rate(&self.carry_out(job, OPEN).await?, timed, rate)
    }

    pub(super) async fn told_latencies(&mut self) -> Outcome {
        let timed = self.base.timed;
        self.trial(|job| job.workload.operations = Some(timed), told_latencies).await
    }

    /// A trial of tasks that do something.
    pub(super) async fn body(&mut self, body: &str, change: impl FnOnce(&mut Job)) -> Outcome {
        let mut job = self.job();
        job.workload.own.set(Factor::Body, Level::Name(body.to_owned()));
        change(&mut job);
        self.carry_out(job, OPEN).await.map(|_| None)
    }

    pub(super) async fn names_keys(&mut self) -> Outcome {
        let Some(job) = self.exact_trial(|job| job.workers = WORKERS).await? else {
            return says_it_differs();
        };
        let keys = server_probe::keys(&self.up.endpoint).await.map_err(Stop::Wrong)?;
        for worker in 0..WORKERS {
            let stem = format!("{}{worker}:", job.key_prefix);
            let (found, share) = (
                server_probe::beginning(&keys, &stem),
                JobWorkload::share(self.base.operations, WORKERS, worker),
            );
            if found != share {
                return wrong(format!(
                    "wrote {found} keys that begin with `{stem}`: worker {worker} has {share} operations"
                ));
            }
        }
        Ok(None)
    }

    pub(super) async fn sizes_values(&mut self) -> Outcome {
        let change = |job: &mut Job| job.workload.value_bytes = Some(VALUE_BYTES);
        if self.exact_trial(change).await?.is_none() {
            return says_it_differs();
        }
        let keys = server_probe::keys(&self.up.endpoint).await.map_err(Stop::Wrong)?;
        let sizes = server_probe::sizes(&self.up.endpoint, &keys).await.map_err(Stop::Wrong)?;
        match keys.iter().zip(sizes).find(|(_, size)| *size != u64::from(VALUE_BYTES)) {
            Some((key, size)) => {
                wrong(format!("stored {size} bytes in `{key}` where {VALUE_BYTES} were asked for"))
            }
            None => Ok(None),
        }
    }

    /// What a single worker sends to the server, in order.
    pub(super) async fn takes_turns(&mut self) -> Outcome {
        let overheard = server_probe::overhear(&self.up.endpoint).await.map_err(Stop::Wrong)?;
        if self.exact_trial(|_| ()).await?.is_none() {
            return says_it_differs();
        }
        let heard = overheard.end().await.map_err(Stop::Wrong)?;
        server_probe::out_of_turn(&heard).map_or(Ok(None), wrong)
    }

    pub(super) async fn unix_socket(&mut self) -> Outcome {
        let job = Job { server: self.up.endpoint.clone(), ..self.job() };
        if job.server.unix_socket.is_none() {
            return Err(Stop::Refused("this server has no Unix socket".to_owned()));
        }
        self.carry_out(job, OPEN).await.map(|_| None)
    }

    pub(super) async fn password(&mut self) -> Outcome {
        let address = Some(Address { host: "127.0.0.1".to_owned(), ports: None });
        let up = start(&mut self.servers, self.options, Start { address, ..Start::new(PROTECTED) }).await?;
        let job = Job { server: up.endpoint, ..self.job() };
        self.carry_out(job, PROTECTED).await.map(|_| None)
    }

    /// A trial, step by step as in a run.
    pub(super) async fn carry_out(&mut self, job: Job, server: &str) -> Result<Trial, Stop> {
        let key = server.to_owned();
        let nodes = if job.server.cluster { connections::MASTERS } else { 1 };
        match job.keys_before() {
            Some(space) => self.servers.fill(&ServerFill { key: key.clone(), space }).await?,
            None => self.reset(server).await?,
        }
        let marks = job.marks();
        let (driver, ready) = self.ready(&job).await?;
        let warm = self.sample(server).await?;
        if job.delete_keys && warm.keys_added != 0 {
            return wrong(format!("{} keys of its warm-up remain when it is ready", warm.keys_added));
        }
        // A driver that is already working leaves keys behind after the flush.
        let reset = ServerReset { key, keys: job.keys_at_go(), marks: marks.iter().cloned().collect() };
        if let Err(error) = self.servers.reset(&reset).await {
            return wrong(format!(
                "still sends commands after it said that it is ready, as a driver does that does not wait for go: {error}"
            ));
        }
        sleep(BEFORE_GO).await;
        let early = self.sample(server).await?;
        let commands = job.workload.commands();
        if early.sum(&commands).calls > 0 {
            let calls = verify::calls(&commands, |command| early.calls(command));
            return wrong(format!("does not wait for go: the server counted {calls} calls before it"));
        }
        let (within, pids) = (self.options.within.into(), self.servers.pids());
        let result = driver.go(within, &pids, self.servers.note_done(server)).await?;
        let operations = result.done.operations;
        let marks = marks.into_iter().map(|key| MarkSpace { key, operations }).collect();
        let counts = self.servers.sample(&ServerSample { key: server.to_owned(), marks }).await?;
        let differs = ready.comparability.is_some();
        let circumstances = Circumstances {
            workload: &job.workload,
            workers: job.workers,
            clients: 1,
            key_prefix: &job.key_prefix,
            deletes_keys: job.delete_keys,
            differs,
            ours: true,
            nodes,
        };
        if let Err(disagreement) = verify::verify(&result, &counts, &circumstances) {
            return wrong(disagreement.to_string());
        }
        if let Err(error) = verify::latency(&result) {
            return wrong(error);
        }
        if ready.workers != job.workers {
            return wrong(format!("uses {} workers where {} were asked for", ready.workers, job.workers));
        }
        if let Some(connections) = counts.connections
            && connections < u64::from(job.workers)
            && !differs
        {
            return wrong(format!(
                "has only {connections} of {} connections when it is ready, and does not say so in `comparability`",
                job.workers
            ));
        }
        let law = timing::littles_law(job.workload.pipeline, job.workers, &result.done);
        Ok(Trial { ready, result, law })
    }

    pub(super) async fn ready(&self, job: &Job) -> Result<(Driver, Ready), AgentError> {
        let Options { program, builtin, within, .. } = self.options;
        let driver = Driver::start("check", program, builtin, &BTreeMap::new(), None, self.writer.clone())?;
        driver.become_ready(job, (*within).into()).await
    }

    pub(super) async fn reset(&mut self, server: &str) -> Result<(), AgentError> {
        self.servers
            .reset(&ServerReset { key: server.to_owned(), keys: Keys::Flush, marks: Vec::new() })
            .await
    }

    pub(super) async fn sample(&mut self, server: &str) -> Result<ServerCounts, AgentError> {
        self.servers.sample(&ServerSample { key: server.to_owned(), marks: Vec::new() }).await
    }

    /// One byte of every value that the server returns after `go` is changed on the way.
    pub(super) async fn notices_lies(&mut self) -> Outcome {
        let lies = Rc::new(Cell::new(false));
        let upstream = (self.up.endpoint.host.clone(), self.up.endpoint.port);
        let Ok(port) = relay(upstream, Rc::clone(&lies)).await else {
            return Err(Stop::Refused("no relay can be set up on this machine".to_owned()));
        };
        let mut job = self.job();
        (job.server.host, job.server.port) = ("127.0.0.1".to_owned(), port);
        self.reset(OPEN).await?;
        let (driver, ready) = self.ready(&job).await?;
        lies.set(true);
        match driver.go(self.options.within.into(), &[], async {}).await {
            Ok(result) if result.done.errors > 0 => Ok(None),
            Ok(_) if ready.comparability.is_some() => {
                Ok(Some("it does not notice, but declares that it differs".to_owned()))
            }
            Ok(_) => wrong("believes everything: it was done although no GET returned what was stored"),
            Err(error) if error.message.contains("(verification)") => Ok(None),
            Err(error) => Ok(Some(format!("but not as \"verification\": {}", error.message))),
        }
    }
}

/// What the driver leaves is not what was asked for, and it has said so.
fn says_it_differs() -> Outcome {
    Ok(Some("not checked, since it declares that it differs".to_owned()))
}

pub(super) fn noted(_: &Trial) -> Outcome {
    Ok(None)
}

/// Latencies in another unit, or of a part of the time, do not fit the throughput.
fn told_latencies(trial: &Trial) -> Outcome {
    match trial.law {
        Some(law) if !(LEAST_OF_LITTLES_LAW..=1.02).contains(&law) => wrong(format!(
            "its latencies do not belong to its throughput: throughput × mean latency ÷ operations in flight is {law:.3}, and \
             by Little's law it is 1"
        )),
        Some(_) => Ok(None),
        None => Ok(Some("it reports none".to_owned())),
    }
}

/// Operation k is due at k ÷ rate, so that the last one cannot be over before.
fn kept_rate(trial: &Trial, operations: u64, rate: u64) -> Outcome {
    let least = (operations - 1) as f64 / rate as f64;
    let elapsed = trial.result.done.elapsed_ns.as_secs_f64();
    if elapsed < least * 0.99 {
        return wrong(format!("was done after {elapsed:.3} s: at {rate}/s it takes {least:.3} s"));
    }
    if trial.result.done.max_lag_ns.is_none() {
        return wrong("does not say how late it was: `max_lag_ns` is missing");
    }
    Ok(None)
}
