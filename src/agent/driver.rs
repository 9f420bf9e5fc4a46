//! One driver process, from its job to its end. Nothing that it prints is trusted; whatever it does, neither it nor
//! any process of its group is left behind.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Serialize;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Instant, timeout, timeout_at};

use super::event::event;
use super::line_writer::LineWriter;
use super::lines::Lines;
use super::stderr::Stderr;
use crate::host::child::{self, Child};
use crate::host::secrets::excerpt;
use crate::measure::cpu;
use crate::measure::machine::{self, MachineCpu};
use crate::measure::memory;
use crate::protocol::{
    AgentError, AgentErrorKind, Done, DriverEvent, FailureKind, Go, Job, MAX_LINE, Notice, Program, Ready,
    TrialResult, WorkerUse,
};
use crate::units::Nanos;
use crate::untrusted::SENTENCE;

/// How long a driver may take to exit once its input is closed.
const EXIT_WITHIN: Duration = Duration::from_secs(5);
/// How long a driver that closed its output may take to exit, so that its exit status can be reported.
const STATUS_WITHIN: Duration = Duration::from_secs(1);
/// How long to look for output after the end.
const REST_WITHIN: Duration = Duration::from_millis(100);

/// A driver that runs. Dropping it kills it and all of its process group.
#[derive(Debug)]
pub(super) struct Driver {
    /// The trial it is for.
    trial: String,
    /// What it is called in messages.
    name: String,
    child: Child,
    input: ChildStdin,
    output: Lines<ChildStdout>,
    stderr: Stderr,
    writer: LineWriter,
    /// When the last line came.
    heard: Instant,
    /// The process and those that it had started when it became ready.
    family: Vec<u32>,
    /// Those of them that it named as the roots of what executes tasks.
    workers: Vec<u32>,
    /// Whether it is worth looking for children. A built-in driver has none; and looking through the threads of a process makes
    /// the kernel keep an entry for each, over whose removal our `wait4` and the ending threads can contend for milliseconds on
    /// a busy machine.
    may_have_children: bool,
    /// Comes last, so that it is dropped when the child is dead.
    _orphans: EndOrphans,
}

/// Ends, when it is dropped, whatever a driver has started and moved into a session of its own.
#[derive(Debug)]
struct EndOrphans(bool);

impl Drop for EndOrphans {
    fn drop(&mut self) {
        if self.0 {
            child::end_orphans();
        }
    }
}

/// Why a driver can no longer be used.
#[derive(Debug)]
struct Fault {
    kind: AgentErrorKind,
    what: String,
}

impl Fault {
    fn new(what: impl Into<String>) -> Self {
        Self { kind: AgentErrorKind::Failed, what: what.into() }
    }
}

impl Driver {
    /// Starts the program with these variables beside those of this process, bound to `cpus` if some are given.
    ///
    /// # Errors
    /// `Unsupported` when there is no such program: trying again would be useless.
    pub(super) fn start(
        trial: &str,
        program: &Program<String>,
        builtin: &Path,
        environment: &BTreeMap<String, String>,
        cpus: Option<&[u32]>,
        writer: LineWriter,
    ) -> Result<Self, AgentError> {
        let (name, mut command) = command(program, builtin)?;
        command.envs(environment);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child =
            Child::spawn(&mut command, cpus).map_err(|error| cannot_start(&name, program, &error))?;
        let (input, output, stderr) =
            pipes(&mut child).map_err(|error| cannot_start(&name, program, &error))?;
        let stderr = Stderr::follow(stderr, trial.to_owned(), writer.clone());
        Ok(Self {
            trial: trial.to_owned(),
            name,
            family: vec![child.pid()],
            workers: Vec::new(),
            may_have_children: *program != Program::BuiltIn,
            child,
            input,
            output: Lines::new(output, MAX_LINE),
            stderr,
            writer,
            heard: Instant::now(),
            _orphans: EndOrphans(*program != Program::BuiltIn),
        })
    }

