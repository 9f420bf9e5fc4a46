//! What every built-in mode promises, against a real redis-server and against one that lies.

use std::collections::BTreeSet;

use crate::support::{Driver, FalseServer, Redis, carry_out, info, job};
use orchestrate::driver::{BUILTIN, MODES};
use orchestrate::experiment::Warmup;
use orchestrate::latency;
use orchestrate::protocol::{DriverEvent, FailureKind, Job};
use orchestrate::units::Nanos;
use redis::Commands as _;

/// The name of every mode, with the largest pipeline to try it with.
fn modes() -> impl Iterator<Item = (&'static str, u32)> {
    MODES.iter().flat_map(|mode| {
        let pipelines: &[u32] = if mode.can_pipeline { &[1, 8] } else { &[1] };
        pipelines.iter().map(|&pipeline| (mode.name, pipeline))
    })
}

/// Those that are content with a server that does not know HELLO, as the false ones of these tests.
fn modes_without_hello() -> impl Iterator<Item = (&'static str, u32)> {
    modes().filter(|(mode, _)| !mode.starts_with("rustis"))
}

/// Expects that an attempt succeeds if nobody else wants the processor in the middle of it, for which it may take many.
fn undisturbed(mut attempt: impl FnMut() -> Result<(), String>) {
    let mut disturbed = Vec::new();
    while let Err(how) = attempt() {
        disturbed.push(how);
        assert!(disturbed.len() < 20, "{disturbed:#?}");
    }
}

#[test]
fn every_mode_does_exactly_the_operations_asked_for_and_nothing_else() {
    let redis = Redis::start();
    let mut server = redis.connect();
    for (mode, pipeline) in modes() {
        let mut job = job(mode, redis.tcp());
        job.workers = 7;
        job.workload.operations = Some(100);
        job.workload.pipeline = pipeline;
        job.warmup = Warmup::Operations(20);
        let mut driver = Driver::start(&job);

        let ready = driver.ready();
        assert_eq!(ready.workers, 7, "{mode}");
        let sockets = if mode.ends_with("multiplexed") { 1 } else { 7 };
        assert_eq!(info(&mut server, "clients", "connected_clients"), 1 + sockets, "{mode}");
        assert_eq!(redis::cmd("DBSIZE").query(&mut server), Ok(20), "{mode}");
        redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut server).unwrap();

        driver.go();
        let done = driver.done();
        assert_eq!((done.operations, done.errors, done.max_lag_ns), (100, 0, None), "{mode}");
        assert_eq!(info(&mut server, "commandstats", "cmdstat_set"), 100, "{mode}");
        assert_eq!(info(&mut server, "commandstats", "cmdstat_get"), 100, "{mode}");
        assert_eq!(info(&mut server, "stats", "keyspace_misses"), 0, "{mode}");
        let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut server).unwrap();
        let commands: BTreeSet<_> =
            stats.lines().filter_map(|line| line.strip_prefix("cmdstat_")?.split(':').next()).collect();
        let ours = ["config|resetstat", "info"];
        let theirs: Vec<_> = commands.into_iter().filter(|name| !ours.contains(name)).collect();
        assert_eq!(theirs, ["get", "set"], "{mode}");

        let latencies = latency::decode(&done.latency.unwrap()).unwrap();
        assert_eq!(latencies.len(), 100, "{mode}");
        assert!(latencies.min() > 0 && latencies.max() <= 2 * done.elapsed_ns.0, "{mode}");
        redis::cmd("FLUSHALL").exec(&mut server).unwrap();
    }
}

#[test]
fn keys_name_the_worker_and_the_index_and_values_are_the_index() {
    let redis = Redis::start();
    for (mode, pipeline) in modes() {
        let mut job = job(mode, redis.unix());
        job.workers = 2;
        job.workload.operations = Some(5);
        job.workload.pipeline = pipeline;
        carry_out(&job);
        let mut server = redis.connect();
        let keys: BTreeSet<String> = server.keys("*").unwrap();
        assert_eq!(
            keys.iter().collect::<Vec<_>>(),
            ["t1:0:0", "t1:0:1", "t1:0:2", "t1:1:0", "t1:1:1"],
            "{mode}"
        );
        assert_eq!(server.get("t1:0:2"), Ok(2), "{mode}");
        redis::cmd("FLUSHALL").exec(&mut server).unwrap();
    }
}

