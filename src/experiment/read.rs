//! Bytes become the plain structs of [`super::file`], with every syntax error, unknown key and wrong type noted.
//!
//! Serde stops at its first error. So what it complains about is cut out of the TOML tree and the tree is read again,
//! until nothing is left to complain about: every error is found, and the structs stay plain.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::diagnose::{Findings, MOST_FINDINGS, Place, suggest};
use super::forms::LITERAL_SECRET;
use super::source::Source;

/// A larger file is not an experiment written by a person.
pub const MOST_BYTES: usize = 1024 * 1024;

/// Deeper than any key of an experiment, and shallow enough to walk by recursion. TOML's own limits multiply: dotted
/// keys in nested inline tables reach a depth of thousands, which overflows the stack when such a tree is cloned.
const DEEPEST: usize = 24;

/// A file as far as it could be read.
#[derive(Debug, Default)]
pub(super) struct Document<T> {
    pub(super) content: T,
    /// What was wrong and is therefore missing from the content: `workload`, `server.redis`, `matrix.0`, ….
    pub(super) damage: Damage,
}

/// Parts of a file whose content says less than the file does. A complaint about what is missing there would be
/// about a consequence.
#[derive(Debug, Default)]
pub(super) struct Damage {
    everything: bool,
    parts: BTreeSet<String>,
}

impl Damage {
    /// Whether the syntax is broken, so that nothing can be said about what is missing.
    pub(super) const fn is_total(&self) -> bool {
        self.everything
    }

    /// Whether something is missing from this part.
    pub(super) fn affects(&self, part: &str) -> bool {
        self.everything
            || self.parts.contains(part)
            || part.split_once('.').is_some_and(|(family, _)| self.parts.contains(family))
    }

    /// Whether something is missing from any part of this family.
    pub(super) fn affects_any(&self, family: &str) -> bool {
        self.everything || self.parts.iter().any(|part| part.split('.').next() == Some(family))
    }

    /// The names within a family from whose tables something is missing.
    pub(super) fn names_in<'a>(&'a self, family: &'a str) -> impl Iterator<Item = &'a str> {
        self.parts.iter().filter_map(move |part| part.strip_prefix(family)?.strip_prefix('.'))
    }

    fn add(&mut self, path: &[Step]) {
        let names: Vec<_> = path.iter().take(2).map(Step::to_string).collect();
        // The keys of [workload] and [run] are looked at together, and those of a named table too.
        let whole = matches!(names.first().map(String::as_str), Some("workload" | "run"));
        self.parts.insert(if whole { names[0].clone() } else { names.join(".") });
    }
}

/// A part of a path in the tree.
#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Index(usize),
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(key) => f.write_str(key),
            Self::Index(index) => index.fmt(f),
        }
    }
}

/// The dotted key as a person would write it.
fn dotted(path: &[Step]) -> String {
    let keys = path.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key.as_str()),
        Step::Index(_) => None,
    });
    keys.collect::<Vec<_>>().join(".")
}

/// Reads `source`, which is number `index` of the findings' texts.
pub(super) fn read<T: DeserializeOwned + Default>(
    findings: &mut Findings,
    index: usize,
    source: &Source,
) -> Document<T> {
    let before = findings.len();
    let Some((mut tree, mut damage)) = parse(findings, index, source) else {
        return Document { content: T::default(), damage: Damage { everything: true, ..Damage::default() } };
    };
    loop {
        let error = match T::deserialize(toml::de::Deserializer::from(tree.clone())) {
            Ok(content) => return Document { content, damage },
            Err(error) => error,
        };
        let cut = cut(findings, index, &mut tree, &error, &mut damage);
        // Reading again after each of thousands of errors helps nobody.
        if !cut || findings.len() - before >= MOST_FINDINGS {
            damage.everything = true;
            return Document { content: T::default(), damage };
        }
    }
}

