//! The face: what each subcommand prints, and with which exit code.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::sandbox::{Sandbox, stderr, stdout};

const TWO_BY_TWO: &str = r#"
name = "two-by-two"
[workload]
operations = 100
[[matrix]]
modes = ["sync", "async"]
workers = [1, 10]
[run]
repetitions = 3
warmup = "100ms"
"#;

#[test]
fn plan_shows_cells_trials_order_and_a_duration() {
    let sandbox = Sandbox::new();
    sandbox.write("x.toml", TWO_BY_TWO);
    let output = sandbox.output(&["plan", "x.toml"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    insta::assert_snapshot!(stdout(&output));
    // The same file and seed give the same order, on every machine.
    assert_eq!(stdout(&output), stdout(&sandbox.output(&["plan", "x.toml"])));
}

#[test]
fn plan_speaks_json_to_machines() {
    let sandbox = Sandbox::new();
    sandbox.write("x.toml", TWO_BY_TWO);
    let text = stdout(&sandbox.output(&["plan", "--json", "x.toml"]));
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines[0]["cells"].as_u64(), lines[0]["trials"].as_u64()), (Some(4), Some(12)));
    assert_eq!(lines.len(), 13);
    assert_eq!(lines[12]["position"], 12);
    assert_eq!(lines[12]["settings"]["workload"]["amount"]["operations"], 100);
}

#[test]
fn a_listing_that_is_cut_off_by_head_is_no_error() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "big.toml",
        "name = \"big\"\n[workload]\noperations = 20_000\n[[matrix]]\nmodes = \"sync\"\n\
         workers = { from = 1, to = 1_000, step = 1 }\n[run]\nrepetitions = 1000\nwarmup = 0\n",
    );
    let mut plan = sandbox.orchestrate(&["plan", "big.toml"]).stdout(Stdio::piped()).spawn().unwrap();
    let first = BufReader::new(plan.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(first.contains("big"));
    assert_eq!(plan.wait().unwrap().code(), Some(0));
}

