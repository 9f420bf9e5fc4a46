//! What an experiment file may say, and what is said of one that is wrong.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use orchestrate::experiment::{
    Absent, Amount, Builtin, BuiltinMode, Diagnostics, Directory, Experiment, Factor, Include, Level,
    ServerSpec, Source, Split, Support, Threads, data_directory, includes, parse, resolved_text, schema,
    shipped,
};
use orchestrate::plan::Plan;
use orchestrate::units::Nanos;
use orchestrate::workload::Kind;
use proptest::prelude::*;

/// The example of the documentation.
const COMPLETE: &str = include_str!("experiment_file/complete.toml");
const PYTHON: &str = include_str!("experiment_file/python.toml");

const fn mode(name: &'static str, can_pipeline: bool, can_rate: bool, by_default: bool) -> BuiltinMode {
    BuiltinMode {
        name,
        summary: "",
        client: "",
        concurrency: "",
        threads: Threads::One,
        can_pipeline,
        can_rate,
        workloads: Kind::ALL,
        supports: &[Support::Tls, Support::Username],
        options: &[],
        by_default,
    }
}

const MODES: Builtin<'_> = Builtin {
    modes: &[
        mode("sync", false, true, true),
        mode("sync-pipe", true, false, true),
        mode("async", false, true, true),
        mode("async-pipe", true, false, true),
        mode("multiplexed", false, true, true),
        mode("other", true, true, false),
    ],
    absent: &[Absent { feature: "rare", modes: &["rare", "rare-pipe"] }],
};

fn source(name: &str, text: impl AsRef<[u8]>) -> Source {
    let directory = PathBuf::from("/experiments").into();
    Source { name: name.to_owned(), directory, bytes: text.as_ref().to_vec() }
}

fn read(text: &str) -> Result<Experiment, Diagnostics> {
    parse(&source("sweep.toml", text), &[], &MODES)
}

