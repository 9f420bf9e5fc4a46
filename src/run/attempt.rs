//! One attempt at one trial, step by step as described in `docs/measurement.md`: server up, driver ready, reset, go, sample,
//! verify.

use std::collections::BTreeMap;
use std::time::Instant;

use futures_util::future::{join_all, try_join_all};
use jiff::Timestamp;
use tokio::sync::watch;
use tracing::info;

use crate::experiment::{Factor, HostPair, Link, ModeSpec, ServerSpec, Settings};
use crate::host::client::CallError;
use crate::latency;
use crate::plan::PlannedTrial;
use crate::protocol::{
    AgentErrorKind, AppliedPlacement, Counter, Endpoint, HostFacts, Job, JobWorkload, MarkSpace, Ready,
    ServerCounts, ServerFill, ServerPlace, ServerReset, ServerSample, ServerUp, TrialAbort, TrialGo,
    TrialPrepare, TrialReady, TrialResult,
};
use crate::record::{
    ClientLabel, Flag, HostLabel, LinkKind, MarkTraffic, Measured, Part, Status, TaskFigures, TrialRecord,
};
use crate::run::agents::{Agents, is_unavailable, program, server_key};
use crate::run::{RunError, flags, multi_client, stop_requested};
use crate::setting::Named;
use crate::units::Nanos;
use crate::verify::{self, Circumstances, Disagreement, traffic};

/// How an attempt ended, and what follows for the run.
pub(super) struct Ended {
    pub(super) record: TrialRecord,
    /// What can be expected of another attempt at the same cell.
    pub(super) prospect: Prospect,
    /// Why the whole run cannot go on.
    pub(super) fatal: Option<RunError>,
}

/// What can be expected of another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Prospect {
    /// It may end well.
    Better,
    /// This trial would end in the same way again.
    SameAgain,
    /// Every trial of the cell would: the mode cannot do what is asked for.
    Refused,
}

/// An attempt that ended well.
struct Outcome {
    measured: Measured,
    /// What each client did.
    parts: Vec<Part>,
    /// Whether others were at work on the server.
    disturbed: bool,
}

/// Why an attempt did not end well.
struct Failure {
    status: Status,
    error: String,
    prospect: Prospect,
    fatal: Option<Box<RunError>>,
}

impl Failure {
    /// The trial failed, and would again.
    fn for_good(error: String) -> Self {
        Self { status: Status::Failed, error, prospect: Prospect::SameAgain, fatal: None }
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
        let prospect = match kind {
            AgentErrorKind::Unsupported => Prospect::Refused,
            AgentErrorKind::Protocol => Prospect::SameAgain,
            _ => Prospect::Better,
        };
        Self { status, error: error.to_string(), prospect, fatal: None }
    }
}

impl From<Disagreement> for Failure {
    fn from(disagreement: Disagreement) -> Self {
        Self { prospect: Prospect::Better, ..Self::for_good(disagreement.to_string()) }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let failure = Self::for_good(error.to_string());
        Self { fatal: Some(Box::new(error)), ..failure }
    }
}

/// Makes one attempt. Whatever happens, a record of it is returned.
pub(super) async fn attempt(
    agents: &Agents<'_>,
    trial: &PlannedTrial,
    attempt: u32,
    stop: watch::Receiver<bool>,
) -> Ended {
    let begun = Instant::now();
    let mut record = blank(agents, trial, attempt);
    let name = format!("{}-{}.{attempt}", trial.cell.id, trial.repetition);
    let mut keys_at_risk = None;
    let outcome = tokio::select! {
        biased;
        () = stop_requested(stop) => Err(Failure {
            status: Status::Interrupted,
            error: "the run was stopped".to_owned(),
            prospect: Prospect::SameAgain,
            fatal: None,
        }),
        outcome = carry_out(agents, trial, &name, &mut record, &mut keys_at_risk) => outcome,
    };
    let outcome = match outcome {
        Err(failure) => {
            abort(agents, &trial.cell.settings.hosts.clients, &name).await;
            Err(blame(agents, &trial.cell.settings.hosts, failure).await)
        }
        measured => measured,
    };
    record.took_ns = begun.elapsed().into();
    match outcome {
        Ok(Outcome { measured, parts, disturbed }) => {
            record.status = Status::Ok;
            let mode = &record.settings.mode;
            let builtin = agents.equipment.builtin.iter().find(|builtin| builtin.name == mode);
            let own = agents.experiment.modes.get(mode).and_then(ModeSpec::threads);
            let threads = builtin.map(|builtin| builtin.threads).or(own);
            let facts = record.settings.hosts.clients.iter().map(|client| agents.facts(client));
            let clients: Vec<_> = parts.into_iter().zip(facts).collect();
            record.flags = flags::flags(&record, &measured, &clients, threads);
            if disturbed {
                record.flags.push(Flag::OtherClients);
            }
            let told = |counter: &Counter| measured.server.tells(*counter);
            if ![Counter::Calls, Counter::Keys, Counter::Misses].iter().all(told) {
                record.flags.push(Flag::Unchecked);
            }
            record.measured = Some(measured);
            if clients.len() > 1 {
                record.parts = clients.into_iter().map(|(part, _)| part).collect();
            }
            Ended { record, prospect: Prospect::SameAgain, fatal: None }
        }
        Err(failure) => {
            record.status = failure.status;
            record.error = Some(match keys_at_risk {
                None => failure.error,
                Some(prefix) => {
                    format!("{}; keys that begin with `{prefix}` may be left on the server", failure.error)
                }
            });
            Ended { record, prospect: failure.prospect, fatal: failure.fatal.map(|error| *error) }
        }
    }
}

