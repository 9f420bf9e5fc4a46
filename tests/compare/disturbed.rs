//! What flags of trials do to a verdict: between runs they take it away, within a run they stand beside it.

use crate::tables::{Place, Table};

const MODES: [&str; 2] = ["async", "sync"];

/// Ten trials of each mode; those of NEW are slower by a tenth.
fn runs() -> (Table, Table) {
    (Table::of("base", &MODES, 10, 1.0), Table::of("new", &MODES, 10, 0.9))
}

/// The verdict on `async`, where so many trials of NEW have these flags.
fn verdict_with(count: usize, flags: &str, args: &[&str]) -> String {
    let (base, mut new) = runs();
    new.flag(0, 2, count, flags);
    let said = Place::with(&base, &new).compare(&[&["base.csv", "new.csv", "--json"], args].concat());
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert_eq!(said.verdicts()[1], "slower", "the other cell is not disturbed");
    said.verdicts().remove(0)
}

#[test]
fn foreign_load_in_one_of_two_runs_is_no_slower_client() {
    let (base, mut new) = runs();
    new.flag(0, 2, 9, "foreign-load");
    new.flag(1, 2, 1, "throttled");
    let place = Place::with(&base, &new);
    let said = place.compare(&["base.csv", "new.csv"]);
    let row =
        |mode: &str| said.out.lines().find(|line| line.trim_start().starts_with(mode)).unwrap().to_owned();
    assert!(row("async").ends_with("undecided (disturbed)   background-load 0%/90%"), "{}", said.out);
    assert!(row("sync").contains("slower") && row("sync").ends_with("cpu-steal 0%/10%"), "{}", said.out);
    assert!(said.out.contains("\nbackground-load: other programs used the client's machine"), "{}", said.out);
    assert!(
        said.out.contains("\ndisturbed: more than 20% of the trials of a side are in doubt"),
        "{}",
        said.out
    );

    let markdown = place.compare(&["base.csv", "new.csv", "--markdown"]).out;
    assert!(markdown.contains("| undecided (disturbed) | background-load 0%/90% |"), "{markdown}");
    let csv = place.compare(&["base.csv", "new.csv", "--csv"]).out;
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let header = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let field = |name: &str| &row[header.iter().position(|column| column == name).unwrap()];
    assert_eq!([field("verdict"), field("warnings")], ["disturbed", "background-load"]);
    assert_eq!([field("disturbed_base"), field("disturbed_new")], ["0", "9"]);
    let cell = place.compare(&["base.csv", "new.csv", "--json"]).json()["cells"][0].clone();
    assert_eq!(cell["warnings"], serde_json::json!(["background-load"]));
    assert_eq!(cell["new"]["disturbed"], 9);
    assert_eq!(cell["new"]["doubts"], serde_json::json!({ "background-load": 9 }));
    // The disturbed side may as well be the base.
    assert_eq!(place.compare(&["new.csv", "base.csv", "--json"]).verdicts(), ["disturbed", "faster"]);
}

#[test]
fn what_disturbs_takes_a_verdict_away_and_no_other_flag_does() {
    for flag in
        ["background-load", "cpu-steal", "clock-disagrees", "not-placed", "uneven-clients", "other-clients"]
    {
        assert_eq!(verdict_with(3, flag, &[]), "disturbed", "{flag}");
        // A fifth of the trials does not move a median.
        assert_eq!(verdict_with(2, flag, &[]), "slower", "{flag}");
    }
    for flag in ["client-bound", "server-bound", "persistence", "behind-schedule"] {
        assert_eq!(verdict_with(10, flag, &[]), "slower", "{flag}");
    }
}

#[test]
fn a_doubtful_latency_says_nothing_of_throughput() {
    assert_eq!(verdict_with(10, "latency-doubtful", &[]), "slower");
    assert_eq!(verdict_with(10, "latency-doubtful", &["--metric", "latency_p99_us"]), "disturbed");
}

/// One run in which `sync` is faster by a tenth than `async`.
fn one_run() -> Table {
    let mut table = Table::of("run", &MODES, 10, 1.0);
    (0..10).for_each(|trial| table.set(2 * trial + 1, "ops_per_s", &(22_000 + trial).to_string()));
    table
}

fn within(table: &Table, levels: &str) -> Vec<String> {
    let place = Place::new();
    place.write("run.csv", &table.text());
    place.compare(&["run.csv", "--factor", levels, "--json"]).verdicts()
}

#[test]
fn within_a_run_a_verdict_stands_beside_its_warning() {
    let mut table = one_run();
    table.flag(0, 2, 10, "foreign-load");
    table.flag(1, 2, 10, "background-load");
    assert_eq!(within(&table, "mode=async,sync"), ["faster"]);
    let place = Place::new();
    place.write("run.csv", &table.text());
    let said = place.compare(&["run.csv", "--factor", "mode=async,sync"]).out;
    assert!(said.contains("faster    background-load 100%/100%"), "{said}");
    // Two levels from two runs are as far apart as two runs.
    (0..10).for_each(|trial| table.set(2 * trial, "run_id", "another"));
    assert_eq!(within(&table, "mode=async,sync"), ["disturbed"]);
}

#[test]
fn a_side_whose_clocks_disagree_never_wins() {
    let mut table = one_run();
    table.flag(1, 2, 5, "clock-disagrees");
    assert_eq!(within(&table, "mode=async,sync"), ["disturbed"]);
    assert_eq!(within(&table, "mode=sync,async"), ["disturbed"]);
    // It may lose.
    let mut table = one_run();
    table.flag(0, 2, 5, "clock-disagrees");
    assert_eq!(within(&table, "mode=async,sync"), ["faster"]);
}

fn answer(table: &Table) -> String {
    let place = Place::new();
    place.write("run.csv", &table.text());
    let said = place.orchestrate(&["report", "run.csv", "--markdown"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    said.out
}

#[test]
fn the_answer_of_a_report_warns_of_disturbed_trials() {
    let mut table = one_run();
    assert!(!answer(&table).contains("were disturbed"));
    table.flag(0, 2, 4, "background-load");
    let said = answer(&table);
    assert!(said.contains("sync is the fastest"), "{said}");
    assert!(
        said.contains("- **4 of 20 trials are flagged as disturbed or outlying** (background load: 4)."),
        "{said}"
    );
    assert!(said.contains("| background load: 4 of 10 |"), "{said}");
}

#[test]
fn a_cell_whose_clocks_disagree_is_not_the_fastest() {
    let mut table = one_run();
    table.flag(1, 2, 5, "clock-disagrees");
    let said = answer(&table);
    assert!(!said.contains("is the fastest"), "{said}");
    assert!(said.contains("in 5 of its 10 trials two clocks disagree about the elapsed time"), "{said}");
}

#[test]
fn nor_is_it_the_peak_of_its_series() {
    let mut table = Table::of("run", &MODES, 10, 1.0);
    for trial in 0..10 {
        table.set(2 * trial + 1, "mode", "async");
        table.set(2 * trial + 1, "workers_asked", "100");
        table.set(2 * trial + 1, "ops_per_s", &(22_000 + trial).to_string());
    }
    let page = |table: &Table| {
        let place = Place::new();
        place.write("run.csv", &table.text());
        assert_eq!(place.orchestrate(&["report", "run.csv", "-o", "page.html"]).code, 0);
        place.read("page.html")
    };
    assert!(!page(&table).contains("not judged"));
    table.flag(1, 2, 5, "clock-disagrees");
    assert!(page(&table).contains("not judged: its clocks disagree"));
}
