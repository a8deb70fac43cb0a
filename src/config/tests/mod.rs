//! Settings as users write them, and the resulting configuration.

mod agreement;
mod ceilings;
mod problems;
mod workspaces;

use std::{fs, path::Path, time::Duration};

use connector_api::{
    AgentBackend, AgentRequest, AgentSession, BackendKind, Capabilities, EnvRules, Installed, Launch, ProbeAnswer,
    ProbeCommand, ProbeProblem, ProgramSettings, SettingsProblem, Unsupported,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::task::{CgroupUse, OnAgentExit, OnServerExit};

/// Defines a backend kind that only reads its settings.
macro_rules! kind {
    ($kind:ident, $word:literal, needs $needs:expr, $settings:ty, $schema:expr) => {
        #[derive(Debug)]
        struct $kind(BackendName);

        impl BackendKind for $kind {
            const KIND: &'static str = $word;
            const NEEDS: &'static [&'static str] = &$needs;

            fn schema() -> Value {
                $schema
            }

            fn build(name: BackendName, settings: Value) -> Result<Self, SettingsProblem> {
                if settings["program"] == "refused" {
                    return Err(SettingsProblem { key: "program".into(), problem: "`program` is refused".into() });
                }
                serde_json::from_value::<$settings>(settings)
                    .map(|_| Self(name))
                    .map_err(|error| SettingsProblem { key: String::new(), problem: error.to_string() })
            }
        }

        impl AgentBackend for $kind {
            fn name(&self) -> &BackendName {
                &self.0
            }
            fn settings(&self) -> &ProgramSettings {
                unreachable!("loading a configuration runs nothing")
            }
            fn program(&self) -> &str {
                $word
            }
            fn install_hint(&self) -> String {
                String::new()
            }
            fn capabilities(&self) -> Capabilities {
                Capabilities { sandboxes: vec![], model: false, resume: false, requires_git: false }
            }
            fn probe(&self) -> Vec<ProbeCommand> {
                vec![]
            }
            fn understand(&self, _: &[ProbeAnswer]) -> Result<Installed, ProbeProblem> {
                Err(ProbeProblem::TooOld { found: String::new(), oldest: String::new() })
            }
            fn launch(&self, _: &AgentRequest, _: &Installed) -> Result<Launch, Unsupported> {
                Err(Unsupported::Value { parameter: "task", why: String::new() })
            }
            fn session(&self, _: &AgentRequest) -> Box<dyn AgentSession> {
                unreachable!("loading a configuration runs nothing")
            }
        }
    };
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only deserialized")]
struct TestCodexSettings {
    program: Option<String>,
    model: Option<String>,
    #[serde(default)]
    extra_args: Vec<String>,
    require_git: Option<bool>,
    project_settings: Option<String>,
    #[serde(default)]
    env: EnvRules,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only deserialized")]
struct TestPlainSettings {
    program: String,
}

kind!(
    Codex,
    "codex",
    needs [],
    TestCodexSettings,
    json!({
        "properties": {
            "program": {"type": "string"},
            "model": {"type": ["string", "null"]},
            "extra_args": {"type": "array", "items": {"type": "string"}},
            "require_git": {"type": "boolean"},
            "project_settings": {"type": "string"},
            "env": {"$ref": "#/$defs/Env"},
        },
        "$defs": {"Env": {"type": "object", "additionalProperties": false, "properties": {
            "pass": {"type": "array", "items": {"type": "string"}},
            "remove": {"type": "array", "items": {"type": "string"}},
            "set": {"type": "object", "additionalProperties": {"type": "string"}},
        }}},
    })
);
kind!(Plain, "plain", needs [], TestPlainSettings, json!({"properties": {"program": {"type": "string"}}}));
kind!(Needy, "needy", needs["ANTHROPIC_*"], TestCodexSettings, json!({"properties": {"env": EnvRules::schema()}}));

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.add::<Codex>();
    registry.add::<Plain>();
    registry
}

/// One configuration: a home directory with the user's file, an environment and flags.
struct Case {
    home: tempfile::TempDir,
    environment: Vec<(OsString, OsString)>,
    overrides: Overrides,
}

impl Case {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary directory can be created");
        let environment = vec![("HOME".into(), home.path().into())];
        Self { home, environment, overrides: Overrides::default() }
    }

    fn file(self, text: impl AsRef<[u8]>) -> Self {
        fs::create_dir_all(self.home.path().join(".codex-connector")).expect("the test's directory is writable");
        fs::write(self.path(), text).expect("the test's directory is writable");
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    fn set(mut self, assignment: &str) -> Self {
        self.overrides.set.push(assignment.to_owned());
        self
    }

    fn path(&self) -> PathBuf {
        self.home.path().join(".codex-connector/config.toml")
    }

    fn load(&self) -> Result<Config, ConfigProblems> {
        Config::load(&self.overrides, &registry(), self.environment.iter().cloned())
    }

    fn config(&self) -> Config {
        self.load().expect("these settings are valid")
    }

    /// The problems in these settings, with `~` for the home directory.
    fn problems(&self) -> String {
        let problems = self.load().expect_err("these settings are invalid");
        problems.to_string().replace(&self.home.path().display().to_string(), "~")
    }
}

fn settings<'a>(config: &'a Config, backend: &str) -> &'a Value {
    let name = BackendName::new(backend).expect("the name is valid");
    &config.backends.get(&name).expect("the backend is configured").settings
}

