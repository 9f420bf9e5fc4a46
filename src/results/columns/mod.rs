//! Defines every column of every table once: its name, type, unit, meaning and value. CSV and its description follow from
//! it.
//!
//! To add a column, add it to the list in [`trials`], [`cells`] or [`progress`]; nothing else has to know. The columns of
//! settings are in [`crate::setting`].

pub mod cells;
pub mod progress;
pub mod shared;
pub mod trials;

use std::borrow::Cow;

use jiff::Timestamp;

use crate::results::provenance::StopReason;
use crate::setting::{ColumnKind, Datum};

/// What is the same in every row of a run's tables, so that tables of several runs can be put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    /// The identity of the run.
    pub run_id: String,
    /// The name of the experiment.
    pub experiment: String,
    /// Why the run ended, as far as the journal says.
    pub stop_reason: Option<StopReason>,
}

/// One column of a table whose rows are made from `Row`.
pub struct Column<Row> {
    /// The header; ends in its unit where there is one.
    pub name: &'static str,
    /// What the values are.
    pub kind: Kind,
    /// The unit of the values, in words.
    pub unit: Option<&'static str>,
    /// What the values mean.
    pub description: Cow<'static, str>,
    /// Whether every row has a value.
    pub required: bool,
    /// The only possible values; empty if there are others.
    pub one_of: &'static [&'static str],
    /// The value in a row.
    pub value: ValueOf<Row>,
}

/// How a column finds its value.
pub type ValueOf<Row> = Box<dyn for<'a> Fn(&'a Context, &'a Row) -> Value<'a> + Send + Sync>;

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text of one line.
    Text,
    /// A whole number.
    Integer,
    /// A number, unrounded.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A moment, RFC 3339 in UTC.
    Time,
}

impl From<ColumnKind> for Kind {
    fn from(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Text => Self::Text,
            ColumnKind::Integer => Self::Integer,
            ColumnKind::Number => Self::Number,
            ColumnKind::Boolean => Self::Boolean,
        }
    }
}

/// One field of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Not known or not applicable: an empty field, never 0.
    Missing,
    /// Text.
    Text(Cow<'a, str>),
    /// A whole number.
    Integer(u64),
    /// A number; missing if it is not finite.
    Number(f64),
    /// Yes or no.
    Boolean(bool),
    /// A moment.
    Time(Timestamp),
}

impl<Row> Column<Row> {
    fn new(
        name: &'static str,
        kind: Kind,
        description: &'static str,
        value: impl for<'a> Fn(&'a Context, &'a Row) -> Value<'a> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            kind,
            unit: None,
            description: description.into(),
            required: false,
            one_of: &[],
            value: Box::new(value),
        }
    }

    fn text(
        name: &'static str,
        description: &'static str,
        value: impl for<'a> Fn(&'a Context, &'a Row) -> Value<'a> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, Kind::Text, description, value)
    }

    fn integer(
        name: &'static str,
        description: &'static str,
        value: impl for<'a> Fn(&'a Context, &'a Row) -> Value<'a> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, Kind::Integer, description, value)
    }

    fn number(
        name: &'static str,
        description: &'static str,
        value: impl for<'a> Fn(&'a Context, &'a Row) -> Value<'a> + Send + Sync + 'static,
    ) -> Self {
        Self::new(name, Kind::Number, description, value)
    }

    fn unit(mut self, unit: &'static str) -> Self {
        self.unit = Some(unit);
        self
    }

    fn required(mut self) -> Self {
        self.required = true;
        self
    }

    fn one_of(mut self, words: &'static [&'static str]) -> Self {
        self.one_of = words;
        self
    }
}

impl<'a> From<Datum<'a>> for Value<'a> {
    fn from(datum: Datum<'a>) -> Self {
        match datum {
            Datum::Text(text) => Self::Text(text),
            Datum::Integer(number) => Self::Integer(number),
            Datum::Number(number) => Self::Number(number),
            Datum::Boolean(yes) => Self::Boolean(yes),
        }
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl From<u32> for Value<'_> {
    fn from(number: u32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Integer(number)
    }
}

impl From<usize> for Value<'_> {
    fn from(number: usize) -> Self {
        Self::Integer(number as u64)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Self::Boolean(yes)
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(moment: Timestamp) -> Self {
        Self::Time(moment)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Missing, Into::into)
    }
}
