//! One attempt at one trial, step by step as `docs/measurement.md` tells it: server up, driver ready, reset, go,
//! sample, verify.

use std::time::Instant;

use jiff::Timestamp;
use tokio::sync::watch;
use tracing::info;

use crate::experiment::{Amount, Link, ServerSpec, Settings};
use crate::host::client::CallError;
use crate::plan::PlannedTrial;
use crate::protocol::{
    AgentErrorKind, HostFacts, Job, JobWorkload, PROTOCOL, ServerCounts, ServerReset, ServerSample, ServerUp,
    TrialAbort, TrialGo, TrialPrepare, TrialResult,
};
use crate::record::{ClientLabel, HostLabel, LinkKind, Measured, Status, TrialRecord};
use crate::run::fleet::{Fleet, is_network, is_unavailable, program, server_key};
use crate::run::{RunError, flags, stop_requested};
use crate::units::Nanos;
use crate::verify::{self, Keys};

/// How an attempt ended, and what follows for the run.
pub(super) struct Ended {
    pub(super) record: TrialRecord,
    /// Whether another attempt at the same trial may end better.
    pub(super) may_succeed_again: bool,
    /// Why the whole run cannot go on.
    pub(super) fatal: Option<RunError>,
}

/// Why an attempt did not end well.
struct Failure {
    status: Status,
    error: String,
    may_succeed_again: bool,
    fatal: Option<Box<RunError>>,
}

impl Failure {
    /// The trial failed, and would again.
    fn for_good(error: String) -> Self {
        Self { status: Status::Failed, error, may_succeed_again: false, fatal: None }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let kind = match &error {
            CallError::Agent(error) => error.kind,
            CallError::Lost { .. } => AgentErrorKind::Failed,
            CallError::Malformed { .. } => AgentErrorKind::Protocol,
        };
        let status = match kind {
            AgentErrorKind::TimedOut => Status::TimedOut,
            AgentErrorKind::Aborted => Status::Interrupted,
            _ => Status::Failed,
        };
        let may_succeed_again = !matches!(kind, AgentErrorKind::Unsupported | AgentErrorKind::Protocol);
        Self { status, error: error.to_string(), may_succeed_again, fatal: None }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let failure = Self::for_good(error.to_string());
        Self { fatal: Some(Box::new(error)), ..failure }
    }
}

/// Makes one attempt. Whatever happens, there is a record of it.
pub(super) async fn attempt(
    fleet: &mut Fleet<'_>,
    trial: &PlannedTrial,
    attempt: u32,
    stop: &watch::Receiver<bool>,
) -> Ended {
    let begun = Instant::now();
    let mut record = blank(fleet, trial, attempt);
    let name = format!("{}-{}.{attempt}", trial.cell.id, trial.repetition);
    let mut keys_at_risk = None;
    let outcome = tokio::select! {
        biased;
        () = stop_requested(stop.clone()) => Err(Failure {
            status: Status::Interrupted,
            error: "the run was stopped".to_owned(),
            may_succeed_again: false,
            fatal: None,
        }),
        outcome = carry_out(fleet, trial, &name, &mut record, &mut keys_at_risk) => outcome,
    };
    // Whatever went wrong, and wherever: a driver that waits for its `go` must not be in the way of the next trial. To
    // abort a trial that is over, or was never begun, is no error.
    if outcome.is_err()
        && let Some(client) = fleet.client(&trial.cell.settings.hosts.client)
        && let Err(error) = client.call(TrialAbort { trial: name }).await
    {
        info!(%error, "the trial could not be aborted");
    }
    record.took_ns = begun.elapsed().into();
    match outcome {
        Ok(measured) => {
            record.status = Status::Ok;
            let mode = fleet.equipment.builtin.iter().find(|mode| mode.name == record.settings.mode);
            let client_host = fleet.facts(&record.settings.hosts.client);
            record.flags = flags::flags(&record, &measured, client_host, mode.map(|mode| mode.threads));
            record.measured = Some(measured);
            Ended { record, may_succeed_again: false, fatal: None }
        }
        Err(failure) => {
            record.status = failure.status;
            record.error = Some(match keys_at_risk {
                None => failure.error,
                Some(prefix) => {
                    format!("{}; keys that begin with `{prefix}` may be left on the server", failure.error)
                }
            });
            Ended {
                record,
                may_succeed_again: failure.may_succeed_again,
                fatal: failure.fatal.map(|error| *error),
            }
        }
    }
}

