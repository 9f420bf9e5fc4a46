//! What is said of an experiment file that is wrong: all of it at once, where it stands, with what to write.

use super::*;

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
        "quesiton = ''\n[wrokload]\n[run]\nreps = 1\ntimout = '1s'\n[[matrix]]\nworker = 1\nworkload.valuebytes = 1\nworkload.value_size = 1\n\
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
        "[[matrix]]\nmodes = ['asinc', 'sync', 'nothing-like-it', 'py-async', 'py-sink']\nservers = 'reddis'\nhosts = ['lokal', { client = 'local', server = 'moon' }]\n",
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
