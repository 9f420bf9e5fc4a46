//! What two early runs of shipped experiments say of their first blocks, which were slower.

use std::path::Path;

use orchestrate::analysis::first_block::{FirstBlock, first_block};
use orchestrate::report::build;
use orchestrate::results::read::samples;

fn of(run: &str) -> (FirstBlock, String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/first-block").join(run);
    let read = samples(&[path]).unwrap();
    let cells: Vec<Vec<(u32, f64)>> = read
        .samples
        .iter()
        .map(|sample| sample.trials.iter().map(|trial| (trial.repetition, trial.ops_per_s)).collect())
        .collect();
    let found = first_block(cells.iter().map(Vec::as_slice)).unwrap();
    let report = build(&read, &[]);
    let notes: Vec<String> = report
        .sections
        .into_iter()
        .flat_map(|section| section.details.notes)
        .filter(|note| note.word == "first block")
        .map(|note| note.meaning)
        .collect();
    (found, notes.join("\n"))
}

#[test]
fn a_first_block_that_was_slower_is_found_in_the_runs_that_have_one() {
    let (land, said) = of("asyncio-land.csv");
    assert_eq!((land.cells, land.slower, land.matters()), (18, 17, true));
    assert!(
        said.contains(
            "the first block was 11.3% slower than the others, median over cells (slower in 17 of 18"
        ),
        "{said}"
    );
    let (sweep, said) = of("sweep.csv");
    assert_eq!((sweep.cells, sweep.slower, sweep.matters()), (54, 43, true));
    assert!(said.contains("5.3% slower") && said.contains("p < 0.0001"), "{said}");
}

#[test]
fn a_run_with_an_ordinary_first_block_says_nothing() {
    let (found, said) = of("../quickstart/trials.csv");
    assert!(!found.matters() && said.is_empty(), "{found:?} {said}");
}
