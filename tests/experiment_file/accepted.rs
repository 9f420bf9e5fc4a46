//! What an experiment file may say, and what it then means.

use super::*;

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
