//! What the documents say is true: their examples are accepted, their messages are messages, their tables are those of
//! the code, their links lead somewhere.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use orchestrate::driver;
use orchestrate::experiment::{self, Include, Source, Warmup, shipped};
use orchestrate::protocol::{
    Call, DriverEvent, Endpoint, Go, Hello, Job, JobWorkload, Notice, PROTOCOL, Ping, Request, Response,
    ServerFill, ServerReset, ServerSample, ServerStart, ServerStop, TrialAbort, TrialGo, TrialPrepare,
};
use orchestrate::results::columns::{Column, Kind, cells, progress, trials};

#[test]
fn every_toml_block_is_an_experiment() {
    let made_up = b"[mode.included]\ncommand = [\"client\"]\n";
    let included = |include: &Include| match include {
        Include::File(path) => {
            let bytes = std::fs::read(root().join("docs").join(path)).unwrap_or_else(|_| made_up.to_vec());
            Source { name: "included".to_owned(), directory: PathBuf::new().into(), bytes }
        }
        Include::Builtin(name) => shipped::builtin(name).unwrap_or_else(|| panic!("builtin:{name}")),
    };
    for document in documents() {
        for block in blocks(&document, "toml") {
            let name = format!("{}:{}", document.path.display(), block.line);
            let bytes = completed(&block.text).into_bytes();
            let main = Source { name, directory: PathBuf::new().into(), bytes };
            let included: Vec<Source> = experiment::includes(&main).iter().map(included).collect();
            if let Err(diagnostics) = experiment::parse(&main, &included, &driver::BUILTIN) {
                panic!("{diagnostics}");
            }
        }
    }
}

#[test]
fn every_experiment_that_ships_passes_the_check() {
    let mut files = [list("experiments", "toml"), list("lab", "toml")].concat();
    files.sort();
    assert!(files.len() >= 2, "the experiments were not found");
    let checked = orchestrate().arg("check").args(&files).output().expect("orchestrate can be started");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn every_line_of_json_is_a_message() {
    let document = document("docs/protocols.md");
    let blocks = blocks(&document, "json");
    assert!(blocks.len() >= 4);
    for block in blocks {
        for (line, text) in (block.line + 1..).zip(block.text.lines()) {
            assert!(is_message(text), "docs/protocols.md:{line}: no message of version {PROTOCOL}: {text}");
        }
    }
}

#[test]
fn the_column_tables_are_those_of_the_code() {
    let Document { path, text } = document("docs/results.md");
    let mut renewed = with_table(&text, "trials.csv", &trials::columns());
    renewed = with_table(&renewed, "summary.csv", &cells::summary_columns());
    renewed = with_table(&renewed, "latency.csv", &cells::latency_columns());
    renewed = with_table(&renewed, "progress.csv", &progress::columns());
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &renewed).expect("the document can be written");
    } else {
        assert!(text == renewed, "docs/results.md is out of date: UPDATE_DOCS=1 cargo test --test documents");
    }
}

#[test]
fn every_command_that_is_named_exists() {
    let mut named = 0;
    for document in documents() {
        for rest in document.text.split("`orchestrate ").skip(1) {
            let word: String = rest.chars().take_while(|c| !c.is_whitespace() && *c != '`').collect();
            if word.chars().all(|c| c.is_ascii_lowercase()) {
                let help =
                    orchestrate().args([&word, "--help"]).output().expect("orchestrate can be started");
                assert!(help.status.success(), "{}: `orchestrate {word}`", document.path.display());
                named += 1;
            }
        }
    }
    assert!(named > 0);
}

