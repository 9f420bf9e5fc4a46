//! The table at the end of a run, in a terminal and in Markdown.

use orchestrate::record::{Flag, TrialRecord};
use orchestrate::report::model::{CellsRow, CellsTable, Section, Sentence, Warning};
use orchestrate::report::{markdown, of_run, terminal};
use orchestrate::results::provenance::EndReason;
use orchestrate::results::rebuild::rebuild;

use crate::records::{Run, begin, end, failed, ok, session, settings, start};

fn section(records: &[TrialRecord]) -> Section {
    of_run(&rebuild(&Run::of(records).path).unwrap(), None).sections.remove(0)
}

fn tables(records: &[TrialRecord]) -> (String, String) {
    let Section { cells, details, .. } = section(records);
    (terminal::table(&cells, &details.notes, 100), markdown::cells(&cells, &details.notes))
}

/// The names of the columns, and the fields of each row with its warnings.
fn fields(table: &CellsTable) -> Vec<String> {
    let names = table.columns.iter().map(|column| column.name.clone()).collect::<Vec<_>>().join(" ");
    let row = |row: &CellsRow| {
        let warnings: Vec<String> = row.warnings.iter().map(Warning::text).collect();
        format!("{} | {}", row.fields.join(" "), warnings.join("; "))
    };
    std::iter::once(names).chain(table.rows.iter().map(row)).collect()
}

/// Best, worst and standard deviation are the article's; what was in between is chosen so that they come out.
fn article() -> Vec<TrialRecord> {
    let rows = [
        ("sync", 1, [8655.07, 8565.18, 8610.12, 8633.77, 8586.48]),
        ("async", 1, [5392.60, 5352.36, 5372.48, 5377.88, 5367.08]),
        ("async", 100, [10770.29, 10085.96, 10428.12, 10637.67, 10218.58]),
    ];
    let trials = |(mode, workers, speeds): (&str, u32, [f64; 5])| {
        let settings = settings(mode, workers);
        speeds.into_iter().zip(1..).map(move |(speed, repetition)| ok(&settings, repetition, speed))
    };
    rows.into_iter().flat_map(trials).collect()
}

#[test]
fn the_articles_table() {
    let (text, markdown) = tables(&article());
    insta::assert_snapshot!("the_articles_table", text);
    insta::assert_snapshot!("the_articles_table_in_markdown", markdown);
}

#[test]
fn what_varies_gets_a_column_and_what_to_be_warned_of_a_mark() {
    let mut records = article();
    let mut large = settings("sync", 1);
    large.workload.value_bytes = Some(1024);
    records.extend([70_000.0, 8_000.0, 66_000.0].into_iter().zip(1..).map(|(speed, i)| ok(&large, i, speed)));
    records.push(failed(&large, 4, "no"));
    records[0].flags = vec![Flag::ClientBound];
    let mut never = settings("a|b", 3);
    never.workload.value_bytes = None;
    records.push(failed(&never, 1, "no"));
    let mut divided = ok(&settings("async", 3), 1, 12.345);
    divided.client.as_mut().unwrap().workers = 4;
    records.push(divided);
    let (text, markdown) = tables(&records);
    insta::assert_snapshot!("what_varies_gets_a_column", text);
    insta::assert_snapshot!("what_varies_gets_a_column_in_markdown", markdown);
}

#[test]
fn a_client_that_does_something_else_is_marked_and_its_words_are_said() {
    let mut other = ok(&settings("loader", 1), 1, 9000.0);
    other.client.as_mut().unwrap().comparability = Some("one key only".to_owned());
    let (text, markdown) = tables(&[ok(&settings("sync", 1), 1, 8000.0), other]);
    let row = text.lines().find(|line| line.contains("loader") && line.contains("9,000")).unwrap();
    let plain = text.lines().find(|line| line.contains("8,000")).unwrap();
    assert!(row.contains('†') && !plain.contains('†'), "{text}");
    for table in [text, markdown] {
        assert!(table.contains("not like for like") && table.contains("(loader: one key only)"), "{table}");
    }
}

#[test]
fn an_outlier_and_a_drift_are_marked_and_said() {
    let (steady, drifting) = (settings("sync", 1), settings("async", 1));
    let mut records: Vec<TrialRecord> = [8_600.0, 8_610.0, 8_590.0, 8_605.0, 8_595.0, 7_900.0]
        .into_iter()
        .zip(1..)
        .map(|(speed, repetition)| ok(&steady, repetition, speed))
        .collect();
    records.extend((1..=8).map(|i| ok(&drifting, i, 5_000.0 - 100.0 * f64::from(i))));
    let rows = fields(&section(&records).cells);
    assert!(rows[1].ends_with("| outlier: 1 of 6") && rows[2].ends_with("| drifts"), "{rows:?}");
    let text = tables(&records).0;
    assert!(text.contains("drifts: Throughput changed steadily"), "{text}");
}

