//! What is called the fastest, and what never is.

use orchestrate::analysis::samples::{Latencies, Sample};
use orchestrate::record::Flag;
use orchestrate::report::model::Sentence;

use crate::support::{ALIKE, FAST, SLOW, answer, cell, names, section, with};

#[test]
fn a_winner_is_named_only_where_intervals_do_not_overlap() {
    let clear = answer(vec![cell("sync", 1, &SLOW), cell("async", 1, &FAST)]);
    assert_eq!(
        clear,
        "async is the fastest: 2,011 operations/s (95% confidence interval 2,002 to 2,018). That is 1.99 times the next, sync (95% \
         confidence interval of the ratio 1.98 to 2.0)."
    );
    let close = answer(vec![cell("sync", 1, &ALIKE), cell("async", 1, &FAST)]);
    assert!(
        close.starts_with("No single fastest. sync has the highest median: 2,012 operations/s"),
        "{close}"
    );
    assert!(close.ends_with("Not separated from it, as intervals overlap: async."), "{close}");
    let peak = answer(vec![cell("sync", 1, &SLOW), cell("async", 1, &FAST), cell("async", 2, &ALIKE)]);
    assert!(peak.starts_with("async is the fastest: 2,012 operations/s with 2 workers"), "{peak}");
    assert!(peak.contains("with 2 workers (95% confidence interval 2,002 to 2,019). Not separated from that, as intervals overlap: 1 worker. "), "{peak}");
}

#[test]
fn a_sweep_tells_who_peaks_highest_and_from_where_on_the_others_do() {
    let scaled = |factor: f64| FAST.map(|value| value * factor);
    let mut cells = Vec::new();
    for (workers, factor) in [(1, 0.5), (10, 1.0), (100, 2.0)] {
        cells.push(cell("multiplexed", workers, &scaled(factor)));
        cells.push(cell("async", workers, &scaled(factor.min(0.9))));
        cells.push(cell("sync", workers, &scaled(0.4)));
    }
    let told = answer(cells);
    assert!(
        told.starts_with(
            "multiplexed rises highest: 4,022 operations/s with 100 workers, where the sweep ends"
        ),
        "{told}"
    );
    assert!(told.contains("That is 2.2 times the peak of the next, async with 10"), "{told}");
    assert!(
        told.contains(
            "None of the others is measurably faster than with 1 to 10 workers, depending on which."
        ),
        "{told}"
    );
    // At 1 worker async is throttled as multiplexed is, and both have the same trials.
    assert!(
        told.ends_with(
            "The fastest, level by level: no single one with 1 worker; multiplexed with 10 to 100 workers."
        ),
        "{told}"
    );
}

#[test]
fn somebody_with_one_worker_learns_what_is_the_fastest_for_one() {
    let scaled = |factor: f64| FAST.map(|value| value * factor);
    let many = || [cell("multiplexed", 50, &scaled(3.0)), cell("sync", 50, &FAST)];
    let of = |one: [Sample; 2]| answer(many().into_iter().chain(one).collect());
    let told = of([cell("multiplexed", 1, &SLOW), cell("sync", 1, &FAST)]);
    assert!(told.starts_with("multiplexed is the fastest: 6,033 operations/s with 50 workers"), "{told}");
    assert!(
        told.ends_with(
            " With 1 worker, sync is the fastest: 2,011 operations/s (95% confidence interval 2,002 to 2,018), 1.99 times the \
             next, multiplexed."
        ),
        "{told}"
    );
    let told = of([cell("multiplexed", 1, &ALIKE), cell("sync", 1, &FAST)]);
    assert!(
        told.ends_with(
            " With 1 worker, none is clearly fastest: multiplexed has the highest median, 2,012 operations/s (95% confidence \
             interval 2,002 to 2,019); not separated from it: sync."
        ),
        "{told}"
    );
    // With nothing to compare it with, a lone mode is not the fastest of anything.
    let told = answer(many().into_iter().chain([cell("sync", 1, &FAST)]).collect());
    assert!(!told.contains("With 1 worker"), "{told}");
}

