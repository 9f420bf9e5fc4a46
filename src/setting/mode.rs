//! `modes`: the way of talking to the server.

use super::{Column, ColumnKind, Datum, Heading, Kept, Key, Level, Setting, Shape, ValueFrom};

pub(super) const SETTING: Setting = Setting {
    name: "modes",
    keys: &[Key {
        name: "modes",
        meaning: "Modes by name",
        default: "all modes of redis-rs if absent",
        shape: Shape::Mode,
    }],
    kept: Kept::Field {
        get: |settings| Some(Level::Name(settings.mode.clone())),
        set: |settings, level| settings.mode = level.into_name(),
    },
    columns: &[Column::of("mode", ColumnKind::Text, "The way of talking to the server.")
        .required()
        .from(ValueFrom::Settings(|settings| Some(Datum::Text(settings.mode.as_str().into()))))
        .said("mode {}")],
    heading: Heading::text("Mode"),
    measures: false,
};
