//! Records as a run would make them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;
use jiff::{SignedDuration, Timestamp};
use orchestrate::experiment::{
    Amount, HostPair, Labels, Link, Own, Placement, Settings, Split, Warmup, Workload,
};
use orchestrate::latency;
use orchestrate::protocol::{AppliedPlacement, CommandCounts, HostFacts, ServerCounts, ServerIdentity};
use orchestrate::record::{ClientLabel, HostLabel, LinkKind, Measured, Status, TrialRecord};
use orchestrate::results::journal::Journal;
use orchestrate::results::provenance::{End, EndReason, Session, StopReason};
use orchestrate::results::run_dir::{JOURNAL, RunDir};
use orchestrate::units::Nanos;
use orchestrate::workload::Kind;

/// A moment in the article's week.
pub(crate) fn start() -> Timestamp {
    "2017-03-09T10:15:00Z".parse().unwrap()
}

pub(crate) fn settings(mode: &str, workers: u32) -> Settings {
    Settings {
        hosts: HostPair::same("local"),
        server: "redis".to_owned(),
        mode: mode.to_owned(),
        workers,
        workload: Workload {
            kind: Kind::SetGet,
            amount: Amount::Operations(20_000),
            value_bytes: Some(16),
            pipeline: 1,
            rate: None,
            verify: true,
            split: Split::Even,
            link: Link::Tcp,
        },
        server_args: None,
        lifetime: None,
        placement: Placement::SameCore,
        warmup: Warmup::Duration(Nanos::from_millis(500)),
        own: Own::default(),
    }
}

fn host() -> HostLabel {
    HostLabel {
        name: "mercury".to_owned(),
        os: "Debian GNU/Linux 12 (Linux 6.18.44)".to_owned(),
        arch: "x86_64".to_owned(),
        cpu: "Xeon E5-2620 v4, 2 CPUs".to_owned(),
    }
}

/// An attempt that failed before its server was up.
pub(crate) fn failed(settings: &Settings, repetition: u32, error: &str) -> TrialRecord {
    let mut hasher = DefaultHasher::new();
    settings.hash(&mut hasher);
    TrialRecord {
        cell: format!("{:016x}", hasher.finish()),
        control_of: None,
        repetition,
        position: u64::from(repetition),
        attempt: 1,
        status: Status::Failed,
        error: Some(error.to_owned()),
        flags: Vec::new(),
        started_at: start() + SignedDuration::from_millis(1_500) * i32::try_from(repetition).unwrap(),
        took_ns: Nanos::from_millis(1_200),
        settings: settings.clone(),
        client_host: host(),
        server_host: host(),
        link: LinkKind::Loopback,
        rtt_us: None,
        server: None,
        client: None,
        measured: None,
        parts: Vec::new(),
        driver_sha256: None,
    }
}

/// An attempt that ended well, at this many operations per second, all of which took equally long.
pub(crate) fn ok(settings: &Settings, repetition: u32, ops_per_s: f64) -> TrialRecord {
    let operations = 20_000;
    let elapsed = operations as f64 / ops_per_s * 1e9;
    let mut latencies = Histogram::new(3).unwrap();
    latencies.record_n((f64::from(settings.workers) / ops_per_s * 1e9) as u64, operations).unwrap();
    TrialRecord {
        status: Status::Ok,
        error: None,
        server: Some(ServerIdentity {
            name: "redis".to_owned(),
            version: "7.0.15".to_owned(),
            allocator: Some("jemalloc-5.2.1".to_owned()),
            persistence: false,
            masters: None,
        }),
        client: Some(ClientLabel {
            client: "redis-rs 1.8.1".to_owned(),
            runtime: "tokio 1.54.1 current-thread".to_owned(),
            workers: settings.workers,
            placement: AppliedPlacement::Pinned { server: vec![1], client: vec![1] },
            comparability: None,
        }),
        measured: Some(Measured {
            elapsed_ns: Nanos(elapsed as u64),
            operations,
            errors: 0,
            latency_summary: Some(latency::summary(&latencies)),
            latency: Some(latency::encode(&latencies)),
            client_cpu_ns: Some(Nanos::from_millis(900)),
            busiest_thread_ns: None,
            client_peak_rss_bytes: 7_340_032,
            server: ServerCounts {
                commands: ["set", "get"]
                    .map(|command| {
                        let counts = CommandCounts { calls: operations, ..CommandCounts::default() };
                        (command.to_owned(), counts)
                    })
                    .into(),
                cpu_ns: Nanos::from_millis(700),
                memory_bytes: 3_145_728,
                keys_added: 20_000,
                ..ServerCounts::default()
            },
            foreign_cpu_ns: Some(Nanos::from_millis(3)),
            steal_ns: None,
            wall_ns: Nanos(elapsed as u64 + 1_000_000),
            max_lag_ns: None,
            load1: Some(0.52),
            tasks: None,
            progress: Some(
                (0..12).map(|part| operations * (part + 1) / 12 - operations * part / 12).collect(),
            ),
        }),
        ..failed(settings, repetition, "")
    }
}

pub(crate) fn session(run_id: &str, planned_trials: u64) -> Session {
    let facts = HostFacts { hostname: "mercury".to_owned(), cpus: 2, can_pin: true, ..HostFacts::default() };
    Session {
        run_id: run_id.to_owned(),
        version: "0.1.0".to_owned(),
        revision: None,
        file_hash: "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03".to_owned(),
        plan_hash: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
        seed: 20_170_309,
        modes: ["sync", "async"].map(str::to_owned).to_vec(),
        hosts: BTreeMap::from([("local".to_owned(), facts)]),
        skipped: Vec::new(),
        started_at: start(),
        planned_trials,
        file: None,
        drivers: BTreeMap::new(),
        servers: Vec::new(),
        labels: Labels::default(),
        key_prefix: None,
    }
}

pub(crate) fn end(why: EndReason) -> End {
    End { why, stop_reason: Some(StopReason::Fixed), error: None, at: start() + SignedDuration::from_mins(1) }
}

/// A directory that is deleted with this, and a complete run in it.
pub(crate) struct Run {
    pub(crate) path: PathBuf,
    _results: tempfile::TempDir,
}

impl Run {
    pub(crate) fn of(records: &[TrialRecord]) -> Self {
        let results = tempfile::tempdir().unwrap();
        let (directory, mut journal) = begin(results.path(), start());
        for record in records {
            journal.trial(record).unwrap();
        }
        journal.end(&end(EndReason::Complete)).unwrap();
        Self { path: directory.path().to_owned(), _results: results }
    }

    pub(crate) fn journal(&self) -> PathBuf {
        self.path.join(JOURNAL)
    }
}

/// A run that has just begun.
pub(crate) fn begin(results: &Path, started: Timestamp) -> (RunDir, Journal) {
    let text = "name = \"article\"\n";
    let (directory, mut journal) = RunDir::create(results, "article", text, "mercury", started).unwrap();
    let run_id = directory.path().file_name().unwrap().to_str().unwrap().to_owned();
    journal.session(&session(&run_id, 4)).unwrap();
    (directory, journal)
}

/// A journal as earlier versions wrote it.
pub(crate) fn without_checksums(journal: &str) -> String {
    let plain = |line: &str| match line.rsplit_once(",\"crc32\":\"") {
        Some((words, _)) => format!("{words}}}}}\n"),
        None => format!("{line}\n"),
    };
    journal.lines().map(plain).collect()
}