/// An attempt that is not carried out, because an earlier trial of the cell was refused with this message.
pub(super) fn not_made(agents: &Agents<'_>, trial: &PlannedTrial, attempt: u32, refusal: &str) -> Ended {
    let mut record = blank(agents, trial, attempt);
    record.status = Status::Failed;
    record.error =
        Some(format!("{refusal} (not attempted again: an earlier trial of this cell was refused)"));
    Ended { record, prospect: Prospect::Refused, fatal: None }
}

/// Called whatever went wrong: a driver that waits for its `go` must not get in the way of the next trial. Aborting a trial
/// that is over, or was never begun, is not an error.
async fn abort(agents: &Agents<'_>, clients: &[String], name: &str) {
    let aborts = clients.iter().filter_map(|host| agents.client(host)).map(|client| async move {
        if let Err(error) = client.call(TrialAbort { trial: name.to_owned() }).await {
            info!(%error, "the trial could not be aborted");
        }
    });
    join_all(aborts).await;
}

/// If the server's agent has gone away, so has its server. What the driver says about its connection is only a consequence
/// of that, even if it was heard first.
async fn blame(agents: &Agents<'_>, hosts: &HostPair, failure: Failure) -> Failure {
    if failure.status != Status::Failed || !hosts.is_network() || !agents.has_lost(&hosts.server).await {
        return failure;
    }
    let lost = CallError::Lost { host: hosts.server.clone(), said: String::new() }.to_string();
    let error =
        if failure.error.contains(&lost) { failure.error } else { format!("{lost}; {}", failure.error) };
    let prospect = if failure.fatal.is_none() { Prospect::Better } else { Prospect::SameAgain };
    Failure { error, prospect, ..failure }
}

