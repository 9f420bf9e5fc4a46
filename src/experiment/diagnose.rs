//! What is wrong with an experiment file, where, and how to mend it. Collects and renders; never decides what is an
//! error.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use super::Source;

/// More findings than this help nobody; the rest is counted.
pub(super) const MOST_FINDINGS: usize = 100;

/// A line longer than this is shown without its far ends.
const LONG_LINE: usize = 400;

/// A word longer than this is shown without its middle: a key of a megabyte would hide what is said about it.
const LONG_WORD: usize = 200;
/// So is a message.
const LONG_MESSAGE: usize = 4000;

/// All that is wrong with an experiment file and the files it includes, in the order of the text. Never empty.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    texts: Vec<Text>,
    findings: Vec<Finding>,
    /// Findings that are counted but not kept.
    more: usize,
    /// There are more still that nobody has counted.
    cut_short: bool,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What is wrong: one sentence, lower case, no full stop.
    pub message: String,
    /// What stands under the caret.
    pub label: Option<String>,
    /// How to mend it.
    pub help: Option<String>,
    place: Option<Place>,
    /// Other places that matter, each with its label.
    related: Vec<(Place, String)>,
    source: usize,
}

/// Where a finding is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location<'a> {
    /// The file, as [`Source::name`] says.
    pub file: &'a str,
    /// Bytes of the file.
    pub span: Range<usize>,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// A span of one of the files: 0 is the experiment file, the others are what it includes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) source: usize,
    pub(super) span: Range<usize>,
}

impl Finding {
    pub(super) fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = Some(shortened(label.into()));
        self
    }

    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(shortened(help.into()));
        self
    }

    pub(super) fn related(&mut self, place: &Place, label: impl Into<String>) -> &mut Self {
        self.related.push((place.clone(), shortened(label.into())));
        self
    }
}

/// Collects findings while the files are read.
pub(super) struct Findings {
    texts: Vec<Text>,
    list: Vec<Finding>,
    cut_short: bool,
}

impl Findings {
    pub(super) fn new<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Self {
        Self { texts: sources.into_iter().map(Text::new).collect(), list: Vec::new(), cut_short: false }
    }

    /// Notes an error at `place`.
    pub(super) fn error(&mut self, place: &Place, message: impl Into<String>) -> &mut Finding {
        self.note(place.source, Some(place.clone()), message.into())
    }

    /// Notes an error of a whole file.
    pub(super) fn error_in(&mut self, source: usize, message: impl Into<String>) -> &mut Finding {
        self.note(source, None, message.into())
    }

    fn note(&mut self, source: usize, place: Option<Place>, message: String) -> &mut Finding {
        let message = shortened(message);
        self.list.push(Finding { message, label: None, help: None, place, related: Vec::new(), source });
        self.list.last_mut().expect("a finding has just been pushed")
    }

    /// These bytes of a file are never shown.
    pub(super) fn hide(&mut self, source: usize, mut secrets: Vec<Range<usize>>) {
        secrets.sort_by_key(|secret| secret.start);
        self.texts[source].secrets = secrets;
    }

    /// Whether a place has bytes that are never shown.
    pub(super) fn hides(&self, place: &Place) -> bool {
        let secrets = &self.texts[place.source].secrets;
        secrets.iter().any(|secret| secret.start < place.span.end && place.span.start < secret.end)
    }

    /// Says that not everything has been looked at, because too much was wrong.
    pub(super) const fn stop(&mut self) {
        self.cut_short = true;
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn is_full(&self) -> bool {
        self.list.len() >= MOST_FINDINGS
    }

    /// `Err` with everything found, in the order of the text; `Ok` if nothing was.
    pub(super) fn into_result(self) -> Result<(), Diagnostics> {
        let Self { texts, list: mut findings, cut_short } = self;
        if findings.is_empty() {
            return Ok(());
        }
        findings
            .sort_by_key(|finding| (finding.source, finding.place.as_ref().map(|place| place.span.start)));
        findings.dedup();
        let more = findings.len().saturating_sub(MOST_FINDINGS);
        findings.truncate(MOST_FINDINGS);
        Err(Diagnostics { texts, findings, more, cut_short })
    }
}

impl Diagnostics {
    /// At most a hundred findings, in the order of the text.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Where a finding of these diagnostics is; the start of its file if it is about the whole of it.
    #[must_use]
    pub fn location(&self, finding: &Finding) -> Location<'_> {
        let text = &self.texts[finding.source];
        let span = finding.place.as_ref().map_or(0..0, |place| text.clamp(&place.span));
        let (line, column) = text.position(span.start);
        Location { file: &text.name, span, line, column }
    }