/// The tree of a text, without what stands on lines that are no TOML.
fn parse<'a>(
    findings: &mut Findings,
    index: usize,
    source: &'a Source,
) -> Option<(Spanned<DeTable<'a>>, Damage)> {
    if source.bytes.len() > MOST_BYTES {
        let size = source.bytes.len();
        findings.error_in(
            index,
            format!("the file has {size} bytes; an experiment file has at most {MOST_BYTES} (1 MiB)"),
        );
        return None;
    }
    let text = match std::str::from_utf8(&source.bytes) {
        Ok(text) => text,
        Err(error) => {
            let at = error.valid_up_to();
            findings
                .error(&Place { source: index, span: at..at + 1 }, "the file is not UTF-8")
                .label("the first byte that is not");
            return None;
        }
    };
    let (mut tree, errors) = DeTable::parse_recoverable(text);
    let mut secrets = Vec::new();
    find_secrets(tree.get_ref(), &mut secrets, 0);
    findings.hide(index, secrets);
    let mut damage = Damage { everything: !errors.is_empty(), parts: BTreeSet::new() };
    let mut broken = BTreeSet::new();
    for error in &errors {
        let span = error.span().unwrap_or(0..0);
        broken.insert(span.start);
        // One slip can make many errors on its line; the first is the one to mend.
        let line = text[..text.floor_char_boundary(span.start)].rfind('\n').map_or(0, |newline| newline + 1);
        if broken.range(line..span.start).next().is_none() && !findings.is_full() {
            findings.error(&Place { source: index, span }, error.message());
        }
    }
    drop_broken(tree.get_mut(), text, &broken, 0);
    let mut deep = Vec::new();
    prune(tree.get_mut(), 0, &mut deep);
    for span in deep {
        damage.everything = true;
        findings.error(&Place { source: index, span }, "nested deeper than anything in an experiment file");
    }
    Some((tree, damage))
}

