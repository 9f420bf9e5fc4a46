//! Tells the program which revision of its source it was built from, where git knows.

use std::process::Command;

fn main() {
    // Sources too: an edit that is not committed makes the revision a dirty one.
    for path in ["src", "Cargo.toml", "Cargo.lock", "build.rs", ".git/HEAD", ".git/index"] {
        // A path that is not there (a source archive) would have this run at every build.
        if std::path::Path::new(path).exists() {
            println!("cargo::rerun-if-changed={path}");
        }
    }
    let git = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output();
    if let Ok(output) = git
        && output.status.success()
    {
        println!("cargo::rustc-env=ORCHESTRATE_REVISION={}", String::from_utf8_lossy(&output.stdout).trim());
    }
}
