//! Values that may be written in more than one way: a name or a table, a duration or a count. Each reads every way it
//! knows and says in words what it expects; whether a value is allowed is decided elsewhere.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{
    Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor,
};

use super::spanned::{At, Many};
use crate::setting::{Named, Scalar, Share};
use crate::units::Nanos;

/// Where client and server run: one name for both, or one for each.
#[derive(Clone, Debug)]
pub(super) enum Hosts {
    Both(String),
    Each(EachHost),
}

/// A host for the client, or several, and one for the server.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("oneOf" = [{"required": ["client"]}, {"required": ["clients"]}]))]
pub(super) struct EachHost {
    /// Where the driver runs.
    pub(super) client: Option<At<String>>,
    /// Where drivers run that share the workers and work at the same time.
    pub(super) clients: Option<At<Vec<At<String>>>>,
    /// Where the server runs.
    pub(super) server: At<String>,
}

impl<'de> Deserialize<'de> for Hosts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HostsVisitor;

        impl<'de> Visitor<'de> for HostsVisitor {
            type Value = Hosts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a host, { client = \"…\", server = \"…\" } or { clients = [\"…\", \"…\"], server = \"…\" }")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Hosts, E> {
                Ok(Hosts::Both(name.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Hosts, A::Error> {
                EachHost::deserialize(MapAccessDeserializer::new(map)).map(Hosts::Each)
            }
        }

        deserializer.deserialize_any(HostsVisitor)
    }
}

impl JsonSchema for Hosts {
    fn schema_name() -> Cow<'static, str> {
        "Hosts".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let each = generator.subschema_for::<EachHost>();
        json_schema!({
            "description": "A host for both client and server, or one for each.",
            "anyOf": [{ "type": "string" }, each]
        })
    }
}

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
        // An empty list is no level at all, as everywhere; one level without arguments is `[[]]`.
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

/// On which CPUs client and server run: a word, or lists of CPUs.
#[derive(Clone, Debug)]
pub(super) enum PlacementForm {
    Word(PlacementWord),
    Cpus(Cpus),
}

/// A placement by its name.
#[derive(Clone, Copy, Debug, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum PlacementWord {
    /// Wherever the scheduler puts them.
    Free,
    /// Both on one CPU.
    SameCore,
    /// The server on one CPU, the client on the others.
    SeparateCpus,
}

/// A placement by the numbers of CPUs.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cpus {
    /// The server's CPUs.
    pub(super) server: At<Vec<u32>>,
    /// The client's CPUs.
    pub(super) client: At<Vec<u32>>,
}

impl<'de> Deserialize<'de> for PlacementForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PlacementVisitor;

        impl<'de> Visitor<'de> for PlacementVisitor {
            type Value = PlacementForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"free\", \"same-core\", \"separate-cpus\" or { server = [0], client = [1] }")
            }

            fn visit_str<E: Error>(self, word: &str) -> Result<PlacementForm, E> {
                // The word of earlier versions, which is not among the words that are suggested.
                let word = if word == "split" { "separate-cpus" } else { word };
                PlacementWord::deserialize(word.into_deserializer()).map(PlacementForm::Word)
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PlacementForm, A::Error> {
                Cpus::deserialize(MapAccessDeserializer::new(map)).map(PlacementForm::Cpus)
            }
        }

        deserializer.deserialize_any(PlacementVisitor)
    }
}

impl JsonSchema for PlacementForm {
    fn schema_name() -> Cow<'static, str> {
        "Placement".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let word = generator.subschema_for::<PlacementWord>();
        let cpus = generator.subschema_for::<Cpus>();
        json_schema!({ "description": "On which CPUs client and server run.", "anyOf": [word, cpus] })
    }
}

/// A span of time with its unit, such as "10s".
#[derive(Clone, Copy, Debug)]
pub(super) struct Time(pub(super) Nanos);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;

        impl Visitor<'_> for TimeVisitor {
            type Value = Time;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration with its unit, such as \"10s\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Time, E> {
                text.parse().map(Time).map_err(E::custom)
            }
        }

        deserializer.deserialize_any(TimeVisitor)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A span of time with its unit.",
            "type": "string",
            "examples": ["500ms", "10s", "1m 30s"]
        })
    }
}

/// A number from 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fraction(pub(super) Share);

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FractionVisitor;

        impl Visitor<'_> for FractionVisitor {
            type Value = Fraction;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number from 0 to 1")
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Fraction, E> {
                let share = Share::new(number).map(Fraction);
                share.ok_or_else(|| E::invalid_value(Unexpected::Float(number), &self))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Fraction, E> {
                let share = Share::new(number as f64).map(Fraction);
                share.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Fraction, E> {
                let share = Share::new(number as f64).map(Fraction);
                share.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
            }
        }

        deserializer.deserialize_any(FractionVisitor)
    }
}

impl JsonSchema for Fraction {
    fn schema_name() -> Cow<'static, str> {
        "Fraction".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }
}

/// A span of time, or a number of operations.
#[derive(Clone, Copy, Debug)]
pub(super) enum WarmupForm {
    Time(Nanos),
    Operations(u64),
}

impl<'de> Deserialize<'de> for WarmupForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct WarmupVisitor;

        impl Visitor<'_> for WarmupVisitor {
            type Value = WarmupForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as \"500ms\", or a whole number of operations")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<WarmupForm, E> {
                text.parse().map(WarmupForm::Time).map_err(E::custom)
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<WarmupForm, E> {
                let operations = u64::try_from(value);
                operations
                    .map(WarmupForm::Operations)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<WarmupForm, E> {
                Ok(WarmupForm::Operations(value))
            }
        }

        deserializer.deserialize_any(WarmupVisitor)
    }
}

impl JsonSchema for WarmupForm {
    fn schema_name() -> Cow<'static, str> {
        "Warmup".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (time, operations) = (generator.subschema_for::<Time>(), generator.subschema_for::<u64>());
        json_schema!({ "description": "How long, or how many operations.", "anyOf": [time, operations] })
    }
}

/// A number of repetitions, or the precision to reach.
#[derive(Clone, Debug)]
pub(super) enum RepetitionsForm {
    Fixed(u64),
    Until(Until),
}

/// Whole blocks are added until the interval of every cell's median is narrow enough.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Until {
    /// At least this often.
    pub(super) min: At<u32>,
    /// At most this often.
    pub(super) max: At<u32>,
    /// How far from its median either end of a cell's 95% interval may be, such as "2%".
    pub(super) until: At<String>,
}

impl<'de> Deserialize<'de> for RepetitionsForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RepetitionsVisitor;

        impl<'de> Visitor<'de> for RepetitionsVisitor {
            type Value = RepetitionsForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number or { min = 6, max = 30, until = \"2%\" }")
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<RepetitionsForm, E> {
                let fixed = u64::try_from(value);
                fixed
                    .map(RepetitionsForm::Fixed)
                    .map_err(|_| E::invalid_value(Unexpected::Signed(value), &self))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<RepetitionsForm, E> {
                Ok(RepetitionsForm::Fixed(value))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RepetitionsForm, A::Error> {
                Until::deserialize(MapAccessDeserializer::new(map)).map(RepetitionsForm::Until)
            }
        }

        deserializer.deserialize_any(RepetitionsVisitor)
    }
}

impl JsonSchema for RepetitionsForm {
    fn schema_name() -> Cow<'static, str> {
        "Repetitions".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let until = generator.subschema_for::<Until>();
        json_schema!({
            "description": "How often every cell is executed.",
            "anyOf": [{ "type": "integer", "minimum": 1, "maximum": u32::MAX }, until]
        })
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
