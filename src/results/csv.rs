//! Tables as CSV: RFC 4180, UTF-8, a line feed after each row, one header, nothing rounded, a missing value empty.
//!
//! A spreadsheet takes a text that begins with `=` for a formula and executes it, wherever it comes from. Such a text is
//! written with an apostrophe in front, which [`meant`] removes again. Numbers are not changed.

use std::borrow::Cow;
use std::io::{self, Write};

use crate::results::columns::{Column, Context, Value};

/// Writes a table row by row.
pub struct Table<'c, W: Write, Row> {
    writer: ::csv::Writer<W>,
    columns: Vec<Column<Row>>,
    context: &'c Context,
    field: String,
}

impl<'c, W: Write, Row> Table<'c, W, Row> {
    /// Writes the header.
    ///
    /// # Errors
    /// Those of `output`.
    pub fn new(output: W, columns: Vec<Column<Row>>, context: &'c Context) -> io::Result<Self> {
        let mut writer =
            ::csv::WriterBuilder::new().terminator(::csv::Terminator::Any(b'\n')).from_writer(output);
        writer.write_record(columns.iter().map(|column| column.name))?;
        Ok(Self { writer, columns, context, field: String::new() })
    }

    /// Writes a row.
    ///
    /// # Errors
    /// Those of the output.
    pub fn write(&mut self, row: &Row) -> io::Result<()> {
        for column in &self.columns {
            self.field.clear();
            match (column.value)(self.context, row) {
                Value::Text(text) => self.field.push_str(&defused(&text)),
                value => print(&value, &mut self.field),
            }
            self.writer.write_field(&self.field)?;
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    /// Hands the output back, with everything written to it.
    ///
    /// # Errors
    /// Those of the output.
    pub fn finish(self) -> io::Result<W> {
        self.writer.into_inner().map_err(::csv::IntoInnerError::into_error)
    }
}

/// What a table contains in place of a text, so that no spreadsheet executes it.
#[must_use]
pub fn defused(text: &str) -> Cow<'_, str> {
    if is_formula(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text that a field of a table stands for.
#[must_use]
pub fn meant(field: &str) -> &str {
    match field.strip_prefix('\'') {
        Some(text) if is_formula(text) => text,
        _ => field,
    }
}

/// Whether a spreadsheet may take a text for a formula, or the text could be mistaken for one that was escaped. Some
/// spreadsheets also accept the full-width forms of the signs.
fn is_formula(text: &str) -> bool {
    let rest = text.trim_start_matches('\'');
    rest.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠'])
}

/// Numbers in the shortest form that reads back as the same number: what [`f64`]'s own `Display` does.
pub(super) fn print(value: &Value<'_>, field: &mut String) {
    use std::fmt::Write as _;
    let printed = match value {
        Value::Missing => Ok(()),
        Value::Text(text) => field.write_str(text),
        Value::Integer(number) => write!(field, "{number}"),
        Value::Number(number) if number.is_finite() => write!(field, "{number}"),
        Value::Number(_) => Ok(()),
        Value::Boolean(yes) => write!(field, "{yes}"),
        Value::Time(moment) => write!(field, "{moment:.6}"),
    };
    printed.expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_execute_has_an_apostrophe_before_it() {
        for (text, field) in [
            ("=HYPERLINK(\"http://h\")", "'=HYPERLINK(\"http://h\")"),
            ("-1", "'-1"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("＝1", "'＝1"),
            ("'=1", "''=1"),
            ("'quoted'", "'quoted'"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(defused(text), field);
            assert_eq!(meant(field), text);
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in "['=+@a-]{0,6}|\\PC{0,20}") {
            let field = defused(&text);
            prop_assert_eq!(meant(&field), &text);
            prop_assert!(!field.starts_with(['=', '+', '-', '@', '\t', '\r']));
        }
    }
}
