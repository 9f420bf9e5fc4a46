//! Text in pictures: escaped, measured approximately, cut where there is no room.

use std::fmt::Write;

use super::Dress;

/// The fonts for text; a reader of an article may not have the first ones.
pub(super) const FONTS: &str = "Roboto, 'Helvetica Neue', Arial, sans-serif";
const INK: &str = "#333333";

/// Escapes text for use between tags and in attributes. Characters that XML forbids become U+FFFD.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\t' | '\n' | '\r' => safe.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A line of text; on a page, with this class.
pub(super) fn text(
    out: &mut String,
    (x, y): (f64, f64),
    anchor: &str,
    size: f64,
    words: &str,
    dress: Dress,
    class: &str,
) {
    let (x, y) = (round(x), round(y));
    let anchor = if anchor == "start" { String::new() } else { format!(" text-anchor=\"{anchor}\"") };
    let dressed = dress.or(class, &format!("fill=\"{INK}\""));
    let _ = write!(
        out,
        "<text x=\"{x}\" y=\"{y}\"{anchor} font-size=\"{size}\"{dressed}>{}</text>",
        escape(words)
    );
}

/// Roughly how wide a text is; fonts differ.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | '\'' | '|' | ' ' => 0.27,
        'm' | 'w' | 'M' | 'W' | '@' => 0.87,
        c if c.is_ascii_uppercase() => 0.66,
        c if c.is_ascii() => 0.56,
        '·' => 0.3,
        '–' | '−' => 0.58,
        _ => 0.9,
    };
    text.chars().map(of).sum::<f64>() * size
}

pub(super) fn shortened(text: &str, room: f64, size: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut short = text.to_owned();
    while !short.is_empty() && width(&short, size) + size > room {
        short.pop();
    }
    short + "…"
}

/// Text in lines of at most this width.
pub(super) fn wrapped(text: &str, room: f64, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if width(line, size) + width(word, size) + 0.27 * size <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A tenth of a pixel is precise enough.
pub(super) fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}
