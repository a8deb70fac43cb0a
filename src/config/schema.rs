//! Generates `config/schema.json`, with which editors check and complete `config.toml`.

use serde_json::{Map, Value, json};

use super::{defaults, setting::Setting, shape};
use crate::registry::Registry;

/// The JSON Schema (2020-12) of the user's file: the keys of codex-connector and those of each registered kind.
///
/// Descriptions and defaults come from `config/default.toml`.
pub fn schema(registry: &Registry) -> Value {
    let mut schema = shape::own();
    let properties = schema["properties"]["backends"].as_object_mut().expect("`backends` is described by an object");
    properties.insert("propertyNames".into(), json!({"pattern": "^[a-z][a-z0-9_-]{0,31}$"}));
    properties.insert("properties".into(), Value::Object(default_backends(registry)));
    properties.insert("additionalProperties".into(), any_backend(registry));
    let comments = defaults::comments();
    let defaults = defaults::settings();
    describe(&mut schema, "", &|key| comments.get(key).cloned(), &defaults);
    schema["title"] = json!("The settings of codex-connector: ~/.codex-connector/config.toml");
    schema
}

/// The schemas of the backends in `default.toml`.
fn default_backends(registry: &Registry) -> Map<String, Value> {
    let kinds = defaults::settings().into_iter().filter(|setting| setting.path.last().is_some_and(|key| key == "kind"));
    kinds
        .filter_map(|setting| {
            let section = section(registry, setting.value.as_str()?, shape::any_kind(registry))?;
            Some((setting.backend()?.to_owned(), section))
        })
        .collect()
}

/// The schema of any other backend, whose keys depend on its `kind`.
fn any_backend(registry: &Registry) -> Value {
    let rules = registry.kinds().filter_map(|kind| {
        let section = section(registry, kind, json!({"const": kind}))?;
        Some(json!({"if": {"required": ["kind"], "properties": {"kind": {"const": kind}}}, "then": section}))
    });
    json!({
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": shape::any_kind(registry)},
        "allOf": rules.collect::<Vec<_>>(),
    })
}

/// The schema of a backend of this kind, with `key` as the schema of its `kind`. The kind's own default of `env` is
/// removed, because `[agent_env]` replaces it.
fn section(registry: &Registry, kind: &str, key: Value) -> Option<Value> {
    let mut section = shape::of_kind(registry, kind)?;
    let keys = section["properties"].as_object_mut()?;
    keys.insert("kind".into(), key);
    keys.insert("ceiling".into(), shape::backend_ceiling(&shape::own()));
    keys.insert("workspace".into(), shape::backend_workspace(&shape::own()));
    keys.insert("fallback".into(), shape::backend_fallback());
    keys.insert("default_sandbox".into(), shape::backend_default_sandbox());
    if let Some(env) = keys.get_mut("env").and_then(Value::as_object_mut) {
        env.remove("default");
    }
    section["description"] = format!("The keys of `[backends.NAME]` with `kind = \"{kind}\"`.").into();
    Some(section)
}

/// Adds the comment of each key as its description, unless its kind has described it, and its default.
fn describe(schema: &mut Value, key: &str, comment: &dyn Fn(&str) -> Option<String>, defaults: &[Setting]) {
    let Some(schema) = schema.as_object_mut() else { return };
    if let Some(comment) = comment(key).filter(|_| !schema.contains_key("description")) {
        schema.insert("description".into(), comment.into());
    }
    if let Some(setting) = defaults.iter().find(|setting| setting.key() == key) {
        schema.insert("default".into(), setting.value.clone());
    }
    for (name, below) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let key = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
        describe(below, &key, comment, defaults);
    }
}
