//! Chooses the mode and the model of a session.
//!
//! Agents offer them in two ways: in the lists `modes` and `models`, or as `configOptions`. OpenCode 1.18.33 uses only
//! the second way; some agents use both.

use serde_json::Value;

/// A setting of a session that can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionSetting {
    Mode,
    Model,
}

/// The way in which a setting gets the wanted value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The session already has the value.
    AlreadySet {
        /// The current mode or model; empty if any will do.
        value: String,
    },
    /// With `session/set_mode` or `session/set_model`.
    Method {
        /// The mode or model.
        value: String,
    },
    /// With `session/set_config_option`.
    Option {
        /// The option's ID.
        id: String,
        /// The mode or model.
        value: String,
    },
    /// The agent does not offer any of the wanted values.
    None {
        /// The explanation for the user.
        said: String,
    },
}

impl Choice {
    /// The mode or model that the session must have after this. `None` if any will do.
    pub(crate) fn value(&self) -> Option<&str> {
        match self {
            Self::AlreadySet { value } | Self::Method { value } | Self::Option { value, .. } => {
                Some(value.as_str()).filter(|value| !value.is_empty())
            }
            Self::None { .. } => None,
        }
    }
}

/// The way to set the first value of `wanted` that the agent offers. `opened` is the agent's answer to the request that
/// opened the session. An empty text in `wanted` means the initial value, whatever it is.
pub(crate) fn choice<'a>(what: SessionSetting, wanted: &[&'a str], opened: &'a Value) -> Choice {
    let offers = [what.listed(opened), what.option(opened)];
    for value in wanted {
        let mut reported = offers.iter().filter_map(|offer| offer.current).peekable();
        // If the two reports disagree, set the value.
        if value.is_empty() || (reported.peek().is_some() && reported.all(|current| current == *value)) {
            return Choice::AlreadySet { value: (*value).to_owned() };
        }
        if let Some(offer) = offers.iter().find(|offer| offer.values.contains(value)) {
            let value = (*value).to_owned();
            return match offer.option {
                Some(id) => Choice::Option { id: id.to_owned(), value },
                None => Choice::Method { value },
            };
        }
    }
    let known = offers.into_iter().map(|offer| offer.values).find(|values| !values.is_empty()).unwrap_or_default();
    Choice::None { said: what.unavailable(wanted, &known) }
}

/// The current mode in a list of `configOptions`.
pub(crate) fn mode_in(options: &Value) -> Option<&str> {
    SessionSetting::Mode.option_in(options)?["currentValue"].as_str()
}

/// The values that an agent offers in one of the two ways.
#[derive(Debug, Default)]
struct Offer<'a> {
    values: Vec<&'a str>,
    current: Option<&'a str>,
    /// The ID of the option, if this is a config option.
    option: Option<&'a str>,
}

/// Maximum number of values that a message lists.
const MAX_NAMED_VALUES: usize = 12;

