use crate::tables::{Place, Table};

const MODES: [&str; 2] = ["async", "sync"];

fn good() -> Table {
    Table::of("base", &MODES, 6, 1.0)
}

/// What is said, with its exit code, when the new side is this text.
fn said(new: &str) -> String {
    let place = Place::with(&good(), &good());
    place.write("new.csv", new);
    let said = place.compare(&["base.csv", "new.csv"]);
    assert!(said.code == 0 || said.out.is_empty(), "{}", said.out);
    format!("{} {}", said.code, said.err)
}

#[test]
fn input_that_is_broken_is_one_clear_sentence() {
    let text = good().text();
    let header = text.lines().next().unwrap().to_owned();
    let mut no_mode = good();
    no_mode.without("mode");
    let number = |value: &str| {
        let mut table = good();
        table.set(3, "ops_per_s", value);
        table.text()
    };
    let place = Place::with(&good(), &good());
    let missing = place.compare(&["base.csv", "nothing.csv"]);
    let all = [
        format!("{} {}", missing.code, missing.err),
        said(""),
        said(&format!("{header}\n")),
        said(&header),
        said(&no_mode.text()),
        said(&text.replace(',', ";")),
        said(&number("NaN")),
        said(&number("inf")),
        said(&number("-1")),
        said(&text.replacen(",ok,", ",well,", 1)),
        said(&text[..text.len() - 40]),
    ];
    insta::assert_snapshot!(all.concat());
}

#[test]
fn one_trial_in_each_cell_is_not_enough_for_a_verdict() {
    let place = Place::with(&Table::of("base", &MODES, 1, 1.0), &Table::of("new", &MODES, 1, 0.5));
    let said = place.compare(&["base.csv", "new.csv", "--json", "--fail-on-slower", "5%"]);
    assert_eq!(said.code, 4);
    assert_eq!(said.verdicts(), ["not-enough-repetitions"; 2]);
    let cell = said.json()["cells"][0].clone();
    assert_eq!((cell["need_n"].as_u64(), cell["ratio"].as_f64()), (Some(5), Some(0.5)));
    assert!(cell["interval"].is_null() && cell["p"].is_null());
}

#[test]
fn where_all_trials_failed_there_is_no_ratio() {
    let mut new = good();
    (0..new.rows.len()).filter(|row| row % 2 == 0).for_each(|row| new.fail(row));
    let place = Place::with(&good(), &new);
    let said = place.compare(&["base.csv", "new.csv", "--json"]);
    assert_eq!(
        (said.code, said.verdicts()),
        (0, vec!["nothing-measured".to_owned(), "no-difference-seen".to_owned()])
    );
    let cell = said.json()["cells"][0].clone();
    assert!(cell["ratio"].is_null() && cell["new"]["median"].is_null());
    assert_eq!(cell["new"]["failed"], 6);
    assert!(place.compare(&["base.csv", "new.csv"]).out.contains("failures: attempts failed or timed out"));

    (0..new.rows.len()).for_each(|row| new.fail(row));
    let said = Place::with(&good(), &new).compare(&["base.csv", "new.csv"]);
    assert_eq!(said.code, 2);
    assert_eq!(said.err, "error: nothing to compare: no cell has ops_per_s on both sides\n");
}

#[test]
fn mixed_versions_and_two_groups_are_marked() {
    let mut new = good();
    new.set(0, "server_version", "redis 8.0.0");
    for row in [1, 3, 5] {
        new.set(row, "ops_per_s", &(90_000 + row).to_string());
    }
    let said = Place::with(&good(), &new).compare(&["base.csv", "new.csv", "--json"]).json();
    assert_eq!(said["cells"][0]["warnings"][0], "mixed");
    assert_eq!(said["cells"][0]["new"]["mixed"][0], "server_version");
    assert_eq!(said["cells"][1]["warnings"][0], "bimodal");
}

#[test]
fn the_same_run_twice_on_a_side_counts_once() {
    let place = Place::with(&good(), &good());
    place.write("copy.csv", &good().text());
    let said = place.compare(&["base.csv", "[cn]*.csv", "--json"]);
    assert_eq!(said.json()["cells"][0]["new"]["n"], 6);
    assert_eq!(said.err, "note: 12 rows of run base appeared more than once: each counts once\n");
}
