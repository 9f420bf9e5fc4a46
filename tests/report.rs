//! What a report says, and what it must never say.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use orchestrate::analysis::samples::{Failure, LABELS, Label, Latencies, Sample, Samples, Trial};
use orchestrate::record::{Flag, Status};
use orchestrate::report::{self, draw, html, markdown};

/// A cell of an experiment with these trials.
fn cell(mode: &str, workers: u32, values: &[f64]) -> Sample {
    let workers = workers.to_string();
    let value = |name: &&str| match *name {
        "experiment" => "small".to_owned(),
        "cell" => format!("{mode}-{workers}"),
        "mode" => mode.to_owned(),
        "workers_asked" | "workers" => workers.clone(),
        "client_host" | "server_host" => "here".to_owned(),
        "server" => "redis".to_owned(),
        _ => String::new(),
    };
    let trials = (1..).zip(values).map(|(repetition, ops_per_s)| Trial {
        repetition,
        position: repetition.into(),
        ops_per_s: *ops_per_s,
        ..Trial::default()
    });
    Sample {
        label: Label { values: LABELS.iter().map(value).collect() },
        trials: trials.collect(),
        ..Sample::default()
    }
}

/// The same cell with other labels.
fn with(mut cell: Sample, labels: &[(&str, &str)]) -> Sample {
    for (column, value) in labels {
        let at = LABELS.iter().position(|label| label == column).expect("it is a column");
        (*value).clone_into(&mut cell.label.values[at]);
    }
    cell
}

fn samples(cells: Vec<Sample>) -> Samples {
    Samples { runs: vec!["run-1".to_owned()], samples: cells, remarks: Vec::new() }
}

fn answer(cells: Vec<Sample>) -> String {
    report::build(&samples(cells), &[]).sections[0].answer.findings.join("\n")
}

const SLOW: [f64; 6] = [1000.0, 1010.0, 1020.0, 1015.0, 1005.0, 1012.0];
const FAST: [f64; 6] = [2000.0, 2010.0, 2020.0, 2015.0, 2005.0, 2012.0];
const ALIKE: [f64; 6] = [2001.0, 2011.0, 2021.0, 2016.0, 2004.0, 2013.0];

#[test]
fn a_winner_is_named_only_where_intervals_do_not_overlap() {
    let clear = answer(vec![cell("sync", 1, &SLOW), cell("async", 1, &FAST)]);
    assert!(clear.starts_with("async with 1 worker is the fastest of 2 cells"), "{clear}");
    let close = answer(vec![cell("sync", 1, &ALIKE), cell("async", 1, &FAST)]);
    assert!(close.starts_with("no single fastest"), "{close}");
    let peak = answer(vec![cell("sync", 1, &SLOW), cell("async", 1, &FAST), cell("async", 2, &ALIKE)]);
    assert!(peak.starts_with("async is the fastest: highest with 2 workers"), "{peak}");
}

#[test]
fn at_a_rate_the_answer_is_a_latency() {
    let at_rate = |mode: &str, medians: &[f64]| {
        let mut cell = with(cell(mode, 1, &[20.0; 6]), &[("rate", "20"), ("workload", "tasks")]);
        for (trial, p50_us) in cell.trials.iter_mut().zip(medians) {
            trial.latency = Some(Latencies { p50_us: *p50_us, ..Latencies::default() });
        }
        cell
    };
    let clear = answer(vec![at_rate("polls", &FAST), at_rate("blocks", &SLOW)]);
    assert_eq!(
        clear,
        "blocks with 1 worker has the lowest latency of 2 cells at this rate: median 1,011 µs, 95% interval 1,002–1,018."
    );
    let close = answer(vec![at_rate("one", &FAST), at_rate("other", &ALIKE)]);
    assert!(close.starts_with("no single lowest latency at this rate. The lowest is that of one"), "{close}");
    assert!(close.ends_with("other with 1 worker cannot be told apart from it."), "{close}");
    let mut late = at_rate("late", &SLOW);
    for trial in &mut late.trials {
        trial.flags = vec![Flag::BehindSchedule];
    }
    let report = report::build(&samples(vec![late, at_rate("blocks", &FAST)]), &[]);
    let answer = &report.sections[0].answer;
    assert!(
        answer.findings[0].contains("Left out: late with 1 worker (did not keep the rate)."),
        "{answer:?}"
    );
    let table = answer.latencies.as_ref().unwrap();
    assert_eq!((table.rows.len(), answer.peaks.is_none()), (2, true));
    assert!(table.columns.iter().any(|column| column.0 == "Due, tasks/s"), "{table:?}");
}