#[test]
fn values_have_the_size_asked_for() {
    let redis = Redis::start();
    for (mode, pipeline) in modes() {
        for bytes in [0, 3, 100_000] {
            let mut job = job(mode, redis.unix());
            job.workload.operations = Some(11);
            job.workload.pipeline = pipeline;
            job.workload.value_bytes = Some(bytes);
            carry_out(&job);
            assert_eq!(redis.connect().strlen("t1:0:10"), Ok(bytes), "{mode}");
        }
    }
}

#[test]
fn a_password_is_used_on_tcp_and_on_unix_sockets() {
    let redis = Redis::start_with(Some("secret"));
    for (mode, _) in modes() {
        for server in [redis.tcp(), redis.unix()] {
            assert_eq!(carry_out(&job(mode, server)).operations, 1, "{mode}");
        }
        let mut wrong = job(mode, redis.tcp());
        wrong.server.password = Some("guess".to_owned());
        let (kind, error) = Driver::start(&wrong).failed();
        assert_eq!(kind, FailureKind::Connection, "{mode}");
        assert!(
            error.contains("failed to connect to 127.0.0.1:") && !error.contains("guess"),
            "{mode}: {error}"
        );
    }
}

#[test]
fn a_duration_ends_every_worker_and_the_count_is_the_servers() {
    let redis = Redis::start();
    let mut server = redis.connect();
    for (mode, pipeline) in modes() {
        let mut job = job(mode, redis.tcp());
        job.workers = 3;
        job.workload.operations = None;
        job.workload.duration_ns = Some(Nanos::from_millis(50));
        job.workload.pipeline = pipeline;
        job.warmup = Warmup::Duration(Nanos::from_millis(5));
        let mut driver = Driver::start(&job);
        driver.ready();
        redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut server).unwrap();
        driver.go();
        let done = driver.done();
        assert!(done.operations > 0, "{mode}");
        assert_eq!(info(&mut server, "commandstats", "cmdstat_set"), done.operations, "{mode}");
        assert_eq!(info(&mut server, "commandstats", "cmdstat_get"), done.operations, "{mode}");
        // A worker begins nothing after the deadline, but whatever is under way comes to its end.
        assert!(done.elapsed_ns >= Nanos::from_millis(25), "{mode}: {}", done.elapsed_ns);
    }
}

#[test]
fn a_rate_is_kept_and_falling_behind_is_told() {
    let redis = Redis::start();
    for (mode, pipeline) in modes() {
        let mut job = job(mode, redis.tcp());
        job.workers = 4;
        job.workload.operations = Some(200);
        job.workload.rate = Some(2000);
        job.workload.pipeline = pipeline;
        let done = carry_out(&job);
        assert_eq!(done.operations, 200, "{mode}");
        // The last batch is due when all but itself should have been done.
        let least = (200 - u64::from(pipeline)) * 1_000_000_000 / 2000;
        assert!(done.elapsed_ns.0 >= least, "{mode}: {}", done.elapsed_ns);
        assert!(done.max_lag_ns.is_some(), "{mode}");
    }
}

#[test]
fn in_an_open_loop_latency_counts_from_when_an_operation_was_due() {
    let redis = Redis::start();
    for (mode, pipeline) in modes() {
        let mut job = job(mode, redis.tcp());
        job.workers = 2;
        job.workload.operations = Some(600);
        job.workload.pipeline = pipeline;
        // Everything is due at once, so that the last operation has waited all the time.
        job.workload.rate = Some(1_000_000_000);
        undisturbed(|| {
            let done = carry_out(&job);
            let latencies = latency::decode(&done.latency.unwrap()).unwrap();
            let (elapsed, max) = (done.elapsed_ns.0 as f64, latencies.max() as f64);
            let (mean, lag) = (latencies.mean(), done.max_lag_ns.unwrap().0 as f64);
            assert!(max < 1.01 * elapsed && lag < elapsed, "{mode}: {max} and {lag} of {elapsed}");
            let waited_all_the_time = max > 0.99 * elapsed && lag > 0.5 * elapsed && mean > 0.1 * elapsed;
            waited_all_the_time
                .then_some(())
                .ok_or_else(|| format!("{mode}: {max}, {lag}, {mean} of {elapsed}"))
        });
    }
}