#[test]
fn a_sweep_whose_winner_is_ahead_everywhere_says_so_in_one_sentence() {
    let sweep = |places: &[(u32, bool)]| {
        let of = |&(workers, is_ahead): &(u32, bool)| {
            let (fast, slow) = if is_ahead { ("a", "b") } else { ("b", "a") };
            [cell(fast, workers, &FAST.map(|v| v * f64::from(workers))), cell(slow, workers, &SLOW)]
        };
        answer(places.iter().flat_map(of).collect())
    };
    let told = sweep(&[(1, true), (2, true), (3, true)]);
    assert!(told.ends_with("a is the fastest all the way from 1 to 3 workers."), "{told}");
    // Where one trial was lost, nobody knows.
    let few = [cell("a", 2, &FAST[..1]), cell("b", 2, &SLOW[..1])];
    let of =
        |workers: u32| [cell("a", workers, &FAST.map(|v| v * f64::from(workers))), cell("b", workers, &SLOW)];
    let told = answer([of(1), few, of(3), of(4)].into_iter().flatten().collect());
    assert!(
        told.ends_with(
            "The fastest, level by level: a with 1 worker; no single one with 2 workers; a with 3 to 4 workers."
        ),
        "{told}"
    );
    let told = sweep(&[(1, true), (2, false), (3, true), (4, false), (5, true)]);
    assert!(
        told.ends_with("The fastest at the 5 levels from 1 to 5 workers: a (3 levels), b (2)."),
        "{told}"
    );
}

fn at_rate(mode: &str, rate: &str, medians: &[f64]) -> Sample {
    let named = format!("{mode}-{rate}");
    let labels = [("rate", rate), ("workload", "tasks"), ("cell", named.as_str())];
    let mut cell = with(cell(mode, 1, &[20.0; 6]), &labels);
    for (trial, p50_us) in cell.trials.iter_mut().zip(medians) {
        trial.latency = Some(Latencies { p50_us: *p50_us, p99_us: 3.0 * p50_us, ..Latencies::default() });
    }
    cell
}

fn late(mut cell: Sample) -> Sample {
    for trial in &mut cell.trials {
        trial.flags = vec![Flag::BehindSchedule];
    }
    cell
}

#[test]
fn at_a_rate_the_answer_is_a_latency() {
    let clear = section(vec![at_rate("polls", "20", &FAST), at_rate("blocks", "20", &SLOW)]);
    let told = clear.answer.text();
    assert!(
        told.starts_with(
            "blocks has the lowest median latency at this rate: 1,011 µs (95% confidence interval 1,002 to 1,018). The next, polls, \
             takes 1.99 times as long"
        ),
        "{told}"
    );
    assert_eq!(names(&clear.rankings[0]), ["1 blocks", "2 polls"]);
    let drawn: Vec<&str> = clear.glance.figures.iter().map(|figure| figure.title.as_str()).collect();
    assert!(!drawn.contains(&"Throughput") && drawn.contains(&"Median latency"), "{drawn:?}");
    let close = answer(vec![at_rate("one", "20", &FAST), at_rate("other", "20", &ALIKE)]);
    assert!(close.starts_with("No single lowest latency at this rate. one has the lowest"), "{close}");
    assert!(close.ends_with("Not separated from it, as intervals overlap: other."), "{close}");
    let told = answer(vec![late(at_rate("late", "20", &SLOW)), at_rate("blocks", "20", &FAST)]);
    assert!(told.ends_with("Left out: late (did not keep the rate)."), "{told}");
}

#[test]
fn where_the_rate_varies_the_highest_that_is_kept_is_the_result() {
    let mut cells = Vec::new();
    for (rate, is_late) in [("100", false), ("200", false), ("400", true)] {
        cells.push(at_rate("strong", rate, &SLOW));
        let weak = at_rate("weak", rate, &FAST);
        cells.push(if is_late { late(weak) } else { weak });
    }
    let section = section(cells);
    let told = section.answer.text();
    assert!(told.starts_with("strong keeps the highest rate: 400 tasks/s."), "{told}");
    assert!(told.contains("Next, weak keeps 200 tasks/s."), "{told}");
    assert_eq!(names(&section.rankings[0]), ["1 strong", "2 weak"]);
    assert_eq!(section.rankings[0].groups[1].rows[0].lanes[0].at, "200");
    let latency = section.glance.figures.iter().find(|figure| figure.title == "Median latency").unwrap();
    assert_eq!(latency.x.label, "operations/s that are due");
}

