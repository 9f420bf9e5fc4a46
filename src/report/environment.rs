//! Where the numbers come from, as tables: runs, machines, servers, clients. What `run.json` does not say is taken from the
//! labels of the trials.

use std::collections::{BTreeMap, BTreeSet};

use crate::analysis::interval::median_of;
use crate::analysis::samples::{Samples, Trial};
use crate::report::model::DataTable;
use crate::report::numbers::grouped;
use crate::results::provenance::Provenance;
use crate::results::sidecar_files::SidecarFiles;

/// The tables; empty ones are left out.
#[must_use]
pub fn environment(samples: &Samples, sidecars: &[SidecarFiles]) -> Vec<DataTable> {
    let known: Vec<&Provenance> = sidecars.iter().filter_map(|files| files.provenance.as_ref()).collect();
    let text = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());

    let mut runs = DataTable::new(
        "Runs",
        &[
            ("Run", false),
            ("Experiment", false),
            ("Began", false),
            ("Ended", false),
            ("orchestrate", false),
            ("Seed", true),
            ("Labels", false),
        ],
    );
    for run in &samples.runs {
        let row = match known.iter().find(|provenance| provenance.run_id == *run) {
            Some(provenance) => {
                let session = provenance.sessions.last();
                let version = session.map(|s| match &s.revision {
                    Some(revision) => format!("{} ({revision})", s.version),
                    None => s.version.clone(),
                });
                let began = provenance
                    .sessions
                    .first()
                    .map(|session| session.started_at.strftime("%F %T UTC").to_string());
                let ended = provenance.ends.last().map(|end| format!("{:?}", end.why).to_lowercase());
                let seed = session.map(|session| session.seed.to_string());
                vec![
                    run.clone(),
                    provenance.experiment.clone(),
                    text(began),
                    text(ended),
                    text(version),
                    text(seed),
                    labels_of(provenance),
                ]
            }
            None => {
                vec![run.clone(), text(None), text(None), text(None), text(None), text(None), String::new()]
            }
        };
        runs.rows.push(row);
    }
    let runs = runs.without_empty_columns();

    let mut machines = DataTable::new(
        "Machines",
        &[
            ("Name", false),
            ("System", false),
            ("CPU", false),
            ("Memory", true),
            ("Virtual", false),
            ("Frequency", false),
            ("Clock", false),
        ],
    );
    let mut rows = BTreeSet::new();
    for (name, facts) in known.iter().flat_map(|p| &p.sessions).flat_map(|session| &session.hosts) {
        let name = if name == "local" { facts.hostname.clone() } else { name.clone() };
        let cpu = format!("{} × {} ({})", facts.cpu.as_deref().unwrap_or("unknown"), facts.cpus, facts.arch);
        let memory = facts.memory_bytes.map(|bytes| format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)));
        rows.insert(vec![
            name,
            format!("{} ({})", facts.os, facts.kernel),
            cpu,
            text(memory),
            text(facts.virtualisation.clone()),
            text(facts.governor.clone()),
            text(facts.clock.clone()),
        ]);
    }
    let named: BTreeSet<String> = rows.iter().map(|row| row[0].clone()).collect();
    for label in samples.samples.iter().map(|sample| &sample.label) {
        for side in ["client", "server"] {
            let of = |what: &str| label.get(&format!("{side}_{what}")).map(str::to_owned);
            if let Some(host) = of("host").filter(|host| !named.contains(host)) {
                let cpu = match (of("cpu"), of("arch")) {
                    (Some(cpu), Some(arch)) => Some(format!("{cpu} ({arch})")),
                    (cpu, arch) => cpu.or(arch),
                };
                rows.insert(vec![
                    host,
                    text(of("os")),
                    text(cpu),
                    text(None),
                    text(None),
                    text(None),
                    text(None),
                ]);
            }
        }
    }
    machines.rows = rows.into_iter().collect();

    let labels = |caption: &str, columns: [(&str, &str); 3]| {
        let mut table = DataTable::new(caption, &columns.map(|(_, title)| (title, false)));
        let of = |label: &crate::analysis::samples::Label| {
            columns.map(|(column, _)| text(label.get(column).map(str::to_owned)))
        };
        let rows: BTreeSet<_> = samples.samples.iter().map(|sample| of(&sample.label)).collect();
        table.rows = rows.into_iter().map(Vec::from).collect();
        table
    };
    let mut servers =
        labels("Servers", [("server", "Name"), ("server_version", "Version"), ("server_args", "Arguments")]);
    let allocators: BTreeSet<&str> =
        known.iter().flat_map(|p| &p.servers).filter_map(|server| server.allocator.as_deref()).collect();
    if !allocators.is_empty() {
        servers.caption +=
            &format!(" (allocator: {})", allocators.into_iter().collect::<Vec<_>>().join(", "));
    }
    let clients = labels("Clients", [("mode", "Mode"), ("client", "Library"), ("client_runtime", "Runs on")]);
    [runs, machines, ways(samples), servers, clients]
        .into_iter()
        .filter(|table| !table.rows.is_empty())
        .collect()
}

/// What a run is called: a label has several values if its sessions were labelled differently.
fn labels_of(provenance: &Provenance) -> String {
    let one = |(name, values): (&String, &Vec<String>)| format!("{name}: {}", values.join(" → "));
    provenance.labels().iter().map(one).collect::<Vec<_>>().join("; ")
}

/// The round-trip time between the hosts, where it was sampled.
fn ways(samples: &Samples) -> DataTable {
    let mut table = DataTable::new(
        "Between hosts, there and back: one sample for each block of trials",
        &[("Client", false), ("Server", false), ("Median, µs", true), ("From", true), ("To", true)],
    );
    let mut sampled: BTreeMap<[&str; 2], BTreeSet<(u32, u32, u64)>> = BTreeMap::new();
    for sample in &samples.samples {
        let host = |column| sample.label.get(column).unwrap_or_default();
        // The trials of a block share its sample.
        let of = |trial: &Trial| Some((trial.run, trial.repetition, trial.rtt_us?.to_bits()));
        let way = [host("client_host"), host("server_host")];
        sampled.entry(way).or_default().extend(sample.trials.iter().filter_map(of));
    }
    for ([client, server], blocks) in sampled {
        let times: Vec<f64> = blocks.into_iter().map(|(.., bits)| f64::from_bits(bits)).collect();
        let (low, high) = (times.iter().copied().reduce(f64::min), times.iter().copied().reduce(f64::max));
        if let (Some(low), Some(high)) = (low, high) {
            let median = median_of(times);
            table.rows.push(vec![
                client.to_owned(),
                server.to_owned(),
                grouped(median),
                grouped(low),
                grouped(high),
            ]);
        }
    }
    table
}