/// What is said of a cell and its control.
fn with_control(cell: &[f64], control: &[f64]) -> String {
    let settings = settings("sync", 1);
    let of = |speeds: &[f64]| -> Vec<TrialRecord> {
        speeds.iter().zip(1..).map(|(&speed, repetition)| ok(&settings, repetition, speed)).collect()
    };
    let (mut records, mut twins) = (of(cell), of(control));
    for twin in &mut twins {
        twin.control_of = Some(std::mem::replace(&mut twin.cell, "00000000000000aa".to_owned()));
    }
    // Whichever came first.
    records.splice(0..0, twins);
    let section = section(&records);
    assert_eq!(section.cells.rows.len(), 1, "a control has no row");
    section.details.notes.into_iter().map(|note| note.meaning).collect()
}

#[test]
fn a_control_has_no_row_but_a_sentence() {
    let cell = [8_600.0, 8_700.0, 8_500.0, 8_650.0, 8_550.0];
    let told = with_control(&cell, &cell.map(|speed| speed * 0.993));
    assert!(told.contains("a difference of −0.7%, 95% interval −2.4% to 1.0%"), "{told}");
    let told = with_control(&cell, &cell);
    assert!(told.contains("a difference of 0.0%, 95% interval −1.7% to 1.8%"), "{told}");
    let told = with_control(&cell, &[8_800.0, 8_900.0]);
    assert!(told.contains("a difference of 2.9%, without an interval"), "{told}");
}

#[test]
fn every_sign_has_a_note_and_every_note_a_row_with_its_sign() {
    let flags =
        [Flag::ClientBound, Flag::CpuSteal, Flag::BackgroundLoad, Flag::UnsteadyStart, Flag::OtherClients];
    let mut records: Vec<TrialRecord> = Vec::new();
    for (mode, count) in [("sync", 0), ("async", 1), ("multiplexed", 3)] {
        let settings = settings(mode, 1);
        for repetition in 1..=5 {
            let mut trial = ok(&settings, repetition, 8_600.0 + f64::from(repetition));
            trial.flags = flags[..count].to_vec();
            records.push(trial);
        }
    }
    // One trial of five that begins otherwise says nothing of its cell, and a control is no row.
    records[0].flags.push(Flag::UnsteadyStart);
    let mut twin = ok(&settings("sync", 1), 1, 8_600.0);
    twin.control_of = Some(std::mem::replace(&mut twin.cell, "00000000000000aa".to_owned()));
    twin.flags = vec![Flag::OtherClients];
    records.push(twin);
    let (text, _) = tables(&records);
    let rows = text
        .lines()
        .filter(|line| ["sync", "async", "multiplexed"].iter().any(|mode| line.starts_with(mode)));
    let is_sign = |word: &&str| !word.is_empty() && word.chars().all(|c| "†‡§¶‖#".contains(c));
    let mut signs: Vec<&str> = rows.flat_map(str::split_whitespace).filter(is_sign).collect();
    signs.sort_unstable();
    signs.dedup();
    let mut told: Vec<&str> =
        text.lines().filter_map(|line| line.split(' ').next()).filter(is_sign).collect();
    told.sort_unstable();
    assert_eq!((signs.len(), &signs), (3, &told), "{text}");
    assert!(!text.contains("unsteady start") && !text.contains("other clients"), "{text}");
}

#[test]
fn a_page_says_that_its_run_is_unfinished_until_it_is_complete() {
    let results = tempfile::tempdir().unwrap();
    let (directory, mut journal) = begin(results.path(), start());
    journal.trial(&ok(&settings("sync", 1), 1, 1000.0)).unwrap();
    let run_id = directory.path().file_name().unwrap().to_str().unwrap();
    let first_doubt = || {
        let section = of_run(&rebuild(directory.path()).unwrap(), None).sections.remove(0);
        section.trust.points.first().map(Sentence::text).unwrap_or_default()
    };
    let unfinished = format!(
        "Unfinished: not all of the 4 trials of run {run_id} were carried out. The same command continues it."
    );
    // Killed, and then interrupted when it went on.
    assert_eq!(first_doubt(), unfinished);
    journal.session(&session(run_id, 4)).unwrap();
    journal.end(&end(EndReason::Interrupted)).unwrap();
    assert_eq!(first_doubt(), unfinished);
    journal.session(&session(run_id, 4)).unwrap();
    journal.end(&end(EndReason::Complete)).unwrap();
    assert_ne!(first_doubt(), unfinished);
}