    /// Gives it its job and waits until it is ready.
    ///
    /// # Errors
    /// With the reason, the driver's exit status and its last words. The driver is dead then.
    pub(super) async fn become_ready(
        mut self,
        job: &Job,
        within: Nanos,
    ) -> Result<(Self, Ready), AgentError> {
        // Many modes share one program, such as `uv`: from here on it is called by what it carries out.
        self.name.clone_from(&job.mode);
        let ready = async {
            self.tell(job).await;
            match self.next("ready").await? {
                DriverEvent::Ready(Ready { workers: 0, .. }) => {
                    Err(Fault::new("is ready with no workers at all"))
                }
                DriverEvent::Ready(ready) => Ok(ready),
                other => Err(out_of_turn(&other, "ready")),
            }
        };
        match timeout(within.duration(), ready).await {
            Ok(Ok(ready)) => {
                if self.may_have_children {
                    self.family = cpu::family(self.child.pid());
                }
                if let Some(stranger) = ready.processes.iter().find(|pid| !self.family.contains(pid)) {
                    let what = format!(
                        "says that process {stranger} executes its tasks, but that is not one of its processes"
                    );
                    return Err(self.end_with(Fault::new(what)).await);
                }
                self.workers.clone_from(&ready.processes);
                Ok((self, ready))
            }
            Ok(Err(fault)) => Err(self.end_with(fault).await),
            Err(_) => {
                let what = format!("was not ready within {within}");
                Err(self.end_with(Fault { kind: AgentErrorKind::TimedOut, what }).await)
            }
        }
    }

    /// Says go, waits for its claim and for its end. `servers` are the processes on this host whose CPU time is not
    /// foreign; `at_done` is carried out when it says that it is done, before its input closes.
    ///
    /// # Errors
    /// With the reason, the driver's exit status and its last words. The driver is dead then.
    pub(super) async fn go(
        mut self,
        within: Nanos,
        servers: &[u32],
        at_done: impl Future<Output = ()>,
    ) -> Result<TrialResult, AgentError> {
        // A driver that talks before `go` has not waited for it.
        if let Ok(early) = timeout(Duration::ZERO, self.output.next()).await {
            let fault = match early {
                Ok(Some(line)) => {
                    Fault::new(format!("did not wait for go, but printed {}", excerpt(&line, SENTENCE)))
                }
                Ok(None) => Fault::new("ended its output before go"),
                Err(bad) => Fault::new(format!("did not wait for go, but printed {bad}")),
            };
            return Err(self.end_with(fault).await);
        }
        let threads_before = self.threads();
        let workers_before = cpu::trees(&self.workers);
        let before = Moment::now(&self.family, servers);
        let started = Instant::now();
        let deadline = started + within.duration();
        let claim = async {
            self.tell(&Go { go: true }).await;
            let mut course = Course::default();
            loop {
                match self.next("done").await? {
                    DriverEvent::Progress { operations } => {
                        if course.note(started.elapsed(), operations) {
                            self.writer.notice(Notice::Progress { trial: self.trial.clone(), operations });
                        }
                    }
                    DriverEvent::Done(mut done) => {
                        if done.progress.is_none() && !course.points.is_empty() {
                            done.progress = Some(course.points);
                        }
                        return plausible(done);
                    }
                    other => return Err(out_of_turn(&other, "done")),
                }
            }
        };
        let done = match timeout_at(deadline, claim).await {
            Ok(Ok(done)) => done,
            Ok(Err(fault)) => return Err(self.end_with(fault).await),
            Err(_) => {
                // Whether it hung or was slow.
                let used = cpu::processes(&self.family)
                    .zip(before.driver)
                    .map(|(after, before)| less(after, before));
                let used =
                    used.map(|used| format!(", in which it used {:.2} s of CPU time", used.as_secs_f64()));
                let what = format!("was not done within {within}{}", used.unwrap_or_default());
                return Err(self.end_with(Fault { kind: AgentErrorKind::TimedOut, what }).await);
            }
        };
        if self.may_have_children {
            // A load generator is started only now.
            self.family = cpu::family(self.child.pid());
        }
        let after = Moment::now(&self.family, servers);
        let workers = self.worker_use(workers_before);
        let threads_after = self.threads();
        let wall_ns = Nanos::from(self.heard.duration_since(started));
        let load1 = machine::load1();
        at_done.await;
        let usage = self.finish().await?;
        Ok(TrialResult {
            done,
            wall_ns,
            cpu_ns: after.driver.zip(before.driver).map(|(after, before)| less(after, before)),
            busiest_thread_ns: threads_before
                .zip(threads_after)
                .and_then(|(before, after)| cpu::busiest(&before, &after)),
            total_cpu_ns: Nanos::from(usage.utime + usage.stime),
            peak_rss_bytes: usage.maxrss,
            workers,
            foreign_cpu_ns: after.foreign_since(&before),
            steal_ns: after
                .machine
                .zip(before.machine)
                .map(|(after, before)| less(after.steal, before.steal)),
            load1,
        })
    }

