//! `server.args`: arguments in place of the server's own.

use super::{Column, ColumnKind, Datum, Heading, Kept, Key, Level, Setting, Shape, ValueFrom};

pub(super) const SETTING: Setting = Setting {
    name: "server.args",
    keys: &[Key {
        name: "args",
        meaning: "Arguments in place of the server's own; a list of lists",
        default: "",
        shape: Shape::ServerArgs,
    }],
    kept: Kept::Field {
        get: |settings| settings.server_args.clone().map(Level::Args),
        set: |settings, level| settings.server_args = Some(level.into_args()),
    },
    columns: &[Column::of(
        "server_args",
        ColumnKind::Text,
        "Arguments in place of the server's own, as a JSON list; missing where it had its own.",
    )
    .from(ValueFrom::Settings(|settings| {
        // Shows the list so that an empty argument is still visible.
        let json = |args| serde_json::to_string(args).expect("a list of strings is always JSON");
        settings.server_args.as_ref().map(|args| Datum::Text(json(args).into()))
    }))
    .said("server args {}")
    .unsaid("server's own arguments")],
    heading: Heading::text("Server args").absent("its own"),
    measures: true,
};

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;

    #[test]
    fn an_empty_argument_of_a_server_can_be_seen() {
        let mut settings = settings();
        settings.server_args = Some(vec!["--save".to_owned(), String::new()]);
        let ValueFrom::Settings(value) = SETTING.columns[0].value else { unreachable!() };
        assert_eq!(value(&settings), Some(Datum::Text(r#"["--save",""]"#.into())));
    }
}
