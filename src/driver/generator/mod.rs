//! Load generators as clients: the job becomes a command line, and what the program prints becomes a claim like that
//! of any other driver.
//!
//! Such a program connects, works and measures by itself, and knows nothing of `go`: it is started when `go` comes. It
//! does not do exactly what a job asks for either. What differs is said in [`Ready::comparability`]; what has no
//! counterpart at all is refused.

mod memtier;
mod redis_benchmark;

use std::io::{Read as _, Seek as _, StdinLock, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use super::connect::Blocking as _;
use super::failure::Failure;
use super::serve::{AwaitGo, converse};
use crate::experiment::{LoadGenerator, Warmup};
use crate::host::child;
use crate::protocol::{Done, FailureKind, Job, Ready};
use crate::workload::Kind;

/// A warm-up of a certain duration is made of runs of about this many operations.
const WARMUP_OPERATIONS: u64 = 10_000;
/// How much is kept of what a program says about itself.
const SHOWN_CHARS: usize = 80;

/// How one load generator is told what to do, and what its answer means.
struct Tool {
    /// Command-line options for this many operations of the job.
    options: fn(&Job, u64) -> Vec<String>,
    /// The number of operations must be a multiple of this.
    multiple: fn(&Job) -> u64,
    /// How long it took for this many operations, by its own clock, from what it printed; or what is wrong with that.
    elapsed: fn(&str, u64) -> Result<Duration, String>,
    /// How many keys exist after this many operations.
    keys: fn(u64) -> u64,
    /// What it does differently from what the job asks for.
    differs: &'static [&'static str],
}

const fn tool(generator: LoadGenerator) -> &'static Tool {
    match generator {
        LoadGenerator::RedisBenchmark | LoadGenerator::ValkeyBenchmark => &redis_benchmark::TOOL,
        LoadGenerator::Memtier => &memtier::TOOL,
    }
}

/// Carries out one job with a load generator: all that `orchestrate driver --load-generator` does. `argv` is the program, and
/// options to add after those that are generated for it.
///
/// Speaks the protocol of a driver on `input` and `output`, and returns success after `done`. When the input closes,
/// **the process exits** at once, and the load generator with it (on Linux and FreeBSD).
pub fn serve_generator(
    generator: LoadGenerator,
    argv: &[String],
    input: StdinLock<'static>,
    output: impl Write,
) -> ExitCode {
    converse(input, output, |job, await_go| carry_out(job, tool(generator), argv, await_go))
}

fn carry_out(job: &Job, tool: &Tool, argv: &[String], await_go: &mut AwaitGo<'_>) -> Result<Done, Failure> {
    let [program, extra @ ..] = argv else {
        return Err(Failure::new(FailureKind::Protocol, "no load generator is named"));
    };
    if job.workload.kind != Kind::SetGet {
        return Err(Failure::lacks_workload(job));
    }
    if !job.options.is_empty() {
        let error = "a load generator has no options beside its command line";
        return Err(Failure::new(FailureKind::Unsupported, error));
    }
    let operations = operations(job, tool)?;
    let client = version(program)?;
    // It would say so itself, but only after `go` and in words of its own.
    drop(redis::Connection::open(job)?);
    let run = |operations: u64| {
        let options = (tool.options)(job, operations);
        print_of(Command::new(program).args(&options).args(extra))
    };
    warm_up(job, (tool.multiple)(job), run).map_err(|failure| failure.while_trying("warm-up"))?;
    await_go(Ready {
        client,
        runtime: "load generator".to_owned(),
        workers: job.workers,
        comparability: Some(differences(tool, job, operations, extra)),
        ..Ready::default()
    })?;
    let elapsed = (tool.elapsed)(&run(operations)?, operations).map_err(|error| {
        Failure::new(FailureKind::Other, format!("the output of `{program}` cannot be right: {error}"))
    })?;
    Ok(Done {
        elapsed_ns: elapsed.into(),
        operations,
        keys: Some((tool.keys)(operations)),
        ..Done::default()
    })
}

