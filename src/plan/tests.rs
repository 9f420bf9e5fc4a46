//! Plans are built by hand here, so that these tests do not depend on the file format.

use std::collections::{BTreeMap, BTreeSet};

use super::{Cell, CellId, NeededServer, Plan, PlannedTrial};
use crate::experiment::{
    Amount, Axis, Exclude, Experiment, Factor, HostPair, HostSpec, Labels, Level, Lifetime, Link, Matrix,
    Order, Own, Placement, Repetitions, RunSpec, ServerSpec, Settings, Split, Transport, Warmup, Workload,
};
use crate::units::Nanos;
use crate::workload::Kind;

fn base() -> Settings {
    Settings {
        hosts: HostPair::same("local"),
        server: "redis".into(),
        mode: "sync".into(),
        workers: 1,
        workload: Workload {
            kind: Kind::SetGet,
            amount: Amount::Operations(20_000),
            value_bytes: None,
            pipeline: 1,
            rate: None,
            verify: true,
            split: Split::Even,
            link: Link::Tcp,
        },
        server_args: None,
        lifetime: None,
        placement: Placement::Free,
        warmup: Warmup::Operations(0),
        own: Own::default(),
    }
}

fn workers(levels: impl IntoIterator<Item = u64>) -> Axis {
    Axis { factor: Factor::Workers, levels: levels.into_iter().map(Level::Number).collect() }
}

fn modes(levels: &[&str]) -> Axis {
    Axis { factor: Factor::Mode, levels: levels.iter().map(|m| Level::Name((*m).to_owned())).collect() }
}

fn experiment(matrices: Vec<Matrix>) -> Experiment {
    Experiment {
        name: "test".into(),
        question: None,
        servers: BTreeMap::from([(
            "redis".to_owned(),
            ServerSpec::Managed {
                program: "redis-server".into(),
                args: vec![],
                lifetime: Lifetime::Run,
                cluster: None,
                preparation: None,
            },
        )]),
        hosts: BTreeMap::from([("local".to_owned(), HostSpec::new(Transport::Local))]),
        modes: BTreeMap::new(),
        matrices,
        run: RunSpec {
            repetitions: Repetitions::Fixed(3),
            order: Order::ShuffledBlocks,
            seed: 7,
            timeout: Nanos::from_secs(60),
            retries: 1,
            control: false,
            labels: Labels::default(),
        },
    }
}

fn matrix(axes: Vec<Axis>, exclude: Vec<Exclude>) -> Matrix {
    Matrix { base: base(), axes, exclude }
}

fn exclude(levels: &[(Factor, Level)]) -> Exclude {
    Exclude { levels: levels.iter().map(|(f, l)| (*f, vec![l.clone()])).collect() }
}

fn small() -> Experiment {
    let without =
        exclude(&[(Factor::Mode, Level::Name("multiplexed".into())), (Factor::Workers, Level::Number(1))]);
    experiment(vec![
        matrix(vec![modes(&["async", "multiplexed"]), workers([1, 10, 100])], vec![without]),
        matrix(vec![modes(&["sync"]), workers([1])], vec![]),
    ])
}

fn names(cells: impl Iterator<Item = Cell>) -> Vec<String> {
    cells.map(|cell| format!("{}×{}", cell.settings.mode, cell.settings.workers)).collect()
}

#[test]
fn cells_are_the_union_of_the_matrices_less_what_is_excluded() {
    let experiment = small();
    let plan = Plan::new(&experiment);
    assert_eq!(
        names(plan.cells()),
        ["async×1", "async×10", "async×100", "multiplexed×10", "multiplexed×100", "sync×1"]
    );
    assert_eq!((plan.cell_count(), plan.trial_count()), (6, 18));
}

#[test]
fn each_repetition_runs_every_cell_once_in_a_newly_shuffled_order() {
    let experiment = small();
    let plan = Plan::new(&experiment);
    let trials: Vec<PlannedTrial> = plan.trials().collect();
    let positions: Vec<u64> = trials.iter().map(|trial| trial.position).collect();
    assert_eq!(positions, (1..=18).collect::<Vec<_>>());
    let block =
        |r: u32| -> Vec<CellId> { trials.iter().filter(|t| t.repetition == r).map(|t| t.cell.id).collect() };
    let all: BTreeSet<CellId> = plan.cells().map(|cell| cell.id).collect();
    for repetition in 1..=3 {
        assert_eq!(block(repetition).into_iter().collect::<BTreeSet<_>>(), all);
    }
    assert_ne!(block(1), block(2));
    assert_eq!(trials, Plan::new(&experiment).trials().collect::<Vec<_>>());
}

