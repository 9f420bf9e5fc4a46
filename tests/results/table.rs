use orchestrate::record::{Flag, TrialRecord};
use orchestrate::report::table;
use orchestrate::results::rebuild::rebuild;

use crate::records::{Run, failed, ok, settings};

fn tables(records: &[TrialRecord]) -> (String, String) {
    let cells = rebuild(&Run::of(records).path).unwrap().cells;
    (table::text(&cells), table::markdown(&cells))
}

/// Best, worst and standard deviation are the article's; what was in between is chosen so that they come out.
fn article() -> Vec<TrialRecord> {
    let rows = [
        ("sync", 1, [8655.07, 8565.18, 8640.65, 8640.65, 8640.65]),
        ("async", 1, [5392.60, 5352.36, 5379.45, 5379.45, 5379.45]),
        ("async", 100, [10770.29, 10085.96, 10698.64, 10698.64, 10698.64]),
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
    § client-bound, in 1 trial: the client used over 90% of the CPU it can have; the number is about the client
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

    § client-bound, in 1 trial: the client used over 90% of the CPU it can have; the number is about the client
    ");
}

#[test]
fn no_cells_make_an_empty_table() {
    insta::assert_snapshot!(table::text(&[]), @r"
     Mode   Workers   Best   Worst   Stdev
    ───────────────────────────────────────

    operations/s; best, worst and sample standard deviation of 0 trials in each row
    ");
}