#[test]
fn the_defaults_are_as_documented() {
    let case = Case::new();
    let config = case.config();
    let home = case.home.path().join(".codex-connector");
    assert_eq!((config.data_dir, config.log_dir, config.file), (home.clone(), home.join("logs"), case.path()));
    assert_eq!(config.log_level, "warn");
    assert_eq!(config.default_backend.as_str(), "codex");
    assert_eq!(config.default_sandbox, Sandbox::DangerFullAccess);
    let seconds = Duration::from_secs;
    assert_eq!(
        config.policy,
        Policy {
            timeout: None,
            heartbeat: seconds(30),
            stall_warning: seconds(120),
            stop_after_silence: None,
            give_up_offline: None,
            grace: Grace { interrupt: seconds(2), terminate: seconds(2) },
            cgroup: CgroupUse::Auto,
            on_server_exit: OnServerExit::Interrupt,
            on_agent_exit: OnAgentExit::Kill,
            keep_events: false,
            log_bytes: Some(1_000_000_000),
            redact: true,
        }
    );
    assert_eq!((config.on_server_exit, config.serving.task_handles), (ServerExitRule::Auto, TaskHandles::Async));
    assert_eq!((config.max_running, config.retention), (0, Retention::default()));
    assert_eq!(config.index, IndexLimits { entries: 200, text: 2000 });
    assert_eq!(config.backends.len(), 1);
}

#[test]
fn a_stronger_layer_wins_key_by_key() {
    let case = Case::new().file(
        "[tasks]\nheartbeat_interval = '1s'\nstall_warning_after = '2s'\ndefault_timeout = '3s'\n[index]\nentries = 5\n",
    );
    let case = case
        .variable("CODEX_CONNECTOR_TASKS__STALL_WARNING_AFTER", "20s")
        .variable("CODEX_CONNECTOR_TASKS__DEFAULT_TIMEOUT", "30s")
        .variable("CODEX_CONNECTOR_INDEX__ENTRIES", "7")
        .variable("CODEX_CONNECTOR_TASKS__KEEP_EVENTS", "true")
        .set("tasks.default_timeout=300s");
    let config = case.config();
    let seconds = |duration: Duration| duration.as_secs();
    assert_eq!(seconds(config.policy.heartbeat), 1);
    assert_eq!(seconds(config.policy.stall_warning), 20);
    assert_eq!(config.policy.timeout.map(seconds), Some(300));
    assert_eq!((config.index.entries, config.index.text), (7, 2000));
    assert!(config.policy.keep_events);
}

