//! Which pictures there are, and what is in them.

use orchestrate::analysis::samples::Failure;
use orchestrate::record::Status;
use orchestrate::report::html;

use crate::support::{FAST, SLOW, articles, cell, report, section, with};

#[test]
fn of_more_than_eight_modes_the_colour_is_what_they_run_on() {
    let cells = (0..12).map(|i| {
        let runtime = if i % 3 == 0 { "CPython 3.11.7, asyncio" } else { "tokio 1.54.1 current-thread" };
        with(cell(&format!("mode{i}"), 1, &SLOW), &[("client_runtime", runtime)])
    });
    let section = section(cells.collect());
    let key: Vec<&str> = section.glance.key.iter().map(|key| key.name.as_str()).collect();
    assert_eq!(key, ["CPython", "tokio"]);
    assert_eq!(section.glance.figures[0].panels.len(), 1);
    assert_eq!(section.glance.figures[0].panels[0].rows.len(), 12);
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
    let report = report(cells);
    let ways = report.environment.iter().find(|table| table.caption.starts_with("Between hosts")).unwrap();
    assert_eq!(ways.rows, [["a", "b", "210", "200", "900"]]);
    let section = &report.sections[0];
    let panels: Vec<&str> =
        section.glance.figures[0].panels.iter().map(|panel| panel.title.as_str()).collect();
    assert_eq!(panels, ["hosts a", "hosts a → b"]);
    assert_eq!(section.rankings.len(), 2);
    let outlier = section.details.notes.iter().find(|note| note.word == "outlier").unwrap();
    assert_eq!(outlier.cells, "hosts a → b: async");
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
        vec![cell("sync", 1, &[5.0; 6]), cell("sync", 2, &[6.0; 6]), cell("sync", 3, &[7.0; 6])],
    ];
    for cells in cases {
        let report = report(cells);
        let page = html::html(&report);
        let body = &page[page.find("<body>").unwrap()..page.find("<script>").unwrap()];
        let drawn: String = articles(&report).into_iter().chain([body.to_owned()]).collect();
        assert!(!drawn.contains("NaN") && !drawn.contains("inf ") && !drawn.contains("\"inf"), "{drawn}");
        for section in &report.sections {
            assert!(!section.answer.text().is_empty() && !section.rankings.is_empty(), "{section:?}");
        }
    }
}

#[test]
fn a_figure_for_an_article_says_where_it_comes_from_and_how_it_is_read() {
    let report = report(vec![
        with(
            cell("sync", 1, &SLOW),
            &[("client_cpu", "EPYC, 2 CPUs"), ("client_os", "Debian 12"), ("server_version", "redis 7.0.15")],
        ),
        cell("async", 1, &FAST),
    ]);
    let throughput = articles(&report).remove(0);
    for said in [
        "small · EPYC, 2 CPUs, Debian 12 · redis 7.0.15",
        "bar: its 95% confidence interval",
        "fill=\"#ffffff\"",
    ] {
        assert!(throughput.contains(said), "{said}: {throughput}");
    }
    assert!(!throughput.contains("class="), "{throughput}");
}

#[test]
fn dots_are_thinned_to_the_lowest_the_highest_and_some_between() {
    let many: Vec<f64> = (0..5000).map(|i| 1000.0 + f64::from(i) / 100.0).collect();
    let section = section(vec![cell("sync", 1, &many), cell("sync", 2, &many), cell("sync", 3, &many)]);
    let figure = &section.glance.figures[0];
    let dots: Vec<f64> = figure.panels[0].series[0].dots.iter().map(|dot| dot.1).collect();
    assert_eq!((dots.len(), dots[0], dots[39]), (120, 1000.0, 1049.99));
    assert!(figure.caption.contains("At most 40 trials of a cell are drawn"), "{}", figure.caption);
}
