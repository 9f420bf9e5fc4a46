//! How changes to an experiment's file affect the measurement. A run is not resumed if the numbers before and after would
//! not mean the same.
//!
//! Cells that are added or removed are no difference: their identities say what they are. So hosts, servers, modes, workers
//! and every list of levels may grow and shrink, and seed, order, timeout, retries and repetitions may change. But a setting
//! that had one value before and has one other value now changes every cell at once: whoever did that wanted another
//! experiment, or did not realise it.

use std::collections::BTreeSet;
use std::fmt;

use crate::experiment::{
    Experiment, Factor, HostPair, Level, Lifetime, ModeSpec, ServerSpec, or_absent, words,
};
use crate::results::provenance::{Drivers, ServerDescribed};

/// A setting that affects the measurement and was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its name in the file.
    pub setting: String,
    /// What it was; `absent` if it was not given.
    pub old: String,
    /// What it is.
    pub new: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.setting, self.old, self.new)
    }
}

/// Every setting that affects the measurement, has one and the same value in all cells of `old` and one in all cells of
/// `new`, and differs between the two.
#[must_use]
pub fn differences(old: &Experiment, new: &Experiment) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut compare = |setting: &str, old: &str, new: &str| {
        if old != new {
            differences.push(Difference {
                setting: setting.to_owned(),
                old: old.to_owned(),
                new: new.to_owned(),
            });
        }
    };
    for &factor in Factor::ALL.iter().filter(|factor| factor.setting().measures) {
        if let (Some(old), Some(new)) = (constant(old, factor), constant(new, factor)) {
            compare(factor.name(), &old, &new);
        }
    }
    for server in values(old, Factor::Server).intersection(&values(new, Factor::Server)) {
        if let (Some(old), Some(new)) = (old.servers.get(server), new.servers.get(server)) {
            for ((key, old), (_, new)) in aspects(old).into_iter().zip(aspects(new)) {
                compare(&format!("server.{server}.{key}"), &old, &new);
            }
        }
    }
    for host in hosts(old).intersection(&hosts(new)) {
        if let (Some(old), Some(new)) = (old.hosts.get(host), new.hosts.get(host)) {
            compare(
                &format!("host.{host}.pin"),
                &or_absent(old.pin.as_ref().map(ToString::to_string)),
                &or_absent(new.pin.as_ref().map(ToString::to_string)),
            );
        }
    }
    for mode in values(old, Factor::Mode).intersection(&values(new, Factor::Mode)) {
        let [old, new] = [old, new].map(|experiment| experiment.modes.get(mode));
        let command =
            |spec: Option<&ModeSpec>| spec.map_or_else(|| "built-in".to_owned(), |spec| words(&spec.command));
        compare(&format!("mode.{mode}.command"), &command(old), &command(new));
        let generator = |spec: Option<&ModeSpec>| or_absent(spec.and_then(|spec| spec.load_generator));
        compare(&format!("mode.{mode}.load_generator"), &generator(old), &generator(new));
    }
    differences
}

/// The driver files that were changed: for every mode that is in both, on every host that is in both.
#[must_use]
pub fn changed_drivers(old: &Drivers, new: &Drivers) -> Vec<Difference> {
    let mut differences = Vec::new();
    for (host, modes) in old {
        for (mode, old) in modes {
            let Some(new) = new.get(host).and_then(|modes| modes.get(mode)) else { continue };
            let names: BTreeSet<&String> = old.files.keys().chain(new.files.keys()).collect();
            for name in names {
                let [old, new] = [old, new].map(|driver| driver.files.get(name));
                if old != new {
                    let of = if host == "local" { String::new() } else { format!(" on host `{host}`") };
                    differences.push(Difference {
                        setting: format!("driver of mode `{mode}`{of}: SHA-256 of {name}"),
                        old: or_absent(old.map(|hash| beginning(hash))),
                        new: or_absent(new.map(|hash| beginning(hash))),
                    });
                }
            }
        }
    }
    differences
}

/// The servers whose program was changed, among those that are in both.
#[must_use]
pub fn changed_servers(old: &[ServerDescribed], new: &[ServerDescribed]) -> Vec<Difference> {
    let mut differences = Vec::new();
    for old in old {
        let Some(new) = new.iter().find(|new| new.is_same_place(old)) else { continue };
        let hashes = (&old.description.program_sha256, &new.description.program_sha256);
        if let (Some(before), Some(now)) = hashes
            && before != now
        {
            let of = if old.host == "local" { String::new() } else { format!(" on host `{}`", old.host) };
            let difference = Difference {
                setting: format!("server `{}`{of}: SHA-256 of its program", old.server),
                old: beginning(before),
                new: beginning(now),
            };
            if !differences.contains(&difference) {
                differences.push(difference);
            }
        }
    }
    differences
}

/// As much of a hash as is needed to distinguish it from others.
fn beginning(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// The level of a factor, if it is the same in all cells.
fn constant(experiment: &Experiment, factor: Factor) -> Option<String> {
    let mut values = values(experiment, factor);
    if values.len() == 1 { values.pop_first() } else { None }
}

/// All levels of a factor in the cells of an experiment.
fn values(experiment: &Experiment, factor: Factor) -> BTreeSet<String> {
    let mut values = BTreeSet::new();
    for matrix in &experiment.matrices {
        match matrix.axes.iter().find(|axis| axis.factor == factor) {
            Some(axis) => values.extend(axis.levels.iter().map(ToString::to_string)),
            None => {
                values.insert(factor.show(&matrix.base));
            }
        }
    }
    values
}

/// Every host that takes part in a cell.
fn hosts(experiment: &Experiment) -> BTreeSet<String> {
    let mut hosts = BTreeSet::new();
    for matrix in &experiment.matrices {
        let mut pairs: Vec<&HostPair> = Vec::new();
        match matrix.axes.iter().find(|axis| axis.factor == Factor::Hosts) {
            Some(axis) => pairs.extend(axis.levels.iter().filter_map(|level| match level {
                Level::Hosts(pair) => Some(pair),
                _ => None,
            })),
            None => pairs.push(&matrix.base.hosts),
        }
        hosts.extend(pairs.into_iter().flat_map(HostPair::all).cloned());
    }
    hosts
}

/// The parts of a server that affect the measurement. The same keys for both kinds, so that a change of kind shows up as a
/// change of values.
fn aspects(server: &ServerSpec) -> [(&'static str, String); 5] {
    let cluster = match server {
        ServerSpec::Managed { cluster, .. } => cluster.map(|masters| masters.to_string()),
        ServerSpec::External { cluster, .. } => cluster.then(|| "true".to_owned()),
    };
    let (program, args, lifetime, address) = match server {
        ServerSpec::Managed { program, args, lifetime, .. } => {
            (Some(program), Some(args), Some(lifetime), None)
        }
        ServerSpec::External { host, port, username, db, tls, .. } => {
            let scheme = if tls.is_some() { "rediss://" } else { "" };
            let user = username.as_ref().map_or_else(String::new, |user| format!("{user}@"));
            let db = if *db == 0 { String::new() } else { format!("/{db}") };
            (None, None, None, Some(format!("{scheme}{user}{host}:{port}{db}")))
        }
    };
    [
        ("program", or_absent(program)),
        ("args", or_absent(args.map(|args| words(args)))),
        ("lifetime", or_absent(lifetime.map(Lifetime::to_string))),
        ("address", or_absent(address)),
        ("cluster", or_absent(cluster)),
    ]
}
