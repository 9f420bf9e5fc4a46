//! What speaks against the numbers, and in which order it is said.

use orchestrate::analysis::samples::{Sample, Samples};
use orchestrate::report::{self, html};

use crate::support::{FAST, SLOW, cell, report, samples, section, with};

#[test]
fn three_trials_have_no_outlier() {
    let notes = section(vec![cell("sync", 1, &[1000.0, 1001.0, 1100.0])]).details.notes;
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn a_disturbed_block_is_told_with_whether_the_order_holds_without_it() {
    // Ten modes, each with its own height; in block 2 three of them are a fifth slower.
    let cells = |is_kept: bool| -> Vec<Sample> {
        (0..10)
            .map(|i| {
                let height = 1000.0 + 20.0 * f64::from(i);
                let values: Vec<f64> = (1..=6)
                    .map(|block| {
                        let is_low = block == 2 && i < 3;
                        let shift = if block > 3 && !is_kept && i == 9 { -300.0 } else { 0.0 };
                        if is_low { height * 0.8 } else { height + f64::from(block) + shift }
                    })
                    .collect();
                cell(&format!("mode{i}"), 1, &values)
            })
            .collect()
    };
    let trust = section(cells(true)).trust;
    assert!(
        trust.points[0].text().starts_with(
            "The machine was disturbed in 1 of 6 blocks. In block 2, 3 of 10 trials lie more than 10% below the median of their \
             cell, where a tenth would be tolerated; in the others, 0 of 50. The other blocks alone give the same order."
        ),
        "{:?}",
        trust.points[0]
    );
    assert_eq!(trust.order.unwrap().panels[0].series[1].dots.len(), 3);
}

#[test]
fn where_most_blocks_have_low_trials_none_is_called_disturbed() {
    // In four of six blocks, another two of ten modes each time are far below the others.
    let cells = (0..10).map(|i| {
        let values = (1..=6).map(|block| if block < 5 && (i + block) % 5 == 0 { 800.0 } else { 1000.0 });
        cell(&format!("mode{i}"), 1, &values.collect::<Vec<f64>>())
    });
    let trust = section(cells.collect()).trust;
    let words = "Trials scatter widely: in 4 of 6 blocks more than a tenth of them, 8 of 40, lie more than 10% below the median of \
                 their cell.";
    assert!(trust.points.iter().any(|point| point.text() == words), "{:?}", trust.points);
}

#[test]
fn with_nothing_to_say_there_is_one_line_and_no_box() {
    let report = report(vec![cell("sync", 1, &SLOW), cell("async", 1, &FAST)]);
    let trust = &report.sections[0].trust;
    assert!(
        trust.points.is_empty() && trust.otherwise.starts_with("Nothing speaks against these numbers"),
        "{trust:?}"
    );
    assert!(!html::html(&report).contains("class=\"doubts\""));
}

#[test]
fn runs_of_two_machines_with_one_name_show_the_newer_one_and_say_so() {
    let mut mixed = cell("sync", 1, &[SLOW, FAST].concat());
    let other = with(cell("sync", 1, &[]), &[("client_os", "Debian 13")]).label;
    mixed.others = vec![(1, other)];
    mixed.mixed = vec!["client_os"];
    for (i, trial) in mixed.trials.iter_mut().enumerate() {
        trial.run = u32::from(i >= 6);
        trial.repetition = (i % 6 + 1) as u32;
        trial.started_at_us = i as i64;
    }
    let samples = Samples { runs: vec!["old".to_owned(), "new".to_owned()], ..samples(vec![mixed]) };
    let section = &report::build(&samples, &[]).sections[0];
    assert!(section.answer.text().starts_with("sync: 2,011 operations/s"), "{}", section.answer.text());
    assert!(
        section.trust.points[0].text().starts_with(
            "Runs on different machines: only the trials of the newest run's machine are shown; those of run old are left out \
             (client_os differ)."
        ),
        "{:?}",
        section.trust
    );
}
