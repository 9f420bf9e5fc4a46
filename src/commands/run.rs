//! `orchestrate FILE`: runs an experiment, keeps what happens, shows the table.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::env::VarError;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tracing::{debug, info, warn};

use crate::analysis::order;
use crate::cli::{RunArgs, TalkArgs};
use crate::commands::console::{self, RunLog, say};
use crate::commands::load::{Loaded, load, reload};
use crate::commands::plan::trials;
use crate::commands::progress::{Bar, Progress};
use crate::commands::report::{REPORT, write_page};
use crate::commands::stop::Rule;
use crate::commands::{Exit, Failure, signals};
use crate::driver::MODES;
use crate::experiment::{Experiment, Labels, ServerSpec, Settings, TlsFiles, words};
use crate::host::secrets;
use crate::host::upload::Builds;
use crate::plan::{CellId, NeededServer, Plan};
use crate::protocol::{HostFacts, REVISION, Tls};
use crate::record::Status;
use crate::report::model::Report;
use crate::report::numbers::count;
use crate::report::{of_run, terminal};
use crate::results::differences::{Difference, changed_drivers, changed_servers, differences};
use crate::results::journal::{self, Journal, JournalError, Reader};
use crate::results::progress::RunState;
use crate::results::provenance::{Drivers, End, EndReason, ServerDescribed, Session, StopReason};
use crate::results::rebuild::{Rebuilt, is_rebuilt, rebuild};
use crate::results::run_dir::{JOURNAL, Resumed, RunDir, runs};
use crate::results::{ResultsError, progress as done};
use crate::run::{self, Equipment, Event, MissingMode, Observer, Past};
use crate::workload::{Kind, noun};

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
            say(talk, &format!("that run has other labels than {labels}: starting a new one"));
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

/// Tries again for as long as another program works in the run's directory, if it is to be waited for.
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

/// An earlier run that is not over.
enum Earlier {
    /// This plan has something to add to it.
    Unfinished {
        resumed: Box<Resumed>,
        /// Trials of this plan that are done there.
        done: u64,
        /// Whether it has all trials of its own plan.
        was_through: bool,
    },
    /// Every trial of this plan is done there, but its tables do not tell all of them: a disk was full, or the program was
    /// killed in between.
    Unwritten(Box<Resumed>),
}

/// The newest run of this experiment on this machine, if this plan has trials that are not done there or its tables are not
/// written.
///
/// Only the newest one: whoever finished a newer run has left an older one behind for good. And only of this machine:
/// results travel in repositories, and numbers of two machines do not belong into one run.
fn earlier(
    results: &Path,
    file: &Path,
    loaded: &Loaded,
    plan: &Plan<'_>,
    talk: &TalkArgs,
) -> Result<Option<Earlier>, Failure> {
    let here = |run: &PathBuf| begun_on(run).is_none_or(|host| host == hostname());
    let Some(newest) = runs(results, &loaded.experiment.name)?.into_iter().find(here) else {
        return Ok(None);
    };
    let Some(before) = reload(&newest) else {
        say(talk, &format!("{}: cannot be read by this version, starting anew", newest.display()));
        return Ok(None);
    };
    let resumed = RunDir::resume(&newest, &hostname(), Timestamp::now())?;
    let state = &resumed.state;
    if let Some(torn) = resumed.torn {
        say(talk, &format!("{}: cut off a torn line {} of the journal", newest.display(), torn.line));
    }
    if resumed.journal.repeated() > 0 {
        let lines = count(resumed.journal.repeated() as usize, "line");
        let text = format!("{}: left out {lines} that the journal has twice", newest.display());
        say(talk, &text);
    }
    if let Some(prefix) = killed_with_keys(state) {
        let text = format!(
            "{}: its last session was killed; on servers that others run, keys that begin with `{prefix}` may be left",
            newest.display()
        );
        say(talk, &text);
    }
    let changes = differences(&before, &loaded.experiment);
    if is_through(plan, state) {
        let is_over = state.is_complete() && is_rebuilt(&newest, state);
        if !is_over && changes.is_empty() {
            return Ok(Some(Earlier::Unwritten(Box::new(resumed))));
        }
        if state.is_complete() {
            say(talk, &format!("{} has all of these trials: starting a new run", newest.display()));
            return Ok(None);
        }
    }
    let before = Plan::new(&before);
    let was_through = is_through(&before, state);
    // Without a cell in common this is another experiment, which happens to have the same name.
    let joins = have_a_cell_in_common(&before, plan);
    if changes.is_empty() && joins {
        let done = count_done(plan, &state.progress, plan.blocks());
        let of = trials(plan, done);
        say(talk, &format!("continuing {}: {done} of {of} trials were done", newest.display()));
        return Ok(Some(Earlier::Unfinished { resumed: Box::new(resumed), done, was_through }));
    }
    if was_through {
        let why = if joins { "settings that measure have changed since" } else { "no cell was measured in" };
        say(talk, &format!("{why} the last run: starting anew"));
        return Ok(None);
    }
    let begun_from = state.last_session.as_ref().and_then(|session| session.file.as_deref());
    let another = begun_from.filter(|begun_from| Path::new(begun_from) != file);
    let of = another.map_or_else(String::new, |another| format!(", begun from {another},"));
    let newest = newest.display();
    if !changes.is_empty() {
        let or =
            if another.is_some() { "give this experiment another `name`" } else { "change the file back" };
        return Err(measures_something_else(&format!("{newest}{of}"), &changes, or));
    }
    Err(Failure::Wrong(anyhow!(
        "the unfinished run {newest}{of} has the name `{}`, too, and no cell in common with {}: give this \
         experiment another `name`, or use --fresh to leave that run as it is and start anew",
        loaded.experiment.name,
        file.display()
    )))
}

