//! Tells the program which revision of its source it was built from, where that is known, and how it was built.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// What `cargo package` leaves in a package.
const VCS_INFO: &str = ".cargo_vcs_info.json";

/// Where the frameworks of macOS are for a linker on another system: packaging/macos.
const MACOS_FRAMEWORKS: &str = "MACOS_FRAMEWORKS";

fn main() {
    // Sources too: an edit that is not committed makes the revision a dirty one.
    for path in ["src", "Cargo.toml", "Cargo.lock", "build.rs", ".git/HEAD", ".git/index", VCS_INFO] {
        // A path that is not there (a source archive) would have this run at every build.
        if Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    if let Some(revision) = packaged().or_else(checked_out) {
        println!("cargo::rustc-env=ORCHESTRATE_REVISION={revision}");
    }
    println!("cargo::rustc-env=ORCHESTRATE_PROFILE={}", profile());
    println!("cargo::rustc-env=ORCHESTRATE_OPT_LEVEL={}", variable("OPT_LEVEL"));
    println!("cargo::rustc-env=ORCHESTRATE_TARGET={}", variable("TARGET"));
    println!("cargo::rerun-if-env-changed={MACOS_FRAMEWORKS}");
    if let Ok(directory) = env::var(MACOS_FRAMEWORKS) {
        println!("cargo::rustc-link-search=framework={directory}");
    }
}

/// The revision of a package, which is built anywhere: a repository around it is somebody else's.
fn packaged() -> Option<String> {
    let info = fs::read_to_string(VCS_INFO).ok()?;
    let (_, rest) = info.split_once("\"sha1\": \"")?;
    Some(rest.chars().take_while(char::is_ascii_hexdigit).take(12).collect())
}

/// Git leaves its index as it is, as otherwise the next build would begin anew: `describe --dirty` writes it after a clone.
fn checked_out() -> Option<String> {
    let git = |args: &[&str]| {
        let output = Command::new("git").arg("--no-optional-locks").args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let revision = git(&["describe", "--always", "--abbrev=12"])?;
    let changed = git(&["status", "--porcelain", "--untracked-files=no"])?;
    Some(if changed.is_empty() { revision } else { format!("{revision}-dirty") })
}

/// Cargo says only whether a profile descends from `release` or from `dev`. Its name is that of the directory with `build`
/// in it, where scripts such as this one leave what they make.
fn profile() -> String {
    let out = variable("OUT_DIR");
    let parts: Vec<&str> = out.split('/').collect();
    let name =
        parts.iter().rposition(|part| *part == "build").and_then(|build| parts.get(build.checked_sub(1)?));
    name.map_or_else(|| variable("PROFILE"), |name| (*name).to_owned())
}

/// What cargo tells every build script.
fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"))
}
