//! Which keys there are, and what they take: questions to the JSON schema of the configuration.

use std::collections::BTreeMap;

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::sections::Sections;
use crate::registry::Registry;

/// The schema of our own keys. Backends are any table in it.
pub(super) fn own() -> Value {
    let generator = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut schema = generator.into_root_schema_for::<Sections>().to_value();
    strip_annotations(&mut schema);
    schema
}

/// Takes out what is told elsewhere: descriptions and defaults are those of `default.toml`, and as it has every key, no
/// other file needs any.
fn strip_annotations(schema: &mut Value) {
    if let Some(schema) = schema.as_object_mut() {
        for name in ["required", "title", "description", "default", "format"] {
            schema.remove(name);
        }
        schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().for_each(|properties| {
            properties.values_mut().for_each(strip_annotations);
        });
    }
}

/// The schema of one configuration, in which each backend has the keys of its kind. A backend whose kind is not known
/// may have any keys: the problem is the kind.
pub(super) fn of(registry: &Registry, kinds: &BTreeMap<String, Option<String>>) -> Value {
    let mut ours = own();
    let ceiling = backend_ceiling(&ours);
    let backends: Map<_, _> = kinds
        .iter()
        .map(|(name, kind)| {
            let mut schema = kind
                .as_deref()
                .and_then(|kind| of_kind(registry, kind))
                .unwrap_or_else(|| json!({"type": "object", "properties": {}, "additionalProperties": true}));
            schema["properties"]["kind"] = any_kind(registry);
            schema["properties"]["ceiling"] = ceiling.clone();
            schema["properties"]["fallback"] = backend_fallback();
            (name.clone(), schema)
        })
        .collect();
    ours["properties"]["backends"]["properties"] = Value::Object(backends);
    ours
}

/// The schema of the key `fallback` of a backend, of whatever kind.
pub(super) fn backend_fallback() -> Value {
    json!({
        "type": "array",
        "items": {"type": "string"},
        "description": "Backends to try, in this order, when this one cannot work at all: its program does not start, it is \
                        not logged in, its account has no quota left, or its provider has no capacity"
    })
}

/// The schema of the key `ceiling` of a backend, of whatever kind, from the schema of our own keys.
pub(super) fn backend_ceiling(ours: &Value) -> Value {
    let mut ceiling = ours["properties"]["ceiling"].clone();
    ceiling["description"] = json!("Upper limits for calls to this backend, where they differ from [ceiling]");
    ceiling
}

/// The schema of the key `kind`.
pub(super) fn any_kind(registry: &Registry) -> Value {
    json!({"type": "string", "enum": registry.kinds().collect::<Vec<_>>()})
}

/// The schema of the keys that a kind has, without `kind`, `ceiling` and `fallback`.
pub(super) fn of_kind(registry: &Registry, kind: &str) -> Option<Value> {
    let mut schema = registry.schema(kind)?;
    let definitions = schema.as_object_mut().and_then(|schema| schema.remove("$defs")).unwrap_or_default();
    inline(&mut schema, &definitions, 0);
    let schema = schema.as_object_mut()?;
    schema.remove("$schema");
    schema.remove("title");
    schema.entry("properties").or_insert(json!({}));
    schema.insert("type".into(), json!("object"));
    schema.insert("additionalProperties".into(), json!(false));
    Some(Value::Object(schema.clone()))
}

/// Puts the definitions in the place of the references to them, so that the schema can stand inside another.
fn inline(schema: &mut Value, definitions: &Value, depth: usize) {
    /// Deeper than any settings; a schema that refers to itself ends here.
    const MAX_DEPTH: usize = 24;
    let reference = schema.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix("#/$defs/"));
    if let Some(definition) = reference.and_then(|name| definitions.get(name)).cloned()
        && let Some(schema) = schema.as_object_mut()
    {
        schema.remove("$ref");
        for (key, value) in definition.as_object().into_iter().flatten() {
            schema.entry(key).or_insert(value.clone());
        }
    }
    if depth > MAX_DEPTH {
        *schema = json!(true);
    }
    match schema {
        Value::Object(schema) => schema.values_mut().for_each(|value| inline(value, definitions, depth + 1)),
        Value::Array(schemas) => schemas.iter_mut().for_each(|value| inline(value, definitions, depth + 1)),
        _ => {}
    }
}

