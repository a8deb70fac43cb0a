//! The shape of the configuration: its keys and the types of their values, taken from its JSON Schema.

use std::collections::BTreeMap;

use connector_api::Sandbox;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::sections::Sections;
use crate::registry::Registry;

/// The schema of codex-connector's own keys. It accepts any table as a backend.
pub(super) fn own() -> Value {
    let generator = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut schema = generator.into_root_schema_for::<Sections>().to_value();
    strip_annotations(&mut schema);
    schema
}

/// Removes annotations that come from `default.toml` instead: descriptions and defaults. `required` is removed because
/// `default.toml` contains every key, so a user's file needs none.
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

/// The schema of one configuration, in which each backend has the keys of its kind. A backend of an unknown kind may
/// have any keys, because only its kind is a problem.
pub(super) fn of(registry: &Registry, kinds: &BTreeMap<String, Option<String>>) -> Value {
    let mut ours = own();
    let (ceiling, workspace) = (backend_ceiling(&ours), backend_workspace(&ours));
    let backends: Map<_, _> = kinds
        .iter()
        .map(|(name, kind)| {
            let mut schema = kind
                .as_deref()
                .and_then(|kind| of_kind(registry, kind))
                .unwrap_or_else(|| json!({"type": "object", "properties": {}, "additionalProperties": true}));
            schema["properties"]["kind"] = any_kind(registry);
            schema["properties"]["ceiling"] = ceiling.clone();
            schema["properties"]["workspace"] = workspace.clone();
            schema["properties"]["fallback"] = backend_fallback();
            schema["properties"]["default_sandbox"] = backend_default_sandbox();
            (name.clone(), schema)
        })
        .collect();
    ours["properties"]["backends"]["properties"] = Value::Object(backends);
    ours
}

/// The schema of the key `fallback`, which a backend of any kind has.
pub(super) fn backend_fallback() -> Value {
    json!({
        "type": "array",
        "items": {"type": "string"},
        "description": "Backends to try, in this order, when this one cannot work at all: its program does not start, it is \
                        not logged in, its account has no quota left, or its provider has no capacity"
    })
}

/// The schema of the key `default_sandbox`, which a backend of any kind has.
pub(super) fn backend_default_sandbox() -> Value {
    json!({
        "type": "string",
        "enum": Sandbox::ALL,
        "description": "The sandbox of calls to this backend that do not set one, where it differs from `tasks.default_sandbox`"
    })
}

/// The schema of the key `ceiling`, which a backend of any kind has. `ours` is the schema of codex-connector's own
/// keys.
pub(super) fn backend_ceiling(ours: &Value) -> Value {
    let mut ceiling = ours["properties"]["ceiling"].clone();
    ceiling["description"] = json!("Upper limits for calls to this backend, where they differ from [ceiling]");
    ceiling
}

/// The schema of the key `workspace`, which a backend of any kind has. `ours` is the schema of codex-connector's own
/// keys.
pub(super) fn backend_workspace(ours: &Value) -> Value {
    let common = &ours["properties"]["workspace"]["properties"];
    json!({
        "type": "object",
        "properties": {"snapshots": common["snapshots"], "tree": common["tree"]},
        "additionalProperties": false,
        "description": "Snapshots and worktrees for tasks of this backend, where they differ from [workspace]"
    })
}

/// The schema of the key `kind`.
pub(super) fn any_kind(registry: &Registry) -> Value {
    json!({"type": "string", "enum": registry.kinds().collect::<Vec<_>>()})
}

/// The schema of a kind's own keys, without those that a backend of any kind has.
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

/// Replaces references with their definitions, so that the schema can be part of another one.
fn inline(schema: &mut Value, definitions: &Value, depth: usize) {
    /// Deeper than any settings. It ends the recursion for a schema that refers to itself.
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

/// The schema of the key at `path`, if the key exists.
pub(super) fn find<'a>(schema: &'a Value, path: &[String]) -> Option<&'a Value> {
    let Some((key, rest)) = path.split_first() else { return Some(schema) };
    branches(schema).find_map(|branch| {
        match (branch.get("properties").and_then(|keys| keys.get(key)), branch.get("additionalProperties")) {
            (None, Some(Value::Bool(false))) => None,
            (Some(next), _) | (None, Some(next)) => find(next, rest),
            (None, None) => accepts_any_key(branch).then_some(branch),
        }
    })
}

/// Whether the schema names no keys and accepts any.
fn accepts_any_key(schema: &Value) -> bool {
    let limits = ["properties", "anyOf", "oneOf", "allOf", "enum", "const"];
    let unlimited = limits.iter().all(|word| schema.get(word).is_none());
    unlimited && (schema.get("type").is_none() || is_type(schema, "object"))
}

/// The schema and its alternatives.
fn branches(schema: &Value) -> impl Iterator<Item = &Value> {
    let alternatives = ["anyOf", "oneOf", "allOf"].iter().filter_map(|word| schema.get(word)?.as_array()).flatten();
    std::iter::once(schema).chain(alternatives)
}

/// The dotted names of all keys and sections in the schema.
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

/// Whether the schema accepts any strings.
pub(super) fn accepts_strings(schema: &Value) -> bool {
    branches(schema).any(|branch| is_type(branch, "string") || choices(branch).any(Value::is_string))
}

/// Whether `value` has a type that the schema accepts, and is one of its choices, if it has any.
pub(super) fn accepts(schema: &Value, value: &Value) -> bool {
    let type_matches = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().any(|word| has_type(value, word)),
        Some(word) => has_type(value, word),
        None => true,
    };
    let items_match = match (schema.get("items"), value) {
        (Some(item), Value::Array(values)) => values.iter().all(|value| accepts(item, value)),
        _ => true,
    };
    let any_of =
        |word| schema.get(word).and_then(Value::as_array).is_none_or(|any| any.iter().any(|one| accepts(one, value)));
    let is_choice = choices(schema).next().is_none() || choices(schema).any(|choice| choice == value);
    type_matches && items_match && is_choice && any_of("anyOf") && any_of("oneOf")
}

/// The values that the schema accepts, as the end of a sentence that begins with "expected".
pub(super) fn expected(schema: &Value) -> String {
    let words = words(schema);
    if !words.is_empty() {
        return format!("one of {words}");
    }
    let least = schema.get("minimum").map(|least| format!(", at least {least}")).unwrap_or_default();
    let kinds: Vec<_> = branches(schema)
        .flat_map(|branch| {
            [
                ("string", "a string in quotes".to_owned()),
                ("boolean", "`true` or `false`".to_owned()),
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

/// The choices that the schema lists; empty if it lists none.
fn words(schema: &Value) -> String {
    let word = |choice: &Value| choice.as_str().map_or_else(|| format!("`{choice}`"), |word| format!("`{word}`"));
    branches(schema).flat_map(choices).map(word).collect::<Vec<_>>().join(", ")
}

/// The lists that an array's schema accepts.
fn list_of(array: &Value) -> String {
    match array.get("items").map(words).filter(|words| !words.is_empty()) {
        Some(words) => format!("a list of any of {words}"),
        None => "a list, such as `[\"a\", \"b\"]`".to_owned(),
    }
}

/// The values that the schema lists.
pub(super) fn choices(schema: &Value) -> impl Iterator<Item = &Value> {
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
