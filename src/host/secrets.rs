//! The secrets that this process knows, whether it is a coordinator, an agent or a check of a driver: so that none of them
//! appears in what other programs say, and no process that it starts inherits one.
//!
//! They belong to the process and not to one of its parts: a secret learned by one part is masked by every part that passes
//! text on.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::process::Command;
use std::sync::{PoisonError, RwLock};

use crate::untrusted::{Redactor, one_line, shorten};

static KNOWN: RwLock<Redactor> = RwLock::new(Redactor::new());
static WITHHELD: RwLock<BTreeSet<String>> = RwLock::new(BTreeSet::new());

/// From now on this secret is masked wherever text of other programs is passed on.
pub fn learn(secret: &str) {
    // Every trial of a run tells the same one.
    if !KNOWN.read().unwrap_or_else(PoisonError::into_inner).knows(secret) {
        KNOWN.write().unwrap_or_else(PoisonError::into_inner).learn(secret);
    }
}

/// The text without the secrets that are known.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).redact(text)
}

/// Makes a text of another program fit to be kept and shown: without secrets, on one line, and with at most `most` characters.
/// A text is masked before it is cut: half of a secret would not be recognised.
pub fn fit(text: &mut String, most: usize) {
    if let Cow::Owned(masked) = redact(text) {
        *text = masked;
    }
    if let Cow::Owned(clean) = one_line(text) {
        *text = clean;
    }
    shorten(text, most);
}

/// The beginning of what another program wrote, fit to be quoted.
#[must_use]
pub fn excerpt(text: &str, most: usize) -> String {
    let mut excerpt = redact(text).into_owned();
    fit(&mut excerpt, most);
    excerpt
}

/// From now on no process that is started here inherits these variables of the environment.
pub fn withhold(names: impl IntoIterator<Item = String>) {
    WITHHELD.write().unwrap_or_else(PoisonError::into_inner).extend(names);
}

/// Those variables, for agents on other hosts.
#[must_use]
pub fn withheld() -> Vec<String> {
    WITHHELD.read().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
}

/// Takes those variables from the environment of a process that is going to be started. One that is set for this process on
/// purpose stays.
pub fn withhold_from(command: &mut Command) {
    for name in withheld() {
        let is_set = command.get_envs().any(|(given, value)| given == OsStr::new(&name) && value.is_some());
        if !is_set {
            command.env_remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_masked_before_a_text_is_cut() {
        learn("a secret of this test alone");
        let mut text = format!("{}a secret of this test alone", "x".repeat(95));
        fit(&mut text, 100);
        assert_eq!(text, format!("{}***", "x".repeat(95)));
        assert_eq!(excerpt("it was a secret of this test alone\n", 7), "it was …");
    }

    #[test]
    fn a_child_inherits_no_variable_that_is_withheld_unless_it_is_given_it() {
        let name = "ORCHESTRATE_TEST_WITHHELD".to_owned();
        let environment = |given: Option<&str>| {
            let mut command = Command::new("env");
            // As if this process had it.
            command.env("ORCHESTRATE_TEST_OTHER", "stays");
            given.map(|value| command.env(&name, value));
            withhold_from(&mut command);
            let kept: Vec<_> = command
                .get_envs()
                .map(|(name, value)| (name.to_owned(), value.map(OsStr::to_owned)))
                .filter(|(given, _)| given == OsStr::new(&name))
                .collect();
            kept.into_iter().map(|(_, value)| value).next()
        };
        withhold([name.clone()]);
        assert_eq!(environment(None), Some(None), "it is to be removed");
        assert_eq!(environment(Some("given")), Some(Some("given".into())));
    }
}
