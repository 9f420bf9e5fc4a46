//! Sentences and tables in documents that name numbers of the committed runs are true. A comment below them, such as
//! `<!-- check "32 to 39": thousands clients 50 sync async -->`, says how the quoted words, which occur once in its section,
//! follow from the trials:
//!
//! - `thousands RUN WORKERS MODE…`: the lowest and the highest median of these modes, in thousands of operations/s.
//! - `range RUN CELL…`: the lowest and the highest median of these cells, likewise.
//! - `median RUN CELL`: its median in operations/s. A cell is `MODE:WORKERS`, and where more than that differs
//!   `MODE:WORKERS:COLUMN=VALUE…`, with `+` for a blank.
//! - `ratio RUN CELL BASE`: its median over that of another cell.
//! - `peak RUN MODE`: the number of workers with the highest median of a mode.
//! - `load1 RUN…`: the highest load average.
//! - `rtt RUN`: the median of the round-trip times between hosts, in microseconds.
//! - `medians RUN MODE:WORKERS…`: a row of medians in thousands of operations/s.
//! - `micros RUN CELL…`: a row of the medians of the trials' median latencies, in whole microseconds.
//! - `columns RUN MODE PLACE>COLUMN[/DIVISOR]…`: a row of medians of any columns, each in the cell of the mode with the rest of its
//!   name, `WORKERS:COLUMN=VALUE…`.
//! - `times RUN BASE CELL…`: a row of how many times longer each cell takes than the base for as many operations, by medians.
//! - `ratios RUN CELL/BASE…`: a row of medians over those of other cells.
//! - `best RUN BASE CELL…`: a row of the best trial of each cell over that of the base.
//! - `spread RUN BASE CELL…`: a row of medians with the lowest and the highest trial, each with its ratio to the base.
//! - `hosts RUN CELL`: a row of `orchestrate compare` between the hosts `a` and `a → b`, with its verdict.
//! - `apart RUN CELL…`: each is faster than the next by the verdicts of `orchestrate compare`, of which all pairs of the claim
//!   are one family. The words are a claim, not a number.
//! - `tied RUN CELL…`: there is no verdict on any pair of neighbours.
//! - `alike RUN FACTOR BASE NEW`: no cell differs between these levels of a factor, by the verdicts of `orchestrate compare`.
//!
//! Before any of them may stand the words around what is found, such as `"at {}" ratio …`, where that alone would stand twice.
//!
//! `UPDATE_DOCS=1 cargo test --test prose` fills in numbers that have changed. A claim that fails is rewritten by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use orchestrate::analysis::compare::{Verdict, compare};
use orchestrate::analysis::metric::Metric;
use orchestrate::analysis::pairs::{Pairs, by_factor};
use orchestrate::report::numbers::grouped;
use orchestrate::results::read::samples;

/// What a check finds.
enum Found {
    /// The words that should stand there.
    Words(String),
    /// A claim holds, or why not.
    Claim(Result<(), String>),
}

#[test]
fn every_number_that_names_its_source_follows_from_the_committed_runs() {
    let mut wrong = Vec::new();
    for (document, least) in [("results/README.md", 40), ("README.md", 1), ("docs/tutorial.md", 1)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let mut text = fs::read_to_string(&path).expect("it is kept here");
        let checks = checks(&text);
        assert!(checks.len() >= least, "only {} checks were found in {document}", checks.len());
        let is_update = std::env::var_os("UPDATE_DOCS").is_some();
        for (words, expression) in checks {
            let comment = format!("<!-- check \"{words}\": {expression} -->");
            let at = text.find(&comment).expect("it was found before");
            let here = format!("{document}:{}", text[..at].lines().count() + 1);
            let section = text[..at].rfind("\n## ").unwrap_or(0);
            let Some(place) = only_place(&text[section..at], &words).map(|place| section + place) else {
                wrong.push(format!(
                    "{here}: \"{words}\" does not stand exactly once in its section ({expression})"
                ));
                continue;
            };
            match evaluate(&expression) {
                Found::Words(now) if now != words && is_update => {
                    let renewed = format!("<!-- check \"{now}\": {expression} -->");
                    text.replace_range(at..at + comment.len(), &renewed);
                    text.replace_range(place..place + words.len(), &now);
                }
                Found::Words(now) if now != words => {
                    wrong.push(format!("{here}: \"{words}\" is \"{now}\" now ({expression})"));
                }
                Found::Claim(Err(why)) => {
                    wrong.push(format!("{here}: \"{words}\" does not hold: {why} ({expression})"));
                }
                _ => {}
            }
        }
        if is_update {
            fs::write(&path, &text).expect("the document can be written");
        }
    }
    assert!(
        wrong.is_empty(),
        "UPDATE_DOCS=1 renews numbers, claims are rewritten by hand:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_tables_in_documents_are_those_of_the_committed_runs() {
    for (document, run) in [("README.md", "quickstart"), ("docs/tutorial.md", "versions")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let text = fs::read_to_string(&path).expect("it is kept here");
        let mark = format!("<!-- {run} table -->\n");
        let (before, rest) = text.split_once(&mark).expect("the table has a begin");
        let (_, after) = rest.split_once("<!-- end -->").expect("and an end");
        let table = table_of(run);
        let renewed = format!("{before}{mark}{}\n<!-- end -->{after}", table.trim_end());
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, renewed).expect("the document can be written");
        } else {
            assert!(text == renewed, "UPDATE_DOCS=1 renews the table of {document}:\n{table}");
        }
    }
}

