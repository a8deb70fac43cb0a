//! What the user decided about a task before it began.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{millis, optional_millis};

/// The deadlines and rules of one task, frozen at submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// The task is stopped after this long; none means never.
    #[serde(with = "optional_millis")]
    pub timeout: Option<Duration>,
    /// Time between two heartbeats in the log.
    #[serde(with = "millis")]
    pub heartbeat: Duration,
    /// A heartbeat warns when the agent has been silent for this long.
    #[serde(with = "millis")]
    pub stall_warning: Duration,
    /// The task is stopped when the agent has been silent for this long; none means never.
    #[serde(with = "optional_millis")]
    pub stop_after_silence: Option<Duration>,
    /// How patiently an agent is stopped.
    pub grace: Grace,
    /// Whether an agent is put into a cgroup, where that is possible.
    #[serde(default)]
    pub cgroup: CgroupUse,
    /// What happens to the agent when the server that submitted the task is gone.
    pub on_server_exit: OnServerExit,
    /// What happens to processes that the agent leaves behind.
    pub on_agent_exit: OnAgentExit,
    /// Whether the raw event stream is kept beside the log.
    pub keep_events: bool,
    /// The most bytes that the log grows to; none means any number.
    #[serde(default)]
    pub log_bytes: Option<u64>,
    /// Whether values of secret variables are taken out of everything that is written or told. A policy that does not say
    /// is of a version that knew no other way to be safe than this.
    #[serde(default = "default_true")]
    pub redact: bool,
}

fn default_true() -> bool {
    true
}

/// How patiently an agent is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grace {
    /// From the polite signal to SIGTERM for the whole tree.
    #[serde(with = "millis")]
    pub interrupt: Duration,
    /// From SIGTERM to SIGKILL for the whole tree.
    #[serde(with = "millis")]
    pub terminate: Duration,
}

/// Whether an agent is put into a cgroup of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupUse {
    /// Where one can be made.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// What happens to an agent when the server that submitted its task is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnServerExit {
    /// It is stopped; the task ends `interrupted`.
    Interrupt,
    /// It goes on; the next server delivers the result.
    Continue,
}

/// What happens to processes that an agent leaves behind when it ends by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAgentExit {
    /// They are stopped, and named in the log.
    Kill,
    /// They are named in the log and left alone.
    Leave,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_from_the_previous_version_is_read() {
        let written = r#"{
            "timeout": null, "heartbeat": 30000, "stallWarning": 120000, "stopAfterSilence": null,
            "grace": {"interrupt": 2000, "terminate": 2000}, "onServerExit": "continue", "onAgentExit": "kill",
            "keepEvents": false
        }"#;
        let policy: Policy = serde_json::from_str(written).expect("what is new has a default");
        assert_eq!((policy.log_bytes, policy.redact), (None, true));
    }
}