#[test]
fn three_trials_name_no_winner_however_far_apart_they_are() {
    let few = section(vec![cell("sync", 1, &SLOW[..3]), cell("async", 1, &FAST[..3])]);
    let told = few.answer.text();
    assert!(told.starts_with("No winner is declared: 3 trials per cell give no interval."), "{told}");
    assert!(told.contains("each of its trials lies above each trial of every other cell"), "{told}");
    assert!(few.trust.points[0].text().starts_with("3 trials per cell: too few"), "{:?}", few.trust);
    let one = answer(vec![cell("sync", 1, &SLOW[..1]), cell("async", 1, &FAST[..1])]);
    assert!(one.starts_with("No winner is declared: a single trial"), "{one}");
    // Nor does a cell with six win over one with three.
    let mixed = answer(vec![cell("sync", 1, &SLOW[..3]), cell("async", 1, &FAST)]);
    assert!(mixed.starts_with("No single fastest"), "{mixed}");
    assert!(mixed.contains("Not compared with it: sync (too few trials to tell)."), "{mixed}");
}

#[test]
fn a_bimodal_cell_is_never_quoted() {
    let two = [8000.0, 8100.0, 8050.0, 70000.0, 70100.0, 70050.0];
    let section = section(vec![cell("sync", 1, &SLOW), cell("async", 1, &two)]);
    let row = section.cells.rows.iter().find(|row| row.fields[0] == "async").unwrap();
    assert_eq!(row.fields[2..4], ["–", "–"], "{row:?}");
    assert!(section.answer.text().starts_with("No single fastest"), "{section:?}");
    assert_eq!(names(&section.rankings[0]), [" sync", " async"]);
    assert!(section.trust.points.iter().any(|point| point.lead == "Not quoted:"), "{:?}", section.trust);
}

#[test]
fn the_scheduler_is_named_as_a_cause_only_where_it_may_choose() {
    let two = [8000.0, 8100.0, 8050.0, 70000.0, 70100.0, 70050.0];
    for (placement, is_its) in [("free", true), ("same-core server=1 client=1", false)] {
        let section = section(vec![with(cell("async", 1, &two), &[("placement", placement)])]);
        let meant =
            &section.details.notes.iter().find(|note| note.word.starts_with("bimodal")).unwrap().meaning;
        assert_eq!(meant.contains("scheduler"), is_its, "{placement}: {meant}");
    }
}

#[test]
fn latencies_of_a_backlog_are_said_to_include_it() {
    for (labels, is_said) in [
        (&[("workload", "tasks"), ("backlog", "1000")][..], true),
        (&[("workload", "tasks"), ("backlog", "1000"), ("rate", "20")], false),
        (&[("workload", "set-get")], false),
    ] {
        let mut measured = with(cell("rq", 1, &FAST), labels);
        for trial in &mut measured.trials {
            trial.latency = Some(Latencies { p50_us: 7.0, ..Latencies::default() });
        }
        let section = section(vec![measured, cell("sync", 1, &SLOW)]);
        let said = section.trust.points.iter().any(|point| point.lead == "Latencies include queueing:");
        assert_eq!(said, is_said, "{labels:?}: {:?}", section.trust.points);
    }
}

