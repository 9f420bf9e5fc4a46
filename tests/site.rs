//! The documentation as a site: every document has a page, and every link leads somewhere there too. The pages are those
//! that mdBook is handed, so mdBook itself is not needed here; `make site` also checks the HTML that it makes of them.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

const REPOSITORY: &str = "https://example.org/orchestrate";

#[test]
fn every_document_has_a_page() {
    let listed: BTreeSet<PathBuf> =
        listed().iter().map(|path| normal(&Path::new("docs").join(path))).collect();
    let mut documents: BTreeSet<PathBuf> =
        ["", "docs", "lab", "results"].iter().flat_map(|directory| markdown_in(directory)).collect();
    documents.remove(Path::new("docs/SUMMARY.md"));
    assert_eq!(listed, documents, "docs/SUMMARY.md does not list the documents that there are");
}

#[test]
fn every_link_of_the_site_leads_to_a_page_a_report_or_a_file_of_the_repository() {
    let pages = pages(&listed());
    let places: BTreeSet<&Path> = pages.iter().map(|page| page.place.as_path()).collect();
    assert_eq!(places.len(), pages.len(), "two documents have one place");
    assert!(places.contains(Path::new("index.md")), "the site has no first page");
    let mut elsewhere = 0;
    for page in &pages {
        for link in links(&page.text) {
            // Anchors are those of the documents, which tests/documents.rs checks.
            let target = link.split_once('#').map_or(link, |(target, _)| target);
            if let Some(path) = target.strip_prefix(REPOSITORY) {
                let path = path.splitn(4, '/').nth(3).expect("blob or tree, a branch, and a path");
                assert!(root().join(path).exists(), "{}: nothing at {link}", page.place.display());
                elsewhere += 1;
            } else if !target.contains("://") {
                let beside = page.place.parent().expect("a page is in a directory");
                let target =
                    if target.is_empty() { page.place.clone() } else { normal(&beside.join(target)) };
                let is_report = || {
                    let name = target.file_stem().expect("a file has a name");
                    target.starts_with("reports") && root().join("results").join(name).is_dir()
                };
                let is_file = || root().join("docs").join(&target).is_file();
                let exists = places.contains(target.as_path()) || is_report() || is_file();
                assert!(exists, "{}: nothing at {link}", page.place.display());
            }
        }
    }
    assert!(elsewhere > 0, "no link leads to the repository");
}

#[test]
fn every_experiment_that_is_kept_has_its_report_in_the_gallery() {
    let gallery = fs::read_to_string(root().join("docs/gallery.md")).expect("it is kept here");
    let linked: BTreeSet<String> =
        links(&gallery).filter_map(|link| link.strip_prefix("../results/")).map(str::to_owned).collect();
    let kept = fs::read_dir(root().join("results")).expect("results can be listed");
    let kept: BTreeSet<String> = kept
        .map(|entry| entry.expect("results can be listed").path())
        .filter(|path| path.is_dir())
        .map(|path| path.file_name().expect("it has a name").to_string_lossy().into_owned())
        .collect();
    let linked: BTreeSet<String> = linked.into_iter().filter(|name| name != "README.md").collect();
    assert_eq!(linked, kept);
}

#[test]
fn links_change_and_comments_go_but_not_in_code() {
    let text = "[a](../README.md#install) <!-- not\nfor readers -->\n[b](../experiments) `[c](../d)`\n\
                ```toml\n# <!-- [e](../f) -->\n```\n[g](#here) [h](https://example.com/i)\n[k](../results/sweep)\n";
    let book = json!({"items": [chapter("design.md", text), chapter("../README.md", "# One")]});
    let page = &placed(&book)[0];
    assert_eq!(
        page.text,
        format!(
            "[a](index.md#install) [b]({REPOSITORY}/tree/main/experiments) `[c](../d)`\n\
             ```toml\n# <!-- [e](../f) -->\n```\n[g](#here) [h](https://example.com/i)\n[k](reports/sweep.html)\n"
        )
    );
}

