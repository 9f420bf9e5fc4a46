//! How a comparison is shown: what the sides are called, what comes first, and what a limit makes of it.

use crate::tables::{Place, Table};

fn two_modes() -> Place {
    let mut table = Table::of("run", &["async", "sync"], 12, 1.0);
    table.scale(0, 2, 1.5);
    let place = Place::new();
    place.write("run.csv", &table.text());
    place
}

#[test]
fn two_levels_name_the_sides() {
    let place = two_modes();
    let text = place.compare(&["run.csv", "--factor", "mode=sync,async"]).out;
    assert!(text.starts_with("base: mode sync\nnew:  mode async\n\n"), "{text}");
    let markdown = place.compare(&["run.csv", "--factor", "mode=sync,async", "--markdown"]).out;
    assert!(markdown.starts_with("Base: mode sync. New: mode async.\n\n| "), "{markdown}");
    let json = place.compare(&["run.csv", "--factor", "mode=sync,async", "--json"]).json();
    assert_eq!(json["sides"], serde_json::json!({ "base": "mode sync", "new": "mode async" }));
}

#[test]
fn a_factor_may_have_the_name_that_it_has_in_the_file() {
    let place = two_modes();
    for factor in ["mode", "modes"] {
        let said = place.compare(&["run.csv", "--factor", &format!("{factor}=sync,async"), "--json"]);
        assert_eq!((said.code, said.verdicts()), (0, vec!["faster".to_owned()]), "{}", said.err);
    }
    let mut table = Table::of("run", &["async", "sync"], 12, 1.0);
    for row in (0..table.rows.len()).step_by(2) {
        table.set(row, "mode", "sync");
        table.set(row, "server", "valkey");
    }
    place.write("servers.csv", &table.text());
    for factor in ["server", "servers"] {
        let said = place.compare(&["servers.csv", "--factor", &format!("{factor}=redis,valkey")]);
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.out.starts_with("base: server redis\nnew:  server valkey\n"), "{}", said.out);
    }
}

#[test]
fn labels_in_which_they_differ_name_the_sides_of_two_runs() {
    let table = Table::of("run", &["async", "sync"], 12, 1.0);
    let place = Place::new();
    for (run, labels) in
        [("base", r#"{ "commit": "a1", "machine": "x" }"#), ("new", r#"{ "commit": "b2", "machine": "x" }"#)]
    {
        place.write(&format!("{run}/trials.csv"), &table.text());
        place.write(
            &format!("{run}/run.json"),
            &format!(r#"{{ "sessions": [{{}}, {{ "labels": {labels} }}] }}"#),
        );
    }
    let said = place.compare(&["base", "new"]);
    assert!(said.out.starts_with("base: commit a1\nnew:  commit b2\n\n"), "{}{}", said.out, said.err);
    let same = place.compare(&["base", "base"]);
    assert!(!same.out.contains("base:"), "{}", same.out);
}

#[test]
fn clear_differences_come_first_and_the_largest_before_the_others() {
    let modes = ["a", "b", "c", "d", "e"];
    let mut new = Table::of("new", &modes, 12, 1.0);
    for (mode, factor) in [(1, 0.9), (2, 1.3), (3, 1.001), (4, 0.97)] {
        new.scale(mode, modes.len(), factor);
    }
    let place = Place::with(&Table::of("base", &modes, 12, 1.0), &new);
    let said = place.compare(&["base.csv", "new.csv", "--markdown"]).out;
    let rows: Vec<&str> =
        said.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()).collect();
    assert_eq!(rows, ["Mode", "---", "c", "b", "e", "d", "a"], "{said}");
    // For programs the order is that of the settings.
    let json = place.compare(&["base.csv", "new.csv", "--json"]).json();
    let cells = json["cells"].as_array().unwrap();
    assert_eq!(
        cells.iter().map(|cell| cell["settings"]["mode"].as_str().unwrap()).collect::<Vec<_>>(),
        modes
    );
}

#[test]
fn a_limit_is_answered_at_the_top_of_the_markdown() {
    let first = |n, factor, limit| {
        let base = Table::of("base", &["async", "sync"], n, 1.0);
        let place = Place::with(&base, &Table::of("new", &["async", "sync"], n, factor));
        let said = place.compare(&["base.csv", "new.csv", "--markdown", "--fail-on-slower", limit]);
        (said.code, said.out.split_once("\n| ").unwrap().0.to_owned())
    };
    assert_eq!(
        first(12, 1.0, "5%"),
        (0, "**Passed**: no cell was found to be slower by more than 5%.\n".to_owned())
    );
    assert_eq!(
        first(12, 0.9, "5%"),
        (1, "**Failed**: 2 cells are slower by more than 5%, judging by the intervals.\n".to_owned())
    );
    assert_eq!(
        first(3, 1.0, "5%"),
        (
            4,
            "**Undecided**: 2 of 2 cells are undecided, and may be slower by more than 5%:\n\n\
             - mode async, workers 50: not enough repetitions (need n ≥ 5)\n\
             - mode sync, workers 50: not enough repetitions (need n ≥ 5)\n"
                .to_owned()
        )
    );
}

#[test]
fn so_many_repetitions_as_are_needed_are_asked_for() {
    let base = Table::of("base", &["async", "sync"], 3, 1.0);
    let said = Place::with(&base, &base).compare(&["base.csv", "new.csv", "--fail-on-slower", "5%"]);
    assert_eq!(said.code, 4);
    assert!(
        said.err.contains("measure with at least 5 repetitions, or pass --allow-undecided"),
        "{}",
        said.err
    );
}

#[test]
fn what_a_table_of_others_has_in_it_controls_no_terminal() {
    let mut base = Table::of("run-1", &["sync"], 6, 1.0);
    for row in 0..base.rows.len() {
        base.set(row, "mode", "sy\u{1b}[2Jnc\u{9b}31m");
        base.set(row, "client", "'=HYPERLINK(\"http://h\")\u{202e}");
    }
    base.set(0, "flags", "no-such\u{1b}]0;title\u{7}");
    let mut new = base.clone();
    (0..new.rows.len()).for_each(|row| new.set(row, "run_id", "run-2"));
    let place = Place::with(&base, &new);
    for format in [&[][..], &["--markdown"], &["--json"], &["--csv"]] {
        let said = place.compare(&[&["base.csv", "new.csv"], format].concat());
        let said = said.out + &said.err;
        assert!(said.contains("sy [2Jnc 31m"), "{said}");
        assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
    }
    base.set(0, "repetition", "1\u{1b}[2J");
    place.write("base.csv", &base.text());
    let said = place.compare(&["base.csv", "new.csv"]).err;
    assert!(said.contains("`1 [2J`") && !said.contains('\u{1b}'), "{said:?}");
}
