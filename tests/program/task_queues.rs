//! The workload `tasks`: what a task-queue library costs, and what becomes of tasks that are lost, repeated or made up.

use crate::sandbox::{Sandbox, stderr, stdout};
use crate::workloads::{all_ok, rows};

/// An experiment on variants of a library of a few lines, each a mode by its own name.
fn doubles(variants: &[&str]) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let modes: String = variants
        .iter()
        .map(|variant| {
            format!(
                "[mode.{variant}]\ncommand = ['python3', '{root}/tests/python/double_tasks.py', \
                 '--harness={root}/drivers/python/harness.py', '{variant}']\n\
                 workloads = ['tasks']\nenv = {{ PYTHONPATH = '{root}/drivers/broker' }}\n"
            )
        })
        .collect();
    format!("{modes}[workload]\nkind = 'tasks'\noperations = 10\n[[matrix]]\nmodes = {variants:?}\n")
}

fn expect_failures(expected: &[(&str, &str)]) {
    let sandbox = Sandbox::new();
    let mut variants: Vec<&str> = expected.iter().map(|(variant, _)| *variant).collect();
    variants.dedup();
    let rows = rows(&sandbox, &doubles(&variants));
    for (variant, error) in expected {
        let row = rows.iter().find(|row| row["mode"] == *variant).unwrap();
        assert_eq!(row["status"], "failed", "{variant}");
        assert!(row["error"].contains(error), "{variant}: {}", row["error"]);
        assert_eq!(row["ops_per_s"], "", "no number comes of it");
    }
    sandbox.expect_nobody_left();
}

#[test]
fn a_task_that_was_lost_is_named_and_so_is_what_became_of_it() {
    expect_failures(&[
        (
            "drops",
            "of 10 tasks some were not executed: 3; the library has none of them on the server any more",
        ),
        ("killed-child", "of 10 tasks some were not executed: 3; begun and not ended: 3;"),
        ("drops-and-lies", "by the marks on the server 1 of 10 tasks was not executed: 3"),
    ]);
}

#[test]
fn a_library_that_executes_twice_or_dies_and_a_driver_that_lies_fail_by_name() {
    expect_failures(&[
        // How many tasks had been handed over by then depends on the moment.
        ("killed-program", "a worker program of the double was ended by signal 9; of "),
        ("killed-program", " tasks 3 had ended, and 3 was begun and not ended"),
        ("again", "tasks that were executed more than once: 3"),
        ("again-and-lies", "by the marks on the server 10 tasks were executed 11 times"),
        ("silent", "`enqueue_ns` is missing"),
        ("stranger", "says that process 1 executes its tasks, but that is not one of its processes"),
        ("instant", "none that ended later than 1000 ns"),
    ]);
}

#[test]
fn what_tasks_cost_is_told_apart_by_who_hands_them_over_and_who_executes_them() {
    let sandbox = Sandbox::new();
    let file = doubles(&["honest"]) + "workload.body = ['noop', 'cpu 5ms', 'sleep 5ms']\n";
    let rows = rows(&sandbox, &file);
    all_ok(&rows);
    let of = |body: &str, column: &str| -> f64 {
        rows.iter().find(|row| row["body"] == body).unwrap()[column].parse().unwrap()
    };
    assert!(of("cpu 5ms", "worker_cpu_us_per_op") >= 5_000.0);
    assert!(of("sleep 5ms", "worker_cpu_us_per_op") < of("cpu 5ms", "worker_cpu_us_per_op"));
    for body in ["noop", "cpu 5ms", "sleep 5ms"] {
        assert_eq!(of(body, "server_calls_per_op"), 2.0, "LPUSH and BRPOP; marks do not count");
        let both = of(body, "worker_cpu_us_per_op") + of(body, "producer_cpu_us_per_op");
        assert!((both / of(body, "client_cpu_us_per_op") - 1.0).abs() < 1e-9);
        assert!(of(body, "start_latency_p50_us") <= of(body, "latency_p50_us"));
        assert!(of(body, "cold_start_s") > 0.0 && of(body, "enqueued_per_s") > of(body, "ops_per_s"));
        assert!(of(body, "worker_peak_rss_bytes") > 1e6);
    }
    assert!(of("sleep 5ms", "latency_p50_us") >= 5_000.0);
    sandbox.expect_nobody_left();
}

