use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::SignedDuration;
use orchestrate::analysis::order;
use orchestrate::experiment::{
    Amount, Axis, Experiment, Factor, HostPair, Labels, Level, Lifetime, Matrix, ModeSpec, Order,
    Repetitions, RunSpec, ServerSpec,
};
use orchestrate::record::Status;
use orchestrate::results::ResultsError;
use orchestrate::results::differences::differences;
use orchestrate::results::progress::Standing;
use orchestrate::results::provenance::EndReason;
use orchestrate::results::run_dir::{RunDir, runs};
use orchestrate::units::Nanos;

use crate::records::{begin, end, failed, ok, session, settings, start};

#[test]
fn the_newest_run_comes_first_and_says_whether_it_is_complete() {
    let results = tempfile::tempdir().unwrap();
    assert_eq!(runs(results.path(), "article").unwrap(), Vec::<PathBuf>::new());

    let (first, mut journal) = begin(results.path(), start());
    journal.end(&end(EndReason::Complete)).unwrap();
    let (second, later) = begin(results.path(), start() + SignedDuration::from_hours(1));
    let paths = [second.path().to_owned(), first.path().to_owned()];
    // No journal, no run: a coordinator that crashed before it began.
    std::fs::create_dir(results.path().join("article/20990101T000000Z-mercury")).unwrap();
    drop((first, second, journal, later));

    assert_eq!(runs(results.path(), "article").unwrap(), paths);
    let complete = paths.map(|path| RunDir::resume(&path, "mercury", start()).unwrap().state.is_complete());
    assert_eq!(complete, [false, true]);
}

#[test]
fn two_runs_within_a_second_have_two_directories() {
    let results = tempfile::tempdir().unwrap();
    let (first, _) = begin(results.path(), start());
    let (second, _) = begin(results.path(), start());
    assert!(first.path().ends_with("20170309T101500Z-mercury"), "{first:?}");
    assert!(second.path().ends_with("20170309T101500Z-mercury-2"), "{second:?}");
}

#[test]
fn a_directory_in_use_says_by_whom() {
    let results = tempfile::tempdir().unwrap();
    let (held, journal) = begin(results.path(), start());
    let error = RunDir::resume(held.path(), "venus", start()).unwrap_err();
    let text = error.to_string();
    let holder = format!("is in use by process {} on mercury since 2017-03-09T10:15:00Z", std::process::id());
    assert!(text.ends_with(&holder), "{text}");
    assert!(matches!(error, ResultsError::Locked { .. }));

    let path = held.path().to_owned();
    drop((held, journal));
    RunDir::resume(&path, "venus", start()).unwrap();
}

#[test]
fn what_is_done_is_known_after_a_crash() {
    let results = tempfile::tempdir().unwrap();
    let (sync, pipelined) = (settings("sync", 1), settings("sync-pipe", 1));
    let path = {
        let (directory, mut journal) = begin(results.path(), start());
        journal.trial(&ok(&sync, 1, 8_600.0)).unwrap();
        journal.trial(&failed(&pipelined, 1, "no")).unwrap();
        let mut interrupted = failed(&sync, 2, "stopped");
        (interrupted.status, interrupted.attempt) = (Status::Interrupted, 1);
        journal.trial(&interrupted).unwrap();
        directory.path().to_owned()
    };
    let mut resumed = RunDir::resume(&path, "mercury", start()).unwrap();
    let progress = &resumed.state.progress;
    let cell = |settings| u64::from_str_radix(&failed(settings, 1, "").cell, 16).unwrap();
    let sync = cell(&sync);
    assert_eq!((progress.attempted(), progress.succeeded()), (3, 1));
    // An attempt that somebody interrupted is no failure, and its number is not used again.
    let interrupted = Standing { last: Status::Interrupted, attempts: 1 };
    assert_eq!(progress.of(sync, 2), Some(interrupted));

    assert_eq!(resumed.state.end, None);
    resumed.journal.session(&session("x", 4)).unwrap();
    resumed.journal.end(&end(EndReason::Complete)).unwrap();
    drop(resumed);
    assert!(RunDir::resume(&path, "mercury", start()).unwrap().state.is_complete());
}

