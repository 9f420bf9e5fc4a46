//! `servers`: which server.

use super::{Column, ColumnKind, Datum, Heading, Kept, Key, Level, Setting, Shape, ValueFrom};

pub(super) const SETTING: Setting = Setting {
    name: "servers",
    keys: &[Key {
        name: "servers",
        meaning: "Servers by name",
        default: "\"redis\" if absent",
        shape: Shape::Server,
    }],
    kept: Kept::Field {
        get: |settings| Some(Level::Name(settings.server.clone())),
        set: |settings, level| settings.server = level.into_name(),
    },
    columns: &[Column::of("server", ColumnKind::Text, "The server's name in the experiment's file.")
        .required()
        .from(ValueFrom::Settings(|settings| Some(Datum::Text(settings.server.as_str().into()))))
        .said("server {}")],
    heading: Heading::text("Server"),
    measures: false,
};