/// The steps of a trial. What becomes known on the way is stored in `record`. `keys_at_risk` gets the prefix of the keys
/// that would stay on a server that is not flushed, if the driver had no chance to delete them.
async fn carry_out(
    agents: &Agents<'_>,
    trial: &PlannedTrial,
    name: &str,
    record: &mut TrialRecord,
    keys_at_risk: &mut Option<String>,
) -> Result<Outcome, Failure> {
    let settings = &trial.cell.settings;
    let HostPair { clients, server: server_host } = &settings.hosts;
    let deadline = Instant::now() + agents.experiment.run.timeout.duration();
    // In tenths of a second, since these numbers appear in messages.
    let left = || {
        let left = deadline.saturating_duration_since(Instant::now());
        Nanos::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX).div_ceil(100) * 100)
    };
    let network = settings.hosts.is_network();
    let key = server_key(&settings.server, settings.server_args.as_deref(), network);

    for host in settings.hosts.all() {
        match agents.reach(host).await {
            // It was available when the run began, and may be again.
            Err(error) if agents.is_elsewhere(host) => {
                let failure = Failure::for_good(error.to_string());
                return Err(Failure { prospect: Prospect::Better, ..failure });
            }
            reached => reached?,
        }
    }
    let up = match agents.serve(settings).await {
        Err(error) if is_unavailable(&error) => {
            let (host, server, reason) = (server_host.clone(), settings.server.clone(), error.to_string());
            return Err(RunError::Server { host, server, reason }.into());
        }
        up => up?,
    };
    record.server = Some(up.identity.clone());
    let mut distances = vec![None; clients.len()];
    let mut server_placed = AppliedPlacement::Free;
    if network {
        let placement = agents.experiment.placement(settings, server_host).clone();
        server_placed = agents.call(server_host, ServerPlace { key: key.clone(), placement }).await?;
        for (client, distance) in clients.iter().zip(&mut distances) {
            let way = agents.distance(client, server_host, &up.endpoint, trial.repetition).await?;
            *distance = Some(way.as_micros_f64());
        }
        record.rtt_us = distances.iter().copied().flatten().max_by(f64::total_cmp);
    }
    if settings.workload.link == Link::Unix && up.endpoint.unix_socket.is_none() {
        return Err(Failure::for_good("the server has no Unix socket whose path is known".to_owned()));
    }

    let freedom = settings.workload.kind.workload().freedom;
    if freedom.of_keys() && !up.flushes {
        let kind = settings.workload.kind;
        let error = format!(
            "it is unknown which keys the workload `{kind}` leaves behind, and this server must not be flushed"
        );
        return Err(Failure::for_good(error + " (`allow_flush`)"));
    }
    let job = job(agents, trial, &up, record.attempt);
    *keys_at_risk = (!up.flushes).then(|| job.key_prefix.clone());
    let (workload, workers, key_prefix) = (job.workload.clone(), job.workers, job.key_prefix.clone());
    let keys = job.keys_at_go();
    if let Some(space) = job.keys_before() {
        agents.call(server_host, ServerFill { key: key.clone(), space }).await?;
    }
    let options = job.options.clone();
    let environment = environment(agents, settings);
    let jobs = multi_client::jobs(job, clients.len());
    let marks = multi_client::marks(&jobs);
    let asked: Vec<JobWorkload> = jobs.iter().map(|job| job.workload.clone()).collect();
    let prepare = clients.iter().zip(jobs).map(|(host, job)| {
        let call = TrialPrepare {
            trial: name.to_owned(),
            program: program(agents.experiment.modes.get(&settings.mode)),
            environment: environment.clone(),
            job,
            placement: agents.experiment.placement(settings, host).clone(),
            server_key: (!network).then(|| key.clone()),
            timeout: left(),
        };
        of_client(clients, host, agents.call(host, call))
    });
    let ready = try_join_all(prepare).await?;
    for TrialReady { ready, .. } in &ready {
        used_options(&options, &ready.options).map_err(Failure::for_good)?;
    }
    let cold_start_ns = ready.iter().filter_map(|TrialReady { ready, .. }| ready.cold_start_ns).max();
    let labels: Vec<ClientLabel> = ready
        .into_iter()
        .map(|TrialReady { ready, placement }| label(ready, placement, &server_placed))
        .collect();
    let together = multi_client::client(&labels);
    let may_differ = together.comparability.is_some();
    record.client = Some(together);

    agents.call(server_host, ServerReset { key: key.clone(), keys, marks: marks.clone() }).await?;
    let begun = Instant::now();
    let go = clients.iter().map(|host| {
        let call = TrialGo { trial: name.to_owned(), timeout: left() };
        of_client(clients, host, agents.call(host, call))
    });
    let results = try_join_all(go).await?;
    let wall = begun.elapsed().into();
    let done = results.iter().map(|result| result.done.operations);
    let marks = marks.into_iter().zip(done).map(|(key, operations)| MarkSpace { key, operations });
    let counts = agents.call(server_host, ServerSample { key, marks: marks.collect() }).await?;
    let parts: Vec<Part> = results
        .into_iter()
        .zip(clients.iter().zip(labels).zip(distances))
        .map(|(result, ((host, client), rtt_us))| Part {
            host: host_label(host, &agents.facts(host)),
            client,
            rtt_us,
            result,
        })
        .collect();
    let circumstances = Circumstances {
        workload: &workload,
        workers,
        clients: clients.len() as u32,
        key_prefix: &key_prefix,
        deletes_keys: !up.flushes,
        differs: may_differ,
        ours: !matches!(agents.experiment.servers[&settings.server], ServerSpec::External { .. }),
        nodes: up.identity.nodes(),
    };
    let (mut measured, disturbed) = accept(&asked, &parts, wall, counts, &circumstances)?;
    if let Some(tasks) = &mut measured.tasks {
        tasks.cold_start_ns = cold_start_ns;
    }
    Ok(Outcome { measured, parts, disturbed })
}

