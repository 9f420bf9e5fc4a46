//! Where the numbers come from: who ran what, with which software, on which machines, and why it stopped.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::experiment::Labels;
use crate::protocol::{DriverFiles, HostFacts, ServerDescription};
use crate::record::TrialRecord;
use crate::results::journal::{Event, Heading};

/// What drivers are made of, by the host's name in the file and by mode.
pub type Drivers = BTreeMap<String, BTreeMap<String, DriverFiles>>;

/// The start or the resumption of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The identity of the run.
    pub run_id: String,
    /// The version of orchestrate.
    pub version: String,
    /// The git revision that orchestrate was built from, where known.
    pub revision: Option<String>,
    /// SHA-256 of the experiment's file with its includes, in hexadecimal digits.
    pub file_hash: String,
    /// The hash of the expanded plan.
    pub plan_hash: String,
    /// The seed that determines the order.
    pub seed: u64,
    /// Modes in the order of the file: the order of tables.
    pub modes: Vec<String>,
    /// Every host by its name in the file.
    pub hosts: BTreeMap<String, HostFacts>,
    /// Optional modes whose trials were left out, with the host and the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
    /// When.
    pub started_at: Timestamp,
    /// Trials in the plan, done or not; the largest possible number if repetitions depend on the precision reached.
    pub planned_trials: u64,
    /// The path of the experiment's file as it was given. Earlier versions did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What the drivers of modes that are not built in are made of, by host and mode.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub drivers: Drivers,
    /// What servers were when the session began. Earlier versions did not record it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub servers: Vec<ServerDescribed>,
    /// The labels that whoever started the session gave it.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// The prefix of its keys on servers that somebody else runs, if it writes any there: a session that is killed cannot
    /// say what it leaves behind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_prefix: Option<String>,
}

/// What a server was when a session began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerDescribed {
    /// Its host's name in the file.
    pub host: String,
    /// Its name in the file.
    pub server: String,
    /// Arguments in place of its own, where the experiment varies them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// What it is.
    #[serde(flatten)]
    pub description: ServerDescription,
}

impl ServerDescribed {
    /// Whether both are about the same server of the file, on the same host and with the same arguments.
    #[must_use]
    pub fn is_same_place(&self, other: &Self) -> bool {
        (&self.host, &self.server, &self.args) == (&other.host, &other.server, &other.args)
    }
}

/// The end of a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Why.
    pub why: EndReason,
    /// By which rule. Earlier versions did not record it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<StopReason>,
    /// What happened, where there is more to say.
    pub error: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// Every trial was carried out, with or without success.
    Complete,
    /// Somebody stopped it.
    Interrupted,
    /// A host or a server became unavailable.
    HostLost,
    /// Its results could not be stored.
    NotKept,
}

/// The rule by which a session was complete, if it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StopReason {
    /// Every cell had as many repetitions as the file asks for.
    Fixed,
    /// The median of every cell was known as precisely as the file asks for.
    Precise,
    /// It was not, and every cell had the most repetitions that the file allows.
    MaxReached,
    /// The session ended before any of these, for whatever reason.
    Interrupted,
}

impl StopReason {
    /// All words that exist.
    pub const WORDS: [&str; 4] = ["fixed", "precise", "max-reached", "interrupted"];

    /// The word in the CSV.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Precise => "precise",
            Self::MaxReached => "max-reached",
            Self::Interrupted => "interrupted",
        }
    }
}

/// The contents of `run.json`: everything about a run but its numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The identity of the run.
    pub run_id: String,
    /// The name of the experiment.
    pub experiment: String,
    /// Its start and every resumption.
    pub sessions: Vec<Session>,
    /// Every end. A session that was killed has none.
    pub ends: Vec<End>,
    /// Every server that took part.
    pub servers: BTreeSet<ServerSeen>,
    /// Every client that took part.
    pub clients: BTreeSet<ClientSeen>,
}

/// A server that took part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ServerSeen {
    /// Its name in the file.
    pub server: String,
    /// Name and version, such as `redis 7.0.15`.
    pub version: String,
    /// Its memory allocator, where it reports one.
    pub allocator: Option<String>,
    /// Whether it persisted to disk.
    pub persistence: bool,
}

/// A client that took part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ClientSeen {
    /// Its mode.
    pub mode: String,
    /// Client library and version.
    pub client: String,
    /// What it runs on.
    pub runtime: String,
}

impl Provenance {
    /// For a run in which nothing has happened yet.
    #[must_use]
    pub fn new(heading: &Heading) -> Self {
        Self {
            run_id: heading.run_id.clone(),
            experiment: heading.experiment.clone(),
            sessions: Vec::new(),
            ends: Vec::new(),
            servers: BTreeSet::new(),
            clients: BTreeSet::new(),
        }
    }

    /// Whether every trial was carried out, with or without success. A session that was killed has no end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        let last = self.sessions.last().zip(self.ends.last());
        last.is_some_and(|(session, end)| end.why == EndReason::Complete && end.at >= session.started_at)
    }

    /// The labels of all sessions: each name with its values, in the order of the sessions.
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, Vec<String>> {
        Labels::together(self.sessions.iter().map(|session| &session.labels))
    }

    /// Adds what an event says.
    pub fn observe(&mut self, event: &Event) {
        match event {
            Event::Session(session) => self.sessions.push(Session::clone(session)),
            Event::End(end) => self.ends.push(end.clone()),
            Event::Trial(record) => self.observe_trial(record),
        }
    }

    fn observe_trial(&mut self, record: &TrialRecord) {
        if let Some(server) = &record.server {
            self.servers.insert(ServerSeen {
                server: record.settings.server.clone(),
                version: server.to_string(),
                allocator: server.allocator.clone(),
                persistence: server.persistence,
            });
        }
        if let Some(client) = &record.client {
            self.clients.insert(ClientSeen {
                mode: record.settings.mode.clone(),
                client: client.client.clone(),
                runtime: client.runtime.clone(),
            });
        }
    }
}
