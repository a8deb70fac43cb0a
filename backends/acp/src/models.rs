//! The models of a session, and how one of them is chosen.
//!
//! Agents tell of them in two ways: as `models`, or as one of `configOptions` (OpenCode 1.18.33).

use serde_json::Value;

/// How a model is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Nothing is to be done.
    Made,
    /// By `session/set_model`.
    Model,
    /// By `session/set_config_option`.
    Option {
        /// The option's id.
        id: String,
    },
    /// It cannot be chosen.
    None {
        /// Why.
        said: String,
    },
}

/// How `model` is chosen in the session that `opened` tells of.
pub(crate) fn choice(model: &str, opened: &Value) -> Choice {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let known = list(&opened["models"]["availableModels"]);
    let known: Vec<_> = known.iter().filter_map(|known| known["modelId"].as_str()).collect();
    if known.contains(&model) {
        return if opened["models"]["currentModelId"] == model { Choice::Made } else { Choice::Model };
    }
    let options = list(&opened["configOptions"]);
    let is_models = |option: &&Value| option["category"] == "model" || option["id"] == "model";
    let Some(option) = options.iter().find(is_models) else { return unknown(model, &known) };
    // Options may stand in groups.
    let groups = list(&option["options"]);
    let single = |value: &Value| match value["options"].as_array() {
        Some(inside) => inside.clone(),
        None => vec![value.clone()],
    };
    let values: Vec<_> = groups.iter().flat_map(single).collect();
    let values: Vec<_> = values.iter().filter_map(|value| value["value"].as_str()).collect();
    match (values.contains(&model), option["currentValue"] == model) {
        (true, true) => Choice::Made,
        (true, false) => Choice::Option { id: option["id"].as_str().unwrap_or("model").to_owned() },
        (false, _) => unknown(model, &values),
    }
}

/// As many names as help.
const NAMED: usize = 12;

fn unknown(model: &str, known: &[&str]) -> Choice {
    let near = connector_api::nearest(model, known).map(|near| format!(" (`{near}`?)")).unwrap_or_default();
    let said = match known.len() {
        0 => format!("it does not let its model be chosen, so `{model}` cannot be"),
        all => {
            let more = if all > NAMED { format!(" and {} more", all - NAMED) } else { String::new() };
            let named = known.iter().take(NAMED).copied().collect::<Vec<_>>().join("`, `");
            format!("it has no model `{model}`{near}; its models are `{named}`{more}")
        }
    };
    Choice::None { said }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_model_is_found_wherever_the_agent_tells_of_it() {
        let models =
            json!({"models": {"currentModelId": "a", "availableModels": [{"modelId": "a"}, {"modelId": "b"}]}});
        let options = json!({"configOptions": [
            {"id": "mode", "category": "mode", "currentValue": "b", "options": [{"value": "b"}]},
            {"id": "m", "category": "model", "currentValue": "a", "options": [
                {"value": "a"}, {"group": "others", "options": [{"value": "b"}]}]},
        ]});
        for (model, opened, expected) in [
            ("a", &models, Choice::Made),
            ("b", &models, Choice::Model),
            ("a", &options, Choice::Made),
            ("b", &options, Choice::Option { id: "m".into() }),
        ] {
            assert_eq!(choice(model, opened), expected, "{model} in {opened}");
        }
        for (opened, words) in
            [(&models, "its models are `a`, `b`"), (&options, "its models are `a`, `b`"), (&json!({}), "does not let")]
        {
            let Choice::None { said } = choice("c", opened) else { panic!("{opened}") };
            assert!(said.contains(words), "{said}");
        }
    }
}
