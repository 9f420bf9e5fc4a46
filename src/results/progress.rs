//! How much of a run is done: everything needed to resume it, and of the numbers only those that decide whether it must be
//! resumed.

use std::collections::HashMap;

use crate::analysis::precision::Precision;
use crate::record::{Status, TrialRecord};
use crate::results::journal::Event;
use crate::results::provenance::{Drivers, End, EndReason, ServerDescribed, Session};

/// What a journal says about its run as a whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// The latest start or resumption.
    pub last_session: Option<Session>,
    /// How that session ended; absent if it was killed.
    pub end: Option<End>,
    /// How often it was started or resumed.
    pub sessions: usize,
    /// How many sessions ended without being killed.
    pub ends: usize,
    /// Every trial that was attempted.
    pub progress: Progress,
    /// How precisely medians are known.
    pub precision: Precision,
    /// What the drivers of trials that ended well were made of, as far as the journal says.
    pub drivers: Drivers,
    /// The servers of trials that ended well, likewise.
    pub servers: Vec<ServerDescribed>,
}

impl RunState {
    /// Adds an event.
    pub fn observe(&mut self, event: Event) {
        match event {
            Event::Session(session) => {
                self.last_session = Some(*session);
                self.end = None;
                self.sessions += 1;
            }
            Event::Trial(record) => {
                self.progress.observe(&record);
                self.precision.observe(&record);
                self.observe_parties(&record);
            }
            Event::End(end) => {
                self.end = Some(end);
                self.ends += 1;
            }
        }
    }

    /// Records who took part in a trial that ended well, as the first session that has one describes it.
    fn observe_parties(&mut self, record: &TrialRecord) {
        let Some(session) = &self.last_session else { return };
        if record.status != Status::Ok {
            return;
        }
        let settings = &record.settings;
        for server in session.servers.iter().filter(|server| {
            server.host == settings.hosts.server
                && server.server == settings.server
                && server.args == settings.server_args
        }) {
            if !self.servers.iter().any(|known| known.is_same_place(server)) {
                self.servers.push(server.clone());
            }
        }
        let mode = &settings.mode;
        for host in &record.settings.hosts.clients {
            if let Some(driver) = session.drivers.get(host).and_then(|modes| modes.get(mode)) {
                let modes = self.drivers.entry(host.clone()).or_default();
                modes.entry(mode.clone()).or_insert_with(|| driver.clone());
            }
        }
    }

    /// Whether the run completed its plan, as far as the plan went at that time.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(&self.end, Some(end) if end.why == EndReason::Complete)
    }
}

/// What became of every trial that was attempted: a few bytes for each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    trials: HashMap<(u64, u32), Standing>,
}

/// What became of one trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How its last attempt ended.
    pub last: Status,
    /// The number of that attempt; the next one has the next number.
    pub attempts: u32,
}

impl Progress {
    /// Adds an attempt. One whose cell is not a valid identity belongs to no plan and is not counted.
    pub fn observe(&mut self, record: &TrialRecord) {
        let Ok(cell) = u64::from_str_radix(&record.cell, 16) else { return };
        let fresh = Standing { last: record.status, attempts: 0 };
        let standing = self.trials.entry((cell, record.repetition)).or_insert(fresh);
        standing.last = record.status;
        standing.attempts = standing.attempts.max(record.attempt);
    }

    /// What became of a trial; `None` if it was never attempted.
    #[must_use]
    pub fn of(&self, cell: u64, repetition: u32) -> Option<Standing> {
        self.trials.get(&(cell, repetition)).copied()
    }

    /// The last block of which a trial was attempted; 0 if none was.
    #[must_use]
    pub fn last_repetition(&self) -> u32 {
        self.trials.keys().map(|(_, repetition)| *repetition).max().unwrap_or_default()
    }

    /// How many trials ended well.
    #[must_use]
    pub fn succeeded(&self) -> usize {
        self.trials.values().filter(|standing| standing.last == Status::Ok).count()
    }

    /// How many trials were attempted.
    #[must_use]
    pub fn attempted(&self) -> usize {
        self.trials.len()
    }
}
