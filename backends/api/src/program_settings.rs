//! The settings that every backend has: the program, the model, extra arguments, the environment, and whether git is
//! required.
//!
//! [`ProgramSettings`] holds the values. [`ProgramRules`] defines how one kind of backend fills them in, describes them
//! and checks them. A kind with additional keys reads both together, with [`ProgramRules::read_with`].

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    EnvRules, SettingsProblem,
    settings::{check_keys, check_model, read_settings},
};

/// The settings that every backend has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramSettings {
    /// The program: a name to look up on `PATH`, an absolute path, or a path that starts with `~/`. Never blank.
    pub program: String,
    /// The model, unless a call names one.
    pub model: Option<String>,
    /// Additional arguments for the program. Empty if the kind does not have this key.
    pub extra_args: Vec<String>,
    /// The rules for the program's environment variables.
    pub env: EnvRules,
    /// Whether the working directory must be inside a git repository.
    pub require_git: bool,
}

impl ProgramSettings {
    /// The keys of these settings. A kind may leave some of them out.
    pub const KEYS: [&'static str; 5] = ["program", "model", "extra_args", "env", "require_git"];
}

/// How one kind of backend fills in, describes and checks its [`ProgramSettings`].
#[derive(Debug, Clone, Copy)]
pub struct ProgramRules {
    /// The agent's name in messages, such as `Codex`.
    pub agent: &'static str,
    /// The default program. Empty if the settings must name one.
    pub program: &'static str,
    /// The end of the error for settings without a program, "`program` …", if the usual text is not enough.
    pub without_program: Option<&'static str>,
    /// All keys of the kind, both [shared](ProgramSettings::KEYS) and its own, in the order in which they are listed.
    pub keys: &'static [&'static str],
    /// Descriptions of shared keys that replace the usual ones in the schema.
    pub descriptions: &'static [(&'static str, &'static str)],
    /// Refuses extra arguments that would override decisions of the backend.
    pub check_args: fn(&[String]) -> Result<(), SettingsProblem>,
}

/// The shared settings before they are checked. A missing `program` has already been filled in.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawSettings {
    program: String,
    model: Option<String>,
    extra_args: Vec<String>,
    env: EnvRules,
    require_git: bool,
}

impl Default for RawSettings {
    fn default() -> Self {
        Self { program: String::new(), model: None, extra_args: vec![], env: EnvRules::default(), require_git: true }
    }
}

/// The additional settings of a kind that has none.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct NoKindKeys {}

impl ProgramRules {
    /// Rules for `agent`, whose program is called `program`, with only the shared keys and arbitrary extra arguments.
    pub const fn new(agent: &'static str, program: &'static str) -> Self {
        Self {
            agent,
            program,
            without_program: None,
            keys: &ProgramSettings::KEYS,
            descriptions: &[],
            check_args: |_| Ok(()),
        }
    }

    /// Reads the settings of a kind that has only the shared keys.
    ///
    /// Fails with the first key that is unknown or has a wrong value, and with the allowed values.
    pub fn read(&self, settings: Value) -> Result<ProgramSettings, SettingsProblem> {
        self.read_with::<NoKindKeys>(settings).map(|(shared, NoKindKeys {})| shared)
    }

    /// Reads the shared settings, and the kind's own as a `T`. Every field of `T` needs a default.
    ///
    /// Fails with the first key that is unknown or has a wrong value, and with the allowed values.
    pub fn read_with<T: DeserializeOwned>(&self, settings: Value) -> Result<(ProgramSettings, T), SettingsProblem> {
        let (mut shared, own): (Map<String, Value>, Map<String, Value>) =
            check_keys(settings, self.keys)?.into_iter().partition(|(key, _)| is_shared(key));
        shared.entry("program").or_insert_with(|| self.program.into());
        let written = read_settings(Value::Object(shared), self.keys)?;
        let own = read_settings(Value::Object(own), self.keys)?;
        Ok((self.check(written)?, own))
    }

    /// The JSON schema of the settings of a kind that has only the shared keys.
    pub fn schema(&self) -> Value {
        self.schema_with(json!({"type": "object", "additionalProperties": false}))
    }

    /// The JSON schema of all settings. `own` is the object schema of the kind's own settings.
    pub fn schema_with(&self, mut own: Value) -> Value {
        let mut properties = Map::new();
        for key in self.keys {
            let property = if is_shared(key) { self.property(key) } else { own["properties"][key].take() };
            properties.insert((*key).to_owned(), property);
        }
        own["properties"] = Value::Object(properties);
        // It would describe only some of the keys.
        own.as_object_mut().map(|own| own.remove("description"));
        own
    }

    fn check(&self, written: RawSettings) -> Result<ProgramSettings, SettingsProblem> {
        let RawSettings { program, model, extra_args, env, require_git } = written;
        if program.trim().is_empty() {
            let usual = || match self.program {
                "" => "is required: a name on PATH, an absolute path, or a path that starts with `~/`".to_owned(),
                program => format!("is empty; remove it to use `{program}` on PATH"),
            };
            return Err(SettingsProblem::of("program", &self.without_program.map_or_else(usual, str::to_owned)));
        }
        if let Err(why) = model.as_deref().map_or(Ok(()), check_model) {
            return Err(SettingsProblem::of(
                "model",
                &format!("{why}; remove it to let {} choose the model", self.agent),
            ));
        }
        if extra_args.iter().any(|arg| arg.contains('\0')) {
            return Err(SettingsProblem::of("extra_args", "has an argument that contains a NUL byte"));
        }
        (self.check_args)(&extra_args)?;
        Ok(ProgramSettings { program, model, extra_args, env, require_git })
    }

