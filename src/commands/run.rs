//! `orchestrate FILE`: runs an experiment, keeps what happens, shows the table.

mod conclude;
mod earlier;
mod keeper;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::env::VarError;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use tokio::sync::watch;

use self::conclude::{conclude, write_tables};
use self::earlier::{Earlier, earlier, past};
use self::keeper::{Keeper, Kept};
use crate::cli::{RunArgs, TalkArgs};
use crate::commands::check::unnamed;
use crate::commands::console::{self, RunLog, say};
use crate::commands::load::load;
use crate::commands::progress::{Bar, Progress};
use crate::commands::stop::Rule;
use crate::commands::{Exit, Failure, signals};
use crate::driver::MODES;
use crate::experiment::{Experiment, Labels, ServerSpec, TlsFiles};
use crate::host::secrets;
use crate::host::upload::Builds;
use crate::plan::{CellId, NeededServer, Plan};
use crate::protocol::Tls;
use crate::results::journal::JournalError;
use crate::results::provenance::Drivers;
use crate::results::{ResultsError, progress as done};
use crate::run::{self, Equipment};

impl From<ResultsError> for Failure {
    fn from(error: ResultsError) -> Self {
        Self::Unavailable(error.into())
    }
}

pub(super) fn run(args: &RunArgs, talk: &TalkArgs) -> Result<Exit, Failure> {
    let file = args.file.as_deref().ok_or_else(|| Failure::Wrong(anyhow!("no experiment file is named")))?;
    let bar = Bar::new(talk);
    let log = RunLog::default();
    console::log(talk, log.clone(), &bar);
    let loaded = load(file)?;
    for note in unnamed(&loaded.experiment) {
        console::say(talk, &format!("note: {note}"));
    }
    let plan = Plan::new(&loaded.experiment);
    if plan.cell_count() == 0 {
        return Err(Failure::Wrong(anyhow!("every cell is excluded: nothing to run")));
    }
    let equipment = Equipment { wait: args.wait, ..equipment(&loaded.experiment)? };
    let is_theirs = |needed: &NeededServer| {
        matches!(loaded.experiment.servers[&needed.server], ServerSpec::External { .. })
    };
    let key_prefix = plan.servers().iter().any(is_theirs).then(|| format!("{}:", equipment.token));
    let labels = labels(&loaded.experiment, args)?;
    let earlier = if args.fresh {
        None
    } else {
        when_free(args.wait, talk, || earlier(&args.results, file, &loaded, &plan, talk))?
    };
    let (kept, rule, finished, done) = match earlier {
        Some(Earlier::Unwritten(resumed)) => {
            let same = resumed.state.last_session.as_ref().is_some_and(|session| session.labels == labels);
            let exit = write_tables(&plan, *resumed, talk)?;
            if same {
                return Ok(exit);
            }
            say(talk, &format!("the labels of that run are not {labels}: starting a new one"));
            (Kept::Nothing, Rule::new(&plan), done::Progress::default(), 0)
        }
        Some(Earlier::Unfinished { mut resumed, done, was_through }) => {
            let before = resumed.state.last_session.as_ref().map(|session| &session.labels);
            if let Some(before) = before.filter(|before| **before != labels) {
                let note = format!(
                    "note: this session is labelled {labels}, the one before {before}: run.json keeps both"
                );
                say(talk, &note);
            }
            let rule = Rule::resumed(&plan, &resumed.state);
            let finished = std::mem::take(&mut resumed.state.progress);
            (Kept::Earlier(resumed, was_through), rule, finished, done)
        }
        None => (Kept::Nothing, Rule::new(&plan), done::Progress::default(), 0),
    };
    let finished = RefCell::new(finished);

    let (stop, stopped) = watch::channel(false);
    signals::listen(stop, talk.clone(), bar.clone())?;
    let mut keeper = Keeper {
        plan: &plan,
        text: &loaded.text,
        file,
        results: &args.results,
        talk,
        log,
        finished: &finished,
        hosts: BTreeMap::new(),
        drivers: Drivers::new(),
        servers: Vec::new(),
        refusal: None,
        skipped: Vec::new(),
        waits_for: None,
        progress: Progress::new(bar, talk, &plan, done),
        rule,
        kept,
        labels,
        key_prefix,
    };
    let past = |cell: CellId, repetition: u32| past(&finished.borrow(), cell, repetition);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let end = runtime.block_on(run::run(&plan, equipment, &past, &mut keeper, stopped));
    conclude(keeper, end)
}