#[test]
fn an_open_loop_with_a_duration_does_what_is_due_in_it() {
    let redis = Redis::start();
    for (mode, pipeline) in modes() {
        let mut job = job(mode, redis.tcp());
        job.workers = 2;
        job.workload.operations = None;
        job.workload.duration_ns = Some(Nanos::from_millis(100));
        job.workload.rate = Some(400);
        job.workload.pipeline = pipeline;
        let due = job.workload.due().unwrap();
        assert!(due >= 40 && due < 40 + u64::from(pipeline), "{mode}: {due}");
        assert_eq!(carry_out(&job).operations, due, "{mode}");
    }
}

#[test]
fn what_is_due_while_the_server_is_away_is_done_when_it_is_back() {
    let redis = Redis::start();
    let mut server = redis.connect();
    for (mode, pipeline) in modes() {
        let mut job = job(mode, redis.tcp());
        job.workers = 2;
        job.workload.operations = None;
        job.workload.duration_ns = Some(Nanos::from_millis(100));
        job.workload.rate = Some(1000);
        job.workload.pipeline = pipeline;
        let mut driver = Driver::start(&job);
        driver.ready();
        // The server is busy with this until the window has long been over.
        let busy = "for i = 1, 5e7 do end return 1";
        server.send_packed_command(&redis::cmd("EVAL").arg(busy).arg(0).get_packed_command()).unwrap();
        driver.go();
        let done = driver.done();
        assert_eq!(Some(done.operations), job.workload.due(), "{mode}");
        let longest = latency::decode(&done.latency.unwrap()).unwrap().max();
        assert!(longest >= done.max_lag_ns.unwrap().0 / 100 * 99, "{mode}: none was as late as {longest} ns");
        server.recv_response().unwrap();
    }
}

#[test]
fn a_handful_of_operations_is_due_in_a_short_window() {
    let redis = Redis::start();
    let mut job = job("async", redis.tcp());
    job.workers = 1;
    job.workload.operations = None;
    job.workload.duration_ns = Some(Nanos::from_millis(500));
    job.workload.rate = Some(4);
    let done = carry_out(&job);
    assert_eq!(done.operations, 2, "due at 0 s and 0.25 s; the third only when the time has passed");
}

#[test]
fn a_lie_of_the_server_is_caught_and_named() {
    for (mode, pipeline) in modes_without_hello() {
        let failed = |get: &'static str| {
            let server = FalseServer::start(Some(get));
            let mut job = job(mode, server.endpoint());
            job.workload.pipeline = pipeline;
            let mut driver = Driver::start(&job);
            driver.ready();
            driver.go();
            driver.failed()
        };
        let wrong = failed("$3\r\n\x0099\r\n");
        let wanted = r#"worker 0: GET of "t1:0:0" returned "\x0099" where "0" was stored"#;
        assert_eq!(wrong, (FailureKind::Verification, wanted.to_owned()), "{mode}");
        let missing = failed("$-1\r\n");
        let wanted = r#"worker 0: GET of "t1:0:0" returned nothing where "0" was stored"#;
        assert_eq!(missing, (FailureKind::Verification, wanted.to_owned()), "{mode}");
        let refused = failed("-ERR not today\r\n");
        assert_eq!(refused.0, FailureKind::Other, "{mode}");
        assert!(refused.1.contains("not today"), "{mode}: {}", refused.1);
    }
}

#[test]
fn a_thousand_threads_share_the_work_of_every_phase() {
    let redis = Redis::start();
    let mut server = redis.connect();
    let mut job = job("sync", redis.unix());
    job.workers = 1000;
    job.workload.operations = Some(3000);
    job.warmup = Warmup::Operations(1000);
    let mut driver = Driver::start(&job);
    driver.ready();
    assert_eq!(info(&mut server, "clients", "connected_clients"), 1 + 1000);
    let keys: BTreeSet<String> = server.keys("t1:w*").unwrap();
    assert_eq!(keys, (0..1000).map(|worker| format!("t1:w{worker}:0")).collect());
    driver.go();
    assert_eq!(driver.done().operations, 3000);
    let keys: BTreeSet<String> = server.keys("t1:[0-9]*").unwrap();
    let all = (0..1000).flat_map(|worker| (0..3).map(move |index| format!("t1:{worker}:{index}")));
    assert_eq!(keys, all.collect());
}

