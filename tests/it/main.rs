//! Tests of the whole program from a user's point of view: real processes, real files, and the protocol over real
//! pipes.
//!
//! Each test has its own home, data directory and project. Most tests use the fake agent, which can imitate rare
//! behavior of real agents. Those in `real_*` and some in `kit` use pinned versions of real agents with a scripted
//! model.

mod acp;
mod answers;
mod architecture;
mod bad_input;
mod ceiling;
mod cli;
mod cli_json;
mod cli_read;
mod cli_tasks;
mod cli_terminal;
mod configuration;
mod confinement;
mod constrained_environments;
mod dialects;
mod directory;
mod docs;
mod ending;
mod extra_tools;
mod fake_agent;
mod fallback;
mod faults;
mod files;
mod handles;
mod hidden_processes;
mod http;
mod init;
mod kit;
mod limits;
mod long_history;
mod multiple_backends;
mod notifications;
mod protocol;
mod real_acp;
mod real_codex;
mod real_codex_project;
mod real_codex_resume;
mod reconcile;
mod reports;
mod resources;
mod retention;
mod secrets;
mod signals;
mod supervise;
mod text_program;
mod timeline;
mod tmux;
mod transcripts;
mod untrusted_output;
mod warnings;
mod windows;
mod world;
