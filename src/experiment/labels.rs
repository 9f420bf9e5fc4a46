//! Labels of a run: what its owner calls it, such as the commit that was measured. They do not change what is measured, so
//! they are not part of a cell's identity.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::tables::is_safe_name;

/// A run with more labels than this is not described better.
const MOST: usize = 50;

/// Characters of a value. The first line of a commit message fits; a whole message is not a label.
const LONGEST: usize = 200;

/// Values by their names. Every value is one line of text without control characters, and never empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>")]
pub struct Labels(BTreeMap<String, String>);

impl From<BTreeMap<String, String>> for Labels {
    /// What a `run.json`, which somebody else may have written, contains: what is not a label is left out.
    fn from(all: BTreeMap<String, String>) -> Self {
        let mut labels = Self::default();
        for (name, value) in all.into_iter().take(MOST) {
            // An invalid one is left out: nobody is there to be told.
            let _ = labels.set(&name, &value);
        }
        labels
    }
}

/// Why something is not a label.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// Its name is not one.
    #[error(
        "`{}` is not a valid label name: it must begin with a letter or a digit and continue with letters, digits, `.`, `_` or \
         `-`",
        cleaned(.0)
    )]
    Name(String),
    /// Its value is too long.
    #[error("the value of label `{name}` has {length} characters; the limit is {LONGEST}")]
    Value {
        /// Its name.
        name: String,
        /// Of the value.
        length: usize,
    },
    /// There are too many.
    #[error("a run can have at most {MOST} labels")]
    Number,
}

impl Labels {
    /// Sets one, in place of another one with its name. White space and control characters become single spaces; a value
    /// without anything else removes the label, so that a variable that is not set leaves no trace.
    ///
    /// # Errors
    /// When the name is not valid, the value is too long, or there are too many labels.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), LabelError> {
        if !is_safe_name(name) {
            return Err(LabelError::Name(name.chars().take(LONGEST).collect()));
        }
        let value = cleaned(value);
        let length = value.chars().count();
        if length > LONGEST {
            return Err(LabelError::Value { name: name.to_owned(), length });
        }
        if value.is_empty() {
            self.0.remove(name);
            return Ok(());
        }
        self.0.insert(name.to_owned(), value);
        if self.0.len() > MOST { Err(LabelError::Number) } else { Ok(()) }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The labels of several sessions or runs: each name with its distinct values, in the order in which they were given.
    #[must_use]
    pub fn together<'a>(all: impl IntoIterator<Item = &'a Self>) -> BTreeMap<String, Vec<String>> {
        let mut together: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in all.into_iter().flat_map(|labels| &labels.0) {
            let values = together.entry(name.clone()).or_default();
            if !values.contains(value) {
                values.push(value.clone());
            }
        }
        together
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&if all.is_empty() { "no labels".to_owned() } else { all.join(", ") })
    }
}

/// One line of text. The marks that change the direction of writing go as well: they would show a value as another one.
fn cleaned(value: &str) -> String {
    let is_mark =
        |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let plain: String =
        value.chars().filter(|&c| !is_mark(c)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(all: &[(&str, &str)]) -> Labels {
        let mut labels = Labels::default();
        all.iter().for_each(|(name, value)| labels.set(name, value).unwrap());
        labels
    }

    #[test]
    fn a_value_is_one_line_without_control_characters() {
        let labels = labels(&[("title", " Pool\tconnections\r\n\x1b[31m\u{202e}faster ")]);
        assert_eq!(labels.get("title"), Some("Pool connections [31mfaster"));
    }

    #[test]
    fn labels_that_somebody_else_wrote_are_labels_or_left_out() {
        let read = |text| serde_json::from_str::<Labels>(text).unwrap();
        let kept = read(r#"{"commit":"a1","title":"Pool \u001b[31mfaster","../x":"y"}"#);
        assert_eq!(kept, labels(&[("commit", "a1"), ("title", "Pool [31mfaster")]));
        assert_eq!(read(&serde_json::to_string(&kept).unwrap()), kept);
    }

    #[test]
    fn the_last_value_counts_and_an_empty_one_removes_the_label() {
        let labels = labels(&[("commit", "a1"), ("pr", "7"), ("commit", "b2"), ("pr", " \n")]);
        assert_eq!(labels.to_string(), "commit=b2");
        assert_eq!(Labels::default().to_string(), "no labels");
    }

    #[test]
    fn names_values_and_their_number_are_bounded() {
        let mut labels = Labels::default();
        for name in ["", "a b", "a=b", "../x", "-x", "é"] {
            assert_eq!(labels.set(name, "x"), Err(LabelError::Name(name.to_owned())));
        }
        let long = "é".repeat(LONGEST + 1);
        let error = LabelError::Value { name: "title".to_owned(), length: LONGEST + 1 };
        assert_eq!(labels.set("title", &long), Err(error));
        labels.set("title", &long["é".len()..]).unwrap();
        (1..MOST).for_each(|n| labels.set(&format!("l{n}"), "x").unwrap());
        assert_eq!(labels.set("one-more", "x"), Err(LabelError::Number));
    }

    #[test]
    fn labels_of_several_sessions_stand_together() {
        let sessions =
            [labels(&[("commit", "a1"), ("ci", "yes")]), labels(&[("commit", "b2"), ("ci", "yes")])];
        let together = Labels::together(&sessions);
        assert_eq!(together["commit"], ["a1", "b2"]);
        assert_eq!(together["ci"], ["yes"]);
    }
}