    /// What the processes that execute its tasks have used, if it named any.
    fn worker_use(&self, before: Option<Nanos>) -> Option<WorkerUse> {
        let used = |(after, before)| less(after, before);
        (!self.workers.is_empty()).then(|| WorkerUse {
            cpu_ns: cpu::trees(&self.workers).zip(before).map(used),
            peak_rss_bytes: memory::peaks(&self.workers),
        })
    }

    /// What each of its threads has used, unless it is known beforehand how many threads work: it is for a built-in driver,
    /// whose threads are not looked through, for the reason above.
    fn threads(&self) -> Option<cpu::ThreadTimes> {
        self.may_have_children.then(|| cpu::threads(&self.family)).flatten()
    }

    /// Writes one line. A driver that does not read it shows itself by what it does next, so a failure to write is only logged;
    /// one that never reads is waited for as long as for its answer.
    async fn tell(&mut self, message: &impl Serialize) {
        let mut line = serde_json::to_vec(message).expect("a job is plain data with string keys");
        line.push(b'\n');
        if let Err(error) = self.input.write_all(&line).await {
            tracing::debug!("driver `{}` does not read: {error}", self.name);
        }
    }

    /// The next event; `awaited` is the one that is due.
    async fn next(&mut self, awaited: &str) -> Result<DriverEvent, Fault> {
        // A process that it started may hold its output open after its end.
        let line = tokio::select! {
            biased;
            line = self.output.next() => line,
            () = self.child.exited() => timeout(REST_WITHIN, self.output.next()).await.unwrap_or(Ok(None)),
        };
        self.heard = Instant::now();
        match line {
            Ok(Some(line)) => match event(&line) {
                Ok(DriverEvent::Failed { kind, error }) => Err(gave_up(kind, &error)),
                Ok(event) => Ok(event),
                Err(wrong) => Err(Fault::new(format!("printed {wrong}"))),
            },
            Ok(None) if timeout(STATUS_WITHIN, self.child.exited()).await.is_ok() => {
                Err(Fault::new(format!("ended before it was {awaited}")))
            }
            Ok(None) => Err(Fault::new(format!("closed its output before it was {awaited}"))),
            Err(bad) => Err(Fault::new(format!("printed {bad}"))),
        }
    }

    /// Closes its input, and waits for it to exit in good order.
    async fn finish(mut self) -> Result<wait4::ResourceUsage, AgentError> {
        drop(self.input);
        let exit = async {
            tokio::select! {
                biased;
                more = self.output.next() => match more {
                    // The end of its output is not yet its end.
                    Ok(None) => { self.child.exited().await; Ok(()) }
                    more => Err(chatter(more)),
                },
                () = self.child.exited() => Ok(()),
            }
        };
        let exit = match timeout(EXIT_WITHIN, exit).await {
            Ok(exit) => exit,
            Err(_) => Err(Fault::new(format!(
                "did not exit within {}s of the end of its input",
                EXIT_WITHIN.as_secs()
            ))),
        };
        let exited = self.child.has_exited();
        let ended = self.child.end();
        let fault = match (exit, &ended) {
            (Err(fault), _) => Some(fault),
            (Ok(()), Ok(ended)) if !ended.status.success() => Some(Fault::new("was done, but then failed")),
            (Ok(()), Err(error)) => Some(Fault::new(format!("cannot be waited for: {error}"))),
            // It may have exited before all that it printed was read.
            (Ok(()), Ok(_)) => match timeout(REST_WITHIN, self.output.next()).await {
                Ok(Ok(None)) | Err(_) => None,
                Ok(more) => Some(chatter(more)),
            },
        };
        match (fault, ended) {
            (None, Ok(ended)) => Ok(ended.usage),
            (fault, ended) => {
                let fault = fault.unwrap_or_else(|| Fault::new("ended in an unknown way"));
                Err(complain(&self.name, fault, ended.ok().filter(|_| exited), self.stderr).await)
            }
        }
    }

