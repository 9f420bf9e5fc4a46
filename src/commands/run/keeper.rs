//! Keeps what happens in a run, and shows it: the journal, the console, and what the session says of itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use jiff::Timestamp;
use sha2::{Digest, Sha256};
use tracing::{debug, info};

use super::earlier::{hostname, measures_something_else};
use crate::analysis::order;
use crate::cli::TalkArgs;
use crate::commands::Failure;
use crate::commands::console::{RunLog, say};
use crate::commands::progress::Progress;
use crate::commands::stop::Rule;
use crate::experiment::{Labels, Settings, words};
use crate::plan::Plan;
use crate::protocol::{HostFacts, REVISION};
use crate::record::Measured;
use crate::results::differences::{changed_drivers, changed_servers};
use crate::results::journal::Journal;
use crate::results::provenance::{Drivers, ServerDescribed, Session};
use crate::results::run_dir::{Resumed, RunDir};
use crate::results::{ResultsError, progress as done};
use crate::run::{Event, MissingMode, Observer};

/// Keeps what happens in a run, and shows it.
pub(super) struct Keeper<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) text: &'a str,
    pub(super) file: &'a Path,
    pub(super) results: &'a Path,
    pub(super) talk: &'a TalkArgs,
    pub(super) log: RunLog,
    /// What earlier sessions did.
    pub(super) finished: &'a RefCell<done::Progress>,
    pub(super) hosts: BTreeMap<String, HostFacts>,
    pub(super) drivers: Drivers,
    pub(super) servers: Vec<ServerDescribed>,
    /// Why the run must not go on after all, if that became clear only once the hosts were there.
    pub(super) refusal: Option<Failure>,
    pub(super) skipped: Vec<MissingMode>,
    /// What was last said about a host that another run has.
    pub(super) waits_for: Option<String>,
    pub(super) progress: Progress,
    pub(super) rule: Rule<'a>,
    pub(super) kept: Kept,
    pub(super) labels: Labels,
    /// What keys begin with on servers that somebody else runs.
    pub(super) key_prefix: Option<String>,
}

/// Where a run is kept.
pub(super) enum Kept {
    /// Nowhere: until every host and server is there, nothing is worth a directory.
    Nothing,
    /// Where an earlier session began, and whether that run has all trials of its own plan.
    Earlier(Box<Resumed>, bool),
    /// Here.
    Here(RunDir, Journal),
}

impl Keeper<'_> {
    /// An earlier run is not continued with drivers and servers that have been changed in the meantime; only the hosts could
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
                let ops_per_s = record.measured.as_ref().map(Measured::ops_per_s);
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
