//! Experiment files as text: what they include, and one text that stands for all of them. Reads no file; that is the
//! caller's part.

use std::ffi::OsStr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnose::{Diagnostics, Findings, Place, closest};
use super::shipped;

/// The tables that an included file may hold.
pub(super) const FAMILIES: [&str; 3] = ["mode", "server", "host"];

/// The bytes of a file and where they come from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The file as messages show it.
    pub name: String,
    /// What relative paths in it are relative to.
    pub directory: Directory,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// What relative paths in a file are relative to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directory {
    /// A directory of this machine, and of every host that uses what the file names.
    Path(PathBuf),
    /// The driver files inside this program, wherever a host has unpacked them.
    Builtin,
}

impl From<PathBuf> for Directory {
    fn from(path: PathBuf) -> Self {
        Self::Path(path)
    }
}

impl Directory {
    /// A path that is named in a file there.
    fn join(&self, path: &str) -> PathBuf {
        match self {
            Self::Path(directory) => directory.join(path),
            // No file in there includes anything.
            Self::Builtin => path.into(),
        }
    }
}

/// What an experiment file includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Include {
    /// A file, joined to the directory of the experiment file.
    File(PathBuf),
    /// One inside this program, by its name after `builtin:`.
    Builtin(String),
}

/// The files that an experiment file includes, in its order. Empty if the file cannot be read as TOML: [`super::parse`]
/// then says why.
#[must_use]
pub fn includes(main: &Source) -> Vec<Include> {
    let Some((_, table)) = readable(main) else { return Vec::new() };
    let include = |(_, path): (_, String)| match path.strip_prefix(shipped::PREFIX) {
        Some(name) => Include::Builtin(name.to_owned()),
        None => Include::File(main.directory.join(&path)),
    };
    include_list(&table).into_iter().map(include).collect()
}

impl Diagnostics {
    /// Says that a file could not be read; `index` counts [`includes`].
    #[must_use]
    pub fn missing_include(main: &Source, index: usize, why: &str) -> Self {
        let mut findings = Findings::new([main]);
        let include = readable(main).and_then(|(_, table)| include_list(&table).into_iter().nth(index));
        match include {
            Some((span, path)) => {
                let name = Path::new(&path).file_stem().and_then(OsStr::to_str).unwrap_or_default();
                let shipped = shipped::tables().find(|(known, _)| *known == name);
                let help = "paths are relative to the directory of the file that includes them";
                findings
                    .error(
                        &Place { source: 0, span },
                        format!("cannot read the included file `{path}`: {why}"),
                    )
                    .help(match shipped {
                        Some(_) => {
                            format!("{help}; the drivers inside this program are `{}{name}`", shipped::PREFIX)
                        }
                        None => help.to_owned(),
                    })
            }
            None => findings.error_in(0, format!("cannot read an included file: {why}")),
        };
        findings.into_result().expect_err("a finding was noted")
    }

    /// Says that this program has no such file; `index` counts [`includes`].
    #[must_use]
    pub fn unknown_builtin(main: &Source, index: usize) -> Self {
        let mut findings = Findings::new([main]);
        let include = readable(main).and_then(|(_, table)| include_list(&table).into_iter().nth(index));
        let (span, path) = include.unwrap_or_default();
        let names = shipped::tables().map(|(name, _)| name);
        let full = |name| format!("`{}{name}`", shipped::PREFIX);
        let meant = closest(path.strip_prefix(shipped::PREFIX).unwrap_or(&path), names.clone());
        let help = match meant {
            Some(name) => format!("did you mean {}?", full(name)),
            None => format!("the built-in files are {}", names.map(full).collect::<Vec<_>>().join(", ")),
        };
        findings.error(&Place { source: 0, span }, format!("unknown built-in file `{path}`")).help(help);
        findings.into_result().expect_err("a finding was noted")
    }
}

/// The file as it was run: one text without `include` that means the same, but for the directories where commands are
/// looked up. `main` and `included` must have been parsed without an error; otherwise the text is that of `main`.
#[must_use]
pub fn resolved_text(main: &Source, included: &[Source]) -> String {
    let Some((text, table)) = readable(main) else {
        return String::from_utf8_lossy(&main.bytes).into_owned();
    };
    let mut out = match table.get_key_value("include") {
        Some((key, value)) => comment_out(text, &(key.span().start..value.span().end)),
        None => text.to_owned(),
    };
    let mut written = include_list(&table).into_iter();
    for source in included {
        if !out.ends_with('\n') {
            out.push('\n');
        }
        // As the file has it: what a run keeps says nothing about where on this machine its files were.
        let path = written.next().map_or_else(|| source.name.clone(), |(_, path)| path);
        out += &format!("\n# included from {}\n", path.escape_debug());
        out += &tables_of(source).unwrap_or_default();
    }
    out
}

fn readable(source: &Source) -> Option<(&str, DeTable<'_>)> {
    let text = std::str::from_utf8(&source.bytes).ok()?;
    Some((text, DeTable::parse(text).ok()?.into_inner()))
}

fn include_list(table: &DeTable<'_>) -> Vec<(Range<usize>, String)> {
    let list = table.get("include").and_then(|value| value.get_ref().as_array());
    let item = |value: &Spanned<DeValue<'_>>| Some((value.span(), value.get_ref().as_str()?.to_owned()));
    list.into_iter().flat_map(|list| list.iter()).filter_map(item).collect()
}

/// Puts `# ` before every line that the span touches. A key of the root and its value share their lines with nothing
/// but blanks and a comment.
fn comment_out(text: &str, span: &Range<usize>) -> String {
    let start = text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[span.end..].find('\n').map_or(text.len(), |newline| span.end + newline);
    let commented: Vec<_> = text[start..end].split('\n').map(|line| format!("# {line}")).collect();
    format!("{}{}{}", &text[..start], commented.join("\n"), &text[end..])
}

/// The tables of an included file, each under its own header. The text itself could not be appended as it is: keys
/// before its first header would fall into the last table of the file that includes it.
fn tables_of(source: &Source) -> Option<String> {
    let table: toml::Table = std::str::from_utf8(&source.bytes).ok()?.parse().ok()?;
    let mut out = String::new();
    for family in FAMILIES {
        for (name, value) in table.get(family).and_then(toml::Value::as_table).into_iter().flatten() {
            let one = toml::Table::from_iter([(name.clone(), value.clone())]);
            let one = toml::Table::from_iter([(family.to_owned(), one.into())]);
            out += &toml::to_string(&one).ok()?;
        }
    }
    Some(out)
}
