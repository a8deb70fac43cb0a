//! The rules for an agent's environment variables.

use std::{collections::BTreeMap, ffi::OsString};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::name_pattern::{self, NamePattern};

/// Rules that turn codex-connector's environment into the agent's. They apply in this order:
///
/// 1. If `pass` is not empty, only the variables that it names remain. If it is empty, variables that describe another
///    process are removed.
/// 2. The variables in `remove` are removed, except those in `admit`.
/// 3. The variables in `set` are added.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EnvRules {
    /// If not empty, only these variables are inherited.
    pub pass: Vec<NamePattern>,
    /// Variables that are not inherited.
    pub remove: Vec<NamePattern>,
    /// Variables to set.
    pub set: BTreeMap<String, String>,
    /// Variables to which `remove` does not apply. Not a setting: filled in from
    /// [`BackendKind::NEEDS`](crate::BackendKind::NEEDS).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub admit: Vec<NamePattern>,
}

/// Variables that apply only to the process that set them, or to the process that it started. An agent that inherits
/// them may work in the wrong repository, date its commits wrongly, or believe that it is in a sandbox. The list
/// includes everything that `git rev-parse --local-env-vars` prints, because the call's working directory decides which
/// repository is used.
const PROCESS_SPECIFIC: [&str; 57] = [
    // Git, for hooks, aliases and `git rebase --exec`.
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_KEY_*",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_VALUE_*",
    "GIT_DIR",
    "GIT_EXTERNAL_DIFF",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REFLOG_ACTION",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
    "GIT_*_DATE",
    // Codex sets these for itself and for its commands. Codex may be what started codex-connector.
    "CODEX_CI",
    "CODEX_INTERNAL*",
    "CODEX_MANAGED_BY_*",
    "CODEX_SANDBOX*",
    "CODEX_THREAD_ID",
    "CODEX_UNSAFE_ALLOW_NO_SANDBOX",
    // systemd, Node and make: descriptors and sockets meant for one process.
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID*",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
    "NODE_CHANNEL_*",
    "NODE_UNIQUE_ID",
    "NOTIFY_SOCKET",
    "WATCHDOG_*",
    // Shells and script runners.
    "BERRY_BIN_FOLDER",
    "CARGO_BIN_*",
    "CARGO_MANIFEST_*",
    "CARGO_PKG_*",
    "INIT_CWD",
    "OLDPWD",
    "PNPM_SCRIPT_SRC_DIR",
    "PROJECT_CWD",
    "PWD",
    "_VOLTA_TOOL_RECURSION",
    "npm_command",
    "npm_execpath",
    "npm_lifecycle_*",
    "npm_node_execpath",
    "npm_package_*",
];

/// Keep git from prompting and from opening an editor, because nobody is there to respond. Not added if the user chose
/// the variables with `pass`.
const NON_INTERACTIVE: [(&str, &str); 2] = [("GIT_EDITOR", "true"), ("GIT_TERMINAL_PROMPT", "0")];

impl EnvRules {
    /// The agent's environment, made from `ours`. A name that is not UTF-8 is matched in its lossy form.
    pub fn apply(&self, ours: impl IntoIterator<Item = (OsString, OsString)>) -> BTreeMap<OsString, OsString> {
        let mut theirs: BTreeMap<OsString, OsString> = ours.into_iter().filter(|(name, _)| self.passes(name)).collect();
        if self.pass.is_empty() {
            theirs.extend(NON_INTERACTIVE.map(|(name, value)| (name.into(), value.into())));
        }
        theirs.extend(self.set.iter().map(|(name, value)| (name.into(), value.into())));
        theirs
    }

    /// The JSON schema of these rules, for a backend's [`schema`](crate::BackendKind::schema).
    pub fn schema() -> Value {
        let names = json!({"type": "array", "items": {"type": "string"}});
        json!({
            "type": "object",
            "description": "Which environment variables the agent gets; in a name, `*` matches any characters",
            "properties": {
                "pass": names,
                "remove": names,
                "set": {"type": "object", "additionalProperties": {"type": "string"}},
            },
            "additionalProperties": false,
        })
    }

    fn passes(&self, name: &OsString) -> bool {
        let name = name.to_string_lossy();
        let named_in = |patterns: &[NamePattern]| patterns.iter().any(|pattern| pattern.matches(&name));
        let is_process_specific = || PROCESS_SPECIFIC.iter().any(|pattern| name_pattern::matches(pattern, &name));
        let passes = if self.pass.is_empty() { !is_process_specific() } else { named_in(&self.pass) };
        passes && (!named_in(&self.remove) || named_in(&self.admit))
    }
}