/// What the keys begin with that a session may have left on servers that others run, since it was killed.
fn killed_with_keys(state: &RunState) -> Option<&str> {
    let session = state.last_session.as_ref().filter(|_| state.end.is_none())?;
    session.key_prefix.as_deref()
}

fn measures_something_else(run: &str, changes: &[Difference], or: &str) -> Failure {
    let list: String = changes.iter().map(|change| format!("\n  {change}")).collect();
    Failure::Wrong(anyhow!(
        "the unfinished run {run} measures something else:{list}\n\
         its numbers and new ones cannot stand in one table: use --fresh to start anew, or {or}"
    ))
}

fn have_a_cell_in_common(one: &Plan<'_>, other: &Plan<'_>) -> bool {
    let cells: HashSet<u64> = one.cells().map(|cell| cell.id.as_u64()).collect();
    other.cells().any(|cell| cells.contains(&cell.id.as_u64()))
}

/// The name of the machine that `local` was when a run was begun.
fn begun_on(run: &Path) -> Option<String> {
    let first = Reader::open(&run.join(JOURNAL)).ok()?.next()?.ok()?;
    match first.event {
        journal::Event::Session(session) => session.hosts.get("local").map(|facts| facts.hostname.clone()),
        _ => None,
    }
}

/// Whether a run has all trials of its plan, or of as many blocks as are enough.
fn is_through(plan: &Plan<'_>, state: &RunState) -> bool {
    let mut rule = Rule::resumed(plan, state);
    let blocks = rule.due();
    count_done(plan, &state.progress, blocks) == plan.trials_in(blocks) && rule.is_enough(blocks)
}

/// How many trials of the first blocks ended well.
fn count_done(plan: &Plan<'_>, progress: &done::Progress, blocks: u32) -> u64 {
    if progress.attempted() == 0 {
        return 0;
    }
    let repetitions = |cell: CellId| (1..=blocks).filter(move |&r| past(progress, cell, r).done).count();
    plan.cells().map(|cell| repetitions(cell.id) as u64).sum()
}

/// A trial is done when it ended well; one that failed is tried again by the same command.
fn past(progress: &done::Progress, cell: CellId, repetition: u32) -> Past {
    progress.of(cell.as_u64(), repetition).map_or_else(Past::default, |standing| Past {
        done: standing.last == Status::Ok,
        attempts: standing.attempts,
    })
}

fn hostname() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Keeps what happens in a run, and shows it.
struct Keeper<'a> {
    plan: &'a Plan<'a>,
    text: &'a str,
    file: &'a Path,
    results: &'a Path,
    talk: &'a TalkArgs,
    log: RunLog,
    /// What earlier sessions did.
    finished: &'a RefCell<done::Progress>,
    hosts: BTreeMap<String, HostFacts>,
    drivers: Drivers,
    servers: Vec<ServerDescribed>,
    /// Why the run must not go on after all, if that showed only when the hosts were there.
    refusal: Option<Failure>,
    skipped: Vec<MissingMode>,
    /// What was last told of a host that another run has.
    waits_for: Option<String>,
    progress: Progress,
    rule: Rule<'a>,
    kept: Kept,
    labels: Labels,
    /// What keys begin with on servers that somebody else runs.
    key_prefix: Option<String>,
}

