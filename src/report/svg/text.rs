//! Text in SVG: escaping, approximate widths, and wrapping or truncation where it does not fit.

use std::fmt::Write;

use super::Dress;

/// The fonts for text; a reader of an article may not have the first ones.
pub(super) const FONTS: &str = "Roboto, 'Helvetica Neue', Arial, sans-serif";
const INK: &str = "#333333";

/// The lines of a name.
const NAME_LINES: usize = 3;

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

/// A text cut in the middle: names that begin alike, such as those of one library with different options, differ at their
/// ends.
pub(super) fn shortened(text: &str, room: f64, size: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let letters: Vec<char> = text.chars().collect();
    let cut = |kept: usize| -> String {
        let (first, last) = (&letters[..kept.div_ceil(2)], &letters[letters.len() - kept / 2..]);
        first.iter().chain(&['…']).chain(last).collect()
    };
    // No letter is narrower than a quarter of the size.
    let most = letters.len().min((room / size * 4.0) as usize);
    (0..most).rev().map(cut).find(|short| width(short, size) <= room).unwrap_or_else(|| cut(0))
}

/// A name in at most [`NAME_LINES`] lines of at most this width. Of a longer one, the middle is cut.
pub(super) fn name_lines(name: &str, room: f64, size: f64) -> Vec<String> {
    let lines = wrapped(name, room, size);
    match lines.as_slice() {
        [first, middle @ .., last] if lines.len() > NAME_LINES => {
            vec![first.clone(), shortened(&middle.join(" "), room, size), last.clone()]
        }
        _ => lines,
    }
}

/// Text in lines of at most this width. A word is broken only if it is wider than a line.
pub(super) fn wrapped(text: &str, room: f64, size: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ').flat_map(|word| pieces(word, room, size)) {
        match lines.last_mut() {
            Some(line)
                if width(line, size) + width(&word.text, size) + 0.27 * size <= room && word.is_new =>
            {
                line.push(' ');
                line.push_str(&word.text);
            }
            _ => lines.push(word.text),
        }
    }
    lines
}

/// A word, or a part of one that is wider than a line.
struct Piece {
    text: String,
    /// Whether a word begins with it.
    is_new: bool,
}

fn pieces(word: &str, room: f64, size: f64) -> Vec<Piece> {
    let mut pieces = vec![Piece { text: String::new(), is_new: true }];
    let mut long = 0.0;
    for letter in word.chars() {
        let own = width(letter.encode_utf8(&mut [0; 4]), size);
        if long > 0.0 && long + own > room {
            pieces.push(Piece { text: String::new(), is_new: false });
            long = 0.0;
        }
        long += own;
        if let Some(last) = pieces.last_mut() {
            last.text.push(letter);
        }
    }
    pieces
}

/// A tenth of a pixel is precise enough.
pub(super) fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_at_their_ends_still_differ_once_cut() {
        let name = |late: bool| format!("celery-prefork (acks_late={late})");
        assert_eq!(shortened("rq", 100.0, 10.0), "rq");
        let short = [shortened(&name(true), 100.0, 10.0), shortened(&name(false), 100.0, 10.0)];
        assert_ne!(short[0], short[1]);
        assert!(short.iter().all(|short| short.contains('…') && width(short, 10.0) <= 100.0), "{short:?}");
        assert_eq!(name_lines(&name(true), 120.0, 10.0), ["celery-prefork", "(acks_late=true)"]);
    }

    #[test]
    fn no_line_is_wider_than_its_room() {
        let long = format!("a b{} c", "x".repeat(60));
        let lines = wrapped(&long, 100.0, 10.0);
        assert!(lines.iter().all(|line| width(line, 10.0) <= 100.0), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), long.replace(' ', ""));
        assert_eq!(name_lines(&long, 100.0, 10.0).len(), NAME_LINES);
    }
}