fn good(text: &str) -> Experiment {
    read(text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

/// What is said of a file that is wrong.
fn complaint(text: &str) -> String {
    read(text).expect_err("the file is wrong").to_string()
}

/// What is said of files that would be right but for one part each.
fn complaints(parts: &[&str]) -> String {
    let mut out = String::new();
    for part in parts {
        let name = if part.contains("name =") { "" } else { "name = \"n\"\n" };
        let matrix = if part.contains("[[matrix]]") { "" } else { "\n[[matrix]]\n" };
        let text = format!("{name}{part}{matrix}");
        out += &format!("{}\n{}\n\n", "=".repeat(80), complaint(&text));
    }
    out
}

fn complaint_with_include(main: &str, included: &str) -> String {
    let (main, included) = (source("sweep.toml", main), source("../drivers/python.toml", included));
    parse(&main, &[included], &MODES).expect_err("the files are wrong").to_string()
}

// ------------------------------------------------------------------------------------------- what a file may say

fn complete() -> (Source, Source) {
    let python =
        Source { directory: PathBuf::from("/drivers").into(), ..source("../drivers/python.toml", PYTHON) };
    (source("experiments/sweep.toml", COMPLETE), python)
}

#[test]
fn the_complete_example_is_read() {
    let (main, python) = complete();
    assert_eq!(includes(&main), [Include::File("/experiments/../drivers/python.toml".into())]);
    let experiment = parse(&main, &[python], &MODES).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    insta::assert_debug_snapshot!(experiment);
}

#[test]
fn every_key_is_read() {
    insta::assert_debug_snapshot!(good(EVERY_KEY));
}

#[test]
fn a_name_and_a_matrix_are_enough() {
    let experiment = good("name = \"n\"\n[[matrix]]\n");
    insta::assert_debug_snapshot!(experiment);
}

#[test]
fn axes_stand_in_the_order_of_the_file_and_defaults_before_them() {
    let order =
        |text: &str| -> Vec<Factor> { good(text).matrices[0].axes.iter().map(|axis| axis.factor).collect() };
    let text = "name='n'\n[[matrix]]\nworkload.rate = 5_000\nworkers = [1, 2]\nworkload.value_bytes = 3\nmodes = 'sync'\n";
    assert_eq!(order(text), [Factor::Rate, Factor::Workers, Factor::ValueBytes, Factor::Mode]);
    let text = "name='n'\n[[matrix]]\nhosts = 'local'\n[matrix.run]\nwarmup = 7\n[matrix.workload]\noperations = 9\n";
    assert_eq!(order(text), [Factor::Mode, Factor::Hosts, Factor::Warmup, Factor::Amount]);
}

#[test]
fn one_list_of_strings_is_one_level_of_server_args() {
    let levels = |args: &str| -> Vec<Level> {
        let text = format!("name='n'\n[[matrix]]\nmodes='sync'\nserver.args = {args}\n");
        good(&text).matrices[0].axes[1].levels.clone()
    };
    let level = |args: &[&str]| Level::Args(args.iter().map(|&arg| arg.to_owned()).collect());
    assert_eq!(levels("['--save', '']"), [level(&["--save", ""])]);
    assert_eq!(levels("[['--save', ''], []]"), [level(&["--save", ""]), level(&[])]);
}

#[test]
fn a_matrix_may_give_the_amount_that_the_workload_gives_otherwise_in_the_same_kind() {
    let experiment = good("name='n'\n[workload]\nduration='1s'\n[[matrix]]\nworkload.duration=['2s','3s']\n");
    let levels = &experiment.matrices[0].axes[1].levels;
    assert_eq!(*levels, [2, 3].map(|s| Level::Amount(Amount::Duration(Nanos::from_secs(s)))));
}

#[test]
fn the_split_divisor_takes_the_next_worker_count_that_divides_the_operations() {
    let workers = |operations, workers| Split::Divisor.workers(Amount::Operations(operations), workers);
    assert_eq!([1, 3, 9, 16, 17, 200, 201].map(|n| workers(20_000, n)), [1, 4, 10, 16, 20, 200, 250]);
    // Beyond what a checked experiment can ask for, too, and soon.
    assert_eq!(workers(20_011, 2), 20_011);
    assert_eq!(workers(20_011 * 10_007, 10_008), 20_011);
    assert_eq!(workers(20_011 * 30_011, 20_012), 30_011);
    assert_eq!(Split::Divisor.workers(Amount::Duration(Nanos::from_secs(1)), 7), 7);
    assert_eq!(Split::Even.workers(Amount::Operations(20_000), 7), 7);
}

#[test]
fn a_cell_may_be_in_two_matrices_if_one_of_them_excludes_it() {
    good(
        "name='n'
        [[matrix]]
        modes = ['sync', 'async']
        workers = [1, 2, 3]
        exclude = [{ modes = 'sync', workers = 3 }]
        [[matrix]]
        modes = ['sync', 'multiplexed']
        workers = [3, 1]
        exclude = [{ modes = 'sync', workers = 1 }]",
    );
}

#[test]
fn the_suggested_exclusion_mends_the_file() {
    for text in [
        "name='n'\n[[matrix]]\nworkload.pipeline = [1, 4, 16]\nmodes = ['sync-pipe', 'sync']\n",
        "name='n'\n[[matrix]]\nworkload.split = ['even', 'divisor']\nworkload.operations = [20_000, 20_011]\nworkers = [1, 200]\n",
        "name='n'\n[workload]\nsplit = 'divisor'\n[[matrix]]\nworkload.operations = [20_000, 20_011]\nworkers = [1, 200]\n",
        "name='n'\n[[matrix]]\nworkload.link = ['unix', 'tcp']\nhosts = ['local', { client = 'a', server = 'local' }]\n",
        "name='n'\n[[matrix]]\nworkload.duration = ['1s', '59s']\nrun.warmup = ['1ms', '2s', 7]\n",
    ] {
        let text = |exclude: &str| format!("{text}{exclude}\n[host.a]\ntransport = 'slurm'\n");
        let diagnostics = read(&text("")).expect_err("some cells are impossible");
        assert_eq!(diagnostics.findings().len(), 1, "{diagnostics}");
        let help = diagnostics.findings()[0].help.as_deref().unwrap_or_default();
        let (_, exclude) = help.split_once(": ").unwrap_or_else(|| panic!("no line to paste: {help}"));
        good(&text(exclude));
    }
}

#[test]
fn a_plan_of_many_cells_is_checked_without_walking_through_them() {
    let sweep = "{ from = 1, to = 1000, step = 1 }";
    let text = format!(
        "name='n'\n[[matrix]]\nmodes = ['sync', 'async']\nworkers = {sweep}\nworkload.value_bytes = {sweep}\n\
         workload.rate = {sweep}\nrun.warmup = [0, 1]\nexclude = [{{ workers = 7, workload.rate = 3 }}]\n[run]\ntimeout = '6h'\n",
    );
    let started = Instant::now();
    good(&text);
    assert!(started.elapsed() < Duration::from_secs(20), "took {:?}", started.elapsed());
}

const EVERY_KEY: &str = r#"
name = "every-key.1"
question = "Is every key read?"
[workload]
kind = "set-get"
duration = "1m 30s"
value_bytes = 0
pipeline = 2
rate = 1_000
verify = false
split = "even"
link = "unix"
[server.theirs]
address = "[::1]:6380"
password = { env = "THEIR_PASSWORD" }
allow_flush = true
[server.redis]
lifetime = "trial"
[server.mine]
program = "/opt/redis/redis-server"
args = ["--io-threads", "4"]
[host.near]
transport = "local"
[host.far]
transport = "ssh"
target = "me@far"
address = "10.0.0.2:7001-7010"
agent = "~/bin/orchestrate"
pin = { server = [0], client = [1, 2] }
[host.node]
transport = "slurm"
options = ["--partition=short", "-w", "n1"]
connect_timeout = "30m"
[host.box]
transport = "command"
prefix = ["docker", "exec", "-i", "box"]
[mode.own]
command = ["./driver", ""]
[[matrix]]
hosts = ["near", { client = "far", server = "node" }]
servers = ["redis", "mine"]
modes = ["own"]
workers = { from = 1, to = 9, step = 4 }
workload.duration = ["10s", "20s"]
workload.value_bytes = [1, 2]
workload.pipeline = { from = 1, to = 100, points = 3, scale = "log" }
workload.rate = 7
workload.verify = [true, false]
workload.split = "even"
workload.link = "tcp"
server.args = ["--save", ""]
server.lifetime = ["run", "trial"]
run.placement = ["free", "same-core", "separate-cpus", { server = [0], client = [2, 1] }]
run.warmup = ["0s", 100]
exclude = [{ workers = [1, 5], run.warmup = 100 }, { hosts = { client = "far", server = "node" }, servers = "mine" }]
[run]
repetitions = { min = 6, max = 30, until = "2.5%" }
order = "sequential"
seed = 18_446_744_073_709_551_615
placement = { server = [3], client = [2, 2] }
warmup = 50
timeout = "5m"
retries = 0
control = true
labels = { branch = " main\n", pr = 7, tag = "" }
"#;

// ------------------------------------------------------------------------------------------- what is an error

#[test]
fn every_syntax_error_is_shown() {
    insta::assert_snapshot!(complaints(&[
        "question = what\n[workload]\noperations = = 5\nduratoin = '1s'\n[run]\nseed = 1\nseed = 2\n",
        "question = \"unclosed\n[workload\nverify = true\n",
    ]));
}

#[test]
fn every_unknown_key_is_shown_with_what_was_meant() {
    insta::assert_snapshot!(complaints(&[
        "quesiton = ''\n[wrokload]\n[run]\nreps = 1\ntimout = '1s'\n[[matrix]]\nworker = 1\nworkload.valuebytes = 1\n\
         exclude = [{ mode = 'sync' }]\nworkers = { from = 1, too = 2, points = 2 }\n",
    ]));
}

#[test]
fn every_wrong_type_is_shown() {
    insta::assert_snapshot!(complaints(&[
        "question = 1\ninclude = 'a.toml'\n[workload]\nkind = 'set-gat'\noperations = -1\nverify = 'yes'\nlink = 'udp'\n\
         value_bytes = 1.5\n[server.a]\nargs = ['--save', 3]\nallow_flush = 1\n[host.b]\ntransport = 'telnet'\n\
         [mode.c]\ncommand = './c'\n[[matrix]]\nmodes = [1, 'sync']\nworkers = '4'\nhosts = { client = 'local' }\n\
         workload.rate = [1, 'fast']\nserver.args = ['a', ['b']]\nrun.placement = 'core'\nexclude = { workers = 1 }\n\
         [run]\nrepetitions = '3'\nseed = -4\ntimeout = 60\nwarmup = '1 parsec'\nretries = 1979-05-27\n",
        "workload = 1\nrun = []\n[server]\nx = 1\ny = ['redis-server']\n",
        "[[workload]]\n[matrix]\nworkers = 1\n",
        "[run]\nseed = 99999999999999999999999999\nrepetitions = { min = 1, max = 2 }\n",
    ]));
}

#[test]
fn every_undefined_name_is_shown_with_what_was_meant() {
    insta::assert_snapshot!(complaints(&[
        "[[matrix]]\nmodes = ['asinc', 'sync', 'nothing-like-it']\nservers = 'reddis'\nhosts = ['lokal', { client = 'local', server = 'moon' }]\n",
    ]));
}

#[test]
fn a_name_never_escapes_the_results() {
    insta::assert_snapshot!(complaints(&[
        "name = '../../etc'\n",
        "name = ''\n",
        "name = '.hidden'\n",
        "[mode.'a/b']\ncommand = ['x']\n[server.'']\n[host.\"a b\"]\ntransport = 'local'\n",
    ]));
}

#[test]
fn what_is_missing_is_named() {
    insta::assert_snapshot!(
        [
            complaint(""),
            complaints(&[
                "[mode.m]\n[host.h]\naddress = 'x'\n[[matrix]]\nmodes = ['m', 'sync']\nhosts = 'h'\n"
            ]),
        ]
        .join("\n")
    );
}

#[test]
fn a_list_has_levels_and_each_of_them_once() {
    insta::assert_snapshot!(complaints(&[
        "[[matrix]]\nmodes = []\nworkers = []\nhosts = []\nserver.args = []\nrun.warmup = []\n",
        "[[matrix]]\nmodes = ['sync', 'async', 'sync']\nworkers = [1, 0x1]\nrun.warmup = ['1s', '1000ms']\n\
         run.placement = [{ server = [0], client = [1, 2] }, { server = [0], client = [2, 1] }]\n\
         hosts = ['local', { client = 'local', server = 'local' }]\n",
    ]));
}

#[test]
fn a_sweep_runs_forwards_and_is_bounded() {
    insta::assert_snapshot!(complaints(&[
        "[[matrix]]\nworkers = { from = 9, to = 1, points = 3 }\n",
        "[[matrix]]\nworkers = { from = 1, to = 9 }\nworkload.rate = { from = 1, to = 9, points = 3, step = 2 }\n",
        "[[matrix]]\nworkers = { from = 0, to = 9, points = 3, scale = 'log' }\nworkload.rate = { from = 1, to = 9, step = 0 }\n",
        "[[matrix]]\nworkers = { from = 1, to = 9, points = 1 }\nworkload.rate = { from = 1, to = 1_000_000, step = 1 }\n",
        "[[matrix]]\nworkers = { from = 1, to = 9, step = 2, scale = 'log' }\nworkload.rate = { to = 3 }\n",
    ]));
}

#[test]
fn a_number_out_of_its_range_is_refused() {
    insta::assert_snapshot!(complaints(&[
        "[workload]\noperations = 0\nvalue_bytes = 536_870_913\npipeline = 0\nrate = 0\n[run]\nrepetitions = 0\ntimeout = '0s'\n\
         [[matrix]]\nworkers = [0, 10_001]\nworkload.rate = { from = 0, to = 4, step = 1 }\n",
        "[workload]\nduration = '0s'\n[run]\nrepetitions = { min = 9, max = 3, until = '2' }\nplacement = { server = [], client = [1] }\n",
    ]));
}

#[test]
fn a_trial_ends_after_operations_or_after_a_duration() {
    insta::assert_snapshot!(complaints(&[
        "[workload]\noperations = 5\nduration = '1s'\n",
        "[workload]\noperations = 5\n[[matrix]]\nworkload.duration = ['1s', '2s']\n",
        "[workload]\nduration = '1s'\n[[matrix]]\nworkload.operations = 5\n",
        "[[matrix]]\nworkload.operations = 5\nworkload.duration = '1s'\n",
    ]));
}

#[test]
fn a_question_may_have_lines_and_controls_no_terminal() {
    let experiment =
        good("name='n'\nquestion = \"Is\\u001b[2J it\\nfast\\u202e?\"\n[[matrix]]\nmodes='sync'\n");
    assert_eq!(experiment.question.unwrap(), "Is [2J it\nfast ?");
}

#[test]
fn a_secret_is_refused_and_never_shown() {
    let said = complaints(&[
        "[server.a]\naddress = 'h:1'\npassword = 'hunter2'\n",
        "[server]\na = { address = 'h:1', password = \"hunter2\", prot = 3 }\n",
        "[server.a]\nargs = ['--requirepass', 'hunter2', 3]\n",
        "[server.a]\nargs = ['--requirepass hunter2']\n",
        "[server.a]\naddress = 'h:1'\npassword = 'hunter2\nallow_flush = true\n",
        "[server.a]\naddress = 'h:1'\npassword = hunter2\n",
        "[server.a]\naddress = 'redis://:hunter2@h:1'\n",
        "[server.a]\naddress = 'h:1'\npassword = { env = 'not a name' }\n",
        "[[matrix]]\nmodes = 'sync'\nserver.args = [['--masterauth', 'hunter2']]\n",
        "[mode.own]\ncommand = ['./own']\nenv = { REDIS_PASSWORD = 'hunter2', LANG = 'C' }\n",
        "[mode.own]\ncommand = ['./own', '-u', 'redis://me:hunter2@h:1']\n[[matrix]]\nmode.options = { token = ['hunter2', ''], pool = 3 }\n",
    ]);
    assert!(!said.contains("hunter2"), "{said}");
    insta::assert_snapshot!(said);
}

#[test]
fn an_argument_of_a_server_that_would_be_overridden_is_refused_with_what_to_do() {
    insta::assert_snapshot!(complaints(&[
        "[server.a]\nargs = ['--port', '7000', '--BIND 0.0.0.0', '--logfile', '/tmp/log', '--daemonize', 'yes']\n",
        "[server.a]\nargs = ['--unixsocket', '/s', '--tls-port', '7001', '--include', '/etc/redis.conf']\n",
        "[server.a]\nargs = ['/etc/redis.conf', '--save', '']\n",
        "[server.a]\nargs = ['--dir', 'data']\n[server.b]\nargs = ['--save', '', '--dir']\n[server.c]\nargs = ['--dir', '--save', '']\n",
        "[[matrix]]\nmodes = 'sync'\nserver.args = [['--save', ''], ['--port', '7000'], ['--dir ./data']]\n",
    ]));
}

#[test]
fn the_directory_of_a_servers_data_may_be_named_in_one_word_or_two() {
    let named = |args: &str| {
        let experiment = good(&format!("name='n'\n[server.a]\nargs = {args}\n[[matrix]]\nservers='a'\n"));
        let ServerSpec::Managed { args, .. } = &experiment.servers["a"] else { panic!("a server of ours") };
        data_directory(args).map(std::path::Path::to_owned)
    };
    assert_eq!(named("['--save', '', '--dir', '/mnt/fast']"), Some(PathBuf::from("/mnt/fast")));
    assert_eq!(
        named("['--Dir /mnt/fast disk', '--appendonly', 'yes']"),
        Some(PathBuf::from("/mnt/fast disk"))
    );
    assert_eq!(named("['--dir', '/mnt/slow', '--dir', '/mnt/fast']"), Some(PathBuf::from("/mnt/fast")));
    assert_eq!(named("['--save', '']"), None);
}

#[test]
fn a_comma_in_a_number_is_refused_wherever_a_text_becomes_one() {
    insta::assert_snapshot!(complaints(&[
        "[workload]\nduration = '1,500ms'\n[run]\nwarmup = '0,5s'\ntimeout = '1,000,000us'\n",
        "[run]\nrepetitions = { min = 3, max = 9, until = '1,5%' }\n",
        "[[matrix]]\nworkload.duration = ['1s', '2,5s']\nrun.warmup = ['1,5s']\n",
    ]));
}

#[test]
fn a_server_is_started_or_found() {
    insta::assert_snapshot!(complaints(&[
        "[server.a]\naddress = 'h:1'\nprogram = 'redis-server'\nlifetime = 'trial'\n",
        "[server.a]\nallow_flush = true\npassword = { env = 'A' }\n",
        "[server.a]\naddress = 'h'\n[server.b]\naddress = '::1:99999'\n[server.c]\nprogram = ''\n",
        "[server.a]\naddress = 'h:1'\n[[matrix]]\nservers = 'a'\nserver.args = [['x']]\nserver.lifetime = 'trial'\nworkload.link = 'unix'\n",
    ]));
}

#[test]
fn a_host_has_what_its_transport_needs() {
    insta::assert_snapshot!(complaints(&[
        "[host.a]\ntransport = 'ssh'\n[host.b]\ntransport = 'command'\nprefix = []\n[host.c]\ntransport = 'slurm'\ntarget = 'x'\n\
         [host.d]\ntransport = 'local'\noptions = []\n[host.e]\ntransport = 'ssh'\ntarget = '-oProxyCommand=x'\n\
         [host.local]\ntransport = 'local'\n",
    ]));
}

#[test]
fn an_address_and_a_pin_are_checked_where_they_stand() {
    insta::assert_snapshot!(complaints(&[
        "[host.a]\ntransport = 'local'\naddress = '10.0.0.1:x'\n[host.b]\ntransport = 'local'\naddress = ''\n\
         [host.c]\ntransport = 'local'\npin = { server = [], client = [1] }\n[host.d]\ntransport = 'local'\npin = 'core'\n",
    ]));
}

#[test]
fn several_clients_are_different_hosts_and_each_has_something_to_do() {
    let hosts = "[host.a]\ntransport = 'local'\n[host.b]\ntransport = 'local'\n[[matrix]]\nmodes = 'async'\n";
    let with = |rest: &str| format!("{hosts}{rest}");
    insta::assert_snapshot!(complaints(&[
        &with("workers = [1, 2]\nhosts = { clients = ['a', 'b'], server = 'local' }\n"),
        &with("workers = 2\nworkload.rate = 1\nhosts = { clients = ['a', 'b'], server = 'local' }\n"),
        &with("workers = 2\nhosts = { clients = ['a', 'a'], server = 'local' }\n"),
        &with("workers = 2\nhosts = { client = 'a', clients = ['b'], server = 'local' }\n"),
        &with("workers = 2\nhosts = [{ server = 'local' }, { clients = [], server = 'c' }]\n"),
    ]));
}

#[test]
fn a_mode_is_a_command_with_a_name_of_its_own() {
    insta::assert_snapshot!(complaints(&[
        "[mode.sync]\ncommand = ['x']\n[mode.a]\ncommand = []\n[mode.b]\ncommand = ['']\n[[matrix]]\nmodes = ['sync', 'a', 'b']\n",
    ]));
}

#[test]
fn what_a_mode_cannot_do_is_refused_by_name() {
    insta::assert_snapshot!(complaints(&[
        "[[matrix]]\nmodes = ['sync', 'sync-pipe']\nworkload.pipeline = [1, 4, 16]\n",
        "[workload]\nrate = 5_000\n[[matrix]]\nmodes = ['sync', 'sync-pipe']\nworkers = [1, 2]\n",
        "[[matrix]]\nmodes = 'sync'\nworkload.pipeline = [1, 4]\n",
        "[mode.own]\ncommand = ['x']\n[[matrix]]\nmodes = ['own', 'sync']\nworkload.pipeline = 4\n",
        "[workload]\nrate = 5_000\n[[matrix]]\nmodes = ['async-pipe', 'sync-pipe']\n",
    ]));
}

#[test]
fn levels_that_do_not_go_together_are_refused() {
    insta::assert_snapshot!(complaints(&[
        "[workload]\nlink = 'unix'\n[host.far]\ntransport = 'ssh'\ntarget = 'far'\n[[matrix]]\n\
         hosts = ['local', { client = 'far', server = 'local' }]\n",
        "[workload]\noperations = 10\n[[matrix]]\nworkers = [5, 20, 50]\n",
        "[workload]\nduration = '1s'\nsplit = 'divisor'\n",
        "[workload]\nsplit = 'divisor'\n[[matrix]]\nworkload.operations = [20_000, 20_011]\nworkers = [1, 200]\n",
        "[workload]\nduration = '50s'\n[run]\nwarmup = '10s'\n",
        "[run]\nwarmup = '2m'\ntimeout = '1m'\n",
    ]));
}

#[test]
fn an_exclusion_matches_something_and_leaves_something() {
    insta::assert_snapshot!(complaints(&[
        "[[matrix]]\nmodes = ['sync', 'async']\nexclude = [{ modes = 'multiplexed' }, { workers = 1 }, {}]\n",
        "[[matrix]]\nworkers = [1, 2]\nexclude = [{ workers = [1, 3] }, { workers = { from = 1, to = 2, step = 1 } }]\n",
        "[[matrix]]\nworkers = [1, 2]\nexclude = [{ workers = 1 }, { workers = 2 }]\n",
    ]));
}

#[test]
fn no_cell_stands_in_two_matrices() {
    insta::assert_snapshot!(complaints(&[
        "[[matrix]]\nmodes = ['sync', 'async']\nworkers = [1, 2]\n[[matrix]]\nmodes = ['multiplexed', 'async']\n",
        "[[matrix]]\n[[matrix]]\nworkload.value_bytes = 3\n[[matrix]]\nservers = 'redis'\nworkload.pipeline = 1\n",
    ]));
}

#[test]
fn work_that_cannot_be_done_in_time_or_never_fills_a_pipeline_is_an_error() {
    insta::assert_snapshot!(complaints(&[
        "[workload]\noperations = 2_000\nrate = 100\n[[matrix]]\nmodes = 'sync'\n[run]\ntimeout = '2s'\n",
        "[workload]\noperations = 100\n[[matrix]]\nmodes = 'sync-pipe'\nworkload.pipeline = [64, 1000]\n",
        "[[matrix]]\nmodes = 'sync'\n[run]\nretries = 4_294_967_295\n",
    ]));
}

#[test]
fn a_plan_can_be_counted() {
    let sweep = "{ from = 1, to = 1000, step = 1 }";
    let text = format!(
        "[[matrix]]\nmodes = 'sync'\nworkers = {sweep}\nworkload.value_bytes = {sweep}\nworkload.rate = {sweep}\n\
         workload.operations = {{ from = 1001, to = 2000, step = 1 }}\nrun.warmup = [1, 2, 3]\n\
         server.args = [[], ['a'], ['b'], ['c']]\n[run]\nrepetitions = 1_000\ntimeout = '1h'\n",
    );
    insta::assert_snapshot!(complaints(&[&text]));
}

#[test]
fn a_file_is_text_of_a_reasonable_size() {
    let latin1 = parse(&source("sweep.toml", b"name = \"caf\xe9\"\n[[matrix]]\n"), &[], &MODES);
    let large = parse(&source("sweep.toml", vec![b'\n'; 1024 * 1024 + 1]), &[], &MODES);
    let said = [latin1, large].map(|result| result.expect_err("no experiment").to_string());
    insta::assert_snapshot!(said.join("\n\n"));
}

#[test]
fn an_included_file_holds_modes_servers_and_hosts_only() {
    let main = "name = 'n'\ninclude = ['../drivers/python.toml']\n[mode.a]\ncommand = ['x']\n[[matrix]]\nmodes = ['a', 'b', 'c']\n";
    let said = [
        complaint_with_include(
            main,
            "include = ['more.toml']\nname = 'x'\nmodus = 1\n[[matrix]]\n[mode.b]\ncommand = ['y']\n",
        ),
        complaint_with_include(main, "[mode.a]\ncommand = ['y']\n[mode.b]\ncommand = 7\n[mode.c]\n"),
        complaint_with_include(main, "[mode.b\n"),
        complaint_with_include(
            "name = 'n'\ninclude = ['x']\nmode = { a = { command = ['x'] } }\n[[matrix]]\n",
            "[mode.b]\ncommand = ['y']\n",
        ),
        Diagnostics::missing_include(&source("sweep.toml", main), 0, "no such file or directory").to_string(),
    ];
    insta::assert_snapshot!(said.join("\n\n"));
}

// ------------------------------------------------------------------------------------------- what always holds

#[test]
fn the_resolved_text_says_the_same_alone() {
    let main = "name = 'n' # first\n  include = [\n    'b.toml', # why\n    'clients/c.toml',\n  ]\n[mode.a]\ncommand = ['x']\n[[matrix]]\nmodes = ['a', 'py-uvloop', 'odd']\n[run]\nseed = 3";
    let odd = "mode.odd.command = ['z']\nserver = { s = { program = 'p' } }\n";
    for (main, included) in [
        (complete().0, vec![complete().1]),
        (
            source("sweep.toml", main),
            vec![source("/there/b.toml", PYTHON), source("/there/clients/c.toml", odd)],
        ),
        (source("sweep.toml", EVERY_KEY), vec![]),
    ] {
        let mut original =
            parse(&main, &included, &MODES).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        let text = resolved_text(&main, &included);
        let resolved = source("experiment.toml", &text);
        assert!(includes(&resolved).is_empty());
        assert!(!text.contains("/there"), "{text}");
        let mut alone =
            parse(&resolved, &[], &MODES).unwrap_or_else(|diagnostics| panic!("{text}\n{diagnostics}"));
        for mode in original.modes.values_mut().chain(alone.modes.values_mut()) {
            mode.directory = PathBuf::new().into();
        }
        assert_eq!(original, alone, "{text}");
    }
}

#[test]
fn the_committed_schema_is_current() {
    let committed = include_str!("../schema/experiment.schema.json");
    assert!(committed == schema(), "renew it: orchestrate schema > schema/experiment.schema.json");
}

#[test]
fn a_file_with_very_many_errors_is_answered_soon_and_shortly() {
    let started = Instant::now();
    let megabyte = |unit: &str| unit.repeat(1_000_000 / unit.len());
    let numbered = |unit: &dyn Fn(usize) -> String| (0..30_000).map(unit).collect::<String>();
    let dots = vec!["a"; 79].join(".");
    let sweep = "{ from = 1, to = 1000, step = 1 }";
    let large = |i: usize| {
        format!(
            "[[matrix]]\nmodes='sync'\nworkers={sweep}\nworkload.rate={sweep}\nworkload.value_bytes={sweep}\nrun.warmup={i}\n"
        )
    };
    let tangle = |i: usize| {
        let list = |by: usize| format!("[{}, {}, {}]", 1 + i % by, 1 + i / by % by, 1 + i * 7 % 40);
        format!(
            "{{ workers = {}, workload.rate = {}, workload.value_bytes = {} }},",
            list(37),
            list(31),
            list(29)
        )
    };
    for text in [
        format!("wrong = 1\nname='n'\n{}", (0..200).map(large).collect::<String>()),
        format!(
            "wrong = 1\nname='n'\n[[matrix]]\nmodes='sync'\nworkers={sweep}\nworkload.rate={sweep}\nworkload.value_bytes={sweep}\nexclude=[{}]",
            (0..1000).map(tangle).collect::<String>()
        ),
        numbered(&|i| format!("unknown{i} = {i}\n")),
        format!("[workload]\n{}", numbered(&|i| format!("unknown{i} = {i}\n"))),
        format!("name='n'\n[[matrix]]\nworkers = [{}]", megabyte("'a',")),
        format!("name='n'\n[[matrix]]\nworkers = [{}]", numbered(&|i| format!("{i},"))),
        format!("name='n'\n[[matrix]]\nmodes = [{}]", megabyte("'a',")),
        format!("name='n'\n[[matrix]]\nworkers=[1,2]\nexclude = [{}]", megabyte("{workers=1},")),
        format!("name='n'\n{}", megabyte("[[matrix]]\n")),
        format!("name='n'\n[[matrix]]\n{}", numbered(&|i| format!("[mode.m{i}]\n"))),
        megabyte("= = [ \n"),
        megabyte("["),
        format!("a = [{}", megabyte(",")),
        format!("a = {{{}", megabyte("password='x',")),
        megabyte("{a="),
        megabyte("a."),
        megabyte("\"\"\" "),
        format!("{}a = 1{}\n", format!("{dots} = {{ ").repeat(79), "}".repeat(79)),
        format!("x = 1\nx = {{{}a = 1{}}}\n", format!("{dots} = {{ ").repeat(77), "}".repeat(77)),
    ] {
        let one = Instant::now();
        let diagnostics = read(&text).expect_err("the file is wrong");
        assert!(diagnostics.findings().len() <= 100);
        let shown = diagnostics.render(true);
        assert!(shown.len() < 200_000, "{} bytes for {}", shown.len(), &text[..60]);
        println!(
            "{:?} for {} findings in {}…",
            one.elapsed(),
            diagnostics.findings().len(),
            text[..50].escape_debug()
        );
    }
    assert!(started.elapsed() < Duration::from_secs(60), "took {:?}", started.elapsed());
}

/// Nothing that is said of a file points outside of it, and all of it can be shown.
fn holds_together(bytes: &[u8]) -> Result<(), TestCaseError> {
    let main = source("sweep.toml", bytes);
    let _: Vec<Include> = includes(&main);
    let _: String = resolved_text(&main, &[source("b.toml", bytes)]);
    for included in [vec![], vec![source("b.toml", bytes)]] {
        let Err(diagnostics) = parse(&main, &included, &MODES) else { continue };
        prop_assert!(!diagnostics.findings().is_empty());
        for finding in diagnostics.findings() {
            let location = diagnostics.location(finding);
            prop_assert!(location.span.start <= location.span.end);
            // Bytes that are no UTF-8 are shown as three.
            prop_assert!(location.span.end <= bytes.len() + 2, "{location:?} of {}", bytes.len());
            prop_assert!(location.line >= 1 && location.column >= 1);
        }
        prop_assert!(!diagnostics.render(false).is_empty() && !diagnostics.render(true).is_empty());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        holds_together(&bytes)?;
    }

    #[test]
    fn no_text_makes_it_panic(text in "[\\[\\]{}=.,\"'#a-c0-9 \n\u{e9}]{0,120}") {
        holds_together(text.as_bytes())?;
    }

    #[test]
    fn no_change_of_a_good_file_makes_it_panic(
        which in 0usize..2,
        at in any::<prop::sample::Index>(),
        length in 0usize..40,
        from in any::<prop::sample::Index>(),
        insert in "[\\[\\]{}=.,\"'a-z0-9 \n\u{e9}-]{0,5}",
    ) {
        let text = [COMPLETE, EVERY_KEY][which];
        let start = text.floor_char_boundary(at.index(text.len()));
        let end = text.floor_char_boundary((start + length).min(text.len()));
        let other = text.floor_char_boundary(from.index(text.len()));
        let moved = &text[other..text.ceil_char_boundary((other + length).min(text.len()))];
        holds_together(format!("{}{insert}{}", &text[..start], &text[end..]).as_bytes())?;
        holds_together(format!("{}{moved}{}", &text[..start], &text[end..]).as_bytes())?;
    }
}

#[test]
fn a_mode_that_ships_but_is_not_included_names_its_file() {
    let text = complaint(
        "name = \"x\"\n[workload]\noperations = 10\n[[matrix]]\nmodes = [\"py-sync\"]\nworkers = 1\n",
    );
    assert!(text.contains("mode `py-sync` is in a file that is not included"), "{text}");
    assert!(text.contains("include = [\"builtin:python\"]"), "{text}");
}

/// Cells with the modes `hiredis` and `redis-benchmark`, and where their files are.
fn cells_with(included: &[Source]) -> (Vec<String>, Vec<Directory>) {
    let main = source("x.toml", "name = 'x'\n[[matrix]]\nmodes = ['hiredis', 'redis-benchmark']\n");
    let experiment = parse(&main, included, &MODES).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
    let cells = Plan::new(&experiment).cells().map(|cell| cell.id.to_string()).collect();
    (cells, experiment.modes.into_values().map(|mode| mode.directory).collect())
}

#[test]
fn a_built_in_file_gives_the_same_cells_as_the_file_that_it_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("drivers");
    let file = |name: &str| source(name, std::fs::read(root.join(name)).unwrap());
    let (of_files, _) = cells_with(&["c.toml", "load-generators.toml"].map(file));
    let builtin = |name: &str| shipped::builtin(name).unwrap();
    let (of_builtin, directories) = cells_with(&["c", "load-generators"].map(builtin));
    assert_eq!(of_builtin, of_files);
    assert_eq!(of_builtin.len(), 2);
    assert!(directories.iter().all(|directory| *directory == Directory::Builtin), "{directories:?}");
}

#[test]
fn a_built_in_file_is_included_by_its_name_and_kept_as_the_tables_in_it() {
    let main = source(
        "x.toml",
        "name = 'x'\ninclude = ['builtin:c', './builtin:c']\n[[matrix]]\nmodes = 'hiredis'\n",
    );
    assert_eq!(
        includes(&main),
        [Include::Builtin("c".to_owned()), Include::File("/experiments/./builtin:c".into())]
    );
    let text = resolved_text(&main, &[shipped::builtin("c").unwrap()]);
    assert!(text.contains("\n# included from builtin:c\n[mode.hiredis]\n"), "{text}");
}

#[test]
fn a_built_in_file_that_does_not_exist_is_refused_with_those_that_do() {
    let said = |include: &str| {
        let main = format!("name = 'x'\ninclude = ['{include}']\n[[matrix]]\n");
        Diagnostics::unknown_builtin(&source("x.toml", main), 0).to_string()
    };
    let missing = Diagnostics::missing_include(
        &source("x.toml", "name = 'x'\ninclude = ['../drivers/python.toml']\n[[matrix]]\n"),
        0,
        "no such file or directory",
    );
    let said = [said("builtin:pyhton"), said("builtin:fortran"), missing.to_string()];
    insta::assert_snapshot!(said.join("\n\n"));
}
