//! The settings that a table of the file gives, read by the list in [`crate::setting`]: one value each in `[workload]`, one or
//! several in a matrix and in what it excludes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, Visitor};

use super::list_literals::{ArgLists, CommandLists, OptionTables, WeightLists};
use super::literals::{Fraction, Hosts, PlacementForm, Time, WarmupForm};
use super::spanned::{At, Many, Table};
use super::sweep::Numbers;
use crate::setting::{Factor, Key, Shape};

/// A setting that a table gives, by one of its keys.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) factor: Factor,
    pub(super) key: &'static Key,
    pub(super) form: At<Form>,
}

/// What stands behind a key, as far as its type goes.
#[derive(Clone, Debug)]
pub(super) enum Form {
    Numbers(Numbers),
    Times(Many<Time>),
    Fractions(Many<Fraction>),
    Flags(Many<bool>),
    Words(Many<String>),
    Hosts(Many<Hosts>),
    Args(ArgLists),
    Commands(CommandLists),
    Weights(WeightLists),
    Options(OptionTables),
    Placements(Many<PlacementForm>),
    Warmups(Many<WarmupForm>),
}

impl Form {
    fn read<'de, D: Deserializer<'de>>(shape: Shape, many: bool, value: D) -> Result<At<Self>, D::Error> {
        fn one<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<At<Many<T>>, D::Error> {
            At::<T>::deserialize(value).map(|at| at.map(Many::One))
        }
        macro_rules! read {
            ($form:ident) => {
                if many { At::deserialize(value) } else { one(value) }.map(|at| at.map(Self::$form))
            };
        }
        match shape {
            Shape::Number(_) if many => At::deserialize(value).map(|at| at.map(Self::Numbers)),
            Shape::Number(_) => At::deserialize(value).map(|at| at.map(|n| Self::Numbers(Numbers::One(n)))),
            Shape::Time(_) => read!(Times),
            Shape::Share => read!(Fractions),
            Shape::Flag => read!(Flags),
            Shape::Word(_) | Shape::Text { .. } | Shape::Mode | Shape::Server => read!(Words),
            Shape::Hosts => read!(Hosts),
            Shape::ServerArgs => At::deserialize(value).map(|at| at.map(Self::Args)),
            Shape::Commands => At::deserialize(value).map(|at| at.map(Self::Commands)),
            Shape::Weights => At::deserialize(value).map(|at| at.map(Self::Weights)),
            Shape::Options => At::deserialize(value).map(|at| at.map(Self::Options)),
            Shape::Placement => read!(Placements),
            Shape::Warmup => read!(Warmups),
        }
    }
}

/// Which keys a table may have.
struct Keys {
    settings: Vec<(Factor, &'static Key)>,
    /// Their names, and those of whatever else may stand there.
    names: Vec<&'static str>,
}

/// By the name of the table; those of a matrix itself are under `None`.
static KEYS: LazyLock<BTreeMap<Option<&'static str>, Keys>> = LazyLock::new(|| {
    let mut tables: BTreeMap<Option<&'static str>, Keys> = BTreeMap::new();
    for &factor in Factor::ALL {
        let keys =
            tables.entry(factor.table()).or_insert_with(|| Keys { settings: Vec::new(), names: Vec::new() });
        for key in factor.setting().keys {
            keys.settings.push((factor, key));
            keys.names.push(key.name);
        }
    }
    if let Some(keys) = tables.get_mut(&None) {
        keys.names.extend(INNER);
        keys.names.push(EXCLUDE);
    }
    tables
});

/// The tables within a matrix, each with what it says.
const INNER: [&str; 4] = ["workload", "server", "mode", "run"];
const EXCLUDE: &str = "exclude";

/// Whether a setting has this key in this table; `None` is a matrix itself.
pub(super) fn has_key(table: Option<&str>, key: &str) -> bool {
    let settings = KEYS.iter().find(|(known, _)| **known == table).map(|(_, keys)| &keys.settings);
    settings.is_some_and(|settings| settings.iter().any(|(_, known)| known.name == key))
}

fn keys(table: Option<&'static str>) -> &'static Keys {
    &KEYS[&table]
}

/// A key of a table; an unknown one is refused where it stands.
struct KeyOf(Option<&'static str>);

impl<'de> DeserializeSeed<'de> for KeyOf {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeyOf {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let names = &keys(self.0).names;
        let known = names.iter().find(|known| **known == name);
        known.copied().ok_or_else(|| E::unknown_field(name, names))
    }
}

/// The value of a key.
struct ValueOf {
    shape: Shape,
    many: bool,
}

impl<'de> DeserializeSeed<'de> for ValueOf {
    type Value = At<Form>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        Form::read(self.shape, self.many, deserializer)
    }
}

/// Reads the value of a key that is one of a setting.
fn read_given<'de, A: MapAccess<'de>>(
    map: &mut A,
    table: Option<&'static str>,
    name: &str,
    many: bool,
) -> Result<Option<Given>, A::Error> {
    let Some(&(factor, key)) = keys(table).settings.iter().find(|(_, key)| key.name == name) else {
        return Ok(None);
    };
    let form = map.next_value_seed(ValueOf { shape: key.shape, many })?;
    Ok(Some(Given { factor, key, form }))
}

/// `[workload]`: the settings that it gives, one value each.
#[derive(Clone, Debug)]
pub(super) struct Constants {
    pub(super) given: Vec<Given>,
}

/// Their table.
const WORKLOAD: &str = INNER[0];

impl<'de> Deserialize<'de> for Constants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        GivenIn { table: WORKLOAD, many: false }.deserialize(deserializer).map(|given| Self { given })
    }
}

