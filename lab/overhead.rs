//! What orchestrate itself costs: the time of a trial of one operation, the growth of that time with the number of
//! trials, and the time and memory of counting and listing a plan of a million trials.
//!
//! `cargo bench --bench overhead` prints figures beside their targets; it needs redis-server on PATH. Environment:
//! `TRIALS` (default 200,1000,5000), `PAIRS` (default 5).

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use wait4::Wait4;

/// At most, from a trial's start to its row on the disk, in milliseconds.
const TRIAL_MS: f64 = 8.0;
/// At most, for counting a million trials.
const COUNT_S: f64 = 0.3;
const COUNT_MB: f64 = 30.0;

fn main() {
    let directory = tempfile::Builder::new().prefix("orc").tempdir_in("/tmp").expect("a temporary directory");
    trials(directory.path());
    plans(directory.path());
}

fn orchestrate(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_orchestrate"));
    command.args(args).current_dir(directory).env("TMPDIR", directory).stdin(Stdio::null());
    command
}

/// Runs of different lengths, interleaved; each gives its median trial, from the journal, and its whole time.
fn trials(directory: &Path) {
    let lengths: Vec<u32> =
        setting("TRIALS", "200,1000,5000").split(',').map(|n| n.parse().expect("a number")).collect();
    let pairs: usize = setting("PAIRS", "5").parse().expect("a number");
    for &n in &lengths {
        let text = format!(
            "name = \"n{n}\"\n[workload]\noperations = 1\n[[matrix]]\nmodes = \"sync\"\n\
             [run]\nrepetitions = {n}\nwarmup = 0\n"
        );
        fs::write(directory.join(format!("n{n}.toml")), text).expect("the directory is ours");
    }
    let mut whole = vec![Vec::new(); lengths.len()];
    let mut each = vec![Vec::new(); lengths.len()];
    for _ in 0..pairs {
        for (index, n) in lengths.iter().enumerate() {
            let begun = Instant::now();
            let status = orchestrate(directory, &["--quiet", "--fresh", &format!("n{n}.toml")])
                .stdout(Stdio::null())
                .status()
                .expect("orchestrate starts");
            assert!(status.success(), "a run of {n} trials failed");
            whole[index].push(begun.elapsed().as_secs_f64() * 1e3 / f64::from(*n));
            each[index].push(median_trial(&directory.join("results").join(format!("n{n}"))));
        }
    }
    println!(
        "a trial of one operation (fresh driver process, row on the disk), target: at most {TRIAL_MS} ms"
    );
    println!("{:>8}  {:>22}  {:>26}", "trials", "median trial, ms", "whole run ÷ trials, ms");
    for (index, n) in lengths.iter().enumerate() {
        println!("{n:>8}  {:>22.2}  {:>26.2}", median(&mut each[index]), median(&mut whole[index]));
    }
    let (first, last) = (median(&mut whole[0]), median(&mut whole[lengths.len() - 1]));
    let worst = each.iter_mut().map(|each| median(each)).fold(0.0, f64::max).max(last);
    println!("growth from the shortest to the longest run, per trial: ×{:.2}", last / first);
    println!("{}\n", verdict(worst <= TRIAL_MS && last / first < 1.2));
}

/// The median time between the beginnings of successive trials in the newest run, in milliseconds: nothing between two
/// trials is left out.
fn median_trial(runs: &Path) -> f64 {
    let newest =
        fs::read_dir(runs).expect("runs").map(|entry| entry.expect("an entry").path()).max().expect("a run");
    let journal = BufReader::new(fs::File::open(newest.join("journal.jsonl")).expect("a journal"));
    let starts: Vec<jiff::Timestamp> = journal
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(&line.expect("a line")).expect("JSON"))
        .filter_map(|line| {
            line.get("trial").map(|trial| trial["started_at"].as_str().expect("a time").parse())
        })
        .map(|time| time.expect("a time"))
        .collect();
    let mut gaps: Vec<f64> = starts
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).total(jiff::Unit::Millisecond).expect("a span"))
        .collect();
    median(&mut gaps)
}

fn plans(directory: &Path) {
    let text = "name = \"million\"\n[workload]\noperations = 20_000\n[[matrix]]\nmodes = [\"sync\", \"async\"]\n\
                workers = { from = 1, to = 1_000, step = 1 }\n\
                workload.value_bytes = { from = 1, to = 100, step = 1 }\n\
                exclude = [{ modes = \"sync\", workers = 7, workload.value_bytes = 3 }]\n[run]\nrepetitions = 5\n";
    fs::write(directory.join("million.toml"), text).expect("the directory is ours");
    let mut counts: Vec<(f64, f64)> = Vec::new();
    for _ in 0..15 {
        counts.push(measured(&mut orchestrate(directory, &["plan", "--count", "million.toml"])));
    }
    let mut seconds: Vec<f64> = counts.iter().map(|count| count.0).collect();
    let mut megabytes: Vec<f64> = counts.iter().map(|count| count.1).collect();
    let (count_s, count_mb) = (median(&mut seconds), median(&mut megabytes));
    println!(
        "plan --count of 999,995 trials: {count_s:.4} s, {count_mb:.1} MB; target: {COUNT_S} s, {COUNT_MB} MB"
    );
    println!("{}\n", verdict(count_s < COUNT_S && count_mb < COUNT_MB));
    let (list_s, list_mb) = measured(&mut orchestrate(directory, &["plan", "million.toml"]));
    println!("plan, all of them listed: {list_s:.2} s, {list_mb:.1} MB; target: it streams, {COUNT_MB} MB");
    println!("{}", verdict(list_mb < COUNT_MB));
}

/// Wall-clock seconds and peak memory in megabytes of a command.
fn measured(command: &mut Command) -> (f64, f64) {
    let begun = Instant::now();
    let child = command.stdout(Stdio::null()).spawn().expect("orchestrate starts");
    let usage = child.wait4().expect("orchestrate ends");
    assert!(usage.status.success());
    (begun.elapsed().max(Duration::from_nanos(1)).as_secs_f64(), usage.rusage.maxrss as f64 / 1e6)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn verdict(pass: bool) -> &'static str {
    if pass { "PASS" } else { "FAIL" }
}

fn setting(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}
