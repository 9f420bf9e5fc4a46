//! Text that other programs wrote, made fit to be kept and shown: one line, bounded, without control characters and
//! without secrets. Pure; the secrets that this process knows are in [`crate::host::secrets`].

use std::borrow::Cow;

/// Characters of a name or a version.
pub const NAME: usize = 200;
/// Characters of a sentence.
pub const SENTENCE: usize = 300;
/// Characters of a message that is made of several sentences, or of a value of a server's configuration.
pub const MESSAGE: usize = 4_000;

/// What replaces a secret.
pub const MASK: &str = "***";

/// A line of a secret with several lines is a secret by itself if it has at least this many characters: those of a private key
/// have 64.
const LINE: usize = 16;

/// A shorter secret is masked only where it is a word of its own: letters of other words would be taken for it.
const SHORT: usize = 4;

/// The text without what a terminal, or a reader of lines, takes for more than text: each such character becomes a space.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    cleaned(text, is_control)
}

/// The same for a text that may have several lines.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    cleaned(text, |c| c != '\n' && is_control(c))
}

/// The beginning of a text, on one line; `…` says that there was more.
#[must_use]
pub fn excerpt(text: &str, most: usize) -> String {
    let mut excerpt: String = one_line(text).into_owned();
    shorten(&mut excerpt, most);
    excerpt
}

/// Leaves at most this many characters of a text, and `…` if there were more.
pub fn shorten(text: &mut String, most: usize) {
    if let Some((end, _)) = text.char_indices().nth(most) {
        text.truncate(end);
        text.push('…');
    }
}

