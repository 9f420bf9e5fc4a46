//! What an operation costs is compared like throughput, in words of its own.

use crate::tables::{Place, Table};

/// A client that needs so many seconds of CPU time for 20,000 operations, more or less.
fn table(name: &str, cpu_s: f64) -> Table {
    let mut table = Table::of(name, &["async", "sync"], 12, 1.0);
    for row in 0..table.rows.len() {
        table.set(row, "operations", "20000");
        table.set(row, "client_cpu_s", &(cpu_s * (1.0 + row as f64 / 1_000.0)).to_string());
    }
    table
}

#[test]
fn a_client_that_needs_more_cpu_time_costs_more_and_is_not_called_slower() {
    let place = Place::with(&table("base", 0.5), &table("new", 0.6));
    let metric = ["--metric", "client_cpu_us_per_op", "--fail-on-slower", "5%"];
    let said = place.compare(&[&["base.csv", "new.csv"][..], &metric, &["--json"]].concat());
    assert_eq!(said.code, 1);
    assert_eq!(said.err, "error: 2 cells are higher by more than 5%, judging by the intervals\n");
    for cell in said.json()["cells"].as_array().unwrap() {
        assert_eq!(cell["verdict"], "more");
        let median = cell["base"]["median"].as_f64().unwrap();
        assert!((25.0..26.0).contains(&median), "0.5 s for 20,000 operations are 25 µs each: {median}");
    }
    let said = place.compare(&[&["new.csv", "base.csv"][..], &metric].concat());
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains("Base µs") && said.out.contains("below 1 is less"), "{}", said.out);
}

#[test]
fn a_cost_that_a_table_does_not_tell_is_not_measured() {
    let silent = |name: &str| {
        let mut table = table(name, 0.5);
        table.without("client_cpu_s");
        table
    };
    let place = Place::with(&silent("base"), &silent("new"));
    let metric = ["base.csv", "new.csv", "--metric", "client_cpu_us_per_op", "--json"];
    for cell in place.compare(&metric).json()["cells"].as_array().unwrap() {
        assert_eq!(
            (&cell["verdict"], &cell["base"]["median"]),
            (&"nothing-measured".into(), &serde_json::Value::Null)
        );
    }
}
