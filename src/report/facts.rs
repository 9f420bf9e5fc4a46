//! What was run, where, with what and when, in a line each; and the line at the foot of a figure.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::protocol::HostFacts;
use crate::report::cells::{Cell, nouns};
use crate::report::facets::Layout;
use crate::report::numbers::{count, counted, grouped, list};
use crate::results::provenance::Session;
use crate::results::sidecar_files::SidecarFiles;

/// Up to this many programs are named one by one.
const PROGRAMS: usize = 4;

/// A word, and what there is to say about it.
#[must_use]
pub fn facts(cells: &[Cell<'_>], layout: &Layout, about: &[&SidecarFiles]) -> Vec<(String, String)> {
    let mut facts =
        vec![("What", what(cells)), ("Where", places(cells, layout, about)), ("With", with(cells))];
    facts.push(("When", when(cells, about)));
    facts
        .into_iter()
        .filter(|(_, said)| !said.is_empty())
        .map(|(word, said)| (word.to_owned(), said))
        .collect()
}

fn what(cells: &[Cell<'_>]) -> String {
    let trials: usize = cells.iter().map(|cell| cell.sample.trials.len()).sum();
    let failed: usize = cells.iter().map(Cell::failed).sum();
    let sizes: BTreeSet<usize> = cells.iter().map(|cell| cell.sample.trials.len()).collect();
    let blocks = match (sizes.first(), sizes.last()) {
        (Some(least), Some(most)) if least == most && *most > 0 => {
            format!(" × {}", count(*most, "shuffled block"))
        }
        _ => String::new(),
    };
    let each = match (only(cells, "operations_asked"), only(cells, "duration_asked_s")) {
        (Some(operations), None) => {
            let number = operations.parse().map_or_else(|_| operations.to_owned(), grouped);
            format!(", {number} {} each", nouns(cells))
        }
        (None, Some(seconds)) => format!(", {seconds} s each"),
        _ => String::new(),
    };
    let failed = match failed {
        0 => "none failed".to_owned(),
        some => format!("{} failed", count(some, "attempt")),
    };
    format!("{}: {}{blocks}{each}; {failed}", count(trials, "trial"), count(cells.len(), "cell"))
}

/// The value of a column, if it has only one.
fn only<'c>(cells: &'c [Cell<'_>], column: &str) -> Option<&'c str> {
    let values: BTreeSet<&str> = cells.iter().filter_map(|cell| cell.sample.label.get(column)).collect();
    values.first().copied().filter(|_| values.len() == 1)
}

/// The last session of each run.
fn sessions<'a>(about: &[&'a SidecarFiles]) -> impl Iterator<Item = &'a Session> {
    about.iter().filter_map(|files| files.provenance.as_ref()?.sessions.last())
}

/// The version of this program that a session ran with.
fn version(session: &Session) -> String {
    match &session.revision {
        Some(revision) => format!("orchestrate {} ({revision})", session.version),
        None => format!("orchestrate {}", session.version),
    }
}

fn cpu(facts: &HostFacts) -> Option<String> {
    facts.cpu.as_ref().map(|cpu| format!("{cpu} × {}", facts.cpus))
}

