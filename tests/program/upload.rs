//! Hosts that lack this program, or have another version of it, and what is brought there.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use crate::sandbox::{Sandbox, code, stderr};

const PROGRAM: &str = env!("CARGO_BIN_EXE_orchestrate");
const REST: &str = "[workload]\noperations = 20\n[[matrix]]\nhosts = 'far'\nmodes = 'sync'\n[run]\nrepetitions = 1\nwarmup = 0\n";

/// A host behind a command, with a home of its own, that calls this program by `agent`.
fn far(sandbox: &Sandbox, agent: &str) {
    let home = sandbox.path().join("home");
    fs::create_dir_all(home.join("tmp")).unwrap();
    let home = home.display();
    sandbox.write(
        "far.toml",
        &format!(
            "name = 'far'\n[host.far]\ntransport = 'command'\nprefix = ['env', '-u', 'XDG_CACHE_HOME', 'HOME={home}', \
             'TMPDIR={home}/tmp', 'PATH={home}/bin:{path}']\nagent = '{agent}'\n{REST}",
            path = std::env::var("PATH").unwrap()
        ),
    );
}

/// A directory with a build for this machine: this very program, which runs here whether it is static or not.
pub(crate) fn builds(sandbox: &Sandbox) -> PathBuf {
    let builds = sandbox.path().join("builds");
    fs::create_dir(&builds).unwrap();
    let name = format!("orchestrate-{}-linux-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    fs::copy(PROGRAM, builds.join(name)).unwrap();
    builds
}

fn run(sandbox: &Sandbox, builds: &Path) -> Output {
    sandbox.orchestrate(&["--fresh", "far.toml"]).env("ORCHESTRATE_AGENTS", builds).output().unwrap()
}

/// What was brought: files in the cache of the far user.
fn brought(sandbox: &Sandbox) -> Vec<PathBuf> {
    let cache = fs::read_dir(sandbox.path().join("home/.cache/orchestrate"));
    cache.into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

fn executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "there are builds for Linux only")]
fn a_host_without_this_program_is_brought_it_once() {
    let sandbox = Sandbox::new();
    far(&sandbox, "orchestrate-that-is-not-there");
    let builds = builds(&sandbox);
    let output = run(&sandbox, &builds);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    let [path] = &brought(&sandbox)[..] else { panic!("one file") };
    let said = stderr(&output);
    assert!(
        said.contains(&format!("`far` lacked this program: it was copied to {}", path.display())),
        "{said}"
    );
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o700);

    // What is there is not sent again.
    let before = fs::metadata(path).unwrap().modified().unwrap();
    let output = run(&sandbox, &builds);
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    assert_eq!(fs::metadata(path).unwrap().modified().unwrap(), before);
    assert_eq!(brought(&sandbox).len(), 1);
    sandbox.expect_nobody_left();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "there are builds for Linux only")]
fn a_host_with_another_version_is_brought_this_one() {
    let sandbox = Sandbox::new();
    far(&sandbox, "older");
    // A real agent, but for what it says of its version.
    let older = format!(
        "#!/bin/sh\n'{PROGRAM}' \"$@\" | sed -u 's/\"version\":\"[0-9.]*\"/\"version\":\"0.0.9\"/'\n"
    );
    executable(&sandbox.path().join("home/bin/older"), &older);
    let output = run(&sandbox, &builds(&sandbox));
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    assert_eq!(brought(&sandbox).len(), 1);
    sandbox.expect_nobody_left();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "there are builds for Linux only")]
fn a_host_whose_shell_greets_is_brought_this_program_all_the_same() {
    let sandbox = Sandbox::new();
    far(&sandbox, "orchestrate-that-is-not-there");
    let file = sandbox.path().join("far.toml");
    let greets = ", 'sh', '-c', 'echo Welcome; echo Linux pdp11; exec \"$0\" \"$@\"']";
    let text = fs::read_to_string(&file).unwrap().replacen("']\nagent", &format!("'{greets}\nagent"), 1);
    fs::write(&file, text).unwrap();
    let output = run(&sandbox, &builds(&sandbox));
    assert_eq!(code(output.status), 0, "{}", stderr(&output));
    assert_eq!(brought(&sandbox).len(), 1);
    assert!(stderr(&output).contains("printed `Welcome`"), "{}", stderr(&output));
    sandbox.expect_nobody_left();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "there are builds for Linux only")]
fn a_user_without_a_home_is_brought_this_program_to_a_directory_of_its_own() {
    let sandbox = Sandbox::new();
    let builds = builds(&sandbox);
    for home in ["'-u', 'HOME'", "'HOME=/proc/nobody'"] {
        far(&sandbox, "orchestrate-that-is-not-there");
        let file = sandbox.path().join("far.toml");
        let text = fs::read_to_string(&file).unwrap();
        let there = format!("'HOME={}'", sandbox.path().join("home").display());
        assert!(text.contains(&there));
        fs::write(&file, text.replacen(&there, home, 1)).unwrap();
        let output = run(&sandbox, &builds);
        assert_eq!(code(output.status), 0, "{home}: {}", stderr(&output));
        let own = sandbox
            .path()
            .join("home/tmp")
            .join(format!("orchestrate-cache-{}/orchestrate", rustix::process::geteuid().as_raw()));
        assert_eq!(fs::read_dir(&own).unwrap().count(), 1, "{home}");
        assert_eq!(fs::metadata(&own).unwrap().permissions().mode() & 0o777, 0o700);
    }
    sandbox.expect_nobody_left();
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "there are builds for Linux only")]
fn what_cannot_be_brought_is_told_with_what_to_do() {
    let sandbox = Sandbox::new();
    far(&sandbox, "orchestrate-that-is-not-there");
    let nothing = sandbox.path().join("nothing");
    let output = run(&sandbox, &nothing);
    assert_eq!(code(output.status), 3);
    let expected = format!(
        "no orchestrate-{}-linux-{} to upload in {}: `make agents` builds it",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        nothing.display()
    );
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));

    let bin = sandbox.path().join("home/bin");
    let builds = builds(&sandbox);
    let told = |program: &str, script: &str, expected: &str| {
        executable(&bin.join(program), script);
        let output = run(&sandbox, &builds);
        fs::remove_file(bin.join(program)).unwrap();
        assert_eq!(code(output.status), 3);
        let said = stderr(&output);
        assert!(said.contains("orchestrate-that-is-not-there") && said.contains(expected), "{said}");
        assert_eq!(brought(&sandbox), [] as [PathBuf; 0]);
    };
    told("uname", "#!/bin/sh\necho FreeBSD amd64\n", "this host is FreeBSD amd64: install orchestrate");
    told("sha256sum", "#!/bin/sh\necho 0\n", "damaged in transit");
    told("mktemp", "#!/bin/sh\necho no space left >&2\nexit 1\n", "no space left");
    sandbox.expect_nobody_left();
}
