//! What a driver says to a job that it cannot carry out, and that it never outlives its input.

use crate::support::{Driver, FalseServer, Redis, carry_out, job};
use orchestrate::driver::MODES;
use orchestrate::experiment::Warmup;
use orchestrate::protocol::{Endpoint, FailureKind, Job};
use orchestrate::units::Nanos;

/// Nobody is there, and nobody is asked.
fn nowhere() -> Endpoint {
    Endpoint { unix_socket: Some("/nonexistent/socket".to_owned()), ..Endpoint::local(0) }
}

/// What is said to a job that was changed before it was sent.
fn refusal(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut job = serde_json::to_value(job("sync", nowhere())).unwrap();
    change(&mut job);
    let (kind, error) = Driver::start_with(&job.to_string()).failed();
    format!("{kind}: {error}")
}

#[test]
fn what_a_mode_cannot_do_is_refused_before_anything_is_connected() {
    let names: Vec<_> = MODES.iter().map(|mode| mode.name).collect();
    assert_eq!(
        refusal(|job| job["mode"] = "sink".into()),
        format!("unsupported: `sink` is not a built-in mode; the built-in modes are {}", names.join(", "))
    );
    insta::assert_snapshot!(refusal(|job| job["workload"]["pipeline"] = 2.into()), @"unsupported: `sync` cannot pipeline (asked for 2)");
    insta::assert_snapshot!(refusal(|job| job["workload"]["kind"] = "incr".into()), @"unsupported: this driver knows no workload of kind `incr`");
}

#[test]
fn a_job_of_another_protocol_is_refused_with_both_versions_even_if_it_looks_different() {
    let refusal = refusal(|job| *job = serde_json::json!({"protocol": 4, "workload": {"kind": "set-get"}}));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        refusal,
        format!(
            "protocol: the job is of protocol version 4, this driver (orchestrate {version}) speaks versions 1 to 3"
        )
    );
}

#[test]
fn what_is_no_job_is_refused_with_its_reason() {
    insta::assert_snapshot!(refusal(|job| job["workload"]["duration_ns"] = 5.into()), @"protocol: the job must name either operations or a duration");
    insta::assert_snapshot!(refusal(|job| job["workload"]["operations"] = serde_json::Value::Null), @"protocol: the job must name either operations or a duration");
    insta::assert_snapshot!(refusal(|job| job["workers"] = 0.into()), @"protocol: workers, pipeline and rate must be at least 1");
    insta::assert_snapshot!(refusal(|job| job["workload"]["rate"] = 0.into()), @"protocol: workers, pipeline and rate must be at least 1");
    insta::assert_snapshot!(refusal(|job| job["seed"] = "x".into()), @r#"protocol: this is not a job: invalid type: string "x", expected u64 at line 1 column 308"#);
    insta::assert_snapshot!(refusal(|job| *job = "hello".into()), @r#"protocol: this is not a job: invalid type: string "hello", expected a job at line 1 column 7"#);
}

#[test]
fn a_server_that_is_not_there_is_a_connection_failure_that_names_it() {
    for mode in MODES {
        let (kind, error) = Driver::start(&job(mode.name, nowhere())).failed();
        assert_eq!(kind, FailureKind::Connection, "{error}");
        assert!(error.contains("failed to connect to /nonexistent/socket: "), "{error}");
    }
}

#[test]
fn something_else_than_go_is_refused() {
    let redis = Redis::start();
    let mut driver = Driver::start(&job("sync", redis.unix()));
    driver.ready();
    driver.say(r#"{"go":false}"#);
    let (kind, error) = driver.failed();
    assert_eq!((kind, &*error), (FailureKind::Protocol, r#"expected {"go":true}, got {"go":false}"#));
}

#[test]
fn no_operations_are_done_quickly() {
    let redis = Redis::start();
    for mode in MODES {
        let mut job = job(mode.name, redis.unix());
        job.workload.operations = Some(0);
        let done = carry_out(&job);
        assert_eq!((done.operations, done.elapsed_ns), (0, Nanos(0)));
    }
}

#[test]
fn a_driver_whose_input_closes_before_a_job_came_says_so_and_ends() {
    let mut driver = Driver::start_with("");
    driver.close();
    assert_eq!(driver.failed().0, FailureKind::Protocol);
}

/// A job that takes ten minutes.
fn long(mode: &str, server: Endpoint) -> Job {
    let mut job = job(mode, server);
    job.workers = 3;
    job.workload.operations = None;
    job.workload.duration_ns = Some(Nanos::from_secs(600));
    job
}

#[test]
fn a_driver_ends_when_its_input_closes_while_it_connects() {
    for mode in MODES {
        let server = FalseServer::start(None);
        let mut driver = Driver::start(&long(mode.name, server.endpoint()));
        assert!(!driver.close().success(), "{}", mode.name);
        assert_eq!(driver.event(), None, "{}", mode.name);
    }
}

#[test]
fn a_driver_ends_when_its_input_closes_during_the_warmup() {
    let redis = Redis::start();
    for mode in MODES {
        let mut job = long(mode.name, redis.tcp());
        job.warmup = Warmup::Duration(Nanos::from_secs(600));
        let mut driver = Driver::start(&job);
        assert!(!driver.close().success(), "{}", mode.name);
        assert_eq!(driver.event(), None, "{}", mode.name);
    }
}

#[test]
fn a_driver_ends_when_its_input_closes_before_go() {
    let redis = Redis::start();
    for mode in MODES {
        let mut driver = Driver::start(&long(mode.name, redis.tcp()));
        driver.ready();
        assert!(!driver.close().success(), "{}", mode.name);
        assert_eq!(driver.event(), None, "{}", mode.name);
    }
}

#[test]
fn a_driver_ends_when_its_input_closes_in_the_middle_of_its_work() {
    let redis = Redis::start();
    let mut server = redis.connect();
    for mode in MODES {
        let mut driver = Driver::start(&long(mode.name, redis.tcp()));
        driver.ready();
        driver.go();
        // It is at work as soon as there is a key.
        while redis::cmd("DBSIZE").query::<u64>(&mut server).unwrap() == 0 {}
        assert!(!driver.close().success(), "{}", mode.name);
        assert_eq!(driver.event(), None, "{}", mode.name);
        redis::cmd("FLUSHALL").exec(&mut server).unwrap();
    }
}