#[cfg(feature = "schemars1")]
impl schemars::JsonSchema for EnvRules {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EnvRules".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::Schema::try_from(Self::schema()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(names: &[&str]) -> Vec<(OsString, OsString)> {
        names.iter().map(|name| (name.into(), "ours".into())).collect()
    }

    fn rules(value: serde_json::Value) -> EnvRules {
        serde_json::from_value(value).expect("the rules of this test are valid")
    }

    /// The names of the variables, without those that are always added.
    fn names(environment: BTreeMap<OsString, OsString>) -> Vec<String> {
        let names = environment.into_keys().map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| NON_INTERACTIVE.iter().all(|(always, _)| name != always)).collect()
    }

    #[test]
    fn git_variables_local_to_a_repository_are_not_inherited() {
        let listed = std::process::Command::new("git").args(["rev-parse", "--local-env-vars"]).output();
        let listed = String::from_utf8(listed.expect("git is installed").stdout).expect("variable names are UTF-8");
        let listed: Vec<&str> = listed.lines().collect();
        assert!(listed.contains(&"GIT_DIR"), "{listed:?}");
        assert_eq!(names(EnvRules::default().apply(environment(&listed))), [""; 0]);
    }

    #[test]
    fn process_specific_variables_are_not_inherited_and_settings_are() {
        let settings = [
            "CARGO_HOME",
            "CODEX_API_KEY",
            "CODEX_HOME",
            "GIT_AUTHOR_NAME",
            "GIT_SSH_COMMAND",
            "HTTPS_PROXY",
            "NODE_OPTIONS",
            "npm_config_cache",
        ];
        let process_specific = [
            "PWD",
            "OLDPWD",
            "INIT_CWD",
            "GIT_AUTHOR_DATE",
            "CODEX_SANDBOX_NETWORK_DISABLED",
            "CODEX_THREAD_ID",
            "CODEX_INTERNAL_ORIGINATOR_OVERRIDE",
            "_VOLTA_TOOL_RECURSION",
            "npm_lifecycle_event",
            "npm_package_name",
            "CODEX_CI",
            "CODEX_MANAGED_BY_NPM",
            "GIT_EXTERNAL_DIFF",
            "GIT_ATTR_SOURCE",
            "LISTEN_FDS",
            "LISTEN_PID",
            "NOTIFY_SOCKET",
            "CARGO_MANIFEST_DIR",
            "PROJECT_CWD",
            "NODE_CHANNEL_FD",
            "MAKEFLAGS",
        ];
        let ours = [&process_specific[..], &settings].concat();
        assert_eq!(names(EnvRules::default().apply(environment(&ours))), settings);
        let explicit = rules(serde_json::json!({"remove": []}));
        assert_eq!(names(explicit.apply(environment(&ours))), settings, "an explicit `remove` does not restore them");
    }

    #[test]
    fn pass_and_set_restore_the_variables_they_name() {
        let passed = rules(serde_json::json!({"pass": ["GIT_*", "HOME"]}));
        assert_eq!(names(passed.apply(environment(&["GIT_DIR", "HOME", "PWD"]))), ["GIT_DIR", "HOME"]);
        let set = rules(serde_json::json!({"set": {"GIT_DIR": "theirs", "GIT_EDITOR": "ed"}}));
        let theirs = set.apply(environment(&["GIT_DIR", "GIT_EDITOR", "GIT_TERMINAL_PROMPT"]));
        for (name, value) in [("GIT_DIR", "theirs"), ("GIT_EDITOR", "ed"), ("GIT_TERMINAL_PROMPT", "0")] {
            assert_eq!(theirs.get(&OsString::from(name)), Some(&OsString::from(value)), "{name}");
        }
    }

    #[test]
    fn without_rules_everything_passes() {
        assert_eq!(names(EnvRules::default().apply(environment(&["A", "B"]))), ["A", "B"]);
    }

    #[test]
    fn remove_accepts_names_and_prefixes() {
        let rules = rules(serde_json::json!({"remove": ["SECRET_*", "TOKEN"]}));
        assert_eq!(names(rules.apply(environment(&["SECRET_A", "TOKEN", "TOKENS", "PATH"]))), ["PATH", "TOKENS"]);
    }

    #[test]
    fn admitted_variables_are_kept_and_admit_passes_nothing_else() {
        let rules = rules(serde_json::json!({"pass": ["A*", "B*"], "remove": ["A*", "B*"], "admit": ["A_*", "C"]}));
        assert_eq!(names(rules.apply(environment(&["A_KEY", "AB", "B", "C"]))), ["A_KEY"]);
    }

    #[test]
    fn pass_keeps_only_the_variables_it_names_and_set_wins_over_pass_and_remove() {
        let rules = rules(serde_json::json!({"pass": ["PATH"], "remove": ["PATH"], "set": {"PATH": "theirs"}}));
        let theirs = rules.apply(environment(&["PATH", "HOME"]));
        assert_eq!(theirs, BTreeMap::from([("PATH".into(), "theirs".into())]));
    }
}
