use orchestrate::record::{Flag, TrialRecord};
use orchestrate::report::table;
use orchestrate::results::rebuild::rebuild;

use crate::records::{Run, failed, ok, settings};

fn tables(records: &[TrialRecord]) -> (String, String) {
    let rebuilt = rebuild(&Run::of(records).path).unwrap();
    (table::text(&rebuilt.cells, &rebuilt.controls), table::markdown(&rebuilt.cells, &rebuilt.controls))
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
    insta::assert_snapshot!(text, @r"
     Mode    Workers    Best   Worst   Stdev
    ─────────────────────────────────────────
     sync          1    8655    8565    35.9
     async         1    5393    5352    14.7
     async       100   10770   10086   283.7

    operations/s; best, worst and sample standard deviation of 5 trials in each row
    ");
    insta::assert_snapshot!(markdown, @r"
    | Mode | Workers | Best | Worst | Stdev |
    | --- | ---: | ---: | ---: | ---: |
    | sync | 1 | 8655 | 8565 | 35.9 |
    | async | 1 | 5393 | 5352 | 14.7 |
    | async | 100 | 10770 | 10086 | 283.7 |

    operations/s; best, worst and sample standard deviation of 5 trials in each row
    ");
}

#[test]
fn what_varies_gets_a_column_and_what_to_mind_a_mark() {
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
    insta::assert_snapshot!(text, @r"
     Value bytes   Mode    Workers      Best     Worst     Stdev
    ───────────────────────────────────────────────────────────────────
           index   a|b           3         –         –         –   ‡
              16   sync          1    8655.1    8565.2      35.9   §
              16   async         1    5392.6    5352.4      14.7
              16   async     3 → 4      12.3      12.3         –
              16   async       100   10770.3   10086.0     283.7
            1024   sync          1   70000.0    8000.0   34698.7   † ‡

    operations/s; best, worst and sample standard deviation of 0 to 5 trials in each row
    † bimodal: the trials fall into two groups far apart (up to 8.8 to 1); do not quote this row
    ‡ 2 attempts failed; trials.csv says why
    § client-bound, in 1 trial: the client, or one thread of it, used over 90% of the CPU it can have; the number is about the client
    ");
    insta::assert_snapshot!(markdown, @r"
    | Value bytes | Mode | Workers | Best | Worst | Stdev |  |
    | ---: | --- | ---: | ---: | ---: | ---: | --- |
    | index | a\|b | 3 | – | – | – | ‡ |
    | 16 | sync | 1 | 8655.1 | 8565.2 | 35.9 | § |
    | 16 | async | 1 | 5392.6 | 5352.4 | 14.7 |  |
    | 16 | async | 3 → 4 | 12.3 | 12.3 | – |  |
    | 16 | async | 100 | 10770.3 | 10086.0 | 283.7 |  |
    | 1024 | sync | 1 | 70000.0 | 8000.0 | 34698.7 | † ‡ |

    operations/s; best, worst and sample standard deviation of 0 to 5 trials in each row

    † bimodal: the trials fall into two groups far apart (up to 8.8 to 1); do not quote this row

    ‡ 2 attempts failed; trials.csv says why

    § client-bound, in 1 trial: the client, or one thread of it, used over 90% of the CPU it can have; the number is about the client
    ");
}

#[test]
fn a_client_that_does_something_else_is_marked_and_its_words_are_said() {
    let mut other = ok(&settings("loader", 1), 1, 9000.0);
    other.client.as_mut().unwrap().comparability = Some("one key only".to_owned());
    let (text, markdown) = tables(&[ok(&settings("sync", 1), 1, 8000.0), other]);
    for table in [text, markdown] {
        let row = table.lines().find(|line| line.contains("loader") && line.contains("9000")).unwrap();
        let plain = table.lines().find(|line| line.contains("8000")).unwrap();
        assert!(row.contains('†') && !plain.contains('†'), "{table}");
        assert!(table.contains("† differs: ") && table.contains("(loader: one key only)"), "{table}");
    }
}

#[test]
fn no_cells_make_an_empty_table() {
    insta::assert_snapshot!(table::text(&[], &[]), @r"
     Mode   Workers   Best   Worst   Stdev
    ───────────────────────────────────────

    operations/s; best, worst and sample standard deviation of 0 trials in each row
    ");
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
    insta::assert_snapshot!(tables(&records).0, @r"
     Mode    Workers   Best   Worst   Stdev
    ────────────────────────────────────────────
     sync          1   8610    7900     286   ‡
     async         1   4900    4200     245   †

    operations/s; best, worst and sample standard deviation of 6 to 8 trials in each row
    † drift: throughput changed steadily while the run went on (−14.3% at most); early and late trials are not alike
    ‡ outlier, in 1 trial: far from the other trials of the row (modified z-score above 3.5); kept all the same
    ");
}

/// A cell, its control, and the table.
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
    tables(&records).0
}

#[test]
fn a_control_is_no_row_but_a_sentence() {
    let cell = [8_600.0, 8_700.0, 8_500.0, 8_650.0, 8_550.0];
    insta::assert_snapshot!(with_control(&cell, &cell.map(|speed| speed * 0.993)), @r"
     Mode   Workers   Best   Worst   Stdev
    ───────────────────────────────────────
     sync         1   8700    8500    79.1

    operations/s; best, worst and sample standard deviation of 5 trials in each row
    control: two cells that are the same (sync, 1 worker) differed by −0.7% [−2.4%, 1.0%]
    ");
    let differed = |control: &[f64]| with_control(&cell, control).lines().last().unwrap().to_owned();
    insta::assert_snapshot!(differed(&cell), @"control: two cells that are the same (sync, 1 worker) differed by 0.0% [−1.7%, 1.8%]");
    insta::assert_snapshot!(differed(&[8_800.0, 8_900.0]), @"control: two cells that are the same (sync, 1 worker) differed by 2.9%; for an interval of 95% each needs 5 trials");
}

#[test]
fn a_control_without_a_good_trial_shows_no_number() {
    let settings = settings("sync", 1);
    let mut twin = failed(&settings, 1, "no");
    twin.control_of = Some(std::mem::replace(&mut twin.cell, "00000000000000aa".to_owned()));
    let (text, _) = tables(&[twin, ok(&settings, 1, 8_600.0)]);
    insta::assert_snapshot!(text.lines().last().unwrap(), @"control: nothing is known of two cells that are the same (sync, 1 worker); trials.csv says why");
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
    let (_, markdown) = tables(&records);
    let rows = markdown.lines().filter(|line| line.starts_with("| ")).skip(2);
    let signs = rows.filter_map(|row| row.split(" | ").nth(5));
    let mut signs: Vec<&str> =
        signs.flat_map(|field| field.trim_end_matches(" |").split_whitespace()).collect();
    signs.sort_unstable();
    signs.dedup();
    let first_words = markdown.lines().filter_map(|line| line.split(' ').next());
    let is_sign = |word: &&str| !word.is_empty() && word.chars().all(|c| "†‡§¶‖#".contains(c));
    let mut told: Vec<&str> = first_words.filter(is_sign).collect();
    told.sort_unstable();
    assert_eq!((signs.len(), &signs), (3, &told), "{markdown}");
    assert!(!markdown.contains("unsteady-start") && !markdown.contains("other-clients"), "{markdown}");
}
