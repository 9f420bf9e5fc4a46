//! Values of a `[server]` table that may be written in more than one way.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::spanned::At;

/// What [`Password`] says of a literal secret. The reader of the file knows it by this text.
pub(super) const LITERAL_SECRET: &str = "a secret must not be written in the file";

/// The environment variable that holds a password.
#[derive(Clone, Debug)]
pub(super) struct Password(pub(super) PasswordEnv);

/// Where a password is to be found.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PasswordEnv {
    /// The name of an environment variable of `orchestrate`.
    pub(super) env: At<String>,
}

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PasswordVisitor;

        impl<'de> Visitor<'de> for PasswordVisitor {
            type Value = Password;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("{ env = \"NAME\" }")
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Password, E> {
                Err(E::custom(LITERAL_SECRET))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Password, E> {
                Err(E::custom(LITERAL_SECRET))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Password, A::Error> {
                PasswordEnv::deserialize(MapAccessDeserializer::new(map)).map(Password)
            }
        }

        deserializer.deserialize_any(PasswordVisitor)
    }
}

impl JsonSchema for Password {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Password".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        generator.subschema_for::<PasswordEnv>()
    }
}

/// Whether a server speaks TLS, or by which files the two sides know each other.
#[derive(Clone, Debug)]
pub(super) enum TlsForm {
    Spoken(bool),
    Files(TlsTable),
}

/// Files in PEM; a path is relative to the directory of the experiment file.
#[derive(Clone, Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsTable {
    /// The certificates of the authorities that may have signed the server's; those of the system if absent.
    pub(super) ca: Option<At<String>>,
    /// The client's own certificate, for a server that asks for one; goes with `key`.
    pub(super) cert: Option<At<String>>,
    /// The private key of `cert`.
    pub(super) key: Option<At<String>>,
}

impl<'de> Deserialize<'de> for TlsForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TlsVisitor;

        impl<'de> Visitor<'de> for TlsVisitor {
            type Value = TlsForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, or { ca = \"FILE\", cert = \"FILE\", key = \"FILE\" }")
            }

            fn visit_bool<E: Error>(self, spoken: bool) -> Result<TlsForm, E> {
                Ok(TlsForm::Spoken(spoken))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TlsForm, A::Error> {
                TlsTable::deserialize(MapAccessDeserializer::new(map)).map(TlsForm::Files)
            }
        }

        deserializer.deserialize_any(TlsVisitor)
    }
}

impl JsonSchema for TlsForm {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Tls".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<TlsTable>();
        json_schema!({ "anyOf": [{ "type": "boolean" }, table] })
    }
}

/// Whether a server is a cluster, or of how many masters one is to be made.
#[derive(Clone, Copy, Debug)]
pub(super) enum ClusterForm {
    IsOne(bool),
    Masters(i64),
}

impl<'de> Deserialize<'de> for ClusterForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ClusterVisitor;

        impl Visitor<'_> for ClusterVisitor {
            type Value = ClusterForm;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of masters such as 3, or true beside an address")
            }

            fn visit_bool<E: Error>(self, is_one: bool) -> Result<ClusterForm, E> {
                Ok(ClusterForm::IsOne(is_one))
            }

            fn visit_i64<E: Error>(self, masters: i64) -> Result<ClusterForm, E> {
                Ok(ClusterForm::Masters(masters))
            }
        }

        deserializer.deserialize_any(ClusterVisitor)
    }
}

impl JsonSchema for ClusterForm {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Cluster".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": MOST_MASTERS }, { "type": "boolean" }] })
    }
}

/// More processes than any machine has use for.
pub(super) const MOST_MASTERS: i64 = 100;
