//! `orchestrate driver`: one trial in a built-in mode or with a load generator, which an agent starts; and
//! `orchestrate driver check`, which says what a driver gets wrong.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use tokio::task::LocalSet;

use crate::agent::conformance::{self, Options, Verdict};
use crate::cli::{DriverArgs, DriverCheckArgs, DriverCommand};
use crate::commands::{Exit, Failure, console};
use crate::driver::{serve, serve_generator};
use crate::host::child;
use crate::host::programs::Programs;
use crate::host::secrets::excerpt;
use crate::protocol::Program;
use crate::untrusted::MESSAGE;

/// A trial in a built-in mode.
pub(super) fn driver() -> ExitCode {
    serve(io::stdin().lock(), io::stdout())
}

pub(super) fn command(args: &DriverArgs) -> Result<Exit, Failure> {
    let code = match (&args.command, args.load_generator) {
        (Some(DriverCommand::Check(args)), _) => return check(args),
        (None, Some(generator)) => serve_generator(generator, &args.argv, io::stdin().lock(), io::stdout()),
        (None, None) => driver(),
    };
    Ok(if code == ExitCode::SUCCESS { Exit::Complete } else { Exit::TrialsFailed })
}

fn check(args: &DriverCheckArgs) -> Result<Exit, Failure> {
    let (argv, directory) = (args.argv.clone(), std::env::current_dir()?.display().to_string());
    let options = Options {
        program: match args.load_generator {
            Some(generator) => Program::LoadGenerator { generator, argv, directory },
            None => Program::Command { argv, directory },
        },
        mode: args.mode.clone(),
        builtin: std::env::current_exe()?,
        programs: Programs::new(std::env::var_os("PATH").unwrap_or_default(), std::env::current_exe()?),
        server: args.server.clone(),
        tmp: std::env::temp_dir(),
        within: Duration::from_secs(args.timeout),
        only: args.only.clone(),
    };
    child::adopt_orphans();
    let mut out = console::styled_stdout();
    let (mut right, mut refused, mut wrong) = (0, 0, 0);
    let mut nowhere: Vec<&String> = args.only.iter().collect();
    let tell = |name: &str, verdict: &Verdict| {
        nowhere.retain(|part| !name.contains(*part));
        let (word, colour, count, note) = match verdict {
            Verdict::Right(note) => ("ok", AnsiColor::Green, &mut right, note.as_deref()),
            Verdict::Refused(why) => ("refused", AnsiColor::Yellow, &mut refused, Some(why.as_str())),
            Verdict::Wrong(why) => ("wrong", AnsiColor::Red, &mut wrong, Some(why.as_str())),
        };
        *count += 1;
        let style = Style::new().fg_color(Some(colour.into())).bold();
        let note = note.map(|note| format!(": {}", excerpt(note, MESSAGE))).unwrap_or_default();
        // Somebody who closed our output has seen enough.
        let _ = writeln!(out, "{style}{word:<8}{style:#}{name}{note}");
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let checked = LocalSet::new().block_on(&runtime, async {
        tokio::select! {
            checked = conformance::check(&options, tell) => Some(checked),
            _ = tokio::signal::ctrl_c() => None,
        }
    });
    match checked {
        None => return Ok(Exit::Interrupted),
        Some(Err(error)) => return Err(Failure::Unavailable(anyhow::anyhow!("{error}"))),
        Some(Ok(())) => {}
    }
    writeln!(out, "{right} right, {refused} refused, {wrong} wrong")?;
    // If something is wrong, this may be because later tests were not carried out.
    if let ([part, ..], 0) = (nowhere.as_slice(), wrong) {
        return Err(Failure::Wrong(anyhow::anyhow!(
            "no test has `{part}` in its name: `orchestrate driver check` without --only shows all of them"
        )));
    }
    Ok(if wrong == 0 { Exit::Complete } else { Exit::TrialsFailed })
}