#[test]
fn a_thread_that_cannot_connect_says_which_worker_it_is() {
    let redis = Redis::start();
    redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(20).exec(&mut redis.connect()).unwrap();
    let mut job = job("sync", redis.tcp());
    job.workers = 30;
    let mut driver = Driver::start(&job);
    let (kind, error) = driver.failed();
    assert_eq!(kind, FailureKind::Connection, "{error}");
    let number = error.strip_prefix("worker ").and_then(|rest| rest.split_once(':')?.0.parse::<u32>().ok());
    assert!(number.is_some_and(|number| (1..30).contains(&number)), "{error}");
    assert!(error.contains("failed to connect to 127.0.0.1:"), "{error}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_thread_that_cannot_be_started_is_a_failure_that_says_what_to_do() {
    let redis = Redis::start();
    let mut job = job("sync", redis.tcp());
    job.workers = 8000;
    // Less address space than the stacks of so many threads need.
    undisturbed(|| {
        let mut driver = Driver::start_by(&["sh", "-c", "ulimit -v 1000000 && exec \"$0\" \"$@\""], &job);
        // Threads that are up already take memory, too, and one that gets none ends the process without a word.
        let Some(event) = driver.event() else { return Err("it died".to_owned()) };
        let DriverEvent::Failed { kind, error } = event else { panic!("{event:?} in place of failed") };
        assert_eq!(kind, FailureKind::Other, "{error}");
        assert!(error.starts_with("failed to start thread ") && error.contains(" of 8000: "), "{error}");
        assert!(error.contains("or ask for fewer workers"), "{error}");
        Ok(())
    });
}

#[test]
fn one_worker_that_fails_ends_all_even_those_that_wait() {
    for (mode, _) in modes_without_hello() {
        let server = FalseServer::start(Some("$-1\r\n"));
        let mut job = job(mode, server.endpoint());
        job.workers = 3;
        // The second and third worker have nothing to do for a minute and two.
        job.workload.operations = Some(3_600);
        job.workload.rate = Some(1);
        let mut driver = Driver::start(&job);
        driver.ready();
        driver.go();
        assert_eq!(driver.failed().0, FailureKind::Verification, "{mode}");
    }
}

#[test]
fn without_verification_nobody_looks() {
    let server = FalseServer::start(Some("$2\r\n99\r\n"));
    for (mode, _) in modes_without_hello() {
        let mut job = job(mode, server.endpoint());
        job.workload.verify = false;
        assert_eq!(carry_out(&job).operations, 1, "{mode}");
    }
}

#[test]
fn a_server_that_dies_is_a_connection_failure() {
    for (mode, _) in modes() {
        let mut redis = Redis::start();
        let mut job = job(mode, redis.tcp());
        job.workload.operations = None;
        job.workload.duration_ns = Some(Nanos::from_secs(600));
        job.workers = 3;
        let mut driver = Driver::start(&job);
        driver.ready();
        driver.go();
        redis.kill();
        let (kind, error) = driver.failed();
        assert_eq!(kind, FailureKind::Connection, "{mode}: {error}");
    }
}

#[test]
fn a_connection_that_is_lost_between_two_requests_is_neither_remade_nor_waited_for() {
    let redis = Redis::start();
    let mut server = redis.connect();
    for (mode, pipeline) in modes() {
        for working in [false, true] {
            redis::cmd("CONFIG").arg("RESETSTAT").exec(&mut server).unwrap();
            let mut job = job(mode, redis.tcp());
            job.workload.operations = Some(10_000);
            job.workload.pipeline = pipeline;
            // The worker waits most of the time.
            job.workload.rate = Some(20 * u64::from(pipeline));
            let mut driver = Driver::start(&job);
            driver.ready();
            if working {
                driver.go();
                while info(&mut server, "commandstats", "cmdstat_get") < pipeline.into() {}
            }
            let lost: u32 = redis::cmd("CLIENT")
                .arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"])
                .query(&mut server)
                .unwrap();
            assert_eq!(lost, 1, "{mode}");
            if !working {
                driver.go();
            }
            let (kind, error) = driver.failed();
            assert_eq!(kind, FailureKind::Connection, "{mode}: {error}");
        }
    }
}

/// A job on a server that must not be flushed and where others have keys, some of them with names like ours.
fn among_others(mode: &str, redis: &Redis) -> (Job, BTreeSet<String>) {
    let foreign = ["t1:0:9999999", "t1:w0:9999999", "t1:", "t10:0", "other"];
    let mut server = redis.connect();
    for key in foreign {
        let () = server.set(key, "theirs").unwrap();
    }
    let mut job = job(mode, redis.tcp());
    job.delete_keys = true;
    job.workers = 2;
    job.warmup = Warmup::Operations(3);
    (job, foreign.map(str::to_owned).into())
}

#[test]
fn keys_are_deleted_by_name_and_foreign_ones_stay() {
    let redis = Redis::start();
    for (mode, pipeline) in modes() {
        let (mut job, foreign) = among_others(mode, &redis);
        job.workload.operations = Some(2_500);
        job.workload.pipeline = pipeline;
        assert_eq!(carry_out(&job).operations, 2_500);
        assert_eq!(redis.connect().keys("*"), Ok(foreign.clone()), "{mode}");

        job.workload.operations = None;
        job.workload.duration_ns = Some(Nanos::from_millis(20));
        carry_out(&job);
        assert_eq!(redis.connect().keys("*"), Ok(foreign), "{mode}");
    }
}

#[test]
fn keys_are_deleted_after_a_failure_too() {
    let redis = Redis::start();
    let mut server = redis.connect();
    for (mode, _) in modes() {
        let (mut job, foreign) = among_others(mode, &redis);
        let mut driver = Driver::start(&job);
        driver.ready();
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(1).exec(&mut server).unwrap();
        driver.go();
        let (kind, error) = driver.failed();
        assert_eq!(kind, FailureKind::Other, "{mode}");
        assert!(error.contains("maxmemory"), "{mode}: {error}");
        assert_eq!(server.keys("*"), Ok(foreign), "{mode}");
        redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg(0).exec(&mut server).unwrap();
        job.workload.operations = Some(2);
        carry_out(&job);
    }
}

#[test]
fn clients_and_runtimes_are_told_with_the_versions_that_are_built_in() {
    let lock: toml::Table = include_str!("../../Cargo.lock").parse().unwrap();
    let version = |name: &str| {
        let mut packages = lock["package"].as_array().unwrap().iter();
        let package = packages.find(|package| package["name"].as_str() == Some(name)).unwrap();
        let name = if name == "redis" { "redis-rs" } else { name };
        format!("{name} {}", package["version"].as_str().unwrap())
    };
    let redis = Redis::start();
    for mode in MODES {
        let others = ["rustis", "fred"];
        let library = others.into_iter().find(|name| mode.name.starts_with(name)).unwrap_or("redis");
        let ready = Driver::start(&job(mode.name, redis.tcp())).ready();
        assert_eq!(ready.client, version(library));
        assert_eq!(mode.client, version(library));
        let threads = mode.name.starts_with("sync");
        let runtime = if threads { "std::thread".to_owned() } else { version("tokio") };
        assert!(ready.runtime.starts_with(&runtime), "{}", ready.runtime);
    }
}

#[test]
fn a_build_has_the_modes_of_a_library_or_says_how_to_get_them() {
    for library in ["rustis", "fred"] {
        for mode in [library.to_owned(), format!("{library}-pipe"), format!("{library}-multiplexed")] {
            let has = MODES.iter().find(|known| known.name == mode);
            assert_eq!(BUILTIN.lacks(&mode), has.is_none().then_some(library), "{mode}");
            assert!(has.is_none_or(|known| !known.by_default), "{mode}");
        }
    }
    let by_default: Vec<_> = MODES.iter().filter(|mode| mode.by_default).map(|mode| mode.name).collect();
    assert_eq!(by_default, ["sync", "sync-pipe", "async", "async-pipe", "async-mt", "multiplexed"]);
}