/// Removes the keys and elements whose lines hold a syntax error: what was recovered there is a guess.
fn drop_broken(table: &mut DeTable<'_>, text: &str, broken: &BTreeSet<usize>, depth: usize) {
    if broken.is_empty() || depth > DEEPEST {
        return;
    }
    retain(table, |key, value| {
        let (start, end) = (key.span().start, value.span().end.max(key.span().end));
        let start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
        broken.range(start..=end).next().is_none()
    });
    for (_, value) in table.iter_mut() {
        match value.get_mut() {
            DeValue::Table(inner) => drop_broken(inner, text, broken, depth + 1),
            DeValue::Array(list) => {
                for element in list.iter_mut() {
                    if let DeValue::Table(inner) = element.get_mut() {
                        drop_broken(inner, text, broken, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Keeps the keys of a table for which `keep` says so. (The table's own `retain` shows keys without their spans.)
fn retain<'i>(
    table: &mut DeTable<'i>,
    mut keep: impl FnMut(&Spanned<Cow<'i, str>>, &Spanned<DeValue<'i>>) -> bool,
) {
    let all = std::mem::take(table);
    *table = all.into_iter().filter(|(key, value)| keep(key, value)).collect();
}

/// Empties what lies too deep.
fn prune(table: &mut DeTable<'_>, depth: usize, deep: &mut Vec<Range<usize>>) {
    for (_, value) in table.iter_mut() {
        prune_value(value, depth, deep);
    }
}

fn prune_value(value: &mut Spanned<DeValue<'_>>, depth: usize, deep: &mut Vec<Range<usize>>) {
    let span = value.span();
    let inner = value.get_mut();
    if !inner.is_table() && !inner.is_array() {
        return;
    }
    if depth >= DEEPEST {
        *inner = DeValue::Boolean(false);
        deep.push(span);
        return;
    }
    match inner {
        DeValue::Table(table) => prune(table, depth + 1, deep),
        DeValue::Array(list) => list.iter_mut().for_each(|element| prune_value(element, depth + 1, deep)),
        _ => {}
    }
}

/// Strings that must not be shown, even where something else is wrong on their line.
fn find_secrets(table: &DeTable<'_>, secrets: &mut Vec<Range<usize>>, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    for (key, value) in table {
        match (key.get_ref().as_ref(), value.get_ref()) {
            (_, DeValue::Table(inner)) => find_secrets(inner, secrets, depth + 1),
            (_, DeValue::Array(list)) => {
                let mut before = "";
                for element in list {
                    match element.get_ref() {
                        DeValue::Table(inner) => find_secrets(inner, secrets, depth + 1),
                        DeValue::String(text) if is_secret_option(before) || is_secret_option(text) => {
                            secrets.push(element.span());
                        }
                        _ => {}
                    }
                    before = element.get_ref().as_str().unwrap_or_default();
                }
            }
            ("password", _) => secrets.push(value.span()),
            ("address", DeValue::String(text)) if text.contains('@') => secrets.push(value.span()),
            _ => {}
        }
    }
}

/// Whether an argument of redis-server is, or begins with, an option whose value is a secret.
pub(super) fn is_secret_option(arg: &str) -> bool {
    let option = arg.split_whitespace().next().unwrap_or_default();
    ["--requirepass", "--masterauth"].iter().any(|secret| option.eq_ignore_ascii_case(secret))
}

/// Notes an error of serde and cuts what it is about out of the tree. False if that cannot be found.
fn cut(
    findings: &mut Findings,
    index: usize,
    tree: &mut Spanned<DeTable<'_>>,
    error: &toml::de::Error,
    damage: &mut Damage,
) -> bool {
    let message = error.message();
    let span = error.span().unwrap_or(0..0);
    let mut path = Vec::new();
    if let Some(expected) = message.strip_prefix("unknown field ") {
        let known = quoted(expected.rsplit_once("`, ").map_or("", |(_, known)| known));
        let cut = cut_unknown(tree.get_mut(), &span, &known, &mut path);
        for (key, span) in &cut {
            let step = Step::Key(key.clone());
            path.push(step);
            unknown_key(findings, &Place { source: index, span: span.clone() }, &path, key, &known);
            damage.add(&path);
            path.pop();
        }
        return !cut.is_empty();
    }
    let found = cut_value(tree.get_mut(), &span, &mut path);
    wrong_value(findings, &Place { source: index, span }, &dotted(&path), message);
    damage.add(&path);
    found
}

/// Cuts every unknown key of the table that holds the key at `span`. All at once: reading the tree again for each of
/// thousands would take too long.
fn cut_unknown(
    table: &mut DeTable<'_>,
    span: &Range<usize>,
    known: &[&str],
    path: &mut Vec<Step>,
) -> Vec<(String, Range<usize>)> {
    if table.keys().any(|key| key.span() == *span) {
        let mut cut = Vec::new();
        retain(table, |key, _| {
            let keep = known.contains(&key.get_ref().as_ref());
            if !keep {
                cut.push((key.get_ref().to_string(), key.span()));
            }
            keep
        });
        return cut;
    }
    for (key, value) in table.iter_mut() {
        path.push(Step::Key(key.get_ref().to_string()));
        let cut = match value.get_mut() {
            DeValue::Table(inner) => cut_unknown(inner, span, known, path),
            DeValue::Array(list) => cut_unknown_below(list.iter_mut(), span, known, path),
            _ => Vec::new(),
        };
        if !cut.is_empty() {
            return cut;
        }
        path.pop();
    }
    Vec::new()
}

fn cut_unknown_below<'a, 'i: 'a>(
    list: impl Iterator<Item = &'a mut Spanned<DeValue<'i>>>,
    span: &Range<usize>,
    known: &[&str],
    path: &mut Vec<Step>,
) -> Vec<(String, Range<usize>)> {
    for (i, element) in list.enumerate() {
        path.push(Step::Index(i));
        let cut = match element.get_mut() {
            DeValue::Table(inner) => cut_unknown(inner, span, known, path),
            DeValue::Array(list) => cut_unknown_below(list.iter_mut(), span, known, path),
            _ => Vec::new(),
        };
        if !cut.is_empty() {
            return cut;
        }
        path.pop();
    }
    Vec::new()
}

/// Cuts the outermost key or element whose value has this span. (A list of tables shares the span of its first
/// table: what is wrong with both is wrong with the list.)
fn cut_value(table: &mut DeTable<'_>, span: &Range<usize>, path: &mut Vec<Step>) -> bool {
    let key = table.iter().find(|(_, value)| value.span() == *span).map(|(key, _)| key.get_ref().to_string());
    if let Some(key) = key {
        table.remove(key.as_str());
        path.push(Step::Key(key));
        return true;
    }
    for (key, value) in table.iter_mut() {
        path.push(Step::Key(key.get_ref().to_string()));
        if cut_below(value.get_mut(), span, path) {
            return true;
        }
        path.pop();
    }
    false
}

fn cut_below(value: &mut DeValue<'_>, span: &Range<usize>, path: &mut Vec<Step>) -> bool {
    match value {
        DeValue::Table(inner) => cut_value(inner, span, path),
        DeValue::Array(list) => {
            if let Some(i) = list.iter().position(|element| element.span() == *span) {
                let all = std::mem::replace(list, DeArray::new());
                *list = all
                    .into_iter()
                    .enumerate()
                    .filter(|(at, _)| *at != i)
                    .map(|(_, element)| element)
                    .collect();
                path.push(Step::Index(i));
                return true;
            }
            for (i, element) in list.iter_mut().enumerate() {
                path.push(Step::Index(i));
                if cut_below(element.get_mut(), span, path) {
                    return true;
                }
                path.pop();
            }
            false
        }
        _ => false,
    }
}

fn unknown_key(findings: &mut Findings, place: &Place, path: &[Step], key: &str, known: &[&str]) {
    let included = place.source > 0 && path.len() == 1;
    if included && matches!(key, "name" | "question" | "include" | "workload" | "matrix" | "run") {
        findings
            .error(place, format!("`{key}` stands in an included file"))
            .help("an included file may hold only [mode.*], [server.*] and [host.*] tables");
        return;
    }
    findings.error(place, format!("unknown key `{}`", dotted(path))).help(suggest(
        key,
        "the keys here are",
        known.iter().copied(),
    ));
}

/// Says in the words of the file what serde says in its own.
fn wrong_value(findings: &mut Findings, place: &Place, key: &str, message: &str) {
    if let Some(field) = message.strip_prefix("missing field ") {
        findings.error(place, format!("`{key}` lacks {field}"));
    } else if message == LITERAL_SECRET {
        findings
            .error(place, "a secret is written literally")
            .label("not shown here, and not to stand in a file")
            .help("name an environment variable that holds it: password = { env = \"NAME\" }");
    } else if let Some(variant) = message.strip_prefix("unknown variant `") {
        let (value, known) = variant.rsplit_once("`, ").unwrap_or((variant, ""));
        findings.error(place, format!("`{key}` cannot be `{value}`")).help(suggest(
            value,
            "it may be",
            quoted(known).iter().copied(),
        ));
    } else if let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .or(message.strip_prefix("invalid value: "))
        .and_then(|rest| rest.rsplit_once(", expected "))
    {
        let found = match found {
            "map" => "a table".to_owned(),
            "sequence" => "a list".to_owned(),
            // Which string or number it is stands on the line below.
            _ => format!(
                "{} {}",
                if found.starts_with('i') { "an" } else { "a" },
                found.replace("floating point", "fraction").replace('`', "")
            ),
        };
        let expected = match expected {
            "u64" | "u32" => "a whole number, not negative",
            "a sequence" => "a list",
            "a map" => "a table",
            "a boolean" => "true or false",
            other => other,
        };
        findings
            .error(place, format!("`{key}` has the wrong type"))
            .label(format!("expected {expected}, found {found}"));
    } else {
        findings.error(place, format!("`{key}`: {message}"));
    }
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
