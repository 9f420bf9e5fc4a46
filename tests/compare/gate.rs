//! `--fail-on-slower` passes what was judged, and nothing else.

use crate::tables::{Place, Said, Table};

const MODES: [&str; 3] = ["async", "multiplexed", "sync"];
const GATE: [&str; 4] = ["base.csv", "new.csv", "--fail-on-slower", "5%"];

fn gate(base: &Table, new: &Table, more: &[&str]) -> Said {
    Place::with(base, new).compare(&[&GATE[..], more].concat())
}

#[test]
fn ten_times_slower_with_too_few_repetitions_does_not_pass() {
    // As many cells and repetitions as an experiment may have whose repetitions can never tell so many cells apart.
    let modes: Vec<String> = (0..11).map(|i| format!("mode-{i:02}")).collect();
    let modes: Vec<&str> = modes.iter().map(String::as_str).collect();
    let (base, new) = (Table::of("base", &modes, 5, 1.0), Table::of("new", &modes, 5, 0.1));
    let said = gate(&base, &new, &[]);
    assert_eq!(said.code, 4);
    let first = "error: 11 of 11 cells are undecided, and may be slower by more than 5%:\n  mode mode-00, workers 50: not \
                 enough repetitions (need n ≥ 6)\n";
    assert!(said.err.starts_with(first), "{}", said.err);
    let last =
        "\n  and 1 more\n  measure with at least 6 repetitions, or pass --allow-undecided to let them pass\n";
    assert!(said.err.ends_with(last), "{}", said.err);
    // Those who accept that are told all the same.
    let said = gate(&base, &new, &["--allow-undecided"]);
    assert_eq!(said.code, 0);
    assert!(said.err.starts_with("note: 11 of 11 cells are undecided"), "{}", said.err);
}

#[test]
fn a_cell_whose_trials_all_failed_does_not_pass() {
    let mut new = Table::of("new", &MODES, 10, 1.0);
    (0..new.rows.len()).step_by(3).for_each(|row| new.fail(row));
    let said = gate(&Table::of("base", &MODES, 10, 1.0), &new, &[]);
    assert_eq!(said.code, 4);
    assert!(said.err.contains("\n  mode async, workers 50: nothing measured\n"), "{}", said.err);
}

#[test]
fn a_mode_that_is_gone_does_not_pass_and_one_that_is_new_does() {
    let (all, fewer) = (Table::of("base", &MODES, 10, 1.0), Table::of("new", &MODES[..2], 10, 1.0));
    let said = gate(&all, &fewer, &[]);
    assert_eq!(said.code, 4);
    assert!(said.err.starts_with("error: 1 of 3 cells is undecided"), "{}", said.err);
    assert!(said.err.contains("\n  mode sync, workers 50: missing from NEW\n"), "{}", said.err);
    assert_eq!(gate(&fewer, &all, &[]).code, 0);
    assert_eq!(gate(&all, &fewer, &["--allow-undecided"]).code, 0);
    let said = gate(&all, &fewer, &["--json"]).json();
    assert_eq!(said["undecided"], serde_json::json!([{ "cell": "0000000000000002", "why": "only-in-base" }]));
}

#[test]
fn disturbed_trials_neither_fail_the_gate_nor_pass_it() {
    let (base, mut new) = (Table::of("base", &MODES, 10, 1.0), Table::of("new", &MODES, 10, 0.5));
    (0..3).for_each(|mode| new.flag(mode, 3, 9, "background-load"));
    let said = gate(&base, &new, &[]);
    assert_eq!(said.code, 4);
    assert!(said.err.contains("\n  mode sync, workers 50: undecided (disturbed)\n"), "{}", said.err);
}

#[test]
fn something_slower_outweighs_what_is_undecided() {
    let (base, mut new) = (Table::of("base", &MODES, 10, 1.0), Table::of("new", &MODES, 10, 0.5));
    (0..new.rows.len()).step_by(3).for_each(|row| new.fail(row));
    let said = gate(&base, &new, &[]);
    assert_eq!(said.code, 1);
    assert!(said.err.starts_with("error: 2 cells are slower by more than 5%"), "{}", said.err);
    assert!(said.err.contains("error: 1 of 3 cells is undecided"), "{}", said.err);
    assert_eq!(gate(&base, &new, &["--allow-undecided"]).code, 1);
}

#[test]
fn a_level_without_a_partner_is_not_gone() {
    let mut table = Table::of("run", &["async", "sync"], 10, 1.0);
    let only_async: Vec<Vec<String>> = table.rows.iter().step_by(2).cloned().collect();
    let first = table.rows.len();
    table.rows.extend(only_async);
    for row in first..table.rows.len() {
        table.set(row, "cell", "00000000000000ff");
        table.set(row, "workers_asked", "200");
    }
    let place = Place::new();
    place.write("run.csv", &table.text());
    let said = place.compare(&["run.csv", "--factor", "mode=async,sync", "--fail-on-slower", "5%"]);
    assert!(said.out.contains("only in base: workers 200"), "{}", said.out);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn an_interval_that_reaches_beyond_the_limit_passes_with_a_note() {
    let (base, mut new) = (Table::of("base", &MODES, 10, 1.0), Table::of("new", &MODES, 10, 1.0));
    for trial in 0..10 {
        let speed = [18_100, 21_000, 18_900, 20_400, 19_700, 18_300, 21_200, 19_100, 20_200, 19_900][trial];
        new.set(3 * trial, "ops_per_s", &speed.to_string());
    }
    let said = gate(&base, &new, &[]);
    assert_eq!(said.code, 0);
    assert_eq!(
        said.err,
        "note: in 1 of 3 cells a slowdown of more than 5% may have gone unseen, since its interval reaches that far: \
         (mode async, workers 50)\n"
    );
    let said = gate(&base, &new, &["--json"]).json();
    assert_eq!(said["may_be_slower_by_more"], serde_json::json!(["0000000000000000"]));
    assert_eq!(said["undecided"], serde_json::json!([]));
    // None of them could hide one of a half.
    assert_eq!(Place::with(&base, &new).compare(&["base.csv", "new.csv", "--fail-on-slower", "50%"]).err, "");
}

#[test]
fn allowing_what_is_undecided_takes_a_limit() {
    let table = Table::of("base", &MODES, 10, 1.0);
    let said = Place::with(&table, &table).compare(&["base.csv", "new.csv", "--allow-undecided"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("--fail-on-slower"), "{}", said.err);
}
