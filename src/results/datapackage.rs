//! `datapackage.json`: what every column means, for programs and for readers who have only the files.
//!
//! Follows Frictionless Data's Tabular Data Package, version 1 (<https://specs.frictionlessdata.io>).

use serde_json::{Map, Value as Json, json};

use crate::results::columns::{Column, Context, Kind, cells, progress, trials};

/// The description of a run's tables.
#[must_use]
pub fn describe(context: &Context) -> Json {
    json!({
        "profile": "tabular-data-package",
        "name": identifier(&context.experiment),
        "id": context.run_id,
        "title": format!("{}, run {}", context.experiment, context.run_id),
        "resources": [
            resource("trials", "One row for each attempt at a trial.", &trials::columns(), &["run_id", "trial", "attempt"]),
            resource("summary", "One row for each cell.", &cells::summary_columns(), &["run_id", "cell"]),
            resource(
                "latency",
                "One row for each cell and quantile of its latencies.",
                &cells::latency_columns(),
                &["run_id", "cell", "quantile"],
            ),
            resource(
                "progress",
                "One row for each part of a trial that ended well, if its client reported its progress.",
                &progress::columns(),
                &["run_id", "trial", "attempt", "part"],
            ),
        ],
    })
}

fn resource<Row>(name: &str, description: &str, columns: &[Column<Row>], key: &[&str]) -> Json {
    json!({
        "profile": "tabular-data-resource",
        "name": name,
        "description": description,
        "path": format!("{name}.csv"),
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": {
            "delimiter": ",",
            "lineTerminator": "\n",
            "quoteChar": "\"",
            "doubleQuote": true,
            "skipInitialSpace": false,
            "header": true,
        },
        "schema": {
            "fields": columns.iter().map(field).collect::<Vec<_>>(),
            "missingValues": [""],
            "primaryKey": key,
        },
    })
}

fn field<Row>(column: &Column<Row>) -> Json {
    let mut field = Map::new();
    let mut put = |key: &str, value: Json| field.insert(key.to_owned(), value);
    put("name", column.name.into());
    put(
        "type",
        match column.kind {
            Kind::Text => "string",
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::Boolean => "boolean",
            Kind::Time => "datetime",
        }
        .into(),
    );
    if let Some(unit) = column.unit {
        put("unit", unit.into());
    }
    put("description", column.description.as_ref().into());
    let mut constraints = Map::new();
    if column.required {
        constraints.insert("required".to_owned(), true.into());
    }
    if !column.one_of.is_empty() {
        constraints.insert("enum".to_owned(), column.one_of.into());
    }
    if !constraints.is_empty() {
        put("constraints", constraints.into());
    }
    field.into()
}

/// Packages have names of lower-case letters, digits, dots, underscores and hyphens.
fn identifier(name: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    name.to_lowercase().chars().map(allowed).collect()
}