/// Where a run is kept.
enum Kept {
    /// Nowhere: until every host and server is there, nothing is worth a directory.
    Nothing,
    /// Where an earlier session has begun, and whether that run has all trials of its own plan.
    Earlier(Box<Resumed>, bool),
    /// Here.
    Here(RunDir, Journal),
}

impl Keeper<'_> {
    /// An earlier run does not go on with drivers and servers that were changed in the meantime; only the hosts could
    /// tell.
    fn check_programs(&mut self) -> io::Result<()> {
        let Kept::Earlier(resumed, was_through) = &self.kept else { return Ok(()) };
        let mut changes = changed_drivers(&resumed.state.drivers, &self.drivers);
        changes.extend(changed_servers(&resumed.state.servers, &self.servers));
        if changes.is_empty() {
            return Ok(());
        }
        if *was_through {
            self.progress.suspended(|| {
                say(self.talk, "drivers or servers have changed since the last run: starting anew");
            });
            self.kept = Kept::Nothing;
            self.finished.replace(done::Progress::default());
            self.rule = Rule::new(self.plan);
            self.progress.start_over();
            return Ok(());
        }
        let run = resumed.directory.path().display().to_string();
        self.refusal = Some(measures_something_else(&run, &changes, "change the program back"));
        Err(io::Error::other("drivers or servers have changed"))
    }

    fn begin(&mut self) -> Result<(), ResultsError> {
        let now = Timestamp::now();
        let (directory, mut journal) = match std::mem::replace(&mut self.kept, Kept::Nothing) {
            Kept::Earlier(resumed, _) => {
                resumed.directory.write_experiment(self.text)?;
                (resumed.directory, resumed.journal)
            }
            _ => {
                let name = &self.plan.experiment().name;
                RunDir::create(self.results, name, self.text, &hostname(), now)?
            }
        };
        if let Err(error) = journal.session(&self.session(journal.run_id().to_owned(), now)) {
            // Of a new run nothing is worth a directory yet; that of an earlier one stays.
            directory.discard();
            return Err(error.into());
        }
        self.log.keep_in(&directory.path().join("run.log"));
        self.kept = Kept::Here(directory, journal);
        self.progress.begin();
        Ok(())
    }

    fn session(&self, run_id: String, started_at: Timestamp) -> Session {
        let experiment = self.plan.experiment();
        let digest = Sha256::digest(self.text.as_bytes());
        Session {
            run_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: REVISION.map(str::to_owned),
            file_hash: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
            plan_hash: self.plan.hash(),
            seed: experiment.run.seed,
            modes: order::modes(experiment),
            hosts: self.hosts.clone(),
            skipped: self.skipped.iter().map(ToString::to_string).collect(),
            started_at,
            planned_trials: self.plan.trial_count(),
            file: Some(self.file.display().to_string()),
            drivers: self.drivers.clone(),
            servers: self.servers.clone(),
            labels: self.labels.clone(),
            key_prefix: self.key_prefix.clone(),
        }
    }
}

