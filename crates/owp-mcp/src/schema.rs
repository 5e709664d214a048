//! JSON Schemas of the tools' arguments and results, as plain as clients need them: nothing referenced, no formats that
//! only Rust knows, no name of a Rust type.

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::sync::Arc;

/// Returns the schema of a tool's arguments.
pub(crate) fn of_arguments<T: JsonSchema>() -> Arc<JsonObject> {
    plain::<T>(settings().for_deserialize())
}

/// Returns the schema of a tool's result.
pub(crate) fn of_result<T: JsonSchema>() -> Arc<JsonObject> {
    plain::<T>(settings().for_serialize())
}

fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    })
}

fn plain<T: JsonSchema>(settings: SchemaSettings) -> Arc<JsonObject> {
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    strip_formats(&mut schema);
    let mut object = match schema {
        Value::Object(object) => object,
        _ => JsonObject::new(),
    };
    object.remove("title");
    object.remove("description");
    object.entry("properties").or_insert_with(|| Value::Object(JsonObject::new()));
    Arc::new(object)
}

/// Removes formats such as `int64`, which validators do not know and may warn about.
fn strip_formats(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if object.get("format").is_some_and(Value::is_string) {
                object.remove("format");
            }
            object.values_mut().for_each(strip_formats);
        }
        Value::Array(items) => items.iter_mut().for_each(strip_formats),
        _ => {}
    }
}