/// The table of a committed run, as Markdown.
fn table_of(run: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let journal = run_of(run).join("journal.jsonl");
    fs::copy(journal, directory.path().join("journal.jsonl")).expect("a run has a journal");
    let output = Command::new(env!("CARGO_BIN_EXE_orchestrate"))
        .args(["export", "--markdown", "."])
        .current_dir(&directory)
        .output()
        .expect("orchestrate can be started");
    String::from_utf8(output.stdout).expect("it is text")
}

/// The words and the expression of each check.
fn checks(text: &str) -> Vec<(String, String)> {
    let check = |rest: &str| {
        let check = rest.split_once(" -->").expect("a comment ends").0;
        let (words, expression) = check.split_once("\": ").expect("a check has words and an expression");
        (words.to_owned(), expression.to_owned())
    };
    text.split("<!-- check \"").skip(1).map(check).collect()
}

/// Where the words stand outside of comments, if they stand there once.
fn only_place(section: &str, words: &str) -> Option<usize> {
    let is_prose = |at: &usize| section[..*at].rfind("<!--") <= section[..*at].rfind("-->");
    let mut places = section.match_indices(words).map(|(at, _)| at).filter(is_prose);
    places.next().filter(|_| places.next().is_none())
}

fn evaluate(expression: &str) -> Found {
    if let Some((template, expression)) = expression.strip_prefix('"').and_then(|rest| rest.split_once("\" "))
    {
        return match evaluate(expression) {
            Found::Words(words) => Found::Words(template.replace("{}", &words)),
            claim @ Found::Claim(_) => claim,
        };
    }
    let words: Vec<&str> = expression.split(' ').collect();
    let median_of = |run: &str, cell: &str| median(&speeds(run, cell));
    match words[..] {
        ["thousands", run, workers, ref modes @ ..] => {
            thousands(modes.iter().map(|mode| median_of(run, &format!("{mode}:{workers}"))))
        }
        ["range", run, ref cells @ ..] => thousands(cells.iter().map(|cell| median_of(run, cell))),
        ["median", run, cell] => Found::Words(grouped(median_of(run, cell))),
        ["ratio", run, cell, base] => {
            Found::Words(format!("{:.2}", median_of(run, cell) / median_of(run, base)))
        }
        ["peak", run, mode] => {
            let of_mode = rows(run).into_iter().filter(|row| row("mode") == mode && row("status") == "ok");
            let mut workers: Vec<String> = of_mode.map(|row| row("workers_asked")).collect();
            workers.sort();
            workers.dedup();
            let median = |workers: &String| median_of(run, &format!("{mode}:{workers}"));
            let peak = workers.into_iter().max_by(|one, other| median(one).total_cmp(&median(other)));
            Found::Words(peak.expect("the mode was measured"))
        }
        ["load1", ref runs @ ..] => {
            let loads = runs.iter().flat_map(|run| numbers(run, "load1"));
            Found::Words(format!("{:.1}", loads.fold(0.0, f64::max)))
        }
        ["rtt", run] => {
            let mut times = numbers(run, "rtt_us");
            times.sort_by(f64::total_cmp);
            Found::Words(format!("{:.1}", median(&times)))
        }
        ["medians", run, ref cells @ ..] => {
            row(cells.iter().map(|cell| format!("{:.1}", median_of(run, cell) / 1e3)))
        }
        ["micros", run, ref cells @ ..] => {
            row(cells.iter().map(|cell| format!("{:.0}", median(&of_trials(run, cell, "latency_p50_us")))))
        }
        ["columns", run, mode, ref fields @ ..] => row(fields.iter().map(|field| {
            let (place, column) = field.split_once('>').expect("a field is PLACE>COLUMN");
            let (column, divisor) = column.split_once('/').unwrap_or((column, "1"));
            let divisor: f64 = divisor.parse().expect("a divisor is a number");
            grouped(median(&of_trials(run, &format!("{mode}:{place}"), column)) / divisor)
        })),
        ["times", run, base, ref cells @ ..] => {
            row(cells.iter().map(|cell| format!("{:.1}", median_of(run, base) / median_of(run, cell))))
        }
        ["ratios", run, ref pairs @ ..] => row(pairs.iter().map(|pair| {
            let (cell, base) = pair.split_once('/').expect("a pair is CELL/BASE");
            format!("{:.2}", median_of(run, cell) / median_of(run, base))
        })),
        ["best", run, base, ref cells @ ..] => {
            let best = |cell: &str| speeds(run, cell).pop().expect("there is a trial");
            row(cells.iter().map(|cell| format!("{:.2}", best(cell) / best(base))))
        }
        ["spread", run, base, ref cells @ ..] => row(cells.iter().map(|cell| {
            let speeds = speeds(run, cell);
            let [low, middle, high] = [speeds[0], median(&speeds), speeds[speeds.len() - 1]].map(grouped);
            let ratio = format!("{:.2}", median(&speeds) / median_of(run, base));
            format!("{middle} ({low}–{high}) | {}", if *cell == base { "1" } else { &ratio })
        })),
        ["hosts", run, cell] => row(between_hosts(run, cell).into_iter()),
        ["apart", run, ref cells @ ..] => {
            Found::Claim(verdicts(run, cells, |verdict| verdict == Verdict::Slower))
        }
        ["tied", run, ref cells @ ..] => Found::Claim(verdicts(run, cells, |verdict| {
            !matches!(verdict, Verdict::Slower | Verdict::Faster)
        })),
        ["alike", run, factor, base, new] => Found::Claim(alike(run, factor, base, new)),
        _ => panic!("no such check: {expression}"),
    }
}

