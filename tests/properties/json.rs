//! Well-formed JSON with the wrong content.

use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

/// A change to one value inside a JSON value.
#[derive(Debug, Clone)]
enum JsonEdit {
    /// Replaces it with this.
    Replace(Value),
    /// Removes it.
    Remove,
    /// Moves it to this key.
    Rename(String),
}

/// Any value. Most are small, and some are known to be hard to read.
pub(crate) fn any_value() -> impl Strategy<Value = Value> {
    let hard = [
        json!(null),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!(" \n\t"),
        json!("\u{0}\u{1b}[0m"),
        json!("`"),
        json!("x".repeat(3_000)),
        json!("0123abcd"),
        json!("running"),
        json!("2024-01-15T10:30:00.000Z"),
        json!("9999-12-31T23:59:60Z"),
        json!({}),
        json!([]),
        json!({"message": ""}),
        json!([{}, [null]]),
    ];
    prop_oneof![
        6 => prop::sample::select(hard.to_vec()),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        2 => any::<String>().prop_map(Value::from),
        1 => prop::collection::vec(any::<String>(), 0..3).prop_map(Value::from),
    ]
}

/// One of `originals`, usually with a few edits.
pub(crate) fn damaged_value(originals: Vec<Value>) -> impl Strategy<Value = Value> {
    let names = ["id", "type", "format", "status", "error", "message", "item", "text", "0123abcd", "89abcdef", ""];
    let edit = prop_oneof![
        5 => any_value().prop_map(JsonEdit::Replace),
        2 => Just(JsonEdit::Remove),
        1 => prop::sample::select(names.to_vec()).prop_map(|name| JsonEdit::Rename(name.to_owned())),
    ];
    let edits = prop::collection::vec((any::<Index>(), edit), 0..4);
    (prop::sample::select(originals), edits).prop_map(|(mut value, edits)| {
        for (at, edit) in edits {
            let value_paths = value_paths(&value);
            if let Some(path) = (!value_paths.is_empty()).then(|| at.get(&value_paths)) {
                change(&mut value, path, edit);
            }
        }
        value
    })
}

/// The paths of all values inside `value`: the JSON pointer of the parent, and the key.
fn value_paths(value: &Value) -> Vec<(String, String)> {
    let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
    let inside: Vec<(String, &Value)> = match value {
        Value::Object(table) => table.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => vec![],
    };
    let mut all = vec![];
    for (name, value) in inside {
        let here = format!("/{}", escape(&name));
        all.extend(value_paths(value).into_iter().map(|(parent, name)| (format!("{here}{parent}"), name)));
        all.push((String::new(), name));
    }
    all
}

fn change(value: &mut Value, (parent, name): &(String, String), edit: JsonEdit) {
    let at = name.parse::<usize>();
    match (value.pointer_mut(parent), edit) {
        (Some(Value::Object(table)), JsonEdit::Replace(new)) => drop(table.insert(name.clone(), new)),
        (Some(Value::Object(table)), JsonEdit::Remove) => drop(table.shift_remove(name)),
        (Some(Value::Object(table)), JsonEdit::Rename(new)) => {
            if let Some(old) = table.shift_remove(name) {
                table.insert(new, old);
            }
        }
        (Some(Value::Array(list)), JsonEdit::Replace(new)) => {
            if let Some(old) = at.ok().and_then(|at| list.get_mut(at)) {
                *old = new;
            }
        }
        (Some(Value::Array(list)), JsonEdit::Remove | JsonEdit::Rename(_)) => drop(list.pop()),
        (_, _) => {}
    }
}
