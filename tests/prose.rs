//! Sentences and tables of README.md and results/README.md that name numbers of the committed runs hold. A comment under
//! them, such as `<!-- check "32 to 39": thousands clients 50 sync async -->`, says how the quoted words, which stand once in
//! its section, follow from the trials:
//!
//! - `thousands RUN WORKERS MODE…`: the lowest and the highest median of these modes, in thousands of operations/s.
//! - `load1 RUN`: the highest load average.
//! - `medians RUN MODE:WORKERS…`: a row of medians in thousands of operations/s.
//! - `best RUN BASE CELL…`: a row of the best trial of each cell over that of the base.
//! - `spread RUN BASE CELL…`: a row of medians with the lowest and the highest trial, each with its ratio to the base.
//! - `hosts RUN CELL`: a row of `orchestrate compare` between the hosts `a` and `a → b`, with its verdict.
//! - `apart RUN CELL…`: the range of each lies wholly above that of the next. The words are a claim, not a number.
//!
//! `UPDATE_DOCS=1 cargo test --test prose` fills in numbers that have changed. A claim that fails is rewritten by hand.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use orchestrate::report::numbers::grouped;

/// What a check finds.
enum Found {
    /// The words that should stand there.
    Words(String),
    /// A claim holds, or why not.
    Claim(Result<(), String>),
}

#[test]
fn every_number_that_names_its_source_follows_from_the_committed_runs() {
    for (document, least) in [("results/README.md", 40), ("README.md", 1)] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let mut text = fs::read_to_string(&path).expect("it is kept here");
        let checks = checks(&text);
        assert!(checks.len() >= least, "only {} checks were found in {document}", checks.len());
        let is_update = std::env::var_os("UPDATE_DOCS").is_some();
        let mut wrong = Vec::new();
        for (words, expression) in checks {
            let comment = format!("<!-- check \"{words}\": {expression} -->");
            let at = text.find(&comment).expect("it was found before");
            let section = text[..at].rfind("\n## ").unwrap_or(0);
            let Some(place) = only_place(&text[section..at], &words).map(|place| section + place) else {
                wrong.push(format!("\"{words}\" ({expression}) does not stand exactly once in its section"));
                continue;
            };
            match evaluate(&expression) {
                Found::Words(now) if now != words && is_update => {
                    let renewed = format!("<!-- check \"{now}\": {expression} -->");
                    text.replace_range(at..at + comment.len(), &renewed);
                    text.replace_range(place..place + words.len(), &now);
                }
                Found::Words(now) if now != words => {
                    wrong.push(format!("\"{words}\" ({expression}) is now \"{now}\""));
                }
                Found::Claim(Err(why)) => {
                    wrong.push(format!("\"{words}\" ({expression}) does not hold: {why}"));
                }
                _ => {}
            }
        }
        if is_update {
            fs::write(&path, &text).expect("the document can be written");
        }
        assert!(wrong.is_empty(), "{document} (UPDATE_DOCS=1 renews numbers):\n{}", wrong.join("\n"));
    }
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
    let words: Vec<&str> = expression.split(' ').collect();
    let median_of = |run: &str, cell: &str| median(&speeds(run, cell));
    match words[..] {
        ["thousands", run, workers, ref modes @ ..] => {
            let medians = modes.iter().map(|mode| median_of(run, &format!("{mode}:{workers}")) / 1e3);
            let (low, high) = medians
                .fold((f64::INFINITY, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
            let (low, high) = (format!("{low:.0}"), format!("{high:.0}"));
            Found::Words(if low == high { low } else { format!("{low} to {high}") })
        }
        ["load1", run] => {
            let loads = rows(run).into_iter().filter_map(|row| row("load1").parse::<f64>().ok());
            Found::Words(format!("{:.1}", loads.fold(0.0, f64::max)))
        }
        ["medians", run, ref cells @ ..] => {
            row(cells.iter().map(|cell| format!("{:.1}", median_of(run, cell) / 1e3)))
        }
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
            let met = cells.windows(2).find(|pair| {
                let (upper, lower) = (speeds(run, pair[0]), speeds(run, pair[1]));
                upper[0] <= lower[lower.len() - 1]
            });
            Found::Claim(
                met.map_or(Ok(()), |pair| {
                    Err(format!("the range of {} reaches that of {}", pair[1], pair[0]))
                }),
            )
        }
        _ => panic!("no such check: {expression}"),
    }
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

/// The rows of the trials of the only run of an experiment, each as a function from a column to its value.
fn rows(run: &str) -> Vec<impl Fn(&str) -> String + use<>> {
    let directory: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("results").join(run);
    let mut runs = fs::read_dir(&directory).expect("the experiment is kept");
    let table = runs.next().expect("there is a run").expect("it can be listed").path().join("trials.csv");
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
    let (mode, workers) = cell.split_once(':').expect("a cell is MODE:WORKERS");
    let is_of = |row: &dyn Fn(&str) -> String| {
        row("mode") == mode
            && row("workers_asked") == workers
            && row("status") == "ok"
            && row("control_of").is_empty()
    };
    let mut speeds: Vec<f64> = rows(run)
        .iter()
        .filter(|row| is_of(row))
        .map(|row| row("ops_per_s").parse().expect("a speed is a number"))
        .collect();
    assert!(!speeds.is_empty(), "{run} has no trial of {cell}");
    speeds.sort_by(f64::total_cmp);
    speeds
}

fn median(sorted: &[f64]) -> f64 {
    f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2])
}
