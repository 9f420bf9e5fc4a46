//! What an experiment file may say, and what is said of one that is wrong.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use orchestrate::experiment::{
    Amount, BuiltinMode, Diagnostics, Experiment, Factor, HostPair, Level, Repetitions, ServerSpec, Source,
    Transport, includes, parse, resolved_text, schema,
};
use orchestrate::units::Nanos;
use proptest::prelude::*;

/// Every key that there is.
const COMPLETE: &str = include_str!("experiment_file/complete.toml");
const PYTHON: &str = include_str!("experiment_file/python.toml");

const fn mode(name: &'static str, can_pipeline: bool, can_rate: bool) -> BuiltinMode {
    BuiltinMode { name, summary: "", client: "", concurrency: "", can_pipeline, can_rate }
}

const MODES: [BuiltinMode; 5] = [
    mode("sync", false, true),
    mode("sync-pipe", true, false),
    mode("async", false, true),
    mode("async-pipe", true, false),
    mode("multiplexed", false, true),
];

fn source(name: &str, text: impl AsRef<[u8]>) -> Source {
    Source { name: name.to_owned(), directory: PathBuf::from("/experiments"), bytes: text.as_ref().to_vec() }
}

fn read(text: &str) -> Result<Experiment, Diagnostics> {
    parse(&source("sweep.toml", text), &[], &MODES)
}

fn good(text: &str) -> Experiment {
    read(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// What is said of a file that is wrong.
fn complaint(text: &str) -> String {
    read(text).expect_err("the file is wrong").to_string()
}

/// The same for a part of a file that is right otherwise.
fn complaint_of(part: &str) -> String {
    let name = if part.contains("name =") { "" } else { "name = \"n\"\n" };
    let matrix = if part.contains("[[matrix]]") { "" } else { "\n[[matrix]]\n" };
    complaint(&format!("{name}{part}{matrix}"))
}

fn complaint_with_include(main: &str, included: &str) -> String {
    let main = source("sweep.toml", main);
    let included = source("../drivers/python.toml", included);
    parse(&main, &[included], &MODES).expect_err("the files are wrong").to_string()
}

// ------------------------------------------------------------------------------------------- what a file may say

fn complete() -> (Source, Source) {
    let python = Source { directory: PathBuf::from("/drivers"), ..source("../drivers/python.toml", PYTHON) };
    (source("experiments/sweep.toml", COMPLETE), python)
}

#[test]
fn the_complete_example_is_read() {
    let (main, python) = complete();
    assert_eq!(includes(&main), [PathBuf::from("/experiments/../drivers/python.toml")]);
    let experiment = parse(&main, &[python], &MODES).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    insta::assert_debug_snapshot!(experiment);
}

#[test]
fn scratch() {
    for t in [
        "[workload]\nopertions = 3\nkind = 'set-gat'\nverify = 1\nvalue_bytes = -1\nlink='unx'\n[[matrix]]\nmodes = ['asinc', 'sync', 3]\nworkers = []\nhosts = ['lokal', {client='local'}]\n[run]\ntimeout = 5\n",
        "name = sweep\nx = 1\n",
        "name = = 3\n[a\nb = 1\n[c]\nd=2\nd=3\n",
        "name = \"abc\nx = [1,,2\ny = 1\n",
        "name='a'\n[server.x]\naddress='a:1'\npassword='hunter2'\nprogram='x'\n[[matrix]]\nworkload.pipeline=[1,4]\nworkers=[1,2]\n",
        "name='a'\n[[matrix]]\nworkload.pipeline=[1,4]\nworkers=[1,2]\nmodes='sync'\n[[matrix]]\nmodes=['sync','async']\nworkers=[2,3]\n",
        "name='a'\n[[matrix]]\nworkload.pipeline=[1,4]\nexclude=[{modes=['sync','async','multiplexed'],workload.pipeline=4}]\n[[matrix]]\nmodes=['sync','async']\nworkers=[1,3]\n",
    ] {
        println!(
            "================\n{t}----------------\n{}",
            read(t).map_or_else(|e| e.to_string(), |e| format!("{e:?}"))
        );
    }
}
