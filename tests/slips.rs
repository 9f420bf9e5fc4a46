//! Slips that people make in their first experiment files: each is named once, where it is, with what to write instead.

use std::path::PathBuf;

use orchestrate::driver::BUILTIN;
use orchestrate::experiment::{Directory, Source, parse};

const WORKLOAD: &str = "name = 'first'\n[workload]\noperations = 100\n";
const MATRIX: &str = "[[matrix]]\nmodes = 'sync'\nworkers = 1\n";

/// What is said of each of these files.
fn complaints<T: AsRef<str>>(files: &[T]) -> String {
    let said = files.iter().map(|text| {
        let bytes = text.as_ref().as_bytes().to_vec();
        let source = Source {
            name: "first.toml".to_owned(),
            directory: Directory::Path(PathBuf::from("/experiments")),
            bytes,
        };
        parse(&source, &[], &BUILTIN).expect_err(text.as_ref()).to_string()
    });
    said.collect::<Vec<_>>().join("\n\n")
}

/// A file whose matrix and whose [run] hold these lines.
fn file(matrix: &str, run: &str) -> String {
    format!("{WORKLOAD}{MATRIX}{matrix}[run]\nretries = 0\n{run}")
}

#[test]
fn a_wrong_part_of_a_value_makes_no_other_part_missing() {
    insta::assert_snapshot!(complaints(&[
        file("", "repetitions = { min = 5, max = 9, until = 2 }\n"),
        file("hosts = { client = 0, server = 1 }\n", ""),
        format!("{WORKLOAD}[[matrix]]\nmodes = 'sync'\nworkers = {{ from = 0.1, to = 3, points = 2 }}\n"),
        format!("{WORKLOAD}[[matrix]]\nmodes = 'sync'\nworkers = {{ from = 1, to = 3, step = -1 }}\n"),
    ]));
}

#[test]
fn a_key_in_the_wrong_table_is_told_where_it_belongs() {
    insta::assert_snapshot!(complaints(&[
        format!("duration = '1s'\n{WORKLOAD}workers = 3\nrepetitions = 3\n{MATRIX}"),
        file("pipeline = 4\n'workload.rate' = 3\nserver = 'redis'\ntarget = 'box'\n", "duration = '1s'\n"),
        file("repetitions = 3\npositions = 3\n", "worker = 1\n"),
    ]));
}

#[test]
fn a_list_that_is_not_closed_is_named_where_it_begins() {
    insta::assert_snapshot!(complaints(&[
        format!("{WORKLOAD}[[matrix]]\nmodes = ['sync', 'async'\nworkers = [1, 2]\n[run]\nrepetitions = 3\n"),
        format!(
            "{WORKLOAD}[[matrix]]\n# a list [\nmodes = [\n  'sync', # not ]\n  \"]\"\n[run]\nrepetitions = 3\n"
        ),
        format!("{WORKLOAD}[[matrix]]\nmodes = 'sync'\nworkers = {{ from = 1, to = 3\nhosts = 'local'\n"),
    ]));
}

#[test]
fn a_value_that_is_not_toml_is_told_how_to_be_written() {
    insta::assert_snapshot!(complaints(&[format!(
        "name = “first”\n[workload]\noperations = 20k\nkeys = 3M\nduration = 200ms\nkind = set-get\n{MATRIX}"
    )]));
}

#[test]
fn a_name_that_is_too_long_is_told_how_long_it_may_be() {
    insta::assert_snapshot!(complaints(&[format!("name = '{}'\n{MATRIX}", "a".repeat(101))]));
}

#[test]
fn a_load_generator_is_refused_what_it_cannot_do_before_anything_starts() {
    let mode = "[mode.bench]\nload_generator = 'redis-benchmark'\n[[matrix]]\nmodes = ['sync', 'bench']\n";
    insta::assert_snapshot!(complaints(&[
        format!("name = 'first'\n[workload]\nduration = '1s'\n{mode}"),
        format!("{WORKLOAD}rate = 100\n{mode}"),
    ]));
}

#[test]
fn a_key_of_too_many_parts_is_shown_on_its_line() {
    insta::assert_snapshot!(complaints(&[format!(
        "name = 'first'\n{MATRIX}{} = 1\n",
        vec!["a"; 200_000].join(".")
    )]));
}
