use std::path::Path;

use crate::tables::{Place, Table};

const MODES: [&str; 3] = ["async", "multiplexed", "sync"];

fn ships(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(name).display().to_string()
}

#[test]
fn the_table_says_what_is_faster_and_by_how_much() {
    let mut new = Table::of("new", &MODES, 12, 1.0);
    for row in 0..new.rows.len() {
        if row % 3 == 0 {
            new.set(row, "ops_per_s", &(18_000 + row).to_string());
        }
        new.set(row, "server_version", "redis 8.0.0");
    }
    let place = Place::with(&Table::of("base", &MODES, 12, 1.0), &new);
    let said = place.compare(&["base.csv", "new.csv"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    insta::assert_snapshot!("table", said.out);
    insta::assert_snapshot!("markdown", place.compare(&["base.csv", "new.csv", "--markdown"]).out);
    insta::assert_snapshot!("csv", place.compare(&["base.csv", "new.csv", "--csv"]).out);
    insta::assert_snapshot!(
        "json",
        place.compare(&["base.csv", "new.csv", "--json", "--fail-on-slower", "5%"]).out
    );
}

#[test]
fn every_run_that_ships_is_no_faster_than_itself() {
    for name in ["quickstart", "sweep", "clients", "asyncio-sweep", "asyncio-land"] {
        let run = ships(name);
        let said =
            Place::new().compare(&[&run, &run, "--json", "--fail-on-slower", "0%", "--allow-undecided"]);
        assert_eq!(said.code, 0, "{}", said.err);
        let document = said.json();
        assert!(document["only_in_base"].as_array().unwrap().is_empty());
        let cells = document["cells"].as_array().unwrap();
        assert!(cells.len() >= 9, "{name}");
        for cell in cells {
            assert_eq!(cell["ratio"], 1.0, "{cell}");
            assert!(
                ["no-difference-seen", "not-enough-repetitions", "disturbed"]
                    .contains(&cell["verdict"].as_str().unwrap())
            );
            assert!(cell["differs"].as_object().unwrap().is_empty(), "{cell}");
        }
    }
}

#[test]
fn slower_is_a_failure_where_that_was_asked_for() {
    let place = Place::with(&Table::of("base", &MODES, 12, 1.0), &Table::of("new", &MODES, 12, 0.9));
    assert_eq!(place.compare(&["base.csv", "new.csv"]).code, 0);
    let said = place.compare(&["base.csv", "new.csv", "--fail-on-slower", "5%"]);
    assert_eq!(said.code, 1);
    assert_eq!(said.err, "error: 3 cells are slower by more than 5%, judging by the intervals\n");
    assert_eq!(place.compare(&["base.csv", "new.csv", "--fail-on-slower", "10%"]).code, 0);
    assert_eq!(place.compare(&["new.csv", "base.csv", "--fail-on-slower", "0%"]).code, 0);
    // A latency that grew is slower too.
    let p99 = ["base.csv", "new.csv", "--metric", "latency_p99_us", "--fail-on-slower", "5%"];
    assert_eq!(place.compare(&p99).code, 1);
}

#[test]
fn two_levels_of_a_factor_are_compared_where_all_else_is_the_same() {
    let mut table = Table::of("run", &["async", "sync"], 12, 1.0);
    for row in (0..table.rows.len()).step_by(2) {
        table.set(row, "ops_per_s", &(30_000 + row).to_string());
    }
    let place = Place::new();
    place.write("run.csv", &table.text());
    assert_eq!(place.compare(&["run.csv", "--factor", "mode=sync,async", "--json"]).verdicts(), ["faster"]);
    assert_eq!(place.compare(&["run.csv", "--factor", "mode=async,sync", "--json"]).verdicts(), ["slower"]);
    // Where another setting differs there is no pair.
    for row in (0..table.rows.len()).step_by(2) {
        table.set(row, "pipeline", "10");
    }
    place.write("run.csv", &table.text());
    let said = place.compare(&["run.csv", "--factor", "mode=sync,async"]);
    assert_eq!(said.code, 2);
    assert!(
        said.out.contains("only in base: pipeline 1") && said.out.contains("only in new: pipeline 10"),
        "{}",
        said.out
    );
    let said = place.compare(&["run.csv", "--factor", "mode=sync,asink"]);
    assert_eq!(
        (said.code, said.err.as_str()),
        (2, "error: no trial has mode `asink`; there are async, sync\n")
    );
    let said = place.compare(&["run.csv", "--factor", "colour=red,blue"]);
    assert!(said.code == 2 && said.err.starts_with("error: `colour` is not a factor"), "{}", said.err);
}

#[test]
fn a_real_sweep_can_be_asked_about_one_factor() {
    let said = Place::new().compare(&[&ships("sweep"), "--factor", "workers=1,4", "--json"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let document = said.json();
    assert_eq!(document["factor"], "workers_asked");
    assert!(!document["cells"].as_array().unwrap().is_empty());
}

#[test]
fn what_is_on_one_side_only_is_listed() {
    let place = Place::with(&Table::of("base", &MODES, 6, 1.0), &Table::of("new", &MODES[..2], 6, 1.0));
    let there = place.compare(&["base.csv", "new.csv"]);
    assert!(there.out.ends_with("only in base: mode sync, workers 50\n"), "{}", there.out);
    let back = place.compare(&["new.csv", "base.csv", "--json"]).json();
    assert_eq!(back["only_in_new"][0]["mode"], "sync");
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let (base, mut new) = (Table::of("base", &MODES, 9, 1.0), Table::of("new", &MODES, 9, 0.97));
    let before = Place::with(&base, &new).compare(&["base.csv", "new.csv", "--csv"]).out;
    new.rows.reverse();
    assert_eq!(Place::with(&base, &new).compare(&["base.csv", "new.csv", "--csv"]).out, before);
}

#[test]
fn a_wrong_command_line_is_told_how() {
    let place = Place::with(&Table::of("base", &MODES, 1, 1.0), &Table::of("new", &MODES, 1, 1.0));
    for args in [
        &["base.csv"][..],
        &["base.csv", "new.csv", "new.csv"],
        &["base.csv", "--factor", "mode"],
        &["base.csv", "new.csv", "--metric", "speed"],
        &["base.csv", "new.csv", "--fail-on-slower", "5"],
        &["base.csv", "new.csv", "--csv", "--json"],
    ] {
        let said = place.compare(args);
        assert_eq!(said.code, 2, "{args:?}");
        assert!(said.err.starts_with("error: ") && said.out.is_empty(), "{args:?}: {}", said.err);
    }
}

#[test]
fn hosts_are_compared_where_each_cell_has_one_partner() {
    let place = Place::new();
    let run = ships("network");
    let said = place.compare(&[&run, "--factor", "hosts=a,a → b", "--csv"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.out.lines().count(), 11, "{}", said.out);
    // Of two hosts each way is a partner.
    let said = place.compare(&[&run, "--factor", "link=loopback,network"]);
    assert_eq!(said.code, 2);
    let none = "no cell with link `loopback` has exactly one partner with link `network` that is the same in all else";
    assert!(said.err.ends_with(&format!("{none}\n")), "{}", said.err);
}

#[test]
fn a_client_that_does_something_else_is_marked_with_its_words() {
    let mut base = Table::of("base", &MODES, 12, 1.0);
    for row in (1..base.rows.len()).step_by(3) {
        base.set(row, "comparability", "one key only");
    }
    let said = Place::with(&base, &base).compare(&["base.csv", "new.csv"]);
    let rows: Vec<&str> = said.out.lines().filter(|line| line.ends_with(" differs")).collect();
    assert_eq!(rows.len(), 1, "{}", said.out);
    assert!(rows[0].contains("multiplexed"), "{}", said.out);
    assert!(
        said.out.contains("differs: multiplexed does something other") && said.out.contains("(one key only)")
    );
}