#[test]
fn commands_in_documents_print_what_stands_below_them() {
    let mut wrong = Vec::new();
    let mut commands = 0;
    for document in documents() {
        let mut text = document.text.clone();
        for block in blocks(&document, "console") {
            let renewed: String = block
                .text
                .lines()
                .filter_map(|line| line.strip_prefix("$ "))
                .map(|command| {
                    commands += 1;
                    format!("$ {command}\n{}", printed_by(command))
                })
                .collect();
            if renewed != block.text {
                let fenced = |block: &str| format!("```console\n{block}```");
                text = text.replace(&fenced(&block.text), &fenced(&renewed));
                wrong.push(format!("{}:{}:\n{renewed}", document.path.display(), block.line));
            }
        }
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&document.path, text).expect("the document can be written");
        }
    }
    assert!(commands > 0, "no command was found");
    assert!(
        wrong.is_empty() || std::env::var_os("UPDATE_DOCS").is_some(),
        "UPDATE_DOCS=1 cargo test --test documents renews the output:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_quoted_experiment_plans_the_trials_of_the_one_that_ships() {
    let planned = |file: &Path| {
        let output = orchestrate().args(["plan", "--json"]).arg(file).output().expect("it can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("a plan is text")
    };
    let directory = tempfile::tempdir().expect("a directory can be made");
    for (quoted, shipped) in [("README.md", "quickstart.toml"), ("docs/tutorial.md", "versions.toml")] {
        let copy = directory.path().join(shipped);
        fs::write(&copy, &blocks(&document(quoted), "toml")[0].text).expect("it can be written");
        let shipped = root().join("experiments").join(shipped);
        assert_eq!(planned(&copy), planned(&shipped), "{quoted} quotes another experiment");
    }
}

#[test]
fn every_link_leads_to_a_place_that_exists() {
    for document in documents() {
        let directory = document.path.parent().expect("a document is in a directory");
        for link in document.text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { document.path.clone() } else { directory.join(file) };
            assert!(target.exists(), "{}: nothing at {link}", document.path.display());
            if !anchor.is_empty() {
                let text = fs::read_to_string(&target).expect("a document can be read");
                let found = text.lines().any(|line| line.starts_with('#') && anchor_of(line) == anchor);
                assert!(found, "{}: no heading for {link}", document.path.display());
            }
        }
    }
}

#[test]
fn the_complete_driver_of_the_manual_works() {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let script = directory.path().join("driver.py");
    fs::write(&script, &blocks(&document("docs/protocols.md"), "python")[0].text).expect("it can be written");
    let socket = directory.path().join("redis.sock");
    let _server = started_server(directory.path(), &socket);

    let mut driver = Killed(
        Command::new("uv")
            .args(["run", "--no-project", "--quiet", "python"])
            .arg(&script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("uv is installed: run scripts/setup"),
    );
    let mut input = driver.0.stdin.take().expect("it is piped");
    let mut output = BufReader::new(driver.0.stdout.take().expect("it is piped")).lines();
    let mut next = || {
        let line = output.next().expect("the driver says something").expect("it is text");
        serde_json::from_str::<DriverEvent>(&line).expect("it is an event")
    };

    writeln!(input, "{}", serde_json::to_string(&job(&socket)).expect("a job is JSON")).expect("it listens");
    assert!(matches!(next(), DriverEvent::Ready(ready) if ready.workers == 1));
    writeln!(input, "{}", serde_json::to_string(&Go { go: true }).expect("go is JSON")).expect("it listens");
    let DriverEvent::Done(done) = next() else { panic!("it is not done") };
    assert_eq!((done.operations, done.errors), (200, 0));
    assert_eq!(
        orchestrate::latency::decode(&done.latency.expect("it knows")).expect("it is valid").len(),
        200
    );
    drop(input);
    assert!(driver.0.wait().expect("it can be waited for").success());
}

#[test]
fn a_driver_made_of_the_kit_takes_25_lines_and_passes_the_check_with_all_workloads_that_it_announces() {
    let text = &blocks(&document("docs/protocols.md"), "python")[1].text;
    assert!(text.trim_end().lines().count() <= 25, "{}", text.lines().count());
    let directory = tempfile::tempdir().expect("a directory can be made");
    let script = directory.path().join("driver.py");
    fs::write(&script, text).expect("it can be written");
    let output = orchestrate()
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args([
            "driver",
            "check",
            "--timeout",
            "60",
            "--",
            "uv",
            "run",
            "--quiet",
            "--no-project",
            "--with",
            "redis==8.1.0",
        ])
        .arg("python")
        .arg(&script)
        .output()
        .expect("orchestrate can be started");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.lines().any(|line| line.starts_with("ok") && line.contains("existing keys")), "{said}");
}

/// A Markdown file.
struct Document {
    path: PathBuf,
    text: String,
}

/// A fenced block and the line of its fence.
struct Block {
    line: usize,
    text: String,
}

/// Ends a process that the test may have left behind.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn orchestrate() -> Command {
    Command::new(env!("CARGO_BIN_EXE_orchestrate"))
}