impl Observer for Keeper<'_> {
    fn on(&mut self, event: Event<'_>) -> io::Result<()> {
        match event {
            Event::Waiting { error } => {
                let text = format!("waiting: {error}");
                if self.waits_for.as_ref() != Some(&text) {
                    self.progress.suspended(|| say(self.talk, &text));
                    self.waits_for = Some(text);
                }
            }
            Event::HostReady { host, facts, brought } => {
                info!(host, os = facts.os, kernel = facts.kernel, cpus = facts.cpus, brought, "host ready");
                if let Some(path) = brought {
                    self.progress.suspended(|| {
                        say(
                            self.talk,
                            &format!("host `{host}` lacked this program: it was copied to {path}"),
                        );
                    });
                }
                if facts.revision.as_deref() != REVISION {
                    let theirs = facts.revision.as_deref().unwrap_or("unknown");
                    let ours = REVISION.unwrap_or("unknown");
                    self.progress.suspended(|| {
                        say(
                            self.talk,
                            &format!(
                                "note: the program on host `{host}` was built from other sources than this one (revision \
                                 {theirs} there, {ours} here)"
                            ),
                        );
                    });
                }
                self.hosts.insert(host.to_owned(), facts.clone());
            }
            Event::ServerReady { host, server, identity } => {
                info!(host, server, name = identity.name, version = identity.version, "server ready");
            }
            Event::ServerDescribed { needed, description } => self.servers.push(ServerDescribed {
                host: needed.hosts.server.clone(),
                server: needed.server.clone(),
                args: needed.args.clone(),
                description,
            }),
            Event::Preparing { host, mode, command } => {
                info!(host, mode, command = words(command), "preparing");
                self.progress.prepares(mode, command);
            }
            Event::ModeSkipped(missing) => {
                self.progress.suspended(|| say(self.talk, &format!("skipping {missing}")));
                self.skipped.push(missing.clone());
            }
            Event::ModeReady { host, mode, driver } => {
                info!(host, mode, driver.sha256, "mode ready");
                let modes = self.drivers.entry(host.to_owned()).or_default();
                modes.insert(mode.to_owned(), driver.clone());
            }
            Event::Begin => {
                self.check_programs()?;
                self.begin().map_err(io::Error::other)?;
            }
            Event::AttemptBegins { trial, attempt } => {
                let Settings { mode, workers, .. } = &trial.cell.settings;
                debug!(cell = %trial.cell.id, mode, workers, trial.repetition, trial.position, attempt, "attempt begins");
                self.progress.attempt_begins(trial, attempt);
            }
            Event::AttemptEnded { record, again } => {
                let Kept::Here(_, journal) = &mut self.kept else {
                    unreachable!("trials begin after the journal does");
                };
                journal.trial(record).map_err(io::Error::other)?;
                let ops_per_s = record.measured.as_ref().map(crate::record::Measured::ops_per_s);
                let Settings { mode, workers, .. } = &record.settings;
                info!(cell = record.cell, mode, workers, record.repetition, record.attempt, status = %record.status, ops_per_s, error = record.error, "attempt ended");
                self.rule.observe(record);
                self.progress.attempt_ended(record, again);
            }
        }
        Ok(())
    }

    fn enough(&mut self, blocks: u32) -> bool {
        let enough = self.rule.is_enough(blocks);
        info!(blocks, enough, "block ended");
        enough
    }
}

/// Writes down how the session ended, makes the tables, and shows the one of the article. How the run went does not depend on
/// whether anybody can read the table, but that it could not be printed is said.
fn conclude(mut keeper: Keeper<'_>, end: Result<run::End, run::RunError>) -> Result<Exit, Failure> {
    keeper.progress.end();
    if let Some(refusal) = keeper.refusal.take() {
        return Err(refusal);
    }
    let Kept::Here(directory, mut journal) = std::mem::replace(&mut keeper.kept, Kept::Nothing) else {
        return match end {
            Ok(_) => Ok(Exit::Interrupted),
            Err(error) if error.is_in_use() => Err(Failure::Unavailable(anyhow!("{error}; {WAIT}"))),
            Err(error) => Err(Failure::Unavailable(error.into())),
        };
    };
    let why = match &end {
        Ok(run::End::Complete { .. }) => EndReason::Complete,
        Ok(run::End::Interrupted) => EndReason::Interrupted,
        Err(run::RunError::Keep(_)) => EndReason::NotKept,
        Err(_) => EndReason::HostLost,
    };
    let stop_reason = match &end {
        Ok(run::End::Complete { .. }) => keeper.rule.reason(),
        _ => StopReason::Interrupted,
    };
    let error = end.as_ref().err().map(ToString::to_string);
    let kept = journal
        .end(&End { why, stop_reason: Some(stop_reason), error, at: Timestamp::now() })
        .map_err(ResultsError::from)
        .and_then(|()| rebuild(directory.path()));
    let mut unprinted = None;
    match (&end, kept) {
        (_, Ok(rebuilt)) => {
            unprinted = present(keeper.plan, directory.path(), &rebuilt).err();
        }
        (Ok(end), Err(error)) => {
            let then = match end {
                run::End::Complete { .. } => "writes the tables and measures nothing again",
                run::End::Interrupted => "continues the run",
            };
            return Err(unwritten(&error, then));
        }
        // What ended the run is the cause, and that nothing more can be kept only follows from it.
        (Err(_), Err(error)) => warn!(%error, "the tables could not be written"),
    }
    if let Ok(run::End::Complete { skipped, .. }) = end
        && skipped > 0
    {
        let trials = count(skipped as usize, "trial");
        say(
            keeper.talk,
            &format!("{trials} skipped: once their modes are available, the same command adds them"),
        );
    }
    let exit = match end {
        Ok(run::End::Complete { failed: 0, .. }) => Exit::Complete,
        Ok(run::End::Complete { failed, refused, .. }) => {
            if failed > refused {
                let trials = count((failed - refused) as usize, "trial");
                say(keeper.talk, &format!("{trials} failed; the same command tries again"));
            }
            if refused > 0 {
                let trials = count(refused as usize, "trial");
                let how =
                    "their modes cannot do what the file asks for: leave these cells out with `exclude`";
                say(keeper.talk, &format!("{trials} failed because {how}"));
            }
            Exit::TrialsFailed
        }
        Ok(run::End::Interrupted) => {
            say(keeper.talk, "interrupted; the same command continues");
            Exit::Interrupted
        }
        Err(error) => return Err(Failure::Unavailable(error.into())),
    };
    unprinted.map_or(Ok(exit), Err)
}