/// The settings in a table of this name.
struct GivenIn {
    table: &'static str,
    many: bool,
}

impl<'de> Visitor<'de> for GivenIn {
    type Value = Vec<Given>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(name) = map.next_key_seed(KeyOf(Some(self.table)))? {
            all.extend(read_given(&mut map, Some(self.table), name, self.many)?);
        }
        Ok(all)
    }
}

impl<'de> DeserializeSeed<'de> for GivenIn {
    type Value = Vec<Given>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// The factors of a matrix, with its exclusions; or those of one exclusion, which has none.
#[derive(Clone, Debug, Default)]
pub(super) struct Factors<const IS_MATRIX: bool> {
    pub(super) given: Vec<Given>,
    pub(super) exclude: Option<At<Vec<At<Table<Factors<false>>>>>>,
}

impl<'de, const IS_MATRIX: bool> Deserialize<'de> for Factors<IS_MATRIX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FactorsVisitor<const IS_MATRIX: bool>;

        impl<'de, const IS_MATRIX: bool> Visitor<'de> for FactorsVisitor<IS_MATRIX> {
            type Value = Factors<IS_MATRIX>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut factors = Factors::default();
                while let Some(name) = map.next_key_seed(KeyOf(None))? {
                    if name == EXCLUDE {
                        factors.exclude = Some(map.next_value()?);
                    } else if let Some(table) = INNER.into_iter().find(|table| *table == name) {
                        factors.given.extend(map.next_value_seed(GivenIn { table, many: true })?);
                    } else {
                        factors.given.extend(read_given(&mut map, None, name, true)?);
                    }
                }
                Ok(factors)
            }
        }

        deserializer.deserialize_map(FactorsVisitor)
    }
}

// ------------------------------------------------------------------------------------------------ the JSON Schema

fn schema_of(key: &Key, many: bool, generator: &mut SchemaGenerator) -> Schema {
    let any_of = |one: Schema| {
        if many {
            json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "uniqueItems": true }] })
        } else {
            one
        }
    };
    let mut schema = match key.shape {
        Shape::Number(_) if many => Numbers::json_schema(generator),
        Shape::Number(_) => u64::json_schema(generator),
        Shape::Time(_) => any_of(generator.subschema_for::<Time>()),
        Shape::Share => any_of(Fraction::json_schema(generator)),
        Shape::Flag => any_of(bool::json_schema(generator)),
        Shape::Word(words) => {
            let words =
                words.iter().map(|(word, meaning)| json_schema!({ "description": meaning, "const": word }));
            any_of(json_schema!({ "type": "string", "oneOf": words.collect::<Vec<_>>() }))
        }
        Shape::Text { examples, .. } => any_of(json_schema!({ "type": "string", "examples": examples })),
        Shape::Mode | Shape::Server => any_of(String::json_schema(generator)),
        Shape::Hosts => any_of(generator.subschema_for::<Hosts>()),
        Shape::ServerArgs => ArgLists::json_schema(generator),
        Shape::Commands => CommandLists::json_schema(generator),
        Shape::Weights => WeightLists::json_schema(generator),
        Shape::Options => OptionTables::json_schema(generator),
        Shape::Placement => any_of(generator.subschema_for::<PlacementForm>()),
        Shape::Warmup => any_of(generator.subschema_for::<WarmupForm>()),
    };
    // A reference in draft-07 hides its siblings.
    if schema.get("$ref").is_some() {
        schema = json_schema!({ "allOf": [schema] });
    }
    schema
}

/// The keys of the settings in a table, and what else stands in it.
fn table_schema(
    table: Option<&'static str>,
    many: bool,
    with_default: bool,
    generator: &mut SchemaGenerator,
    others: Vec<(&str, Schema)>,
) -> Schema {
    let mut properties = serde_json::Map::new();
    for (_, key) in &keys(table).settings {
        let mut schema = schema_of(key, many, generator);
        let said = if with_default && !key.default.is_empty() {
            format!("{}; {}.", key.meaning, key.default)
        } else {
            format!("{}.", key.meaning)
        };
        schema.insert("description".to_owned(), said.into());
        properties.insert(key.name.to_owned(), schema.to_value());
    }
    properties.extend(others.into_iter().map(|(name, schema)| (name.to_owned(), schema.to_value())));
    json_schema!({ "type": "object", "additionalProperties": false, "properties": properties })
}

impl JsonSchema for Constants {
    fn schema_name() -> Cow<'static, str> {
        "Workload".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        table_schema(Some(WORKLOAD), false, true, generator, Vec::new())
    }
}

impl<const IS_MATRIX: bool> JsonSchema for Factors<IS_MATRIX> {
    fn schema_name() -> Cow<'static, str> {
        if IS_MATRIX { "Matrix".into() } else { "Exclude".into() }
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut others = Vec::new();
        for table in INNER {
            let mut schema = table_schema(Some(table), true, false, generator, Vec::new());
            schema.insert("description".to_owned(), format!("Settings of [{table}] to vary.").into());
            others.push((table, schema));
        }
        if IS_MATRIX {
            let one = generator.subschema_for::<Factors<false>>();
            let what =
                "Cells that do not exist: those that have, for every factor of an entry, one of its levels.";
            others.push((EXCLUDE, json_schema!({ "description": what, "type": "array", "items": one })));
        }
        let mut schema = table_schema(None, true, IS_MATRIX, generator, others);
        let what = if IS_MATRIX {
            "Every combination of these lists is a cell."
        } else {
            "Levels of factors; a cell that has one of each does not exist."
        };
        schema.insert("description".to_owned(), what.into());
        schema
    }
}