fn places(cells: &[Cell<'_>], layout: &Layout, about: &[&SidecarFiles]) -> String {
    let mut machines: BTreeSet<String> = BTreeSet::new();
    for session in sessions(about) {
        for (name, facts) in &session.hosts {
            let name = if name == "local" { &facts.hostname } else { name };
            let cpu = cpu(facts);
            let memory =
                facts.memory_bytes.map(|bytes| format!("{:.0} GiB", bytes as f64 / f64::from(1 << 30)));
            let guest = facts.virtualisation.as_ref().map(|kind| format!("{} guest", kind.to_uppercase()));
            let told: Vec<String> = [cpu, memory, Some(facts.os.clone()), guest]
                .into_iter()
                .flatten()
                .filter(|told| !told.is_empty())
                .collect();
            machines.insert(format!("{name}: {}", told.join(", ")));
        }
    }
    if machines.is_empty() {
        let label = |cell: &Cell<'_>, column: &str| cell.sample.label.get(column).map(str::to_owned);
        for cell in cells {
            for side in ["client", "server"] {
                let told: Vec<String> = ["cpu", "os"]
                    .into_iter()
                    .filter_map(|what| label(cell, &format!("{side}_{what}")))
                    .collect();
                if let Some(host) = label(cell, &format!("{side}_host")) {
                    machines.insert(if told.is_empty() {
                        host
                    } else {
                        format!("{host}: {}", told.join(", "))
                    });
                }
            }
        }
    }
    let machines: Vec<String> = machines.into_iter().collect();
    let placement = || {
        let placement = cells.first()?.sample.label.get("placement")?;
        let is_shared = cells.iter().all(|cell| cell.sample.label.get("placement") == Some(placement));
        (is_shared && !layout.facets.contains(&"placement")).then(|| placed(placement))
    };
    let placement = placement().map(|placement| format!("; {placement}")).unwrap_or_default();
    machines.join("; ") + &placement
}

/// `split server=1 client=0` in words.
fn placed(placement: &str) -> String {
    let mut words = placement.split(' ');
    let how = words.next().unwrap_or_default();
    let sides: Vec<String> = words
        .filter_map(|side| side.split_once('='))
        .map(|(side, cpus)| format!("{side} on CPU {}", cpus.replace('+', ", ")))
        .collect();
    match (how, sides.is_empty()) {
        ("free", _) => "placed by the scheduler".to_owned(),
        (_, true) => format!("placement {placement}"),
        (_, false) => sides.join(", "),
    }
}

/// Servers and libraries.
fn programs(cells: &[Cell<'_>]) -> Vec<String> {
    let of = |column: &str| {
        let mut all: Vec<String> = Vec::new();
        for value in cells.iter().filter_map(|cell| cell.sample.label.get(column)) {
            if !all.iter().any(|known| known == value) {
                all.push(value.to_owned());
            }
        }
        all
    };
    let mut programs = of("server_version");
    programs.extend(of("client"));
    programs
}

fn with(cells: &[Cell<'_>]) -> String {
    let mut programs = programs(cells);
    if programs.len() < PROGRAMS {
        // If there are few libraries, also what they run on, without its kind.
        for runtime in cells.iter().filter_map(|cell| cell.sample.label.get("client_runtime")) {
            let short: String = runtime.split(' ').take(2).collect::<Vec<_>>().join(" ");
            let short = short.trim_end_matches(',').to_owned();
            if !programs.contains(&short) && short.contains(|c: char| c.is_ascii_digit()) {
                programs.push(short);
            }
        }
    }
    if programs.len() <= PROGRAMS + 1 {
        return programs.join(", ");
    }
    let servers = cells.iter().filter_map(|cell| cell.sample.label.get("server_version"));
    let servers: BTreeSet<&str> = servers.collect();
    let servers: Vec<String> = servers.into_iter().map(str::to_owned).collect();
    let clients = programs.len() - servers.len();
    format!(
        "{}; {}, listed under “Machines and software”",
        list(&servers, 3),
        counted(clients, "client library", "client libraries")
    )
}

fn when(cells: &[Cell<'_>], about: &[&SidecarFiles]) -> String {
    let versions: BTreeSet<String> = sessions(about).map(version).collect();
    let versions: Vec<String> = versions.into_iter().collect();
    let began = || {
        let (first, last) = times(cells)?;
        let (day, hour) = ("%-d %B %Y", "%H:%M");
        Some(if first.strftime("%F").to_string() == last.strftime("%F").to_string() {
            format!("{}, {} to {} UTC", first.strftime(day), first.strftime(hour), last.strftime(hour))
        } else {
            format!("{} to {}", first.strftime(day), last.strftime(day))
        })
    };
    [began(), (!versions.is_empty()).then(|| list(&versions, 2))]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}

/// When the first trial began, and the last one.
fn times(cells: &[Cell<'_>]) -> Option<(Timestamp, Timestamp)> {
    let all = || {
        cells
            .iter()
            .flat_map(|cell| &cell.sample.trials)
            .map(|trial| trial.started_at_us)
            .filter(|us| *us > 0)
    };
    let (first, last) = (all().min()?, all().max()?);
    Some((Timestamp::from_microsecond(first).ok()?, Timestamp::from_microsecond(last).ok()?))
}

/// Experiment, CPU, system, versions, program and date: the foot of a figure.
#[must_use]
pub fn footer(experiment: &str, cells: &[Cell<'_>], about: &[&SidecarFiles]) -> String {
    let mut parts = vec![experiment.to_owned()];
    let mut machines: BTreeSet<String> = BTreeSet::new();
    for session in sessions(about) {
        for facts in session.hosts.values() {
            let told: Vec<String> =
                cpu(facts).into_iter().chain([facts.os.clone()]).filter(|told| !told.is_empty()).collect();
            machines.insert(told.join(", "));
        }
    }
    if machines.is_empty() {
        for cell in cells {
            let label = |column| cell.sample.label.get(column).map(str::to_owned);
            let told: Vec<String> = [label("client_cpu"), label("client_os")].into_iter().flatten().collect();
            machines.insert(told.join(", "));
        }
    }
    machines.remove("");
    if !machines.is_empty() {
        parts.push(list(&machines.into_iter().collect::<Vec<_>>(), 2));
    }
    let programs = programs(cells);
    if !programs.is_empty() {
        parts.push(list(&programs, PROGRAMS));
    }
    if let Some((first, _)) = times(cells) {
        parts.push(first.strftime("%F").to_string());
    }
    let program = sessions(about).last().map(version);
    parts.push(program.unwrap_or_else(|| format!("orchestrate {}", env!("CARGO_PKG_VERSION"))));
    parts.join(" · ")
}
