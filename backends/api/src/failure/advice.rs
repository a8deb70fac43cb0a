//! Advice for failures that several agents have in common.

/// The account has reached its limit.
pub const WAIT_FOR_RESET: &str = "wait until the limit is reset, or name another `model`";

/// Too many requests in a short time.
pub const WAIT_A_WHILE: &str = "wait a while and try again, or name another `model`";

/// The provider has no capacity for the model.
pub const WAIT_FOR_CAPACITY: &str =
    "wait a while and try again, or name another `model`: the provider has no capacity for this one now";

/// The account does not have the model.
pub const CHANGE_MODEL: &str = "leave `model` out, or name one that your account has";

/// The task or its answer is too long for the model.
pub const SPLIT_TASK: &str = "split `task` into smaller ones";

/// An earlier session cannot be resumed.
pub const START_NEW_TASK: &str = "start a new task, and put everything that the agent needs to know into `task`";

/// The agent cannot reach its provider.
pub const CHECK_NETWORK: &str = "check the network and the address of the model's provider, then try again";

/// An MCP server of the agent failed.
pub const REPAIR_MCP_SERVER: &str =
    "repair or remove that MCP server in the agent's own settings (the agent's account is not the problem)";
