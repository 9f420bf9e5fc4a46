//! What is true of every setting.

use std::collections::BTreeSet;

use super::*;

pub(super) fn settings() -> Settings {
    Settings {
        hosts: HostPair::same("local"),
        server: "redis".to_owned(),
        mode: "sync".to_owned(),
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

/// Two levels that a setting may have.
fn two_levels(factor: Factor) -> [Level; 2] {
    match factor.setting().keys[0].shape {
        Shape::Number(level) => [1, 2].map(|n| level(n).unwrap()),
        Shape::Time(level) => [1, 2].map(|seconds| level(Nanos::from_secs(seconds)).unwrap()),
        Shape::Share => [0.25, 0.75].map(|share| Level::Share(Share::new(share).unwrap())),
        Shape::Flag => [true, false].map(Level::Flag),
        Shape::Word(words) => [words[0], words[1]].map(|(word, _)| Level::Word(word)),
        Shape::Text { read, examples } => [0, 1].map(|n| read(examples[n]).unwrap()),
        Shape::Mode | Shape::Server => ["a", "b"].map(|name| Level::Name(name.to_owned())),
        Shape::Hosts => ["a", "b"].map(|host| Level::Hosts(HostPair::same(host))),
        Shape::ServerArgs => ["a", "b"].map(|arg| Level::Args(vec![arg.to_owned()])),
        Shape::Commands => {
            ["PING", "ECHO"].map(|word| Level::Commands(vec![vec![word.to_owned(), "{key}".to_owned()]]))
        }
        Shape::Weights => [1, 2].map(|weight| Level::Weights(vec![weight, 1])),
        Shape::Options => [1, 2]
            .map(|n| Level::Named(Named([("pool".to_owned(), Scalar::Number(n))].into_iter().collect()))),
        Shape::Placement => [Placement::SameCore, Placement::SeparateCpus].map(Level::Placement),
        Shape::Warmup => [1, 2].map(|n| Level::Warmup(Warmup::Operations(n))),
    }
}

#[test]
fn every_level_that_is_set_is_there_and_is_another_cell_in_the_journal() {
    for &factor in Factor::ALL {
        let written = two_levels(factor).map(|level| {
            let mut settings = settings();
            factor.set(&mut settings, level.clone());
            assert_eq!(factor.get(&settings), Some(level), "{factor:?}");
            let json = serde_json::to_string(&settings).unwrap();
            assert_eq!(serde_json::from_str::<Settings>(&json).unwrap(), settings, "{factor:?}");
            json
        });
        assert_ne!(written[0], written[1], "{factor:?}");
    }
}

#[test]
fn every_setting_is_known_under_every_name_that_it_has_anywhere() {
    for &factor in Factor::ALL {
        let setting = factor.setting();
        let own: BTreeSet<&str> = setting.columns.iter().map(|column| column.name).collect();
        assert!(!own.is_empty(), "{factor:?}");
        let mut names: Vec<String> = own.iter().map(|name| (*name).to_owned()).collect();
        for key in setting.keys {
            names.push(key.name.to_owned());
            names.extend(factor.table().map(|table| format!("{table}.{}", key.name)));
        }
        for name in names {
            let column =
                Factor::column_of(&name).unwrap_or_else(|| panic!("{factor:?} is not known as {name}"));
            assert!(own.contains(column.name), "{name} is {}", column.name);
        }
    }
    assert!(Factor::column_of("no-such-name").is_none());
}

#[test]
fn no_two_columns_have_one_name() {
    let names: Vec<&str> = Factor::columns().map(|(_, column)| column.name).collect();
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
}

#[test]
fn a_workload_has_its_own_settings_and_their_defaults_and_no_others() {
    let mut of_others = settings();
    of_others.own = Own::defaults();
    of_others.complete();
    assert_eq!(of_others, settings(), "the identity of a cell that was there before them stays");

    let mut default = settings();
    default.workload.kind = Kind::ReadWrite;
    let mut spelled = default.clone();
    default.complete();
    Factor::Keys.set(&mut spelled, Level::Number(10_000));
    spelled.complete();
    assert_eq!(default, spelled, "a default that is spelled out is the same cell");
    assert_eq!(default.own.share(Factor::Reads), Some(0.9));
}

#[test]
fn every_key_of_a_workload_stands_in_the_manual() {
    let manual = include_str!("../../docs/experiment-file.md");
    for factor in Factor::in_table(Some("workload")) {
        for key in factor.setting().keys {
            assert!(manual.contains(&format!("\n| `{}` |", key.name)), "`{}` has no row", key.name);
        }
    }
}

#[test]
fn the_columns_of_a_level_say_what_the_level_is() {
    for &factor in Factor::ALL {
        for column in
            factor.setting().columns.iter().filter(|column| matches!(column.value, ValueFrom::Level))
        {
            for level in two_levels(factor) {
                let mut settings = settings();
                factor.set(&mut settings, level.clone());
                let expected = match level {
                    Level::Number(n) | Level::PerSecond(n) => Datum::Integer(n),
                    Level::Share(share) => Datum::Number(share.as_f64()),
                    Level::Flag(flag) => Datum::Boolean(flag),
                    other => Datum::Text(other.to_string().into()),
                };
                assert_eq!(factor.datum(column, &settings), Some(expected), "{factor:?}");
            }
        }
    }
}
