//! Seeds, what is done to them, and one test for each target.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use orchestrate::protocol::{
    AgentError, AgentErrorKind, AgentLine, Done, DriverEvent, FailureKind, Go, Hello, HostFacts, Latency,
    Notice, Outcome, PROTOCOL, Ready, Request, Response, Welcome,
};
use orchestrate::units::Nanos;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::targets;

/// Files of this repository that a target reads as they are, or lines of them.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let below = |directory: &str, name: &str| -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        let mut directories = vec![root.join(directory)];
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
    };
    match target {
        "experiment" => below("experiments", ".toml"),
        "journal" => {
            // The first lines of each: a journal of a megabyte says no more.
            let head = |journal: Vec<u8>| {
                journal.split_inclusive(|byte| *byte == b'\n').take(4).collect::<Vec<_>>().concat()
            };
            below("results", "journal.jsonl")
                .into_iter()
                .map(head)
                .filter(|journal| journal.len() < 100_000)
                .collect()
        }
        "table" => {
            let head = |table: Vec<u8>| {
                table.split_inclusive(|byte| *byte == b'\n').take(25).collect::<Vec<_>>().concat()
            };
            below("results", "trials.csv").into_iter().map(head).take(6).collect()
        }
        "agent_protocol" => {
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
            vec![
                line(&Request { id: 1, call: "hello".to_owned(), args }),
                line(&answer(Outcome::Ok(serde_json::to_value(&welcome).unwrap()))),
                line(&answer(Outcome::Error(refused))),
                line(&AgentLine::Notice(stderr)),
                line(&hello),
                line(&welcome),
            ]
        }
        _ => {
            let ready = Ready {
                client: "test".to_owned(),
                runtime: "test".to_owned(),
                workers: 1,
                ..Ready::default()
            };
            let done = Done {
                operations: 3,
                latency: Some(Latency::Hdr("HISTFAAAAB94nJNpmSzMwMDAxAABzFCaEUzmMtt/gLDmAAA=".to_owned())),
                progress: Some(vec![(1, 2), (3, 4)]),
                ..Done::default()
            };
            let failed = DriverEvent::Failed { kind: FailureKind::Connection, error: "no".to_owned() };
            vec![
                line(&DriverEvent::Ready(ready)),
                line(&DriverEvent::Done(done)),
                line(&failed),
                line(&DriverEvent::Progress { operations: 17 }),
                line(&Go { go: true }),
            ]
        }
    }
}

fn line(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

/// Words that have meant something somewhere.
const WORDS: [&str; 20] = [
    "\0",
    "\n",
    "\"",
    "{",
    "}}",
    "[",
    "]",
    ",",
    "-1",
    "0",
    "18446744073709551616",
    "1e308",
    "5e-324",
    "NaN",
    "null",
    "\u{feff}",
    "\u{202e}",
    "=",
    "[[matrix]]",
    "crc32",
];

fn change(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut ChaCha8Rng) {
    for _ in 0..rng.random_range(1..=6) {
        let length = bytes.len();
        let at = rng.random_range(0..=length);
        let end = (at + rng.random_range(0..40)).min(length);
        match rng.random_range(0..8) {
            0 if at < length => bytes[at] ^= 1 << rng.random_range(0..8),
            1 if at < length => bytes[at] = rng.random(),
            2 => drop(bytes.drain(at..end)),
            3 => drop(bytes.splice(at..at, WORDS[rng.random_range(0..WORDS.len())].bytes())),
            4 => {
                let piece = bytes[at..end].to_vec();
                let to = rng.random_range(0..=bytes.len());
                drop(bytes.splice(to..to, piece));
            }
            5 => bytes.truncate(at),
            6 => {
                let other = &others[rng.random_range(0..others.len())];
                let from = rng.random_range(0..=other.len());
                let piece = other[from..(from + 200).min(other.len())].to_vec();
                drop(bytes.splice(at..at, piece));
            }
            _ => {
                // A whole line once more, or not at all.
                let lines: Vec<Vec<u8>> =
                    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
                if !lines.is_empty() {
                    let (one, two) = (rng.random_range(0..lines.len()), rng.random_range(0..lines.len()));
                    let mut lines = lines.clone();
                    if rng.random_bool(0.5) {
                        lines.insert(two, lines[one].clone());
                    } else {
                        drop(lines.remove(one));
                    }
                    *bytes = lines.concat();
                }
            }
        }
    }
}

fn mutated(name: &str, usual: u64) {
    let (_, target) = targets::TARGETS.into_iter().find(|(known, _)| *known == name).unwrap();
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} has no seeds");
    let number = |variable: &str| std::env::var(variable).ok().map(|text| text.parse::<u64>().unwrap());
    let first = number("MUTATION_SEED").unwrap_or_else(rand_seed);
    let count = number("MUTATIONS").unwrap_or(usual);
    println!("{name}: MUTATION_SEED={first} MUTATIONS={count}");
    // Files that include others are refused here; all else is read as it is.
    for seed in &seeds {
        let is_alone = !seed.starts_with(b"include") && !seed.windows(9).any(|part| part == b"\ninclude ");
        assert!(target(seed) || !is_alone, "{name}: {}", String::from_utf8_lossy(seed));
    }
    for seed in first..first.saturating_add(count) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut bytes = seeds[rng.random_range(0..seeds.len())].clone();
        change(&mut bytes, &seeds, &mut rng);
        if catch_unwind(|| target(&bytes)).is_err() {
            let text = String::from_utf8_lossy(&bytes);
            panic!(
                "{name}: MUTATION_SEED={seed} MUTATIONS=1 shows it again:\n{}",
                &text[..text.floor_char_boundary(4000)]
            );
        }
    }
}

/// Another one each time: what a test has not found, the next one may.
fn rand_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap();
    now.as_micros() as u64
}

#[test]
fn no_experiment_file_makes_the_program_panic() {
    mutated("experiment", 1500);
}

#[test]
fn no_line_of_an_agent_makes_the_program_panic() {
    mutated("agent_protocol", 20_000);
}

#[test]
fn no_line_of_a_driver_makes_the_program_panic() {
    mutated("driver_protocol", 20_000);
}

#[test]
fn no_journal_is_cut_off_where_it_could_be_read() {
    mutated("journal", 1500);
}

#[test]
fn no_table_makes_a_report_panic() {
    mutated("table", 150);
}