/// Finishes a run of which only the tables are missing, without any host.
fn write_tables(plan: &Plan<'_>, resumed: Resumed, talk: &TalkArgs) -> Result<Exit, Failure> {
    let Resumed { directory, mut journal, state, .. } = resumed;
    let path = directory.path();
    let text = format!(
        "{} has all of these trials and lacks its tables: writing them, measuring nothing",
        path.display()
    );
    say(talk, &text);
    let ended = if state.is_complete() {
        Ok(())
    } else {
        let stop_reason = Some(Rule::resumed(plan, &state).reason());
        journal.end(&End { why: EndReason::Complete, stop_reason, error: None, at: Timestamp::now() })
    };
    let rebuilt = ended.map_err(ResultsError::from).and_then(|()| rebuild(path));
    let rebuilt =
        rebuilt.map_err(|error| unwritten(&error, "writes the tables and measures nothing again"))?;
    present(plan, path, &rebuilt)?;
    Ok(Exit::Complete)
}

/// Why a run has no tables, and what to do.
fn unwritten(error: &ResultsError, then: &str) -> Failure {
    Failure::Unavailable(anyhow!(
        "{error}; every trial is in the journal: mend this (free space, make the directory writable, or move away what is \
         in the way), and the same command {then}"
    ))
}

/// Writes the page of a run whose tables are written, and prints the table of the article.
fn present(plan: &Plan<'_>, directory: &Path, rebuilt: &Rebuilt) -> Result<(), Failure> {
    let report = of_run(rebuilt, plan.experiment().question.clone());
    // The page can be made again from the tables, so a run is kept without it as well.
    if let Err(error) = write_page(&report, &directory.join(REPORT)) {
        let again = format!("orchestrate report {}", directory.display());
        warn!(error = format!("{error:#}"), "the report could not be written: `{again}` writes it");
    }
    match show(plan, directory, &report) {
        // Somebody who pipes the table into `head` has seen enough.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::Unavailable(anyhow!(
            "the run is kept in {}, but its table could not be printed: {error}",
            directory.display()
        ))),
        _ => Ok(()),
    }
}

/// The answer and the table, and where the files are.
fn show(plan: &Plan<'_>, directory: &Path, report: &Report) -> io::Result<()> {
    let experiment = plan.experiment();
    let mut out = console::styled_stdout();
    let kinds: BTreeSet<Kind> = plan.cells().map(|cell| cell.settings.workload.kind).collect();
    let each: Vec<&str> = kinds.iter().map(|kind| kind.workload().operation).collect();
    let each = if each.is_empty() { String::new() } else { format!(", each {}", each.join(", or ")) };
    let noun = noun(kinds.iter().copied());
    writeln!(out, "{}: {noun}/s{each}", experiment.name)?;
    if let Some(question) = &experiment.question {
        writeln!(out, "{question}")?;
    }
    for section in &report.sections {
        writeln!(out, "\n{}", terminal::text(section, console::width()))?;
    }
    writeln!(out, "{}/", directory.display())?;
    writeln!(out, "  report.html  answer, pictures, ranking    trials.csv   a row for every attempt")?;
    writeln!(out, "  summary.csv  a row for every cell         latency.csv  quantiles of every cell")?;
    writeln!(out, "  run.json     where the numbers come from")?;
    out.flush()
}