    /// Kills it, and reports what there is to report.
    async fn end_with(mut self, fault: Fault) -> AgentError {
        // What it did on its own is worth reporting; that we killed it is not.
        let exited = self.child.has_exited();
        let ended = self.child.end().ok().filter(|_| exited);
        complain(&self.name, fault, ended, self.stderr).await
    }
}

async fn complain(name: &str, fault: Fault, ended: Option<child::Ended>, stderr: Stderr) -> AgentError {
    let mut message = format!("driver `{name}` {}", fault.what);
    if let Some(ended) = ended {
        message.push_str(&format!("; {}", child::describe(ended.status)));
    }
    let last_words = stderr.last_line().await;
    if !last_words.is_empty() {
        message.push_str(&format!("; its last words: {}", excerpt(&last_words, SENTENCE)));
    }
    AgentError::new(fault.kind, message)
}

fn out_of_turn(event: &DriverEvent, awaited: &str) -> Fault {
    let said = match event {
        DriverEvent::Ready(_) => "ready",
        DriverEvent::Progress { .. } => "progress",
        DriverEvent::Done(_) => "done",
        DriverEvent::Failed { .. } => "failed",
    };
    Fault::new(format!("said \"{said}\" when \"{awaited}\" was due"))
}

fn gave_up(kind: FailureKind, error: &str) -> Fault {
    let fault = |kind, what| Fault { kind, what };
    match kind {
        FailureKind::Unsupported => fault(AgentErrorKind::Unsupported, format!("cannot do this: {error}")),
        other => fault(AgentErrorKind::Failed, format!("failed ({other}): {error}")),
    }
}

/// Does not pass on what cannot possibly be true, nor more than is kept. Whether the rest is true is for the server's counts to
/// say.
fn plausible(mut done: Done) -> Result<Done, Fault> {
    if done.operations > 0 && done.elapsed_ns == Nanos(0) {
        return Err(Fault::new(format!("claims {} operations in no time at all", done.operations)));
    }
    if let Some(points) = &mut done.progress {
        while points.len() > MOST_POINTS {
            thin(points);
        }
    }
    if let Some(tasks) = &mut done.tasks {
        for numbers in [&mut tasks.lost, &mut tasks.begun, &mut tasks.twice] {
            numbers.truncate(MOST_TASKS);
        }
    }
    Ok(done)
}

/// More points than this say nothing more about how a trial went.
const MOST_POINTS: usize = 1_000;
/// At most this many tasks are named by their numbers.
const MOST_TASKS: usize = 100;
/// A driver may report its progress ten times a second. Reports that come more often are read but not passed on.
const BETWEEN_NOTICES: Duration = Duration::from_millis(90);

/// How far a driver's work has come, by its own reports. However often it reports, only a limited number of points is kept.
#[derive(Default)]
struct Course {
    /// Time since go in nanoseconds, and operations by then.
    points: Vec<(u64, u64)>,
    /// One in this many points is kept.
    every: u64,
    heard: u64,
    noticed: Option<Duration>,
}

impl Course {
    /// Notes a point. Returns whether it is to be passed on at once.
    fn note(&mut self, at: Duration, operations: u64) -> bool {
        if self.heard.is_multiple_of(self.every.max(1)) {
            self.points.push((Nanos::from(at).0, operations));
        }
        self.heard += 1;
        if self.points.len() > MOST_POINTS {
            thin(&mut self.points);
            self.every = self.every.max(1) * 2;
        }
        let is_due = self.noticed.is_none_or(|before| at.saturating_sub(before) >= BETWEEN_NOTICES);
        if is_due {
            self.noticed = Some(at);
        }
        is_due
    }
}

/// Keeps every other point.
fn thin(points: &mut Vec<(u64, u64)>) {
    let mut stays = false;
    points.retain(|_| {
        stays = !stays;
        stays
    });
}

fn chatter(more: Result<Option<String>, super::lines::BadLine>) -> Fault {
    let what = match more {
        Ok(line) => excerpt(&line.unwrap_or_default(), SENTENCE),
        Err(bad) => bad.to_string(),
    };
    Fault::new(format!("went on talking after it was done: {what}"))
}