#[test]
fn a_string_in_the_environment_stays_a_string_even_if_it_looks_like_a_number() {
    let case = Case::new()
        .variable("CODEX_CONNECTOR_BACKENDS__CODEX__MODEL", "5")
        .variable("CODEX_CONNECTOR_BACKENDS__CODEX__PROGRAM", "true")
        .variable("CODEX_CONNECTOR_BACKENDS__CODEX__EXTRA_ARGS", r#"["--search"]"#)
        .variable("CODEX_CONNECTOR_BACKENDS__CODEX__ENV__SET__No__Case", "1");
    let config = case.config();
    let codex = settings(&config, "codex");
    assert_eq!((&codex["model"], &codex["program"]), (&json!("5"), &json!("true")));
    assert_eq!(codex["extra_args"], json!(["--search"]));
    assert_eq!(codex["env"]["set"], json!({"No__Case": "1"}));
}

#[test]
fn adding_keys_to_a_default_backend_keeps_its_other_keys() {
    let config = Case::new().file("[backends.codex]\nmodel = 'm'\n").config();
    let codex = settings(&config, "codex");
    assert_eq!((&codex["model"], &codex["program"]), (&json!("m"), &json!("codex")));
}

#[test]
fn claudes_secrets_are_removed_for_every_backend_unless_configured_otherwise() {
    let config = Case::new()
        .file(
            "[agent_env]\nset = {A = 'common', B = 'common'}\n\
             [backends.fast]\nkind = 'codex'\nenv = {set = {A = 'own'}}\n\
             [backends.open]\nkind = 'codex'\nenv = {remove = []}\n\
             [backends.plain]\nkind = 'plain'\nprogram = 'p'\n",
        )
        .config();
    let removed = settings(&config, "codex")["env"]["remove"].clone();
    assert_eq!(removed, json!(["ANTHROPIC_*", "CLAUDE*"]));
    let fast = &settings(&config, "fast")["env"];
    assert_eq!((&fast["remove"], &fast["set"]), (&removed, &json!({"A": "own", "B": "common"})));
    assert_eq!(settings(&config, "open")["env"]["remove"], json!([]));
    assert_eq!(settings(&config, "plain"), &json!({"program": "p"}), "a kind without `env` gets no rules");
}

#[test]
fn variables_that_a_kind_needs_are_removed_only_by_the_backends_own_rules() {
    let case = Case::new().file(
        "[backends.common]\nkind = 'needy'\n\
         [backends.own]\nkind = 'needy'\nenv = {remove = ['ANTHROPIC_API_KEY'], pass = []}\n",
    );
    let config = Config::load(&case.overrides, &registry_with_needy_kind(), case.environment.iter().cloned())
        .expect("these settings are valid");
    let passed = |backend: &str| {
        let rules: EnvRules =
            serde_json::from_value(settings(&config, backend)["env"].clone()).expect("the rules are valid");
        let server_variables = ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "CLAUDECODE", "HOME"];
        let passed = rules.apply(server_variables.map(|name| (name.into(), "x".into())));
        let names = passed.into_keys().map(|name| name.into_string().expect("these names are UTF-8"));
        names.filter(|name| !name.starts_with("GIT_")).collect::<Vec<_>>()
    };
    assert_eq!(passed("common"), ["ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "HOME"]);
    assert_eq!(passed("own"), ["ANTHROPIC_BASE_URL", "CLAUDECODE", "HOME"]);
    assert_eq!(passed("codex"), ["HOME"]);
}

#[test]
fn the_variables_that_a_kind_needs_are_not_a_setting() {
    let case = Case::new().file("[backends.common]\nkind = 'needy'\nenv = {admit = ['SECRET']}\n");
    let problems = Config::load(&case.overrides, &registry_with_needy_kind(), case.environment.iter().cloned())
        .expect_err("`admit` is an unknown key");
    assert!(problems.to_string().contains("unknown key `backends.common.env.admit`"), "{problems}");
}

fn registry_with_needy_kind() -> Registry {
    let mut registry = registry();
    registry.add::<Needy>();
    registry
}

#[test]
fn limits_and_retention_are_read() {
    let case = Case::new().file(
        "[limits]\nmax_running = 3\n[logs]\nmax_bytes = '64KiB'\nredact = false\n\
         [retention]\nmax_age = '30d'\nmax_tasks = 500\nmax_bytes = '2GB'\n",
    );
    let config = case.config();
    assert_eq!((config.max_running, config.policy.log_bytes, config.policy.redact), (3, Some(65_536), false));
    assert_eq!(
        config.retention,
        Retention {
            max_age: Some(Duration::from_secs(30 * 24 * 3600)),
            max_tasks: NonZeroUsize::new(500),
            max_bytes: Some(2_000_000_000)
        }
    );
}

#[test]
fn a_default_backend_can_be_given_another_kind() {
    let config = Case::new().file("[backends.codex]\nkind = 'plain'\nprogram = 'p'\n").config();
    assert_eq!(settings(&config, "codex"), &json!({"program": "p"}));
}

#[test]
fn a_binary_without_the_default_kind_needs_only_a_default_backend() {
    let case = Case::new().file("[backends.mine]\nkind = 'plain'\nprogram = 'p'\n");
    let mut registry = Registry::default();
    registry.add::<Plain>();
    let load = |case: &Case| Config::load(&case.overrides, &registry, case.environment.iter().cloned());
    assert_eq!(
        load(&case).expect_err("`codex` is an unknown backend").to_string(),
        "the built-in default.toml: invalid value `\"codex\"` for `tasks.default_backend`: \
         expected the name of a backend: `mine`\n\
         next: set `tasks.default_backend` in your config.toml"
    );
    let config = load(&case.set("tasks.default_backend=mine")).expect("no other setting is missing");
    assert_eq!(config.backends.into_keys().map(String::from).collect::<Vec<_>>(), ["mine"]);
}

#[test]
fn directories_are_absolute_or_below_the_home_directory() {
    let case = Case::new().file("data_dir = '~/tasks'\nlog_dir = '/var/log/agents'\n");
    let config = case.config();
    assert_eq!((config.data_dir, config.log_dir), (case.home.path().join("tasks"), "/var/log/agents".into()));

    let mut case = Case::new().variable("CODEX_CONNECTOR_DATA_DIR", "/from/the/environment");
    assert_eq!(case.config().data_dir, Path::new("/from/the/environment"));
    case.overrides.data_dir = Some("/from/the/flag".into());
    assert_eq!(case.config().data_dir, Path::new("/from/the/flag"));
    assert_eq!(case.config().log_dir, Path::new("/from/the/flag/logs"));
}

#[test]
fn the_named_config_file_is_used() {
    let mut case = Case::new().file("log_level = 'info'\n");
    for (name, level) in [("variable.toml", "debug"), ("flag.toml", "trace")] {
        fs::write(case.home.path().join(name), format!("log_level = '{level}'\n"))
            .expect("the test's directory is writable");
    }
    assert_eq!(case.config().log_level, "info");
    case = case.variable("CODEX_CONNECTOR_CONFIG", "~/variable.toml");
    assert_eq!(case.config().log_level, "debug");
    case.overrides.config_file = Some(case.home.path().join("flag.toml"));
    let config = case.config();
    assert_eq!((config.log_level.as_str(), config.file), ("trace", case.home.path().join("flag.toml")));
}

#[test]
fn an_invalid_configuration_still_names_the_directories() {
    let lenient = |case: &Case| {
        let environment = case.environment.clone();
        Config::load_lenient(&case.overrides, &registry(), environment.into_iter()).expect("the directories are known")
    };
    let valid = Case::new().file("data_dir = '/data'");
    assert_eq!(lenient(&valid).1, []);
    let in_file = "data_dir = '/data'\nlog_dir = '/logs'\n[tasks]\nkeep_event = true\ndefault_timeout = '1h'";
    let (config, problems) = lenient(&Case::new().file(in_file));
    assert_eq!((config.data_dir.as_path(), config.log_dir.as_path()), ("/data".as_ref(), "/logs".as_ref()));
    assert_eq!((problems.len(), config.policy.timeout), (1, None), "everything else has its default");
    let overridden = Case::new().file(in_file).variable("CODEX_CONNECTOR_DATA_DIR", "relative");
    assert_eq!(lenient(&overridden).0.data_dir, Path::new("/data"), "the last valid layer counts");
    let unreadable = Case::new().file("[tasks").variable("CODEX_CONNECTOR_DATA_DIR", "/other");
    assert_eq!(lenient(&unreadable).0.data_dir, Path::new("/other"));
    let unnamed = Case::new().file("[tasks");
    assert_eq!(lenient(&unnamed).0.data_dir, unnamed.home.path().join(".codex-connector"));
}
