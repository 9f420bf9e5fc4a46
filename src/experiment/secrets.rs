//! Which parts of an experiment file are secrets, so that no message shows them.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::syntax::DEEPEST;

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

/// Whether an argument of redis-server is, or begins with, an option whose value is a secret.
pub(super) fn is_secret_option(arg: &str) -> bool {
    let option = arg.split_whitespace().next().unwrap_or_default();
    ["--requirepass", "--masterauth"].iter().any(|secret| option.eq_ignore_ascii_case(secret))
}
