//! Tests of a driver as a bare process, which can be sent anything: another version, a closed input.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep, timeout};

use super::{Bench, ENDLESS, OPEN, Options, Outcome, POLL, Stop, wrong};
use crate::agent::driver::command;
use crate::agent::event::event;
use crate::agent::line_writer::LineWriter;
use crate::agent::lines::Lines;
use crate::agent::stderr::Stderr;
use crate::host::child::{self, Child};
use crate::protocol::{DriverEvent, FailureKind, Keys, MAX_LINE};
use crate::units::Nanos;

/// How long a driver may take to end when its input does.
const END_WITHIN: Duration = Duration::from_secs(5);
/// How long the processes that it has started may take to end after it.
const FOLLOW_WITHIN: Duration = Duration::from_secs(1);

/// A driver that can be sent anything.
pub(super) struct Bare {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<ChildStdout>,
    _stderr: Stderr,
    within: Duration,
}

impl Bare {
    pub(super) fn start(options: &Options, writer: LineWriter) -> Result<Self, Stop> {
        let (_, mut command) = command(&options.program, &options.builtin)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let pipes = |child: &mut Child| -> std::io::Result<_> {
            let process = child.process().ok_or(std::io::ErrorKind::NotFound)?;
            let (input, output, error) = (process.stdin.take(), process.stdout.take(), process.stderr.take());
            Ok((
                ChildStdin::from_std(input.ok_or(std::io::ErrorKind::NotFound)?)?,
                ChildStdout::from_std(output.ok_or(std::io::ErrorKind::NotFound)?)?,
                ChildStderr::from_std(error.ok_or(std::io::ErrorKind::NotFound)?)?,
            ))
        };
        let started = Child::spawn(&mut command, None).and_then(|mut child| Ok((pipes(&mut child)?, child)));
        let ((input, output, stderr), child) =
            started.map_err(|error| Stop::Wrong(format!("cannot be started: {error}")))?;
        Ok(Self {
            child,
            input: Some(input),
            output: Lines::new(output, MAX_LINE),
            _stderr: Stderr::follow(stderr, "check".to_owned(), writer),
            within: options.within,
        })
    }

    pub(super) async fn say(&mut self, message: &Value) {
        self.say_text(&format!("{message}\n")).await;
    }

    /// A driver that does not read shows it by what it does next, so a failed write is ignored.
    pub(super) async fn say_text(&mut self, text: &str) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(text.as_bytes()).await;
        }
    }

    /// The next event other than progress; `None` at the end of its output.
    pub(super) async fn event(&mut self) -> Result<Option<DriverEvent>, Stop> {
        loop {
            let Ok(line) = timeout(self.within, self.output.next()).await else {
                return wrong(format!("says nothing within {}", Nanos::from(self.within)));
            };
            let line = match line {
                Ok(Some(line)) => line,
                Ok(None) => return Ok(None),
                Err(bad) => return wrong(format!("printed {bad}")),
            };
            match event(&line) {
                Ok(DriverEvent::Progress { .. }) => {}
                Ok(event) => return Ok(Some(event)),
                Err(bad) => return wrong(format!("printed {bad}")),
            }
        }
    }

    pub(super) async fn expect(&mut self, due: &str, is_due: fn(&DriverEvent) -> bool) -> Result<(), Stop> {
        match self.event().await? {
            Some(event) if is_due(&event) => Ok(()),
            Some(DriverEvent::Failed { kind: FailureKind::Unsupported, error }) => Err(Stop::Refused(error)),
            Some(DriverEvent::Failed { kind, error }) => wrong(format!("failed ({kind}): {error}")),
            Some(_) => wrong(format!("said something else when \"{due}\" was due")),
            None => wrong(format!("ended its output when \"{due}\" was due")),
        }
    }

    /// Closes its input. The driver has to end, and must leave no process behind.
    pub(super) async fn end(mut self) -> Result<(), Stop> {
        self.input = None;
        let exited = timeout(END_WITHIN, self.child.exited()).await.is_ok();
        let deadline = Instant::now() + FOLLOW_WITHIN;
        let mut left = child::left_behind(self.child.pid());
        while exited && left > 0 && Instant::now() < deadline {
            sleep(POLL).await;
            left = child::left_behind(self.child.pid());
        }
        drop(self.child);
        child::end_orphans();
        if !exited {
            return wrong(format!("does not end within {}s of the end of its input", END_WITHIN.as_secs()));
        }
        match left {
            0 => Ok(()),
            1 => wrong("leaves a process behind"),
            n => wrong(format!("leaves {n} processes behind")),
        }
    }
}

