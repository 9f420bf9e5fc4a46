//! The driver's side of the protocol: a job comes in, `ready`, `done` or `failed` go out.

use std::collections::BTreeMap;
use std::io::{self, BufRead, StdinLock, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Connection;
use redis::cluster::ClusterConnection;
use serde::Deserialize;

use super::connect::Blocking;
use super::failure::Failure;
use super::input::{await_go, end_when_closed, read_line, work_is_over};
use super::phase::{Outcome, Phase, Tally};
use super::script::Script;
use super::side::delivered;
use super::space::Space;
use super::{Crew, DRIVERS, Driver};
use crate::experiment::{Amount, Warmup};
use crate::latency;
use crate::protocol::{DRIVER_PROTOCOLS, Done, DriverEvent, FailureKind, Job, Ready};
use crate::units::Nanos;
use crate::workload::Kind;

/// How many keys one command deletes.
const DELETE_BATCH: usize = 1000;

/// Carries out one job: all that `orchestrate driver` does.
///
/// Prints `ready`, and `done` or `failed`, as [`crate::protocol`] has them, and returns success after `done`. It
/// prints no `progress`, since looking at the workers while they work would take CPU time from what is measured: each
/// thread counts what it did when, and `done` has it all.
///
/// When the standard input closes before the work is done, **the process exits** at once, whatever it is doing; that
/// leaves nothing behind but, on a server that is not flushed, the keys of the unfinished work.
pub fn serve(input: StdinLock<'static>, output: impl Write) -> ExitCode {
    converse(input, output, |job, await_go| carry_out(job, choose(job)?, await_go))
}

/// To be called when all workers are warm: says so, and comes back with `go`.
pub(super) type AwaitGo<'a> = dyn FnMut(Ready) -> Result<(), Failure> + 'a;

/// Carries out the conversation that the protocol asks for, whoever does the work.
pub(super) fn converse(
    mut input: StdinLock<'static>,
    mut output: impl Write,
    carry_out: impl FnOnce(&Job, &mut AwaitGo<'_>) -> Result<Done, Failure>,
) -> ExitCode {
    let result = read_job(&mut input).and_then(|job| {
        end_when_closed()?;
        carry_out(&job, &mut |ready| {
            print(&mut output, &DriverEvent::Ready(ready))?;
            await_go(&mut input)
        })
    });
    work_is_over();
    let (event, code) = match result {
        Ok(done) => (DriverEvent::Done(done), ExitCode::SUCCESS),
        Err(Failure { kind, error }) => (DriverEvent::Failed { kind, error }, ExitCode::FAILURE),
    };
    // If nobody listens any more there is nobody to tell.
    if print(&mut output, &event).is_ok() { code } else { ExitCode::FAILURE }
}

fn print(output: &mut impl Write, event: &DriverEvent) -> io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    output.write_all(&line)?;
    output.flush()
}

// ---------------------------------------------------------------------------------------- what is asked for

/// What a job of any version contains.
#[derive(Deserialize)]
#[serde(expecting = "a job")]
struct AnyJob {
    protocol: u32,
    workload: AnyWorkload,
}

#[derive(Deserialize)]
struct AnyWorkload {
    kind: String,
}

fn read_job(input: &mut impl BufRead) -> Result<Job, Failure> {
    let protocol = |error: String| Failure::new(FailureKind::Protocol, error);
    let line = read_line(input)?.ok_or_else(|| protocol("the input ended before a job came".to_owned()))?;
    let any: AnyJob =
        serde_json::from_str(&line).map_err(|error| protocol(format!("this is not a job: {error}")))?;
    if !DRIVER_PROTOCOLS.contains(&any.protocol) {
        return Err(protocol(format!(
            "the job is of protocol version {}, this driver ({}) speaks versions {} to {}",
            any.protocol,
            concat!("orchestrate ", env!("CARGO_PKG_VERSION")),
            DRIVER_PROTOCOLS.start(),
            DRIVER_PROTOCOLS.end(),
        )));
    }
    serde_json::from_str(&line).map_err(|error| {
        let kind = Kind::deserialize(serde_json::Value::from(any.workload.kind.as_str()));
        match kind {
            Ok(_) => protocol(format!("this is not a job: {error}")),
            Err(_) => Failure::new(
                FailureKind::Unsupported,
                format!("this driver knows no workload of kind `{}`", any.workload.kind),
            ),
        }
    })
}

/// The driver of the job's mode, if it can do what the job asks for.
fn choose(job: &Job) -> Result<&'static Driver, Failure> {
    let unsupported = |error: String| Failure::new(FailureKind::Unsupported, error);
    let driver = DRIVERS.iter().find(|driver| driver.mode.name == job.mode).ok_or_else(|| {
        let names: Vec<_> = DRIVERS.iter().map(|driver| driver.mode.name).collect();
        unsupported(format!(
            "`{}` is not a built-in mode; the built-in modes are {}",
            job.mode,
            names.join(", ")
        ))
    })?;
    let workload = &job.workload;
    if job.workers == 0 || workload.pipeline == 0 || workload.rate == Some(0) {
        let error = "workers, pipeline and rate must be at least 1".to_owned();
        return Err(Failure::new(FailureKind::Protocol, error));
    }
    amount(job)?;
    Space::new(workload, (0, job.workers), job.seed)?;
    Script::new(workload, 0, job.seed)?;
    if !driver.mode.workloads.contains(&workload.kind) {
        return Err(Failure::lacks_workload(job));
    }
    if let Some(refusal) = driver.mode.refuses(&job.options) {
        return Err(unsupported(refusal));
    }
    if workload.pipeline > 1 && !driver.mode.can_pipeline {
        return Err(unsupported(format!("`{}` cannot pipeline (asked for {})", job.mode, workload.pipeline)));
    }
    if let Some(rate) = workload.rate.filter(|_| !driver.mode.can_rate) {
        return Err(unsupported(format!("`{}` cannot keep to a rate (asked for {rate}/s)", job.mode)));
    }
    Ok(driver)
}