/// Says which client an error belongs to, if there are several.
async fn of_client<T>(
    clients: &[String],
    host: &str,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, Failure> {
    call.await.map_err(|error| {
        let mut failure = Failure::from(error);
        if clients.len() > 1 {
            failure.error = format!("client `{host}`: {}", failure.error);
        }
        failure
    })
}

/// What a client said about itself, and where both sides of its trial ran.
fn label(ready: Ready, placement: AppliedPlacement, server_placed: &AppliedPlacement) -> ClientLabel {
    let placement = match (placement, server_placed) {
        // Its server is on another host and was placed there.
        (AppliedPlacement::Pinned { client, .. }, AppliedPlacement::Pinned { server, .. }) => {
            AppliedPlacement::Pinned { server: server.clone(), client }
        }
        (_, refused @ AppliedPlacement::NotApplied { .. }) => refused.clone(),
        (AppliedPlacement::Free, pinned @ AppliedPlacement::Pinned { .. }) => pinned.clone(),
        (own, _) => own,
    };
    ClientLabel {
        client: ready.client,
        runtime: ready.runtime,
        workers: ready.workers,
        placement,
        comparability: ready.comparability,
    }
}

/// Checks each driver's claim against its job, and all of them together against the server's counts; if they pass, returns
/// what was measured. Also says whether others were active on a server that is not ours.
fn accept(
    asked: &[JobWorkload],
    parts: &[Part],
    wall: Nanos,
    counts: ServerCounts,
    circumstances: &Circumstances<'_>,
) -> Result<(Measured, bool), Failure> {
    let several = parts.len() > 1;
    for (asked, part) in asked.iter().zip(parts) {
        verify::claim(asked, part.client.workers, &part.result).map_err(|disagreement| {
            let failure = Failure::from(disagreement);
            let of = if several { format!("client `{}`: ", part.host.name) } else { String::new() };
            Failure { error: of + &failure.error, ..failure }
        })?;
    }
    let result = multi_client::result(parts, wall).map_err(Failure::for_good)?;
    verify::confirm(&result.done, &counts, circumstances)?;
    let disturbed = !circumstances.ours && traffic::others_were_at_work(&result.done, &counts, circumstances);
    let (latency, latency_summary) = verify::latency(&result).map_err(Failure::for_good)?;
    let measured = Measured {
        elapsed_ns: result.done.elapsed_ns,
        operations: result.done.operations,
        errors: result.done.errors,
        latency,
        latency_summary,
        client_cpu_ns: result.cpu_ns,
        busiest_thread_ns: result.busiest_thread_ns,
        client_peak_rss_bytes: result.peak_rss_bytes,
        server: counts,
        foreign_cpu_ns: result.foreign_cpu_ns,
        steal_ns: result.steal_ns,
        wall_ns: result.wall_ns,
        max_lag_ns: result.done.max_lag_ns,
        load1: result.load1,
        progress: multi_client::progress(parts),
        tasks: tasks(&result, circumstances)?,
    };
    Ok((measured, disturbed))
}

/// What was measured about a library's tasks, if its driver reported any; except the cold start, which it reported when it
/// became ready.
fn tasks(result: &TrialResult, circumstances: &Circumstances<'_>) -> Result<Option<TaskFigures>, Failure> {
    let Some(claim) = &result.done.tasks else { return Ok(None) };
    let starts = claim.start_latency.as_ref().map(latency::decode).transpose();
    let starts =
        starts.map_err(|error| Failure::for_good(format!("when the driver's tasks began: {error}")))?;
    let expected = verify::expected(&result.done, circumstances).map_err(Disagreement::from)?;
    let asked = circumstances.workload;
    let is_marked = asked.verify && asked.kind.workload().marks.is_some();
    Ok(Some(TaskFigures {
        producers: asked.pushers() * circumstances.clients,
        enqueue_ns: claim.enqueue_ns,
        start_latency: starts.as_ref().map(latency::encode),
        start_summary: starts.as_ref().map(latency::summary),
        cold_start_ns: None,
        workers: result.workers,
        marks: is_marked.then_some(MarkTraffic {
            calls: result.done.operations,
            bytes: expected.least_received + expected.least_sent,
        }),
    }))
}

fn job(agents: &Agents<'_>, trial: &PlannedTrial, up: &ServerUp, attempt: u32) -> Job {
    let settings = &trial.cell.settings;
    let workload = &settings.workload;
    let server = endpoint(up, workload.link);
    let work = JobWorkload::from(settings);
    let options = given(settings, Factor::Options, agents, |mode| &mode.options);
    Job {
        protocol: work.protocol().max(server.protocol()).max(if options.is_empty() {
            1
        } else {
            WITH_OPTIONS
        }),
        mode: settings.mode.clone(),
        server,
        workload: work,
        workers: workload.split.workers(workload.amount, settings.workers),
        // On a server that we start, the prefix is always the same: keys of trial 10,000 must not be longer, and so more
        // expensive, than those of trial 1.
        key_prefix: if up.flushes {
            "t:".to_owned()
        } else {
            format!("{}:{}.{attempt}:", agents.equipment.token, trial.position)
        },
        warmup: settings.warmup,
        seed: agents.experiment.run.seed ^ u64::from(trial.repetition),
        delete_keys: !up.flushes,
        options,
    }
}

/// The first version of the protocol that has options.
const WITH_OPTIONS: u32 = 2;

/// What the matrix gives, and what the mode gives where the matrix does not say otherwise.
fn given(
    settings: &Settings,
    factor: Factor,
    agents: &Agents<'_>,
    of_mode: fn(&ModeSpec) -> &Named,
) -> Named {
    let given = settings.own.named(factor).cloned().unwrap_or_default();
    match agents.experiment.modes.get(&settings.mode) {
        Some(mode) => given.or(of_mode(mode)),
        None => given,
    }
}

/// The variables of a driver's environment.
fn environment(agents: &Agents<'_>, settings: &Settings) -> BTreeMap<String, String> {
    let env = given(settings, Factor::Env, agents, |mode| &mode.env);
    env.0.into_iter().map(|(name, value)| (name, value.to_string())).collect()
}

/// A driver that does not support options does not name them when it is ready.
fn used_options(asked: &Named, used: &Named) -> Result<(), String> {
    match asked.0.iter().find(|(name, value)| used.get(name) != Some(value)) {
        None => Ok(()),
        Some((name, value)) => Err(format!(
            "the driver did not confirm in `ready` that it uses the option `{name}` as {value}: it may not know it"
        )),
    }
}

/// The record of an attempt about which nothing is known yet.
fn blank(agents: &Agents<'_>, trial: &PlannedTrial, attempt: u32) -> TrialRecord {
    let settings = &trial.cell.settings;
    let label = |host: &str| host_label(host, &agents.facts(host));
    let clients: Vec<HostLabel> = settings.hosts.clients.iter().map(|host| label(host)).collect();
    let server = &agents.experiment.servers[&settings.server];
    let server_host = match server {
        ServerSpec::External { host, .. } if !is_loopback(host) => {
            HostLabel { name: host.clone(), os: String::new(), arch: String::new(), cpu: String::new() }
        }
        _ => label(&settings.hosts.server),
    };
    TrialRecord {
        cell: trial.cell.id.to_string(),
        control_of: trial.cell.control_of.map(|cell| cell.to_string()),
        repetition: trial.repetition,
        position: trial.position,
        attempt,
        status: Status::Failed,
        error: None,
        flags: Vec::new(),
        started_at: Timestamp::now(),
        took_ns: Nanos(0),
        settings: settings.clone(),
        client_host: multi_client::host(&clients),
        server_host,
        link: link_kind(settings, server),
        rtt_us: None,
        server: None,
        client: None,
        measured: None,
        parts: Vec::new(),
        driver_sha256: agents.driver(&settings.hosts.clients, &settings.mode),
    }
}

fn link_kind(settings: &Settings, server: &ServerSpec) -> LinkKind {
    let network = settings.hosts.is_network();
    match (settings.workload.link, server) {
        (_, ServerSpec::External { host, tls, .. }) => {
            LinkKind::tcp(network || !is_loopback(host), tls.is_some())
        }
        (Link::Unix, _) => LinkKind::Unix,
        (Link::Tcp, _) => LinkKind::tcp(network, false),
        (Link::Tls, _) => LinkKind::tcp(network, true),
    }
}

/// Where the client of a trial should connect. If TLS was asked for, the agent has reported the endpoint.
fn endpoint(up: &ServerUp, link: Link) -> Endpoint {
    match (link, &up.tls_endpoint) {
        (Link::Unix, _) => up.endpoint.clone(),
        (Link::Tls, Some(endpoint)) => endpoint.clone(),
        _ => Endpoint { unix_socket: None, ..up.endpoint.clone() },
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