#[test]
fn check_reports_every_error_of_every_file_and_runs_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("good.toml", TWO_BY_TWO);
    sandbox.write("bad.toml", "name = \"bad\"\n[wrokload]\n[[matrix]]\nmodes = [\"sink\"]\nworkers = 0\n");
    let output = sandbox.output(&["check", "bad.toml", "good.toml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = stderr(&output);
    for word in
        ["bad.toml:2:2", "workload", "bad.toml:4:", "sync", "bad.toml:5:", "good.toml: 4 cells, 12 trials"]
    {
        assert!(said.contains(word), "no `{word}` in:\n{said}");
    }
    assert!(sandbox.runs("bad").is_empty());
}

#[test]
fn a_wrong_file_does_not_run() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.toml", "name = \"bad\"\n[[matrix]]\nmodes = [\"sink\"]\n");
    let output = sandbox.output(&["bad.toml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("sink"));
    assert!(!sandbox.path().join("results").exists());
}

#[test]
fn a_file_that_is_not_there_is_a_plain_sentence() {
    let sandbox = Sandbox::new();
    let output = sandbox.output(&["nothing.toml"]);
    assert_eq!(output.status.code(), Some(2));
    insta::assert_snapshot!(stderr(&output), @"error: failed to read the experiment file `nothing.toml`: No such file or directory (os error 2)");
}

#[test]
fn init_writes_a_file_that_is_right_and_replaces_nothing() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.output(&["init", "mine.toml"]).status.code(), Some(0));
    let check = sandbox.output(&["check", "mine.toml"]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let again = sandbox.output(&["init", "mine.toml"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--force"));
    assert_eq!(sandbox.output(&["init", "--force", "mine.toml"]).status.code(), Some(0));
}

/// Somebody who forgets `servers` would take the numbers of another server for those of their own.
#[test]
fn what_is_defined_and_not_used_is_said_before_anything_is_measured() {
    let sandbox = Sandbox::new();
    let notes = |matrix: &str| -> Vec<String> {
        let tables = "[server.own]\naddress = '127.0.0.1:1'\n[host.far]\ntransport = 'ssh'\ntarget = 'far'\n";
        sandbox.write("x.toml", &format!("name = 'x'\n{tables}[[matrix]]\nmodes = 'sync'\n{matrix}"));
        let check = sandbox.output(&["check", "x.toml"]);
        assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
        stderr(&check)
            .lines()
            .filter_map(|line| line.strip_prefix("note: x.toml: ").map(str::to_owned))
            .collect()
    };
    let server = "no [[matrix]] names a server, so `own` is not used: write `servers = \"own\"` there";
    let host = "no [[matrix]] names a host, so `far` is not used: write `hosts = \"far\"` there";
    assert_eq!(notes(""), [server, host]);
    assert_eq!(notes("servers = 'own'\n"), [host]);
    assert_eq!(notes("servers = 'own'\nhosts = 'far'\n"), [""; 0]);
}

#[test]
fn too_few_repetitions_for_a_verdict_are_said_beforehand() {
    let sandbox = Sandbox::new();
    let file = |repetitions: &str, control: bool| {
        sandbox.write(
            "x.toml",
            &format!(
                "name = \"x\"\n[workload]\noperations = 100\n[[matrix]]\nmodes = \"sync\"\nworkers = {{ from = 1, to = 6, step = 1 \
                 }}\n[run]\nrepetitions = {repetitions}\ncontrol = {control}\n"
            ),
        );
        let (check, plan) =
            (sandbox.output(&["check", "x.toml"]), sandbox.output(&["plan", "--count", "x.toml"]));
        assert_eq!((check.status.code(), plan.status.code()), (Some(0), Some(0)), "{}", stderr(&check));
        let said =
            stderr(&check).lines().find_map(|line| line.strip_prefix("note: x.toml: ").map(str::to_owned));
        let planned =
            stdout(&plan).lines().find_map(|line| line.strip_prefix("note        ").map(str::to_owned));
        assert_eq!(said, planned);
        said
    };
    let few = "4 repetitions are too few for a verdict between two runs of 6 cells: `compare` needs 5 or more per cell";
    assert_eq!(file("4", false).as_deref(), Some(few));
    // The run may end after its fewest repetitions.
    assert_eq!(file("{ min = 4, max = 30, until = \"2%\" }", false).as_deref(), Some(few));
    assert_eq!(file("5", false), None);
    // The control is no seventh cell.
    assert_eq!(file("5", true), None);
}

#[test]
fn what_ships_has_enough_repetitions_for_verdicts() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.output(&["init", "mine.toml"]).status.code(), Some(0));
    let experiments = Path::new(env!("CARGO_MANIFEST_DIR")).join("experiments");
    let shipped = fs::read_dir(experiments).unwrap().map(|entry| entry.unwrap().path());
    let shipped = shipped.filter(|path| path.extension().is_some_and(|extension| extension == "toml"));
    let files: Vec<PathBuf> = shipped.chain([sandbox.path().join("mine.toml")]).collect();
    assert!(files.len() >= 9, "{files:?}");
    for file in files {
        let output = sandbox.output(&["check", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(!stderr(&output).contains("note:"), "{}", stderr(&output));
    }
}

#[test]
fn modes_lists_what_each_mode_can_do() {
    let output = Sandbox::new().output(&["modes"]);
    for mode in ["sync", "sync-pipe", "async", "async-pipe", "async-mt", "multiplexed"] {
        assert!(
            stdout(&output).lines().any(|line| line.split_whitespace().next() == Some(mode)),
            "no {mode}"
        );
    }
}

#[test]
fn doctor_names_the_command_that_mends_what_is_missing() {
    let sandbox = Sandbox::new();
    let output = sandbox.orchestrate(&["doctor"]).env("PATH", sandbox.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = stdout(&output);
    assert!(said.contains("no `redis-server` on PATH"), "{said}");
    assert!(said.contains("install"), "{said}");
    assert_eq!(sandbox.output(&["doctor"]).status.code(), Some(0));
}

#[test]
fn schema_completions_and_man_page_can_be_had() {
    let sandbox = Sandbox::new();
    assert!(stdout(&sandbox.output(&["schema"])).contains("http://json-schema.org/draft-07/schema#"));
    for shell in ["bash", "zsh", "fish"] {
        assert!(stdout(&sandbox.output(&["completions", shell])).contains("orchestrate"), "{shell}");
    }
    let man = stdout(&sandbox.output(&["man"]));
    assert!(man.contains(".TH orchestrate") && man.contains("ORCHESTRATE PLAN"));
}

#[test]
fn no_escape_reaches_what_is_no_terminal() {
    let sandbox = Sandbox::new();
    sandbox.write("bad.toml", "name = 3\n");
    for args in [&["check", "bad.toml"][..], &["doctor"], &["modes"], &["--help"], &["init", "x.toml"]] {
        let output = sandbox.orchestrate(args).env_remove("NO_COLOR").output().unwrap();
        let escapes = |text: &[u8]| text.contains(&0x1b);
        assert!(!escapes(&output.stdout) && !escapes(&output.stderr), "{args:?}");
    }
}

/// What the program says within a few seconds; a program that hangs is ended.
fn promptly(sandbox: &Sandbox, args: &[&str]) -> std::process::Output {
    let mut command = std::process::Command::new("timeout");
    let program = sandbox.orchestrate(args);
    command.arg("30").arg(program.get_program()).args(args).current_dir(sandbox.path());
    command.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn a_file_that_is_a_pipe_or_a_directory_is_said_to_be_one_and_not_waited_for() {
    let sandbox = Sandbox::new();
    let pipe = sandbox.path().join("pipe.toml");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    sandbox.write("includes.toml", &format!("include = [\"pipe.toml\"]\n{TWO_BY_TWO}"));
    fs::create_dir(sandbox.path().join("directory.toml")).unwrap();
    for (file, what) in [
        ("pipe.toml", "it is a named pipe"),
        ("includes.toml", "it is a named pipe"),
        ("directory.toml", "it is a directory"),
        ("/dev/null", "it is a device"),
    ] {
        for command in ["check", "plan", "run"] {
            let output = promptly(&sandbox, &[command, file]);
            assert_eq!(output.status.code(), Some(2), "{command} {file}: {}", stderr(&output));
            assert!(stderr(&output).contains(what), "{command} {file}: {}", stderr(&output));
        }
    }
    // What a shell hands over is a pipe that somebody writes to.
    let mut check = sandbox.orchestrate(&["check", "/dev/stdin"]).stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut check.stdin.take().unwrap(), TWO_BY_TWO.as_bytes()).unwrap();
    assert_eq!(check.wait().unwrap().code(), Some(0));
}

#[test]
fn includes_have_limits_that_are_told() {
    let sandbox = Sandbox::new();
    let experiment = |count: usize, name: &dyn Fn(usize) -> String| {
        let names: Vec<String> = (0..count).map(|i| format!("{:?}", name(i))).collect();
        sandbox.write("x.toml", &format!("include = [{}]\n{TWO_BY_TWO}", names.join(", ")));
        let output = promptly(&sandbox, &["check", "x.toml"]);
        (output.status.code(), stderr(&output))
    };
    for i in 0..101 {
        sandbox.write(&format!("{i}.toml"), &format!("[server.s{i}]\nprogram = \"redis-server\"\n"));
        sandbox.write(&format!("large{i}.toml"), &"# a long comment\n".repeat(60_000));
    }
    assert_eq!(experiment(100, &|i| format!("{i}.toml")).0, Some(0));
    let (code, said) = experiment(101, &|i| format!("{i}.toml"));
    assert!(code == Some(2) && said.contains("a file includes at most 100 others"), "{said}");
    assert_eq!(experiment(16, &|i| format!("large{i}.toml")).0, Some(0));
    let (code, said) = experiment(17, &|i| format!("large{i}.toml"));
    assert!(code == Some(2) && said.contains("the included files together exceed 16 MiB"), "{said}");
    // One of another is told, however deep, and even where it leads back.
    sandbox.write("0.toml", "include = [\"x.toml\"]\n");
    let (code, said) = experiment(1, &|_| "0.toml".to_owned());
    assert!(code == Some(2) && said.contains("0.toml:1:1") && said.contains("include"), "{said}");
}

#[test]
fn standard_output_that_takes_nothing_is_an_error_of_every_command() {
    let sandbox = Sandbox::new();
    sandbox.write("x.toml", TWO_BY_TWO);
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/quickstart");
    let committed = fs::read_dir(quickstart).unwrap().next().unwrap().unwrap().path();
    let run = sandbox.path().join("committed");
    fs::create_dir(&run).unwrap();
    for file in fs::read_dir(committed).unwrap().map(|entry| entry.unwrap().path()) {
        fs::copy(&file, run.join(file.file_name().unwrap())).unwrap();
    }
    for line in [
        "schema",
        "man",
        "completions bash",
        "modes",
        "modes --json",
        "plan x.toml",
        "plan --json x.toml",
        "init y.toml",
        "doctor",
        "compare committed committed",
        "compare --csv committed committed",
        "compare --json committed committed",
        "compare --markdown committed committed",
        "export committed",
        "export --markdown committed",
        "export --format hdr committed",
        "export --format bencher committed",
        "export --format github-action-benchmark committed",
        "report committed",
        "report --markdown committed",
        "--help",
        "help run",
        "--version",
    ] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let words: Vec<&str> = line.split(' ').collect();
        let output = sandbox.orchestrate(&words).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{line}: {}", stderr(&output));
        let said = stderr(&output);
        assert!(said.contains("failed to write to standard output: No space left"), "{line}: {said}");
    }
}

#[test]
fn a_key_of_a_megabyte_makes_no_message_of_a_megabyte() {
    let sandbox = Sandbox::new();
    let long = "k".repeat(1_000_000);
    for text in [
        format!("{long} = 1\n{TWO_BY_TWO}"),
        format!("{TWO_BY_TWO}\n[{long}]\n"),
        format!("{TWO_BY_TWO}\n[mode.{long}]\ncommand = ['x']\n"),
        format!("{TWO_BY_TWO}\n[workload.{long}]\nx = 1\n"),
        format!("{TWO_BY_TWO}\n[server.'{}']\nx = 1\n", "k k".repeat(300_000)),
        TWO_BY_TWO.replace("\"sync\"", &format!("\"{long}\"")),
        TWO_BY_TWO.replace("two-by-two", &long),
        format!("include = ['{long}']\n{TWO_BY_TWO}"),
        format!("{TWO_BY_TWO}\n[server.redis]\naddress = '{long}'\n"),
        format!("{TWO_BY_TWO}\n[run.labels]\n{long} = 1\n"),
        format!("{TWO_BY_TWO}\n[run.labels]\na = '{long}'\n"),
        format!("{TWO_BY_TWO}\nplacement = '{long}'\n"),
        format!("name = {long}\n"),
    ] {
        sandbox.write("x.toml", &text);
        let output = promptly(&sandbox, &["check", "x.toml"]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{}", &said[..said.floor_char_boundary(500)]);
        assert!(said.len() < 10_000, "{} bytes: {}", said.len(), &said[..said.floor_char_boundary(500)]);
    }
}

#[test]
fn a_table_with_numbers_that_nobody_measures_makes_a_report_in_little_memory() {
    let sandbox = Sandbox::new();
    let quickstart = Path::new(env!("CARGO_MANIFEST_DIR")).join("results/quickstart");
    let committed = fs::read_dir(quickstart).unwrap().next().unwrap().unwrap().path().join("trials.csv");
    let text = fs::read_to_string(committed).unwrap();
    let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
    for column in ["ops_per_s", "latency_p50_us", "latency_p99_us", "client_cpu_s", "rtt_us"] {
        let at = header.iter().position(|name| *name == column).unwrap();
        for number in ["5e-324", "1e308", "1e-300"] {
            let mut table = csv::Writer::from_path(sandbox.path().join("trials.csv")).unwrap();
            for (row, record) in csv::ReaderBuilder::new()
                .has_headers(false)
                .from_reader(text.as_bytes())
                .records()
                .enumerate()
            {
                let mut cells: Vec<String> = record.unwrap().iter().map(str::to_owned).collect();
                if row % 5 == 2 {
                    cells[at] = number.to_owned();
                }
                table.write_record(&cells).unwrap();
            }
            table.flush().unwrap();
            // A gigabyte of addresses is more than ten times what any report takes.
            let limited = "ulimit -v 3000000; exec \"$0\" report trials.csv --figures=figures";
            let output = std::process::Command::new("timeout")
                .args(["60", "sh", "-c", limited, env!("CARGO_BIN_EXE_orchestrate")])
                .current_dir(sandbox.path())
                .env("RAYON_NUM_THREADS", "1")
                .output()
                .unwrap();
            // A table that contradicts itself may be refused, but in words.
            let said = stderr(&output);
            assert!(matches!(output.status.code(), Some(0 | 3)), "{column} {number}: {said}");
            assert_eq!(output.status.code() == Some(0), said.is_empty(), "{column} {number}: {said}");
        }
    }
}
