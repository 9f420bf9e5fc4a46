//! `workload.kind`: what one operation is.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.kind",
    keys: &[Key {
        name: "kind",
        meaning: "What one operation is",
        default: "\"set-get\" if absent",
        shape: Shape::Word(Kind::WORDS),
    }],
    kept: Kept::Field {
        get: |settings| Some(Level::Word(settings.workload.kind.name())),
        set: |settings, level| {
            let word = level.into_word();
            let kind = Kind::ALL.iter().find(|kind| kind.name() == word);
            settings.workload.kind = *kind.expect("every word is one of a kind");
        },
    },
    columns: &[Column::of(
        "workload",
        ColumnKind::Text,
        "What one operation is; set-get: a SET followed by a GET of the same key.",
    )
    .required()
    .said("{}")],
    heading: Heading::text("Workload"),
    measures: false,
};
