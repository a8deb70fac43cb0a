//! Objects that are parts of the output of `--json`.

use connector_api::Usage;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// Numbers of tokens.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tokens {
    /// Tokens read by the model.
    pub(crate) input: u64,
    /// Input tokens that came from a cache; part of `input`.
    pub(crate) cached_input: u64,
    /// Tokens written by the model.
    pub(crate) output: u64,
    /// Tokens written as reasoning; part of `output`.
    pub(crate) reasoning_output: u64,
}

impl From<Usage> for Tokens {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.input_tokens,
            cached_input: usage.cached_input_tokens,
            output: usage.output_tokens,
            reasoning_output: usage.reasoning_output_tokens,
        }
    }
}

/// The total of several tasks.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TotalObject {
    /// The name of the group: a day (`2026-01-02`, local time), a backend, a model or a repository. Null if it is
    /// unknown, and for the total of all groups.
    pub(crate) name: Option<String>,
    /// The number of tasks.
    pub(crate) tasks: u64,
    /// The number of tasks whose tokens are unknown, because they are running or their agent reported none.
    pub(crate) unreported: u64,
    /// The tokens of the others.
    pub(crate) usage: Tokens,
}

/// A setting in force.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct SettingObject {
    /// The dotted key.
    pub(crate) key: String,
    /// The value; null if it is hidden.
    pub(crate) value: Value,
    /// Whether the value is hidden, because it may be a secret.
    pub(crate) hidden: bool,
    /// The kind of place that the value comes from.
    pub(crate) source: SourceKind,
    /// The path of the file, or the name of the variable or flag; null for a default.
    pub(crate) name: Option<String>,
}

/// The kind of place that a setting comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SourceKind {
    /// The built-in defaults.
    Default,
    /// The configuration file.
    File,
    /// An environment variable.
    Variable,
    /// A flag on the command line.
    Flag,
}

/// A problem and how to solve it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct ProblemObject {
    /// The problem and its reason.
    pub(crate) problem: String,
    /// The next step, if one is known.
    pub(crate) next: Option<String>,
}

/// The report of `check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct CheckObject {
    /// The version of this program.
    pub(crate) version: String,
    /// Whether tasks can run with the default backend, or with the named one.
    pub(crate) usable: bool,
    /// Everything that was checked. Later versions may add findings and change their texts.
    pub(crate) findings: Vec<FindingObject>,
}

/// One finding of `check`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct FindingObject {
    /// The thing that was checked, e.g. `data directory` or `backend codex`.
    pub(crate) name: String,
    /// The result in one word, e.g. `ok` or `PROBLEM`.
    pub(crate) result: String,
    /// Lines of text for a person.
    pub(crate) details: Vec<String>,
}

/// The report of `check --deep`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct DeepCheckObject {
    /// The backend.
    pub(crate) backend: String,
    /// The version of its agent.
    pub(crate) version: String,
    /// The agent's program.
    pub(crate) program: String,
    /// The result of each test.
    pub(crate) findings: Vec<DeepFindingObject>,
    /// The directory with the files of the tests, if they were kept; otherwise null.
    pub(crate) kept: Option<String>,
}

/// One finding of `check --deep`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct DeepFindingObject {
    /// The test, e.g. `answer` or `read_only`. Later versions may add tests.
    pub(crate) case: String,
    /// `yes`, `no`, `broken` or `unknown`.
    pub(crate) verdict: String,
    /// The reason for the verdict, for a person.
    pub(crate) words: String,
}