    /// The schema of a shared key.
    fn property(&self, key: &str) -> Value {
        let (mut schema, usual, default) = match key {
            "program" => (
                json!({"type": "string"}),
                "The program: a name on `PATH`, an absolute path, or a path that starts with `~/`.".to_owned(),
                Some(json!(self.program)),
            ),
            "model" => (
                json!({"type": ["string", "null"]}),
                format!(
                    "The model for calls that do not name one. If neither does, {} uses its own default.",
                    self.agent
                ),
                Some(Value::Null),
            ),
            "extra_args" => (
                json!({"type": "array", "items": {"type": "string"}}),
                format!("Additional arguments for `{}`.", self.program),
                Some(json!([])),
            ),
            "env" => (EnvRules::schema(), "Which environment variables the agent gets.".to_owned(), None),
            _ => (
                json!({"type": "boolean"}),
                "Whether the working directory must be inside a git repository.".to_owned(),
                Some(json!(true)),
            ),
        };
        let own = self.descriptions.iter().find(|(described, _)| *described == key);
        schema["description"] = own.map_or(usual, |(_, description)| (*description).to_owned()).into();
        if let Some(default) = default {
            schema["default"] = default;
        }
        schema
    }
}

fn is_shared(key: &str) -> bool {
    ProgramSettings::KEYS.contains(&key)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: ProgramRules = ProgramRules {
        keys: &["program", "model", "color", "extra_args", "env", "require_git"],
        descriptions: &[("env", "Its variables.")],
        check_args: |args| match args.iter().find(|arg| *arg == "--yolo") {
            Some(arg) => Err(SettingsProblem::of("extra_args", &format!("must not contain `{arg}`"))),
            None => Ok(()),
        },
        ..ProgramRules::new("Agent", "agent")
    };

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct KindKeys {
        color: bool,
    }

    #[test]
    fn shared_and_kind_specific_keys_are_read_together_and_all_are_optional() {
        let (shared, own) = RULES.read_with::<KindKeys>(json!({})).expect("no key is required");
        let expected = ProgramSettings {
            program: "agent".into(),
            model: None,
            extra_args: vec![],
            env: EnvRules::default(),
            require_git: true,
        };
        assert_eq!((shared, own), (expected, KindKeys { color: false }));
        let settings = json!({"program": "~/agent", "color": true, "extra_args": ["-v"], "require_git": false});
        let (shared, own) = RULES.read_with::<KindKeys>(settings).expect("these keys exist");
        assert_eq!(
            (shared.program.as_str(), &shared.extra_args[..], own.color),
            ("~/agent", &["-v".to_owned()][..], true)
        );
        assert!(!shared.require_git);
    }

    #[test]
    fn each_mistake_names_its_key() {
        for (settings, key, words) in [
            (
                json!({"programm": "x"}),
                "programm",
                "(did you mean `program`?); valid keys: `program`, `model`, `color`",
            ),
            (json!({"colour": true}), "colour", "(did you mean `color`?)"),
            (json!({"color": 1}), "color", "expected a boolean"),
            (json!({"program": 1}), "program", "expected a string"),
            (json!({"program": " "}), "program", "remove it to use `agent` on PATH"),
            (json!({"model": "-m"}), "model", "remove it to let Agent choose the model"),
            (json!({"env": {"removed": []}}), "env.removed", "`remove`"),
            (json!({"extra_args": ["a\0b"]}), "extra_args", "NUL"),
            (json!({"extra_args": ["--yolo"]}), "extra_args", "must not contain `--yolo`"),
            (json!([]), "", "a table"),
        ] {
            let problem = RULES.read_with::<KindKeys>(settings.clone()).expect_err("these settings are invalid");
            assert!(problem.key == key && problem.problem.contains(words), "{settings}: {problem:?}");
        }
    }

    #[test]
    fn a_kind_without_a_default_program_requires_one() {
        let nameless = ProgramRules::new("the agent", "");
        assert!(nameless.read(json!({})).is_err_and(|problem| problem.problem.contains("is required")));
        let helpful = ProgramRules { without_program: Some("is missing; set `preset`"), ..nameless };
        assert!(helpful.read(json!({})).is_err_and(|problem| problem.problem == "`program` is missing; set `preset`"));
    }

    #[test]
    fn the_schema_describes_all_keys_in_their_order() {
        let own = json!({"type": "object", "description": "Own.", "properties": {"color": {"type": "boolean"}}});
        let schema = RULES.schema_with(own);
        let properties = schema["properties"].as_object().expect("an object schema");
        assert!(properties.keys().eq(RULES.keys), "{properties:?}");
        assert_eq!(properties["color"], json!({"type": "boolean"}));
        assert_eq!(
            (&properties["program"]["default"], &properties["env"]["description"]),
            (&json!("agent"), &json!("Its variables."))
        );
        assert_eq!(schema.get("description"), None, "it would describe only one key");
        assert_eq!(ProgramRules::new("Agent", "agent").schema()["additionalProperties"], false);
    }
}
