//! The edge: the only place that prints, reads the environment and decides exit codes. One file a subcommand.

mod agent;
mod check;
mod compare;
mod completions;
mod console;
mod doctor;
mod driver;
mod export;
mod init;
mod load;
mod man;
mod mistyped;
mod modes;
mod plan;
mod progress;
mod report;
mod run;
mod schema;
mod signals;
mod stop;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command, TalkArgs};
use crate::experiment::Diagnostics;

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Complete = 0,
    TrialsFailed = 1,
    Wrong = 2,
    Unavailable = 3,
    /// `compare` was to judge whether something is slower, and cannot tell.
    Undecided = 4,
    Interrupted = 130,
}

impl Exit {
    /// A comparison found something slower than allowed: as with trials that failed, everything was done, but not all is well.
    const SLOWER: Self = Self::TrialsFailed;
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
enum Failure {
    /// The experiment file is wrong; this is everything that is.
    File(Box<Diagnostics>),
    /// The file or the command line is wrong; this says how.
    Wrong(anyhow::Error),
    /// A host, a server or a directory is unavailable.
    Unavailable(anyhow::Error),
}

impl From<Diagnostics> for Failure {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::File(Box::new(diagnostics))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Unavailable(error)
    }
}

/// Parses the command line, does what it says, and tells how it went.
#[must_use]
pub fn main() -> ExitCode {
    // A driver is started for every trial: it must not pay for a command line that it does not have.
    if std::env::args_os().nth(1).is_some_and(|word| word == "driver") && std::env::args_os().len() == 2 {
        return driver::driver();
    }
    if let Some(error) = mistyped::mistyped() {
        console::fail(&TalkArgs::default(), &console::error(&error));
        return ExitCode::from(Exit::Wrong as u8);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(message) => return ExitCode::from(told(&message) as u8),
    };
    let talk = cli.talk.clone();
    let done = dispatch(cli).and_then(|exit| {
        // What is still in the buffer would be lost without a word.
        console::stdout().flush()?;
        Ok(exit)
    });
    let exit = done.unwrap_or_else(|failure| match failure {
        // Somebody who pipes a listing into `head` has seen enough.
        Failure::Unavailable(error) if is_broken_pipe(&error) => Exit::Complete,
        Failure::File(diagnostics) => {
            console::fail(&talk, &diagnostics.render(console::colour() && !talk.json_logs));
            Exit::Wrong
        }
        Failure::Wrong(error) => {
            console::fail(&talk, &console::error(&error));
            Exit::Wrong
        }
        Failure::Unavailable(error) => {
            console::fail(&talk, &console::error(&error));
            Exit::Unavailable
        }
    });
    ExitCode::from(exit as u8)
}

/// Shows what the parser of the command line has to say: what is wrong, or what it was asked for, such as the help.
fn told(message: &clap::Error) -> Exit {
    if message.use_stderr() {
        // Nobody is left to be told if this fails.
        let _ = message.print();
        return Exit::Wrong;
    }
    let mut out = console::styled_stdout();
    match write!(out, "{}", message.render().ansi()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            console::fail(&TalkArgs::default(), &console::error(&error.into()));
            Exit::Unavailable
        }
        _ => Exit::Complete,
    }
}

fn dispatch(cli: Cli) -> Result<Exit, Failure> {
    match cli.command {
        None => run::run(&cli.run, &cli.talk),
        Some(Command::Run(args)) => run::run(&args, &cli.talk),
        Some(Command::Plan(args)) => plan::plan(&args),
        Some(Command::Check(args)) => check::check(&args, &cli.talk),
        Some(Command::Init(args)) => init::init(&args),
        Some(Command::Doctor(args)) => doctor::doctor(&args, &cli.talk),
        Some(Command::Modes(args)) => modes::modes(&args),
        Some(Command::Compare(args)) => compare::compare(&args, &cli.talk),
        Some(Command::Export(args)) => export::export(&args, &cli.talk),
        Some(Command::Report(args)) => report::report(&args),
        Some(Command::Schema) => schema::schema(),
        Some(Command::Completions(args)) => completions::completions(&args),
        Some(Command::Man) => man::man(),
        Some(Command::Agent(args)) => agent::agent(args),
        Some(Command::Driver(args)) => driver::command(&args),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
