//! The identity of a cell: a hash of everything that changes what is measured, and of nothing else.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::experiment::{
    Experiment, HostPair, Lifetime, LoadGenerator, Own, Placement, ServerSpec, Settings, Warmup, Workload,
};

/// One combination of levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Stays the same as long as what is measured stays the same.
    pub id: CellId,
    /// What is measured.
    pub settings: Settings,
    /// The cell of the file that this one repeats, if it is the control of an experiment.
    pub control_of: Option<CellId>,
}

impl Cell {
    /// The cell with these settings.
    pub(super) fn new(experiment: &Experiment, settings: Settings) -> Self {
        Self { id: CellId::of(experiment, &settings), settings, control_of: None }
    }

    /// The same settings again, as a separate cell.
    pub(super) fn twin(self) -> Self {
        Self { id: self.id.twin(), control_of: Some(self.id), settings: self.settings }
    }
}

/// The identity of a cell; written as 16 hexadecimal digits.
///
/// The first 64 bits of the SHA-256 of the cell's settings, servers and drivers written out in full. So spelling out a
/// default, extending a list or changing a timeout changes no identity; changing a command line does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CellId(u64);

/// What is hashed. A new field must be skipped at the value that it had before it existed: otherwise every cell
/// ever measured gets another identity.
#[derive(Serialize)]
struct Identity<'a> {
    hosts: &'a HostPair,
    server: &'a str,
    server_is: ServerIs<'a>,
    mode: &'a str,
    command: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_generator: Option<LoadGenerator>,
    workers: u32,
    workload: &'a Workload,
    placement: &'a Placement,
    /// The placements that hosts specify where the cell leaves it free.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pins: BTreeMap<&'a str, &'a Placement>,
    warmup: &'a Warmup,
    #[serde(skip_serializing_if = "Own::is_empty")]
    own: &'a Own,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum ServerIs<'a> {
    Managed {
        program: &'a str,
        args: &'a [String],
        lifetime: Lifetime,
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster: Option<u32>,
    },
    External {
        host: &'a str,
        port: u16,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        tls: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        username: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        db: Option<u32>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cluster: bool,
    },
}

impl CellId {
    /// The identity of the cell with these settings.
    #[must_use]
    pub fn of(experiment: &Experiment, settings: &Settings) -> Self {
        let server_is = match &experiment.servers[&settings.server] {
            ServerSpec::Managed { program, args, lifetime, cluster, .. } => ServerIs::Managed {
                program,
                args: settings.server_args.as_ref().unwrap_or(args),
                lifetime: settings.lifetime.unwrap_or(*lifetime),
                cluster: *cluster,
            },
            ServerSpec::External { host, port, username, db, tls, cluster, .. } => ServerIs::External {
                host,
                port: *port,
                tls: tls.is_some(),
                username: username.as_deref(),
                db: Some(*db).filter(|db| *db != 0),
                cluster: *cluster,
            },
        };
        let mode = experiment.modes.get(&settings.mode);
        let identity = Identity {
            hosts: &settings.hosts,
            server: &settings.server,
            server_is,
            mode: &settings.mode,
            command: mode.map(|mode| mode.command.as_slice()),
            load_generator: mode.and_then(|mode| mode.load_generator),
            workers: settings.workers,
            workload: &settings.workload,
            placement: &settings.placement,
            pins: settings
                .hosts
                .all()
                .filter_map(|host| Some((host.as_str(), experiment.pin(settings, host)?)))
                .collect(),
            warmup: &settings.warmup,
            own: &settings.own,
        };
        Self::hashed(&serde_json::to_vec(&identity).expect("settings are plain data"))
    }

    /// The identity of the cell's twin. No cell of a file has it: the text hashed for those begins with a brace.
    fn twin(self) -> Self {
        Self::hashed(format!("twin of {self}").as_bytes())
    }

    /// The first quarter of a SHA-256, hashed again while a spreadsheet would take the result for a number (one in 770).
    fn hashed(text: &[u8]) -> Self {
        let mut digest = Sha256::digest(text);
        loop {
            let id = Self(u64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 has 32 bytes")));
            if id.to_string().parse::<f64>().is_err() {
                return id;
            }
            digest = Sha256::digest(digest);
        }
    }

    /// As a number.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for CellId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for CellId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}
