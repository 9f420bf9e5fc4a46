//! What is done to the seeds, and one test for each target.

use std::panic::catch_unwind;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::seeds::seeds;
use crate::targets;

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