/// Tries again for as long as another program works in the run's directory, if waiting was asked for.
fn when_free<T>(wait: bool, talk: &TalkArgs, take: impl Fn() -> Result<T, Failure>) -> Result<T, Failure> {
    let mut told = false;
    loop {
        match take() {
            Err(Failure::Unavailable(error)) if is_locked(&error) => {
                if !wait {
                    return Err(Failure::Unavailable(anyhow!("{error}; {WAIT}")));
                }
                if !std::mem::replace(&mut told, true) {
                    say(talk, &format!("waiting: {error}"));
                }
                std::thread::sleep(BETWEEN_TRIES);
            }
            taken => return taken,
        }
    }
}

fn is_locked(error: &anyhow::Error) -> bool {
    matches!(
        error.downcast_ref(),
        Some(ResultsError::Locked { .. } | ResultsError::Journal(JournalError::InUse(_)))
    )
}

/// What to do about a run that is in the way.
const WAIT: &str = "with --wait this run begins when that one is over";
/// How often a run's directory is asked for.
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// The labels of the file, overridden by those of the command line.
fn labels(experiment: &Experiment, args: &RunArgs) -> Result<Labels, Failure> {
    let mut labels = experiment.run.labels.clone();
    for (name, value) in &args.labels {
        labels.set(name, value).map_err(|error| Failure::Wrong(error.into()))?;
    }
    Ok(labels)
}

/// The texts of the files that a server's `tls` names.
fn read_tls(server: &str, files: &TlsFiles) -> Result<Tls, Failure> {
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).and_then(|text| {
            let is_pem = text.contains("-----BEGIN ");
            if is_pem { Ok(text) } else { Err(std::io::Error::other("it is not PEM")) }
        });
        text.map_err(|error| {
            Failure::Wrong(anyhow!("server `{server}`: failed to read {} for TLS: {error}", path.display()))
        })
    };
    let (cert, key) = files.identity.as_ref().map(|(cert, key)| (cert, key)).unzip();
    let optional = |path: Option<&PathBuf>| path.map(read).transpose();
    Ok(Tls { ca: optional(files.ca.as_ref())?, cert: optional(cert)?, key: optional(key)? })
}

/// What the run needs from the environment.
pub(super) fn equipment(experiment: &Experiment) -> Result<Equipment, Failure> {
    let (mut passwords, mut tls) = (BTreeMap::new(), BTreeMap::new());
    for (server, spec) in &experiment.servers {
        if let ServerSpec::External { tls: Some(files), .. } = spec {
            let read = read_tls(server, files)?;
            read.key.iter().for_each(|key| secrets::learn(key));
            tls.insert(server.clone(), read);
        }
        if let ServerSpec::External { password_env: Some(name), .. } = spec {
            // The error of the standard library shows what is not UTF-8.
            let password = std::env::var(name).map_err(|error| {
                let what = match error {
                    VarError::NotPresent => "is not set",
                    VarError::NotUnicode(_) => "is not UTF-8",
                };
                Failure::Wrong(anyhow!("server `{server}`: the environment variable {name} {what}"))
            })?;
            secrets::learn(&password);
            passwords.insert(name.clone(), password);
        }
    }
    let now = Timestamp::now().as_millisecond();
    let program = std::env::current_exe()?;
    Ok(Equipment {
        builds: builds(&program),
        program,
        holder: format!("experiment `{}` of coordinator pid {}", experiment.name, std::process::id()),
        wait: false,
        token: format!("orchestrate:{now:x}-{:x}", std::process::id()),
        passwords,
        tls,
        builtin: MODES,
    })
}

/// Where `make agents` and others put builds of this program for other machines: the directory that
/// `ORCHESTRATE_AGENTS` names, or else the one beside the program and the one of this user.
fn builds(program: &Path) -> Builds {
    if let Some(directory) = std::env::var_os("ORCHESTRATE_AGENTS") {
        return Builds::new(vec![directory.into()]);
    }
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".local/share"));
    let of_user = data.or_else(home).map(|data| data.join("orchestrate/agents"));
    let beside = program.parent().map(|directory| directory.join("agents"));
    Builds::new(beside.into_iter().chain(of_user).collect())
}
