//! The program as its users meet it: real processes, real files, the protocol on real pipes.
//!
//! Each test has a home, a data directory and a project of its own. Most use the fake agent, which can be told to do
//! what a real one does rarely; those in `real_codex` use pinned versions of the real Codex against a scripted model.

mod acp;
mod answers;
mod architecture;
mod bad_input;
mod ceiling;
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
mod hidden_processes;
mod http;
mod kit;
mod limits;
mod multiple_backends;
mod notifications;
mod protocol;
mod real_acp;
mod real_codex;
mod real_codex_project;
mod real_codex_resume;
mod reconcile;
mod resources;
mod retention;
mod secrets;
mod signals;
mod supervise;
mod text_program;
mod timeline;
mod transcripts;
mod untrusted_output;
mod warnings;
mod windows;
mod world;