/// The steps of a trial. What becomes known on the way is put into `record`; and into `keys_at_risk` what the keys
/// begin with that stay on the server, for nobody flushes it, if the driver has no chance to delete them.
async fn carry_out(
    fleet: &mut Fleet<'_>,
    trial: &PlannedTrial,
    name: &str,
    record: &mut TrialRecord,
    keys_at_risk: &mut Option<String>,
) -> Result<Measured, Failure> {
    let settings = &trial.cell.settings;
    let (client_host, server_host) = (&settings.hosts.client, &settings.hosts.server);
    let deadline = Instant::now() + fleet.experiment.run.timeout.duration();
    // In tenths of a second, since these figures stand in messages.
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        Nanos::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX).div_ceil(100) * 100)
    };
    let key = server_key(&settings.server, settings.server_args.as_deref(), is_network(&settings.hosts));

    for host in [client_host, server_host] {
        match fleet.reach(host).await {
            // It was there when the run began, and may be again.
            Err(error) if fleet.is_elsewhere(host) => {
                let failure = Failure::for_good(error.to_string());
                return Err(Failure { may_succeed_again: true, ..failure });
            }
            reached => reached?,
        }
    }
    let up = match fleet.serve(settings).await {
        Err(error) if is_unavailable(&error) => {
            let (host, server, reason) = (server_host.clone(), settings.server.clone(), error.to_string());
            return Err(RunError::Server { host, server, reason }.into());
        }
        up => up?,
    };
    record.server = Some(up.identity.clone());
    if is_network(&settings.hosts) {
        let round_trip = fleet.round_trip(client_host, &up.endpoint).await?;
        record.rtt_us = Some(round_trip.as_secs_f64() * 1e6);
    }
    if settings.workload.link == Link::Unix && up.endpoint.unix_socket.is_none() {
        return Err(Failure::for_good("the server has no Unix socket whose path could be told".to_owned()));
    }

    let prepare = TrialPrepare {
        trial: name.to_owned(),
        program: program(fleet.experiment.modes.get(&settings.mode)),
        job: job(fleet, trial, &up, record.attempt),
        placement: settings.placement.clone(),
        server_key: (!is_network(&settings.hosts)).then(|| key.clone()),
        timeout: left(),
    };
    let asked = prepare.job.workload.clone();
    *keys_at_risk = (!up.flushes).then(|| prepare.job.key_prefix.clone());
    let prepared = fleet.call(client_host, prepare).await?;
    record.client = Some(ClientLabel {
        client: prepared.ready.client,
        runtime: prepared.ready.runtime,
        workers: prepared.ready.workers,
        placement: prepared.placement,
        comparability: prepared.ready.comparability,
    });
    let differs = record.client.as_ref().is_some_and(|client| client.comparability.is_some());

    fleet.call(server_host, ServerReset { key: key.clone() }).await?;
    let go = TrialGo { trial: name.to_owned(), timeout: left() };
    let result = fleet.call(client_host, go).await?;
    let counts = fleet.call(server_host, ServerSample { key }).await?;
    let keys = Keys { left: up.flushes, may_differ: differs };
    accept(&asked, &result, counts, keys)
}

