//! Tables as CSV: RFC 4180, UTF-8, a line feed after each row, one header, nothing rounded, a missing value empty.

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
            print(&(column.value)(self.context, row), &mut self.field);
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
