//! Which parts of an experiment file are secrets, so that no message shows them, and which of them must not be there: each
//! run keeps a copy of its file.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::syntax::DEEPEST;
use crate::untrusted::MASK;

/// Strings that must not be shown, even where something else is wrong on their line.
pub(super) fn places(table: &DeTable<'_>) -> Vec<Range<usize>> {
    let mut secrets = Vec::new();
    find_secrets(table, &mut secrets, 0);
    secrets
}

fn find_secrets(table: &DeTable<'_>, secrets: &mut Vec<Range<usize>>, depth: usize) {
    for (key, value) in table {
        match (key.get_ref().as_ref(), value.get_ref()) {
            (_, inner @ (DeValue::Table(_) | DeValue::Array(_))) => {
                find_secrets_in(inner, secrets, depth + 1);
            }
            ("password", _) => secrets.push(value.span()),
            ("address", DeValue::String(text)) if text.contains('@') => secrets.push(value.span()),
            _ => {}
        }
    }
}

fn find_secrets_in(value: &DeValue<'_>, secrets: &mut Vec<Range<usize>>, depth: usize) {
    match value {
        _ if depth > DEEPEST => {}
        DeValue::Table(table) => find_secrets(table, secrets, depth),
        DeValue::Array(list) => {
            let mut before = "";
            for element in list {
                let text = element.get_ref().as_str().unwrap_or_default();
                if is_secret_option(before) || is_secret_option(text) {
                    secrets.push(element.span());
                }
                find_secrets_in(element.get_ref(), secrets, depth + 1);
                before = text;
            }
        }
        _ => {}
    }
}

/// A secret in plain text.
pub(super) struct Literal {
    /// The text.
    pub(super) span: Range<usize>,
    /// What it is, and how to do without it.
    pub(super) message: String,
    pub(super) help: &'static str,
}

/// Names of variables and of options that are those of a secret.
const NAMES: [&str; 8] =
    ["passw", "passphrase", "secret", "token", "credential", "apikey", "api_key", "private_key"];

/// Values that are never a secret, whatever their name.
const HARMLESS: [&str; 7] = ["", "true", "false", "yes", "no", "on", "off"];

/// Secrets among the variables and the options that clients are given, and passwords in URLs anywhere. They are taken out
/// of the tree, so that no other message about a value quotes them.
pub(super) fn take_literals(table: &mut DeTable<'_>) -> Vec<Literal> {
    let mut found = Vec::new();
    find_literals(table, false, &mut found, 0);
    found
}

fn find_literals(table: &mut DeTable<'_>, is_given: bool, found: &mut Vec<Literal>, depth: usize) {
    for (key, value) in table.iter_mut() {
        let key = key.get_ref().as_ref();
        // Prose may quote anything, and `address` has an error of its own.
        if depth == 0 && key == "question" || key == "address" {
            continue;
        }
        let is_given = is_given || key == "env" || key == "options";
        find_literals_in(key, value, is_given, found, depth);
    }
}

fn find_literals_in(
    key: &str,
    value: &mut Spanned<DeValue<'_>>,
    is_given: bool,
    found: &mut Vec<Literal>,
    depth: usize,
) {
    let span = value.span();
    match value.get_mut() {
        _ if depth > DEEPEST => {}
        DeValue::Table(table) => find_literals(table, is_given, found, depth + 1),
        DeValue::Array(list) => {
            list.iter_mut().for_each(|element| find_literals_in(key, element, is_given, found, depth + 1));
        }
        DeValue::String(text) => {
            let (message, help) = if is_given && is_secret_name(key) && !is_harmless(text) {
                (format!("`{key}` is a secret in plain text"), INHERITED)
            } else if has_password(text) {
                ("this URL has a password in plain text".to_owned(), TOLD)
            } else {
                return;
            };
            *text = MASK.into();
            let message = format!("{message}, and every run keeps a copy of this file");
            found.push(Literal { span, message, help });
        }
        _ => {}
    }
}

const TOLD: &str = "leave the password out: a client is told the password of its server in its job";
const INHERITED: &str = "a client is told the password of its server in its job, and inherits all other variables of the \
    environment: leave it out here, and set it where orchestrate is started";

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let is_auth = ["auth", "pass", "pwd"].iter().any(|word| name.split('_').next_back() == Some(*word));
    is_auth || NAMES.iter().any(|secret| name.contains(secret))
}

fn is_harmless(value: &str) -> bool {
    HARMLESS.iter().any(|harmless| value.eq_ignore_ascii_case(harmless))
        || value.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a text has a URL such as `redis://:hunter2@10.0.0.5`.
fn has_password(text: &str) -> bool {
    text.match_indices("://").any(|(at, scheme)| {
        let rest = &text[at + scheme.len()..];
        let authority = &rest[..rest.find(['/', '?', '#', ' ', '"', '\'']).unwrap_or(rest.len())];
        let user = authority.rsplit_once('@').map(|(user, _)| user);
        user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
    })
}

/// Whether an argument of redis-server is, or begins with, an option whose value is a secret.
pub(super) fn is_secret_option(arg: &str) -> bool {
    let option = arg.split_whitespace().next().unwrap_or_default();
    ["--requirepass", "--masterauth"].iter().any(|secret| option.eq_ignore_ascii_case(secret))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_password_where_something_stands_behind_its_user() {
        for with in ["redis://:hunter2@h:1/0", "-u redis://me:hunter2@h", "x=https://a:b@c/d?e"] {
            assert!(has_password(with), "{with}");
        }
        for without in ["redis://h:6379", "redis://me@h:1", "redis://me:@h", "https://h/a:b@c", "a:b@c"] {
            assert!(!has_password(without), "{without}");
        }
    }

    #[test]
    fn a_name_is_that_of_a_secret_by_one_of_its_words() {
        for secret in ["REDIS_PASSWORD", "redis-auth", "DB_PWD", "HF_TOKEN", "api-key", "auth"] {
            assert!(is_secret_name(secret), "{secret}");
        }
        for other in ["MALLOC_ARENA_MAX", "PYTHONHASHSEED", "AUTHOR", "COMPASS", "keys", "bypass_cache"] {
            assert!(!is_secret_name(other), "{other}");
        }
    }
}