    /// As a terminal shows it: for every finding its message, file, line, column, the line itself, a caret and help.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut out = String::new();
        for finding in &self.findings {
            out += &renderer.render(&[self.group(finding)]);
            out += "\n\n";
        }
        let shown = self.findings.len();
        out += &match (shown, self.more) {
            _ if self.cut_short => format!("{shown} errors … and more"),
            (1, 0) => "1 error".to_owned(),
            (_, 0) => format!("{shown} errors"),
            (_, more) => format!("{shown} errors … and {more} more"),
        };
        out
    }

    fn group<'a>(&'a self, finding: &'a Finding) -> Group<'a> {
        let title = Level::ERROR.primary_title(normalize_untrusted_str(&finding.message));
        let mut group = Group::with_title(title);
        match &finding.place {
            Some(place) => {
                let label = finding.label.as_deref();
                // What stands on the same line is marked there; a line is not shown twice.
                let (beside, apart): (Vec<_>, Vec<_>) = finding
                    .related
                    .iter()
                    .partition(|(other, _)| self.texts[place.source].shows_both(place, other));
                group = self.snippet(group, place, label, &beside, AnnotationKind::Primary);
                for (place, label) in apart {
                    group = self.snippet(group, place, Some(label), &[], AnnotationKind::Context);
                }
            }
            None => group = group.element(Origin::path(&*self.texts[finding.source].name)),
        }
        if let Some(help) = &finding.help {
            group = group.element(Level::HELP.message(normalize_untrusted_str(help)));
        }
        group
    }

    /// Adds the line of a place with a mark under it, and under others on the same line.
    fn snippet<'a>(
        &'a self,
        group: Group<'a>,
        place: &Place,
        label: Option<&str>,
        beside: &[&(Place, String)],
        kind: AnnotationKind,
    ) -> Group<'a> {
        let text = &self.texts[place.source];
        let window = text.window(&place.span);
        let shift = window.start;
        let mut snippet = Snippet::source(window.line)
            .line_start(window.number)
            .annotation(kind.span(window.mark).label(label.map(normalize_untrusted_str)));
        for (other, label) in beside {
            let span = text.clamp(&other.span);
            let mark = span.start - shift..span.end - shift;
            snippet =
                snippet.annotation(AnnotationKind::Context.span(mark).label(normalize_untrusted_str(label)));
        }
        if window.cut {
            // The column that the snippet would print is one of the cut line.
            let (line, column) = text.position(place.span.start);
            let origin = Origin::path(&*text.name).line(line).char_column(column);
            return group.element(origin).element(snippet);
        }
        group.element(snippet.path(&*text.name))
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnostics {}

/// A file as far as it can be shown.
#[derive(Clone, Debug)]
struct Text {
    name: String,
    /// Bytes that are not valid UTF-8 are replaced; up to the first of them the offsets are those of the file.
    text: String,
    lines: Vec<usize>,
    secrets: Vec<Range<usize>>,
}

/// One line of a text, or a part of it, and what to mark there.
struct Window {
    number: usize,
    /// Where the shown part begins in the text.
    start: usize,
    line: String,
    mark: Range<usize>,
    cut: bool,
}