/// When the input is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Start,
    Ready,
    AtWork,
}

impl Bench<'_> {
    fn bare(&self) -> Result<Bare, Stop> {
        Bare::start(self.options, self.writer.clone())
    }

    pub(super) async fn leaves_nobody(&mut self) -> Outcome {
        self.reset(OPEN).await?;
        let mut driver = self.bare()?;
        driver.say(&json!(self.job())).await;
        driver.expect("ready", |event| matches!(event, DriverEvent::Ready(_))).await?;
        driver.say(&json!({"go": true})).await;
        driver.expect("done", |event| matches!(event, DriverEvent::Done(_))).await?;
        driver.end().await.map(|()| None)
    }

    pub(super) async fn refuses(
        &mut self,
        change: impl FnOnce(&mut Value),
        kinds: &[FailureKind],
    ) -> Outcome {
        let mut driver = self.bare()?;
        let mut job = json!(self.job());
        change(&mut job);
        driver.say(&job).await;
        match driver.event().await? {
            Some(DriverEvent::Failed { kind, .. }) if kinds.contains(&kind) => {}
            Some(DriverEvent::Failed { kind, error }) => {
                return wrong(format!("calls it \"{kind}\", and \"{}\" was due: {error}", kinds[0]));
            }
            Some(_) => return wrong("takes it as if nothing were wrong"),
            None => return wrong("ends without a word: \"failed\" was due"),
        }
        driver.end().await.map(|()| None)
    }

    pub(super) async fn no_job(&mut self) -> Outcome {
        let mut driver = self.bare()?;
        driver.say_text("this is not a job\n").await;
        match driver.event().await? {
            Some(DriverEvent::Failed { .. }) | None => {}
            Some(_) => return wrong("takes it as if nothing were wrong"),
        }
        driver.end().await.map(|()| None)
    }

    pub(super) async fn no_server(&mut self) -> Outcome {
        let mut job = self.job();
        // A port that was free a moment ago.
        let free = TcpListener::bind(("127.0.0.1", 0)).await.and_then(|listener| listener.local_addr());
        let Ok(address) = free else { return Err(Stop::Refused("no port is free".to_owned())) };
        job.server.port = address.port();
        let mut driver = self.bare()?;
        driver.say(&json!(job)).await;
        let note = match driver.event().await? {
            Some(DriverEvent::Failed { kind: FailureKind::Connection, .. }) => None,
            Some(DriverEvent::Failed { kind, .. }) => Some(format!("but calls it \"{kind}\"")),
            Some(_) => return wrong("is ready although nothing listens where the server should be"),
            None => Some("but ends without a word".to_owned()),
        };
        driver.end().await.map(|()| note)
    }

    pub(super) async fn ends_at(&mut self, stage: Stage) -> Outcome {
        self.reset(OPEN).await?;
        let mut driver = self.bare()?;
        let mut job = self.job();
        if stage != Stage::Start {
            if stage == Stage::AtWork {
                job.workload.operations = Some(ENDLESS);
            }
            driver.say(&json!(job)).await;
            driver.expect("ready", |event| matches!(event, DriverEvent::Ready(_))).await?;
        }
        if stage == Stage::AtWork {
            if job.keys_at_go() == Keys::Flush {
                self.reset(OPEN).await?;
            }
            let commands = job.workload.commands();
            let before = self.sample(OPEN).await?.sum(&commands).calls;
            driver.say(&json!({"go": true})).await;
            let deadline = Instant::now() + self.options.within;
            while self.sample(OPEN).await?.sum(&commands).calls == before {
                if Instant::now() > deadline {
                    return wrong(format!("does nothing within {} of go", Nanos::from(self.options.within)));
                }
                sleep(POLL).await;
            }
        }
        driver.end().await.map(|()| None)
    }
}