#[test]
fn a_sequential_order_is_the_order_of_the_file_again_and_again() {
    let mut experiment = small();
    experiment.run.order = Order::Sequential;
    let plan = Plan::new(&experiment);
    let cells: Vec<CellId> = plan.cells().map(|cell| cell.id).collect();
    let trials: Vec<CellId> = plan.trials().map(|trial| trial.cell.id).collect();
    assert_eq!(trials, cells.repeat(3));
}

#[test]
fn a_control_is_the_first_cell_once_more_with_an_identity_of_its_own() {
    let mut experiment = small();
    let without: Vec<Cell> = Plan::new(&experiment).cells().collect();
    experiment.run.control = true;
    let plan = Plan::new(&experiment);
    let cells: Vec<Cell> = plan.cells().collect();
    let (control, others) = cells.split_last().unwrap();
    assert_eq!(others, without, "nobody else changes");
    assert_eq!((control.control_of, &control.settings), (Some(without[0].id), &without[0].settings));
    assert!(others.iter().all(|other| other.id != control.id && other.control_of.is_none()));
    assert_eq!((plan.cell_count(), plan.trial_count()), (7, 21));

    let ids: BTreeSet<CellId> = cells.iter().map(|cell| cell.id).collect();
    let places: BTreeSet<Option<usize>> = (1..=60)
        .map(|repetition| {
            let block: Vec<CellId> = plan.block(repetition).map(|trial| trial.cell.id).collect();
            assert_eq!(block.iter().copied().collect::<BTreeSet<_>>(), ids);
            block.iter().position(|&id| id == control.id)
        })
        .collect();
    assert_eq!(places.len(), 7, "it is shuffled like any other");
    insta::assert_snapshot!(control.id, @"82b4b595082290a2");
}

#[test]
fn where_every_cell_is_excluded_there_is_no_control() {
    let all = exclude(&[(Factor::Mode, Level::Name("sync".into()))]);
    let mut experiment = experiment(vec![matrix(vec![modes(&["sync"])], vec![all])]);
    experiment.run.control = true;
    let plan = Plan::new(&experiment);
    assert_eq!((plan.cell_count(), plan.cells().count(), plan.has_control()), (0, 0, false));
}

#[test]
fn repetitions_until_a_precision_are_planned_as_often_as_they_may_be_at_most() {
    let mut experiment = small();
    let fixed = Plan::new(&experiment).hash();
    experiment.run.repetitions = Repetitions::Until { min: 2, max: 3, precision: 0.02 };
    let plan = Plan::new(&experiment);
    assert_eq!((plan.least_blocks(), plan.blocks(), plan.trials_in(2), plan.trial_count()), (2, 3, 12, 18));
    assert_ne!(plan.hash(), fixed);
    let mut said = experiment.run.repetitions;
    assert_eq!(said.to_string(), "2 to 3, until every median is known to ±2%");
    said = Repetitions::Until { min: 2, max: 3, precision: 0.07 };
    assert_eq!(said.to_string(), "2 to 3, until every median is known to ±7%");
}

#[test]
fn counting_by_algebra_agrees_with_counting_one_by_one() {
    let overlapping = [
        exclude(&[(Factor::Mode, Level::Name("a".into()))]),
        exclude(&[(Factor::Workers, Level::Number(2))]),
        exclude(&[(Factor::Mode, Level::Name("b".into())), (Factor::Pipeline, Level::Number(4))]),
        exclude(&[(Factor::Workers, Level::Number(3)), (Factor::Pipeline, Level::Number(4))]),
    ];
    let axes = || {
        let pipeline =
            Axis { factor: Factor::Pipeline, levels: [1, 4, 16].into_iter().map(Level::Number).collect() };
        vec![modes(&["a", "b", "c"]), workers(1..=5), pipeline]
    };
    for chosen in 0..16_usize {
        let excludes =
            overlapping.iter().enumerate().filter(|(i, _)| chosen >> i & 1 == 1).map(|(_, e)| e.clone());
        let experiment = experiment(vec![matrix(axes(), excludes.collect())]);
        let plan = Plan::new(&experiment);
        assert_eq!(plan.cell_count(), plan.cells().count() as u64, "excludes {chosen:04b}");
    }
}