#[test]
fn a_link_that_leads_nowhere_ends_the_build() {
    let book = json!({"items": [chapter("design.md", "[a](nowhere.md)")]});
    let output = preprocess(&book);
    assert!(!output.status.success());
    assert_eq!(String::from_utf8_lossy(&output.stderr), "docs/design.md: nothing at nowhere.md\n");
}

#[test]
fn the_check_of_a_built_site_finds_links_and_anchors_that_lead_nowhere() {
    let site = tempfile::tempdir().expect("a directory can be made");
    fs::write(site.path().join("a.html"), "<h1 id=x><a href='b.html#y'>b</a><a href='c.html'>c</a></h1>")
        .expect("it can be written");
    fs::write(site.path().join("b.html"), "<a href='a.html#x'>a</a>").expect("it can be written");
    let check = |directory: &Path| {
        let output = Command::new("python3").arg(root().join("scripts/site-check")).arg(directory).output();
        let output = output.expect("python3 is installed: run scripts/setup");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (passed, said) = check(site.path());
    assert!(!passed);
    assert_eq!(said, "a.html: no anchor for b.html#y\na.html: nothing at c.html\n");

    fs::write(site.path().join("c.html"), "").expect("it can be written");
    fs::write(site.path().join("b.html"), "<p id=y>").expect("it can be written");
    assert_eq!(check(site.path()), (true, String::new()));
}

/// A document as it stands in the site.
struct Page {
    place: PathBuf,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn markdown_in(directory: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join(directory)).expect("the directory can be listed");
    let names = entries.map(|entry| entry.expect("the directory can be listed").file_name());
    names
        .map(|name| Path::new(directory).join(name))
        .filter(|path| path.extension().is_some_and(|found| found == "md"))
        .collect()
}

/// The documents that docs/SUMMARY.md lists, relative to docs/.
fn listed() -> Vec<String> {
    let summary = fs::read_to_string(root().join("docs/SUMMARY.md")).expect("it is kept here");
    links(&summary).map(str::to_owned).collect()
}

fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

/// The pages that mdBook would make HTML of.
fn pages(documents: &[String]) -> Vec<Page> {
    let chapters: Vec<Value> = documents
        .iter()
        .map(|path| {
            let text = fs::read_to_string(root().join("docs").join(path)).expect("a document can be read");
            chapter(path, &text)
        })
        .collect();
    placed(&json!({"items": chapters}))
}

/// A chapter as mdBook hands it to a preprocessor.
fn chapter(path: &str, text: &str) -> Value {
    json!({"Chapter": {
        "name": path,
        "content": text,
        "number": null,
        "sub_items": [],
        "path": path,
        "source_path": path,
        "parent_names": [],
    }})
}

fn placed(book: &Value) -> Vec<Page> {
    let output = preprocess(book);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let book: Value = serde_json::from_slice(&output.stdout).expect("it prints the book");
    let chapters = book["items"].as_array().expect("a book has items").iter();
    chapters
        .map(|item| {
            let text = |key: &str| item["Chapter"][key].as_str().expect("it is text").to_owned();
            Page { place: PathBuf::from(text("path")), text: text("content") }
        })
        .collect()
}

fn preprocess(book: &Value) -> std::process::Output {
    let context = json!({"config": {"output": {"html": {"git-repository-url": REPOSITORY}}}});
    let mut child = Command::new("python3")
        .arg(root().join("scripts/site-places"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("python3 is installed: run scripts/setup");
    // The script reads all of its input before it prints anything.
    let mut input = child.stdin.take().expect("it is piped");
    input.write_all(json!([context, book]).to_string().as_bytes()).expect("it reads");
    drop(input);
    child.wait_with_output().expect("it ends")
}

/// A relative path without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                assert!(normal.pop(), "{} leads out of the repository", path.display());
            }
            Component::Normal(name) => normal.push(name),
            _ => {}
        }
    }
    normal
}