/// Compares every cell with one level of a factor with that with another, and says which differs.
fn alike(run: &str, factor: &str, base: &str, new: &str) -> Result<(), String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(run);
    let read = samples(&[directory]).expect("the run can be read");
    let all: Vec<_> = read.samples.iter().collect();
    let pairs = by_factor(&all, factor, base, new).expect("there are such levels");
    let compared = compare(&pairs, Metric::OpsPerS);
    assert!(compared.cells.len() > 1, "nothing was compared");
    let other = compared.cells.iter().find(|cell| cell.verdict != Verdict::NoDifferenceSeen);
    other.map_or(Ok(()), |cell| Err(format!("{:?} is {:?}", cell.base.label.get("mode"), cell.verdict)))
}

/// Compares each cell with the one before it, and says of which pair the verdict is none of those that are claimed.
fn verdicts(run: &str, cells: &[&str], is_claimed: impl Fn(Verdict) -> bool) -> Result<(), String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(run);
    let read = samples(&[directory]).expect("the run can be read");
    let sample = |cell: &str| {
        let (mode, workers, more) = parts(cell);
        let found = read.samples.iter().find(|sample| {
            let is = |column: &str, value: &str| sample.label.get(column).unwrap_or_default() == value;
            let is_all = more.iter().all(|(column, value)| is(column, value));
            is("mode", mode) && is("workers_asked", workers) && is_all && !sample.is_control()
        });
        found.unwrap_or_else(|| panic!("{run} has no {cell}"))
    };
    let pairs = cells.windows(2).map(|pair| (sample(pair[0]), sample(pair[1]))).collect();
    let compared = compare(&Pairs { pairs, factor: Some("mode"), ..Pairs::default() }, Metric::OpsPerS);
    let wrong = compared.cells.iter().zip(cells.windows(2)).find(|(pair, _)| !is_claimed(pair.verdict));
    wrong.map_or(Ok(()), |(pair, cells)| {
        Err(format!("{} beside {} is {:?} ({:?})", cells[1], cells[0], pair.verdict, pair.ratio))
    })
}