#[test]
fn what_is_tied_stands_in_one_group_below_its_heading() {
    let section = section(vec![
        cell("sync", 1, &SLOW),
        cell("async", 1, &FAST),
        cell("other", 1, &ALIKE),
        cell("slow", 1, &SLOW.map(|value| value / 2.0)),
    ]);
    let ranking = &section.rankings[0];
    assert_eq!(names(ranking), ["1–2 other", "1–2 async", "3 sync", "4 slow"]);
    let headings: Vec<&str> = ranking.groups.iter().map(|group| group.heading.as_str()).collect();
    assert_eq!(
        headings,
        ["Places 1 and 2: not separated, as their 95% confidence intervals overlap", "", ""]
    );
    let ratios: Vec<&str> =
        ranking.groups.iter().flat_map(|group| &group.rows).map(|row| row.lanes[0].ratio.as_str()).collect();
    assert_eq!(ratios, ["1", "1.00", "0.50", "0.25"]);
}

#[test]
fn a_control_does_not_compete_and_tells_the_noise() {
    let control = with(cell("async", 1, &ALIKE), &[("cell", "other"), ("control_of", "async-1")]);
    let section = section(vec![cell("sync", 1, &SLOW), cell("async", 1, &FAST), control]);
    assert!(section.answer.text().starts_with("async is the fastest"), "{section:?}");
    assert_eq!(section.cells.rows.len(), 2);
    let note = section.details.notes.iter().find(|note| note.word == "control").unwrap();
    assert!(
        note.meaning.contains("medians of 2,011 and 2,012 operations/s, a difference of 0.0%"),
        "{note:?}"
    );
}

#[test]
fn a_control_tells_the_range_of_its_noise_and_not_only_its_middle() {
    let told = |values: &[f64]| {
        let control = with(cell("async", 1, values), &[("cell", "other"), ("control_of", "async-1")]);
        let section = section(vec![cell("async", 1, &SLOW), cell("sync", 1, &FAST), control]);
        section.details.notes.into_iter().find(|note| note.word == "control").unwrap().meaning
    };
    let wide = told(&[1000.0, 1300.0, 1012.0, 800.0, 1500.0, 1010.0]);
    assert!(wide.contains("95% interval −") && wide.contains("within this range"), "{wide}");
    let few = told(&SLOW[..3]);
    assert!(few.contains("without an interval") && !few.contains("may be noise"), "{few}");
}

#[test]
fn a_series_is_ranked_where_it_is_highest_and_none_is_lost() {
    let two = [8000.0, 8100.0, 8050.0, 70000.0, 70100.0, 70050.0];
    let section = section(vec![
        cell("split", 1, &two),
        cell("split", 2, &two),
        cell("async", 1, &SLOW),
        cell("async", 2, &FAST),
        cell("async", 4, &ALIKE),
        cell("up", 1, &SLOW),
        cell("up", 2, &FAST.map(|value| value * 3.0)),
    ]);
    let rows: Vec<_> = section.rankings[0].groups.iter().flat_map(|group| &group.rows).collect();
    let told: Vec<String> =
        rows.iter().map(|row| format!("{}: {} {}", row.name, row.lanes[0].at, row.lanes[0].tied)).collect();
    // The highest at the edge of what was measured may not be the peak.
    assert_eq!(told, ["up: 2 at the edge of the range", "async: 4 overlaps: 2", "split: 1 "]);
}

#[test]
fn a_cell_without_trials_is_named_in_the_answer() {
    let told = answer(vec![cell("sync", 1, &SLOW), cell("async", 1, &FAST), cell("gone", 1, &[])]);
    assert!(told.ends_with("No trial of gone ended well."), "{told}");
}

#[test]
fn a_lead_that_rounds_to_nothing_has_no_factor() {
    let close: Vec<f64> = SLOW.iter().map(|value| value * 1.004 + 20.0).collect();
    let closer: Vec<f64> = [1_000_000.0; 6].iter().zip(0..).map(|(value, i)| value + f64::from(i)).collect();
    let above: Vec<f64> = closer.iter().map(|value| value + 1000.0).collect();
    let told = answer(vec![cell("sync", 1, &SLOW), cell("async", 1, &close)]);
    assert!(told.contains("is the fastest") && told.contains("1.02 times the next"), "{told}");
    let told = answer(vec![cell("sync", 1, &closer), cell("async", 1, &above)]);
    assert!(told.contains("is the fastest") && !told.contains("times"), "{told}");
}

