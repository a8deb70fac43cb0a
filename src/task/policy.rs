//! The user's settings for a task, fixed before it begins.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{millis, optional_millis};

/// The deadlines and rules of one task, frozen at submit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Policy {
    /// The task's time limit; `None` means no limit.
    #[serde(with = "optional_millis")]
    pub timeout: Option<Duration>,
    /// Time between two heartbeats in the log.
    #[serde(with = "millis")]
    pub heartbeat: Duration,
    /// Heartbeats include a warning once the agent has been silent for this long.
    #[serde(with = "millis")]
    pub stall_warning: Duration,
    /// The task is stopped once the agent has been silent for this long; `None` means never.
    #[serde(with = "optional_millis")]
    pub stop_after_silence: Option<Duration>,
    /// The task is stopped once the agent has only been waiting for the network for this long; `None` means never. Not
    /// in `policy.json`: version 2.0.0 rejects unknown fields, and only the supervisor needs this one.
    #[serde(default, with = "optional_millis", skip_serializing_if = "Option::is_none")]
    pub give_up_offline: Option<Duration>,
    /// The delays between the stages of stopping an agent.
    pub grace: Grace,
    /// Whether to put the agent into a cgroup if possible.
    #[serde(default)]
    pub cgroup: CgroupUse,
    /// Whether the agent survives the server that submitted the task.
    pub on_server_exit: OnServerExit,
    /// Whether processes that the agent leaves behind are stopped.
    pub on_agent_exit: OnAgentExit,
    /// Whether the raw event stream is kept next to the log.
    pub keep_events: bool,
    /// Maximum size of the log in bytes; `None` means no limit.
    #[serde(default)]
    pub log_bytes: Option<u64>,
    /// Whether values of secret variables are redacted in everything that is written or shown. An older version's
    /// policy lacks this field; that version always redacted.
    #[serde(default = "default_true")]
    pub redact: bool,
}

impl Policy {
    /// The policy for `policy.json`, which version 2.0.0 must be able to read.
    pub fn for_others(&self) -> Self {
        Self { give_up_offline: None, ..self.clone() }
    }
}

fn default_true() -> bool {
    true
}

/// The delays between the stages of stopping an agent: interrupt, SIGTERM, SIGKILL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Grace {
    /// From interrupting the agent to sending SIGTERM to its whole process tree.
    #[serde(with = "millis")]
    pub interrupt: Duration,
    /// From SIGTERM to SIGKILL for the whole process tree.
    #[serde(with = "millis")]
    pub terminate: Duration,
}

/// Whether an agent is put into its own cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupUse {
    /// If one can be created.
    #[default]
    Auto,
    /// Never.
    Off,
}

/// How an agent is treated after the server that submitted its task has exited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnServerExit {
    /// It is stopped, and the task ends as `interrupted`.
    Interrupt,
    /// It keeps running, and the next server delivers the result.
    Continue,
}

/// How processes are treated that an agent leaves behind when it exits by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnAgentExit {
    /// They are stopped, and named in the log.
    Kill,
    /// They are named in the log, and keep running.
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
        let policy: Policy = serde_json::from_str(written).expect("new fields have defaults");
        assert_eq!((policy.log_bytes, policy.redact), (None, true));
    }

    #[test]
    fn the_limit_on_waiting_for_the_network_is_kept_from_other_versions() {
        let written = serde_json::json!({
            "timeout": null, "heartbeat": 1, "stallWarning": 1, "stopAfterSilence": null, "giveUpOffline": 60_000,
            "grace": {"interrupt": 1, "terminate": 1}, "onServerExit": "continue", "onAgentExit": "kill", "keepEvents": false
        });
        let policy: Policy = serde_json::from_value(written).expect("these fields are enough");
        assert_eq!(policy.give_up_offline, Some(Duration::from_secs(60)));
        let for_others = serde_json::to_value(policy.for_others()).expect("it can be written");
        assert_eq!(for_others.get("giveUpOffline"), None);
    }
}