#[test]
fn three_trials_name_no_winner_however_far_apart_they_are() {
    let few = answer(vec![cell("sync", 1, &SLOW[..3]), cell("async", 1, &FAST[..3])]);
    assert!(few.contains("too few for an interval, so no cell is called the fastest"), "{few}");
    let one = answer(vec![cell("sync", 1, &SLOW[..1]), cell("async", 1, &FAST[..1])]);
    assert!(one.contains("a single trial") && one.contains("no cell is called the fastest"), "{one}");
    assert!(!one.contains("Every trial"), "{one}");
    // Nor does a cell with six win over one with three.
    let mixed = answer(vec![cell("sync", 1, &SLOW[..3]), cell("async", 1, &FAST)]);
    assert!(mixed.starts_with("no single fastest"), "{mixed}");
}

#[test]
fn a_bimodal_cell_is_never_quoted() {
    let two = [8000.0, 8100.0, 8050.0, 70000.0, 70100.0, 70050.0];
    let report = report::build(&samples(vec![cell("sync", 1, &SLOW), cell("async", 1, &two)]), &[]);
    let row = report.sections[0].table.rows.iter().find(|row| row[0] == "async").unwrap();
    assert_eq!(row[5..7], ["–", "–"], "{row:?}");
    assert!(report.sections[0].answer.findings[0].starts_with("no single fastest"), "{report:?}");
}