/// How many operations the job asks for, if a load generator can do what it asks for.
fn operations(job: &Job, tool: &Tool) -> Result<u64, Failure> {
    let workload = &job.workload;
    let refuse = |error: &str| Err(Failure::new(FailureKind::Unsupported, error));
    if job.workers == 0 || workload.pipeline == 0 {
        return Err(Failure::new(FailureKind::Protocol, "workers and pipeline must be at least 1"));
    }
    let Some(operations) = workload.operations else {
        return refuse("a load generator is given a number of operations, not a duration");
    };
    if workload.rate.is_some() {
        return refuse("load generators have no open loop: they wait for each reply");
    }
    if job.delete_keys {
        return refuse("a load generator does not delete its keys, and this server is not to be flushed");
    }
    if job.server.password.is_some() {
        return refuse("the password would be visible to everybody on the load generator's command line");
    }
    if job.server.username.is_some() {
        return refuse(
            "a load generator logs in only with a password, which would be visible on its command line",
        );
    }
    if job.server.cluster {
        return refuse("load generators are not run against clusters: not all of them discover the nodes");
    }
    let multiple = (tool.multiple)(job);
    if operations == 0 || !operations.is_multiple_of(multiple) {
        return Err(Failure::new(
            FailureKind::Unsupported,
            format!(
                "with {} workers and a pipeline of {} it does multiples of {multiple} operations, and {operations} is \
                 none",
                job.workers, workload.pipeline
            ),
        ));
    }
    Ok(operations)
}

/// Warms up the server. The process that will be measured cannot be warmed up: it does not exist yet.
fn warm_up(job: &Job, multiple: u64, run: impl Fn(u64) -> Result<String, Failure>) -> Result<(), Failure> {
    match job.warmup {
        Warmup::Operations(0) => Ok(()),
        Warmup::Operations(operations) => run(operations.next_multiple_of(multiple)).map(drop),
        Warmup::Duration(duration) => {
            let end = Instant::now() + duration.duration();
            while Instant::now() < end {
                run(WARMUP_OPERATIONS.next_multiple_of(multiple))?;
            }
            Ok(())
        }
    }
}

fn differences(tool: &Tool, job: &Job, operations: u64, extra: &[String]) -> String {
    let mut differences: Vec<String> = tool.differs.iter().map(ToString::to_string).collect();
    if job.workload.value_bytes.is_none() {
        differences.push(format!("values of {} bytes", value_bytes(job, operations)));
    }
    if job.workload.verify {
        differences.push("answers are not compared".to_owned());
    }
    differences.push("connects after go".to_owned());
    differences.push("is not warm itself".to_owned());
    differences.push("latencies are of single commands and left out".to_owned());
    if !extra.is_empty() {
        differences.push(format!("extra options {}", crate::experiment::words(extra)));
    }
    differences.join("; ")
}

/// The size of values. Where the job wants the index as the value, it is that of the largest one: most are that long.
fn value_bytes(job: &Job, operations: u64) -> u32 {
    let digits = operations.saturating_sub(1).checked_ilog10().map_or(1, |log| log + 1);
    job.workload.value_bytes.unwrap_or(digits)
}

/// How many commands share a round trip. One operation alone takes two round trips, as in modes without a pipeline;
/// more than one share it with both of their commands, as in modes with one.
fn commands_per_round_trip(job: &Job) -> u64 {
    match job.workload.pipeline {
        1 => 1,
        pipeline => 2 * u64::from(pipeline),
    }
}

/// What a program says about its version, such as `redis-benchmark 7.0.15`.
fn version(program: &str) -> Result<String, Failure> {
    let printed = print_of(Command::new(program).arg("--version"))?;
    // memtier goes on with the libraries that it was built with.
    let first = printed.lines().next().unwrap_or_default().split(" bits=").next().unwrap_or_default();
    Ok(first.trim().chars().filter(|c| !c.is_control()).take(SHOWN_CHARS).collect())
}