#[test]
fn a_huge_plan_is_counted_and_begun_at_once() {
    let values = Axis { factor: Factor::ValueBytes, levels: (1..=60_000).map(Level::Number).collect() };
    let not = exclude(&[(Factor::Workers, Level::Number(2)), (Factor::ValueBytes, Level::Number(5))]);
    let experiment = experiment(vec![matrix(vec![workers(1..=9_999), values], vec![not])]);
    let plan = Plan::new(&experiment);
    assert_eq!(plan.cell_count(), 9_999 * 60_000 - 1);
    assert_eq!(plan.trials().take(3).count(), 3);
    assert_eq!(plan.hosts(), BTreeSet::from(["local".to_owned()]));
    assert_eq!(plan.estimate(3).0 / 1_000_000_000, 3 * (9_999 * 60_000 - 1) * 101 / 100);
}

#[test]
fn identity_ignores_what_is_not_measured_and_sees_what_is() {
    let before = small();
    let id = |experiment: &Experiment, settings: &Settings| CellId::of(experiment, settings);
    let first = id(&before, &base());

    let mut run = before.clone();
    let mut labels = Labels::default();
    labels.set("commit", "1f3c9a2").unwrap();
    run.run = RunSpec {
        repetitions: Repetitions::Fixed(99),
        order: Order::Sequential,
        seed: 1,
        timeout: Nanos::from_secs(1),
        retries: 9,
        control: true,
        labels,
    };
    run.matrices.pop();
    assert_eq!(id(&run, &base()), first);

    // A default that is spelled out is the same cell.
    let spelled = Settings { server_args: Some(vec![]), lifetime: Some(Lifetime::Run), ..base() };
    assert_eq!(id(&before, &spelled), first);

    let mut server = before.clone();
    server.servers.insert(
        "redis".into(),
        ServerSpec::Managed {
            program: "redis-server".into(),
            args: vec!["--io-threads".into()],
            lifetime: Lifetime::Run,
            cluster: None,
            preparation: None,
        },
    );
    assert_ne!(id(&server, &base()), first);
    assert_ne!(id(&before, &Settings { placement: Placement::SeparateCpus, ..base() }), first);
    assert_ne!(id(&before, &Settings { warmup: Warmup::Operations(1), ..base() }), first);
}

#[test]
fn no_identity_looks_like_a_number() {
    // As 26 of them would by chance: decimal digits alone, or with one `e` in between.
    let experiment = small();
    for pipeline in 1..=20_000 {
        let workload = Workload { pipeline, ..base().workload };
        let id = CellId::of(&experiment, &Settings { workload, ..base() }).to_string();
        assert!(id.len() == 16 && id.parse::<f64>().is_err(), "{id}");
        assert_eq!(id.parse::<CellId>().unwrap().to_string(), id);
    }
}

#[test]
fn the_identity_of_a_cell_never_changes() {
    insta::assert_snapshot!(CellId::of(&small(), &base()), @"2bab032ad21abff4");
}

#[test]
fn only_servers_that_some_cell_uses_are_needed() {
    let mut experiment = small();
    let spare = experiment.servers["redis"].clone();
    experiment.servers.insert("spare".into(), spare);
    let servers = Axis {
        factor: Factor::Server,
        levels: vec![Level::Name("redis".into()), Level::Name("spare".into())],
    };
    let never = exclude(&[(Factor::Server, Level::Name("spare".into()))]);
    experiment.matrices = vec![matrix(vec![servers, workers([1])], vec![never])];
    let needed = NeededServer { hosts: HostPair::same("local"), server: "redis".into(), args: None };
    assert_eq!(Plan::new(&experiment).servers(), BTreeSet::from([needed]));
}
