//! What a session lets be chosen: its mode and its model.
//!
//! Agents tell of them in two ways: in a list of their own (`modes`, `models`), or among `configOptions` (OpenCode 1.18.33,
//! and others beside the list).

use serde_json::Value;

/// What is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SessionSetting {
    Mode,
    Model,
}

/// How it is chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Nothing is to be done.
    AlreadySet {
        /// The mode or model that it has already; an empty text is any.
        value: String,
    },
    /// By `session/set_mode` or `session/set_model`.
    Method {
        /// The mode or model.
        value: String,
    },
    /// By `session/set_config_option`.
    Option {
        /// The option's id.
        id: String,
        /// The mode or model.
        value: String,
    },
    /// It cannot be chosen.
    None {
        /// Why.
        said: String,
    },
}

impl Choice {
    /// The mode or model that the session then has, if it has to be a certain one.
    pub(crate) fn value(&self) -> Option<&str> {
        match self {
            Self::AlreadySet { value } | Self::Method { value } | Self::Option { value, .. } => {
                Some(value.as_str()).filter(|value| !value.is_empty())
            }
            Self::None { .. } => None,
        }
    }
}

/// How the first of `wanted` that there is, is chosen in the session that `opened` tells of. An empty text is what the
/// session begins with.
pub(crate) fn choice<'a>(what: SessionSetting, wanted: &[&'a str], opened: &'a Value) -> Choice {
    let offers = [what.listed(opened), what.option(opened)];
    for value in wanted {
        let mut reported = offers.iter().filter_map(|offer| offer.current).peekable();
        // Where the two do not agree, it is set.
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

/// The mode that a session is in, by a list of `configOptions`.
pub(crate) fn mode_in(options: &Value) -> Option<&str> {
    SessionSetting::Mode.option_in(options)?["currentValue"].as_str()
}

/// What can be chosen in one of the two ways.
#[derive(Debug, Default)]
struct Offer<'a> {
    values: Vec<&'a str>,
    current: Option<&'a str>,
    /// The id of the option, where it is one.
    option: Option<&'a str>,
}

/// As many names as help.
const MAX_NAMED_VALUES: usize = 12;

impl SessionSetting {
    fn word(self) -> &'static str {
        match self {
            Self::Mode => "mode",
            Self::Model => "model",
        }
    }

    /// What stands in a list of its own.
    fn listed(self, opened: &Value) -> Offer<'_> {
        let (list, available, current, id) = match self {
            Self::Mode => ("modes", "availableModes", "currentModeId", "id"),
            Self::Model => ("models", "availableModels", "currentModelId", "modelId"),
        };
        let values = elements(&opened[list][available]).iter().filter_map(|known| known[id].as_str()).collect();
        Offer { values, current: opened[list][current].as_str(), option: None }
    }

    /// What stands among the options of the session.
    fn option(self, opened: &Value) -> Offer<'_> {
        let Some(option) = self.option_in(&opened["configOptions"]) else { return Offer::default() };
        // Values may stand in groups.
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
            return format!("it does not let its {word} be chosen, so `{wanted_words}` cannot be");
        }
        let near = wanted.iter().find_map(|value| connector_api::nearest(value, known));
        let near = near.map(|near| format!(" (`{near}`?)")).unwrap_or_default();
        let more = if known.len() > MAX_NAMED_VALUES {
            format!(" and {} more", known.len() - MAX_NAMED_VALUES)
        } else {
            String::new()
        };
        let named = known.iter().take(MAX_NAMED_VALUES).copied().collect::<Vec<_>>().join("`, `");
        format!("it has no {word} `{wanted_words}`{near}; its {word}s are `{named}`{more}")
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
            assert_eq!(choice(what, &["newer", "b", "a"], opened), to_b, "the first that there is");
            let begins = Choice::AlreadySet { value: String::new() };
            assert_eq!(choice(what, &["newer", ""], opened), begins, "as it begins");
            let Choice::None { said } = choice(what, &["c", "d"], opened) else { panic!("{opened}") };
            assert!(said.contains("`c` or `d`") && said.contains("s are `a`, `b`"), "{said}");
        }
        let Choice::None { said } = choice(SessionSetting::Mode, &["c"], &json!({})) else { panic!("there is none") };
        assert!(said.contains("does not let its mode be chosen"), "{said}");
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
        assert_eq!(mode_in(&json!([opened["configOptions"][0]])), None, "that is how hard it thinks");
    }
}
