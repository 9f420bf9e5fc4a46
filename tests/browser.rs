//! Reports in a real browser: no error, no request, usable by keyboard and with a screen reader, at the widths of a desk
//! and of a phone, light and dark. What is looked at stands in `tests/browser/check.mjs`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The programs that Chromium may be.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

#[test]
fn readers_can_use_the_page_of_one_run_of_several_and_of_two_hosts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let checks = root.join("tests/browser");
    let Some((browser, modules)) = browser().zip(modules(&checks)) else {
        assert!(std::env::var_os("CI").is_none(), "this test needs chromium, and `npm ci` in tests/browser");
        eprintln!("left out: it needs chromium, and `npm ci` in tests/browser");
        return;
    };
    assert!(modules.is_dir());
    let directory = tempfile::tempdir().expect("a directory can be made");
    let pages = [
        ("one.html", vec!["results/sweep"]),
        ("several.html", vec!["results/quickstart", "results/asyncio-land"]),
        ("hosts.html", vec!["results/network"]),
    ];
    let pages: Vec<PathBuf> = pages
        .into_iter()
        .map(|(name, results)| {
            let page = directory.path().join(name);
            let mut orchestrate = Command::new(env!("CARGO_BIN_EXE_orchestrate"));
            orchestrate.current_dir(root).arg("report").args(results).arg("--output").arg(&page);
            let output = orchestrate.output().expect("orchestrate can be started");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            page
        })
        .collect();
    let output = Command::new("node")
        .arg(checks.join("check.mjs"))
        .arg(browser)
        .args(&pages)
        .output()
        .expect("node can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    println!("{said}");
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(said.lines().count(), 4 * pages.len(), "each page in two widths and two colour schemes");
}

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .flat_map(|directory| BROWSERS.map(|browser| directory.join(browser)))
        .find(|program| program.is_file())
}

fn modules(checks: &Path) -> Option<PathBuf> {
    let modules = checks.join("node_modules");
    modules.join("playwright-core").is_dir().then_some(modules)
}