impl Text {
    fn new(source: &Source) -> Self {
        let text = String::from_utf8_lossy(&source.bytes).into_owned();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: source.name.clone(), text, lines, secrets: Vec::new() }
    }

    /// The same span, inside the text and on the boundaries of characters.
    fn clamp(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        start..self.text.ceil_char_boundary(span.end).max(start)
    }

    /// The index of the line that holds an offset.
    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|&start| start <= offset) - 1
    }

    fn position(&self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset);
        let line = self.line(offset);
        (line + 1, self.text[self.lines[line]..offset].chars().count() + 1)
    }

    /// The first line of a span: a mark over many lines hides more than it shows.
    fn window(&self, span: &Range<usize>) -> Window {
        let span = self.clamp(span);
        let line = self.line(span.start);
        let start = self.lines[line];
        let end = self.lines.get(line + 1).map_or(self.text.len(), |&next| next - 1);
        let mark = span.start..span.end.min(end).max(span.start);
        let cut = end - start > LONG_LINE;
        let shown = if cut {
            let from = self.text.floor_char_boundary(mark.start.saturating_sub(LONG_LINE / 4).max(start));
            from..self.text.ceil_char_boundary((from + LONG_LINE).min(end))
        } else {
            start..end
        };
        let mark = mark.start - shown.start..mark.end.min(shown.end) - shown.start;
        Window { number: line + 1, start: shown.start, line: self.masked(&shown), mark, cut }
    }

    /// Whether one line shows all of two places of the same file.
    fn shows_both(&self, one: &Place, other: &Place) -> bool {
        let other_span = self.clamp(&other.span);
        let window = self.window(&one.span);
        one.source == other.source
            && !window.cut
            && other_span.start >= window.start
            && other_span.end <= window.start + window.line.len()
    }

    /// A part of the text with an asterisk for every byte of a secret.
    fn masked(&self, part: &Range<usize>) -> String {
        let mut out = String::with_capacity(part.len());
        for (at, c) in self.text[part.clone()].char_indices() {
            let at = part.start + at;
            let secret = self.secrets.partition_point(|secret| secret.end <= at);
            if self.secrets.get(secret).is_some_and(|secret| secret.contains(&at)) {
                out.extend(std::iter::repeat_n('*', c.len_utf8()));
            } else {
                out.push(c);
            }
        }
        out
    }
}

/// Two names must have this many letters in common at their beginnings for one to be suggested in place of the other.
const BEGUN: usize = 4;

/// A text in which nothing is longer than anybody would read.
fn shortened(text: String) -> String {
    if text.len() <= LONG_WORD {
        return text;
    }
    let words: Vec<_> = text.split(' ').map(|word| without_middle(word, LONG_WORD)).collect();
    without_middle(&words.join(" "), LONG_MESSAGE).into_owned()
}

/// A text of at most about this many bytes: its beginning, an ellipsis, and its end.
fn without_middle(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return text.into();
    }
    let beginning = &text[..text.floor_char_boundary(most * 2 / 3)];
    let end = &text[text.ceil_char_boundary(text.len() - most / 4)..];
    format!("{beginning}…{end}").into()
}

/// The candidate that somebody who wrote `word` may have meant.
pub(super) fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Comparing is quadratic in the lengths, and nobody mistypes a name of a hundred letters.
    if word.len() > 100 {
        return None;
    }
    let word = word.to_lowercase();
    let alike = candidates.into_iter().filter_map(|candidate| Some((likeness(&word, candidate)?, candidate)));
    alike.min_by_key(|(likeness, _)| *likeness).map(|(_, candidate)| candidate)
}

/// How a name may have turned into what was written, the likeliest first; the larger the number, the less likely.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    /// Not finished, like `py-async` for `py-asyncio`: the length of the name.
    Unfinished(usize),
    /// Mistyped, like `wokers` for `workers`: the number of wrong letters.
    Mistyped(usize),
    /// Begun right, like `value_size` for `value_bytes`: how many letters follow the common beginning.
    Begun(usize),
}

fn likeness(word: &str, name: &str) -> Option<Likeness> {
    let pairs = word.bytes().zip(name.bytes());
    let common = pairs.take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    if common == word.len() && common >= BEGUN {
        return Some(Likeness::Unfinished(name.len()));
    }
    let tolerated = word.chars().count() / 3;
    if word.len().abs_diff(name.len()) <= tolerated {
        let wrong = strsim::damerau_levenshtein(word, &name.to_lowercase());
        if wrong <= tolerated {
            return Some(Likeness::Mistyped(wrong));
        }
    }
    (common >= BEGUN && common >= word.len() / 2).then(|| Likeness::Begun(word.len() - common))
}

/// "did you mean …?" if something is close, or else all there is.
pub(crate) fn suggest<'a>(
    word: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'a str> + Clone,
) -> String {
    match closest(word, candidates.clone()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => all_of(what, candidates),
    }
}

/// All there is, as far as anybody reads.
pub(super) fn all_of<'a>(what: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let all: Vec<_> = candidates.into_iter().take(30).map(|name| format!("`{name}`")).collect();
    format!("{what}: {}", all.join(", "))
}