/// The schema of the key at `path`; none if there is no such key.
pub(super) fn find<'a>(schema: &'a Value, path: &[String]) -> Option<&'a Value> {
    let Some((key, rest)) = path.split_first() else { return Some(schema) };
    branches(schema).find_map(|branch| {
        match (branch.get("properties").and_then(|keys| keys.get(key)), branch.get("additionalProperties")) {
            (None, Some(Value::Bool(false))) => None,
            (Some(next), _) | (None, Some(next)) => find(next, rest),
            (None, None) => takes_anything(branch).then_some(branch),
        }
    })
}

/// Whether the schema names no keys, and yet allows some.
fn takes_anything(schema: &Value) -> bool {
    let limits = ["properties", "anyOf", "oneOf", "allOf", "enum", "const"];
    let unlimited = limits.iter().all(|word| schema.get(word).is_none());
    unlimited && (schema.get("type").is_none() || is_type(schema, "object"))
}

/// The schema and its alternatives.
fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    let alternatives = ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
    std::iter::once(schema).chain(alternatives)
}

/// Every key and every section in the schema, with dots.
pub(super) fn keys(schema: &Value) -> Vec<String> {
    branches(schema)
        .filter_map(|branch| branch.get("properties")?.as_object())
        .flatten()
        .flat_map(|(key, schema)| {
            let below = keys(schema).into_iter().map(move |below| format!("{key}.{below}"));
            std::iter::once(key.clone()).chain(below)
        })
        .collect()
}

/// Whether a text can be right here.
pub(super) fn takes_text(schema: &Value) -> bool {
    branches(schema).any(|branch| is_type(branch, "string") || choices(branch).any(Value::is_string))
}

/// Whether `value` has the type, or is one of the choices, that the schema asks for.
pub(super) fn accepts(schema: &Value, value: &Value) -> bool {
    let type_is_right = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|word| has_type(value, word)),
        Some(word) => has_type(value, word),
        None => true,
    };
    let items_are_right = match (schema.get("items"), value) {
        (Some(item), Value::Array(values)) => values.iter().all(|value| accepts(item, value)),
        _ => true,
    };
    let any_of =
        |word| schema.get(word).and_then(Value::as_array).is_none_or(|any| any.iter().any(|one| accepts(one, value)));
    let chosen = choices(schema).next().is_none() || choices(schema).any(|choice| choice == value);
    type_is_right && items_are_right && chosen && any_of("anyOf") && any_of("oneOf")
}

/// What the schema asks for, in words.
pub(super) fn allowed(schema: &Value) -> String {
    let words = words(schema);
    if !words.is_empty() {
        return words;
    }
    let least = schema.get("minimum").map(|least| format!(", at least {least}")).unwrap_or_default();
    let kinds: Vec<_> = branches(schema)
        .flat_map(|branch| {
            [
                ("string", "a text in quotes".to_owned()),
                ("boolean", "`true`, `false`".to_owned()),
                ("integer", format!("a whole number{least}")),
                ("number", format!("a number{least}")),
                ("array", list_of(branch)),
                ("object", "a table".to_owned()),
            ]
            .into_iter()
            .filter(|(word, _)| is_type(branch, word))
            .map(|(_, words)| words)
        })
        .collect();
    kinds.join(", or ")
}

/// The choices that the schema offers, if it does.
fn words(schema: &Value) -> String {
    let word = |choice: &Value| choice.as_str().map_or_else(|| format!("`{choice}`"), |word| format!("`{word}`"));
    branches(schema).flat_map(choices).map(word).collect::<Vec<_>>().join(", ")
}

/// The list that an array's schema asks for.
fn list_of(array: &Value) -> String {
    match array.get("items").map(words).filter(|words| !words.is_empty()) {
        Some(words) => format!("a list of any of {words}"),
        None => "a list, such as `[\"a\", \"b\"]`".to_owned(),
    }
}

fn choices(schema: &Value) -> impl Iterator<Item = &Value> {
    schema.get("enum").and_then(Value::as_array).into_iter().flatten().chain(schema.get("const"))
}

fn is_type(schema: &Value, word: &str) -> bool {
    match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|one| one == word),
        one => one.is_some_and(|one| one == word),
    }
}

fn has_type(value: &Value, word: &Value) -> bool {
    match word.as_str() {
        Some("string") => value.is_string(),
        Some("boolean") => value.is_boolean(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("array") => value.is_array(),
        Some("object") => value.is_object(),
        Some("null") => value.is_null(),
        _ => true,
    }
}
