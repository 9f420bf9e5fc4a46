//! The JSON Schema of the experiment file, for editors: `#:schema` in the first line of a file names it.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file::File;

/// The schema (draft-07) as indented JSON with a newline at the end. The same in every run.
#[must_use]
pub fn schema() -> String {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<File>();
    let mut value = schema.to_value();
    without_null(&mut value);
    let mut text = serde_json::to_string_pretty(&value).expect("a JSON value can be written as JSON");
    text.push('\n');
    text
}

/// The keys of one table of the file.
pub(super) fn keys<T: JsonSchema>() -> Vec<String> {
    let schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    let properties = schema.get("properties").and_then(Value::as_object);
    properties.map(|properties| properties.keys().cloned().collect()).unwrap_or_default()
}

/// TOML has no null: a key that may be absent is absent. Takes out what says otherwise, and the defaults, which
/// stand in the descriptions.
fn without_null(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|key, value| !(key == "default" && !value.is_boolean() || key == "format"));
            if let Some(Value::Array(types)) = object.get_mut("type") {
                types.retain(|kind| kind != "null");
                if let [only] = types.as_slice() {
                    let only = only.clone();
                    object.insert("type".to_owned(), only);
                }
            }
            if let Some(Value::Array(any)) = object.get_mut("anyOf") {
                any.retain(|one| one.get("type") != Some(&Value::from("null")));
                if let [Value::Object(only)] = any.as_slice() {
                    let only = only.clone();
                    object.shift_remove("anyOf");
                    // A reference in draft-07 hides its siblings, so that the description would be lost.
                    if only.contains_key("$ref") && object.contains_key("description") {
                        object.insert("allOf".to_owned(), Value::Array(vec![Value::Object(only)]));
                    } else {
                        object.extend(only);
                    }
                }
            }
            object.values_mut().for_each(without_null);
        }
        Value::Array(list) => list.iter_mut().for_each(without_null),
        _ => {}
    }
}
