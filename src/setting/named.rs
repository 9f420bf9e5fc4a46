//! Values by names that orchestrate knows nothing of: options of a client, variables of its environment.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::level::words;

/// Values by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Named(pub BTreeMap<String, Scalar>);

/// A value of TOML and of JSON alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a whole number, a text, true or false")]
#[schemars(inline)]
pub enum Scalar {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(i64),
    /// Text.
    Text(String),
}

impl Named {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Scalar> {
        self.0.get(name)
    }

    /// These, and those of others whose names are not among them.
    #[must_use]
    pub fn or(mut self, others: &Self) -> Self {
        for (name, value) in &others.0 {
            self.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }

    /// Every combination of one value for each name; the last name changes first. The order of names is that of the alphabet.
    pub(crate) fn combinations(values: &BTreeMap<String, Vec<Scalar>>) -> Vec<Self> {
        let mut all = vec![Self::default()];
        for (name, values) in values {
            let with = |named: &Self| {
                values
                    .iter()
                    .map(move |value| {
                        let mut named = named.clone();
                        named.0.insert(name.clone(), value.clone());
                        named
                    })
                    .collect::<Vec<_>>()
            };
            all = all.iter().flat_map(with).collect();
        }
        all
    }

    /// As it stands in a file of TOML.
    pub(crate) fn in_file(&self) -> String {
        let one = |(name, value): (&String, &Scalar)| {
            let value = match value {
                Scalar::Text(text) => toml::Value::String(text.clone()).to_string(),
                other => other.to_string(),
            };
            format!("{} = {value}", toml_key(name))
        };
        if self.is_empty() {
            "{}".to_owned()
        } else {
            format!("{{ {} }}", self.0.iter().map(one).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A key of TOML, in quotes where it has to be.
fn toml_key(name: &str) -> String {
    let is_bare =
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
    if is_bare { name.to_owned() } else { toml::Value::String(name.to_owned()).to_string() }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("default");
        }
        let all: Vec<String> = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect();
        f.write_str(&words(&all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_of_values_is_one() {
        let numbers = |numbers: &[i64]| numbers.iter().map(|&n| Scalar::Number(n)).collect();
        let values = BTreeMap::from([("b".to_owned(), numbers(&[1, 2])), ("a".to_owned(), numbers(&[3]))]);
        let shown: Vec<String> = Named::combinations(&values).iter().map(Named::to_string).collect();
        assert_eq!(shown, ["a=3 b=1", "a=3 b=2"]);
        assert_eq!(Named::combinations(&BTreeMap::new())[0].to_string(), "default");
    }

    #[test]
    fn what_is_given_in_a_matrix_goes_before_what_a_mode_has() {
        let one = |name: &str, n| Named(BTreeMap::from([(name.to_owned(), Scalar::Number(n))]));
        let merged = one("a", 1).or(&one("a", 2).or(&one("b", 3)));
        assert_eq!(merged.to_string(), "a=1 b=3");
        assert_eq!(merged.in_file(), "{ a = 1, b = 3 }");
    }
}
