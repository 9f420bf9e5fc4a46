//! What is fuzzed: everything that reads bytes which somebody else wrote. Each function takes any bytes at all; it must neither
//! panic nor hang, and what it reads it must read in the same way again. It comes back with whether it could read them. `tests/mutated/` hands them seeds that were changed at
//! random; the programs in `fuzz_targets/` hand them whatever libFuzzer comes up with.

use std::fs;
use std::path::{Path, PathBuf};

use orchestrate::driver::BUILTIN;
use orchestrate::experiment::{Directory, MAX_FILE, Source, includes, parse, resolved_text};
use orchestrate::plan::Plan;
use orchestrate::protocol::{
    AgentLine, DriverEvent, Go, Hello, Job, Request, ServerStart, TrialPrepare, Welcome,
};
use orchestrate::report::{self, html, markdown};
use orchestrate::results::journal::{Event, Journal, Reader};
use orchestrate::results::read;
use orchestrate::results::sidecar_files::sidecar_files;

/// Reads bytes, and comes back with whether it could.
pub type Target = fn(&[u8]) -> bool;

/// Every target by its name.
pub const TARGETS: [(&str, Target); 5] = [
    ("experiment", experiment),
    ("agent_protocol", agent_protocol),
    ("driver_protocol", driver_protocol),
    ("journal", journal),
    ("table", table),
];

/// An experiment file: it is refused with findings whose places are in it, or has a plan, and the text that a run keeps of it
/// has the same plan.
pub fn experiment(bytes: &[u8]) -> bool {
    let source = |bytes: &[u8]| Source {
        name: "fuzzed.toml".to_owned(),
        directory: Directory::Path(PathBuf::from("/experiments")),
        bytes: bytes.to_vec(),
    };
    let main = source(bytes);
    let _ = includes(&main);
    match parse(&main, &[], &BUILTIN) {
        Err(diagnostics) => {
            assert!(!diagnostics.findings().is_empty());
            assert!(diagnostics.render(false).len() < 200 * 10_000, "a message has limits");
            for finding in diagnostics.findings() {
                let location = diagnostics.location(finding);
                assert!(location.line >= 1 && location.column >= 1);
            }
            false
        }
        Ok(experiment) => {
            let plan = Plan::new(&experiment);
            let kept = source(resolved_text(&main, &[]).as_bytes());
            // What a run keeps may be larger than what may be written.
            if kept.bytes.len() <= MAX_FILE {
                let again = parse(&kept, &[], &BUILTIN).expect("what a run keeps can be read again");
                assert_eq!(Plan::new(&again).hash(), plan.hash());
            }
            assert!(plan.trials().take(20).count() as u64 <= plan.trial_count());
            true
        }
    }
}

/// A line between coordinator and agent, in either direction.
pub fn agent_protocol(bytes: &[u8]) -> bool {
    let read = [
        read_again::<AgentLine>(bytes),
        read_again::<Request>(bytes),
        read_again::<Hello>(bytes),
        read_again::<Welcome>(bytes),
        read_again::<TrialPrepare>(bytes),
        read_again::<ServerStart>(bytes),
    ];
    read.contains(&true)
}

/// A line between agent and driver, in either direction.
pub fn driver_protocol(bytes: &[u8]) -> bool {
    [read_again::<DriverEvent>(bytes), read_again::<Job>(bytes), read_again::<Go>(bytes)].contains(&true)
}

/// What is read and written is read as the same.
fn read_again<T: serde::Serialize + serde::de::DeserializeOwned>(bytes: &[u8]) -> bool {
    let Ok(value) = serde_json::from_slice::<T>(bytes) else { return false };
    let once = serde_json::to_value(&value).expect("what was read can be written");
    let again: T = serde_json::from_value(once.clone()).expect("what was written can be read");
    assert_eq!(serde_json::to_value(&again).expect("it was written before"), once);
    true
}

/// A journal: whatever it holds, opening it to go on keeps every line that could be read, and a line that is added is read.
pub fn journal(bytes: &[u8]) -> bool {
    let place = tempfile::tempdir().expect("there is a directory for temporary files");
    let path = place.path().join("journal.jsonl");
    fs::write(&path, bytes).expect("it can be written to");
    let read = |path: &Path| -> Option<Vec<Event>> {
        Reader::open(path).ok()?.map(|entry| entry.map(|entry| entry.event)).collect::<Result<_, _>>().ok()
    };
    let before = read(&path);
    let mut seen = Vec::new();
    let resumed = Journal::resume(&path, |event| seen.push(event));
    assert_eq!(resumed.is_ok(), before.is_some(), "what can be read can be gone on with, and nothing else");
    let Ok((mut journal, _)) = resumed else {
        assert_eq!(fs::read(&path).expect("it is there"), bytes, "what is damaged is left alone");
        return false;
    };
    assert_eq!(Some(&seen), before.as_ref());
    let Some(event) = seen.iter().rfind(|event| matches!(event, Event::Trial(_))) else {
        return true;
    };
    let Event::Trial(record) = event else { return true };
    let mut record = record.clone();
    record.attempt = record.attempt.wrapping_add(1_000_003);
    journal.trial(&record).expect("it can be written to");
    seen.push(Event::Trial(record));
    assert_eq!(read(&path), Some(seen));
    true
}

/// A table of trials: it is refused in words, or a report can be made of it.
pub fn table(bytes: &[u8]) -> bool {
    let place = tempfile::tempdir().expect("there is a directory for temporary files");
    let path = place.path().join("trials.csv");
    fs::write(&path, bytes).expect("it can be written to");
    let Ok(samples) = read::samples(std::slice::from_ref(&path)) else { return false };
    let report = report::build(&samples, &[sidecar_files(&path)]);
    let page = html::html(&report);
    assert!(page.len() < 64 << 20, "a page has limits");
    let _ = markdown::markdown(&report);
    true
}
