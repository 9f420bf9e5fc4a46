//! What fuzzing begins with: files of this repository that a target reads as they are, or the first lines of them, and lines of
//! the protocols.

use std::fs;
use std::path::{Path, PathBuf};

use orchestrate::experiment::Placement;
use orchestrate::protocol::{
    AgentError, AgentErrorKind, AgentLine, Done, DriverEvent, FailureKind, Go, Hello, HostFacts, Job,
    Latency, Launch, Notice, Outcome, PROTOCOL, Program, Ready, Request, Response, ServerStart, TrialPrepare,
    Welcome,
};
use orchestrate::units::Nanos;

/// The seeds of a target, the smallest first.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut seeds = match target {
        "experiment" => below("experiments", ".toml"),
        // The first lines of each: a journal of a megabyte says no more.
        "journal" => {
            let mut heads = below("results", "journal.jsonl");
            heads.iter_mut().for_each(|journal| head(journal, 4));
            heads.retain(|journal| journal.len() < 100_000);
            heads
        }
        "table" => {
            let mut heads = below("results", "trials.csv");
            heads.truncate(6);
            heads.iter_mut().for_each(|table| head(table, 25));
            heads
        }
        "agent_protocol" => of_agents(),
        "driver_protocol" => of_drivers(),
        _ => panic!("unknown fuzz target: {target}"),
    };
    seeds.sort_by_key(Vec::len);
    seeds
}

fn of_agents() -> Vec<Vec<u8>> {
    let hello = Hello {
        protocol: PROTOCOL,
        version: "0.1.0".to_owned(),
        holder: "experiment `x`".to_owned(),
        lease: Nanos::from_secs(30),
        withheld: vec!["REDIS_PASSWORD".to_owned()],
    };
    let facts = HostFacts { hostname: "mercury".to_owned(), cpus: 2, ..HostFacts::default() };
    let welcome = Welcome { protocol: PROTOCOL, version: "0.1.0".to_owned(), facts };
    let args = serde_json::to_value(&hello).unwrap();
    let refused = AgentError::new(AgentErrorKind::Unavailable, "no");
    let answer = |result| AgentLine::Response(Response { id: 7, result });
    let stderr = Notice::Stderr { trial: "a-1.1".to_owned(), line: "a line".to_owned() };
    let server = ServerStart {
        key: "redis".to_owned(),
        launch: Launch::Managed {
            program: "redis-server".to_owned(),
            directory: Some("/experiments".into()),
            args: vec!["--save".to_owned(), String::new()],
            address: None,
            tls: false,
            masters: Some(3),
        },
        fresh: false,
    };
    let mut seeds = vec![
        line(&Request { id: 1, call: "hello".to_owned(), args }),
        line(&answer(Outcome::Ok(serde_json::to_value(&welcome).unwrap()))),
        line(&answer(Outcome::Error(refused))),
        line(&AgentLine::Notice(stderr)),
        line(&hello),
        line(&welcome),
        line(&server),
    ];
    seeds.extend(jobs().into_iter().enumerate().map(|(number, job)| {
        line(&TrialPrepare {
            trial: "a-1.1".to_owned(),
            program: match number {
                0 => Program::BuiltIn,
                _ => Program::Command {
                    argv: vec!["python3".to_owned(), "driver.py".to_owned()],
                    directory: "/experiments".into(),
                },
            },
            job,
            environment: [("DEBUG".to_owned(), "1".to_owned())].into(),
            placement: Placement::Free,
            server_key: Some("redis".to_owned()),
            timeout: Nanos::from_secs(60),
        })
    }));
    seeds.extend(
        documented()
            .into_iter()
            .filter(|line| line.starts_with(b"{\"id\"") || line.starts_with(b"{\"notice\"")),
    );
    seeds
}

fn of_drivers() -> Vec<Vec<u8>> {
    let ready =
        Ready { client: "test".to_owned(), runtime: "test".to_owned(), workers: 1, ..Ready::default() };
    let done = Done {
        operations: 3,
        latency: Some(Latency::Hdr("HISTFAAAAB94nJNpmSzMwMDAxAABzFCaEUzmMtt/gLDmAAA=".to_owned())),
        progress: Some(vec![(1, 2), (3, 4)]),
        ..Done::default()
    };
    let failed = DriverEvent::Failed { kind: FailureKind::Connection, error: "no".to_owned() };
    let mut seeds = vec![
        line(&DriverEvent::Ready(ready)),
        line(&DriverEvent::Done(done)),
        line(&failed),
        line(&DriverEvent::Progress { operations: 17 }),
        line(&Go { go: true }),
    ];
    seeds.extend(jobs().iter().map(line));
    seeds.extend(documented().into_iter().filter(|line| line.starts_with(b"{\"event\"")));
    seeds
}

/// The jobs among the lines that the documentation of the protocols shows.
fn jobs() -> Vec<Job> {
    documented().iter().filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// The lines that the documentation of the protocols shows.
fn documented() -> Vec<Vec<u8>> {
    let text = fs::read_to_string(root().join("docs/protocols.md")).unwrap();
    text.lines().filter(|line| line.starts_with('{')).map(|line| line.as_bytes().to_vec()).collect()
}

fn line(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

fn head(text: &mut Vec<u8>, lines: usize) {
    let length = text.split_inclusive(|byte| *byte == b'\n').take(lines).map(<[u8]>::len).sum();
    text.truncate(length);
}

/// The files below a directory whose names end so, the smallest first.
fn below(directory: &str, name: &str) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    let mut directories = vec![root().join(directory)];
    while let Some(directory) = directories.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                directories.push(path);
            } else if path.file_name().is_some_and(|file| file.to_string_lossy().ends_with(name)) {
                found.push(fs::read(path).unwrap());
            }
        }
    }
    found.sort_by_key(Vec::len);
    found
}

/// The repository, seen from the package of the tests and from that of the programs.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().find(|path| path.join("docs/protocols.md").is_file()).unwrap().to_owned()
}
