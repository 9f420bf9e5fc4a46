//! Values whose levels are lists or tables themselves, such as the arguments of a server: a list of them, or one that is the only
//! level. Each reads both and says in words what it expects.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::spanned::{At, Many};
use crate::setting::{Named, Scalar};

/// Arguments of a server as a factor: a list of lists, or one list of words, which is one level.
#[derive(Clone, Debug)]
pub(super) enum ArgLists {
    One(Vec<String>),
    Many(Vec<At<Vec<String>>>),
}

/// An element of [`ArgLists`].
enum Arg {
    Word(String),
    Words(Vec<String>),
}

impl<'de> Deserialize<'de> for Arg {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ArgVisitor;

        impl<'de> Visitor<'de> for ArgVisitor {
            type Value = Arg;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of strings, or a string where the whole list is one level")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Arg, E> {
                Ok(Arg::Word(word.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Arg, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Arg::Words)
            }
        }

        deserializer.deserialize_any(ArgVisitor)
    }
}

impl<'de> Deserialize<'de> for ArgLists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let elements = Vec::<At<Arg>>::deserialize(deserializer)?;
        // As everywhere, an empty list has no levels; `[[]]` is one level without arguments.
        if matches!(elements.first(), None | Some(At { value: Arg::Words(_), .. })) {
            elements
                .into_iter()
                .map(|At { value, span }| match value {
                    Arg::Words(value) => Ok(At { value, span }),
                    Arg::Word(word) => Err(mixed::<D::Error>(&word)),
                })
                .collect::<Result<_, _>>()
                .map(Self::Many)
        } else {
            elements
                .into_iter()
                .map(|At { value, .. }| match value {
                    Arg::Word(word) => Ok(word),
                    Arg::Words(_) => Err(mixed::<D::Error>("[…]")),
                })
                .collect::<Result<_, _>>()
                .map(Self::One)
        }
    }
}

fn mixed<E: Error>(found: &str) -> E {
    E::custom(format!("strings and lists are mixed: found `{found}`, expected all of one kind"))
}

impl JsonSchema for ArgLists {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "ArgLists".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let words = json_schema!({ "type": "array", "items": { "type": "string" } });
        json_schema!({ "anyOf": [words, { "type": "array", "items": words, "minItems": 1, "uniqueItems": true }] })
    }
}

/// Lists of commands, or one, which is one level; a command is a list of words.
#[derive(Clone, Debug)]
pub(super) struct CommandLists(pub(super) Vec<At<Vec<Vec<String>>>>);

/// What stands in a list where commands do: a word, or a list of such.
enum Nested {
    Word(String),
    List(Vec<At<Self>>),
}

impl<'de> Deserialize<'de> for Nested {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NestedVisitor;

        impl<'de> Visitor<'de> for NestedVisitor {
            type Value = Nested;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("commands such as [[\"HSET\", \"{key}\", \"f\", \"{value}\"], [\"HGET\", \"{key}\", \"f\"]]")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<Nested, E> {
                Ok(Nested::Word(word.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Nested, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(Nested::List)
            }
        }

        deserializer.deserialize_any(NestedVisitor)
    }
}

impl Nested {
    fn command(&self) -> Option<Vec<String>> {
        let Self::List(words) = self else { return None };
        let word =
            |word: &At<Self>| if let Self::Word(word) = &word.value { Some(word.clone()) } else { None };
        words.iter().map(word).collect()
    }

    fn commands(&self) -> Option<Vec<Vec<String>>> {
        let Self::List(commands) = self else { return None };
        commands.iter().map(|command| command.value.command()).collect()
    }
}

impl<'de> Deserialize<'de> for CommandLists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let At { value, span } = At::<Nested>::deserialize(deserializer)?;
        if let Some(commands) = value.commands() {
            return Ok(Self(vec![At { value: commands, span }]));
        }
        let Nested::List(lists) = value else { return Err(D::Error::custom("commands are lists of words")) };
        let lists = lists.into_iter().map(|At { value, span }| Some(At { value: value.commands()?, span }));
        let lists: Option<Vec<_>> = lists.collect();
        lists.map(Self).ok_or_else(|| {
            D::Error::custom(
                "a command is a list of words, and `commands` is a list of commands, or of such lists",
            )
        })
    }
}

