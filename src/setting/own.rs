//! Levels of the settings that have no field of their own.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{Factor, Kept, Level, Named};
use crate::workload::Kind;

/// Levels of the settings that are kept by name, as [`Kept::Own`] describes. They appear under their keys in the journal, in
/// the input of a cell's identity and in the job of a driver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Own(BTreeMap<Factor, Level>);

impl Own {
    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The level of a setting, if it is set.
    #[must_use]
    pub fn get(&self, factor: Factor) -> Option<&Level> {
        self.0.get(&factor)
    }

    /// A whole number, if one is set.
    #[must_use]
    pub fn number(&self, factor: Factor) -> Option<u64> {
        match self.get(factor) {
            Some(Level::Number(n)) => Some(*n),
            _ => None,
        }
    }

    /// A number from 0 to 1, if one is set.
    #[must_use]
    pub fn share(&self, factor: Factor) -> Option<f64> {
        match self.get(factor) {
            Some(Level::Share(share)) => Some(share.as_f64()),
            _ => None,
        }
    }

    /// A word, if one is set.
    #[must_use]
    pub fn word(&self, factor: Factor) -> Option<&'static str> {
        match self.get(factor) {
            Some(Level::Word(word)) => Some(word),
            _ => None,
        }
    }

    /// Numbers, if some are set.
    #[must_use]
    pub fn weights(&self, factor: Factor) -> Option<&[u64]> {
        match self.get(factor) {
            Some(Level::Weights(weights)) => Some(weights),
            _ => None,
        }
    }

    /// Values by names, if some are set.
    #[must_use]
    pub fn named(&self, factor: Factor) -> Option<&Named> {
        match self.get(factor) {
            Some(Level::Named(named)) => Some(named),
            _ => None,
        }
    }

    /// Those in a table of this name.
    #[must_use]
    pub fn of_table(&self, table: &str) -> Self {
        let in_table = |factor: &Factor| factor.table() == Some(table);
        Self(
            self.0
                .iter()
                .filter(|(factor, _)| in_table(factor))
                .map(|(f, level)| (*f, level.clone()))
                .collect(),
        )
    }

    /// Sets one.
    pub fn set(&mut self, factor: Factor, level: Level) {
        self.0.insert(factor, level);
    }

    /// The defaults of all settings that have one, whatever the workload.
    #[must_use]
    pub fn defaults() -> Self {
        let defaults = Factor::ALL.iter().filter_map(|&factor| match factor.setting().kept {
            Kept::Own { default, .. } => Some((factor, default?())),
            Kept::Field { .. } => None,
        });
        Self(defaults.collect())
    }

    /// Those that a workload has.
    #[must_use]
    pub fn of(mut self, workload: Kind) -> Self {
        self.0.retain(|factor, _| factor.belongs_to(workload));
        self
    }

    /// Keeps what a workload has, and adds the defaults of what is not given.
    pub(crate) fn complete(&mut self, workload: Kind) {
        for (factor, level) in Self::defaults().0 {
            self.0.entry(factor).or_insert(level);
        }
        self.0.retain(|factor, _| factor.belongs_to(workload));
    }

    /// The key of each, without its table, and its value.
    fn written(&self) -> impl Iterator<Item = (&'static str, Value)> {
        self.0.iter().map(|(factor, level)| (factor.setting().keys[0].name, level.to_json()))
    }
}

impl Serialize for Own {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.written())
    }
}

impl<'de> Deserialize<'de> for Own {
    /// Ignores keys that it does not know: a job for other drivers may have more of them.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut own = Self::default();
        for (name, value) in BTreeMap::<String, Value>::deserialize(deserializer)? {
            let known = Factor::ALL
                .iter()
                .copied()
                .find(|factor| factor.is_own() && factor.setting().keys[0].name == name);
            if let Some(factor) = known {
                let level = Level::from_json(factor.setting().keys[0].shape, &value)
                    .ok_or_else(|| Error::custom(format!("`{name}` cannot be {value}")))?;
                own.set(factor, level);
            }
        }
        Ok(own)
    }
}