#[test]
fn a_client_that_does_something_else_never_wins() {
    let differs =
        |mode: &str, values: &[f64]| with(cell(mode, 1, values), &[("comparability", "one key only")]);
    let cells = vec![cell("async", 1, &SLOW), differs("loader", &FAST), cell("sync", 1, &[900.0; 6])];
    let section = section(cells);
    let told = section.answer.text();
    assert!(told.starts_with("async is the fastest"), "{told}");
    assert!(told.ends_with("Not ranked, because they are not like for like: loader."), "{told}");
    assert_eq!(names(&section.rankings[0]), ["1 async", "2 sync", " loader"]);
    let differs_table = section.details.differs.as_ref().unwrap();
    assert_eq!(differs_table.rows, [["loader", "one key only"]]);
    let row = section.cells.rows.iter().find(|row| row.fields[0] == "loader").unwrap();
    assert_eq!(row.warnings[0].word, "not like for like");
    let alone = answer(vec![differs("loader", &FAST), differs("other", &SLOW)]);
    assert!(
        alone.starts_with("Nothing is called the fastest: only loader and other were measured"),
        "{alone}"
    );
}

#[test]
fn a_bimodal_cell_has_no_verdict_beside_another_picture() {
    let two: Vec<f64> = FAST[..3].iter().copied().chain(FAST[..3].iter().map(|value| value * 9.0)).collect();
    let on = |server: &str, mode: &str, values: &[f64]| {
        with(cell(mode, 1, values), &[("server", server), ("cell", &format!("{mode}{server}"))])
    };
    let section = section(vec![
        on("redis", "async", &SLOW),
        on("redis", "sync", &SLOW),
        on("valkey", "async", &two),
        on("valkey", "sync", &SLOW),
    ]);
    let told = section.answer.text();
    assert!(told.ends_with("no difference is seen in any of 1 cell; 1 cell left out as bimodal."), "{told}");
    let rows = &section.details.beside.as_ref().unwrap().rows;
    let row = rows.iter().find(|row| row.contains(&"async".to_owned())).unwrap();
    assert_eq!(row[row.len() - 4..], ["–", "–", "–", "bimodal"], "{row:?}");
    assert_eq!(section.glance.ratios.as_ref().unwrap().panels[0].rows, ["sync"]);
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
        let section = section(cells.concat());
        let sentences = section.answer.sentences.iter().map(Sentence::text);
        (
            sentences.filter(|sentence| sentence.contains(" against ")).collect::<Vec<_>>().join("\n"),
            section.details.beside.as_ref().map_or(0, |table| table.rows.len()),
        )
    };
    assert_eq!(
        told(&[on("redis", 1.0, &SLOW), on("valkey", 1.5, &SLOW), on("zedis", 0.5, &SLOW)]),
        (
            "Server valkey against server redis: faster in 2 of 2 cells (1.50 times as fast).\n\
             Server zedis against server redis: slower in 2 of 2 cells (0.50 times as fast)."
                .to_owned(),
            4
        )
    );
    let said = "Server valkey against server redis: no difference is seen in any of 2 cells.";
    assert_eq!(told(&[on("redis", 1.0, &SLOW), on("valkey", 1.0, &SLOW)]), (said.to_owned(), 2));
    let said = "Server valkey against server redis: too few trials to judge any of 2 cells: it takes 5 of each or more.";
    assert_eq!(told(&[on("redis", 1.0, &SLOW[..3]), on("valkey", 9.0, &SLOW[..3])]), (said.to_owned(), 2));
    // One picture, and such as differ in two settings.
    assert_eq!(told(&[on("redis", 1.0, &SLOW)]), (String::new(), 0));
    let other = on("valkey", 2.0, &SLOW).map(|cell| with(cell, &[("placement", "split")]));
    let third = on("valkey", 2.0, &SLOW).map(|cell| with(cell, &[("cell", "third"), ("placement", "free")]));
    assert_eq!(told(&[on("redis", 1.0, &SLOW), other, third]), (String::new(), 0));
}
