//! A driver as a bare process, to which anything can be said.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::time::{Instant, sleep, timeout};

use super::{Options, POLL, Stop, wrong};
use crate::agent::driver::command;
use crate::agent::event::event;
use crate::agent::line_writer::LineWriter;
use crate::agent::lines::Lines;
use crate::agent::stderr::Stderr;
use crate::host::child::{self, Child};
use crate::protocol::{DriverEvent, FailureKind, MAX_LINE};
use crate::units::Nanos;

/// How long a driver may take to end when its input does.
const END_WITHIN: Duration = Duration::from_secs(5);
/// How long what it has started may take to end after it.
const FOLLOW_WITHIN: Duration = Duration::from_secs(1);

/// A driver to which anything can be said.
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

    /// Who does not read shows it by what it does next.
    pub(super) async fn say_text(&mut self, text: &str) {
        if let Some(input) = &mut self.input {
            let _ = input.write_all(text.as_bytes()).await;
        }
    }

    /// The next event but progress; `None` at the end of its output.
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

    /// Closes its input. It has to end, and nobody may be left.
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
