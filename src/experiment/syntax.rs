//! The text of a file becomes a TOML tree. Syntax errors are reported in the words of somebody who writes such a file, at the
//! place that has to change: the TOML parser names the place where it noticed.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnose::{Findings, MOST_FINDINGS, Place};
use super::secrets::{self, Literal};
use super::source::Source;

/// A larger file is not an experiment written by a person.
pub const MOST_BYTES: usize = 1024 * 1024;

/// Deeper than any key of an experiment, and shallow enough to walk by recursion. TOML's own limits multiply: dotted
/// keys in nested inline tables reach a depth of thousands, which overflows the stack when such a tree is cloned.
pub(super) const DEEPEST: usize = 24;

/// What the TOML parser says about a file that is nested too deeply, without saying where.
const NESTED: &str = "recursion limit";

/// A file as TOML, and whether that is all of it.
pub(super) struct Parsed<'a> {
    pub(super) tree: Spanned<DeTable<'a>>,
    pub(super) is_whole: bool,
}

/// The tree of a text, without the lines that are not TOML.
pub(super) fn parse<'a>(findings: &mut Findings, index: usize, source: &'a Source) -> Option<Parsed<'a>> {
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
    let mut hidden = secrets::places(tree.get_ref());
    let literals = secrets::take_literals(tree.get_mut());
    hidden.extend(literals.iter().map(|literal| literal.span.clone()));
    findings.hide(index, hidden);
    for Literal { span, message, help } in literals.into_iter().take(MOST_FINDINGS) {
        findings.error(&Place { source: index, span }, message).help(help);
    }
    let mut lines = Lines::new(text);
    for error in &errors {
        let span =
            error.span().filter(|_| error.message() != NESTED).unwrap_or_else(|| lines.most_nested(text));
        let line = lines.line(span.start);
        // One slip can cause a great many errors on its line; the first is the one to fix.
        if !lines.broken.insert(line) {
            continue;
        }
        // After this many errors no more are reported, and each look reads the text up to there.
        if findings.is_full() {
            findings.stop();
            continue;
        }
        if let Some(open) = unclosed(text, lines.starts[line]) {
            let what = if text[open..].starts_with('[') { "list" } else { "table" };
            let place = |span| Place { source: index, span };
            findings
                .error(&place(open..open + 1), format!("this {what} is not closed"))
                .related(&place(span), "something else begins here");
            // All that follows was read as if it were part of it.
            lines.broken.extend(lines.line(open)..lines.starts.len());
            break;
        }
        say(findings, &Place { source: index, span: span.clone() }, &text[span], error.message());
    }
    if !errors.is_empty() {
        drop_broken(tree.get_mut(), &lines, 0);
    }
    let mut deep = Vec::new();
    prune(tree.get_mut(), 0, &mut deep);
    if deep.is_empty() {
        return Some(Parsed { tree, is_whole: errors.is_empty() });
    }
    for span in deep.into_iter().take(MOST_FINDINGS) {
        findings.error(&Place { source: index, span }, "nested deeper than anything in an experiment file");
    }
    None
}

/// Says what is wrong with the syntax at a place.
fn say(findings: &mut Findings, place: &Place, found: &str, message: &str) {
    let is_unquoted = message.starts_with("string values must be quoted");
    if is_unquoted && findings.hides(place) {
        findings.error(place, "a string needs quotation marks");
        return;
    }
    if found.contains(['“', '”', '„', '‘', '’']) {
        findings
            .error(place, "these are typographic quotation marks")
            .help("TOML has straight ones: \" or '");
    } else if is_unquoted && found.starts_with(|c: char| c.is_ascii_digit()) {
        let digits = found.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let help = match &found[digits.len()..] {
            "k" => format!("a number is written in full, as {digits}_000"),
            "M" => format!("a number is written in full, as {digits}_000_000"),
            _ => format!("a value with a unit is a string: \"{found}\""),
        };
        findings.error(place, format!("`{found}` is neither a number nor a string")).help(help);
    } else if is_unquoted {
        findings.error(place, "a string needs quotation marks").help(format!("write \"{found}\""));
    } else if message == NESTED {
        findings.error(place, "nested deeper than anything in an experiment file");
    } else {
        findings.error(place, message);
    }
}

/// The innermost bracket that is still open where a line begins with another key or the header of a table, if one is.
fn unclosed(text: &str, line: usize) -> Option<usize> {
    if !begins_anew(&text[line..]) {
        return None;
    }
    let bytes = &text.as_bytes()[..line];
    let (mut open, mut at) = (Vec::new(), 0);
    // Whether a bracket belongs to a value: the others are those of headers.
    let mut in_value = false;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'=' => in_value = true,
            b'\n' if open.is_empty() => in_value = false,
            b'[' | b'{' if in_value => open.push(at),
            b']' | b'}' if in_value => drop(open.pop()),
            b'#' => at += bytes[at..].iter().position(|byte| *byte == b'\n').unwrap_or(line - at) - 1,
            b'"' | b'\'' => at = end_of_string(bytes, at),
            _ => {}
        }
        at += 1;
    }
    open.pop()
}

/// Whether a text begins with `key =` or `[header]`.
fn begins_anew(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default().trim_start();
    let is_key = |c: char| c.is_alphanumeric() || "_-.\"' ".contains(c);
    let after = line.trim_start_matches(is_key);
    after.len() < line.len() && after.starts_with('=')
        || line.starts_with('[') && line.trim_end().ends_with(']')
}

/// The last byte of the string that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let is_multiline = bytes[start..].starts_with(&[quote; 3]);
    let end = if is_multiline { vec![quote; 3] } else { vec![quote] };
    let mut at = start + end.len();
    while at < bytes.len() && !bytes[at..].starts_with(&end) && (is_multiline || bytes[at] != b'\n') {
        at += if quote == b'"' && bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + end.len() - 1
}

/// Where lines begin, and which of them are not TOML.
struct Lines {
    starts: Vec<usize>,
    broken: BTreeSet<usize>,
}

impl Lines {
    fn new(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { starts, broken: BTreeSet::new() }
    }

    /// The beginning of the line with the most dots and brackets.
    fn most_nested(&self, text: &str) -> Range<usize> {
        let nesting = |start: usize| {
            let line = text[start..].lines().next().unwrap_or_default();
            line.bytes().filter(|byte| b".[{".contains(byte)).count()
        };
        let start = self.starts.iter().copied().max_by_key(|start| nesting(*start)).unwrap_or_default();
        start..text.ceil_char_boundary(start + 1)
    }

    fn line(&self, offset: usize) -> usize {
        self.starts.partition_point(|&start| start <= offset) - 1
    }
}

/// Removes the keys whose lines hold a syntax error: what was recovered there is a guess.
fn drop_broken(table: &mut DeTable<'_>, lines: &Lines, depth: usize) {
    if depth > DEEPEST {
        return;
    }
    retain(table, |key, value| {
        let (key, value) = (key.span(), value.span());
        let touched = lines.line(key.start.min(value.start))..=lines.line(key.end.max(value.end));
        lines.broken.range(touched).next().is_none()
    });
    for (_, value) in table.iter_mut() {
        match value.get_mut() {
            DeValue::Table(inner) => drop_broken(inner, lines, depth + 1),
            DeValue::Array(list) => {
                for element in list.iter_mut() {
                    if let DeValue::Table(inner) = element.get_mut() {
                        drop_broken(inner, lines, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Keeps the keys of a table for which `keep` says so. (The table's own `retain` shows keys without their spans.)
pub(super) fn retain<'i>(
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