// ---------------------------------------------------------------------------------------- what is done

/// Static builds for other machines have musl's allocator, which is not as fast: their rows must not look like those of others.
const LIBC: &str = if cfg!(target_env = "musl") { ", musl" } else { "" };
/// Neither must those of a build that was not made for speed, such as that of `make run`.
const HASTE: &str = match env!("ORCHESTRATE_PROFILE").as_bytes() {
    b"release" | b"dist" => "",
    _ => concat!(", ", env!("ORCHESTRATE_PROFILE"), " build"),
};

/// Connects, warms up, does the work.
fn carry_out(job: &Job, driver: &Driver, await_go: &mut AwaitGo<'_>) -> Result<Done, Failure> {
    let mut crew = (driver.connect)(job)?;
    let warmup = match job.warmup {
        Warmup::Operations(operations) => Amount::Operations(operations),
        Warmup::Duration(duration) => Amount::Duration(duration),
    };
    if !matches!(warmup, Amount::Operations(0) | Amount::Duration(Nanos(0))) {
        let outcome = work(job, crew.as_mut(), Phase::warmup(job, warmup));
        outcome.map_err(|failure| failure.while_trying("warm-up"))?;
    }
    await_go(Ready {
        client: driver.mode.client.to_owned(),
        runtime: crew.runtime() + LIBC + HASTE,
        workers: job.workers,
        options: job.options.clone(),
        ..Ready::default()
    })?;
    let start = Instant::now();
    let outcome = work(job, crew.as_mut(), Phase::measured(job, amount(job)?, start))?;
    summarise(job, start, &outcome)
}

/// Has the crew work through a phase, and deletes its keys where the server is not flushed: those of the warm-up
/// before `ready`, so that they are not there when the server's keys are counted before the measured part.
fn work(job: &Job, crew: &mut dyn Crew, phase: Arc<Phase>) -> Result<Outcome, Failure> {
    crew.work(&phase);
    let mut outcome = phase.into_outcome();
    // After a failure too; but then it is that failure that is reported. Keys that were there before are not the driver's to
    // delete, and the keys of listed commands are not known.
    let deleted = match job.workload.kind {
        _ if !job.delete_keys => Ok(()),
        Kind::Queue => delete_queue(job, &outcome.queues),
        _ if !job.workload.has_new_keys() => Ok(()),
        _ if job.server.cluster => delete::<ClusterConnection>(job, &outcome.tallies),
        _ => delete::<Connection>(job, &outcome.tallies),
    };
    match outcome.failure.take() {
        Some(failure) => Err(failure),
        None => deleted.map(|()| outcome),
    }
}

fn amount(job: &Job) -> Result<Amount, Failure> {
    job.workload.amount().ok_or_else(|| {
        Failure::new(FailureKind::Protocol, "the job must name either operations or a duration")
    })
}

fn summarise(job: &Job, start: Instant, outcome: &Outcome) -> Result<Done, Failure> {
    let tallies = || outcome.tallies.iter();
    let end = tallies().filter_map(|tally| tally.last_reply).max().unwrap_or(start);
    let max_lag = tallies().map(|tally| tally.max_lag).max().unwrap_or(Duration::ZERO);
    let elapsed = Nanos::from(end - start);
    let delivers = job.workload.kind.workload().is_delivered && job.workload.verify;
    let delivered = delivers.then(|| delivered(job, &outcome.received)).transpose()?;
    Ok(Done {
        elapsed_ns: elapsed,
        operations: tallies().map(|tally| tally.done).sum(),
        latency: Some(latency::encode(&outcome.latencies)),
        max_lag_ns: job.workload.rate.map(|_| max_lag.into()),
        calls: calls(job.workload.kind, outcome),
        delivered,
        progress: Some(outcome.progress.points(elapsed)),
        ..Done::default()
    })
}

/// What the operations were, where the workload leaves that open.
fn calls(kind: Kind, outcome: &Outcome) -> Option<BTreeMap<String, u64>> {
    match kind {
        Kind::ReadWrite => {
            let sum = |of: fn(&Tally) -> u64| outcome.tallies.iter().map(of).sum::<u64>();
            let (done, reads) = (sum(|tally| tally.done), sum(|tally| tally.fetched));
            Some([("get", reads), ("set", done - reads)].map(|(name, calls)| (name.to_owned(), calls)).into())
        }
        Kind::Commands => Some(outcome.calls.clone()),
        _ => None,
    }
}

/// Deletes what is left of a queue.
fn delete_queue(job: &Job, names: &[String]) -> Result<(), Failure> {
    let mut connection = Connection::open(job)?;
    let deleted = redis::cmd("DEL").arg(names).exec(&mut connection);
    deleted.map_err(|error| Failure::from(error).while_trying("deleting the queue"))
}

/// Deletes, by name and on a connection of its own, every key that may have been written.
fn delete<C: Blocking>(job: &Job, tallies: &[Tally]) -> Result<(), Failure> {
    let mut connection = C::open(job)?;
    for Tally { stem, begun, .. } in tallies {
        for first in (0..*begun).step_by(DELETE_BATCH) {
            let mut del = redis::cmd("DEL");
            for index in first..(first + DELETE_BATCH as u64).min(*begun) {
                del.arg(format!("{stem}{index}"));
            }
            del.exec(&mut connection)
                .map_err(|error| Failure::from(error).while_trying("deleting the keys"))?;
        }
    }
    Ok(())
}