#[test]
fn what_tasks_cannot_be_is_refused_before_anything_runs() {
    let sandbox = Sandbox::new();
    let file = "name = 'refused'\n[mode.mine]\ncommand = ['true']\nworkloads = ['tasks']\n[workload]\nkind = 'tasks'\n\
                body = 'echo'\nprocesses = 3\n[[matrix]]\nmodes = ['mine', 'sync']\nworkers = 2\n";
    let path = sandbox.write("refused.toml", file);
    let said = stderr(&sandbox.output(&["check", path.to_str().unwrap()]));
    for refusal in [
        "the mode `sync` does not have the workload `tasks`",
        "the result of an `echo` is waited for, so it has to be stored",
        "3 worker programs cannot share 2 workers",
    ] {
        assert!(said.contains(refusal), "{refusal}: {said}");
    }
    let path = sandbox.write("refused.toml", &file.replace("'echo'", "'sleep'"));
    let said = stderr(&sandbox.output(&["check", path.to_str().unwrap()]));
    assert!(said.contains("`body` cannot be `sleep`; it may be `noop`, `sleep 10ms`"), "{said}");
}

#[test]
fn a_library_of_a_few_lines_on_the_kit_passes_the_check() {
    let root = env!("CARGO_MANIFEST_DIR");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_orchestrate"))
        .args(["driver", "check", "--", "python3"])
        .arg(format!("{root}/tests/python/double_tasks.py"))
        .args([format!("--harness={root}/drivers/python/harness.py"), "honest".to_owned()])
        .env("PYTHONPATH", format!("{root}/drivers/broker"))
        .output()
        .unwrap();
    let said = stdout(&output);
    assert!(output.status.success(), "{said}{}", stderr(&output));
    for test in ["executes tasks in several programs", "waits for the result of a task", "gives a password"] {
        assert!(said.contains(test), "{said}");
    }
    let refused: Vec<&str> = said.lines().filter(|line| line.contains("cannot")).collect();
    let is_of_a_connection = |line: &&str| line.contains("this client does not support `");
    assert!(refused.len() == 4 && refused.iter().all(is_of_a_connection), "nothing else is refused: {said}");
}

#[test]
fn what_becomes_of_a_task_whose_worker_is_killed_stands_in_the_row_of_a_real_library() {
    let sandbox = Sandbox::new();
    let drivers = concat!(env!("CARGO_MANIFEST_DIR"), "/drivers");
    sandbox.write(
        "deadly.py",
        "import os, signal\n\ndef at_three(number):\n    if number == 3:\n        os.kill(os.getpid(), signal.SIGKILL)\n",
    );
    let rows = rows(
        &sandbox,
        &format!(
            "include = ['{drivers}/broker.toml']\n[workload]\nkind = 'tasks'\noperations = 20\n\
             body = 'call deadly:at_three'\n[[matrix]]\nmodes = ['celery-prefork', 'huey']\n\
             mode.env = {{ PYTHONPATH = '{}' }}\n",
            sandbox.path().display()
        ),
    );
    let of = |mode: &str| rows.iter().find(|row| row["mode"] == mode).unwrap();
    // A child of its pool died and was replaced; the task had been acknowledged before it began.
    let celery = &of("celery-prefork")["error"];
    assert!(celery.contains("of 20 tasks some were not executed: 3; begun and not ended: 3"), "{celery}");
    // Its workers are threads of one program.
    let huey = &of("huey")["error"];
    assert!(huey.contains("a worker program of Huey was ended by signal 9"), "{huey}");
    sandbox.expect_nobody_left();
}