/// Holds the driver's claim against the server's counts; what stands up to it is measured.
fn accept(
    asked: &JobWorkload,
    result: &TrialResult,
    counts: ServerCounts,
    keys: Keys,
) -> Result<Measured, Failure> {
    verify::verify(asked, result, &counts, keys).map_err(|disagreement| Failure {
        status: Status::Failed,
        error: disagreement.to_string(),
        may_succeed_again: true,
        fatal: None,
    })?;
    let (latency, latency_summary) = verify::latency(result).map_err(Failure::for_good)?;
    Ok(Measured {
        elapsed_ns: result.done.elapsed_ns,
        operations: result.done.operations,
        errors: result.done.errors,
        latency,
        latency_summary,
        client_cpu_ns: result.cpu_ns,
        client_peak_rss_bytes: result.peak_rss_bytes,
        server: counts,
        foreign_cpu_ns: result.foreign_cpu_ns,
        steal_ns: result.steal_ns,
        wall_ns: result.wall_ns,
        max_lag_ns: result.done.max_lag_ns,
        load1: result.load1,
    })
}

fn job(fleet: &Fleet<'_>, trial: &PlannedTrial, up: &ServerUp, attempt: u32) -> Job {
    let settings = &trial.cell.settings;
    let workload = &settings.workload;
    let (operations, duration_ns) = match workload.amount {
        Amount::Operations(n) => (Some(n), None),
        Amount::Duration(d) => (None, Some(d)),
    };
    let mut server = up.endpoint.clone();
    if workload.link == Link::Tcp {
        server.unix_socket = None;
    }
    Job {
        protocol: PROTOCOL,
        mode: settings.mode.clone(),
        server,
        workload: JobWorkload {
            kind: workload.kind,
            operations,
            duration_ns,
            value_bytes: workload.value_bytes,
            pipeline: workload.pipeline,
            rate: workload.rate,
            verify: workload.verify,
        },
        workers: workload.split.workers(workload.amount, settings.workers),
        // On a server of our own the prefix is always the same: keys of trial 10,000 must not be longer, and
        // so dearer, than those of trial 1.
        key_prefix: if up.flushes {
            "t:".to_owned()
        } else {
            format!("{}:{}.{attempt}:", fleet.equipment.token, trial.position)
        },
        warmup: settings.warmup,
        seed: fleet.experiment.run.seed ^ u64::from(trial.repetition),
        delete_keys: !up.flushes,
    }
}

/// The record of an attempt of which nothing is known yet.
fn blank(fleet: &Fleet<'_>, trial: &PlannedTrial, attempt: u32) -> TrialRecord {
    let settings = &trial.cell.settings;
    let label = |host: &str| host_label(host, fleet.facts(host));
    let (link, server_host) = match &fleet.experiment.servers[&settings.server] {
        ServerSpec::External { host, .. } if !is_loopback(host) => (
            LinkKind::Network,
            HostLabel { name: host.clone(), os: String::new(), arch: String::new(), cpu: String::new() },
        ),
        _ => (link_kind(settings), label(&settings.hosts.server)),
    };
    TrialRecord {
        cell: trial.cell.id.to_string(),
        repetition: trial.repetition,
        position: trial.position,
        attempt,
        status: Status::Failed,
        error: None,
        flags: Vec::new(),
        started_at: Timestamp::now(),
        took_ns: Nanos(0),
        settings: settings.clone(),
        client_host: label(&settings.hosts.client),
        server_host,
        link,
        rtt_us: None,
        server: None,
        client: None,
        measured: None,
    }
}

fn link_kind(settings: &Settings) -> LinkKind {
    match settings.workload.link {
        Link::Unix => LinkKind::Unix,
        Link::Tcp if is_network(&settings.hosts) => LinkKind::Network,
        Link::Tcp => LinkKind::Loopback,
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn host_label(name: &str, facts: &HostFacts) -> HostLabel {
    HostLabel {
        name: if name == "local" { facts.hostname.clone() } else { name.to_owned() },
        os: format!("{} ({})", facts.os, facts.kernel),
        arch: facts.arch.clone(),
        cpu: match &facts.cpu {
            Some(model) => format!("{model} × {}", facts.cpus),
            None => format!("{} CPUs", facts.cpus),
        },
    }
}
