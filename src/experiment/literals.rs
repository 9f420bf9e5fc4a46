//! Values that may be written in more than one way: a name or a table, a duration or a count. Each reads every way it
//! knows and says in words what it expects; whether a value is allowed is decided elsewhere.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, IntoDeserializer, MapAccess, Unexpected, Visitor};

use super::spanned::At;
use crate::setting::Share;
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
