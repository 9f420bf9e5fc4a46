//! Bytes become the plain structs of [`super::file`], with every syntax error, unknown key and wrong type noted.
//!
//! Serde stops at its first error. So what it complains about is cut out of the TOML tree and the tree is read again,
//! until nothing is left to complain about: every error is found, and the structs stay plain.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::diagnose::{self, Findings, MOST_FINDINGS, Place};
use super::misplaced;
use super::server_literals::LITERAL_SECRET;
use super::source::{FAMILIES, Source};
use super::syntax::{self, Parsed, retain};

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
    /// Dotted paths, in which the elements of lists are numbers.
    parts: BTreeSet<String>,
    /// What was cut out, exactly.
    cuts: Vec<Cut>,
}

/// A key or an element of a list that was cut out of the tree.
#[derive(Debug)]
struct Cut {
    path: String,
    span: Range<usize>,
}

impl Damage {
    /// Whether the file could not be read, so that nothing can be said about what is missing.
    pub(super) const fn is_total(&self) -> bool {
        self.everything
    }

    /// Whether something is missing from this part, or the part from the file.
    pub(super) fn affects(&self, part: &str) -> bool {
        let within = |outer: &str, inner: &str| {
            inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        self.everything || self.parts.iter().any(|missing| within(part, missing) || within(missing, part))
    }

    /// Whether this part is missing as a whole.
    pub(super) fn lacks(&self, part: &str) -> bool {
        self.everything || self.parts.contains(part)
    }

    /// The names within a family whose tables lack something, or are missing altogether.
    pub(super) fn names_in<'a>(&'a self, family: &'a str) -> impl Iterator<Item = &'a str> {
        self.parts.iter().filter_map(move |part| part.strip_prefix(family)?.strip_prefix('.'))
    }

    fn add(&mut self, path: &[Step]) {
        let mut path = path;
        // Named tables are used as a whole, and their names may have dots.
        if let [Step::Key(family), _, ..] = path
            && FAMILIES.contains(&family.as_str())
        {
            path = &path[..2];
        }
        self.parts.insert(with_indices(path));
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

fn with_indices(path: &[Step]) -> String {
    path.iter().map(Step::to_string).collect::<Vec<_>>().join(".")
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
    let Some(Parsed { mut tree, is_whole }) = syntax::parse(findings, index, source) else {
        return Document { content: T::default(), damage: Damage { everything: true, ..Damage::default() } };
    };
    let mut damage = Damage { everything: !is_whole, ..Damage::default() };
    loop {
        let error = match T::deserialize(toml::de::Deserializer::from(tree.clone())) {
            Ok(content) if !cut_fragments(&mut tree, &source.bytes, &mut damage) => {
                return Document { content, damage };
            }
            Ok(_) => continue,
            Err(error) => error,
        };
        let cut = cut(findings, index, &mut tree, &error, &mut damage);
        // Reading again after each of thousands of errors helps nobody.
        if !cut || findings.len() - before >= MOST_FINDINGS {
            findings.stop();
            damage.everything = true;
            return Document { content: T::default(), damage };
        }
    }
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
    if let Some((_, known)) = message.strip_prefix("unknown field `").and_then(|rest| rest.rsplit_once("`, expected "))
        // What serde is shown in place of a date.
        && !message.contains("$__toml_private")
    {
        let known = quoted(known);
        let cut = cut_unknown(tree.get_mut(), &span, &known, &mut path);
        for (key, span) in &cut {
            let step = Step::Key(key.clone());
            path.push(step);
            unknown_key(findings, &Place { source: index, span: span.clone() }, &path, key, &known);
            damage.add(&path);
            path.pop();
        }
        if cut.is_empty() {
            findings.error(&Place { source: index, span }, message);
        }
        return !cut.is_empty();
    }
    let found = cut_value(tree.get_mut(), &span, &mut path);
    let lacking = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    if let Some(field) = lacking
        && damage.cuts.iter().any(|cut| cut.path == format!("{}.{field}", with_indices(&path)))
    {
        // It was there, and what was wrong with it is reported.
        damage.add(&path);
        return found.is_some();
    }
    damage.cuts.push(Cut { path: with_indices(&path), span: span.clone() });
    let is_date = matches!(&found, Some(DeValue::Datetime(_)));
    wrong_value(findings, &Place { source: index, span }, &dotted(&path), message, is_date);
    damage.add(&path);
    found.is_some()
}

/// Cuts every inline table that has lost a part: what is left of a value means something else. False if there is none.
fn cut_fragments(tree: &mut Spanned<DeTable<'_>>, text: &[u8], damage: &mut Damage) -> bool {
    let mut any = false;
    for cut in std::mem::take(&mut damage.cuts) {
        let mut path = Vec::new();
        if let Some(span) = inline_around(tree.get_ref(), text, &cut.span) {
            any |= cut_value(tree.get_mut(), &span, &mut path).is_some();
            damage.add(&path);
        }
    }
    any
}

/// Where the outermost inline table is that holds a place.
fn inline_around(table: &DeTable<'_>, text: &[u8], place: &Range<usize>) -> Option<Range<usize>> {
    table.iter().find_map(|(_, value)| inline_in(value, text, place))
}

fn inline_in(value: &Spanned<DeValue<'_>>, text: &[u8], place: &Range<usize>) -> Option<Range<usize>> {
    let span = value.span();
    match value.get_ref() {
        DeValue::Table(_) if text.get(span.start) == Some(&b'{') => {
            (span.start <= place.start && place.end <= span.end).then_some(span)
        }
        DeValue::Table(inner) => inline_around(inner, text, place),
        DeValue::Array(list) => list.iter().find_map(|element| inline_in(element, text, place)),
        _ => None,
    }
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
fn cut_value<'i>(table: &mut DeTable<'i>, span: &Range<usize>, path: &mut Vec<Step>) -> Option<DeValue<'i>> {
    let key = table.iter().find(|(_, value)| value.span() == *span).map(|(key, _)| key.get_ref().to_string());
    if let Some(key) = key {
        let value = table.remove(key.as_str());
        path.push(Step::Key(key));
        return value.map(Spanned::into_inner);
    }
    for (key, value) in table.iter_mut() {
        path.push(Step::Key(key.get_ref().to_string()));
        if let Some(cut) = cut_below(value.get_mut(), span, path) {
            return Some(cut);
        }
        path.pop();
    }
    None
}

fn cut_below<'i>(value: &mut DeValue<'i>, span: &Range<usize>, path: &mut Vec<Step>) -> Option<DeValue<'i>> {
    match value {
        DeValue::Table(inner) => cut_value(inner, span, path),
        DeValue::Array(list) => {
            if let Some(at) = list.iter().position(|element| element.span() == *span) {
                let mut rest: Vec<_> = std::mem::replace(list, DeArray::new()).into_iter().collect();
                let cut = rest.remove(at);
                *list = rest.into_iter().collect();
                path.push(Step::Index(at));
                return Some(cut.into_inner());
            }
            for (at, element) in list.iter_mut().enumerate() {
                path.push(Step::Index(at));
                if let Some(cut) = cut_below(element.get_mut(), span, path) {
                    return Some(cut);
                }
                path.pop();
            }
            None
        }
        _ => None,
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
    let table = &path[..path.len() - 1];
    findings.error(place, format!("unknown key `{}`", dotted(path))).help(misplaced::help(
        &dotted(table),
        key,
        known,
    ));
}

/// Says in the words of the file what serde says in its own.
fn wrong_value(findings: &mut Findings, place: &Place, key: &str, message: &str, is_date: bool) {
    if let Some(field) = message.strip_prefix("missing field ") {
        findings.error(place, format!("`{key}` lacks {field}"));
    } else if message == LITERAL_SECRET {
        findings
            .error(place, "a secret is written literally")
            .label("not shown here; it does not belong in a file")
            .help("name an environment variable that holds it: password = { env = \"NAME\" }");
    } else if let Some(variant) = message.strip_prefix("unknown variant `") {
        let (value, known) = variant.rsplit_once("`, expected ").unwrap_or((variant, ""));
        findings.error(place, format!("`{key}` cannot be `{value}`")).help(diagnose::suggest(
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
            // Serde is shown a date as a table.
            _ if is_date => "a date".to_owned(),
            "map" => "a table".to_owned(),
            "sequence" => "a list".to_owned(),
            other => {
                let value = other.trim_end_matches(" as i128").trim_end_matches(" as u128");
                format!("the {}", value.replace("floating point", "number").replace('`', ""))
            }
        };
        let expected = match expected {
            "u64" | "u32" => "a whole number, not negative",
            "a sequence" => "a list",
            "a map" => "a table",
            "a boolean" => "true or false",
            other => other,
        };
        let finding = findings.error(place, format!("`{key}` has the wrong type"));
        finding.label(format!("expected {expected}, found {found}"));
        if let Some(help) = misplaced::help_with_type(key) {
            finding.help(help);
        }
    } else if is_date {
        findings.error(place, format!("`{key}` has the wrong type")).label("found a date");
    } else {
        findings.error(place, format!("`{key}`: {message}"));
    }
}

/// The words between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}
