//! The page, the terminal and Markdown are views of one model, and safe ones.

use orchestrate::analysis::samples::{Failure, Latencies, Sample};
use orchestrate::record::{Flag, Status};
use orchestrate::report::{self, html, markdown, terminal};

use crate::support::{FAST, SLOW, articles, cell, report, samples, section, with};

#[test]
fn a_small_report_as_a_model_and_as_its_views() {
    let mut flagged = cell("sync", 4, &SLOW);
    flagged.trials[0].flags = vec![Flag::ClientBound];
    let error = "the server counted 3 calls | not 4".to_owned();
    flagged.failures.push(Failure { run: 0, repetition: 7, status: Status::Failed, error });
    let cells =
        vec![cell("async", 4, &FAST), cell("async", 1, &SLOW[..2]), cell("sync", 1, &[900.0]), flagged];
    let report = report(cells);
    insta::assert_snapshot!("small_report_in_markdown", markdown::markdown(&report));
    insta::assert_snapshot!("small_report_in_a_terminal", terminal::text(&report.sections[0], 60));
    insta::assert_snapshot!("small_report", serde_json::to_string_pretty(&report).unwrap());
}

#[test]
fn no_line_is_wider_than_the_terminal_and_a_thousand_cells_are_a_head() {
    let cells: Vec<Sample> = (0..1000)
        .map(|i| {
            cell(
                &format!("a-mode-with-a-rather-long-name-{}", i / 10),
                1 + i % 10,
                &SLOW.map(|v| v * f64::from(1 + i)),
            )
        })
        .collect();
    let section = section(cells);
    for width in [60, 80, 120] {
        let text = terminal::text(&section, width);
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(width), "{width}: {text}");
        assert!(text.lines().count() < 60, "{text}");
        assert!(text.contains("The best 20 of 1,000 cells"), "{text}");
        assert!(text.contains("a-mode") && text.contains("95% CI"), "{text}");
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
    for svg in articles(&report) {
        assert!(!svg.contains("<img"));
        #[cfg(feature = "png")]
        assert!(orchestrate::report::png::png(&svg).unwrap().starts_with(b"\x89PNG"));
    }
    assert!(!markdown::markdown(&report).contains("<img"));
}

#[test]
fn the_page_loads_nothing_and_is_the_same_for_the_same_trials() {
    let make = || html::html(&report(vec![cell("sync", 1, &SLOW), cell("async", 2, &FAST)]));
    let page = make();
    assert_eq!(page, make());
    assert!(page.contains("default-src 'none'"));
    for outside in ["http:", "https:", "url(", "@import", "src=", " style="] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn no_heading_of_a_page_comes_twice() {
    let of = |experiment: &str| {
        let named =
            |sample: Sample| with(sample, &[("experiment", experiment), ("cell", &format!("{experiment}x"))]);
        [named(cell("sync", 1, &SLOW)), with(named(cell("async", 1, &FAST)), &[("cell", experiment)])]
    };
    for cells in [of("one").to_vec(), [of("one"), of("two")].concat()] {
        let page = html::html(&report(cells));
        let mut headings: Vec<&str> = Vec::new();
        for level in 1..=4 {
            for part in page.split(&format!("<h{level}")).skip(1) {
                headings.push(part.split_once('>').unwrap().1.split("</h").next().unwrap());
            }
        }
        let all = headings.len();
        headings.sort_unstable();
        headings.dedup();
        assert_eq!(headings.len(), all, "{headings:?}");
        assert_eq!(page.matches("<h1").count(), 1);
    }
}

#[test]
fn a_page_of_two_hundred_cells_is_no_larger_than_a_mail_may_be() {
    let cells: Vec<Sample> = (0..200)
        .map(|i| {
            let values: Vec<f64> = (0..20).map(|trial| 1000.0 + f64::from(i * 10 + trial)).collect();
            let mut cell = cell(&format!("mode-{}", i / 20), 1 + i % 20, &values);
            for trial in &mut cell.trials {
                trial.latency =
                    Some(Latencies { p50_us: 10.0 + trial.ops_per_s, p99_us: 99.0, ..Latencies::default() });
            }
            cell
        })
        .collect();
    let size = html::html(&report(cells)).len();
    assert!(size < 1_500_000, "{size}");
}