/// Runs a program to its end, and returns what it printed.
fn print_of(command: &mut Command) -> Result<String, Failure> {
    let name = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| {
        Failure::new(FailureKind::Unsupported, format!("cannot run load generator `{name}`: {error}"))
    };
    // A file, and not a pipe: memtier seeks back in its output.
    let mut output = tempfile::tempfile().map_err(failed)?;
    command.stdin(Stdio::null()).stdout(output.try_clone().map_err(failed)?).stderr(Stdio::inherit());
    child::die_with_this_thread(command);
    let status = command.status().map_err(failed)?;
    if !status.success() {
        let how = child::describe(status);
        return Err(Failure::new(FailureKind::Other, format!("load generator `{name}` failed: {how}")));
    }
    let mut printed = Vec::new();
    output.rewind().and_then(|()| output.read_to_end(&mut printed)).map_err(failed)?;
    Ok(String::from_utf8_lossy(&printed).into_owned())
}

/// Where the server is, in the options that `redis-benchmark` has established.
fn address(job: &Job, socket: &str, db: &str) -> Vec<String> {
    let server = &job.server;
    let mut options = match &server.unix_socket {
        Some(path) => vec![socket.to_owned(), path.clone()],
        None => vec!["-h".to_owned(), server.host.clone(), "-p".to_owned(), server.port.to_string()],
    };
    if server.db != 0 {
        options.extend([db.to_owned(), server.db.to_string()]);
    }
    if let Some(tls) = &server.tls {
        options.push("--tls".to_owned());
        let files = [("--cacert", &tls.ca), ("--cert", &tls.cert), ("--key", &tls.key)];
        let given = files.into_iter().filter_map(|(option, file)| Some((option, file.clone()?)));
        options.extend(given.flat_map(|(option, file)| [option.to_owned(), file]));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Endpoint, JobWorkload};
    use crate::workload::Kind;

    pub(super) fn job() -> Job {
        Job {
            protocol: 1,
            mode: "generator".to_owned(),
            server: Endpoint::local(6379),
            workload: JobWorkload {
                kind: Kind::SetGet,
                operations: Some(20_000),
                duration_ns: None,
                value_bytes: None,
                pipeline: 1,
                rate: None,
                verify: true,
                ..JobWorkload::default()
            },
            workers: 50,
            key_prefix: "t:".to_owned(),
            warmup: Warmup::Operations(0),
            seed: 1,
            delete_keys: false,
            options: Default::default(),
        }
    }

    /// What is said of a job that was changed, by the tool that is asked.
    fn refusal(tool: &Tool, change: impl FnOnce(&mut Job)) -> String {
        let mut job = job();
        change(&mut job);
        operations(&job, tool).unwrap_err().error
    }

    #[test]
    fn what_has_no_counterpart_is_refused() {
        for generator in LoadGenerator::ALL {
            let tool = tool(generator);
            assert_eq!(operations(&job(), tool), Ok(20_000));
            assert!(refusal(tool, |job| job.workload.operations = None).contains("duration"));
            assert!(refusal(tool, |job| job.workload.rate = Some(5)).contains("open loop"));
            assert!(refusal(tool, |job| job.delete_keys = true).contains("delete"));
            assert!(refusal(tool, |job| job.server.password = Some("x".to_owned())).contains("password"));
        }
        assert!(refusal(&memtier::TOOL, |job| job.workers = 3).contains("multiples of 3"));
        assert!(
            refusal(&redis_benchmark::TOOL, |job| job.workload.pipeline = 15).contains("multiples of 30")
        );
    }

    #[test]
    fn what_differs_is_said() {
        let mut job = job();
        let say =
            |job: &Job| differences(&memtier::TOOL, job, 20_000, &["--threads".to_owned(), "2".to_owned()]);
        insta::assert_snapshot!(say(&job), @"all values alike; values of 5 bytes; answers are not compared; connects after go; is not warm itself; latencies are of single commands and left out; extra options --threads 2");
        job.workload.verify = false;
        job.workload.value_bytes = Some(64);
        assert!(!say(&job).contains("compared") && !say(&job).contains("values of"));
    }
}
