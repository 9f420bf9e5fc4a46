//! What the two sides of a comparison are called: the two levels that are compared, or the labels in which the runs of one
//! side differ from those of the other.

use std::collections::BTreeMap;

use crate::experiment::Factor;
use crate::report::markdown::plain;

/// Labels of runs: each name with its values.
pub type RunLabels = BTreeMap<String, Vec<String>>;

/// Names of the sides; both empty if they differ only in their place on the command line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// The side that is compared with (the base).
    pub base: String,
    /// The side that is asked about (the new one).
    pub new: String,
}

impl Sides {
    /// Two levels of the factor in this column.
    #[must_use]
    pub fn of_levels(column: &str, base: &str, new: &str) -> Self {
        let known = Factor::columns().find(|(_, known)| known.name == column);
        let name = |level: &str| match known {
            Some((_, column)) => column.words((!level.is_empty()).then_some(level)),
            None => format!("{} {level}", column.replace('_', " ")),
        };
        Self { base: name(base), new: name(new) }
    }

    /// Runs with these labels on each side. Labels that both sides share do not distinguish them.
    #[must_use]
    pub fn of_labels(base: &RunLabels, new: &RunLabels) -> Self {
        let name = |own: &RunLabels, other: &RunLabels| {
            let differing = own.iter().filter(|(name, values)| other.get(*name) != Some(*values));
            let words = differing.map(|(name, values)| format!("{name} {}", values.join(" and ")));
            words.collect::<Vec<_>>().join(", ")
        };
        Self { base: name(base, new), new: name(new, base) }
    }

    /// Whether nothing is known of either.
    #[must_use]
    pub const fn are_unnamed(&self) -> bool {
        self.base.is_empty() && self.new.is_empty()
    }

    /// Two lines to put above a table, and an empty one; nothing if there are no names.
    #[must_use]
    pub(super) fn text(&self) -> String {
        if self.are_unnamed() {
            String::new()
        } else {
            format!("base: {}\nnew:  {}\n\n", or(&self.base), or(&self.new))
        }
    }

    /// The same as a sentence in Markdown, with all markup in the names escaped.
    #[must_use]
    pub(super) fn markdown(&self) -> String {
        if self.are_unnamed() {
            String::new()
        } else {
            format!("Base: {}. New: {}.\n\n", plain(or(&self.base)), plain(or(&self.new)))
        }
    }
}

/// Where only one side has a label, the other still gets a name.
fn or(name: &str) -> &str {
    if name.is_empty() { "no label" } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(all: &[(&str, &str)]) -> RunLabels {
        all.iter().map(|(name, value)| ((*name).to_owned(), vec![(*value).to_owned()])).collect()
    }

    #[test]
    fn levels_are_named_in_the_words_of_their_setting() {
        let name = |column| Sides::of_levels(column, "a", "").base;
        assert_eq!([name("mode"), name("client_host")], ["mode a", "client host a"]);
        assert_eq!(Sides::of_levels("rate", "", "20000").base, "closed loop");
    }

    #[test]
    fn labels_that_both_sides_share_do_not_name_them() {
        let base = labels(&[("commit", "a1"), ("runner", "x")]);
        let new = labels(&[("commit", "b2"), ("runner", "x"), ("pr", "7")]);
        let sides = Sides::of_labels(&base, &new);
        assert_eq!(sides.text(), "base: commit a1\nnew:  commit b2, pr 7\n\n");
        assert!(Sides::of_labels(&base, &base).are_unnamed());
    }

    #[test]
    fn a_label_is_not_markup() {
        let new = labels(&[("branch", "[x](http://example.org)|<b>")]);
        assert_eq!(
            Sides::of_labels(&RunLabels::new(), &new).markdown(),
            "Base: no label. New: branch \\[x\\](http://example.org)\\|&lt;b>.\n\n"
        );
    }
}