#[test]
fn a_small_report_as_a_model_and_as_markdown() {
    let mut flagged = cell("sync", 4, &SLOW);
    flagged.trials[0].flags = vec![Flag::ClientBound];
    let error = "the server counted 3 calls | not 4".to_owned();
    flagged.failures.push(Failure { run: 0, repetition: 7, status: Status::Failed, error });
    let cells =
        vec![cell("async", 4, &FAST), cell("async", 1, &SLOW[..2]), cell("sync", 1, &[900.0]), flagged];
    let report = report::build(&samples(cells), &[]);
    insta::assert_snapshot!("small_report_in_markdown", markdown::markdown(&report));
    insta::assert_snapshot!("small_report", serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn a_control_is_no_rival_and_tells_the_noise() {
    let control = with(cell("async", 1, &ALIKE), &[("cell", "other"), ("control_of", "async-1")]);
    let report = report::build(&samples(vec![cell("sync", 1, &SLOW), cell("async", 1, &FAST), control]), &[]);
    let section = &report.sections[0];
    assert!(
        section.answer.findings[0].starts_with("async with 1 worker is the fastest of 2 cells"),
        "{section:?}"
    );
    assert_eq!(section.table.rows.len(), 2);
    let note = section.notes.iter().find(|note| note.word == "control").unwrap();
    assert!(
        note.meaning.contains("medians of 2,011 and 2,012 operations/s, a difference of 0.0%"),
        "{note:?}"
    );
}

#[test]
fn a_control_tells_the_range_of_its_noise_and_not_only_its_middle() {
    let wide = [1000.0, 1300.0, 1012.0, 800.0, 1500.0, 1010.0];
    let control = with(cell("async", 1, &wide), &[("cell", "other"), ("control_of", "async-1")]);
    let report = report::build(&samples(vec![cell("async", 1, &SLOW), cell("sync", 1, &FAST), control]), &[]);
    let note = report.sections[0].notes.iter().find(|note| note.word == "control").unwrap();
    assert!(
        note.meaning.contains("95% interval −") && note.meaning.contains("within this range"),
        "{note:?}"
    );
    let few = with(cell("async", 1, &SLOW[..3]), &[("cell", "other"), ("control_of", "async-1")]);
    let report = report::build(&samples(vec![cell("async", 1, &SLOW), cell("sync", 1, &FAST), few]), &[]);
    let note = report.sections[0].notes.iter().find(|note| note.word == "control").unwrap();
    assert!(
        note.meaning.contains("without an interval") && !note.meaning.contains("may be noise"),
        "{note:?}"
    );
}

#[test]
fn three_trials_have_no_outlier() {
    let report = report::build(&samples(vec![cell("sync", 1, &[1000.0, 1001.0, 1100.0])]), &[]);
    assert!(report.sections[0].notes.is_empty(), "{:?}", report.sections[0].notes);
}

/// The last two columns of the row of a series in the table of peaks.
fn peak(report: &report::model::Report, series: &str) -> Vec<String> {
    let table = report.sections[0].answer.peaks.as_ref().expect("the workers vary");
    let at = table.columns.iter().position(|column| column.0 == "Series").expect("it is a column");
    let row = table.rows.iter().find(|row| row[at] == series).expect("every series has a row");
    row[row.len() - 2..].to_vec()
}

#[test]
fn no_series_is_lost_from_the_table_of_peaks() {
    let two = [8000.0, 8100.0, 8050.0, 70000.0, 70100.0, 70050.0];
    let cells = vec![
        cell("once", 1, &SLOW),
        cell("split", 1, &two),
        cell("split", 2, &two),
        cell("async", 1, &SLOW),
        cell("async", 2, &FAST),
        cell("async", 4, &SLOW),
        cell("rising", 1, &SLOW),
        cell("rising", 2, &FAST),
        cell("rising", 4, &two),
        cell("up", 1, &SLOW),
        cell("up", 2, &FAST),
    ];
    let report = report::build(&samples(cells), &[]);
    assert_eq!(peak(&report, "once"), ["nothing to compare it with", ""]);
    let both = "1 (bimodal, not to be quoted) and 2 (bimodal, not to be quoted)";
    assert_eq!(peak(&report, "split"), ["–", both]);
    assert_eq!(peak(&report, "async"), ["nothing: a clear peak", ""]);
    assert_eq!(peak(&report, "rising")[1], "4 (bimodal, not to be quoted)");
    // The highest at the edge of what was measured may not be the peak.
    assert_eq!(
        peak(&report, "up")[0],
        "nothing, but it is at the edge of the range: the peak may lie beyond"
    );
}

#[test]
fn a_cell_without_trials_is_named_in_the_answer() {
    let told = answer(vec![cell("sync", 1, &SLOW), cell("async", 1, &FAST), cell("gone", 1, &[])]);
    assert!(told.ends_with("Left out, because no trial of it ended well: gone with 1 worker."), "{told}");
}

#[test]
fn a_lead_that_rounds_to_nothing_has_no_factor() {
    let close: Vec<f64> = SLOW.iter().map(|value| value + 22.0).collect();
    let told = answer(vec![cell("sync", 1, &SLOW), cell("async", 1, &close)]);
    assert!(told.contains("is the fastest") && !told.contains("at least"), "{told}");
}

#[test]
fn a_client_that_does_something_else_never_wins() {
    let differs =
        |mode: &str, values: &[f64]| with(cell(mode, 1, values), &[("comparability", "one key only")]);
    let cells = || vec![cell("async", 1, &SLOW), differs("loader", &FAST)];
    let report = report::build(&samples([cells(), vec![cell("sync", 1, &[900.0; 6])]].concat()), &[]);
    let section = &report.sections[0];
    let told = &section.answer.findings[0];
    assert!(told.starts_with("async with 1 worker is the fastest of 2 cells"), "{told}");
    assert!(told.contains("Not ranked with these") && told.contains("loader"), "{told}");
    let note = section.notes.iter().find(|note| note.word == "differs").unwrap();
    assert!(note.meaning.contains("(one key only)") && note.cells == "loader with 1 worker", "{note:?}");
    let row = section.table.rows.iter().find(|row| row[0] == "loader").unwrap();
    assert_eq!(row.last().unwrap(), "differs");
    let alone = answer(vec![differs("loader", &FAST), differs("other", &SLOW)]);
    assert!(alone.contains("none is called the fastest. Measured were loader and other"), "{alone}");
}

#[test]
fn a_bimodal_cell_has_no_verdict_beside_another_picture() {
    let two: Vec<f64> = FAST[..3].iter().copied().chain(FAST[..3].iter().map(|value| value * 9.0)).collect();
    let on = |server: &str, mode: &str, values: &[f64]| {
        with(cell(mode, 1, values), &[("server", server), ("cell", &format!("{mode}{server}"))])
    };
    let cells = vec![
        on("redis", "async", &SLOW),
        on("redis", "sync", &SLOW),
        on("valkey", "async", &two),
        on("valkey", "sync", &SLOW),
    ];
    let report = report::build(&samples(cells), &[]);
    let answer = &report.sections[0].answer;
    let said = answer.findings.iter().find(|finding| finding.contains(" beside ")).unwrap();
    assert!(said.ends_with("no difference is seen in any of 1 cell; 1 cell left out as bimodal."), "{said}");
    let rows = &answer.beside.as_ref().unwrap().rows;
    let row = rows.iter().find(|row| row.contains(&"async".to_owned())).unwrap();
    assert_eq!(row[row.len() - 4..], ["–", "–", "–", "bimodal"], "{row:?}");
}

#[test]
fn two_hosts_are_two_pictures_and_how_far_they_are_apart_is_told() {
    let way = |client: &str, server: &str, values: &[f64], rtt_us: &[f64]| {
        let hosts = if client == server { client.to_owned() } else { format!("{client} → {server}") };
        let named = format!("{client}{server}");
        let labels = [("cell", &*named), ("client_host", client), ("server_host", server), ("hosts", &hosts)];
        let mut cell = with(cell("async", 1, values), &labels);
        for (trial, rtt_us) in cell.trials.iter_mut().zip(rtt_us) {
            trial.rtt_us = Some(*rtt_us);
        }
        cell
    };
    // The two cells of a block share its sample, which is one all the same.
    let other = way("a", "b", &[1500.0, 1510.0, 1505.0, 1502.0, 1508.0], &[200.0, 210.0, 900.0]);
    let other = with(other, &[("mode", "sync")]);
    let odd = [&SLOW[..5], &[1100.0]].concat();
    let cells = vec![way("a", "b", &odd, &[200.0, 210.0, 900.0]), other, way("a", "a", &FAST, &[])];
    let report = report::build(&samples(cells), &[]);
    let ways = report.environment.iter().find(|table| table.caption.starts_with("Between hosts")).unwrap();
    assert_eq!(ways.rows, [["a", "b", "210", "200", "900"]]);
    let section = &report.sections[0];
    let panels: Vec<&str> = section.figures[0].panels.iter().map(|panel| panel.title.as_str()).collect();
    assert_eq!(panels, ["hosts a", "hosts a → b"]);
    let outlier = section.notes.iter().find(|note| note.word == "outlier").unwrap();
    assert_eq!(outlier.cells, "hosts a → b: async with 1 worker");
}

#[test]
fn what_the_setting_does_by_which_pictures_differ_is_told() {
    let on = |server: &str, factor: f64, values: &[f64]| {
        let values: Vec<f64> = values.iter().map(|value| value * factor).collect();
        ["async", "sync"].map(|mode| {
            with(cell(mode, 1, &values), &[("server", server), ("cell", &format!("{mode}{server}"))])
        })
    };
    let told = |cells: &[[Sample; 2]]| {
        let report = report::build(&samples(cells.concat()), &[]);
        let answer = &report.sections[0].answer;
        let findings = answer.findings.iter().filter(|finding| finding.contains(" beside "));
        (
            findings.cloned().collect::<Vec<_>>().join("\n"),
            answer.beside.as_ref().map_or(0, |table| table.rows.len()),
        )
    };
    assert_eq!(
        told(&[on("redis", 1.0, &SLOW), on("valkey", 1.5, &SLOW), on("zedis", 0.5, &SLOW)]),
        (
            "server valkey beside server redis: faster in 2 of 2 cells (1.50 times as fast).\n\
             server zedis beside server redis: slower in 2 of 2 cells (0.50 times as fast)."
                .to_owned(),
            4
        )
    );
    let said = "server valkey beside server redis: no difference is seen in any of 2 cells.";
    assert_eq!(told(&[on("redis", 1.0, &SLOW), on("valkey", 1.0, &SLOW)]), (said.to_owned(), 2));
    let said = "server valkey beside server redis: too few trials to tell any of 2 cells apart, which takes 5 of each or more.";
    assert_eq!(told(&[on("redis", 1.0, &SLOW[..3]), on("valkey", 9.0, &SLOW[..3])]), (said.to_owned(), 2));
    // One picture, and such as differ in two settings.
    assert_eq!(told(&[on("redis", 1.0, &SLOW)]), (String::new(), 0));
    let other = on("valkey", 2.0, &SLOW).map(|cell| with(cell, &[("placement", "split")]));
    let third = on("valkey", 2.0, &SLOW).map(|cell| with(cell, &[("cell", "third"), ("placement", "free")]));
    assert_eq!(told(&[on("redis", 1.0, &SLOW), other, third]), (String::new(), 0));
}

#[test]
fn thin_and_broken_trials_draw_nothing_that_is_no_number() {
    let mut failed = cell("sync", 1, &[]);
    let error = "no".to_owned();
    failed.failures.push(Failure { run: 0, repetition: 1, status: Status::TimedOut, error });
    let cases = [
        vec![],
        vec![failed.clone()],
        vec![failed.clone(), cell("async", 1, &[5.0])],
        vec![cell("sync", 1, &[5.0]), cell("sync", 2, &[6.0])],
        vec![cell("sync", 1, &[5.0; 6]), cell("async", 1, &[5.0; 6])],
        vec![cell("sync", 1, &[f64::NAN, f64::INFINITY, 0.0, -1.0]), cell("sync", 2, &[6.0, f64::NAN])],
    ];
    for cells in cases {
        let report = report::build(&samples(cells), &[]);
        let page = html::html(&report);
        let body = &page[..page.find("<script>").unwrap()];
        let figures = report.sections.iter().flat_map(|section| &section.figures);
        let drawn: String = figures.map(draw::article).chain([body.to_owned()]).collect();
        assert!(!drawn.contains("NaN") && !drawn.contains("inf ") && !drawn.contains("\"inf"), "{drawn}");
        for section in &report.sections {
            assert!(!section.answer.findings.is_empty() && !section.not_drawn.is_empty(), "{section:?}");
        }
    }
}

#[test]
fn no_text_of_a_table_becomes_markup() {
    let hostile = "</script><img src=x onerror=alert(1)>\"'&|\u{1}";
    let mut sample = cell(hostile, 1, &SLOW);
    for value in &mut sample.label.values {
        *value = hostile.to_owned();
    }
    let error = hostile.to_owned();
    sample.failures.push(Failure { run: 0, repetition: 1, status: Status::Failed, error });
    let mut other = sample.clone();
    other.label.values[16] += "2";
    let mut samples = samples(vec![sample, other]);
    samples.runs = vec![hostile.to_owned()];
    samples.remarks = vec![hostile.to_owned()];
    let report = report::build(&samples, &[]);
    let page = html::html(&report);
    assert!(!page.contains("<img") && page.matches("</script>").count() == 1);
    for figure in report.sections.iter().flat_map(|section| &section.figures) {
        let svg = draw::article(figure);
        assert!(!svg.contains("<img"));
        #[cfg(feature = "png")]
        assert!(report::png::png(&svg).unwrap().starts_with(b"\x89PNG"));
    }
    assert!(!markdown::markdown(&report).contains("<img"));
}

#[test]
fn the_page_loads_nothing_and_is_the_same_for_the_same_trials() {
    let make =
        || html::html(&report::build(&samples(vec![cell("sync", 1, &SLOW), cell("async", 2, &FAST)]), &[]));
    let page = make();
    assert_eq!(page, make());
    assert!(page.contains("default-src 'none'"));
    for outside in ["http:", "https:", "url(", "@import", "src=", " style="] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn dots_are_thinned_to_the_lowest_the_highest_and_some_between() {
    let many: Vec<f64> = (0..5000).map(|i| 1000.0 + f64::from(i) / 100.0).collect();
    let report = report::build(&samples(vec![cell("sync", 1, &many), cell("sync", 2, &many)]), &[]);
    let figure = &report.sections[0].figures[0];
    let dots: Vec<f64> = figure.panels[0].series[0].dots.iter().map(|dot| dot.1).collect();
    assert_eq!((dots.len(), dots[0], dots[59]), (120, 1000.0, 1049.99));
    assert!(figure.caption.contains("at most 60 trials are drawn"), "{}", figure.caption);
}

fn orchestrate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_orchestrate"))
        .args(args)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("orchestrate can be started")
}

#[test]
fn a_table_alone_is_enough_and_the_page_says_what_it_lacks() {
    let directory = tempfile::tempdir().unwrap();
    let table = directory.path().join("mailed.csv");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quickstart/trials.csv"), &table)
        .unwrap();
    let page = directory.path().join("page.html");
    let output = orchestrate(&["report", table.to_str().unwrap(), "-o", page.to_str().unwrap(), "--figures"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(page).unwrap();
    for said in ["No latency quantiles", "No question", "Latency: no latency.csv", "redis 7.0.15"] {
        assert!(text.contains(said), "{said}");
    }
    assert!(directory.path().join("figures/quickstart-throughput.svg").is_file());
    let picture = fs::read(directory.path().join("figures/quickstart-throughput.png"));
    assert_eq!(picture.is_ok_and(|picture| picture.starts_with(b"\x89PNG")), cfg!(feature = "png"));
}

#[test]
fn many_runs_make_one_page_with_a_section_each() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("all.html");
    let output = orchestrate(&["report", "results", "-o", page.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(page).unwrap();
    for id in ["e-sweep", "e-clients", "e-asyncio-land", "e-asyncio-sweep", "e-quickstart"] {
        assert!(text.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    assert!(text.contains("At how many workers does each access mode peak?"));
    let runs = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/results")).unwrap();
    let runs = runs.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert!(text.len() < runs * 480_000, "{} of {runs} runs", text.len());
}

#[test]
fn what_cannot_be_read_is_a_sentence_and_makes_no_page() {
    let directory = tempfile::tempdir().unwrap();
    let page = directory.path().join("page.html");
    let output = orchestrate(&["report", "no/such/run", "-o", page.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such/run"));
    assert!(!page.exists());
}