/// The values of a column in the trials of a run that have one.
fn numbers(run: &str, column: &str) -> Vec<f64> {
    rows(run).iter().filter_map(|row| row(column).parse().ok()).collect()
}

/// The lowest and the highest of some numbers, in thousands.
fn thousands(numbers: impl Iterator<Item = f64>) -> Found {
    let (low, high) = numbers
        .map(|number| number / 1e3)
        .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let (low, high) = (format!("{low:.0}"), format!("{high:.0}"));
    Found::Words(if low == high { low } else { format!("{low} to {high}") })
}

fn row(fields: impl Iterator<Item = String>) -> Found {
    Found::Words(fields.collect::<Vec<_>>().join(" | "))
}

/// What `orchestrate compare` says of a cell on one host and between two.
fn between_hosts(run: &str, cell: &str) -> Vec<String> {
    static SAID: LazyLock<serde_json::Value> = LazyLock::new(|| {
        let output = Command::new(env!("CARGO_BIN_EXE_orchestrate"))
            .args(["compare", "results/network", "--factor", "hosts=a,a → b", "--json"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("orchestrate can be started");
        serde_json::from_slice(&output.stdout).expect("it prints JSON")
    });
    assert_eq!(run, "network", "only this run has two hosts");
    let (mode, workers) = cell.split_once(':').expect("a cell is MODE:WORKERS");
    let mut cells = SAID["cells"].as_array().expect("cells are a list").iter();
    let said = cells
        .find(|said| said["settings"]["mode"] == mode && said["settings"]["workers_asked"] == workers)
        .unwrap_or_else(|| panic!("{cell} was not compared"));
    let number = |value: &serde_json::Value| value.as_f64().expect("it is a number");
    vec![
        grouped(number(&said["base"]["median"])),
        grouped(number(&said["new"]["median"])),
        format!("{:.3}", number(&said["ratio"])),
        format!("{:.3} to {:.3}", number(&said["interval"][0]), number(&said["interval"][1])),
        said["verdict"].as_str().expect("a verdict is a word").replace('-', " "),
    ]
}

/// The only run of an experiment that is kept.
fn run_of(experiment: &str) -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(experiment);
    let mut runs = fs::read_dir(&directory).expect("the experiment is kept");
    let run = runs.next().expect("there is a run").expect("it can be listed").path();
    assert!(runs.next().is_none(), "{experiment} has several runs: it is not clear which one is meant");
    run
}

/// The rows of its trials, each as a function from a column to its value.
fn rows(run: &str) -> Vec<impl Fn(&str) -> String + use<>> {
    let table = run_of(run).join("trials.csv");
    let mut reader = csv::Reader::from_path(table).expect("a run has trials");
    let header = reader.headers().expect("a table has a header").clone();
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let (record, header) = (record.expect("a row can be read"), header.clone());
        move |column: &str| {
            let at = header.iter().position(|name| name == column).expect("it is a column");
            record[at].to_owned()
        }
    };
    reader.records().map(row).collect()
}

/// Operations per second of the trials of a cell that ended well, in ascending order.
fn speeds(run: &str, cell: &str) -> Vec<f64> {
    of_trials(run, cell, "ops_per_s")
}

/// What a column says of the trials of a cell that ended well, in ascending order.
fn of_trials(run: &str, cell: &str, column: &str) -> Vec<f64> {
    let (mode, workers, more) = parts(cell);
    let is_of = |row: &dyn Fn(&str) -> String| {
        row("mode") == mode
            && row("workers_asked") == workers
            && row("status") == "ok"
            && row("control_of").is_empty()
            && more.iter().all(|(column, value)| row(column) == *value)
    };
    let mut speeds: Vec<f64> = rows(run)
        .iter()
        .filter(|row| is_of(row))
        .map(|row| row(column).parse().expect("it is a number"))
        .collect();
    assert!(!speeds.is_empty(), "{run} has no trial of {cell}");
    speeds.sort_by(f64::total_cmp);
    speeds
}

/// Mode, workers, and the values of other columns of a cell, as a check names it.
fn parts(cell: &str) -> (&str, &str, Vec<(&str, String)>) {
    let mut parts = cell.split(':');
    let (mode, workers) = parts.next().zip(parts.next()).expect("a cell is MODE:WORKERS");
    let more = parts.map(|part| {
        let (column, value) = part.split_once('=').expect("then COLUMN=VALUE");
        (column, value.replace('+', " "))
    });
    (mode, workers, more.collect())
}

fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}