fn list(directory: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).expect("the directory can be listed");
    let paths = entries.map(|entry| entry.expect("the directory can be listed").path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

fn document(path: &str) -> Document {
    let path = root().join(path);
    let text = fs::read_to_string(&path).expect("the document can be read");
    Document { path, text }
}

fn documents() -> Vec<Document> {
    let all = [list("", "md"), list("docs", "md"), list("lab", "md"), list("results", "md")].concat();
    assert!(all.len() >= 7, "the documents were not found");
    all.iter().map(|path| document(path.to_str().expect("the path is text"))).collect()
}

fn blocks(document: &Document, language: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = (1..).zip(document.text.lines());
    while let Some((line, text)) = lines.next() {
        if let Some(named) = text.strip_prefix("```") {
            let inner = lines.by_ref().map(|(_, text)| text).take_while(|text| *text != "```");
            let text: String = inner.flat_map(|text| [text, "\n"]).collect();
            if named == language {
                found.push(Block { line, text });
            }
        }
    }
    found
}

/// What a command line prints on both of its streams, without blanks at the ends of lines.
fn printed_by(command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_orchestrate"));
    let mut path = program.parent().expect("a program is in a directory").as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let output = Command::new("sh")
        .args(["-c", &format!("({command}) 2>&1")])
        .current_dir(root())
        .env("PATH", path)
        .output()
        .expect("a shell can be started");
    let printed = String::from_utf8(output.stdout).expect("it is text");
    printed.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// An example need not be a whole file: it may leave out the name and the matrix.
fn completed(block: &str) -> String {
    let has = |start: &str| block.lines().any(|line| line.starts_with(start));
    let name = if has("name") { "" } else { "name = \"example\"\n" };
    let matrix = if has("[[matrix]]") { "" } else { "[[matrix]]\nmodes = \"sync\"\n" };
    format!("{name}{block}{matrix}")
}

fn is_message(text: &str) -> bool {
    fn is<T: serde::de::DeserializeOwned>(text: &str) -> bool {
        serde_json::from_str::<T>(text).is_ok()
    }
    fn calls<C: Call>(request: &Request) -> bool {
        request.call == C::NAME && serde_json::from_value::<C>(request.args.clone()).is_ok()
    }
    is::<Job>(text)
        || is::<Go>(text)
        || is::<DriverEvent>(text)
        || is::<Response>(text)
        || is::<Notice>(text)
        || serde_json::from_str(text).is_ok_and(|request| {
            [
                calls::<Hello>,
                calls::<ServerStart>,
                calls::<ServerFill>,
                calls::<ServerReset>,
                calls::<ServerSample>,
                calls::<ServerStop>,
                calls::<TrialPrepare>,
                calls::<TrialGo>,
                calls::<TrialAbort>,
                calls::<Ping>,
            ]
            .iter()
            .any(|calls| calls(&request))
        })
}

/// The text with the table between the marks of `file` replaced by that of `columns`.
fn with_table<Row>(text: &str, file: &str, columns: &[Column<Row>]) -> String {
    let begin = format!("<!-- columns of {file}: written by tests/documents.rs -->\n");
    let (before, rest) = text.split_once(&begin).expect("the document has the mark");
    let (_, after) = rest.split_once("<!-- end -->").expect("the table has an end");
    let rows: String = columns
        .iter()
        .map(|column| {
            let kind = match column.kind {
                Kind::Text => "text",
                Kind::Integer => "integer",
                Kind::Number => "number",
                Kind::Boolean => "true or false",
                Kind::Time => "time",
            };
            let unit = column.unit.unwrap_or_default();
            format!("| `{}` | {kind} | {unit} | {} |\n", column.name, column.description)
        })
        .collect();
    format!(
        "{before}{begin}\n| column | type | unit | meaning |\n|---|---|---|---|\n{rows}\n<!-- end -->{after}"
    )
}

/// How GitHub names the place of a heading.
fn anchor_of(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading
        .trim_start_matches('#')
        .trim()
        .to_lowercase()
        .chars()
        .filter(kept)
        .collect::<String>()
        .replace(' ', "-")
}

fn started_server(directory: &Path, socket: &Path) -> Killed {
    let mut server = Killed(
        Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--dir"])
            .arg(directory)
            .arg("--unixsocket")
            .arg(socket)
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-server is installed: run scripts/setup"),
    );
    let log = BufReader::new(server.0.stdout.take().expect("it is piped")).lines();
    let is_up = |line: &str| line.to_lowercase().contains("ready to accept connections");
    let mut lines = log.map_while(Result::ok);
    assert!(lines.any(|line| is_up(&line)), "redis-server did not come up");
    // Its log is read to the end, so that it never waits for a reader.
    std::thread::spawn(move || lines.for_each(drop));
    server
}

fn job(socket: &Path) -> Job {
    Job {
        protocol: 1,
        mode: "plain-socket".to_owned(),
        server: Endpoint { unix_socket: Some(socket.display().to_string()), ..Endpoint::local(0) },
        workload: JobWorkload {
            kind: orchestrate::workload::Kind::SetGet,
            operations: Some(200),
            duration_ns: None,
            value_bytes: Some(16),
            pipeline: 1,
            rate: None,
            verify: true,
            ..JobWorkload::default()
        },
        workers: 1,
        key_prefix: "t:".to_owned(),
        warmup: Warmup::Operations(10),
        seed: 1,
        delete_keys: true,
        options: Default::default(),
    }
}
