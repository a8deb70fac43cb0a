//! The plugin for Claude Code, which is part of this program.
//!
//! `packaging/plugin` has its files. They are embedded, so a plugin always has the version of the program that it starts.
//! [`unpack`] writes them into the data directory:
//!
//! ```text
//! DATA_DIR/plugin/                                    a marketplace that Claude Code reads from this directory
//! ├── .claude-plugin/marketplace.json                 names the current version
//! ├── 2.1.0/                                          the plugin
//! └── .lock                                           held while this directory is changed
//! ```
//!
//! Claude Code 2.1.332 runs the hooks, monitors and servers of a plugin from such a directory, not from its own copy.
//! Sessions that are open during an update use the previous version until they end, so that version is kept too.

mod files;
mod problem;
mod tree;
mod unpack;

pub use self::{
    files::{NAME, PluginProgram, SERVER, VERSION},
    problem::PluginProblem,
    unpack::{Unpacked, check_destination, is_unpacked, remove, unpack},
};