fn experiment() -> Experiment {
    let managed = |args: &[&str]| ServerSpec::Managed {
        program: "redis-server".to_owned(),
        args: args.iter().map(ToString::to_string).collect(),
        lifetime: Lifetime::Run,
        cluster: None,
        preparation: None,
    };
    let axis = |factor, levels: Vec<Level>| Axis { factor, levels };
    let mode = |mode: &str| Level::Name(mode.to_owned());
    Experiment {
        name: "article".to_owned(),
        question: None,
        servers: BTreeMap::from([("redis".to_owned(), managed(&["--save", ""]))]),
        hosts: BTreeMap::new(),
        modes: BTreeMap::from([(
            "mine".to_owned(),
            ModeSpec {
                command: vec!["./driver".to_owned()],
                load_generator: None,
                options: Default::default(),
                env: Default::default(),
                workloads: vec![orchestrate::workload::Kind::SetGet],
                supports: Vec::new(),
                prepare: Vec::new(),
                optional: false,
                directory: PathBuf::new().into(),
            },
        )]),
        matrices: vec![Matrix {
            base: settings("sync", 1),
            axes: vec![
                axis(Factor::Mode, vec![mode("sync"), mode("mine")]),
                axis(Factor::Workers, vec![Level::Number(1), Level::Number(100)]),
            ],
            exclude: Vec::new(),
        }],
        run: RunSpec {
            repetitions: Repetitions::Fixed(5),
            order: Order::ShuffledBlocks,
            seed: 1,
            timeout: Nanos::from_secs(60),
            retries: 1,
            control: false,
            labels: Labels::default(),
        },
    }
}

fn changes(change: impl FnOnce(&mut Experiment)) -> Vec<String> {
    let mut changed = experiment();
    change(&mut changed);
    differences(&experiment(), &changed).iter().map(ToString::to_string).collect()
}

#[test]
fn a_changed_setting_that_measures_is_a_difference() {
    assert_eq!(
        changes(|e| e.matrices[0].base.workload.value_bytes = None),
        ["workload.value_bytes: 16 → absent"]
    );
    assert_eq!(
        changes(|e| e.matrices[0].base.workload.amount = Amount::Operations(10)),
        ["workload.amount: 20000 operations → 10 operations"]
    );
    let axis = Axis { factor: Factor::Pipeline, levels: vec![Level::Number(8)] };
    assert_eq!(changes(|e| e.matrices[0].axes.push(axis)), ["workload.pipeline: 1 → 8"]);
    assert_eq!(
        changes(|e| e.modes.get_mut("mine").unwrap().command.push("--fast".to_owned())),
        ["mode.mine.command: ./driver → ./driver --fast"]
    );
    // The same letters in other words are another command.
    let joined = changes(|e| e.modes.get_mut("mine").unwrap().command = vec!["./driver --fast".to_owned()]);
    assert_eq!(joined, ["mode.mine.command: ./driver → \"./driver --fast\""]);
    let external = ServerSpec::External {
        host: "10.0.0.5".to_owned(),
        port: 6379,
        username: None,
        password_env: None,
        db: 0,
        tls: None,
        cluster: false,
        allow_flush: false,
    };
    assert_eq!(
        changes(|e| e.servers = BTreeMap::from([("redis".to_owned(), external)])),
        [
            "server.redis.program: redis-server → absent",
            "server.redis.args: --save \"\" → absent",
            "server.redis.lifetime: run → absent",
            "server.redis.address: absent → 10.0.0.5:6379",
        ]
    );
}

#[test]
fn cells_that_join_or_leave_are_no_difference() {
    let sizes = vec![Level::Number(16), Level::Number(1024)];
    let axis = Axis { factor: Factor::ValueBytes, levels: sizes };
    assert_eq!(changes(|e| e.matrices[0].axes.push(axis)), [""; 0]);
    assert_eq!(changes(|e| e.matrices[0].axes[1].levels.push(Level::Number(200))), [""; 0]);
    assert_eq!(changes(|e| e.matrices[0].axes[0].levels.truncate(1)), [""; 0]);
    assert_eq!(changes(|e| e.matrices[0].base.hosts = HostPair::same("debian")), [""; 0]);
}

#[test]
fn how_the_run_is_carried_out_is_no_difference() {
    let mut labels = Labels::default();
    labels.set("commit", "1f3c9a2").unwrap();
    let run = RunSpec {
        repetitions: Repetitions::Fixed(50),
        order: Order::Sequential,
        seed: 2,
        timeout: Nanos::from_secs(1),
        retries: 9,
        control: true,
        labels,
    };
    assert_eq!(changes(|e| e.run = run), [""; 0]);
}

#[test]
fn modes_stand_in_the_order_of_the_file() {
    let mut two = experiment();
    let mut second = two.matrices[0].clone();
    second.axes.clear();
    second.base.mode = "alone".to_owned();
    two.matrices.push(second);
    assert_eq!(order::modes(&two), ["sync", "mine", "alone"]);
}
