//! What the report answers where a cell cannot be quoted or judged: it is named, and never passed over.

use crate::tables::{Place, Table};

const MODES: [&str; 2] = ["async", "sync"];

/// Two cells whose trials have these throughputs; rows of `async` are even, those of `sync` odd.
fn table(asynchronous: &[f64], sync: &[f64]) -> Table {
    let n = asynchronous.len().max(sync.len());
    let mut table = Table::of("run", &MODES, n, 1.0);
    for (place, values) in [asynchronous, sync].into_iter().enumerate() {
        for repetition in 0..n {
            let row = 2 * repetition + place;
            match values.get(repetition) {
                Some(value) => table.set(row, "ops_per_s", &value.to_string()),
                None => table.fail(row),
            }
        }
    }
    table
}

/// The first answer of the report on a table.
fn answer(table: &Table) -> String {
    let place = Place::new();
    place.write("run.csv", &table.text());
    let said = place.orchestrate(&["report", "run.csv", "--markdown"]);
    assert_eq!(said.code, 0, "{}", said.err);
    said.out
}

fn around(middle: f64, n: u32) -> Vec<f64> {
    (0..n).map(|i| middle + f64::from(i) / 10.0).collect()
}

#[test]
fn one_outlier_does_not_take_a_cell_out_of_the_comparison() {
    let mut sync = around(999.0, 10);
    sync[4] = 90.0;
    let said = answer(&table(&around(899.0, 10), &sync));
    assert!(said.contains("sync is the fastest: 999 operations/s"), "{said}");
    assert!(!said.contains("bimodal"), "{said}");
}

#[test]
fn a_cell_that_is_not_quoted_is_named_and_not_passed_over() {
    let sync = [around(999.0, 7), around(90.0, 3)].concat();
    let said = answer(&table(&around(899.0, 10), &sync));
    assert!(said.contains("No single fastest. async has the highest median"), "{said}");
    assert!(said.contains("Not compared with it: sync (bimodal, not quoted)."), "{said}");
    assert!(!said.contains("Not separated"), "{said}");
}

#[test]
fn a_cell_with_too_few_trials_is_called_that() {
    let said = answer(&table(&around(899.0, 10), &around(880.0, 3)));
    assert!(said.contains("Not compared with it: sync (too few trials to tell)."), "{said}");
    assert!(!said.contains("Not separated"), "{said}");
}