impl JsonSchema for CommandLists {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "CommandLists".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let command = json_schema!({ "type": "array", "items": { "type": "string" }, "minItems": 1 });
        let commands = json_schema!({ "type": "array", "items": command, "minItems": 1 });
        json_schema!({ "anyOf": [commands, { "type": "array", "items": commands, "minItems": 1, "uniqueItems": true }] })
    }
}

/// Lists of weights, or one, which is one level.
#[derive(Clone, Debug)]
pub(super) struct WeightLists(pub(super) Vec<At<Vec<u64>>>);

/// An element of [`WeightLists`].
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Weights {
    One(u64),
    Many(Vec<u64>),
}

impl<'de> Deserialize<'de> for WeightLists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let At { value: elements, span } = At::<Vec<At<Weights>>>::deserialize(deserializer)?;
        let (mut ones, mut lists) = (Vec::new(), Vec::new());
        for At { value, span } in elements {
            match value {
                Weights::One(weight) => ones.push(weight),
                Weights::Many(value) => lists.push(At { value, span }),
            }
        }
        match (ones.is_empty(), lists.is_empty()) {
            (false, false) => Err(D::Error::custom("weights are numbers, or lists of numbers, and not both")),
            (false, true) => Ok(Self(vec![At { value: ones, span }])),
            (true, _) => Ok(Self(lists)),
        }
    }
}

impl JsonSchema for WeightLists {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "WeightLists".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let weights =
            json_schema!({ "type": "array", "items": { "type": "integer", "minimum": 1 }, "minItems": 1 });
        json_schema!({ "anyOf": [weights, { "type": "array", "items": weights, "minItems": 1, "uniqueItems": true }] })
    }
}

/// Options as a factor: a table of values, or of lists of values of which every combination is a level; or a list of such
/// tables.
#[derive(Clone, Debug)]
pub(super) enum OptionTables {
    One(Lists),
    Many(Vec<At<Lists>>),
}

/// One or several values for each name.
type Lists = BTreeMap<String, Many<Scalar>>;

impl OptionTables {
    /// The levels, each at the place of its table; `whole` is that place if there is only one table.
    pub(super) fn levels(&self, whole: &Range<usize>) -> Vec<At<Named>> {
        let of = |lists: &Lists, span: &Range<usize>| {
            let values = |many: &Many<Scalar>| many.items(span).into_iter().map(|at| at.value).collect();
            let lists = lists.iter().map(|(name, many)| (name.clone(), values(many))).collect();
            let levels = Named::combinations(&lists).into_iter();
            levels.map(|value| At { value, span: span.clone() }).collect::<Vec<_>>()
        };
        match self {
            Self::One(lists) => of(lists, whole),
            Self::Many(tables) => tables.iter().flat_map(|table| of(&table.value, &table.span)).collect(),
        }
    }
}

impl<'de> Deserialize<'de> for OptionTables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TablesVisitor;

        impl<'de> Visitor<'de> for TablesVisitor {
            type Value = OptionTables;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table such as { pool = [1, 8] }, or a list of such tables")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<OptionTables, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(seq)).map(OptionTables::Many)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<OptionTables, A::Error> {
                Lists::deserialize(MapAccessDeserializer::new(map)).map(OptionTables::One)
            }
        }

        deserializer.deserialize_any(TablesVisitor)
    }
}

impl JsonSchema for OptionTables {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "OptionTables".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let value = json_schema!({ "type": ["boolean", "integer", "string"] });
        let values = json_schema!({ "anyOf": [value, { "type": "array", "items": value, "minItems": 1, "uniqueItems": true }] });
        let table = json_schema!({ "type": "object", "additionalProperties": values });
        json_schema!({ "anyOf": [table, { "type": "array", "items": table, "minItems": 1 }] })
    }
}