impl SessionSetting {
    fn word(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Model => "model",
        }
    }

    /// The values in the list `modes` or `models`.
    fn listed(self, opened: &Value) -> Offer<'_> {
        let (list, available, current, id) = match self {
            Self::Mode => ("modes", "availableModes", "currentModeId", "id"),
            Self::Model => ("models", "availableModels", "currentModelId", "modelId"),
        };
        let values = elements(&opened[list][available]).iter().filter_map(|known| known[id].as_str()).collect();
        Offer { values, current: opened[list][current].as_str(), option: None }
    }

    /// The values among the session's `configOptions`.
    fn option(self, opened: &Value) -> Offer<'_> {
        let Some(option) = self.option_in(&opened["configOptions"]) else { return Offer::default() };
        // Values may be in groups.
        let single = |value| match Value::get(value, "options") {
            Some(inside) => elements(inside),
            None => std::slice::from_ref(value),
        };
        let values = elements(&option["options"]).iter().flat_map(single);
        Offer {
            values: values.filter_map(|value| value["value"].as_str()).collect(),
            current: option["currentValue"].as_str(),
            option: Some(option["id"].as_str().unwrap_or(self.word())),
        }
    }

    fn option_in(self, options: &Value) -> Option<&Value> {
        let options = || elements(options).iter();
        let has_no_category = |option: &&Value| option["category"].is_null() && option["id"] == self.word();
        options().find(|option| option["category"] == self.word()).or_else(|| options().find(has_no_category))
    }

    fn unavailable(self, wanted: &[&str], known: &[&str]) -> String {
        let (word, wanted_words) = (self.word(), wanted.join("` or `"));
        if known.is_empty() {
            return format!("the agent does not offer a choice of its {word}, so `{wanted_words}` cannot be set");
        }
        let near = wanted.iter().find_map(|value| connector_api::nearest(value, known));
        let near = near.map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default();
        let more = if known.len() > MAX_NAMED_VALUES {
            format!(" and {} more", known.len() - MAX_NAMED_VALUES)
        } else {
            String::new()
        };
        let named = known.iter().take(MAX_NAMED_VALUES).copied().collect::<Vec<_>>().join("`, `");
        format!("the agent has no {word} `{wanted_words}`{near}; its {word}s are `{named}`{more}")
    }
}

fn elements(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modes_and_models_are_found_in_both_formats() {
        let models =
            json!({"models": {"currentModelId": "a", "availableModels": [{"modelId": "a"}, {"modelId": "b"}]}});
        let modes = json!({"modes": {"currentModeId": "a", "availableModes": [{"id": "a"}, {"id": "b"}]}});
        let options = json!({"configOptions": [
            {"id": "other", "category": "other", "currentValue": "b", "options": [{"value": "b"}]},
            {"id": "mode", "currentValue": "a", "options": [{"value": "a"}, {"value": "b"}]},
            {"id": "m", "category": "model", "currentValue": "a", "options": [
                {"value": "a"}, {"group": "others", "options": [{"value": "b"}]}]},
        ]});
        let (method, option) =
            (Choice::Method { value: "b".into() }, |id: &str| Choice::Option { id: id.into(), value: "b".into() });
        for (what, opened, to_b) in [
            (SessionSetting::Model, &models, method.clone()),
            (SessionSetting::Mode, &modes, method),
            (SessionSetting::Model, &options, option("m")),
            (SessionSetting::Mode, &options, option("mode")),
        ] {
            assert_eq!(choice(what, &["a"], opened), Choice::AlreadySet { value: "a".into() }, "{opened}");
            assert_eq!(choice(what, &["b"], opened), to_b, "{opened}");
            assert_eq!(choice(what, &["newer", "b", "a"], opened), to_b, "the first one that exists");
            let begins = Choice::AlreadySet { value: String::new() };
            assert_eq!(choice(what, &["newer", ""], opened), begins, "the initial value");
            let Choice::None { said } = choice(what, &["c", "d"], opened) else { panic!("{opened}") };
            assert!(said.contains("`c` or `d`") && said.contains("s are `a`, `b`"), "{said}");
        }
        let Choice::None { said } = choice(SessionSetting::Mode, &["c"], &json!({})) else { panic!("there is none") };
        assert!(said.contains("does not offer a choice of its mode"), "{said}");
    }

    #[test]
    fn conflicting_reports_cause_a_request_and_options_are_found_by_category() {
        let opened = json!({
            "modes": {"currentModeId": "plan", "availableModes": [{"id": "plan"}, {"id": "build"}]},
            "configOptions": [
                {"id": "mode", "category": "thought_level", "currentValue": "plan", "options": [{"value": "plan"}]},
                {"id": "m", "category": "mode", "currentValue": "build", "options": [{"value": "plan"}, {"value": "build"}]},
            ],
        });
        for mode in ["plan", "build"] {
            assert_eq!(choice(SessionSetting::Mode, &[mode], &opened), Choice::Method { value: mode.into() });
        }
        assert_eq!(mode_in(&opened["configOptions"]), Some("build"));
        assert_eq!(mode_in(&json!([opened["configOptions"][0]])), None, "an option of another category");
    }
}