fn cleaned(text: &str, is_unwanted: impl Fn(char) -> bool + Copy) -> Cow<'_, str> {
    if text.contains(is_unwanted) {
        Cow::Owned(text.chars().map(|c| if is_unwanted(c) { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// Controls of terminals, ends of lines, and what changes the direction in which the rest of a line is shown.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Knows secrets, and finds them in texts: as they are, and as JSON, URLs, HTML, Python and Rust spell them, even where one
/// text mixes these.
#[derive(Default)]
pub struct Redactor {
    /// Each as its characters.
    secrets: Vec<Vec<char>>,
}

impl std::fmt::Debug for Redactor {
    /// Never shows a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} secrets)", self.secrets.len())
    }
}

impl Redactor {
    /// One that knows nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { secrets: Vec::new() }
    }

    /// Takes note of a secret. If it has several lines, each line is a secret too, since texts are kept line by line.
    pub fn learn(&mut self, secret: &str) {
        // The lines that frame a key say only that it is one.
        let is_secret = |line: &&str| line.len() >= LINE && !line.starts_with("-----");
        let lines = secret.lines().map(str::trim).filter(is_secret);
        for secret in std::iter::once(secret).chain(lines) {
            let secret: Vec<char> = secret.chars().collect();
            if !secret.is_empty() && !self.secrets.contains(&secret) {
                self.secrets.push(secret);
            }
        }
    }

    /// Whether it knows this secret.
    #[must_use]
    pub fn knows(&self, secret: &str) -> bool {
        self.secrets.iter().any(|known| known.iter().copied().eq(secret.chars()))
    }

    /// The text with [`MASK`] in place of every secret.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        // Most runs have no secret, and all that is logged and heard goes through here.
        if self.secrets.is_empty() {
            return Cow::Borrowed(text);
        }
        let (mut out, mut kept) = (String::new(), 0);
        for (at, c) in text.char_indices() {
            if at < kept {
                continue;
            }
            let may_begin = |secret: &&Vec<char>| c == secret[0] || matches!(c, '%' | '\\' | '&' | '+' | ' ');
            let ends = self.secrets.iter().filter(may_begin).filter_map(|secret| end_of(secret, text, at));
            if let Some(end) = ends.max() {
                out.push_str(&text[kept..at]);
                out.push_str(MASK);
                kept = end;
            }
        }
        if kept == 0 {
            return Cow::Borrowed(text);
        }
        out.push_str(&text[kept..]);
        Cow::Owned(out)
    }
}

/// Where a secret ends that begins at this offset of a text, however it is spelled.
fn end_of(secret: &[char], text: &str, at: usize) -> Option<usize> {
    // What has been read may end in several places: a backslash is one, or it escapes the next character.
    let mut ends = vec![at];
    for &c in secret {
        let mut next = Vec::new();
        for end in ends {
            spellings(c, &text[end..], &mut |length| next.push(end + length));
        }
        next.sort_unstable();
        next.dedup();
        if next.is_empty() {
            return None;
        }
        ends = next;
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let is_alone = |end: &usize| {
        secret.len() >= SHORT
            || !is_word(text[..at].chars().next_back()) && !is_word(text[*end..].chars().next())
    };
    ends.into_iter().rev().find(is_alone)
}

/// Finds the lengths of the beginnings of a text that may stand for a character.
fn spellings(c: char, text: &str, found: &mut dyn FnMut(usize)) {
    if text.starts_with(c) {
        found(c.len_utf8());
    }
    // A space in a form that was sent; and what is left of a control character where one was taken out.
    if (c == ' ' && text.starts_with('+')) || (c != ' ' && is_control(c) && text.starts_with(' ')) {
        found(1);
    }
    let mut utf8 = [0; 4];
    let bytes = c.encode_utf8(&mut utf8).as_bytes();
    if let Some(length) = in_bytes(bytes, "%", text) {
        found(length);
    }
    if let Some(rest) = text.strip_prefix('&')
        && let Some((name, _)) = rest.split_at_checked(rest.find(';').unwrap_or(0))
        && is_entity(name, c)
    {
        found(name.len() + 2);
    }
    // Text within text within text has its backslashes escaped as well: JSON in JSON, the representation of either.
    let slashes = text.bytes().take_while(|byte| *byte == b'\\').take(16).count();
    for before in 1..=slashes {
        escapes(c, bytes, &text[before..], &mut |length| found(before + length));
    }
}

/// The same for what follows a backslash.
fn escapes(c: char, bytes: &[u8], text: &str, found: &mut dyn FnMut(usize)) {
    if !c.is_alphanumeric() && text.starts_with(c) {
        found(c.len_utf8());
    }
    let short = match c {
        '\n' => Some('n'),
        '\r' => Some('r'),
        '\t' => Some('t'),
        '\0' => Some('0'),
        '\u{8}' => Some('b'),
        '\u{c}' => Some('f'),
        '\u{1b}' => Some('e'),
        _ => None,
    };
    if short.is_some_and(|short| text.starts_with(short)) {
        found(1);
    }
    if let Some(rest) = text.strip_prefix('x') {
        if hex(rest, 2) == Some(u32::from(bytes[0])) {
            further_bytes(&bytes[1..], &rest[2..], &mut |more| found(3 + more));
        }
        // Python spells the characters of Latin-1 by their number.
        if (0x80..0x100).contains(&u32::from(c)) && hex(rest, 2) == Some(u32::from(c)) {
            found(3);
        }
    }
    if let Some(rest) = text.strip_prefix('U')
        && hex(rest, 8) == Some(u32::from(c))
    {
        found(9);
    }
    if let Some(rest) = text.strip_prefix('u') {
        if let Some(inner) = rest.strip_prefix('{')
            && let Some((number, _)) = inner.split_once('}')
            && u32::from_str_radix(number, 16) == Ok(u32::from(c))
        {
            found(number.len() + 3);
        }
        let mut utf16 = [0; 2];
        match c.encode_utf16(&mut utf16) {
            [one] if hex(rest, 4) == Some(u32::from(*one)) => found(5),
            [high, low] if hex(rest, 4) == Some(u32::from(*high)) => {
                let second = rest[4..].trim_start_matches('\\');
                let slashes = rest.len() - 4 - second.len();
                if slashes > 0 && second.starts_with('u') && hex(&second[1..], 4) == Some(u32::from(*low)) {
                    found(1 + 4 + slashes + 5);
                }
            }
            _ => {}
        }
    }
}

/// The remaining bytes of a character, each after backslashes and an `x`.
fn further_bytes(bytes: &[u8], text: &str, found: &mut dyn FnMut(usize)) {
    let mut rest = text;
    for byte in bytes {
        let behind = rest.trim_start_matches('\\');
        let Some(digits) = behind.strip_prefix('x').filter(|_| behind.len() < rest.len()) else { return };
        if hex(digits, 2) != Some(u32::from(*byte)) {
            return;
        }
        rest = &digits[2..];
    }
    found(text.len() - rest.len());
}

/// The length of the bytes that a text begins with, each as a sign and two hexadecimal digits, if it begins with them.
fn in_bytes(bytes: &[u8], sign: &str, text: &str) -> Option<usize> {
    let mut rest = text;
    for byte in bytes {
        rest = rest.strip_prefix(sign)?;
        if hex(rest, 2)? != u32::from(*byte) {
            return None;
        }
        rest = &rest[2..];
    }
    Some(text.len() - rest.len())
}

/// The number that a text begins with, in this many hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u32> {
    let digits = text.get(..digits).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    u32::from_str_radix(digits, 16).ok()
}

/// Whether a character reference of HTML stands for a character.
fn is_entity(name: &str, c: char) -> bool {
    let number = name.strip_prefix('#').and_then(|number| match number.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    });
    match number {
        Some(number) => number == u32::from(c),
        None => {
            matches!((name, c), ("amp", '&') | ("lt", '<') | ("gt", '>') | ("quot", '"') | ("apos", '\''))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redactor(secret: &str) -> Redactor {
        let mut redactor = Redactor::new();
        redactor.learn(secret);
        redactor
    }

    #[test]
    fn what_controls_a_terminal_becomes_a_space() {
        assert_eq!(one_line("a\u{1b}[31mb\r\nc\u{9b}d\u{202e}e"), "a [31mb  c d e");
        assert_eq!(lines("a\u{1b}\nb\tc"), "a \nb c");
        assert_eq!(one_line("Grüße, 世界 →"), "Grüße, 世界 →");
    }

    #[test]
    fn a_text_is_cut_at_a_character_and_once() {
        assert_eq!(excerpt("äöü", 3), "äöü");
        assert_eq!(excerpt("äöüß", 3), "äöü…");
        assert_eq!(excerpt(&excerpt("äöüß", 3), 3), "äöü…");
    }

    #[test]
    fn a_secret_is_masked_as_every_language_spells_it() {
        let secret = "hü\"nter/2 \\&'x𝄞\n";
        let redactor = redactor(secret);
        let json = serde_json::to_string(secret).unwrap();
        let ascii: String = json
            .chars()
            .map(|c| match c {
                c if c.is_ascii() => c.to_string(),
                c => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect(),
            })
            .collect();
        for spelled in [
            secret.to_owned(),
            format!("{secret:?}"),
            json.clone(),
            serde_json::to_string(&json).unwrap(),
            serde_json::to_string(&serde_json::to_string(&ascii).unwrap()).unwrap(),
            ascii,
            json.replace('/', "\\/"),
            "h%C3%BC%22nter%2F2%20%5C%26%27x%F0%9D%84%9E%0A".to_owned(),
            "h%c3%bc%22nter/2+%5c%26'x%f0%9d%84%9e%0a".to_owned(),
            r#"b'h\xc3\xbc"nter/2 \\&\'x\xf0\x9d\x84\x9e\n'"#.to_owned(),
            r#"'h\xfc"nter/2 \\&\'x\U0001d11e\n'"#.to_owned(),
            "hü&quot;nter/2 \\&amp;&#39;x&#x1D11E;&#10;".to_owned(),
            one_line(secret).into_owned(),
        ] {
            let text = format!("before {spelled} after {spelled}");
            let masked = redactor.redact(&text);
            assert!(!masked.contains("nter") && masked.starts_with("before "), "{text} became {masked}");
            assert!(
                masked.contains(" after ") && masked.matches(MASK).count() == 2,
                "{text} became {masked}"
            );
        }
    }

    #[test]
    fn a_secret_that_is_a_few_letters_is_masked_where_it_stands_alone() {
        let redactor = redactor("set");
        assert_eq!(redactor.redact("set a password: 'set', not offset"), "*** a password: '***', not offset");
        assert_eq!(Redactor::new().redact("anything"), "anything");
        let mut empty = Redactor::new();
        empty.learn("");
        assert_eq!(empty.redact("anything"), "anything");
    }

    #[test]
    fn the_lines_of_a_secret_are_secrets() {
        let redactor = redactor("-----BEGIN PRIVATE KEY-----\nhunter2hunter2hunter2\nx=\n");
        assert_eq!(redactor.redact("it was hunter2hunter2hunter2 x="), "it was *** x=");
        assert_eq!(redactor.redact("no -----BEGIN PRIVATE KEY-----"), "no -----BEGIN PRIVATE KEY-----");
    }

    #[test]
    fn the_debug_form_shows_no_secret() {
        assert_eq!(format!("{:?}", redactor("hunter2")), "Redactor(1 secrets)");
    }

    fn percent(text: &str, keep: impl Fn(u8) -> bool) -> String {
        text.bytes()
            .map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
            .collect()
    }

    proptest! {
        #[test]
        fn no_spelling_of_any_secret_is_left(secret in "\\PC{6,30}", around in "[ a-z]{0,10}") {
            let redactor = redactor(&secret);
            let json = serde_json::to_string(&secret).unwrap();
            for spelled in [
                secret.clone(),
                json[1..json.len() - 1].to_owned(),
                percent(&secret, |_| false),
                percent(&secret, |byte| byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte)),
            ] {
                let text = format!("{around}|{spelled}|{around}");
                let masked = redactor.redact(&text);
                prop_assert!(masked.len() < text.len() || spelled.len() <= MASK.len(), "{} became {}", text, masked);
                prop_assert!(!masked.contains(&spelled), "{} became {}", text, masked);
            }
        }

        #[test]
        fn whatever_is_read_the_rest_of_it_stays(secret in "[a-z]{4,8}", text in "\\PC{0,60}") {
            let redactor = redactor(&secret);
            let masked = redactor.redact(&text);
            prop_assert!(!masked.contains(&secret));
            if !text.contains(&secret) {
                prop_assert!(masked.len() <= text.len() + MASK.len());
            }
        }
    }
}
