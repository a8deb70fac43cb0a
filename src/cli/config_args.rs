//! The flags that every command has.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::config::Overrides;

/// Flags that select the configuration and change it, and the use of colors.
#[derive(Debug, Clone, Args)]
pub(super) struct ConfigArgs {
    /// Use this configuration file instead of ~/.codex-connector/config.toml
    #[arg(long, global = true, help_heading = "Global options", value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Use this data directory instead of ~/.codex-connector
    #[arg(long, global = true, help_heading = "Global options", value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// Override one configuration key, e.g. --set tasks.heartbeat_interval=10s (repeatable)
    #[arg(long, global = true, help_heading = "Global options", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// When to use colors
    #[arg(long, global = true, help_heading = "Global options", value_name = "WHEN", value_enum, default_value_t)]
    pub(super) color: ColorChoice,
}

/// When to use colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(super) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl ConfigArgs {
    /// The settings among these flags.
    pub(super) fn overrides(&self) -> Overrides {
        Overrides { config_file: self.config.clone(), data_dir: self.data_dir.clone(), set: self.set.clone() }
    }
}
