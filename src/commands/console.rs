//! Colours, errors and logs: how the program talks on standard error.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anstyle::{AnsiColor, Style};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use crate::cli::TalkArgs;
use crate::commands::progress::Bar;
use crate::host::client::WAITING;
use crate::host::secrets;
use crate::untrusted::lines;

/// Whether standard error takes colours: it is a terminal and nobody set `NO_COLOR`.
pub(super) fn colour() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// How many columns of text standard output shows: those of the terminal, or those of a wide one if it is not a terminal.
pub(super) fn width() -> usize {
    terminal_width().unwrap_or(120).into()
}

/// How many columns of text standard output shows, if it is a terminal.
pub(super) fn terminal_width() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    (size.ws_col > 0).then_some(size.ws_col)
}

/// `error: …`, with all causes. Many of our errors state their cause themselves: it is not repeated.
pub(super) fn error(error: &anyhow::Error) -> String {
    let red = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    format!("{red}error{red:#}: {}", fit(&text))
}

/// Standard output, whose errors say what could not be written.
pub(super) struct Output<W>(W);

/// Standard output as it is.
pub(super) fn stdout() -> Output<io::Stdout> {
    Output(io::stdout())
}

/// Standard output, without colours where they are not wanted.
pub(super) fn styled_stdout() -> Output<anstream::AutoStream<io::Stdout>> {
    Output(anstream::stdout())
}

impl<W: Write> Write for Output<W> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.write(text).map_err(|error| unwritten(&error))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush().map_err(|error| unwritten(&error))
    }
}

fn unwritten(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("failed to write to standard output: {error}"))
}

/// The last word, on standard error.
pub(super) fn fail(talk: &TalkArgs, text: &str) {
    let text = if talk.json_logs {
        let message = anstream::adapter::strip_str(text.trim_end()).to_string();
        let time = jiff::Timestamp::now();
        serde_json::json!({"timestamp": time, "level": "ERROR", "fields": {"message": message}}).to_string()
    } else {
        text.trim_end().to_owned()
    };
    // Nobody is left to be told if this fails.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// A text that may quote others, without what controls a terminal and without secrets.
pub(super) fn fit(text: &str) -> String {
    lines(&secrets::redact(text)).into_owned()
}

/// A line that is not part of the result.
pub(super) fn say(talk: &TalkArgs, text: &str) {
    let text = fit(text);
    if talk.json_logs {
        tracing::info!("{text}");
    } else if !talk.quiet {
        // Nobody is left to be told if this fails.
        let _ = writeln!(anstream::stderr(), "{text}");
    }
}

/// The log of a run: in memory until the run has a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct RunLog(Arc<Mutex<Sink>>);

#[derive(Debug)]
enum Sink {
    Early(Vec<u8>),
    File(File),
    /// The file cannot be written. The log is only for people, so the run does without it.
    Nowhere,
}

impl Default for Sink {
    fn default() -> Self {
        Self::Early(Vec::new())
    }
}

impl RunLog {
    /// Appends to the file at `path` from now on, beginning with what was logged before.
    pub(super) fn keep_in(&self, path: &Path) {
        let mut sink = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Sink::Early(early) = &*sink else { return };
        let file = File::options().create(true).append(true).open(path);
        match file.and_then(|mut file| file.write_all(early).map(|()| file)) {
            Ok(file) => *sink = Sink::File(file),
            Err(error) => {
                *sink = Sink::Nowhere;
                drop(sink);
                tracing::warn!(%error, path = %path.display(), "there will be no log");
            }
        }
    }
}

impl Write for &RunLog {
    /// The library that makes the lines of the log writes each of them at once.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let known = String::from_utf8_lossy(line);
        let Cow::Owned(masked) = secrets::redact(&known) else { return self.keep(line) };
        self.keep(masked.as_bytes()).map(|_| line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RunLog {
    fn keep(&self, text: &[u8]) -> io::Result<usize> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Sink::Early(early) => early.extend_from_slice(text),
            Sink::File(file) => file.write_all(text)?,
            Sink::Nowhere => {}
        }
        Ok(text.len())
    }
}

impl<'a> MakeWriter<'a> for RunLog {
    type Writer = &'a Self;

    fn make_writer(&'a self) -> Self::Writer {
        self
    }
}

/// Sends what the program logs to the run's log, and what the user asked to see to standard error, above the bar.
pub(super) fn log(talk: &TalkArgs, log: RunLog, bar: &Bar) {
    let seen = match (talk.quiet, talk.verbose) {
        (true, _) => LevelFilter::ERROR,
        (_, 0) if talk.json_logs => LevelFilter::INFO,
        (_, 0) => LevelFilter::WARN,
        (_, 1) => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    };
    let kept = fmt::layer().json().with_writer(log).with_filter(LevelFilter::DEBUG);
    let screen = AboveBar(bar.clone());
    let shown = if talk.json_logs {
        fmt::layer().json().with_writer(screen).with_filter(seen).boxed()
    } else {
        fmt::layer()
            .with_writer(screen)
            .with_ansi(colour())
            .without_time()
            .with_target(false)
            .with_filter(seen)
            .boxed()
    };
    // A second run in one process (a test) keeps the first one's log.
    let _ = tracing_subscriber::registry().with(kept).with(shown).try_init();
}

/// Sends to standard error what is waited for, and nothing else of what the program logs.
pub(super) fn waiting(talk: &TalkArgs) {
    if talk.quiet {
        return;
    }
    let shown = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(colour())
        .without_time()
        .with_target(false)
        .with_filter(filter_fn(|event| event.target() == WAITING));
    // A second call in one process (a test) keeps the first one's.
    let _ = tracing_subscriber::registry().with(shown).try_init();
}

/// Writes to standard error without tearing the progress bar.
struct AboveBar(Bar);

impl<'a> MakeWriter<'a> for AboveBar {
    type Writer = Lines<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Lines(&self.0)
    }
}

struct Lines<'a>(&'a Bar);

impl Write for Lines<'_> {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let shown = String::from_utf8_lossy(text);
        self.0.suspended(|| io::stderr().write_all(secrets::redact(&shown).as_bytes()))?;
        Ok(text.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether standard error is a terminal, where a line may be rewritten.
pub(super) fn is_terminal() -> bool {
    io::stderr().is_terminal()
}