pub(super) fn command(program: &Program<String>, builtin: &Path) -> Result<(String, Command), AgentError> {
    match program {
        Program::BuiltIn => {
            let mut command = Command::new(builtin);
            command.arg("driver");
            Ok(("built-in".to_owned(), command))
        }
        Program::Command { argv, directory } => {
            let (name, mut command) = in_directory(argv, directory)?;
            command.args(&argv[1..]);
            Ok((name, command))
        }
        Program::LoadGenerator { generator, argv, directory } => {
            let (name, located) = in_directory(argv, directory)?;
            let mut command = Command::new(builtin);
            command.args(["driver", "--load-generator", generator.name(), "--"]);
            command.arg(located.get_program()).args(&argv[1..]).current_dir(directory);
            Ok((name, command))
        }
    }
}

/// The program of a command line, to be started in a directory. It is returned with its name and without arguments.
pub(super) fn in_directory(argv: &[String], directory: &str) -> Result<(String, Command), AgentError> {
    let Some(name) = argv.first() else {
        return Err(AgentError::new(AgentErrorKind::Protocol, "the command is empty"));
    };
    // `Command` leaves open whether a relative program is looked up before or after the directory is changed, so it is
    // made absolute here. (`join` keeps a program that is absolute already.)
    let mut command =
        if name.contains('/') { Command::new(Path::new(directory).join(name)) } else { Command::new(name) };
    command.current_dir(directory);
    Ok((name.clone(), command))
}

fn cannot_start(name: &str, program: &Program<String>, error: &io::Error) -> AgentError {
    let place = match program {
        Program::Command { directory, .. } | Program::LoadGenerator { directory, .. } => {
            format!(" in {directory}")
        }
        Program::BuiltIn => String::new(),
    };
    AgentError::new(AgentErrorKind::Unsupported, format!("cannot start driver `{name}`{place}: {error}"))
}

fn pipes(child: &mut Child) -> io::Result<(ChildStdin, ChildStdout, ChildStderr)> {
    let process = child.process().ok_or(io::ErrorKind::NotFound)?;
    let (stdin, stdout, stderr) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
    Ok((
        ChildStdin::from_std(stdin.ok_or(io::ErrorKind::NotFound)?)?,
        ChildStdout::from_std(stdout.ok_or(io::ErrorKind::NotFound)?)?,
        ChildStderr::from_std(stderr.ok_or(io::ErrorKind::NotFound)?)?,
    ))
}

/// How much CPU time each party had used by one moment.
#[derive(Clone, Copy, Debug)]
struct Moment {
    driver: Option<Nanos>,
    /// Our servers and this process.
    ours: Nanos,
    machine: Option<MachineCpu>,
}

impl Moment {
    fn now(driver: &[u32], servers: &[u32]) -> Self {
        let ours = servers.iter().copied().chain([std::process::id()]).filter_map(cpu::process);
        Self {
            driver: cpu::processes(driver),
            ours: Nanos(ours.map(|time| time.0).sum()),
            machine: MachineCpu::now(),
        }
    }

    /// What neither the driver nor we used. The machine counts in ticks and processes do not, so the difference may come out
    /// slightly negative; it is zero then.
    fn foreign_since(&self, before: &Self) -> Option<Nanos> {
        let busy = less(self.machine?.busy, before.machine?.busy);
        let known = less(self.driver?, before.driver?).0 + less(self.ours, before.ours).0;
        Some(Nanos(busy.0.saturating_sub(known)))
    }
}

fn less(after: Nanos, before: Nanos) -> Nanos {
    Nanos(after.0.saturating_sub(before.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::TaskClaim;

    #[test]
    fn a_flood_of_progress_is_bounded_and_still_shows_the_whole_course() {
        let mut course = Course::default();
        let told = (0..1_000_000_u64).filter(|&at| course.note(Duration::from_micros(at), at)).count();
        assert_eq!(told, 12, "one second of it, ten times a second");
        assert!((MOST_POINTS / 2..=MOST_POINTS).contains(&course.points.len()), "{}", course.points.len());
        assert!(course.points.is_sorted() && course.points[0] == (0, 0));
        assert!(course.points.last().unwrap().1 > 990_000);
    }

    #[test]
    fn the_numbers_of_a_claim_are_bounded() {
        let tasks = TaskClaim { lost: (0..5_000).collect(), ..TaskClaim::default() };
        let points = (0..5_000).map(|at| (at, at)).collect();
        let done = Done { progress: Some(points), tasks: Some(tasks), ..Done::default() };
        let done = plausible(done).unwrap_or_else(|fault| panic!("{fault:?}"));
        assert_eq!((done.progress.unwrap().len(), done.tasks.unwrap().lost.len()), (625, 100));
    }
}
