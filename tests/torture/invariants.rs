//! What was promised of a run, whatever happened to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::place::{Foreigner, Place};
use crate::waiting::{process, ready};

/// What a directory of a run may hold.
const FILES: [&str; 11] = [
    ".lock",
    "datapackage.json",
    "experiment.toml",
    "journal.jsonl",
    "latency.csv",
    "progress.csv",
    "report.html",
    "run.json",
    "run.log",
    "summary.csv",
    "trials.csv",
];

/// What was found to be wrong, counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wrongs {
    pub(crate) lost: usize,
    pub(crate) doubled: usize,
    pub(crate) left: usize,
    pub(crate) touched: usize,
}

/// Waits until nothing runs that was started in a place; what runs on after that is left.
pub(crate) fn nobody_left(place: &Place) -> Result<(), String> {
    // An agent works on for half a minute without a word from its coordinator.
    someone_left(place, Duration::from_secs(60))
}

/// The same with another patience.
pub(crate) fn someone_left(place: &Place, patience: Duration) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let named = place.sandbox.processes().into_iter();
        let mut handles: Vec<_> = named.filter_map(|(pid, _)| Some((pid, process(pid)?))).collect();
        // Only now: the number of a process that had ended by then may be that of somebody else's.
        let processes = place.sandbox.processes();
        handles.retain(|(handled, _)| processes.iter().any(|(pid, _)| pid == handled));
        if processes.is_empty() {
            return Ok(());
        }
        let Some(patience) = patience.checked_sub(begun.elapsed()) else {
            return Err(format!("processes are left: {processes:?}"));
        };
        if !handles.is_empty() {
            let handles: Vec<_> = handles.into_iter().map(|(_, handle)| handle).collect();
            ready(&handles, patience);
        }
    }
}

/// The parsed lines of a journal, each of which must be one, but for the last.
fn lines(journal: &Path) -> Result<Vec<Value>, String> {
    let text = fs::read_to_string(journal).map_err(|error| format!("{}: {error}", journal.display()))?;
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))).collect()
}

/// What keys begin with that somebody was told may be left on a server: by a row, or by what the program printed.
fn told(place: &Place, lines: &[Value]) -> Vec<String> {
    let output = place.output();
    let errors = lines.iter().filter_map(|line| line["trial"]["error"].as_str());
    let texts = errors.chain(output.lines());
    let prefix = |text: &str| {
        let (_, rest) = text.split_once("keys that begin with `")?;
        Some(rest.split_once('`')?.0.to_owned())
    };
    texts.filter_map(prefix).collect()
}

/// Looks at everything that was promised of a complete run of so many trials.
pub(crate) fn complete(
    place: &Place,
    planned: usize,
    foreigner: &mut Foreigner,
    wrongs: &mut Wrongs,
) -> Result<(), String> {
    let mut wrong = Vec::new();
    if let Err(error) = nobody_left(place) {
        wrongs.left += 1;
        wrong.push(error);
    }
    let journal = place.journal().ok_or("no journal")?;
    let run = journal.parent().expect("a journal is in a directory");
    let lines = lines(&journal)?;
    let attempts: Vec<&Value> = lines.iter().filter_map(|line| line.get("trial")).collect();
    let name = |attempt: &&Value| (attempt["cell"].to_string(), attempt["repetition"].as_u64());
    let mut times: BTreeMap<_, usize> = BTreeMap::new();
    for attempt in attempts.iter().filter(|attempt| attempt["status"] == "ok") {
        *times.entry(name(attempt)).or_default() += 1;
    }
    if times.len() != planned {
        wrongs.lost += planned.abs_diff(times.len());
        wrong.push(format!("{planned} trials are planned and {} done", times.len()));
    }
    let twice = times.values().filter(|&&times| times > 1).count();
    if twice > 0 {
        wrongs.doubled += twice;
        wrong.push(format!("{twice} trials are done more than once"));
    }
    let numbered: BTreeSet<_> =
        attempts.iter().map(|attempt| (name(attempt), attempt["attempt"].as_u64())).collect();
    if numbered.len() != attempts.len() {
        wrongs.doubled += attempts.len() - numbered.len();
        wrong.push("two attempts have one number".to_owned());
    }
    // No row without a record, and no record without a row.
    match rows(&run.join("trials.csv")) {
        Ok(rows) => {
            let of_records: Vec<String> = attempts
                .iter()
                .map(|attempt| {
                    let text = |key: &str| attempt[key].as_str().unwrap_or_default().to_owned();
                    format!(
                        "{}-{} {} {}",
                        text("cell"),
                        attempt["repetition"],
                        attempt["attempt"],
                        text("status")
                    )
                })
                .collect();
            if rows != of_records {
                wrongs.lost += 1;
                wrong.push(format!(
                    "the table has other rows than the journal: {} and {}",
                    rows.len(),
                    of_records.len()
                ));
            }
        }
        Err(error) => {
            wrongs.lost += 1;
            wrong.push(format!("trials.csv: {error}"));
        }
    }
    if !lines.last().is_some_and(|line| line["end"]["why"] == "complete") {
        wrongs.lost += 1;
        wrong.push("the journal does not end with the end of the run".to_owned());
    }
    let left = left_over(place);
    if !left.is_empty() {
        wrongs.left += left.len();
        wrong.push(format!("files are left: {left:?}"));
    }
    let (touched, untold) = foreigner.examine(&told(place, &lines));
    if !touched.is_empty() {
        wrongs.touched += touched.len();
        wrong.push(format!("keys of others were touched: {touched:?}"));
    }
    if !untold.is_empty() {
        wrongs.left += untold.len();
        wrong.push(format!("keys are left without a word: {:?} …", &untold[..untold.len().min(3)]));
    }
    if place.output().contains("panicked") {
        wrong.push("something panicked".to_owned());
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{}", wrong.join("; "), place.output())) }
}

/// Each row of a table of trials: what it is and how it ended.
fn rows(table: &Path) -> Result<Vec<String>, csv::Error> {
    let mut reader = csv::Reader::from_path(table)?;
    reader
        .deserialize::<BTreeMap<String, String>>()
        .map(|row| row.map(|row| format!("{} {} {}", row["trial"], row["attempt"], row["status"])))
        .collect()
}

/// Files and directories that nobody promised: in the directories of runs, beside them, and among temporary files.
fn left_over(place: &Place) -> Vec<String> {
    let entries = |path: &Path| -> Vec<std::path::PathBuf> {
        fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
    };
    let mut left = Vec::new();
    for run in entries(&place.sandbox.path().join("results/torture")) {
        // Where there is a log, there was a journal, which somebody took away.
        if !run.join("journal.jsonl").is_file() && !run.join("run.log").is_file() {
            left.push(run.display().to_string());
        }
        for file in entries(&run) {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !FILES.contains(&name.as_str()) {
                left.push(file.display().to_string());
            }
        }
    }
    // Python and others may keep caches of their own; what agents and servers have there is in directories.
    let temporary = entries(&place.sandbox.path().join("tmp"));
    left.extend(temporary.iter().filter(|path| path.is_dir()).map(|path| path.display().to_string()));
    left
}
